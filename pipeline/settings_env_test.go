package pipeline

import (
	"errors"
	"reflect"
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
		"CARTSTREAM_CACHE=/elsewhere", "CARTSTREAM_TEST_DATABASE_URL=x", "PATH=/bin",
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
		{"CARTSTREAM_STREAMING_TRIGGER_INTERVALL=2s", []string{"CARTSTREAM_STREAMING_TRIGGER_INTERVALL: found no setting", "did you mean CARTSTREAM_STREAMING_TRIGGER_INTERVAL?"}},
		{"CARTSTREAM_STREAMNG_TRIGGER_INTERVAL=1s", []string{"did you mean CARTSTREAM_STREAMING_TRIGGER_INTERVAL?"}},
		{"CARTSTREAM_CSVDELIMITER=y", []string{"did you mean CARTSTREAM_CSV_DELIMITER?"}},
		{"CARTSTREAM_POSTGRES=secret", []string{"CARTSTREAM_POSTGRES: found no setting", "did you mean CARTSTREAM_POSTGRES_URL?"}},
		{"CARTSTREAM_postgres_table=x", []string{"did you mean CARTSTREAM_POSTGRES_TABLE?"}},
		{"CARTSTREAM_ZZZZZZ=1", []string{"found no setting of that name; allowed is CARTSTREAM_<SECTION>_<KEY>"}},
		{"CARTSTREAM_STREAMING_MAX_FILES_PER_TRIGGER=0", []string{"streaming.max_files_per_trigger", "found 0", "1 to"}},
		{"CARTSTREAM_STREAMING_MAX_FILES_PER_TRIGGER=[1]", []string{`found "[1]"`}},
		{"CARTSTREAM_CSV_TRIM=", []string{"csv.trim: found nothing; allowed is true or false"}},
		{"CARTSTREAM_STREAMING_INPUT=[ab]*.csv", []string{"streaming.input", `found "[ab]*.csv", which begins with [ and is no list`}},
		{"CARTSTREAM_STREAMING_INPUT=~/in/*.csv", []string{"streaming.input", "begins with ~"}},
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

// A variable's text is taken as it is, whatever YAML would make of it.
func TestVariablesAreTakenLiterally(t *testing.T) {
	for _, c := range []struct {
		variables string
		want      func(*Settings)
	}{
		{"CSV_DELIMITER=|", func(s *Settings) { s.CSV.Delimiter = '|' }},
		{"CSV_DELIMITER=>", func(s *Settings) { s.CSV.Delimiter = '>' }},
		{"CSV_DELIMITER=!", func(s *Settings) { s.CSV.Delimiter = '!' }},
		{"CSV_DELIMITER=-", func(s *Settings) { s.CSV.Delimiter = '-' }},
		{"CSV_DELIMITER=#", func(s *Settings) { s.CSV.Delimiter = '#' }},
		{"CSV_DELIMITER=[", func(s *Settings) { s.CSV.Delimiter = '[' }},
		{"CSV_QUOTE=~", func(s *Settings) { s.CSV.Quote = '~' }},
		{"CSV_QUOTE='", func(s *Settings) { s.CSV.Quote = '\'' }},
		{"CSV_QUOTE=", func(s *Settings) { s.CSV.Quote = 0 }},
		{"CSV_NULL_VALUE=NULL", func(s *Settings) { s.CSV.NullValue = []string{"NULL"} }},
		{"CSV_NULL_VALUE=~", func(s *Settings) { s.CSV.NullValue = []string{"~"} }},
		{`CSV_NULL_VALUE=["\\N", 'NULL']`, func(s *Settings) { s.CSV.NullValue = []string{`\N`, "NULL"} }},
		{"STREAMING_INPUT=p/a #1.csv", func(s *Settings) { s.Streaming.Input = []string{"p/a #1.csv"} }},
		{"STREAMING_INPUT=[p/a.csv, p/b.csv]", func(s *Settings) { s.Streaming.Input = []string{"p/a.csv", "p/b.csv"} }},
		{`STREAMING_INPUT=["[ab]*.csv"]`, func(s *Settings) { s.Streaming.Input = []string{"[ab]*.csv"} }},
		{"STREAMING_INPUT=p: q/*.csv", func(s *Settings) { s.Streaming.Input = []string{"p: q/*.csv"} }},
		{"STREAMING_CHECKPOINT_PATH=2026", func(s *Settings) { s.Streaming.CheckpointPath = "2026" }},
		{"STREAMING_LATEST_FIRST=true", func(s *Settings) { s.Streaming.LatestFirst = true }},
		{"GENERATOR_BATCH_SIZE=7", func(s *Settings) { s.Generator.BatchSize = 7 }},
	} {
		want := DefaultSettings()
		c.want(&want)
		got, _, err := parseSettings("f", nil, []string{prefix + c.variables})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", c.variables, got, err)
		}
	}
}

// What names the database is told, with where it came from.
func TestDatabaseInForce(t *testing.T) {
	file := []byte("postgres:\n  url: postgres://u:secret@h/d\n")
	for _, c := range []struct {
		text    []byte
		environ []string
		want    Setting
	}{
		{nil, nil, Setting{urlKey, "", "default"}},
		{file, nil, Setting{urlKey, "(set, not shown)", "f:2"}},
		{file, []string{"DATABASE_URL=postgres://secret@x"}, Setting{urlKey, "(set, not shown)", "DATABASE_URL"}},
		{nil, []string{"PGHOST=secret"}, Setting{urlKey, "(set, not shown)", "PGHOST"}},
		{file, []string{"PGUSER=me", "PGPORT=1", "PGPASSFILE=x", "DATABASE_URL="}, Setting{urlKey, "(set, not shown)", "f:2"}},
		{nil, []string{"CARTSTREAM_POSTGRES_URL=postgres://secret@x", "PGDATABASE=d"}, Setting{urlKey, "(set, not shown)", "PGDATABASE"}},
	} {
		_, all, err := parseSettings("f", c.text, c.environ)
		if err != nil || !slices.Contains(all, c.want) {
			t.Errorf("%q: %+v %v lacks %+v", c.environ, all, err, c.want)
		}
	}
}

// Only what names a database goes over postgres.url.
func TestDatabaseOfSettings(t *testing.T) {
	for _, name := range []string{"DATABASE_URL", "PGHOST", "PGSERVICE", "PGDATABASE", "PGUSER"} {
		t.Setenv(name, "")
	}
	t.Setenv("PGPORT", "1") // where nobody listens
	if _, err := History(t.Context(), DatabaseOf(Settings{}), HistoryFilter{}); err == nil || !strings.Contains(err.Error(), "no database is named: set DATABASE_URL or the PG* variables") {
		t.Errorf("without any: %v", err)
	}
	t.Setenv("PGUSER", "somebody")
	s := Settings{Postgres: PostgresSettings{URL: "postgres://127.0.0.1:1/of-the-settings"}}
	if _, err := History(t.Context(), DatabaseOf(s), HistoryFilter{}); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("that of the settings: %v", err)
	}
	t.Setenv("PGHOST", "127.0.0.2")
	if _, err := History(t.Context(), DatabaseOf(s), HistoryFilter{}); err == nil || !strings.Contains(err.Error(), "127.0.0.2:1") {
		t.Errorf("that of the environment: %v", err)
	}
}
