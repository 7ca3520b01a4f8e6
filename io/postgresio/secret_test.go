package postgresio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/internal/pgtest"
	"github.com/cartstream/cartstream/internal/runctl"
	"github.com/cartstream/cartstream/transforms/record"
)

const planted = "hunter2-%41-geheim"

// closedPort is an address that nobody listens on.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestNoSecretIsTold plants a password and looks for it in every error and
// every line of the log.
func TestNoSecretIsTold(t *testing.T) {
	dontWait(t)
	retryFast(t)
	server, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(u *url.URL)) string {
		u := *server
		u.User = url.UserPassword(u.User.Username(), planted)
		change(&u)
		return u.String()
	}
	for _, c := range []struct {
		name, url string
		says      string // by Check
	}{
		{"a port that is none", "postgres://u:" + planted + "@127.0.0.1:port/db", "connection string"},
		{"a broken escape", "postgres://u:" + planted + "%zz@127.0.0.1/db", "connection string"},
		{"broken pairs", "host=127.0.0.1 password='" + planted, "connection string"},
		{"an unknown setting", with(func(u *url.URL) { u.RawQuery = "pool_max_conns=" + planted }), "connection string"},
		{"a wrong sslmode", with(func(u *url.URL) { u.RawQuery = "sslmode=perhaps" }), "connection string"},
		{"a wrong password", with(func(*url.URL) {}), "password authentication failed"},
		{"a wrong password in pairs", fmt.Sprintf("host=%s port=%s user=%s dbname=x password='%s' sslmode=disable", server.Hostname(), server.Port(), server.User.Username(), planted), "password authentication failed"},
		{"a wrong password and an application", with(func(u *url.URL) { u.RawQuery = "sslmode=disable&application_name=a" }), "password authentication failed"},
		{"a host that is none", with(func(u *url.URL) { u.Host = "no-such-host.invalid:5432" }), ""},
		{"nobody listens", with(func(u *url.URL) { u.Host = closedPort(t) }), "refused"},
		{"TLS that the server does not speak", with(func(u *url.URL) { u.RawQuery = "sslmode=require" }), "TLS"},
	} {
		t.Run(c.name, func(t *testing.T) { wantNoSecret(t, c.url, c.says) })
	}
}

// Of each address the last try is told, in one line: pgx tries one with TLS and
// then without.
func TestConnectionErrorsAreToldOnce(t *testing.T) {
	server := pgtest.Database(t)
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path, u.RawQuery = "/no_such_database", "sslmode=prefer"
	closed, other := closedPort(t), closedPort(t)
	for _, c := range []struct{ name, url, want string }{
		{"nobody listens", "postgres://u@" + closed + "/db", `^` + closed + ` \(127.0.0.1\): dial error: .*refused$`},
		{"no such database", u.String(), `^` + u.Host + ` \(127.0.0.1\): server error: .*database "no_such_database" does not exist.*$`},
		{"no such host", "postgres://u@no-such-host.invalid/db", `^lookup no-such-host.invalid[^;]*$`},
		{"several servers", "postgres://u@" + closed + "," + other + "/db", `^` + closed + `[^;]*refused; ` + other + `[^;]*refused$`},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool, err := SetURL(t.Name(), c.url).Open(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			if got := SafeError(pool.Ping(t.Context())).Error(); !regexp.MustCompile(c.want).MatchString(got) {
				t.Errorf("got %q, want %s", got, c.want)
			}
		})
	}
}

func TestNoSecretIsToldByAServerThatTakesThePassword(t *testing.T) {
	w := newWorld(t, itemTable)
	role := roleOf(w, "secretive")
	w.exec(`alter role "` + role + `" password '` + planted + `'`)
	u, err := url.Parse(asRole(t, urlOf(w.db), role, planted))
	if err != nil {
		t.Fatal(err)
	}
	wantNoSecret(t, u.String(), "")
	u.Path = "/no_such_database"
	wantNoSecret(t, u.String(), "no_such_database")
}

func wantNoSecret(t *testing.T, dsn, says string) {
	t.Helper()
	log := captureLog(t)
	db := SetURL(t.Name(), dsn)
	run := t.Name()
	defer runctl.Forget(run)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, lookup := Ledger{Run: run, Database: db, Table: "items", RetryFor: time.Millisecond}.Lookup(t.Context(), []record.File{testFile("a")})
	fn := &loadFn[item]{Options: newLoadOptions("items", []Option{WithRun(run), WithDatabase(db), WithRetryFor(time.Millisecond)})}
	setup := fn.Setup(t.Context())
	if setup == nil {
		defer func() { _ = fn.Teardown() }()
	}
	check := Check[item](t.Context(), db, "items")
	for what, err := range map[string]error{
		"Wait": db.Wait(ctx), "Migrate": Migrate(t.Context(), db), "Check": check, "Lookup": lookup, "Setup": setup,
	} {
		if err == nil {
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			slog.Error(what, "error", e, "text", fmt.Sprintf("%v %+v %#v", e, e, e.Error()))
		}
	}
	if says != "" && (check == nil || !strings.Contains(check.Error(), says)) {
		t.Errorf("Check: got %v, want an error that says %q", check, says)
	}
	for _, secret := range []string{"hunter2", "geheim", url.QueryEscape(planted)} {
		if i := strings.Index(log.String(), secret); i >= 0 {
			t.Errorf("the password is told: %s", log.String()[max(0, i-200):min(len(log.String()), i+100)])
		}
	}
	if strings.TrimSpace(log.String()) == "" && says != "" {
		t.Error("nothing was logged: the test looks at nothing")
	}
}
