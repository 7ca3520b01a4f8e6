package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/cartstream/cartstream/internal/embeddedpg"
)

// profiles are the pictures of compose.yaml.
var profiles = []string{"flink", "spark"}

// loadCompose reads compose.yaml as Docker Compose does, which checks it by the
// schema of the specification and for what refers to nothing.
func loadCompose(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"compose.yaml"}, cli.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

var exactTag = regexp.MustCompile(`:\d+\.\d+`)

func TestServices(t *testing.T) {
	stages := readDockerfile(t)
	project := loadCompose(t, profiles...)
	for name, s := range project.Services {
		t.Run(name, func(t *testing.T) {
			checkStart(t, project, &s)
			checkUser(t, stages, &s)
			checkSecrets(t, &s)
			if s.Build == nil && !exactTag.MatchString(s.Image) {
				t.Errorf("the image %q has no exact version", s.Image)
			}
			for _, p := range s.Ports {
				if p.HostIP != "127.0.0.1" {
					t.Errorf("port %s is published to %q, want 127.0.0.1", p.Published, p.HostIP)
				}
			}
		})
	}
}

// endsByItself tells a task from a service that stays.
func endsByItself(s *types.ServiceConfig) bool { return s.Restart == types.RestartPolicyNo }

// checkStart checks what starts a service, keeps it up, and tells that it is.
func checkStart(t *testing.T, project *types.Project, s *types.ServiceConfig) {
	t.Helper()
	if !endsByItself(s) {
		if s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2 {
			t.Error("there is no health check")
		}
		if s.Restart != types.RestartPolicyUnlessStopped {
			t.Errorf("restart is %q", s.Restart)
		}
	}
	for dependency, d := range s.DependsOn {
		on, want := project.Services[dependency], types.ServiceConditionHealthy
		if endsByItself(&on) {
			want = types.ServiceConditionCompletedSuccessfully
		}
		if d.Condition != want {
			t.Errorf("depends on %s by %s, want %s", dependency, d.Condition, want)
		}
	}
}

// checkUser checks that a service is no root, and owns what it mounts.
func checkUser(t *testing.T, stages map[string]*stage, s *types.ServiceConfig) {
	t.Helper()
	user := s.User
	if s.Build != nil {
		image := stages[s.Build.Target]
		if image == nil {
			t.Fatalf("the Dockerfile has no stage %q", s.Build.Target)
		}
		user = image.user
		for _, v := range s.Volumes {
			if !slices.Contains(image.folders, v.Target) {
				t.Errorf("the image makes no folder %s, so a volume there is root's; it makes %q", v.Target, image.folders)
			}
		}
	}
	if user == "" || strings.HasPrefix(user, "root") || strings.HasPrefix(user, "0") {
		t.Errorf("runs as %q", user)
	}
	if !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || s.Privileged {
		t.Error("has capabilities")
	}
}

// checkSecrets checks that passwords come by files alone.
func checkSecrets(t *testing.T, s *types.ServiceConfig) {
	t.Helper()
	for name, value := range s.Environment {
		if strings.Contains(name, "PASSWORD") && !strings.HasSuffix(name, "_FILE") || name == "DATABASE_URL" {
			t.Errorf("the environment has %s", name)
		}
		if file, isSecret := strings.CutPrefix(*value, "/run/secrets/"); isSecret &&
			!slices.ContainsFunc(s.Secrets, func(c types.ServiceSecretConfig) bool { return c.Source == file }) {
			t.Errorf("%s names the secret %q, which the service does not get", name, file)
		}
	}
	if command := strings.Join(s.Command, " "); strings.Contains(command, "postgres:") {
		t.Errorf("the command has a connection string: %s", command)
	}
}

// Volumes are at the same place wherever they are: a worker has the files where
// the watcher finds them, and a TaskManager the binary where the job server put it.
func TestVolumesAreAtOnePlace(t *testing.T) {
	places := map[string]string{}
	for name, s := range loadCompose(t, profiles...).Services {
		for _, v := range s.Volumes {
			if place := places[v.Source]; place != "" && place != v.Target {
				t.Errorf("%s has %s at %s, others at %s", name, v.Source, v.Target, place)
			}
			places[v.Source] = v.Target
		}
	}
}

// Each flag of a command, and of a health check, is one that the program has.
func TestFlags(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "cartstream")
	run(t, "go", "build", "-o", binary, "../cmd/cartstream")
	for name, s := range loadCompose(t, profiles...).Services {
		commands := [][]string{s.Command}
		if s.Build != nil && s.Build.Target == "cartstream" {
			commands[0] = slices.Concat([]string{"cartstream"}, s.Command)
		}
		if s.HealthCheck != nil {
			test, _, _ := strings.Cut(strings.Join(s.HealthCheck.Test[1:], " "), " | ")
			commands = append(commands, strings.Fields(test))
		}
		for _, command := range commands {
			var help string
			switch {
			case len(command) > 0 && command[0] == "cartstream":
				help = run(t, binary, append(slices.Clone(words(command[1:])), "--help")...)
			case len(command) > 0 && strings.HasPrefix(command[0], "deploy/"):
				help = run(t, filepath.Join("..", command[0]), "--help")
			default:
				continue
			}
			for _, arg := range command {
				flag, _, _ := strings.Cut(arg, "=")
				if strings.HasPrefix(flag, "--") && !regexp.MustCompile(` `+flag+`[ \n]`).MatchString(help) {
					t.Errorf("%s: %q has the flag %s, which is not in its help", name, command, flag)
				}
			}
		}
	}
}

