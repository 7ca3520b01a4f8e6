package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// bytesPerRow is what a generated event takes in a file.
	bytesPerRow = 123
	// growthMillions is how far the rate is followed.
	growthMillions = 20
)

// largeFile is what became of a large file: the process's usage, and the commits.
type largeFile struct {
	load
	bytes   int64
	commits []commit
}

func (f *largeFile) size() string { return number(float64(f.bytes)/1e9) + " GB" }

// commit is a transaction of the ledger.
type commit struct {
	at      time.Time
	records int
}

// gigabytes has a million rows or so for each 123 MB; with fewer --rows it is
// smaller by as much.
func (b *bench) gigabytes(n int, gzip bool) dataSpec {
	return dataSpec{rows: n * b.rows * 1000 / bytesPerRow, files: 1, gzip: gzip}
}

// loadLarge makes a file, loads it once, and leaves neither the file nor the table.
func (b *bench) loadLarge(ctx context.Context, spec dataSpec) (*largeFile, error) {
	d, err := b.newDataset(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(d.dir) }() // what stays goes with the folder around it
	db, err := b.server.fresh(ctx)
	if err != nil {
		return nil, err
	}
	b.say("  loading %.2f GB, %s rows", float64(d.bytes)/1e9, number(float64(d.rows)))
	l, err := b.loadInto(ctx, db, b.ours(d))
	if err != nil {
		return nil, err
	}
	b.say("  %.0f s, %.0f MB resident", l.wall.Seconds(), float64(l.resident)/1e6)
	commits, err := commitsOf(ctx, db)
	if err != nil {
		return nil, err
	}
	return &largeFile{load: l, bytes: d.bytes, commits: commits}, b.server.drop(ctx, db)
}

// fiveGigabytes is loaded once for all who look at it.
func (b *bench) fiveGigabytes(ctx context.Context) (*largeFile, error) {
	if b.large != nil {
		return b.large, nil
	}
	var err error
	b.large, err = b.loadLarge(ctx, b.gigabytes(5, false))
	return b.large, err
}

// commitsOf reads the ledger, from the beginning of the first transaction on.
func commitsOf(ctx context.Context, d database) ([]commit, error) {
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `select min(committed_at - seconds * interval '1 second'), 0 from cartstream.loads
		union all select committed_at, records from cartstream.loads order by 1`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (c commit, err error) {
		err = r.Scan(&c.at, &c.records)
		return c, err
	})
}

// rateBetween is the rows a second while a table grew from so many rows to so many.
func rateBetween(commits []commit, from, to int) float64 {
	return float64(to-from) / reached(commits, to).Sub(reached(commits, from)).Seconds()
}

// reached is when the table had so many rows, the ones within a transaction being
// spread over the time since the one before.
func reached(commits []commit, rows int) time.Time {
	for i, c := range commits {
		if rows > c.records {
			rows -= c.records
			continue
		}
		if i == 0 {
			return c.at
		}
		before := commits[i-1].at
		return before.Add(time.Duration(float64(c.at.Sub(before)) * float64(rows) / float64(c.records)))
	}
	return commits[len(commits)-1].at
}

func (b *bench) growth(ctx context.Context) ([]measure, error) {
	f, err := b.fiveGigabytes(ctx)
	if err != nil {
		return nil, err
	}
	first := newSeries("first", perSecond, rateBetween(f.commits, 0, b.rows))
	last := newSeries("last", perSecond, rateBetween(f.commits, (growthMillions-1)*b.rows, growthMillions*b.rows))
	what := fmt.Sprintf("the %dth %s rows of one table against the first", growthMillions, number(float64(b.rows)))
	return []measure{newRatio(what, goal{0.7, 0.9}, last, first)}, nil
}

func (b *bench) memory(ctx context.Context) ([]measure, error) {
	one, err := b.loadLarge(ctx, b.gigabytes(1, false))
	if err != nil {
		return nil, err
	}
	five, err := b.fiveGigabytes(ctx)
	if err != nil {
		return nil, err
	}
	gzip, err := b.loadLarge(ctx, b.gigabytes(5, true))
	if err != nil {
		return nil, err
	}
	var measures []measure
	for _, f := range []struct {
		what string
		file *largeFile
	}{
		{"a file of " + one.size(), one},
		{"a file of " + five.size(), five},
		{"the file of " + five.size() + " as a gzip of " + gzip.size(), gzip},
	} {
		s := newSeries("cartstream run", "MB", float64(f.file.resident)/1e6)
		measures = append(measures, newFigure("resident memory, "+f.what, goal{250, 150}, s.Median, s))
	}
	return measures, nil
}
