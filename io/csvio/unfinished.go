package csvio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// unfinishedError says that a file may still be written. It is left to a later Work.
type unfinishedError struct {
	// line is where what is unfinished begins, 0 where no line does.
	line int64
	what string
}

func (e *unfinishedError) Error() string { return e.what + " and may still be written" }

// unfinishedFailure makes an unfinishedError the failure of a range.
func unfinishedFailure(r *record.Range, err error) {
	if u := (*unfinishedError)(nil); errors.As(err, &u) {
		r.Failure, r.FailureLine = &record.Fault{Code: record.CodeUnfinished, Message: u.Error()}, u.line
	}
}

// checkClosed returns an error when a process has the file open for writing. Only a
// file's last range needs that: the records before are whole, however the file goes on.
// A writer that opens it later makes another version.
func (s *source) checkClosed(r *record.Range) error {
	if r.Last && s.f != nil && files.WritingOf(s.f) == files.WritingOpen {
		return &unfinishedError{what: "it is open for writing"}
	}
	return nil
}

// strayQuote reports the file's first line that begins a malformed record of several
// lines. It returns an error when more of the record may still be written.
func (sp *splitter) strayQuote(ctx context.Context, it item) error {
	line, end := sp.cut.line, &sp.scan.stray
	open := sp.scan.open(it)
	if open && sp.mayGrow {
		return &unfinishedError{line: line, what: "it ends inside a quoted field"}
	}
	if sp.warned {
		return nil
	}
	sp.warned = true
	log := slog.With("file", sp.source.version.Path, "line", line)
	const consequence = "only this line is rejected, and reading resumes on the next one"
	switch {
	case open:
		log.WarnContext(ctx, "The file ends inside a quoted field, as after a transfer that was cut off; it is loaded as it is")
	case end.state < broken: // at the bound, or at a committed range
		log.WarnContext(ctx, fmt.Sprintf("A quote that opens on line %d is not closed within the %d bytes of a record; ", line, sp.scan.max)+consequence)
	default:
		to := line + int64(end.lines)
		log.WarnContext(ctx, fmt.Sprintf("A quote that opened on line %d ran to line %d, which makes no valid record; ", line, to)+consequence, "to_line", to)
	}
	return nil
}
