package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/cartstream/cartstream/io/csvio"
	"github.com/cartstream/cartstream/io/postgresio"
)

// SettingsFile is the settings file that is read when none is named, where it
// is there.
const SettingsFile = "settings.yaml"

// Settings are what settings.yaml may say. Every field has a default, so that
// a file need only name what is to be otherwise.
type Settings struct {
	Generator GeneratorSettings
	Streaming StreamingSettings
	// CSV says how the files are written.
	CSV        csvio.Dialect
	Validation ValidationSettings
	Postgres   PostgresSettings
}

// GeneratorSettings are those of the event generator.
type GeneratorSettings struct {
	// OutputPath is the folder that gets the files.
	OutputPath string
	// BatchSize is the number of events in a file, 1 or more.
	BatchSize int
	// Interval is the pause between two files; interval_seconds in the file.
	Interval Duration
}

// StreamingSettings say which files are loaded, and how eagerly.
type StreamingSettings struct {
	// Input has the patterns of the files, one or more.
	Input []string
	// TriggerInterval is the pause between two looks at the pattern.
	TriggerInterval Duration
	// MaxFilesPerTrigger bounds the files that one look takes up, 1 or more.
	MaxFilesPerTrigger int
	// MaxBytesPerTrigger bounds the bytes that one look takes up, but for its
	// first file; 0 is no bound.
	MaxBytesPerTrigger int64
	// MinimumAge is how long ago a file must have been modified last.
	MinimumAge Duration
	// UnfinishedWait is how long a file waits from its last change that ends in the middle
	// of something; 0 is not at all.
	UnfinishedWait Duration
	// LatestFirst takes the newest files before older ones.
	LatestFirst bool
	// IncludeExisting, if false, leaves alone what was there before the run.
	IncludeExisting bool
	// CheckpointPath is the folder of Flink's checkpoints; on other runners the
	// ledger in PostgreSQL is the checkpoint.
	CheckpointPath string
	// CheckpointInterval is the time between two checkpoints of Flink.
	CheckpointInterval Duration
}

// ValidationSettings are those of the rules.
type ValidationSettings struct {
	// FutureTolerance is how far ahead of now an event's time may be.
	FutureTolerance Duration
	// MaxExpansion bounds the content of a compressed file to so many times its size; 0
	// is no bound.
	MaxExpansion int
	// MaxDeadLetters is how many dead letters a file may have; 0 is no bound.
	MaxDeadLetters int
}

// PostgresSettings say where the rows go.
type PostgresSettings struct {
	// Table may be qualified with a schema.
	Table string
	// InsertMode says what happens to a row whose key is there already.
	InsertMode string
	// UpdateColumns are those that an upsert overwrites; none is all but the key.
	UpdateColumns []string
	// VersionColumn has an upsert overwrite older rows only; empty has the last
	// record in the order of files and lines win.
	VersionColumn string
	// RetryFor bounds how long one piece of work is retried while the database
	// is in trouble; 0 means until the run is stopped.
	RetryFor Duration
	// AllowUnlogged lets rows be loaded into a table that PostgreSQL empties after
	// a crash.
	AllowUnlogged bool
	// MaxRejectedFiles is how many files in a row, of ten or more records that
	// PostgreSQL has all rejected, end the run; 0 is no bound.
	MaxRejectedFiles int
	// URL names the database where the environment names none. It may hold a
	// password and is not for logs.
	URL string
}

// What InsertMode may be.
const (
	// InsertModeInsert leaves a row that is there already as it is.
	InsertModeInsert = "insert"
	// InsertModeUpsert overwrites it.
	InsertModeUpsert = "upsert"
)

// inOrder tells that rows must be written in the order of files and lines.
func (s *PostgresSettings) inOrder() bool {
	return s.InsertMode == InsertModeUpsert && s.VersionColumn == ""
}

// sink are the options of Load that the settings give.
func (s *PostgresSettings) sink() []postgresio.Option {
	options := []postgresio.Option{postgresio.WithMaxRejectedFiles(s.MaxRejectedFiles)}
	if s.AllowUnlogged {
		options = append(options, postgresio.WithUnlogged())
	}
	if s.InsertMode == InsertModeUpsert {
		options = append(options, postgresio.WithUpsert(postgresio.Upsert{Columns: s.UpdateColumns, Version: s.VersionColumn}))
	}
	return options
}

// Duration is a time.Duration that a settings file writes as "10 seconds",
// "10s" or "500ms". It is never negative.
type Duration time.Duration

// Duration returns it as Go has it.
func (d Duration) Duration() time.Duration { return time.Duration(d) }

// String implements fmt.Stringer.
func (d Duration) String() string { return time.Duration(d).String() }

// DefaultSettings returns the settings of an empty file.
func DefaultSettings() Settings {
	return Settings{
		Generator: GeneratorSettings{
			OutputPath: "data/incoming", BatchSize: 100, Interval: Duration(5 * time.Second),
		},
		Streaming: StreamingSettings{
			Input: []string{"data/incoming/*.csv"}, TriggerInterval: Duration(10 * time.Second),
			MaxFilesPerTrigger: 5, UnfinishedWait: Duration(30 * time.Second), IncludeExisting: true,
			CheckpointPath: "data/checkpoint", CheckpointInterval: Duration(10 * time.Second),
		},
		CSV:        csvio.DefaultDialect(),
		Validation: ValidationSettings{MaxExpansion: csvio.DefaultMaxExpansion, MaxDeadLetters: postgresio.DefaultMaxDeadLetters},
		Postgres:   PostgresSettings{Table: "user_events", InsertMode: InsertModeInsert, MaxRejectedFiles: postgresio.DefaultMaxRejectedFiles},
	}
}

// LoadSettings reads a settings file over the defaults, and the variables
// CARTSTREAM_<SECTION>_<KEY> of the environment over both. With an empty path
// it reads SettingsFile from the working folder, where it is there. An error
// holds every mistake as a *SettingsError.
func LoadSettings(path string) (Settings, error) {
	s, _, err := SettingsInForce(path)
	return s, err
}

// SettingsInForce is LoadSettings that tells, too, where each value came from.
// Secrets are not shown.
func SettingsInForce(path string) (Settings, []Setting, error) {
	optional := path == ""
	if optional {
		path = SettingsFile
	}
	text, err := os.ReadFile(path)
	if err != nil && (!optional || !errors.Is(err, fs.ErrNotExist)) {
		return Settings{}, nil, fmt.Errorf("reading the settings: %w", err)
	}
	return parseSettings(path, text, os.Environ())
}

// SettingsError is one mistake in a settings file.
type SettingsError struct {
	File string
	// Line is 1-based; 0 where the mistake is the file's as a whole, or where
	// File is the name of a variable.
	Line int
	// Key is the key with its section, as in "streaming.input"; empty where the
	// mistake is no key's.
	Key string
	// Message says what was found and what is allowed.
	Message string
}

// Error implements error.
func (e *SettingsError) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", where, e.Line)
	}
	if e.Key != "" {
		where += ": " + e.Key
	}
	return where + ": " + e.Message
}
