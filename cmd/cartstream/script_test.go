//go:build e2e

package main

import (
	"errors"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cartstream/cartstream/internal/pgtest"
)

// TestScript runs testdata/script, each script with an empty database and
// these commands:
//
//	status N cartstream ARG...  runs the program, which must end with status N
//	sql QUERY ROW...            compares the rows, columns parted by " | "
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			database, _ := pgtest.Owned(env.T().(testing.TB))
			env.Setenv("PATH", filepath.Dir(cartstream)+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("DATABASE_URL", database)
			env.Setenv("GOOD_URL", database)
			u, err := url.Parse(database)
			if err != nil {
				return err
			}
			u.Path = "/no_such_database"
			env.Setenv("NO_DATABASE_URL", u.String())
			u.User = url.UserPassword("somebody", "planted-secret")
			env.Setenv("NO_USER_URL", u.String())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": scriptStatus, "sql": scriptSQL},
	})
}

func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if args[0] != strconv.Itoa(got) {
		ts.Fatalf("ended with status %d, want %s", got, args[0])
	}
}

func scriptSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: sql QUERY ROW...")
	}
	rows, err := (&scene{admin: ts.Getenv("GOOD_URL")}).tryQuery(args[0])
	ts.Check(err)
	if got, want := strings.Join(rows, "\n"), strings.Join(args[1:], "\n"); got != want {
		ts.Fatalf("got:\n%s\nwant:\n%s", got, want)
	}
}
