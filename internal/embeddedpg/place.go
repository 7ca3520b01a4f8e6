package embeddedpg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// Where things are when root starts the server: folders that nobody can reach.
const (
	rootCache = "/var/cache/cartstream"
	rootData  = "/var/lib/cartstream"
)

// cacheEnv names the folder that keeps PostgreSQL's programs, instead of the
// user's cache folder.
const cacheEnv = "CARTSTREAM_CACHE"

// place is where a server keeps its things and who it runs as.
type place struct {
	// Dir holds one server's data; Cache the programs, shared by all servers of
	// this user.
	Dir, Cache string
	// Temporary tells that Dir is removed at the end.
	Temporary bool
	// Drop tells that the child is started by root and becomes UID and GID.
	Drop     bool
	UID, GID int
}

// discard removes a temporary place.
func (p place) discard() {
	if p.Temporary {
		_ = os.RemoveAll(p.Dir)
	}
}

// findPlace makes the folders of a server; dir is the wanted one, "" for a
// temporary one.
func findPlace(dir string, log *slog.Logger) (place, error) {
	p := place{UID: os.Getuid(), GID: os.Getgid()}
	if p.UID == 0 {
		p.Drop = true
		p.UID, p.GID = nobody()
	}
	if err := p.makeCache(); err != nil {
		return place{}, fmt.Errorf("making the folder for PostgreSQL's programs: %w", err)
	}
	if dir == "" {
		err := p.makeTemporary()
		return p, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return place{}, err
	}
	p.Dir = abs
	if p.Drop {
		if p.Dir, err = p.reachable(abs); err != nil {
			return place{}, err
		}
		if p.Dir != abs {
			log.Info("The user nobody, who runs PostgreSQL for root, can't reach the folder; taking another",
				"wanted", abs, "taken", p.Dir)
		}
	}
	err = p.own(p.Dir, 0o700)
	return p, err
}

// nobody returns the ids of the user that root's child becomes.
func nobody() (uid, gid int) {
	const usual = 65534
	u, err := user.Lookup("nobody")
	if err != nil {
		return usual, usual
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	if errUID != nil || errGID != nil {
		return usual, usual
	}
	return uid, gid
}

func (p *place) makeCache() error {
	base := os.Getenv(cacheEnv)
	switch {
	case base != "":
	case p.Drop:
		base = rootCache
	default:
		user, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("%w; %s may name a folder", err, cacheEnv)
		}
		base = filepath.Join(user, "cartstream")
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return err
	}
	p.Cache = filepath.Join(base, "postgres-"+Version+"-"+runtime.GOOS+"-"+runtime.GOARCH)
	if !p.Drop && isInstalled(filepath.Join(p.Cache, installed)) {
		return nil // perhaps another user's, which is as good
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return err
	}
	if p.Drop && !traversable(base, p.UID, p.GID) {
		return fmt.Errorf("the user nobody, who runs PostgreSQL for root, can't reach %s; %s may name another folder", base, cacheEnv)
	}
	return p.own(p.Cache, 0o755)
}

func (p *place) makeTemporary() error {
	parent := os.TempDir()
	if p.Drop && !traversable(parent, p.UID, p.GID) {
		parent = rootData
		if err := os.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp(parent, "cartstream-postgres-")
	if err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	p.Dir, p.Temporary = dir, true
	return p.own(dir, 0o700)
}

// reachable returns dir, or where the user of the child can't reach it another
// folder that is the same for the same dir.
func (p *place) reachable(dir string) (string, error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	if traversable(parent, p.UID, p.GID) {
		return dir, nil
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(rootData, hex.EncodeToString(sum[:6])), os.MkdirAll(rootData, 0o755)
}

// own makes dir where it is missing and sees to it that the child's user owns
// it. Only an empty folder of root's changes hands.
func (p *place) own(dir string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	switch {
	case owner == p.UID:
		return nil
	case p.Drop && owner == 0 && isEmpty(dir):
		return errors.Join(os.Chmod(dir, mode), os.Chown(dir, p.UID, p.GID))
	}
	return fmt.Errorf("the folder %s belongs to the user with the id %d, but PostgreSQL would run as the one with the id %d: "+
		"start as its owner, or give another folder", dir, owner, p.UID)
}

func isEmpty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 0
}

// traversable reports whether the user may pass through dir and all above it.
func traversable(dir string, uid, gid int) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || !mayEnter(info, uid, gid) {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

func mayEnter(info fs.FileInfo, uid, gid int) bool {
	st := info.Sys().(*syscall.Stat_t)
	switch {
	case int(st.Uid) == uid:
		return info.Mode().Perm()&0o100 != 0
	case int(st.Gid) == gid:
		return info.Mode().Perm()&0o010 != 0
	}
	return info.Mode().Perm()&0o001 != 0
}
