package postgresio

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/internal/runctl"
)

// A server is named whole, also where the database is not.
func TestServersAreNamedWithoutSecrets(t *testing.T) {
	t.Setenv("PGDATABASE", "")
	t.Setenv("PGPORT", "")
	for url, want := range map[string]string{
		"postgres://me:secret@h:1/shop":     "h:1, database shop, user me",
		"postgres://me:secret@h":            "h:5432, database me, user me",
		"host=/tmp user=me password=secret": "/tmp:5432, database me, user me",
	} {
		c, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(c); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestDatabaseOfTheEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("postgres://a@127.0.0.1/of-the-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, set, url, file, want string }{
		{"the variable", "", "postgres://a@127.0.0.1/of-the-variable", "", "of-the-variable"},
		{"the file", "", "", file, "of-the-file"},
		{"the variable before the file", "", "postgres://a@127.0.0.1/of-the-variable", file, "of-the-variable"},
		{"what is set before both", "postgres://a@127.0.0.1/that-is-set", "postgres://a@127.0.0.1/of-the-variable", file, "that-is-set"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("DATABASE_URL", c.url)
			t.Setenv("DATABASE_URL_FILE", c.file)
			pool, err := SetURL(t.Name(), c.set).Open(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			if got := pool.Config().ConnConfig.Database; got != c.want {
				t.Errorf("the database is %q, want %q", got, c.want)
			}
		})
	}
	t.Setenv("DATABASE_URL", "")
	t.Setenv("DATABASE_URL_FILE", file+"-that-is-not-there")
	if _, err := (Database{}).Open(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "DATABASE_URL_FILE") || !strings.Contains(err.Error(), file) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// A database that must have another ledger is refused, whether it has one or
// not, and not tried again and again.
func TestDatabaseWithAnotherLedger(t *testing.T) {
	at := func(name string) Database { return SetURL(t.Name()+name, pgtest.Database(t)) }
	own, other, none := at("own"), at("other"), at("none")
	for _, d := range []Database{own, other} {
		if err := Migrate(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	id, err := LedgerID(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { runctl.Forget(t.Name()) })
	use := func(d Database) error {
		d.Ledger = id
		return Ledger{Run: t.Name(), Database: d, Table: "items"}.ask(context.Background(), "asking", func(context.Context, pgx.Tx, string) error { return nil })
	}
	if err := use(own); err != nil {
		t.Errorf("its own ledger: %v", err)
	}
	for name, d := range map[string]Database{"another": other, "none": none} {
		if err := use(d); err == nil || !strings.Contains(err.Error(), "names another database than the command has prepared") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
