package embeddedpg

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

func connect(t *testing.T, url string) (*pgx.Conn, error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(t.Context()) })
	}
	return conn, err
}

func TestFolderInUseIsAnError(t *testing.T) {
	dir := dataDir(t)
	s := start(t, Options{Dir: dir})
	wantAll(t, startFails(t, Options{Dir: dir}), dir, "in use", "port "+strconv.Itoa(s.Port))
	if got := queryText(t, s.URL(), "select 'unharmed'"); got != "unharmed" {
		t.Errorf("read %q", got)
	}
}

func TestDataOfAnotherMajorVersionIsLeftAlone(t *testing.T) {
	dir := dataDir(t)
	stop(t, start(t, Options{Dir: dir}))
	version := filepath.Join(dir, clusterDir, "PG_VERSION")
	for _, other := range []string{"17\n", "1\n", "19\n"} {
		if err := os.WriteFile(version, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		wantAll(t, startFails(t, Options{Dir: dir}), "PostgreSQL "+strings.TrimSpace(other)+",", "another folder", "nothing was changed")
	}
	if err := os.Remove(version); err != nil {
		t.Fatal(err)
	}
	wantAll(t, startFails(t, Options{Dir: dir}), "another folder", "nothing was changed")
	if err := os.WriteFile(version, []byte("18\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	giveToServer(t, version)
	start(t, Options{Dir: dir}) // it is all still there
}

func TestFolderOfSomebodyElseIsLeftAlone(t *testing.T) {
	for name, file := range map[string]string{
		"a file": "thesis.txt", "data of PostgreSQL": "PG_VERSION",
	} {
		t.Run(name, func(t *testing.T) {
			dir := dataDir(t)
			path := filepath.Join(dir, file)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("18\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			giveToServer(t, dir)
			wantAll(t, startFails(t, Options{Dir: dir}), dir, file, "nothing was changed")
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		})
	}
}

// giveToServer makes the file's or folder's owner the one that PostgreSQL runs as.
func giveToServer(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	uid, gid := nobody()
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
}

func TestHalfMadeDataIsMadeAnew(t *testing.T) {
	dir := dataDir(t)
	half := filepath.Join(dir, newDir)
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	giveToServer(t, dir)
	giveToServer(t, half)
	if err := os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("18\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, Options{Dir: dir})
}

func TestMissingPasswordFileIsAnError(t *testing.T) {
	dir := dataDir(t)
	stop(t, start(t, Options{Dir: dir}))
	if err := os.Remove(filepath.Join(dir, passFile)); err != nil {
		t.Fatal(err)
	}
	wantAll(t, startFails(t, Options{Dir: dir}), filepath.Join(dir, passFile))
}

func TestStalePidFileOfALiveProcessIsNoHindrance(t *testing.T) {
	dir := dataDir(t)
	stop(t, start(t, Options{Dir: dir}))
	stale := strings.Join([]string{strconv.Itoa(os.Getpid()), dir, "1", "5432", "", "127.0.0.1", "0 0", "ready", ""}, "\n")
	if err := os.WriteFile(pidFile(dir), []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, Options{Dir: dir})
}

func TestServerEndsWhenItsParentIsKilled(t *testing.T) {
	dir := dataDir(t)
	program, _, s := startHelper(t, dir, nil)
	if s.Error != "" {
		t.Fatal(s.Error)
	}
	exec1(t, s.URL, "create table kept as select 'committed' as text")
	pid := mustPid(t, dir)
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// The next start may come while the server is still stopping.
	next := start(t, Options{Dir: dir})
	if alive(pid) {
		t.Error("the server has outlived its parent")
	}
	if got := queryText(t, next.URL(), "select text from kept"); got != "committed" {
		t.Errorf("read %q", got)
	}
}

func TestNextStartWorksWhenEverythingWasKilled(t *testing.T) {
	for name, alsoServer := range map[string]bool{"program and child": false, "the server too": true} {
		t.Run(name, func(t *testing.T) {
			dir := dataDir(t)
			program, _, s := startHelper(t, dir, nil)
			if s.Error != "" {
				t.Fatal(s.Error)
			}
			exec1(t, s.URL, "create table kept as select 'committed' as text")
			pid := mustPid(t, dir)
			child := parentOf(t, pid)
			if alsoServer {
				killHard(t, pid)
			}
			killHard(t, child)
			killHard(t, program.Process.Pid)
			if runtime.GOOS == "linux" {
				eventually(t, "the server has ended", func() bool { return !alive(pid) })
			}
			next := start(t, Options{Dir: dir})
			if got := queryText(t, next.URL(), "select text from kept"); got != "committed" {
				t.Errorf("read %q", got)
			}
		})
	}
}

func killHard(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestServerOutlivesCtrlC(t *testing.T) {
	dir := dataDir(t)
	program, stdin, s := startHelper(t, dir, func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} })
	if s.Error != "" {
		t.Fatal(s.Error)
	}
	pid := mustPid(t, dir)
	group, err := syscall.Getpgid(pid)
	if err != nil {
		t.Fatal(err)
	}
	if group == program.Process.Pid {
		t.Error("the server is in its program's process group, which Ctrl-C reaches")
	}
	// The child gets the signals of a machine that goes down, and waits all the
	// same for its parent, who still needs the database.
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := syscall.Kill(parentOf(t, pid), sig); err != nil {
			t.Fatal(err)
		}
	}
	if got := queryText(t, s.URL, "select 'running'"); got != "running" {
		t.Errorf("read %q", got)
	}
	_ = stdin.Close()
	if err := program.Wait(); err != nil {
		t.Errorf("the program's clean end: %v", err)
	}
	if alive(pid) {
		t.Error("Stop returned before the server had ended")
	}
}
