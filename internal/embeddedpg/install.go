package embeddedpg

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// installBound is how long one process waits for another that installs.
const installBound = 10 * time.Minute

const (
	installed = "installed" // the folder of the programs, within the cache
	stage     = "stage"     // what is being installed
	stageRun  = "run"       // the server that is started to see that it works
)

// install returns the folder of PostgreSQL's programs: the one that was given,
// else ours, which it fetches the first time. What stands under the final name is
// whole and has run once.
func (c *child) install() (string, error) {
	if c.Programs != "" {
		return c.Programs, nil
	}
	final := filepath.Join(c.Cache, installed)
	programs := filepath.Join(final, "bin")
	if isInstalled(final) {
		return programs, nil
	}
	lock, err := waitLock(c.ctx, filepath.Join(c.Cache, "lock"), func(waited time.Duration) bool { return waited < installBound })
	if err != nil {
		return "", fmt.Errorf("waiting for another process that installs PostgreSQL in %s: %w", c.Cache, err)
	}
	defer func() { _ = lock.Close() }()
	if isInstalled(final) {
		return programs, nil
	}
	c.log(slog.LevelInfo, "Downloading PostgreSQL %s to %s, once", Version, c.Cache)
	if err := c.fetch(final); err != nil {
		return "", fmt.Errorf("PostgreSQL %s is not in %s and could not be fetched: %w; "+
			"with a network (or a proxy in HTTPS_PROXY) try again, or name a server that runs already in DATABASE_URL", Version, c.Cache, err)
	}
	return programs, nil
}

func isInstalled(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "bin", "postgres"))
	return err == nil
}

// fetch downloads and unpacks the programs, starts a server with them to see
// that they work on this machine, and only then gives them their name.
func (c *child) fetch(final string) error {
	stage := filepath.Join(c.Cache, stage)
	if err := clearStage(stage); err != nil {
		return err
	}
	defer func() { _ = clearStage(stage) }()
	run := filepath.Join(stage, stageRun)
	if err := os.MkdirAll(run, 0o755); err != nil {
		return err
	}
	// What root's environment names is out of reach for another user.
	if err := os.Setenv("TMPDIR", stage); err != nil {
		return err
	}
	port, err := choosePort(0, 0)
	if err != nil {
		return err
	}
	unpacked := filepath.Join(stage, "unpacked")
	var said bytes.Buffer
	db := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.V18).
		CachePath(filepath.Join(stage, "archive")).
		BinariesPath(unpacked).
		RuntimePath(run).
		DataPath(filepath.Join(run, clusterDir)).
		Port(uint32(port)).
		Locale("C").Encoding("UTF8").
		StartParameters(map[string]string{"unix_socket_directories": ""}).
		Logger(&said))
	if err := db.Start(); err != nil {
		return fmt.Errorf("%w %s", err, strings.TrimSpace(said.String()))
	}
	if err := db.Stop(); err != nil {
		return err
	}
	return os.Rename(unpacked, final)
}

// clearStage removes what an installation left, and ends the server that may
// still run there: the library leaves it when its start fails late.
func clearStage(stage string) error {
	if pid, _ := readPidFile(filepath.Join(stage, stageRun)); pid > 0 {
		_ = syscall.Kill(pid, syscall.SIGQUIT)
	}
	return os.RemoveAll(stage)
}
