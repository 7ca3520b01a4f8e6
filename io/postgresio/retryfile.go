package postgresio

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// RetryFile lets the versions of a file that failed be loaded again, or to their
// end, into the table. It returns how many there were. One that was changed
// while it was read needs no retry: it is loaded when it is there again.
func RetryFile(ctx context.Context, pool *pgxpool.Pool, table, path string) (int64, error) {
	id, err := ParseTable(table)
	if err != nil {
		return 0, err
	}
	var n int64
	err = inTransaction(ctx, pool, "retrying a file", beginWriting, func(tx pgx.Tx) error {
		name, err := nameFor(ctx, tx.Conn(), path)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
with freed as (
	delete from cartstream.file_outcomes o
	using cartstream.files f
	where f.file_id = o.file_id and f.table_name = `+targetSQL+` and md5(f.file_name) = md5($2) and f.file_name = $2
		and o.status = 'failed'
	returning f.file_id
)
select distinct file_id from freed`, id.Sanitize(), name)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}
