package csvio

import (
	"context"
	"errors"
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

// endsInQuotes is called at a quote that is not closed by the end of the file.
func (sp *splitter) endsInQuotes(ctx context.Context) error {
	if sp.mayGrow {
		return &unfinishedError{line: sp.cut.line, what: "it ends inside a quoted field"}
	}
	if !sp.warned {
		sp.warned = true
		slog.WarnContext(ctx, "The file ends inside a quoted field, as after a transfer that was cut off; it is loaded as it is",
			"file", sp.source.version.Path, "line", sp.cut.line)
	}
	return nil
}
