package generator

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFailures(t *testing.T) {
	tests := []struct {
		name   string
		change func(o *Options, file string)
		// want must stand in the message, beside the path.
		want string
	}{
		{"output path is a file", func(o *Options, file string) { o.OutputPath = file }, "is a file: name a folder"},
		{"output path below a file", func(o *Options, file string) { o.OutputPath = filepath.Join(file, "in") }, "a part of that path is a file"},
		{"manifest below a file", func(o *Options, file string) { o.Manifest = filepath.Join(file, "m.json") }, "a part of that path is a file"},
		{"manifest is a folder", func(o *Options, file string) { o.Manifest = filepath.Dir(file) }, "is a folder: name a file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t)
			o.Files = 1
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, []byte("as it was"), 0o600); err != nil {
				t.Fatal(err)
			}
			before := o
			tt.change(&o, file)
			_, err := Run(t.Context(), o, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), filepath.Dir(file)) {
				t.Errorf("got %v, want the path and %q", err, tt.want)
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != "as it was" {
				t.Errorf("the file is changed: %q, %v", text, err)
			}
			if entries, err := os.ReadDir(before.OutputPath); err != nil || len(entries) > 0 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
		})
	}
}

func TestMissingFoldersAreMade(t *testing.T) {
	o := options(t)
	o.Files = 1
	o.OutputPath = filepath.Join(o.OutputPath, "a", "b")
	o.Manifest = filepath.Join(t.TempDir(), "c", "m.json")
	checkManifest(t, o, mustRun(t, o))
}

// TestFolderVanishes is trouble in the middle: what was written until then is
// still told.
func TestFolderVanishes(t *testing.T) {
	o := options(t)
	o.OutputPath = filepath.Join(o.OutputPath, "in")
	moved := o.OutputPath + ".moved"
	log := slog.New(slog.NewTextHandler(writerFunc(func([]byte) { _ = os.Rename(o.OutputPath, moved) }), nil))
	m, err := Run(t.Context(), o, log)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), o.OutputPath) {
		t.Errorf("got %v, want that %s is not there", err, o.OutputPath)
	}
	o.OutputPath = moved
	if m.Totals.Files != 1 {
		t.Errorf("%d files, want 1", m.Totals.Files)
	}
	checkManifest(t, o, m)
}

func TestExplain(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"disk full", syscall.ENOSPC, "no space left on device: make room on the disk of in, or choose another path"},
		{"quota", syscall.EDQUOT, "disk quota exceeded: make room on the disk of in, or choose another path"},
		{"file too large", syscall.EFBIG, "file too large: write fewer events to a file, or raise the limit of file sizes (ulimit -f)"},
		{"read-only disk", syscall.EROFS, "read-only file system: choose a path on a disk that can be written to"},
		{"no right", syscall.EACCES, "permission denied: let this user read and write in in, or choose another path"},
		{"nothing to advise", syscall.EIO, "input/output error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, err := range []error{
				tt.err,
				&fs.PathError{Op: "write", Path: "in/x.csv", Err: tt.err},
				&os.LinkError{Op: "rename", Old: "in/.tmp_x.csv", New: "in/x.csv", Err: tt.err},
			} {
				got := explain("writing", "in/x.csv", err)
				if want := "writing in/x.csv: " + tt.want; got.Error() != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
				if !errors.Is(got, tt.err) {
					t.Errorf("%v does not wrap %v", got, tt.err)
				}
			}
		})
	}
}

func TestRenameWhereThereAreNoLinks(t *testing.T) {
	folder := t.TempDir()
	temp, path := filepath.Join(folder, ".tmp_x"), filepath.Join(folder, "x")
	for _, p := range []string{temp, path} {
		if err := os.WriteFile(p, []byte(p), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := renameFree(temp, path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want that the name is taken", err)
	}
	if err := renameFree(temp, path+"2"); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != path {
		t.Errorf("the taken name holds %q, %v", text, err)
	}
	if taken(temp) || !taken(path+"2") {
		t.Error("the file was not renamed")
	}
}

func TestCommitTakesTheNextNameWhenItsOwnIsGone(t *testing.T) {
	o := options(t)
	f, err := newNamer(o).create(start)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(o.OutputPath, f.name)
	if err := os.WriteFile(other, []byte("another's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.write([]byte("mine")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.commit(); err != nil {
		t.Fatal(err)
	}
	files := contents(t, o.OutputPath)
	if string(files["events_20260129_100000_000001.csv"]) != "another's" || string(files["events_20260129_100000_000002.csv"]) != "mine" {
		t.Errorf("got %q", files)
	}
}
