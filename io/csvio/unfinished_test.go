package csvio

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// loadable reads what is in a file so far and returns the records of its whole ranges,
// and the code of the marker that came instead of a range, if one did.
func loadable(t *testing.T, w record.Work, opts ...Option) (records []string, code string) {
	t.Helper()
	var inRange []string
	for _, r := range readAll[abc](t, splitAll[abc](t, w, opts...), opts...) {
		switch {
		case r.Data():
			inRange = append(inRange, string(r.Raw))
		case r.Kind == record.KindRangeEnd:
			records, inRange = append(records, inRange...), nil
		default:
			code, inRange = r.Fault.Code, nil
		}
	}
	return records, code
}

// someText is a file of three columns with everything that may stand in a field.
func someText(rng *rand.Rand) string {
	fields := []string{"", "x", "1234.56", "é", `"q"`, `"a,b"`, `"two ""quotes"" here"`, "\"line\nbreak\"", "\"line\r\nbreak\"", `""`, "it\"s"}
	end := []string{"\n", "\r\n"}[rng.IntN(2)]
	var b strings.Builder
	b.WriteString([]string{abcHeader, "a,\"b\",c\r\n", "\xef\xbb\xbfa,b,c\n"}[rng.IntN(3)])
	for range 1 + rng.IntN(9) {
		if rng.IntN(5) == 0 {
			b.WriteString(end)
		}
		b.WriteString("k" + fields[rng.IntN(3)])
		for range 2 {
			b.WriteString("," + fields[rng.IntN(len(fields))])
		}
		b.WriteString(end)
	}
	return b.String()
}

// The writer of a file may pause, or be killed, at any byte. What can be loaded of such a
// file is a part of what can be loaded of the whole: no record is cut. A text that ends
// in the middle of a line is not looked at: the watcher waits for its line end.
func TestNoRecordIsCutWhereverAFileEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "f.csv")
	store := func(content string) record.Work {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return record.Work{File: version(t, path), MayGrow: true}
	}
	for name, write := range map[string]func(string) string{
		"text":   func(s string) string { return s },
		"UTF-16": func(s string) string { return inUTF16(binary.LittleEndian, s) },
		"gzip":   func(s string) string { return gzipped(t, s) },
		"zstd":   func(s string) string { return zstded(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			opts := []Option{WithMaxRangeRecords(2)}
			if name == "UTF-16" {
				d := DefaultDialect()
				d.Encoding = EncodingUTF16LE
				opts = append(opts, WithDialect(d))
			}
			for range 6 {
				content := write(strings.TrimPrefix(someText(rng), "\xef\xbb\xbf"))
				whole, code := loadable(t, store(content), opts...)
				if code != "" {
					t.Fatalf("the whole file %q: %s", content, code)
				}
				for n := range len(content) {
					work := store(content[:n])
					if midLine, err := files.EndsMidLine(path); midLine || err != nil {
						continue
					}
					records, code := loadable(t, work, opts...)
					if len(records) > len(whole) || !slices.Equal(records, whole[:len(records)]) || code != "" && code != record.CodeUnfinished {
						t.Fatalf("%d bytes of %q: got %q, %s; the whole has %q", n, content, records, code, whole)
					}
				}
			}
		})
	}
}

func TestUnfinishedEndIsLeftWhileTheFileMayGrow(t *testing.T) {
	records := strings.Repeat("1,2,3\n", 5)
	zip := gzipped(t, abcHeader+records)
	bzip, err := hex.DecodeString("425a68393141592653599087e4dd0000") // cut off in its first block
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, content string
		// early is how many records come while it may grow, late how many after that.
		early, late int
		// code is how it fails in the end; "" if it loads.
		code string
		// message is a part of why it waits; "" if it does not.
		message string
	}{
		{"whole", abcHeader + records, 5, 5, "", ""},
		{"nothing", "", 0, 0, "", ""},
		{"inside quotes", abcHeader + records + "1,\"2", 4, 6, "", "inside a quoted field"},
		{"inside quotes at a line end", abcHeader + records + "1,\"2\n", 4, 6, "", "inside a quoted field"},
		{"inside the header", "a,b", 0, 0, record.CodeInvalidHeader, "inside its header"},
		{"inside quotes of the header", "a,\"b\n", 0, 0, record.CodeInvalidHeader, "inside its header"},
		{"after the header", "a,b,c", 0, 0, "", "inside its header"},
		{"a gzip without its checksum", zip[:len(zip)-8], 4, 4, record.CodeCorruptArchive, "no end"},
		{"a gzip cut off in its head", zip[:5], 0, 0, record.CodeCorruptArchive, "no end"},
		{"a bzip2 without its end", string(bzip), 0, 0, record.CodeCorruptArchive, "no end"},
		{"a whole gzip of an open quote", gzipped(t, abcHeader+"1,\"2"), 1, 1, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := writeFile(t, c.content)
			opts := []Option{WithMaxRangeRecords(4)}
			got, code := loadable(t, record.Work{File: f, MayGrow: true}, opts...)
			want := ""
			if c.message != "" {
				want = record.CodeUnfinished
			}
			if len(got) != c.early || code != want {
				t.Errorf("while it may grow: got %q, %q, want %d records and %q", got, code, c.early, want)
			}
			got, code = loadable(t, record.Work{File: f}, opts...)
			if len(got) != c.late || code != c.code {
				t.Errorf("after that: got %q, %q, want %d records and %q", got, code, c.late, c.code)
			}
			for _, r := range splitAll[abc](t, record.Work{File: f, MayGrow: true}, opts...) {
				if r.Failure != nil && !strings.Contains(r.Failure.Message, c.message) {
					t.Errorf("it waits because %s", r.Failure.Message)
				}
			}
		})
	}
}
