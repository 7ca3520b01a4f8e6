package pipeline

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stored returns an archive that is as long as any other of content of the same length.
func stored(t *testing.T, content string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A file of which a part was loaded is replaced by another one with the same size and
// modification time: the load of the first does not go on with the second.
func TestFileThatIsReplacedWhenAPartOfItIsLoaded(t *testing.T) {
	plain := func(_ *testing.T, content string) string { return content }
	for name, pack := range map[string]func(t *testing.T, content string) string{"a.csv": plain, "a.csv.gz": stored} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, RunnerDirect)
			p.options.Settings.Streaming.Input = []string{filepath.Join(p.dir, "*")}
			content := func(first int) string {
				var b strings.Builder
				b.WriteString(eventsHeader)
				for n := range 3000 { // two ranges
					b.WriteString(eventLine(first+n, strings.Repeat("x", 4000)))
				}
				return b.String()
			}
			p.write(name, pack(t, content(10_000)))
			p.run(nil)
			p.connect().exec(`delete from cartstream.ranges where is_last`)
			path := filepath.Join(p.dir, name)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			p.write("tmp", pack(t, content(50_000)))
			if err := os.Chtimes(filepath.Join(p.dir, "tmp"), info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
			p.rename("tmp", name)
			p.run(nil)
			if n := p.count(countRows); n != 6000 {
				t.Errorf("%d rows, want 6000", n)
			}
		})
	}
}
