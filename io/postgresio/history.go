package postgresio

import (
	"context"
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
	Errors     int64      `json:"errors"`
	FirstError *string    `json:"first_error,omitempty"`
	ErrorLine  *int64     `json:"first_error_line,omitempty"`
	Column     *string    `json:"first_error_column,omitempty"`
	FirstLoad  *time.Time `json:"first_commit_time,omitempty"`
	LastLoad   *time.Time `json:"last_load_time,omitempty"`
}

const historySQL = `
select table_name, file_name, file_size, file_modified, status, row_parsed, row_count, updated_count, duplicate_count, error_count,
	first_error_message, first_error_line_number, first_error_column_name, first_commit_time, last_load_time
from cartstream.load_history
order by file_id desc
limit nullif($1, 0)`

// History returns the newest entries of the ledger, at most limit, or all when
// limit is 0.
func History(ctx context.Context, pool *pgxpool.Pool, limit int) ([]FileHistory, error) {
	rows, err := pool.Query(ctx, historySQL, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[FileHistory])
}
