package postgresio

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cartstream/cartstream/transforms/record"
)

var deadLetterColumns = []string{
	"file_id", "table_name", "file_name", "file_modified",
	"line_number", "byte_offset", "column_name", "code", "message", "raw",
}

// writeDeadLetters writes those that came along the line and those of rows
// that PostgreSQL refused.
func (a *attempt) writeDeadLetters(ctx context.Context, tx pgx.Tx) error {
	var rows [][]any
	for _, u := range a.batch.units {
		if a.claimed[u] {
			for _, d := range u.dead {
				rows = append(rows, a.deadLetterRow(u, d))
			}
		}
	}
	for _, r := range a.rejected {
		rows = append(rows, a.deadLetterRow(r.row.unit, record.DeadLetter{
			File: r.row.unit.source.File, Line: r.row.line, Offset: r.row.offset, Raw: r.row.raw(),
			Fault: rejectionFault(r.reason, a.e.table.relation),
		}))
	}
	if len(rows) == 0 {
		return nil
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"cartstream", "dead_letters"}, deadLetterColumns, pgx.CopyFromRows(rows))
	return err
}

func (a *attempt) deadLetterRow(u *unit, d record.DeadLetter) []any {
	var column any
	if d.Fault.Column != "" {
		column = validText(d.Fault.Column)
	}
	raw := d.Raw
	if raw == nil {
		raw = []byte{}
	}
	return []any{
		a.ids[u], a.e.table.name, FileName(d.File.Path), d.File.ModTime(),
		d.Line, d.Offset, column, validText(d.Fault.Code), validText(d.Fault.Message), raw,
	}
}

// rejectionFault says why PostgreSQL refused a row.
func rejectionFault(reason *pgconn.PgError, relation string) record.Fault {
	_, column := copyPosition(reason.Where, relation)
	if reason.ColumnName != "" {
		column = reason.ColumnName
	}
	message := reason.Message
	if reason.ConstraintName != "" && !strings.Contains(message, reason.ConstraintName) {
		message += fmt.Sprintf(" (constraint %s)", reason.ConstraintName)
	}
	if reason.Code != "" {
		message += fmt.Sprintf(" (SQLSTATE %s)", reason.Code)
	}
	return record.Fault{Code: record.CodeRejectedByDatabase, Column: column, Message: message}
}

// FileName is a path as the ledger has it. Bytes that are not UTF-8, and NUL, are
// written as \xNN. So is a backslash that would read as the beginning of one, so
// that no two paths have the same name.
func FileName(path string) string {
	if utf8.ValidString(path) && !strings.ContainsAny(path, "\x00\\") {
		return path
	}
	var b strings.Builder
	for len(path) > 0 {
		r, n := utf8.DecodeRuneInString(path)
		if r == utf8.RuneError && n == 1 || r == 0 || r == '\\' && escapedByte.MatchString(path) {
			fmt.Fprintf(&b, `\x%02X`, path[0])
		} else {
			b.WriteString(path[:n])
		}
		path = path[n:]
	}
	return b.String()
}

// pathOf is the inverse of FileName.
func pathOf(name string) string {
	return escapedBytes.ReplaceAllStringFunc(name, func(escaped string) string {
		b, _ := strconv.ParseUint(escaped[2:], 16, 8) // two hexadecimal digits
		return string([]byte{byte(b)})
	})
}

var (
	escapedBytes = regexp.MustCompile(`\\x[0-9A-F]{2}`)
	escapedByte  = regexp.MustCompile(`^\\x[0-9A-F]{2}`)
)

// validText makes a message fit for a text column.
func validText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
