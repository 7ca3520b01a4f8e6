package pipeline

import (
	"slices"
	"strings"
	"testing"
)

func TestStreamingSettings(t *testing.T) {
	s, _, err := parseSettings("f", []byte(`streaming:
  input: [in/*.csv, "more/**/*.csv"]
  max_bytes_per_trigger: 64 MiB
  minimum_age: 5 minutes
  latest_first: true
  include_existing_files: false
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := s.Streaming
	if !slices.Equal(got.Input, []string{"in/*.csv", "more/**/*.csv"}) || got.MaxBytesPerTrigger != 64<<20 ||
		got.MinimumAge.Duration().Minutes() != 5 || !got.LatestFirst || got.IncludeExisting {
		t.Errorf("got %+v", got)
	}
}

func TestSizesInBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "123": 123, "500kB": 500_000, "500 KB": 500_000, "1 GB": 1e9, "2GiB": 2 << 30, `"7 b"`: 7, "1 tib": 1 << 40,
	} {
		s, _, err := parseSettings("f", []byte("streaming:\n  max_bytes_per_trigger: "+text+"\n"), nil)
		if err != nil || s.Streaming.MaxBytesPerTrigger != want {
			t.Errorf("%s: got %d, %v, want %d", text, s.Streaming.MaxBytesPerTrigger, err, want)
		}
	}
}

func TestWrongStreamingSettings(t *testing.T) {
	for _, c := range []struct{ key, text, says string }{
		{"input", "[]", "a list of such"},
		{"input", "[in/*.csv, 5]", "not empty"},
		{"input", "[in/*.csv, 'in/[.csv']", "in/[.csv"},
		{"max_bytes_per_trigger", "-1", "a number of bytes"},
		{"max_bytes_per_trigger", "5 miles", "a number of bytes"},
		{"max_bytes_per_trigger", "99999999999 TiB", "a number of bytes"},
		{"max_bytes_per_trigger", "[1]", "a number of bytes"},
		{"latest_first", "yes please", "true or false"},
		{"latest_first", "1", "true or false"},
		{"minimum_age", "-1s", "a time from 0"},
	} {
		_, _, err := parseSettings("f", []byte("streaming:\n  "+c.key+": "+c.text+"\n"), nil)
		if err == nil || !strings.Contains(err.Error(), "f:2: streaming."+c.key) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %s: got %v, want line, key and %q", c.key, c.text, err, c.says)
		}
	}
}
