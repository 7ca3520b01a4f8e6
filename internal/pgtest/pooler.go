package pgtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Pooler starts a PgBouncer of the test's own, in a pool mode (session, transaction
// or statement) and otherwise with its default settings, which lines such as
// "default_pool_size = 1" change. It returns the URL by which the database is reached
// through it. Where PgBouncer can't be had, the test is skipped; with CI=true it fails.
func Pooler(t testing.TB, database, mode string, settings ...string) string {
	t.Helper()
	program, err := poolerProgram()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("there is no PgBouncer: %v", err)
		}
		t.Skipf("there is no PgBouncer: %v", err)
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "cartstream-pooler-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := freePort(t)
	password, _ := u.User.Password()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	users := write("users", fmt.Sprintf("%q %q\n", u.User.Username(), password))
	config := write("config", fmt.Sprintf(`[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = %s
%s
`, u.Hostname(), u.Port(), port, users, mode, strings.Join(settings, "\n")))
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	startPooler(t, program, config)
	u.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	q := u.Query()
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	awaitListener(t, u.Host)
	return u.String()
}

// startPooler starts it under a shell that ends it with the pipe from this process,
// however that ends.
func startPooler(t testing.TB, program, config string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `"$0" -q "$1" & pooler=$!; read -r _; kill "$pooler"; wait "$pooler"`, program, config)
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	if os.Getuid() == 0 { // as which it refuses to run
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.ParseUint(nobody.Uid, 10, 32)
		gid, _ := strconv.ParseUint(nobody.Gid, 10, 32)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // its status is that of a process that was ended
	})
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func awaitListener(t testing.TB, address string) {
	t.Helper()
	for deadline := time.Now().Add(queryBound); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("PgBouncer does not listen: %v", err)
		}
	}
}

// poolerProgram is where PgBouncer is. Where it is not installed, the package is
// fetched: for all when this is root, and otherwise into the user's cache.
var poolerProgram = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	unpacked := filepath.Join(cache, "cartstream", "pgbouncer")
	find := func() (string, error) {
		for _, program := range []string{"pgbouncer", "/usr/sbin/pgbouncer", filepath.Join(unpacked, "usr", "sbin", "pgbouncer")} {
			if path, err := exec.LookPath(program); err == nil {
				return path, nil
			}
		}
		return "", exec.ErrNotFound
	}
	if path, err := find(); err == nil {
		return path, nil
	}
	script := `apt-get install -y --no-install-recommends pgbouncer`
	if os.Getuid() != 0 {
		script = `mkdir -p "$0" && cd "$0" && apt-get download pgbouncer && dpkg -x pgbouncer_*.deb .`
	}
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "sh", "-c", script, unpacked).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return find()
})
