package pipeline

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestVariablesGoOverTheFile(t *testing.T) {
	s, all, err := parseSettings("f.yaml", []byte("streaming:\n  max_files_per_trigger: 7\n  trigger_interval: 3s\n"), []string{
		"CARTSTREAM_STREAMING_TRIGGER_INTERVAL=2 seconds",
		"CARTSTREAM_GENERATOR_INTERVAL_SECONDS=0.5",
		"CARTSTREAM_POSTGRES_TABLE=shop.events",
		"CARTSTREAM_POSTGRES_URL=postgres://me:secret@localhost/shop",
		"CARTSTREAM_STREAMING_INPUT=in/*.csv",
		"CARTSTREAM_CACHE=/elsewhere", "PATH=/bin",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Streaming.TriggerInterval != Duration(2*time.Second) || s.Streaming.MaxFilesPerTrigger != 7 ||
		s.Generator.Interval != Duration(time.Second/2) || s.Postgres.Table != "shop.events" || !slices.Equal(s.Streaming.Input, []string{"in/*.csv"}) {
		t.Errorf("got %+v", s)
	}
	for _, want := range []Setting{
		{"generator.batch_size", "100", "default"},
		{"generator.interval_seconds", "0.5", "CARTSTREAM_GENERATOR_INTERVAL_SECONDS"},
		{"streaming.trigger_interval", "2s", "CARTSTREAM_STREAMING_TRIGGER_INTERVAL"},
		{"streaming.max_files_per_trigger", "7", "f.yaml:2"},
		{"postgres.url", "(set, not shown)", "CARTSTREAM_POSTGRES_URL"},
	} {
		if !slices.Contains(all, want) {
			t.Errorf("in force: %+v lacks %+v", all, want)
		}
	}
}

func TestMistakesInVariables(t *testing.T) {
	for _, c := range []struct {
		variable string
		says     []string
	}{
		{"CARTSTREAM_STREAMING_TRIGGER_INTERVALL=2s", []string{"CARTSTREAM_STREAMING_TRIGGER_INTERVALL", "did you mean streaming.trigger_interval"}},
		{"CARTSTREAM_STREAMING_MAX_FILES_PER_TRIGGER=0", []string{"streaming.max_files_per_trigger", "found 0", "1 to"}},
		{"CARTSTREAM_STREAMING_MAX_FILES_PER_TRIGGER=[1]", []string{"found a list"}},
		{"CARTSTREAM_POSTGRES_INSERT_MODE=", []string{"postgres.insert_mode"}},
		{"CARTSTREAM_POSTGRES_URL=mysql://me:secret@h/d", []string{"postgres.url", "not shown"}},
		{"CARTSTREAM_STREAMING_TRIGGER_INTERVAL={a: b}", []string{"streaming.trigger_interval"}},
	} {
		_, _, err := parseSettings("f.yaml", nil, []string{c.variable})
		var mistake *SettingsError
		if !errors.As(err, &mistake) {
			t.Errorf("%s: got %v", c.variable, err)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.variable, err, want)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q has the secret", c.variable, err)
		}
	}
}
