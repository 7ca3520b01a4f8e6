package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// watch runs the pipeline until the function that it returns is called, which returns the
// totals.
func (p *place) watch() (end func() Totals) {
	p.Helper()
	p.options.AvailableNow = false
	drain, ended := make(chan struct{}), make(chan Totals, 1)
	go func() {
		totals, err := Events(p.options).Run(context.Background(), drain)
		if err != nil {
			p.Error(err)
		}
		ended <- totals
	}()
	return func() Totals {
		close(drain)
		return <-ended
	}
}

// appendTo opens a file, appends to it, and closes it.
func (p *place) appendTo(name, content string) {
	p.Helper()
	f := p.open(name)
	p.pour(f, content)
	if err := f.Close(); err != nil {
		p.Fatal(err)
	}
}

func (p *place) open(name string) *os.File {
	p.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, name), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = f.Close() }) // most are closed before
	return f
}

func (p *place) pour(f *os.File, content string) {
	p.Helper()
	if _, err := f.WriteString(content); err != nil {
		p.Fatal(err)
	}
}

// A writer may pause at any byte. As long as it holds the file open, nothing of it is
// stored, by a run that watches or by one that begins at that moment; then all of it is,
// once.
func TestNothingOfAFileThatIsOpenForWritingIsStored(t *testing.T) {
	content := eventsHeader + eventLine(1, "plain") + eventLine(2, "\"two\nlines\"") + eventLine(3, `"""q"", and more"`) +
		strings.Replace(eventLine(4, "dear"), "view,,", "purchase,1234.56,", 1)
	const rows = 4
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		end := p.watch()
		q := *p // the same, for runs that find the file there
		q.options.AvailableNow = true
		f := p.open("a.csv")
		for n := range len(content) {
			p.pour(f, content[n:n+1])
			if n%7 == 0 { // the watcher is still at work
				marker := fmt.Sprint("marker", n, ".csv")
				p.write("."+marker, eventsHeader)
				p.rename("."+marker, marker)
				p.eventually("the marker", func() bool {
					return p.count(`select count(*) from cartstream.load_history where status = 'loaded' and file_name like '%/`+marker+`'`) == 1
				})
			}
			if n%97 == 0 {
				if got := q.run(nil); got.Files != 0 || got.UnreadableFiles != 1 {
					t.Fatalf("after %d bytes a run did %+v; the open file is to be left", n, got)
				}
			}
			if got := p.count(countRows); got != 0 {
				t.Fatalf("after %d bytes, %q, there are %d rows", n, content[:n+1], got)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		p.eventually("the rows", func() bool { return p.count(countRows) == rows })
		totals := end()
		if totals.Records != rows || totals.Inserted != rows || totals.ChangedRows != 0 {
			t.Errorf("got %+v", totals)
		}
		if got := p.count(`select count(*) from cartstream.files where file_name like '%/a.csv'`); got != 1 {
			t.Errorf("the ledger has %d versions of the file, want 1", got)
		}
		if got := p.count(`select count(*) from user_events where price = 1234.56`); got != 1 {
			t.Errorf("%d rows have the price of the file", got)
		}
	})
}

// The same for a writer that closes the file each time, and appends again before the
// wait of its unfinished end is over.
func TestFileIsLoadedWholeIfItIsCompletedInTime(t *testing.T) {
	half := eventsHeader + eventLine(1, "plain") + strings.Split(eventLine(2, "\"a\nb\""), "\n")[0]
	rest := "\nb\"" + strings.SplitN(eventLine(2, "\"a\nb\""), "\nb\"", 2)[1]
	for name, steps := range map[string][]string{
		"in a quoted field":              {half, rest},
		"after a line of a quoted field": {half + "\n", rest[1:]},
		"in the header":                  {eventsHeader[:20], eventsHeader[20:] + eventLine(1, "plain") + eventLine(2, "\"a\nb\"")},
	} {
		t.Run(name, func(t *testing.T) {
			onEachRunner(t, func(t *testing.T, runner string) {
				p := newPlace(t, runner)
				p.options.Settings.Streaming.UnfinishedWait = Duration(time.Hour)
				end := p.watch()
				p.write(".a", steps[0])
				p.rename(".a", "a.csv") // which does not make it whole
				p.eventually("a look", func() bool {
					return p.count(`select count(*) from cartstream.file_outcomes where status = 'unreadable' and code = 'unfinished'`) > 0 ||
						!strings.HasSuffix(steps[0], "\n") // its last line has no end, so it is not even read
				})
				p.appendTo("a.csv", steps[1])
				p.eventually("the rows", func() bool { return p.count(countRows) == 2 })
				if totals := end(); totals.Records != 2 || totals.FailedFiles != 0 {
					t.Errorf("got %+v", totals)
				}
				if got := p.count(`select count(*) from user_events where product_name = E'a\nb'`); got != 1 {
					t.Errorf("%d rows have the quoted field", got)
				}
			})
		})
	}
}

// What a killed transfer has left is loaded in the end, as it is.
func TestUnfinishedFileIsLoadedAfterItsWait(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.options.Settings.Streaming.UnfinishedWait = Duration(2 * time.Second)
		end := p.watch()
		p.write("quoted.csv", eventsHeader+eventLine(1, "plain")+"00000000-0000-4000-8000-000000000002,U,P,\"open\n")
		p.write("header.csv", "event_id,user_id,\"pro\n")
		p.write("archive.csv", "\x1f\x8b\x08\x00\x00\x00\x00\x00")
		held := `select count(distinct file_id) from cartstream.file_outcomes where status = 'unreadable' and code = 'unfinished'`
		p.eventually("a look at each", func() bool { return p.count(held) == 3 })
		if got := p.count(countRows); got != 0 {
			t.Errorf("%d rows, though the last range waits", got)
		}
		p.eventually("the end of each", func() bool {
			return p.count(`select count(*) from cartstream.load_history where status in ('loaded', 'failed')`) == 3
		})
		if totals := end(); totals.Records != 2 || totals.Inserted != 1 || totals.DeadLetters != 1 || totals.FailedFiles != 2 {
			t.Errorf("got %+v", totals)
		}
	})
}

// A file that is appended to all the time is not read from its beginning each time.
func TestFileThatKeepsGrowingIsReadTwiceAtMost(t *testing.T) {
	const begin, more = 20_000, 40
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.addMany("a.csv", begin)
		end := p.watch()
		for n := range more { // the writer's pace
			p.appendTo("a.csv", eventLine(begin+n, "more"))
			time.Sleep(50 * time.Millisecond)
		}
		p.eventually("the rows", func() bool { return p.count(countRows) == begin+more })
		totals := end()
		if totals.Records > 2*(begin+more) || totals.Inserted != begin+more {
			t.Errorf("got %+v, want no more than %d records", totals, 2*(begin+more))
		}
		if versions := p.count(`select count(*) from cartstream.files`); versions > 2 {
			t.Errorf("%d versions were begun", versions)
		}
	})
}
