package postgresio

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// counts are the terms of the equation: records = inserted + updated +
// duplicates + stale + dead.
type counts struct {
	records, inserted, updated, duplicates, stale, dead int64
}

func (c *counts) add(o counts) {
	c.records += o.records
	c.inserted += o.inserted
	c.updated += o.updated
	c.duplicates += o.duplicates
	c.stale += o.stale
	c.dead += o.dead
}

// loadResult is what one committed batch did.
type loadResult struct {
	counts
	// ranges are those committed, touched the files they are of, and files
	// those that ended with one of them.
	ranges, touched, files int64
	// bytes are those of the files that the ranges stand for, lost those of what
	// failed.
	bytes, lost        int64
	failed, unreadable []*unit
	hopeless           []*hopeless
	// rejection is PostgreSQL's reason for the last row that it rejected.
	rejection string
	// surprised tells that the table had keys that the run does not remember.
	surprised bool
}

// Totals are what a run has committed so far in this process.
type Totals struct {
	Batches     int64 `json:"batches"`
	Records     int64 `json:"records"`
	Inserted    int64 `json:"inserted"`
	Updated     int64 `json:"updated"`
	Duplicates  int64 `json:"duplicates"`
	Stale       int64 `json:"stale"`
	DeadLetters int64 `json:"dead_letters"`
	// Files counts files whose last range was committed, FailedFiles those that
	// could not be read as a whole, UnreadableFiles the times a file could not
	// be read and was left for later.
	Files           int64 `json:"files"`
	FailedFiles     int64 `json:"failed_files"`
	UnreadableFiles int64 `json:"unreadable_files"`
}

type totals struct {
	mu sync.Mutex
	Totals
}

var allTotals sync.Map // run to *totals

func totalsOf(run string) *totals {
	t, _ := allTotals.LoadOrStore(run, &totals{})
	return t.(*totals)
}

// RunTotals returns what the run has committed so far in this process.
func RunTotals(run string) Totals {
	t := totalsOf(run)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Totals
}

// add counts a committed batch and logs it.
func (t *totals) add(e *engine, r *loadResult, took time.Duration) {
	t.mu.Lock()
	t.Records += r.records
	t.Inserted += r.inserted
	t.Updated += r.updated
	t.Duplicates += r.duplicates
	t.Stale += r.stale
	t.DeadLetters += r.dead
	t.Files += r.files
	t.FailedFiles += int64(len(r.failed))
	t.UnreadableFiles += int64(len(r.unreadable))
	if r.ranges > 0 {
		t.Batches++
	}
	batch := t.Batches
	t.mu.Unlock()
	e.control.Loaded(r.files, r.bytes)
	e.control.Off(int64(len(r.failed)), r.lost)
	if r.ranges > 0 {
		slog.Info(fmt.Sprintf("Batch %d: Processed %d records, inserted %d in %.2fs", batch, r.records, r.inserted, took.Seconds()),
			append(upsertTerms(e.opts.Upsert, r), "duplicates", r.duplicates, "dead_letters", r.dead, "files", r.touched, "table", e.table.name)...)
	}
	for _, h := range r.hopeless {
		h.warn()
	}
	for _, u := range r.failed {
		slog.Error("The file can't be loaded: "+u.fault.Message, "file", u.source.File.Path, "code", u.fault.Code)
	}
	for _, u := range r.unreadable {
		slog.Warn("The file can't be read now and is tried again later: "+u.fault.Message, "file", u.source.File.Path)
	}
}

// upsertTerms are what a log line tells of upserts.
func upsertTerms(u *Upsert, r *loadResult) []any {
	if u == nil {
		return nil
	}
	return []any{"updated", r.updated, "stale", r.stale}
}
