package generator

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// options are those of a run without pauses, into a folder of the test.
func options(t *testing.T) Options {
	t.Helper()
	o := DefaultOptions()
	o.OutputPath, o.Interval = t.TempDir(), 0
	o.Manifest = filepath.Join(t.TempDir(), "manifest.json")
	return o
}

func mustRun(t *testing.T, o Options) Manifest {
	t.Helper()
	m, err := Run(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m Manifest) names() []string {
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Name)
	}
	return names
}

// contents returns the visible files of a folder; compressed ones as they are.
func contents(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(folder, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func equalFiles(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

// checkWhole fails unless text is a file of so many events, without faults.
func checkWhole(t *testing.T, name string, text []byte, events int) {
	t.Helper()
	if lines := bytes.Count(text, []byte("\n")); lines != events+1 || !bytes.HasPrefix(text, []byte(header)) || !bytes.HasSuffix(text, []byte("\n")) {
		t.Errorf("%s is not whole: %d lines, want %d", name, lines, events+1)
	}
}

// checkManifest recounts the folder and compares that with what Run returned
// and what it wrote.
func checkManifest(t *testing.T, o Options, m Manifest) {
	t.Helper()
	checkNothingHidden(t, o.OutputPath)
	written, err := ReadManifest(o.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(written, m) {
		t.Errorf("manifest in the file\n%+v\nis not the one returned\n%+v", written, m)
	}
	c := counter{ids: map[string]bool{}, totals: newTotals()}
	files := contents(t, o.OutputPath)
	if len(files) != len(m.Files) {
		t.Errorf("%d files in the folder, %d in the manifest", len(files), len(m.Files))
	}
	for _, f := range m.Files {
		text, before := files[f.Name], c.totals
		rejected := before.Rejected()
		c.file(t, o, f.Name, text)
		got := File{
			Name: f.Name, Bytes: int64(len(text)),
			Events: c.totals.Events - before.Events, Valid: c.totals.Valid - before.Valid,
			Duplicates: c.totals.Duplicates - before.Duplicates, Rejected: c.totals.Rejected() - rejected,
		}
		if got != f {
			t.Errorf("recounted %+v, manifest has %+v", got, f)
		}
	}
	if !reflect.DeepEqual(c.totals, m.Totals) {
		t.Errorf("recounted\n%+v\nmanifest has\n%+v", c.totals, m.Totals)
	}
}

// counter counts the records of files by the rules of a load, with nothing of
// the generator's but the names of the codes.
type counter struct {
	ids    map[string]bool
	totals Totals
}

func (c *counter) file(t *testing.T, o Options, name string, text []byte) {
	t.Helper()
	if o.Gzip {
		text = unzip(t, text)
	}
	at, err := time.Parse("events_20060102_150405", name[:len("events_20060102_150405")])
	if err != nil {
		t.Fatal(err)
	}
	c.totals.Files++
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	if head, err := r.Read(); err != nil || strings.Join(head, ",")+"\n" != header {
		t.Fatalf("%s: header %v, %v", name, head, err)
	}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		c.record(t, at, fields, err)
	}
}

func (c *counter) record(t *testing.T, at time.Time, f []string, err error) {
	t.Helper()
	c.totals.Events++
	switch code := judge(f, err); code {
	case "":
		c.valid(t, at, f)
	case "malformed_csv", "wrong_field_count", "invalid_encoding":
		c.totals.Corrupt[code]++
	case "future_timestamp":
		if !strings.HasPrefix(f[7], "2099-") {
			t.Errorf("%v is not of the year 2099", f)
		}
		c.totals.Future++
	default:
		c.totals.Invalid[code]++
	}
}

func (c *counter) valid(t *testing.T, at time.Time, f []string) {
	t.Helper()
	c.totals.Valid++
	if c.ids[f[0]] {
		c.totals.Duplicates++
		return
	}
	c.ids[f[0]] = true
	c.totals.DistinctIDs++
	if want := string(appendUUID(nil, EventID(f[1], f[2], f[7]))); f[0] != want {
		t.Errorf("%v: id should be %s", f, want)
	}
	// The name of a file has whole seconds, so its start may be a second later.
	if when, err := time.Parse(timestampLayout, f[7]); err != nil || when.Before(at.Add(-time.Minute)) || when.After(at.Add(time.Second)) {
		t.Errorf("%v does not lie in the minute before %v (%v)", f, at, err)
	}
	if (f[5] == "view") != (f[6] == "") {
		t.Errorf("%v: a purchase has a price, a view none", f)
	}
}

var (
	uuidForm  = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	priceForm = regexp.MustCompile(`^-?\d+\.\d\d$`)
)

// judge returns the code of a record's only flaw, or "".
func judge(f []string, err error) string {
	switch {
	case err != nil:
		return "malformed_csv"
	case len(f) != 8:
		return "wrong_field_count"
	case !utf8.ValidString(strings.Join(f, ",")):
		return "invalid_encoding"
	case f[0] == "" || f[1] == "" || f[2] == "" || f[5] == "" || f[7] == "":
		return "missing_value"
	case !uuidForm.MatchString(f[0]):
		return "invalid_uuid"
	case f[5] != "view" && f[5] != "purchase":
		return "invalid_event_type"
	case f[6] != "" && !priceForm.MatchString(f[6]):
		return "invalid_number"
	}
	if price, _ := strconv.ParseFloat(f[6], 64); price < 0 {
		return "negative_price"
	}
	when, err := time.Parse(timestampLayout, f[7])
	switch {
	case err != nil:
		return "invalid_timestamp"
	case when.After(time.Now()):
		return "future_timestamp"
	}
	return ""
}

func unzip(t *testing.T, text []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func checkNothingHidden(t *testing.T, folder string) {
	t.Helper()
	if hidden, _ := filepath.Glob(filepath.Join(folder, ".*")); len(hidden) > 0 {
		t.Errorf("left behind: %v", hidden)
	}
}
