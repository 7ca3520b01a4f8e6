package postgresio

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// FileReport is all that the ledger knows of a version of a file.
type FileReport struct {
	FileHistory

	Ranges      []RangeReport      `json:"ranges"`
	Outcomes    []OutcomeReport    `json:"outcomes"`
	DeadLetters []DeadLetterReport `json:"dead_letters"`
}

// RangeReport is a range that was committed.
type RangeReport struct {
	Index int64 `json:"index"`
	// Start and End are bytes: of the file, or of what an archive holds.
	Start       int64     `json:"start_byte"`
	End         int64     `json:"end_byte"`
	FirstLine   int64     `json:"first_line"`
	Records     int64     `json:"records"`
	Inserted    int64     `json:"inserted"`
	Updated     int64     `json:"updated"`
	Duplicates  int64     `json:"duplicates"`
	Stale       int64     `json:"stale"`
	DeadLetters int64     `json:"dead_letters"`
	Committed   time.Time `json:"committed_at"`
}

// OutcomeReport is what ended or held up the version as a whole.
type OutcomeReport struct {
	Status  string    `json:"status"`
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Line    *int64    `json:"line,omitempty"`
	Column  *string   `json:"column,omitempty"`
	At      time.Time `json:"at"`
}

// DeadLetterReport counts the version's dead letters of a code and column, and
// shows the first.
type DeadLetterReport struct {
	Code         string  `json:"code"`
	Column       *string `json:"column,omitempty"`
	Count        int64   `json:"count"`
	FirstLine    int64   `json:"first_line"`
	FirstMessage string  `json:"first_message"`
}

const reportedFilesSQL = `
select file_id, ` + historyColumns + `
from cartstream.load_history
where md5(file_name) = md5($1) and file_name = $1
order by begun_order desc`

const rangesSQL = `
select range_index, start_byte, end_byte, first_line, g.records, c.inserted, c.updated, c.duplicates, c.stale, c.dead_letters, l.committed_at
from cartstream.ranges g
join cartstream.range_counts c using (file_id, start_byte)
join cartstream.loads l using (load_id)
where file_id = $1
order by start_byte`

const outcomesSQL = `
select status, code, message || case when sum(left_out) > 0 then format('; %s records are left out', sum(left_out)) else '' end,
	line_number, column_name, min(at)
from cartstream.file_outcomes
where file_id = $1
group by status, code, message, line_number, column_name, case when left_out = 0 then outcome_id end
order by min(outcome_id)`

const deadLettersSQL = `
select code, column_name, count(*), min(line_number), (array_agg(message order by line_number))[1]
from cartstream.dead_letters
where file_id = $1
group by code, column_name
order by 3 desc, 4`

// Report returns what the ledger knows of each version of a file, for every
// table, the newest first; nothing when it knows none.
func Report(ctx context.Context, pool *pgxpool.Pool, path string) (reports []FileReport, err error) {
	err = reading(ctx, pool, func(tx pgx.Tx) error {
		type entry struct {
			ID uuid.UUID
			FileHistory
		}
		name, err := nameFor(ctx, tx.Conn(), path)
		if err != nil {
			return err
		}
		files, err := collect[entry](ctx, tx, reportedFilesSQL, name)
		if err != nil {
			return err
		}
		for _, f := range files {
			f.File = shownName(f.File)
			r := FileReport{FileHistory: f.FileHistory}
			if r.Ranges, err = collect[RangeReport](ctx, tx, rangesSQL, f.ID); err != nil {
				return err
			}
			if r.Outcomes, err = collect[OutcomeReport](ctx, tx, outcomesSQL, f.ID); err != nil {
				return err
			}
			if r.DeadLetters, err = collect[DeadLetterReport](ctx, tx, deadLettersSQL, f.ID); err != nil {
				return err
			}
			reports = append(reports, r)
		}
		return nil
	})
	return reports, err
}

func collect[T any](ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}
