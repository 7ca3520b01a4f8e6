package watchio

import (
	"context"
	"math"
	"time"

	"github.com/cartstream/cartstream/transforms/record"
)

// Pending returns what List would hand on now, oldest first: the backlog. It
// reads no file, and leaves nothing behind.
func Pending[L Ledger](ctx context.Context, pattern string, ledger L, opts ...Option) ([]record.Work, error) {
	s := newSettings(pattern, opts)
	poller, err := newPoller(s, ledger)
	if err != nil {
		return nil, err
	}
	look, err := poller.look(ctx, time.Now(), nil, math.MaxInt)
	if err != nil {
		return nil, err
	}
	var pending []record.Work
	for d, err := range look.due(ctx) {
		if err != nil {
			return nil, err
		}
		pending = append(pending, d.work)
	}
	return pending, nil
}
