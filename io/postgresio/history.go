package postgresio

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// FileHistory is a line of the view cartstream.load_history.
type FileHistory struct {
	Table      string     `json:"table"`
	File       string     `json:"file"`
	Size       int64      `json:"size"`
	Modified   time.Time  `json:"modified"`
	Status     string     `json:"status"`
	Records    int64      `json:"records"`
	Inserted   int64      `json:"inserted"`
	Updated    int64      `json:"updated"`
	Duplicates int64      `json:"duplicates"`
	Stale      int64      `json:"stale"`
	Errors     int64      `json:"errors"`
	FirstError *string    `json:"first_error,omitempty"`
	ErrorLine  *int64     `json:"first_error_line,omitempty"`
	Column     *string    `json:"first_error_column,omitempty"`
	FirstLoad  *time.Time `json:"first_commit_time,omitempty"`
	LastLoad   *time.Time `json:"last_load_time,omitempty"`
}

// FileStates are what FileHistory.Status may be.
var FileStates = []string{"loading", "loaded", "failed", "superseded"}

// HistoryFilter chooses entries of the ledger; its zero value chooses all.
type HistoryFilter struct {
	// States are of FileStates; none is all.
	States []string
	// File is a part of the path, or, with * and ?, a pattern of all of it.
	File string
	// Since leaves out files with which nothing happened since.
	Since time.Time
	// Limit is how many entries there are at most; 0 is all.
	Limit int
}

// historySQL first finds the files by what is cheap to know of all at once;
// the view then looks at each, from the newest on, until there are enough. The
// offsets keep the planner to that order.
const historySQL = `
select ` + historyColumns + `
from (
	select f.file_id from cartstream.files f
	where ($2 = '' or f.file_name like $2)
		and ($3::timestamptz is null or f.begun_at >= $3
			or f.file_id in (select g.file_id from cartstream.loads l join cartstream.ranges g using (load_id) where l.committed_at >= $3)
			or f.file_id in (select file_id from cartstream.file_outcomes where at >= $3))
		and (not $4 or (f.file_id in (
				select file_id from cartstream.ranges
				group by file_id having count(*) = max(range_index) filter (where is_last) + 1)
			) = ('loaded' = any($1)))
	order by f.begun_order desc offset 0
) f cross join lateral (select * from cartstream.load_history where file_id = f.file_id offset 0) h
where $1::text[] = '{}' or h.status = any($1)
limit nullif($5, 0)`

const historyColumns = `table_name, file_name, file_size, file_modified, status, row_parsed, row_count, updated_count, duplicate_count, stale_count, error_count,
	first_error_message, first_error_line_number, first_error_column_name, first_commit_time, last_load_time`

// History returns the entries of the ledger that the filter chooses, the
// newest first.
func History(ctx context.Context, pool *pgxpool.Pool, filter HistoryFilter) (files []FileHistory, err error) {
	states, since := filter.States, &filter.Since
	if states == nil {
		states = []string{}
	}
	if filter.Since.IsZero() {
		since = nil
	}
	err = reading(ctx, pool, func(tx pgx.Tx) error {
		pattern, err := likePattern(ctx, tx.Conn(), filter.File)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, historySQL, states, pattern, since, wantWhole(states), filter.Limit)
		if err != nil {
			return err
		}
		files, err = pgx.CollectRows(rows, pgx.RowToStructByPos[FileHistory])
		for i := range files {
			files[i].File = shownName(files[i].File)
		}
		return err
	})
	return files, err
}

// wantWhole tells whether the states are only loaded, or only others, so that
// files can be told apart by their ranges alone.
func wantWhole(states []string) bool {
	loaded := 0
	for _, s := range states {
		if s == "loaded" {
			loaded++
		}
	}
	return len(states) > 0 && (loaded == 0 || loaded == len(states))
}

// likePattern is what file says, for LIKE on the names in the connection's database.
func likePattern(ctx context.Context, conn *pgx.Conn, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	has, err := repertoireFor(ctx, conn, file)
	if err != nil {
		return "", err
	}
	pattern := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, `*`, `%`, `?`, `_`).Replace(has.pattern(file))
	if strings.ContainsAny(file, "*?") {
		return pattern, nil
	}
	return "%" + pattern + "%", nil
}

// reading asks in a transaction that sees one state of everything and changes
// nothing. Whole tables are read there, and scans are right.
func reading(ctx context.Context, pool *pgxpool.Pool, ask func(pgx.Tx) error) error {
	return inTransaction(ctx, pool, "asking the ledger", beginReading, ask)
}
