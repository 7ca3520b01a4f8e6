package embeddedpg

import (
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("all the other tests run as an ordinary user already")
	}
	daemon, err := user.Lookup("daemon")
	if err != nil {
		t.Skipf("this machine has no user to try it with: %v", err)
	}
	uid, err := strconv.Atoi(daemon.Uid)
	if err != nil {
		t.Fatal(err)
	}
	start(t, Options{})
	program := copyOfTestBinary(t)
	dir := dataDir(t)
	_, _, s := startHelper(t, dir, func(cmd *exec.Cmd) {
		cmd.Path = program
		cmd.Dir = "/"
		cmd.Env = append(cmd.Env, cacheEnv+"="+rootCache, "HOME="+filepath.Dir(dir))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	})
	if s.Error != "" {
		t.Fatal(s.Error)
	}
	if got := queryText(t, s.URL, "select 'running'"); got != "running" {
		t.Errorf("read %q", got)
	}
	info, err := os.Stat(filepath.Join(dir, clusterDir))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != uid {
		t.Errorf("the data belongs to %d, want %d", owner, uid)
	}
	wantAll(t, startFails(t, Options{Dir: dir}), "belongs to the user with the id "+daemon.Uid)
}

// copyOfTestBinary copies it to where another user can reach it.
func copyOfTestBinary(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	path := filepath.Join(filepath.Dir(dataDir(t)), "program")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRootTakesAnotherFolderWhereNobodyCantReach(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root becomes another user")
	}
	closed := t.TempDir() // closed to others on its way
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, "postgres")
	var log strings.Builder
	s := start(t, Options{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	t.Cleanup(func() { stop(t, s); _ = os.RemoveAll(s.Dir) })
	if !strings.HasPrefix(s.Dir, rootData+"/") {
		t.Errorf("the data is in %s", s.Dir)
	}
	wantAll(t, log.String(), "can't reach", dir, s.Dir)
	first := s.Dir
	stop(t, s)
	if s = start(t, Options{Dir: dir}); s.Dir != first {
		t.Errorf("the second start took %s, the first %s", s.Dir, first)
	}
}

func TestMissingProgramsWithoutANetwork(t *testing.T) {
	t.Setenv(cacheEnv, filepath.Dir(dataDir(t)))
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	t.Setenv("https_proxy", "http://127.0.0.1:9")
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	wantAll(t, startFails(t, Options{}), "PostgreSQL "+Version, "could not be fetched", "DATABASE_URL", "HTTPS_PROXY")
}

func TestWhoMayEnter(t *testing.T) {
	dir := dataDir(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	owner, group := os.Getuid(), os.Getgid()
	for _, c := range []struct {
		name     string
		mode     os.FileMode
		uid, gid int
		want     bool
	}{
		{"owner", 0o700, owner, 7777, true},
		{"owner without the right", 0o011, owner, group, false},
		{"group", 0o710, 7777, group, true},
		{"group without the right", 0o701, 7777, group, false},
		{"others", 0o701, 7777, 7777, true},
		{"others without the right", 0o750, 7777, 7777, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.Chmod(dir, c.mode); err != nil {
				t.Fatal(err)
			}
			if got := traversable(dir, c.uid, c.gid); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestLockIsHeldByOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		f, err := waitLock(t.Context(), path, func(time.Duration) bool { return true })
		if err == nil {
			err = f.Close()
		}
		got <- err
	}()
	if _, err := waitLock(t.Context(), path, func(waited time.Duration) bool { return waited < 5*pollInterval }); err != errLocked {
		t.Errorf("a held lock gave %v", err)
	}
	select {
	case err := <-got:
		t.Fatalf("the second got the lock while the first held it, or failed: %v", err)
	default:
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{
		"/data/pgpass":    "/data/pgpass",
		"/my data/pgpass": "'/my data/pgpass'",
		"it's":            `'it'\''s'`,
		"":                "''",
		"$HOME":           "'$HOME'",
	} {
		if got := shellQuote(in); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", in, got, want)
		}
	}
}
