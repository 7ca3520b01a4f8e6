package postgresio

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/transforms/record"
)

var deadLetterColumns = []string{
	"file_id", "table_name", "file_name", "file_modified",
	"line_number", "byte_offset", "column_name", "code", "message", "raw",
}

// writeDeadLetters writes those that came along the line and those of rows
// that PostgreSQL refused.
func (a *attempt) writeDeadLetters(ctx context.Context, tx pgx.Tx) error {
	type letter struct {
		unit *unit
		record.DeadLetter
	}
	var letters []letter
	for _, u := range a.batch.units {
		if a.claimed[u] {
			for _, d := range u.dead {
				letters = append(letters, letter{u, d})
			}
		}
	}
	for i := range a.rejected {
		r := &a.rejected[i]
		letters = append(letters, letter{r.row.unit, record.DeadLetter{
			File: r.row.unit.source.File, Line: r.row.line, Offset: r.row.offset, Raw: r.row.raw(),
			Fault: a.fault(r),
		}})
	}
	if len(letters) == 0 {
		return nil
	}
	texts := make([]string, 0, 4*len(letters))
	for _, l := range letters {
		texts = append(texts, l.File.Path, l.Fault.Column, l.Fault.Code, l.Fault.Message)
	}
	has, err := repertoireFor(ctx, a.conn, texts...)
	if err != nil {
		return err
	}
	rows := make([][]any, len(letters))
	for i, l := range letters {
		rows[i] = a.deadLetterRow(has, l.unit, l.DeadLetter)
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"cartstream", "dead_letters"}, deadLetterColumns, pgx.CopyFromRows(rows))
	return err
}

func (a *attempt) deadLetterRow(has *repertoire, u *unit, d record.DeadLetter) []any {
	var column any
	if d.Fault.Column != "" {
		column = has.text(d.Fault.Column)
	}
	raw := d.Raw
	if raw == nil {
		raw = []byte{}
	}
	return []any{
		a.ids[u], a.e.table.name, has.name(d.File.Path), d.File.ModTime(),
		d.Line, d.Offset, column, has.text(d.Fault.Code), has.text(d.Fault.Message), raw,
	}
}