// words are the arguments before the first flag.
func words(args []string) []string {
	if i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") }); i >= 0 {
		return args[:i]
	}
	return args
}

// The versions of images are those that the tests run on.
func TestVersions(t *testing.T) {
	arguments := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ARG (\w+)=(\S+)$`).FindAllStringSubmatch(read(t, "Dockerfile"), -1) {
		arguments[m[1]] = m[2]
	}
	if want := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(read(t, "../go.mod"))[1]; !isPatchOf(arguments["GO_VERSION"], want) {
		t.Errorf("Go is %s, want %s or a later patch of it", arguments["GO_VERSION"], want)
	}
	if java := arguments["JAVA_VERSION"]; !strings.HasPrefix(java, "17.") {
		t.Errorf("Java is %s, want 17", java)
	}
	postgres := loadCompose(t).Services["postgres"].Image
	if want := "postgres:" + strings.TrimSuffix(embeddedpg.Version, ".0") + "-"; !strings.HasPrefix(postgres, want) {
		t.Errorf("PostgreSQL is %s, want %s…", postgres, want)
	}

	versions := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)=(\S+)$`).FindAllStringSubmatch(read(t, "versions.env"), -1) {
		versions[m[1]] = m[2]
	}
	said := regexp.MustCompile(`apache/beam_\S+_job_server:[\d.]*\d`).FindAllString(read(t, "compose.yaml"), -1)
	flink := versions["FLINK_VERSION"][:strings.LastIndex(versions["FLINK_VERSION"], ".")]
	if want := []string{
		"apache/beam_flink" + flink + "_job_server:" + versions["BEAM_VERSION"],
		"apache/beam_spark" + versions["SPARK_VERSION"][:1] + "_job_server:" + versions["BEAM_VERSION"],
	}; !slices.Equal(said, want) {
		t.Errorf("compose.yaml speaks of %q, want %q", said, want)
	}
}

// isPatchOf tells whether a version is of another's line, and not before it.
func isPatchOf(version, of string) bool {
	patch, least := path.Ext(version), path.Ext(of)
	have, err1 := strconv.Atoi(strings.TrimPrefix(patch, "."))
	want, err2 := strconv.Atoi(strings.TrimPrefix(least, "."))
	return err1 == nil && err2 == nil && have >= want && strings.TrimSuffix(version, patch) == strings.TrimSuffix(of, least)
}

// stage is a stage of the Dockerfile, with what it has of the one it is built
// from.
type stage struct {
	user string
	// folders are those that belong to the user.
	folders []string
}

var (
	fromLine   = regexp.MustCompile(`^FROM (\S+) AS (\S+)$`)
	userLine   = regexp.MustCompile(`^USER (\S+)$`)
	folderLine = regexp.MustCompile(`install -d -o 10001 -g 10001((?: /\S+)+)`)
)

// readDockerfile checks that all images are pinned, and returns the stages.
func readDockerfile(t *testing.T) map[string]*stage {
	t.Helper()
	stages := map[string]*stage{}
	var current *stage
	for line := range strings.Lines(read(t, "Dockerfile")) {
		line = strings.TrimSpace(line)
		if m := fromLine.FindStringSubmatch(line); m != nil {
			current = &stage{}
			if from := stages[m[1]]; from != nil {
				*current = *from
			} else if !regexp.MustCompile(`:\$\{\w+_VERSION\}`).MatchString(m[1]) {
				t.Errorf("%q has no version", line)
			}
			stages[m[2]] = current
		}
		if m := userLine.FindStringSubmatch(line); m != nil {
			current.user = m[1]
		}
		if m := folderLine.FindStringSubmatch(line); m != nil {
			current.folders = strings.Fields(m[1])
		}
	}
	return stages
}

// The password is made up once, is for all containers to read, and others on the
// machine don't come near it.
func TestPassword(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "secrets")); err != nil {
		t.Fatal(err)
	}
	run(t, "bash", filepath.Join(dir, "password"))
	password := read(t, dir+"/secrets/postgres_password")
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(password) {
		t.Errorf("the password is %q", password)
	}
	run(t, "bash", filepath.Join(dir, "password"))
	if again := read(t, dir+"/secrets/postgres_password"); again != password {
		t.Errorf("the second password is %q, the first was %q", again, password)
	}
	if url, want := read(t, dir+"/secrets/database_url"), fmt.Sprintf("postgres://cartstream:%s@postgres:5432/cartstream\n", password); url != want {
		t.Errorf("the connection string is %q, want %q", url, want)
	}
	for _, secret := range loadCompose(t).Secrets {
		if mode := mode(t, filepath.Join(dir, "secrets", filepath.Base(secret.File))); mode != 0o644 {
			t.Errorf("%s has mode %o", secret.File, mode)
		}
	}
	if mode := mode(t, filepath.Join(dir, "secrets")); mode != 0o700 {
		t.Errorf("the folder has mode %o", mode)
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// run returns what a command writes.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}
