package postgresio

import (
	"fmt"
	"log/slog"

	"github.com/cartstream/cartstream/transforms/record"
)

// hopelessRecords is the least number of records, all of them dead letters, that
// says something about their file.
const hopelessRecords = 10

// hopeless is a file that begins with dead letters only: its encoding, its
// columns or its dialect are others than the settings say.
type hopeless struct {
	unit *unit
	// line and fault are those of the first.
	line  int64
	fault record.Fault
}

// hopelessFile returns nil where there is hope. Only a file's first range is
// looked at: where the rest is no better, once is enough to say it.
func (a *attempt) hopelessFile(u *unit, c counts) *hopeless {
	if u.source.Index != 0 || c.records < hopelessRecords || c.dead < c.records {
		return nil
	}
	h := &hopeless{unit: u}
	if len(u.dead) > 0 {
		h.line, h.fault = u.dead[0].Line, u.dead[0].Fault
	}
	for i := range a.rejected {
		r := &a.rejected[i]
		if r.row.unit == u && (h.line == 0 || r.row.line < h.line) {
			h.line, h.fault = r.row.line, a.fault(r)
		}
	}
	return h
}

func (h *hopeless) warn() {
	s := h.unit.source
	which := "All"
	if !s.Last {
		which = "The first"
	}
	slog.Warn(fmt.Sprintf("%s %d records of the file are dead letters; the first: %s", which, s.Records, h.fault.Message),
		"file", s.File.Path, "line", h.line, "code", h.fault.Code)
}
