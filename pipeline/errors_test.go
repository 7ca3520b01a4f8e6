package pipeline

import (
	"net/url"
	"strings"
	"testing"
)

// oneSentence fails a test where an error is not what it says, in one line, once.
func oneSentence(t *testing.T, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("the error does not say %q: %v", s, err)
		}
	}
	if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "Plan[") {
		t.Errorf("the error has more than one line: %v", err)
	}
}

// A login that is forbidden while the pipeline runs ends it with the server's words,
// and not with Beam's plan.
func TestForbiddenLoginIsOneSentence(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.add("a.csv")
		u, err := url.Parse(p.url)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(u.User.Username(), "wrong")
		p.options.Database = DatabaseAt(u.String())
		_, err = Events(p.options).Run(t.Context(), nil)
		oneSentence(t, err, "password authentication failed")
	})
}

// A database that nobody has named is said to be so at once, by the variables that
// name one.
func TestDatabaseThatNobodyNamedIsAskedFor(t *testing.T) {
	for _, name := range []string{"DATABASE_URL", "DATABASE_URL_FILE", "PGHOST", "PGSERVICE", "PGDATABASE"} {
		t.Setenv(name, "")
	}
	t.Setenv("PGPORT", "1") // on whose socket nobody listens
	err := Events(Options{Settings: DefaultSettings(), Database: DatabaseOf(DefaultSettings())}).Prepare(t.Context())
	oneSentence(t, err, "no database is named", "DATABASE_URL", "postgres.url")
}
