package pipeline

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The ranges before an unfinished end are committed after it was found, as often as not.
func TestUnfinishedEndOfALargeFileIsLoadedAfterItsWait(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.options.Settings.Streaming.UnfinishedWait = Duration(2 * time.Second)
		end := p.watch()
		p.addMany(".tmp", 60_000)
		p.appendTo(".tmp", `"a quoted field that is never clo`)
		p.rename(".tmp", "a.csv")
		p.eventually("the whole file", func() bool {
			return p.count(`select count(*) from cartstream.load_history where status = 'loaded'`) == 1
		})
		end()
		if n := p.count(`select count(*) from cartstream.dead_letters`); n != 1 {
			t.Errorf("%d dead letters, want that of the last line", n)
		}
	})
}

// The writer renames its file over a loaded one of the same size before it closes it.
func TestReplacementThatIsStillOpenIsLoadedWhenItIsClosed(t *testing.T) {
	p := newPlace(t, RunnerDirect)
	p.options.Settings.Streaming.TriggerInterval = Duration(2 * time.Second)
	p.write("a.csv", eventsHeader+eventLine(1, "old"))
	end := p.watch()
	p.eventually("the first content", func() bool { return p.count(countRows) == 1 })
	f := p.open(".tmp")
	p.pour(f, eventsHeader+eventLine(2, "new"))
	info, err := os.Stat(filepath.Join(p.dir, "a.csv"))
	if err == nil {
		err = os.Chtimes(filepath.Join(p.dir, ".tmp"), info.ModTime(), info.ModTime())
	}
	if err != nil {
		t.Fatal(err)
	}
	p.rename(".tmp", "a.csv")
	time.Sleep(300 * time.Millisecond) // for a look at the open file
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	p.eventually("the second content", func() bool { return p.count(countRows) == 2 })
	end()
}
