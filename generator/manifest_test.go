package generator

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestManifestFile fixes the names that other programs read.
func TestManifestFile(t *testing.T) {
	o := options(t)
	o.Files, o.BatchSize, o.Seed, o.Start = 1, 12, 7, start
	o.InvalidRate, o.CorruptRate = 0.5, 0.5
	mustRun(t, o)
	text, err := os.ReadFile(o.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\"seed\": 7,\n", "\"start\": \"2026-01-29T10:00:00Z\",\n", "\"name\": \"events_20260129_100000_000001.csv\"",
		"\"files\": 1", "\"events\": 12", "\"valid\": 0", "\"distinct_ids\": 0", "\"duplicates\": 0", "\"rejected\": 12", "\"future\": 0",
		"\"invalid\": {", "\"invalid_event_type\": 1", "\"negative_price\": 1", "\"missing_value\": 1",
		"\"invalid_uuid\": 1", "\"invalid_number\": 1", "\"invalid_timestamp\": ",
		"\"corrupt\": {", "\"wrong_field_count\": ", "\"malformed_csv\": ", "\"invalid_encoding\": ",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestManifestTakesThePlaceOfAnOldOne(t *testing.T) {
	o := options(t)
	o.Files = 1
	mustRun(t, o)
	o.Files = 2
	mustRun(t, o)
	if m, err := ReadManifest(o.Manifest); err != nil || m.Totals.Files != 2 {
		t.Errorf("%d files, %v; want 2", m.Totals.Files, err)
	}
	checkNothingHidden(t, filepath.Dir(o.Manifest))
}

func TestDeadLetters(t *testing.T) {
	totals := newTotals()
	totals.Invalid["negative_price"], totals.Corrupt["malformed_csv"], totals.Future = 3, 4, 5
	want := map[string]int64{
		"malformed_csv": 4, "wrong_field_count": 0, "invalid_encoding": 0, "missing_value": 0, "invalid_uuid": 0,
		"invalid_number": 0, "invalid_timestamp": 0, "invalid_event_type": 0, "negative_price": 3, "future_timestamp": 5,
	}
	if got := totals.DeadLetters(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := totals.Rejected(); got != 12 {
		t.Errorf("%d rejected, want 12", got)
	}
}

func TestReadManifestRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no JSON", "event_id,user_id\n", "is no manifest"},
		{"half of one", `{"seed": 1, "files": [`, "is no manifest"},
		{"another type", `{"seed": "one"}`, "is no manifest"},
		{"events that are not the sum", `{"totals": {"events": 3, "valid": 1, "distinct_ids": 1, "invalid": {"x": 1}}}`, "is damaged"},
		{"valid that are not the sum", `{"totals": {"events": 1, "valid": 1, "distinct_ids": 2}}`, "is damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.json")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadManifest(path); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want the path and %q", err, tt.want)
			}
		})
	}
	if _, err := ReadManifest(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that there is none", err)
	}
}
