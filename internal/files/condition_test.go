package files

import (
	"path/filepath"
	"testing"
)

func TestTextEndsMidLineWithoutItsLineEnd(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          bool
	}{
		{"empty", "", false},
		{"a line end", "a\nb\n", false},
		{"a line end of two bytes", "a\r\n", false},
		{"half of a line end", "a\r", false},
		{"only a line end", "\n", false},
		{"none", "a\nb", true},
		{"one byte", "a", true},
		{"UTF-16, little-endian", "\xff\xfea\x00\n\x00", false},
		{"UTF-16, big-endian", "\xfe\xff\x00a\x00\n", false},
		{"UTF-16 without", "\xff\xfea\x00b\x00", true},
		{"gzip", "\x1f\x8b\x08 some bytes", false},
		{"zstd", "\x28\xb5\x2f\xfd some bytes", false},
		{"bzip2", "BZh9\x31\x41\x59\x26\x53\x59 some", false},
	} {
		path := filepath.Join(t.TempDir(), "f")
		write(t, path, c.content, 0)
		if got, err := EndsMidLine(path); got != c.want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}
