package watchio

import (
	"context"
	"fmt"
	"testing"

	"github.com/cartstream/cartstream/internal/files"
	"github.com/cartstream/cartstream/transforms/record"
)

// contentLedger takes loaded files for suspect until their content was compared.
type contentLedger struct {
	*memory
	compared map[string]bool
}

func (l contentLedger) Lookup(ctx context.Context, asked []record.File) ([]record.FileState, error) {
	states, err := memoryLedger{Name: l.name}.Lookup(ctx, asked)
	for i, f := range asked {
		states[i].Suspect = states[i].Status == record.StatusLoaded && !l.compared[f.Path]
	}
	return states, err
}

func (l contentLedger) Contents(_ context.Context, asked []record.File) ([][]record.Content, error) {
	contents := make([][]record.Content, len(asked))
	for i := range asked {
		contents[i] = []record.Content{{Known: true, Spans: []record.Span{{End: 1, Hash: files.Hash([]byte("x"))}}}}
	}
	return contents, nil
}

func (l contentLedger) SameContent(_ context.Context, same []record.File, _ []string) error {
	for _, f := range same {
		l.compared[f.Path] = true
	}
	return nil
}

func (l contentLedger) NewContent(context.Context, []record.File) error { return nil }

// Files that were touched are compared a few at a time, so that new ones need not wait.
func TestNewFilesDoNotWaitForTheComparisonOfOthers(t *testing.T) {
	w := newWatcher(t)
	ledger := contentLedger{memory: w.memory, compared: map[string]bool{}}
	w.fn.poller.ledger, w.fn.poller.compareFor = ledger, 0
	for i := range 5 {
		w.memory.loaded(w.write(fmt.Sprint(i)+".csv", "x", i))
	}
	added := w.write("new.csv", "x", 10)
	w.want(added)
	if n := len(ledger.compared); n != 1 {
		t.Errorf("%d files were compared in one look, want 1", n)
	}
	for n := 2; n <= 5; n++ {
		w.want()
		if len(ledger.compared) != n {
			t.Errorf("%d files are compared after %d looks", len(ledger.compared), n)
		}
	}
}
