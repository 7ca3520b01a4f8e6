package watchio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// Comparer is what a Ledger may be besides: one that tells a file that was touched from
// one that was replaced (record.FileState.Suspect). Its methods wait as Lookup does.
type Comparer interface {
	// Contents returns for each file what shows whether it has the content that the
	// ledger's state is of.
	Contents(ctx context.Context, files []record.File) ([]record.Content, error)
	// SameContent notes that the files have that content.
	SameContent(ctx context.Context, files []record.File) error
	// NewContent notes that the files have another content, which is not loaded.
	NewContent(ctx context.Context, files []record.File) error
}

// compare decides by their content which of the suspect files are those that the ledger
// knows, and corrects the states of the others. A file that cannot be read leaves the
// queue.
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
	var same, other []record.File
	for n, i := range suspects {
		f := questions[n]
		switch is, err := l.hasContent(ctx, f, states[i], contents[n]); {
		case err != nil:
			l.setAside(f, err)
		case is:
			same = append(same, f)
		default:
			if contents[n].SameTime {
				slog.Info("File was replaced by another one with the same size and modification time; loading it", "file", f.Path)
			}
			other = append(other, f)
			states[i] = record.FileState{Status: record.StatusLoading, Fingerprint: l.Fingerprint}
		}
	}
	if l.readOnly {
		return nil
	}
	return errors.Join(note(ctx, same, comparer.SameContent), note(ctx, other, comparer.NewContent))
}

func note(ctx context.Context, files []record.File, do func(context.Context, []record.File) error) error {
	if len(files) == 0 {
		return nil
	}
	return do(ctx, files)
}

// hasContent reports whether a file has the content that a state is of. The content of
// a file that failed before its first range is not known.
func (l *poll) hasContent(ctx context.Context, f record.File, state record.FileState, c record.Content) (bool, error) {
	if !c.Known || state.Status == record.StatusFailed && len(c.Spans) == 0 {
		return c.SameTime && !c.Known, nil
	}
	same, err := files.Holds(ctx, f.Path, c.Spans)
	if err != nil {
		return false, err
	}
	now, err := files.Current(f)
	if err == nil && now != f {
		err = fmt.Errorf("%s has changed while it was compared: %w", f.Path, fs.ErrNotExist)
	}
	return same, err
}

// setAside takes a file off the queue that cannot be compared now. The next poll finds
// what has become of it.
func (l *poll) setAside(f record.File, err error) {
	l.unqueue(f.Path)
	l.wait(wait{file: f, counted: true})
	if !errors.Is(err, fs.ErrNotExist) {
		l.unopened.add(files.Problem{Path: f.Path, Err: err})
	}
}
