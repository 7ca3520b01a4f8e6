package pipeline

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cartstream/cartstream/io/csvio"
)

func TestTheSettingsFileThatComesWithItHoldsTheDefaults(t *testing.T) {
	path := filepath.Join("..", SettingsFile)
	got, err := LoadSettings(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := DefaultSettings(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range new(Settings).sections() {
		for _, key := range section.keys {
			if !strings.Contains(string(text), " "+key.name+":") {
				t.Errorf("%s.%s is not in it", section.name, key.name)
			}
		}
	}
}

func TestSettingsFromAFile(t *testing.T) {
	for _, c := range []struct {
		name, text string
		change     func(*Settings)
	}{
		{"empty file", "", func(*Settings) {}},
		{"comments only", "# nothing\n", func(*Settings) {}},
		{"empty document", "---\n", func(*Settings) {}},
		{"empty section", "streaming:\n  # input: x\n", func(*Settings) {}},
		{"byte order mark", "\ufeffgenerator:\n  batch_size: 7\n", func(s *Settings) { s.Generator.BatchSize = 7 }},
		{"CRLF", "generator:\r\n  batch_size: 7\r\n", func(s *Settings) { s.Generator.BatchSize = 7 }},
		{"alias", "streaming:\n  input: &p a/*.csv\n  checkpoint_path: *p\n", func(s *Settings) {
			s.Streaming.Input, s.Streaming.CheckpointPath = []string{"a/*.csv"}, "a/*.csv"
		}},
		{"seconds as a fraction", "generator:\n  interval_seconds: 0.25\n", func(s *Settings) { s.Generator.Interval = Duration(250 * time.Millisecond) }},
		{"seconds with their unit", "generator:\n  interval_seconds: 250ms\n", func(s *Settings) { s.Generator.Interval = Duration(250 * time.Millisecond) }},
		{"a number for a time", "streaming:\n  trigger_interval: 1.5\n  minimum_age: 2\n", func(s *Settings) {
			s.Streaming.TriggerInterval, s.Streaming.MinimumAge = Duration(1500*time.Millisecond), Duration(2*time.Second)
		}},
		{"no seconds", "generator:\n  interval_seconds: 0\n", func(s *Settings) { s.Generator.Interval = 0 }},
		{"everything", `
generator: {output_path: out, batch_size: 1, interval_seconds: 2}
streaming: {input: "in/*.csv", trigger_interval: 500ms, max_files_per_trigger: 1000000000, unfinished_wait: 9s, checkpoint_path: cp, checkpoint_interval: 1 min}
validation: {future_tolerance: 5 minutes, max_expansion: 50, max_dead_letters: 0}
postgres: {table: shop.events, insert_mode: upsert, update_columns: [price, event_timestamp], version_column: event_timestamp, retry_for: 1h30m, allow_unlogged: true, max_rejected_files: 0, url: "postgres://u:p@h/d"}
`, func(s *Settings) {
			*s = Settings{
				Generator: GeneratorSettings{"out", 1, Duration(2 * time.Second)},
				CSV:       csvio.DefaultDialect(),
				Streaming: StreamingSettings{
					Input: []string{"in/*.csv"}, TriggerInterval: Duration(500 * time.Millisecond),
					MaxFilesPerTrigger: 1_000_000_000, UnfinishedWait: Duration(9 * time.Second), IncludeExisting: true, CheckpointPath: "cp", CheckpointInterval: Duration(time.Minute),
				},
				Validation: ValidationSettings{FutureTolerance: Duration(5 * time.Minute), MaxExpansion: 50, MaxDeadLetters: 0},
				Postgres: PostgresSettings{
					Table: "shop.events", InsertMode: "upsert", UpdateColumns: []string{"price", "event_timestamp"}, VersionColumn: "event_timestamp",
					RetryFor: Duration(90 * time.Minute), AllowUnlogged: true, URL: "postgres://u:p@h/d",
				},
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := DefaultSettings()
			c.change(&want)
			got, err := LoadSettings(settingsFile(t, c.text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10 seconds": 10 * time.Second, "10s": 10 * time.Second, "10 s": 10 * time.Second, "1 second": time.Second,
		"500ms": 500 * time.Millisecond, "500 milliseconds": 500 * time.Millisecond, "1.5 minutes": 90 * time.Second,
		"10 Seconds": 10 * time.Second, "1 min": time.Minute, "90 secs": 90 * time.Second, "2 days": 48 * time.Hour, "1.5d": 36 * time.Hour, "1 HR": time.Hour,
		"2 hours": 2 * time.Hour, "10": 10 * time.Second, "1.5": 1500 * time.Millisecond, `"2"`: 2 * time.Second, "1e1": 10 * time.Second, "1m30s": 90 * time.Second, "0": 0, "0s": 0, `"0"`: 0, "87600h": 10 * 365 * 24 * time.Hour,
	} {
		got, _, err := parseSettings("f", []byte("streaming:\n  trigger_interval: "+text+"\n"), nil)
		if err != nil || got.Streaming.TriggerInterval.Duration() != want {
			t.Errorf("%s: got %v, error %v", text, got.Streaming.TriggerInterval, err)
		}
	}
	for _, text := range []string{
		"-1", ".inf", ".nan", "-.inf", "1e300", "-1s", "-1 seconds", "10 parsecs", "seconds", "1.2.3s", "true", "[1s]", "87601h", "99999999999999999 hours", "3651 days", "2000000 hours days", "99999 days", "1 s 2 s", `""`, "~", "0x0",
	} {
		_, _, err := parseSettings("f", []byte("streaming:\n  trigger_interval: "+text+"\n"), nil)
		if err == nil {
			t.Errorf("%s was taken", text)
			continue
		}
		for _, part := range []string{"f:2: streaming.trigger_interval: found ", "10 seconds"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", text, err, part)
			}
		}
	}
}

func TestMistakesInASettingsFile(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string // a line of the error each
	}{
		{"unknown section", "\npostgre:\n  table: x\n", []string{`f:2: found the unknown key "postgre" (did you mean postgres?); allowed are generator, streaming, csv, validation, postgres`}},
		{"unknown key", "streaming:\n  inptu: x\n", []string{`f:2: streaming: found the unknown key "inptu" (did you mean streaming.input?); allowed are input, trigger_interval, max_files_per_trigger, max_bytes_per_trigger, minimum_age, unfinished_wait, latest_first, include_existing_files, checkpoint_path, checkpoint_interval`}},
		{"key of another section", "batch_size: 5\n", []string{`f:1: found the unknown key "batch_size" (did you mean generator.batch_size?); allowed are generator, streaming, csv, validation, postgres`}},
		{"key like no other", "x: 5\n", []string{`f:1: found the unknown key "x"; allowed are generator, streaming, csv, validation, postgres`}},
		{"a list for a key", "? [a]\n: 5\n", []string{`f:1: found the unknown key a list; allowed are generator, streaming, csv, validation, postgres`}},
		{"merge key", "<<: {a: b}\n", []string{`f:1: found the unknown key "<<"; allowed are generator, streaming, csv, validation, postgres`}},
		{"zero", "streaming:\n  max_files_per_trigger: 0\n", []string{"f:2: streaming.max_files_per_trigger: found 0; allowed is " + allowedCount}},
		{"negative", "generator:\n  batch_size: -3\n", []string{"f:2: generator.batch_size: found -3; allowed is " + allowedCount}},
		{"fraction", "generator:\n  batch_size: 1.5\n", []string{"f:2: generator.batch_size: found 1.5; allowed is " + allowedCount}},
		{"too large", "generator:\n  batch_size: 99999999999999999999\n", []string{"f:2: generator.batch_size: found 99999999999999999999; allowed is " + allowedCount}},
		{"number in quotes", "generator:\n  batch_size: \"5\"\n", []string{`f:2: generator.batch_size: found "5"; allowed is ` + allowedCount}},
		{"no value", "generator:\n  batch_size:\n", []string{"f:2: generator.batch_size: found nothing; allowed is " + allowedCount}},
		{"no number", "generator:\n  interval_seconds: .nan\n", []string{"f:2: generator.interval_seconds: found .nan; allowed is " + allowedDuration}},
		{"endless", "generator:\n  interval_seconds: .inf\n", []string{"f:2: generator.interval_seconds: found .inf; allowed is " + allowedDuration}},
		{"a time without sense", "generator:\n  interval_seconds: soon\n", []string{`f:2: generator.interval_seconds: found "soon"; allowed is ` + allowedDuration}},
		{"number for text", "streaming:\n  checkpoint_path: 5\n", []string{"f:2: streaming.checkpoint_path: found 5 without quotes, which YAML does not take for a text; allowed is " + allowedText + `: write "5", with the quotes`}},
		{"empty text", "generator:\n  output_path: ' '\n", []string{`f:2: generator.output_path: found " "; allowed is ` + allowedText}},
		{"mapping for text", "postgres:\n  table:\n    name: x\n", []string{"f:3: postgres.table: found a mapping; allowed is " + allowedText}},
		{"text for a section", "postgres: url\n", []string{`f:1: postgres: found "url"; allowed are the keys table, insert_mode, update_columns, version_column, retry_for, allow_unlogged, max_rejected_files, url`}},
		{"list for the whole", "- a\n", []string{"f:1: found a list; allowed are the keys generator, streaming, csv, validation, postgres"}},
		{"less than no limit", "postgres:\n  max_rejected_files: -1\n", []string{"f:2: postgres.max_rejected_files: found -1; allowed is " + allowedLimit}},
		{"other mode", "postgres:\n  insert_mode: merge\n", []string{`f:2: postgres.insert_mode: found "merge"; allowed are insert and upsert`}},
		{"a version without upserts", "postgres:\n  version_column: price\n", []string{"f:2: postgres.version_column: is for upserts; allowed with insert_mode: upsert"}},
		{"columns without upserts", "postgres:\n  insert_mode: insert\n  update_columns: price\n", []string{"f:3: postgres.update_columns: is for upserts; allowed with insert_mode: upsert"}},
		{"upserts in order, and the latest first", "streaming:\n  latest_first: true\npostgres:\n  insert_mode: upsert\n", []string{"f:2: streaming.latest_first: found true, and without postgres.version_column an upsert has the last record in the order of files and lines win; allowed is false, or a version_column"}},
		{"key twice", "generator:\n  batch_size: 1\n  batch_size: 2\n", []string{"f:3: generator.batch_size: found a second time; the first is in line 2"}},
		{"section twice", "generator:\n  batch_size: 1\ngenerator:\n  batch_size: 2\n", []string{"f:3: generator: found a second time; the first is in line 1"}},
		{"two documents", "generator:\n  batch_size: 1\n---\ngenerator:\n  batch_size: 2\n", []string{"f:3: found a second document; allowed is one"}},
		{"several at once", "generator:\n  batch_size: 0\nstreamin: {}\nvalidation:\n  future_tolerance: 5 parsecs\n", []string{
			"f:2: generator.batch_size: found 0; allowed is " + allowedCount,
			`f:3: found the unknown key "streamin" (did you mean streaming?); allowed are generator, streaming, csv, validation, postgres`,
			"f:5: validation.future_tolerance: found \"5 parsecs\"; allowed is " + allowedDuration,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := parseSettings("f", []byte(c.text), nil)
			if err == nil {
				t.Fatalf("taken as %+v", got)
			}
			if lines := strings.Split(err.Error(), "\n"); !slices.Equal(lines, c.want) {
				t.Errorf("got\n%s\nwant\n%s", err, strings.Join(c.want, "\n"))
			}
			if !reflect.DeepEqual(got, Settings{}) {
				t.Error("settings came with the error")
			}
		})
	}
}

func TestMistakesThatOthersFind(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no YAML":                {"generator:\n  batch_size: [1\n", "f:1: this is no YAML: "},
		"tab":                    {"generator:\n\tbatch_size: 1\n", "f:2: this is no YAML: "},
		"bytes that are no text": {"generator: \xff\n", "f: this is no YAML: "},
		"unknown alias":          {"generator: *x\n", "f: this is no YAML: "},
		"three-part table":       {"postgres:\n  table: a.b.c\n", "f:2: postgres.table: the table name \"a.b.c\" has 3 parts; write table or schema.table"},
		"a home":                 {"streaming:\n  input: ~/in/*.csv\n", `f:2: streaming.input: the pattern "~/in/*.csv" begins with ~, which nobody expands here; write the whole path`},
		"broken pattern":         {"streaming:\n  input: \"[\"\n", "f:2: streaming.input: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := parseSettings("f", []byte(c.text), nil)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s...", err, c.want)
			}
		})
	}
}

func TestPasswordIsNotInTheError(t *testing.T) {
	for _, text := range []string{"mysql://u:geheim@h/d", "\"postgres://u:geheim@h:port/d%zz\"", "u:geheim@h", "[geheim]"} {
		_, _, err := parseSettings("f", []byte("postgres:\n  url: "+text+"\n"), nil)
		if err == nil {
			t.Errorf("%s was taken", text)
		} else if strings.Contains(err.Error(), "geheim") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestWhichFileIsRead(t *testing.T) {
	t.Chdir(t.TempDir())
	if got, err := LoadSettings(""); err != nil || !reflect.DeepEqual(got, DefaultSettings()) {
		t.Errorf("no file at all: got %+v, error %v", got, err)
	}
	if _, err := LoadSettings("mine.yaml"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "mine.yaml") {
		t.Errorf("a named file that is missing: error %v", err)
	}
	if err := os.WriteFile(SettingsFile, []byte("generator:\n  batch_size: 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadSettings(""); err != nil || got.Generator.BatchSize != 9 {
		t.Errorf("the default file: got %+v, error %v", got, err)
	}
	if err := os.WriteFile(SettingsFile, []byte("generator:\n  batch_size: 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadSettings("")
	if e := (*SettingsError)(nil); !errors.As(err, &e) || e.File != SettingsFile || e.Line != 2 || e.Key != "generator.batch_size" {
		t.Errorf("a broken default file: error %#v", err)
	}
}

func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		"", "---\n", "generator:\n  batch_size: 1\n", "streaming: &a\n  input: *a\n", "? {a: b}\n: c\n", "postgres: !!binary x\n",
		"validation:\n  future_tolerance: 10 seconds\n", "generator:\n  interval_seconds: !!float 1e400\n", "<<: *x", "\xff\xfe",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, _, err := parseSettings("the-file", []byte(text), nil)
		if err != nil {
			for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
				if one := (*SettingsError)(nil); !errors.As(e, &one) || one.File != "the-file" || one.Message == "" {
					t.Errorf("an error without its place: %#v", e)
				}
			}
			return
		}
		if s.Generator.BatchSize < 1 || s.Generator.Interval < 0 || s.Streaming.MaxFilesPerTrigger < 1 ||
			s.Streaming.TriggerInterval < 0 || s.Validation.FutureTolerance < 0 || s.Postgres.RetryFor < 0 ||
			len(s.Streaming.Input) == 0 || s.Postgres.Table == "" || s.Postgres.InsertMode != InsertModeInsert {
			t.Errorf("impossible settings were taken: %+v", s)
		}
	})
}

func settingsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
