package embeddedpg

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestServerKeepsPostgreSQLsOwnDurability(t *testing.T) {
	s := start(t, Options{})
	for name, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		"server_encoding": "UTF8", "listen_addresses": "127.0.0.1",
	} {
		if got := queryText(t, s.URL(), "show "+name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if got := queryText(t, s.URL(), "select current_user || ' in ' || current_database()"); got != "postgres in cartstream" {
		t.Errorf("connected as %s", got)
	}
}

func TestParametersReachTheServer(t *testing.T) {
	s := start(t, Options{Parameters: map[string]string{"fsync": "off", "application_name": "two words"}})
	if got := queryText(t, s.URL(), "show fsync"); got != "off" {
		t.Errorf("fsync is %s, want off", got)
	}
	if got := queryText(t, s.URL(), "select reset_val from pg_settings where name = 'application_name'"); got != "two words" {
		t.Errorf("application_name is %q", got)
	}
}

func TestProgramsOfAnInstalledPostgreSQLAreTaken(t *testing.T) {
	ours := start(t, Options{})
	s := start(t, Options{Programs: filepath.Join(ours.place.Cache, installed, "bin")})
	// Those that Start brings would make a cluster of PostgreSQL 18's own provider.
	if got := queryText(t, s.URL(), "select datlocprovider::text from pg_database where datname = current_database()"); got != "c" {
		t.Errorf("the locale provider is %q, want libc's, which every version has", got)
	}
	wantAll(t, startFails(t, Options{Programs: "/nowhere"}), "/nowhere/initdb")
	wantAll(t, startFails(t, Options{Programs: "/nowhere", Dir: dataDir(t)}), "Options.Programs is for temporary servers")
}

func TestUnknownParameterIsAnErrorWithPostgreSQLsWords(t *testing.T) {
	wantAll(t, startFails(t, Options{Parameters: map[string]string{"no_such": "1"}}),
		"PostgreSQL did not start", `unrecognized configuration parameter "no_such"`)
}

func TestDataAndPasswordAreKeptBetweenStarts(t *testing.T) {
	dir := dataDir(t)
	s := start(t, Options{Dir: dir})
	exec1(t, s.URL(), "create table kept as select 'still here' as text")
	password := s.password
	stop(t, s)
	stop(t, s) // a second Stop is harmless

	s = start(t, Options{Dir: dir})
	if got := queryText(t, s.URL(), "select text from kept"); got != "still here" {
		t.Errorf("read %q", got)
	}
	if s.password != password {
		t.Error("the password has changed")
	}
}

func TestTemporaryFolderIsRemovedAtStop(t *testing.T) {
	s := start(t, Options{})
	stop(t, s)
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", s.Dir, err)
	}
}

func TestPasswordIsInThePasswordFileOnly(t *testing.T) {
	s := start(t, Options{Dir: dataDir(t)})
	line := s.ExportCommand()
	wantAll(t, line, "PGPASSFILE="+filepath.Join(s.Dir, "pgpass"), "PGHOST=127.0.0.1", "PGPORT="+strconv.Itoa(s.Port))
	if strings.Contains(line, s.password) {
		t.Error("the command shows the password")
	}
	info, err := os.Stat(filepath.Join(s.Dir, "pgpass"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the password file has the mode %v", info.Mode())
	}
	u := strings.Replace(s.URL(), s.password, "wrong", 1)
	if _, err := connect(t, u); err == nil {
		t.Error("a wrong password was taken")
	}
}

func TestPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	taken := l.Addr().(*net.TCPAddr).Port
	free, err := choosePort(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name            string
		port, preferred int
		want            func(int) bool
		fails           bool
	}{
		{name: "wanted and free", port: free, want: func(p int) bool { return p == free }},
		{name: "wanted and taken", port: taken, fails: true},
		{name: "preferred and free", preferred: free, want: func(p int) bool { return p == free }},
		{name: "preferred and taken", preferred: taken, want: func(p int) bool { return p != taken && p >= lowestPort && p <= highestPort }},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := choosePort(c.port, c.preferred)
			if (err != nil) != c.fails || err == nil && !c.want(got) {
				t.Errorf("got port %d, error %v", got, err)
			}
		})
	}
	wantAll(t, startFails(t, Options{Port: taken}), "port "+strconv.Itoa(taken)+" is taken")
}

func TestImpossiblePortIsAnError(t *testing.T) {
	wantAll(t, startFails(t, Options{Port: 70000}), "Options.Port is 70000", "0 to 65535")
	wantAll(t, startFails(t, Options{PreferPort: -1}), "Options.PreferPort is -1")
}

func TestStartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("no longer wanted")
	cancel(reason)
	if _, err := Start(ctx, Options{}); !errors.Is(err, reason) {
		t.Errorf("got the error %v", err)
	}
}

func TestKillAndRestartKeepWhatWasCommitted(t *testing.T) {
	s := start(t, Options{})
	exec1(t, s.URL(), "create table kept as select 'committed' as text")
	open, err := connect(t, s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err == nil {
		t.Error("Restart of a running server gave no error")
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := open.Ping(t.Context()); err == nil {
		t.Error("a connection has outlived the kill")
	}
	if _, err := connect(t, s.URL()); err == nil {
		t.Error("a killed server took a connection")
	}
	if err := s.Kill(); err == nil {
		t.Error("Kill of a server that is down gave no error")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := queryText(t, s.URL(), "select text from kept"); got != "committed" {
		t.Errorf("read %q", got)
	}
}

func TestStopAfterKill(t *testing.T) {
	s := start(t, Options{})
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	if err := s.Restart(); err == nil {
		t.Error("Restart after Stop gave no error")
	}
}
