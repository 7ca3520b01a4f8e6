//go:build e2e && runners && linux

package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/internal/pgtest"
)

// The pictures of compose.yaml run here without a container engine: in a network
// of their own that has nothing but loopback addresses, one for each service by
// its name, and each service in a file system of its own, as a user without any
// rights, with the volumes, secrets and environment that compose.yaml gives it. What
// it does not try are the images: folders, users and programs are as the
// Dockerfile has them, but on this machine's system.

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestFlinkPicture(t *testing.T) { inNamespaces(t, "flink") }

func TestSparkPicture(t *testing.T) { inNamespaces(t, "spark") }

// bound is how long a step may take.
const bound = 2 * time.Minute

// rootVariable tells the test that it is within the namespaces, and where what was
// built is.
const rootVariable = "CARTSTREAM_TEST_PICTURE"

// inNamespaces has this binary run the test again, within.
func inNamespaces(t *testing.T, profile string) {
	if root := os.Getenv(rootVariable); root != "" {
		newPicture(t, root, profile).test()
		return
	}
	namespaces := []string{"--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"}
	if err := exec.Command("unshare", append(slices.Clone(namespaces), "true")...).Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("this user can't make namespaces: %v", err)
		}
		t.Skip("this user can't make namespaces, root can")
	}
	root := t.TempDir()
	build(t, root, profile)
	cmd := exec.Command("unshare", append(namespaces, os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")...)
	cmd.Env = append(os.Environ(), rootVariable+"="+root)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// build makes what the Dockerfile puts into the images.
func build(t *testing.T, root, profile string) {
	t.Helper()
	run(t, filepath.Join("..", "deploy", profile, "jobserver"), "--fetch")
	boot, err := exec.Command("../deploy/boot").Output()
	if err != nil {
		t.Fatal(err)
	}
	opt := root + "/opt/cartstream"
	if err := os.CopyFS(filepath.Join(opt, "deploy"), os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CGO_ENABLED", "0")
	run(t, "go", "build", "-trimpath", "-o", root+"/bin/cartstream", "../cmd/cartstream")
	run(t, "install", strings.TrimSpace(string(boot)), filepath.Join(opt, "boot"))
	run(t, "chmod", "-R", "a+rX", root)
}

// picture is a picture at work.
type picture struct {
	*testing.T
	*types.Project
	root string
	// url is the database's, with the password.
	url, password string
	// order is that in which services are started.
	order     []string
	processes map[string]*exec.Cmd
}

func newPicture(t *testing.T, root, profile string) *picture {
	p := &picture{T: t, Project: loadCompose(t, profile), root: root, processes: map[string]*exec.Cmd{}}
	hosts := "127.0.0.1 localhost\n"
	if name, err := os.Hostname(); err == nil {
		hosts += "127.0.0.1 " + name + "\n"
	}
	for i, name := range p.ServiceNames() {
		address := fmt.Sprintf("127.0.1.%d", i+1)
		if name == "postgres" {
			address = "127.0.0.1"
		}
		hosts += address + " " + name + "\n"
	}
	p.write("hosts", hosts)
	p.write("passwd", "root:x:0:0::/root:/bin/sh\ncartstream:x:10001:10001::/nonexistent:/usr/sbin/nologin\n")
	for volume := range p.Volumes {
		run(t, "install", "-d", "-o", "10001", "-g", "10001", filepath.Join(root, "volumes", volume))
	}
	run(t, "ip", "link", "set", "lo", "up")
	run(t, "mount", "--make-rprivate", "/")
	p.database()
	return p
}

func (p *picture) log(name string) string { return filepath.Join(p.root, name+".log") }

func (p *picture) write(name, content string) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(p.root, name), []byte(content), 0o644); err != nil {
		p.Fatal(err)
	}
}

// database is the service postgres: its image is not ours, and a server of the
// tests stands in for it.
func (p *picture) database() {
	p.Helper()
	p.url = pgtest.Database(p.T)
	u, err := url.Parse(p.url)
	if err != nil {
		p.Fatal(err)
	}
	var ok bool
	if p.password, ok = u.User.Password(); !ok {
		p.Fatal("the database has no password to be kept")
	}
	u.Host = "postgres:" + u.Port()
	p.write("database_url", u.String()+"\n")
	p.write("postgres_password", "")
}

func (p *picture) test() {
	for name := range p.Services {
		p.visit(name)
	}
	defer p.tell()
	for _, name := range p.order {
		p.start(name)
	}
	p.eventually("three files are loaded", func() bool {
		return p.count("select count(*) from cartstream.load_history where status = 'loaded'") >= 3
	})
	if p.Services["jobmanager"].Name != "" {
		p.eventually("a checkpoint", func() bool {
			made, _ := filepath.Glob(p.root + "/volumes/checkpoints/*/chk-*/_metadata")
			return len(made) > 0
		})
	}
	pipeline := p.order[slices.IndexFunc(p.order, func(name string) bool { return strings.HasSuffix(name, "-pipeline") })]
	service := p.Services[pipeline]
	if out, err := p.box(&service, "cartstream", "verify", "--files").CombinedOutput(); err != nil {
		p.Errorf("verify: %v\n%s", err, out)
	}
	for _, name := range p.order {
		if !p.healthy(name) {
			p.Errorf("%s is not healthy", name)
		}
	}
	p.stop()
	for _, name := range p.order {
		if strings.Contains(read(p.T, p.log(name)), p.password) {
			p.Errorf("the log of %s has the password", name)
		}
	}
}

// visit puts a service into the order after those that it depends on.
func (p *picture) visit(name string) {
	if slices.Contains(p.order, name) || name == "postgres" {
		return
	}
	for dependency := range p.Services[name].DependsOn {
		p.visit(dependency)
	}
	p.order = append(p.order, name)
}

// start starts a service when what it depends on is as it is to be.
func (p *picture) start(name string) {
	p.Helper()
	s := p.Services[name]
	for dependency, d := range s.DependsOn {
		switch {
		case dependency == "postgres":
		case d.Condition == types.ServiceConditionHealthy:
			p.eventually(dependency+" is healthy", func() bool { return p.healthy(dependency) })
		default:
			if err := p.processes[dependency].Wait(); err != nil {
				p.Fatalf("%s: %v", dependency, err)
			}
		}
	}
	command := s.Command
	if s.Build.Target == "cartstream" {
		command = append(types.ShellCommand{"cartstream"}, command...)
	}
	cmd := p.box(&s, command...)
	log, err := os.Create(p.log(name))
	if err != nil {
		p.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.Fatal(err)
	}
	p.processes[name] = cmd
}

// box is a command as a container of the service would run it.
func (p *picture) box(s *types.ServiceConfig, command ...string) *exec.Cmd {
	cache, err := os.UserCacheDir()
	if err != nil {
		p.Fatal(err)
	}
	var script strings.Builder
	do := func(format string, args ...any) { fmt.Fprintf(&script, format+"\n", args...) }
	env, workdir := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/"}, "/var/lib/cartstream"
	do("mount -t tmpfs none /var/lib")
	do("mount -t tmpfs none /run")
	do("mkdir /var/lib/cartstream /run/secrets")
	for _, folder := range readDockerfile(p.T)[s.Build.Target].folders {
		do("install -d -o 10001 -g 10001 %s", folder)
	}
	for _, v := range s.Volumes {
		do("mount --bind %s/volumes/%s %s", p.root, v.Source, v.Target)
		if v.ReadOnly {
			do("mount -o remount,bind,ro %s", v.Target)
		}
	}
	for _, secret := range s.Secrets {
		do("touch /run/secrets/%s", secret.Source)
		do("mount --bind %s/%s /run/secrets/%s", p.root, secret.Source, secret.Source)
	}
	do("mount --bind %s/hosts /etc/hosts", p.root)
	do("mount --bind %s/passwd /etc/passwd", p.root)
	if s.Build.Target == "cartstream" {
		do("mount --bind %s/bin /usr/local/bin", p.root)
		do("mount -t tmpfs none /opt")
	} else {
		workdir = "/opt/cartstream"
		env = append(env, "XDG_CACHE_HOME=/opt/cartstream/cache")
		do("mkdir -p %s/opt/cartstream/cache/cartstream/deploy", p.root)
		do("mount --bind %s/cartstream/deploy %s/opt/cartstream/cache/cartstream/deploy", cache, p.root)
		do("mount --rbind %s/opt /opt", p.root)
	}
	do("mount -t tmpfs -o mode=1777 none /tmp")
	do("cd %s", workdir)
	do(`exec setpriv --reuid 10001 --regid 10001 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs env -i "$@"`)
	for name, value := range s.Environment {
		env = append(env, name+"="+*value)
	}
	return exec.Command("unshare", slices.Concat([]string{"--mount", "sh", "-euc", script.String(), "sh"}, env, command)...)
}

// healthy runs the health check of a service.
func (p *picture) healthy(name string) bool {
	s := p.Services[name]
	if endsByItself(&s) {
		return true
	}
	command := s.HealthCheck.Test[1:]
	if s.HealthCheck.Test[0] == "CMD-SHELL" {
		command = append(types.HealthCheckTest{"sh", "-c"}, command...)
	}
	ctx, cancel := context.WithTimeout(p.Context(), time.Duration(*s.HealthCheck.Timeout))
	defer cancel()
	box := p.box(&s, command...)
	return exec.CommandContext(ctx, box.Path, box.Args[1:]...).Run() == nil
}

// stop stops the services, the last first, and checks that nothing of them is
// left.
func (p *picture) stop() {
	p.Helper()
	for _, name := range slices.Backward(p.order) {
		s, cmd := p.Services[name], p.processes[name]
		if endsByItself(&s) {
			continue
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			p.Errorf("%s has ended before it was stopped: %v", name, err)
			continue
		}
		grace := 10 * time.Second // Docker's own
		if s.StopGracePeriod != nil {
			grace = time.Duration(*s.StopGracePeriod)
		}
		late := time.AfterFunc(grace, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil {
			p.Errorf("%s, told to stop: %v", name, err)
		}
		late.Stop()
	}
	p.eventually("nothing is left", func() bool {
		out, err := exec.Command("ps", "-U", "10001", "-o", "stat=").Output()
		var none *exec.ExitError
		return errors.As(err, &none) || !slices.ContainsFunc(strings.Fields(string(out)), func(stat string) bool { return !strings.HasPrefix(stat, "Z") })
	})
}

func (p *picture) count(sql string) (n int) {
	conn, err := pgx.Connect(p.Context(), p.url)
	if err == nil {
		err = errors.Join(conn.QueryRow(p.Context(), sql).Scan(&n), conn.Close(p.Context()))
	}
	if err != nil {
		p.Log(err)
	}
	return n
}

func (p *picture) eventually(what string, is func() bool) {
	p.Helper()
	for end := time.Now().Add(bound); !is(); time.Sleep(time.Second) {
		if time.Now().After(end) {
			p.Fatalf("after %s not yet: %s", bound, what)
		}
	}
}

// tell shows the logs of a picture that failed.
func (p *picture) tell() {
	if p.Failed() {
		for name := range p.processes {
			p.Logf("%s:\n%s", name, read(p.T, p.log(name)))
		}
	}
}
