package watchio

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/cartstream/cartstream/transforms/record"
)

func TestAFolderThatIsMissingIsWaitedFor(t *testing.T) {
	for name, pattern := range map[string]string{
		"a wildcard for the files":    "in/data/*.csv",
		"a file by its name":          "in/data/a.csv",
		"a wildcard among folders":    "in/data/*/a.csv",
		"a folder below the wildcard": "in/data/*/sub/*.csv",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			logged := recordLogs(t)
			w := watcherOf(t, dir, filepath.Join(dir, pattern))
			folder := filepath.Join(dir, "in", "data")
			w.want()
			logged.want(t, "WARN The folder does not exist yet "+folder)
			w.want()
			logged.want(t)
			check(t, os.MkdirAll(folder, 0o755))
			w.want()
			logged.want(t, "INFO The folder is there now "+folder)
			w.write("in/data/a.csv", "a", 1)
			w.write("in/data/x/a.csv", "a", 1)
			w.write("in/data/x/sub/a.csv", "a", 1)
			if n := len(w.trigger()); n != 1 {
				t.Errorf("%d files were handed on", n)
			}
			logged.want(t)
		})
	}
}

// What can't be looked at is reported once, and does not hold up the rest.
func TestTroubleIsReportedOnceAndTheRestGoesOn(t *testing.T) {
	cases := []struct {
		name    string
		pattern string
		spoil   func(t *testing.T, dir string)
		mend    func(t *testing.T, dir string)
		// path is what is reported; after, what comes when it is mended.
		path  string
		after []string
	}{
		{
			name: "a link that leads nowhere", pattern: "*.csv",
			spoil: func(t *testing.T, dir string) { link(t, dir, "nowhere", "a.csv") },
			mend:  func(t *testing.T, dir string) { write(t, filepath.Join(dir, "nowhere"), "a", 1) },
			path:  "a.csv", after: []string{"a.csv"},
		},
		{
			name: "a link to itself", pattern: "*.csv",
			spoil: func(t *testing.T, dir string) { link(t, dir, "a.csv", "a.csv") },
			mend: func(t *testing.T, dir string) {
				remove(t, dir, "a.csv")
				write(t, filepath.Join(dir, "a.csv"), "a", 1)
			},
			path: "a.csv", after: []string{"a.csv"},
		},
		{
			name: "a folder that links to itself", pattern: "[a-z]*/*.csv",
			spoil: func(t *testing.T, dir string) { link(t, dir, "sub", "sub") },
			mend: func(t *testing.T, dir string) {
				remove(t, dir, "sub")
				write(t, filepath.Join(dir, "sub", "a.csv"), "a", 1)
			},
			path: "sub", after: []string{"sub/a.csv"},
		},
		{
			name: "a file by its name that links to itself", pattern: "a.csv",
			spoil: func(t *testing.T, dir string) { link(t, dir, "a.csv", "a.csv") },
			mend:  func(t *testing.T, dir string) { remove(t, dir, "a.csv") },
			path:  "a.csv",
		},
		{
			name: "a file where the pattern has a folder", pattern: "sub/*.csv",
			spoil: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "sub"), "a", 1) },
			mend: func(t *testing.T, dir string) {
				remove(t, dir, "sub")
				write(t, filepath.Join(dir, "sub", "a.csv"), "a", 1)
			},
			path: "sub", after: []string{"sub/a.csv"},
		},
		{
			name: "the same, with the file by its name", pattern: "sub/a.csv",
			spoil: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "sub"), "a", 1) },
			mend: func(t *testing.T, dir string) {
				remove(t, dir, "sub")
				write(t, filepath.Join(dir, "sub", "a.csv"), "a", 1)
			},
			path: "sub", after: []string{"sub/a.csv"},
		},
		{
			name: "a folder where the pattern has a file", pattern: "a.csv",
			spoil: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "a.csv", "b.csv"), "a", 1) },
			mend: func(t *testing.T, dir string) {
				remove(t, dir, "a.csv/b.csv")
				remove(t, dir, "a.csv")
				write(t, filepath.Join(dir, "a.csv"), "a", 1)
			},
			path: "a.csv", after: []string{"a.csv"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			logged := recordLogs(t)
			w := watcherOf(t, dir, filepath.Join(dir, c.pattern))
			c.spoil(t, dir)
			path := filepath.Join(dir, c.path)
			w.want()
			logged.want(t, "WARN Can't be read for now "+path)
			w.want()
			logged.want(t)
			c.mend(t, dir)
			var files []record.File
			for _, name := range c.after {
				files = append(files, versionNow(t, filepath.Join(dir, name)))
			}
			w.want(files...)
			logged.want(t, "INFO Can be read again, or is gone "+path)
		})
	}
}

func TestListSaysWhatItDidNotFind(t *testing.T) {
	cases := []struct{ name, pattern, want string }{
		{"nothing matches", "*.csv", "WARN No file matches DIR/*.csv"},
		{"no file of that name", "a.csv", "WARN No file matches DIR/a.csv"},
		{"no such folder", "in/*.csv", "WARN The folder does not exist yet DIR/in"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			ledger, _ := newLedger(t)
			logged := recordLogs(t)
			j, err := runners[0].list(t, filepath.Join(dir, c.pattern), ledger, nil)
			check(t, err)
			wantFiles(t, j.files())
			logged.want(t, replaceDir(c.want, dir))
		})
	}
}

func TestWatchWaitsForItsFolder(t *testing.T) {
	dir := t.TempDir()
	ledger, memory := newLedger(t)
	j := runners[0].watch(t, filepath.Join(dir, "in", "*.csv"), ledger, nil)
	file := write(t, filepath.Join(dir, "in", "a.csv"), "a", 1)
	eventually(t, "the file in the new folder", func() bool { return len(j.all()) == 1 })
	memory.loaded(file)
	j.control.Drain(time.Minute)
	check(t, j.end(t))
}

func TestAGraphThatCanNotWorkPanics(t *testing.T) {
	cases := []struct {
		name    string
		pattern string
		opts    []Option
	}{
		{"a broken pattern", "in/[a.csv", nil},
		{"a negative interval", "in/*.csv", []Option{WithTriggerInterval(-1)}},
		{"no file a trigger", "in/*.csv", []Option{WithMaxFilesPerTrigger(0)}},
		{"a negative bound of bytes", "in/*.csv", []Option{WithMaxBytesPerTrigger(-1)}},
		{"a negative age", "in/*.csv", []Option{WithMinimumAge(-1)}},
		{"a broken pattern among several", "in/*.csv", []Option{WithPatterns("in/a*", "in/[a.csv")}},
		{"a store that is not known here", "in/*.csv", []Option{WithPatterns("s3://bucket/*.csv")}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for name, build := range map[string]func(beam.Scope, string, memoryLedger, ...Option) beam.PCollection{
				"watch": Watch[memoryLedger], "list": List[memoryLedger],
			} {
				func() {
					defer func() {
						if recover() == nil {
							t.Errorf("%s does not panic", name)
						}
					}()
					_, s := beam.NewPipelineWithRoot()
					build(s, c.pattern, memoryLedger{}, c.opts...)
				}()
			}
		})
	}
}
