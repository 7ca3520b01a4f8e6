package pipeline

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cartstream/cartstream/io/watchio"
)

// Files from before the first run are left alone for ever; what comes while no
// run goes on is loaded by the next one, and is backlog until then.
func TestExistingFilesAreThoseBeforeTheFirstRun(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.options.Settings.Streaming.IncludeExisting = false
		p.add("before.csv")
		p.age("before.csv", time.Hour)
		p.wantBacklog(0)
		if got := p.run(nil); got != (Totals{}) {
			t.Errorf("the first run: got %+v", got)
		}
		p.add("between.csv")
		p.wantBacklog(1)
		if got := p.run(nil); got.Files != 1 || got.Records != 9 {
			t.Errorf("the second run: got %+v", got)
		}
		p.wantBacklog(0)

		// Other patterns have a first run of their own.
		p.add("again.csv")
		p.age("again.csv", 2*watchio.ClockTick)
		input := p.options.Settings.Streaming.Input
		p.options.Settings.Streaming.Input = []string{filepath.Join(p.dir, "more", "*.csv"), input[0]}
		p.wantBacklog(0)
		if got := p.run(nil); got.Files != 0 {
			t.Errorf("the first run with other patterns: got %+v", got)
		}
		p.options.Settings.Streaming.Input = input
		p.wantBacklog(1)
		if got := p.run(nil); got.Files != 1 {
			t.Errorf("the third run with the first patterns: got %+v", got)
		}
	})
}

// age has a file be modified so long ago.
func (p *place) age(name string, age time.Duration) {
	p.Helper()
	at := time.Now().Add(-age)
	if err := os.Chtimes(filepath.Join(p.dir, name), at, at); err != nil {
		p.Fatal(err)
	}
}

// wantBacklog compares the number of files that status tells.
func (p *place) wantBacklog(files int64) {
	p.Helper()
	status, err := ReadStatus(p.Context(), p.options.Settings, p.options.Database, time.Minute)
	if err != nil || status.Backlog.Files != files || (status.Backlog.Bytes > 0) != (files > 0) {
		p.Errorf("the backlog is %+v, %v; want %d files", status, err, files)
	}
}
