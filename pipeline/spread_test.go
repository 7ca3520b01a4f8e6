//go:build e2e

package pipeline

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func init() { Register[visit, meetingRules]() }

// visit is a record of one column.
type visit struct {
	ID int64 `csv:"id" db:"id"`
}

// meetingRules let a record pass when another one is judged at the same time,
// which takes two instances.
type meetingRules struct{}

var meeting struct {
	inside atomic.Int32
	once   sync.Once
	met    chan struct{}
}

func (meetingRules) Apply(_ time.Time, v visit) (visit, error) {
	if meeting.inside.Add(1) > 1 {
		meeting.once.Do(func() { close(meeting.met) })
	}
	defer meeting.inside.Add(-1)
	select {
	case <-meeting.met:
		return v, nil
	case <-time.After(bound):
		return v, errors.New("nobody else came")
	}
}

// TestPrismSpreadsRangesOverInstances has ranges be judged at the same time.
func TestPrismSpreadsRangesOverInstances(t *testing.T) {
	p := newPlace(t, RunnerPrism)
	meeting.met = make(chan struct{})
	for n := range 8 {
		p.write(fmt.Sprintf("%d.csv", n), fmt.Sprintf("id\n%d\n", n))
	}
	p.options.Settings.Postgres.Table = "visits"
	flow := Flow[visit, meetingRules]{Tables: []string{"create table visits (id bigint primary key)"}, Options: p.options}
	if err := flow.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	totals, err := flow.Run(t.Context(), nil)
	if err != nil || totals.Inserted != 8 || totals.DeadLetters != 0 {
		t.Errorf("got %+v, %v", totals, err)
	}
}
