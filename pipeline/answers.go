package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cartstream/cartstream/io/postgresio"
	"github.com/cartstream/cartstream/io/watchio"
)

// What the commands show, by the names they know it by.
type (
	// Database names the database of a run.
	Database = postgresio.Database
	// Totals are what a run has committed.
	Totals = postgresio.Totals
	// FileHistory is what became of a file.
	FileHistory = postgresio.FileHistory
	// HistoryFilter chooses files of the history.
	HistoryFilter = postgresio.HistoryFilter
	// DeadLetter is a record that could not be loaded.
	DeadLetter = postgresio.DeadLetter
	// DeadLetterFilter chooses dead letters.
	DeadLetterFilter = postgresio.DeadLetterFilter
	// FileReport is all that is known of a version of a file.
	FileReport = postgresio.FileReport
	// Verification is what Verify found.
	Verification = postgresio.Verification
	// Finding is something that is off.
	Finding = postgresio.Finding
	// Reread is what Verify looked at by reading files again.
	Reread = postgresio.Reread
	// Expectation is what a load must have given.
	Expectation = postgresio.Expectation
	// Distribution sums up durations, in seconds.
	Distribution = postgresio.Distribution
	// ExpectedFile is a file of an Expectation.
	ExpectedFile = postgresio.ExpectedFile
)

// DatabaseAt is the database of a connection string.
func DatabaseAt(url string) Database { return postgresio.SetURL("", url) }

// databaseVariables name a database. The other PG* variables, as PGUSER, go
// with whatever does.
var databaseVariables = []string{"DATABASE_URL", "DATABASE_URL_FILE", "PGHOST", "PGSERVICE", "PGDATABASE"}

// databaseVariable is the variable that names the database; empty for none.
func databaseVariable(getenv func(string) string) string {
	for _, name := range databaseVariables {
		if getenv(name) != "" {
			return name
		}
	}
	return ""
}

// DatabaseOf is the database that the environment names, or the settings where
// the environment names none.
func DatabaseOf(s Settings) Database {
	if databaseVariable(os.Getenv) != "" {
		return DatabaseAt("")
	}
	return DatabaseAt(s.Postgres.URL)
}

// CheckInput tells whether patterns of files can be watched.
func CheckInput(patterns []string) error {
	for _, p := range patterns {
		if err := checkPattern(p); err != nil {
			return err
		}
	}
	return nil
}

// checkPattern refuses what no file can match, and a ~, which only a shell
// expands, and not within quotes.
func checkPattern(pattern string) error {
	if strings.HasPrefix(pattern, "~") {
		return fmt.Errorf(`the pattern %q begins with ~, which nobody expands here; write the whole path, or "$HOME/…" for the shell to expand (a name that begins so is ./~…)`, pattern)
	}
	return watchio.Check(pattern)
}

// FileStates are the states of files in the history.
func FileStates() []string { return postgresio.FileStates }

// History returns the files that the filter chooses, the newest first.
func History(ctx context.Context, d Database, filter HistoryFilter) (files []FileHistory, err error) {
	err = ask(ctx, d, func(pool *pgxpool.Pool) error {
		files, err = postgresio.History(ctx, pool, filter)
		return err
	})
	return files, err
}

// EachDeadLetter gives each the dead letters that the filter chooses, the
// newest first.
func EachDeadLetter(ctx context.Context, d Database, filter DeadLetterFilter, each func(DeadLetter) error) error {
	return ask(ctx, d, func(pool *pgxpool.Pool) error { return postgresio.EachDeadLetter(ctx, pool, filter, each) })
}

// Report returns all that is known of each version of a file, the newest
// first.
func Report(ctx context.Context, d Database, path string) (reports []FileReport, err error) {
	paths, err := absolute([]string{path})
	if err != nil {
		return nil, err
	}
	err = ask(ctx, d, func(pool *pgxpool.Pool) error {
		reports, err = postgresio.Report(ctx, pool, paths[0])
		return err
	})
	return reports, err
}

// RetryFile lets a file that failed be loaded again, and returns how many
// versions of it there were. That there were none is an error, which says which
// other tables it has failed for.
func RetryFile(ctx context.Context, s Settings, d Database, path string) (n int64, err error) {
	paths, err := absolute([]string{path})
	if err != nil {
		return 0, err
	}
	err = ask(ctx, d, func(pool *pgxpool.Pool) error {
		n, err = postgresio.RetryFile(ctx, pool, s.Postgres.Table, paths[0])
		if err != nil || n > 0 {
			return err
		}
		files, err := postgresio.History(ctx, pool, HistoryFilter{File: paths[0], States: []string{"failed"}})
		if err != nil {
			return err
		}
		var tables []string
		for _, f := range files {
			if f.File == postgresio.FileName(paths[0]) && !slices.Contains(tables, f.Table) {
				tables = append(tables, f.Table)
			}
		}
		if len(tables) > 0 {
			return fmt.Errorf("no version of %s has failed for the table %s, but for %s: have postgres.table name it", path, s.Postgres.Table, strings.Join(tables, " and "))
		}
		return fmt.Errorf("no version of %s has failed; 'cartstream history' lists the files by their paths", path)
	})
	return n, err
}

// ask opens the database for a question.
func ask(ctx context.Context, d Database, question func(*pgxpool.Pool) error) error {
	pool, err := d.Open(ctx, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	err = question(pool)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && strings.Contains(pg.Message, "cartstream.") && (pg.Code == "42P01" || pg.Code == "3F000") {
		return fmt.Errorf("this database has no schema cartstream yet: nothing was loaded into it; 'cartstream migrate' makes the schema (%w)", err)
	}
	return d.Explain(err)
}
