package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

func (b *bench) oneFile(ctx context.Context) ([]measure, error) {
	d, err := b.dataset(ctx, dataSpec{rows: b.rows, files: 1})
	if err != nil {
		return nil, err
	}
	m, ours, err := b.besideCopy(ctx, fmt.Sprintf("%s valid rows, one file", number(float64(d.rows))), goal{1.6, 2}, d, d)
	b.oneFileRuns = ours
	return m, err
}

func (b *bench) hundredFiles(ctx context.Context) ([]measure, error) {
	one, err := b.dataset(ctx, dataSpec{rows: b.rows, files: 1})
	if err != nil {
		return nil, err
	}
	d, err := b.dataset(ctx, dataSpec{rows: b.rows, files: 100})
	if err != nil {
		return nil, err
	}
	m, _, err := b.besideCopy(ctx, fmt.Sprintf("the same as 100 files of %s", number(float64(d.rows/100))), goal{1.6, 2}, d, one)
	return m, err
}

func (b *bench) faults(ctx context.Context) ([]measure, error) {
	valid, err := b.dataset(ctx, dataSpec{rows: b.rows, files: 1})
	if err != nil {
		return nil, err
	}
	d, err := b.dataset(ctx, dataSpec{rows: b.rows, files: 1, faults: true})
	if err != nil {
		return nil, err
	}
	m, _, err := b.besideCopy(ctx, "the same with 2% duplicates and 1% invalid", goal{1.4, 1.8}, d, valid)
	for i := range m {
		m[i].Note = `\copy loads as many valid rows, since it can't load these`
	}
	return m, err
}

func (b *bench) smallFiles(ctx context.Context) ([]measure, error) {
	d, err := b.dataset(ctx, b.small())
	if err != nil {
		return nil, err
	}
	m, _, err := b.besideCopy(ctx, fmt.Sprintf("%s files of 100 rows", number(float64(len(d.files)))), goal{2, 3}, d, d)
	for i := range m {
		m[i].Note = `one psql that runs a \copy for each file`
	}
	return m, err
}

// small is a fifth of the rows as files of 100.
func (b *bench) small() dataSpec { return dataSpec{rows: b.rows / 5, files: b.rows / 500} }

// besideCopy loads d by turns with psql's \copy of theirs, and returns what our own
// runs took.
func (b *bench) besideCopy(ctx context.Context, what string, g goal, d, theirs *dataset) ([]measure, []load, error) {
	psql, err := b.copied(theirs)
	if err != nil {
		return nil, nil, err
	}
	return b.beside(ctx, what, g, b.ours(d), psql)
}

// beside has ours and theirs take turns.
func (b *bench) beside(ctx context.Context, what string, g goal, ours, theirs candidate) ([]measure, []load, error) {
	loads, err := b.turns(ctx, ours, theirs)
	if err != nil {
		return nil, nil, err
	}
	return []measure{newRatio(what, g, rates(ours.name, loads[0]), rates(theirs.name, loads[1]))}, loads[0], nil
}

func (b *bench) resend(ctx context.Context) ([]measure, error) {
	d, err := b.dataset(ctx, dataSpec{rows: b.rows, files: 1})
	if err != nil {
		return nil, err
	}
	again := *d
	if again.dir, err = os.MkdirTemp(b.dir, "resend-"); err != nil {
		return nil, err
	}
	if err := os.Link(d.files[0], filepath.Join(again.dir, "again.csv")); err != nil {
		return nil, err
	}
	resend, empty := b.ours(&again), b.ours(d)
	resend.name, resend.prepare = "resend", b.loaded(d)
	empty.name = "empty table"
	m, _, err := b.beside(ctx, "all rows already there, against the empty table", goal{1, 1.4}, resend, empty)
	return m, err
}

func (b *bench) upsert(ctx context.Context) ([]measure, error) {
	d, err := b.dataset(ctx, dataSpec{rows: b.rows, files: 1})
	if err != nil {
		return nil, err
	}
	half, err := b.olderHalf(d)
	if err != nil {
		return nil, err
	}
	mode := "CARTSTREAM_POSTGRES_INSERT_MODE=upsert"
	versions, order, insert := b.ours(d, mode, "CARTSTREAM_POSTGRES_VERSION_COLUMN=event_timestamp"), b.ours(d, mode), b.ours(d)
	versions.name, order.name, insert.name = "upsert by version_column", "upsert in the order of the files", "insert"
	versions.prepare, order.prepare = b.loaded(half), b.loaded(half)
	loads, err := b.turns(ctx, versions, order, insert)
	if err != nil {
		return nil, err
	}
	var measures []measure
	for i, c := range []candidate{versions, order} {
		measures = append(measures, newRatio(c.name+", half of the keys there and older, against insert", goal{0.7, 0.9}, rates(c.name, loads[i]), rates(insert.name, loads[2])))
	}
	return measures, nil
}

func (b *bench) ceiling(ctx context.Context) ([]measure, error) {
	d, err := b.dataset(ctx, dataSpec{rows: b.rows, files: 1})
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	bare := candidate{
		name: "bare loader", rows: d.rows, want: d.distinct,
		command: func(db database) command {
			return command{path: self, args: []string{ceilingName, d.files[0]}, env: db.env, dir: b.dir}
		},
	}
	m, _, err := b.beside(ctx, "share of the ceiling: a bare loader without Beam, validation and ledger", goal{0.75, 0.9}, b.ours(d), bare)
	return m, err
}

func (b *bench) cpu(ctx context.Context) ([]measure, error) {
	d, err := b.dataset(ctx, dataSpec{rows: b.rows, files: 1})
	if err != nil {
		return nil, err
	}
	runs := b.oneFileRuns
	if runs == nil {
		loads, err := b.turns(ctx, b.ours(d))
		if err != nil {
			return nil, err
		}
		runs = loads[0]
	}
	var seconds []float64
	for _, r := range runs {
		seconds = append(seconds, r.cpu.Seconds()/float64(r.rows)*1e6)
	}
	s := newSeries("cartstream run", "s", seconds...)
	return []measure{newFigure("our own CPU, a million rows", goal{2.5, 1.6}, s.Median, s)}, nil
}
