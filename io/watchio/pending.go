package watchio

import (
	"context"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// Pending returns what List would hand on now, oldest first: the backlog. It
// leaves nothing behind, and reads only files whose content may have been replaced.
func Pending[L Ledger](ctx context.Context, pattern string, ledger L, opts ...Option) ([]record.Work, error) {
	s := newSettings(pattern, opts)
	poller, err := newPoller(s, ledger)
	if err != nil {
		return nil, err
	}
	poller.readOnly = true
	look, err := poller.look(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	var pending []record.Work
	for {
		d, ok, err := look.next(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			return pending, nil
		}
		look.take(d)
		pending = append(pending, d.work)
	}
}
