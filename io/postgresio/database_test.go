package postgresio

import (
	"testing"

	"github.com/jackc/pgx/v5"
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
