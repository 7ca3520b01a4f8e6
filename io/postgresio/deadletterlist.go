package postgresio

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DeadLetter is a line of cartstream.dead_letters.
type DeadLetter struct {
	ID      int64     `json:"id"`
	Table   string    `json:"table"`
	File    string    `json:"file"`
	Line    int64     `json:"line"`
	Offset  int64     `json:"byte_offset"`
	Column  *string   `json:"column,omitempty"`
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Created time.Time `json:"created_at"`
	// Raw holds the record's own bytes, whatever they are.
	Raw []byte `json:"-"`
}

// DeadLetterFilter chooses dead letters; its zero value chooses all that
// nobody has resolved.
type DeadLetterFilter struct {
	// Codes are those wanted; none is all.
	Codes []string
	// File is a part of the path, or, with * and ?, a pattern of all of it.
	File  string
	Since time.Time
	// Limit is how many there are at most; 0 is all.
	Limit int
}

const deadLetterListSQL = `
select id, table_name, file_name, line_number, byte_offset, column_name, code, message, created_at, raw
from cartstream.dead_letters
where resolved_at is null
	and ($1::text[] = '{}' or code = any($1))
	and ($2 = '' or file_name like $2)
	and ($3::timestamptz is null or created_at >= $3)
order by id desc
limit nullif($4, 0)`

// EachDeadLetter gives each the dead letters that the filter chooses, the
// newest first, one at a time; its error ends that.
func EachDeadLetter(ctx context.Context, pool *pgxpool.Pool, filter DeadLetterFilter, each func(DeadLetter) error) error {
	codes, since := filter.Codes, &filter.Since
	if codes == nil {
		codes = []string{}
	}
	if filter.Since.IsZero() {
		since = nil
	}
	return inTransaction(ctx, pool, "asking for dead letters", beginWriting, func(tx pgx.Tx) error {
		pattern, err := likePattern(ctx, tx.Conn(), filter.File)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, deadLetterListSQL, codes, pattern, since, filter.Limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			d, err := pgx.RowToStructByPos[DeadLetter](rows)
			d.File = shownName(d.File)
			if err == nil {
				err = each(d)
			}
			if err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
