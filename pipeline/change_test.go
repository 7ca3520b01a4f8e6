package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// largeFile writes a file of 20 ranges, of some 2,000 records and 8 MiB each, and
// has PostgreSQL hold, until release is called, every batch that comes after the
// first was committed. What is in hand then, in batches of 32 MiB, is half of it.
func (p *place) largeFile(name string) (release func()) {
	p.Helper()
	var b strings.Builder
	b.WriteString(eventsHeader)
	name4000 := strings.Repeat("x", 4000)
	for n := range 40_000 {
		b.WriteString(eventLine(n, name4000))
	}
	p.write(name, b.String())
	gate := p.connect()
	gate.exec(`select pg_advisory_lock(1);
		create function hold() returns trigger language plpgsql as $$ begin
			if exists (select from cartstream.loads) then perform pg_advisory_xact_lock_shared(1); end if;
			return null;
		end $$;
		create trigger hold before insert on user_events for each statement execute function hold()`)
	return func() { gate.exec(`select pg_advisory_unlock(1)`) }
}

const eventsHeader = "event_id,user_id,product_id,product_name,product_category,event_type,price,event_timestamp\n"

func eventLine(n int, name string) string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012d,U,P,%s,C,view,,2024-01-29 10:00:00\n", n, name)
}

func (p *place) write(name, content string) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600); err != nil {
		p.Fatal(err)
	}
}

// held waits until something of the file is committed and the rest is held.
func (p *place) held() {
	p.Helper()
	p.eventually("a committed range, and one that is held", func() bool {
		return p.count(`select count(*) from cartstream.ranges`) > 0 && p.count(`select count(*) from pg_locks where locktype = 'advisory' and not granted
			and database = (select oid from pg_database where datname = current_database())`) > 0
	})
}

// rewrite writes other content in place: 10 events, 5 of which the old content
// has too.
func (p *place) rewrite(name string) {
	p.Helper()
	content := eventsHeader
	for n := range 10 {
		content += eventLine(39_995+n, "new")
	}
	p.write(name, content)
}

// superseded checks what became of the large file and its rewritten version.
func (p *place) superseded() {
	p.Helper()
	files, err := History(p.Context(), p.options.Database, HistoryFilter{})
	if err != nil || len(files) < 2 { // in between, the empty file may have been seen
		p.Fatalf("%+v %v", files, err)
	}
	now, before := files[0], files[len(files)-1]
	if before.Status != "superseded" || before.Inserted < 2000 || before.Inserted != before.Records || before.Inserted >= 40_000 {
		p.Errorf("the old version: %+v", before)
	}
	if now.Status != "loaded" || now.Records != 10 || now.Inserted+now.Duplicates != 10 {
		p.Errorf("the new version: %+v", now)
	}
	if got, want := p.count(countRows), int(before.Inserted+now.Inserted); got != want {
		p.Errorf("%d rows, want %d", got, want)
	}
	v, err := Events(p.options).Verify(p.Context(), &VerifyOptions{Files: true})
	if err != nil || len(v.Findings) > 0 {
		p.Errorf("%+v %v", v, err)
	}
}

const countNew = `select count(*) from cartstream.load_history where status = 'loaded' and row_parsed = 10`

// A file that is rewritten in place in the middle of its load: what was
// committed stays, the rest is dropped, the new version is loaded whole. On
// direct it is Split that finds out, on prism, where it has ended by then, Read.
func TestFileThatChangesWhileItIsRead(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.options.AvailableNow = false
		release := p.largeFile("a.csv")
		drain, ended := make(chan struct{}), make(chan error)
		go func() {
			_, err := Events(p.options).Run(context.Background(), drain)
			ended <- err
		}()
		p.held()
		p.rewrite("a.csv")
		release()
		p.eventually("the new version", func() bool { return p.count(countNew) == 1 })
		close(drain)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		p.superseded()
		if n := p.count(`select count(*) from cartstream.file_outcomes where status = 'superseded'`); n == 0 {
			t.Error("the change was not seen while the file was read")
		}
	})
}

// endInTheMiddle runs until some ranges of a large file are committed, and ends
// the run hard.
func (p *place) endInTheMiddle(name string) {
	p.Helper()
	release := p.largeFile(name)
	ctx, cancel := context.WithCancelCause(p.Context())
	ended := make(chan error)
	go func() {
		_, err := Events(p.options).Run(ctx, nil)
		ended <- err
	}()
	p.held()
	why := errors.New("the reason")
	cancel(why)
	if err := <-ended; !errors.Is(err, why) {
		p.Fatal(err)
	}
	release()
}

// The same where nobody sees the change.
func TestFileThatChangesBetweenTwoRuns(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.endInTheMiddle("a.csv")
		p.rewrite("a.csv")
		p.run(nil)
		p.superseded()
	})
}

// A file that is taken away half loaded, replaced, and put back as it was, is
// finished in the end.
func TestFileThatIsPutBack(t *testing.T) {
	onEachRunner(t, func(t *testing.T, runner string) {
		p := newPlace(t, runner)
		p.endInTheMiddle("a.csv")
		p.rename("a.csv", "elsewhere")
		if got := p.run(nil); got != (Totals{}) {
			t.Errorf("the file is gone: got %+v", got)
		}
		p.wantBacklog(0)
		if files, err := History(t.Context(), p.options.Database, HistoryFilter{}); err != nil || files[0].Status != "loading" {
			t.Errorf("the file is gone: %+v %v", files, err)
		}
		p.rewrite("a.csv")
		p.run(nil)
		p.superseded()
		p.rename("elsewhere", "a.csv")
		p.wantBacklog(1)
		p.run(nil)
		files, err := History(t.Context(), p.options.Database, HistoryFilter{})
		if err != nil || len(files) != 2 || files[1].Status != "loaded" || files[1].Records != 40_000 {
			t.Errorf("the file is back: %+v %v", files, err)
		}
		v, err := Events(p.options).Verify(t.Context(), &VerifyOptions{Files: true})
		if err != nil || len(v.Findings) > 0 {
			t.Errorf("%+v %v", v, err)
		}
	})
}

func (p *place) rename(from, to string) {
	p.Helper()
	if err := os.Rename(filepath.Join(p.dir, from), filepath.Join(p.dir, to)); err != nil {
		p.Fatal(err)
	}
}
