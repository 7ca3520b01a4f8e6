package watchio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// Comparer is what a Ledger may be besides: one that tells a file that was touched from
// one that was replaced (record.FileState.Suspect). Its methods wait as Lookup does.
type Comparer interface {
	// Contents returns for each file the contents that its path has had with its size,
	// the latest first.
	Contents(ctx context.Context, files []record.File) ([][]record.Content, error)
	// SameContent notes that each of the files has the content of an entry
	// (record.Content.Entry).
	SameContent(ctx context.Context, files []record.File, entries []string) error
	// NewContent notes that the files have another content, which is not loaded.
	NewContent(ctx context.Context, files []record.File) error
}

// defaultCompareFor is how long a look of a watcher compares files, before it leaves the other
// suspect ones to the next look: files that have arrived meanwhile go first.
const defaultCompareFor = time.Second

// compared counts the files that were compared in a row.
type compared struct {
	files        int
	bytes        int64
	told, latest time.Time
}

// tellInterval is how often a long comparison is told of.
const tellInterval = 10 * time.Second

func (c *compared) add(f record.File) {
	now := time.Now()
	if now.Sub(c.latest) >= tellInterval {
		*c = compared{told: now}
	}
	c.files, c.bytes, c.latest = c.files+1, c.bytes+f.Size, now
	if now.Sub(c.told) >= tellInterval {
		c.told = now
		slog.Info("Comparing files whose modification time or attributes have changed with what was loaded of them",
			"files", c.files, "bytes", c.bytes)
	}
}

// compare decides by their content which of the suspect files are those that the ledger
// knows, and corrects the states of the others. A file that cannot be read, or that is
// left to the next look, leaves the queue.
func (l *poll) compare(ctx context.Context, asked []record.File, states []record.FileState) error {
	comparer, ok := l.ledger.(Comparer)
	if !ok {
		return nil
	}
	var suspects []int
	var questions []record.File
	for i, s := range states {
		if s.Suspect {
			suspects, questions = append(suspects, i), append(questions, asked[i])
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	contents, err := comparer.Contents(ctx, questions)
	if err == nil && len(contents) != len(questions) {
		err = fmt.Errorf("it answered for %d", len(contents))
	}
	if err != nil {
		return fmt.Errorf("asking the ledger about the content of %d files: %w", len(questions), err)
	}
	var c comparison
	for n, i := range suspects {
		f := questions[n]
		if l.comparing.IsZero() {
			l.comparing = time.Now()
		} else if l.holds.watching && time.Since(l.comparing) >= l.compareFor {
			l.unqueue(f.Path)
			l.wait(wait{file: f, until: l.now, counted: true})
			continue
		}
		l.compared.add(f)
		switch at, err := findContent(ctx, f, contents[n]); {
		case errors.Is(err, errBeingWritten):
			l.hold(f)
		case err != nil:
			l.setAside(f, err)
		case at >= 0:
			c.same, c.entries, c.places = append(c.same, f), append(c.entries, contents[n][at].Entry), append(c.places, i)
		default:
			if hasSameTime(contents[n]) {
				slog.Info("File was replaced by another one with the same size and modification time; loading it", "file", f.Path)
			}
			c.other = append(c.other, f)
			states[i] = record.FileState{Status: record.StatusLoading, Fingerprint: l.Fingerprint}
		}
	}
	if l.counting {
		return nil
	}
	return c.note(ctx, comparer, l.ledger, states)
}

// comparison is the result for several files.
type comparison struct {
	// same have the content of entries; places are those of their states.
	same    []record.File
	entries []string
	places  []int
	other   []record.File
}

// note tells the ledger, and asks for the states of the entries that the files are.
func (c *comparison) note(ctx context.Context, comparer Comparer, ledger Ledger, states []record.FileState) error {
	if len(c.other) > 0 {
		if err := comparer.NewContent(ctx, c.other); err != nil {
			return err
		}
	}
	if len(c.same) == 0 {
		return nil
	}
	if err := comparer.SameContent(ctx, c.same, c.entries); err != nil {
		return err
	}
	now, err := lookup(ctx, ledger, c.same)
	for n, state := range now {
		states[c.places[n]] = state
	}
	return err
}

func hasSameTime(contents []record.Content) bool {
	return slices.ContainsFunc(contents, func(c record.Content) bool { return c.SameTime })
}

// findContent returns which of the contents a file has, -1 for none. One of which nothing
// was loaded is the file's if no other is. Those of which no hash is known go by the
// modification time.
func findContent(ctx context.Context, f record.File, contents []record.Content) (int, error) {
	before, err := files.Probe(f)
	if err != nil {
		return -1, err
	}
	if before.Writing == files.WritingOpen {
		return -1, errBeingWritten
	}
	found := -1
	for i, c := range contents {
		switch {
		case !c.Known:
			if c.SameTime && found < 0 {
				found = i
			}
			continue
		case len(c.Spans) == 0:
			if !c.Failed && found < 0 {
				found = i
			}
			continue
		}
		same, err := files.Holds(ctx, f.Path, c.Spans)
		if err != nil {
			return -1, err
		}
		if same {
			found = i
			break
		}
	}
	now, err := files.Probe(f)
	if err == nil && now.File != f {
		err = errChangedMeanwhile
	}
	return found, err
}

var errChangedMeanwhile = errors.New("it has changed while it was compared")

var errBeingWritten = errors.New("a process has the file open for writing")

// hold takes a file off the queue that is being written, as ready does.
func (l *poll) hold(f record.File) {
	var until time.Time
	if c, err := l.probe(f); err == nil && c.Writing == files.WritingOpen {
		until, _ = l.judge(c)
	}
	l.unqueue(f.Path)
	l.wait(wait{file: f, until: until, counted: true})
}

// setAside takes a file off the queue that cannot be compared now. The next poll finds
// what has become of it.
func (l *poll) setAside(f record.File, err error) {
	l.unqueue(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, errChangedMeanwhile):
		l.wait(wait{file: f, counted: true, why: err.Error()})
	default:
		l.wait(wait{file: f, counted: true})
		l.unopened.add(files.Problem{Path: f.Path, Err: err})
	}
}
