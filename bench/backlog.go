package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// backlogRounds bounds the turns, because the largest backlog takes a minute or more.
const backlogRounds = 3

// backlog starts runs on folders in which 2,000, 20,000 and 200,000 files of one row
// wait, by the default settings, and holds what a file takes of the largest against
// what one takes of the smallest.
func (b *bench) backlog(ctx context.Context) ([]measure, error) {
	sizes := []int{b.rows / 500, b.rows / 50, b.rows / 5}
	start, err := b.startCPU(ctx)
	if err != nil {
		return nil, err
	}
	files, err := b.oneRowFiles(ctx, sizes[len(sizes)-1])
	if err != nil {
		return nil, err
	}
	cpu, seconds := make([][]float64, len(sizes)), make([][]float64, len(sizes))
	for range min(b.rounds, backlogRounds) {
		for i, n := range sizes {
			wall, used, err := b.workOff(ctx, files, n)
			if err != nil {
				return nil, err
			}
			perFile := (used - start).Seconds() * 1000 / float64(n)
			b.say("  %s files: %.1f s, %.3f ms of CPU each", number(float64(n)), wall.Seconds(), perFile)
			cpu[i], seconds[i] = append(cpu[i], perFile), append(seconds[i], wall.Seconds())
		}
	}
	var measures []measure
	all := make([]series, len(sizes))
	for i, n := range sizes {
		name := plural(n, "file")
		all[i] = newSeries(name, "ms", cpu[i]...)
		took := newSeries(name, "s", seconds[i]...)
		measures = append(measures,
			newFigure("a backlog of "+name+" of one row: CPU for each", goal{}, all[i].Median, all[i]),
			newFigure("a backlog of "+name+" of one row: time from start to the last row", goal{}, took.Median, took))
	}
	last := len(sizes) - 1
	what := fmt.Sprintf("CPU for each file of a backlog of %s, against one of %s", number(float64(sizes[last])), number(float64(sizes[0])))
	return append(measures, newRatio(what, goal{1.5, 1.1}, all[last], all[0])), nil
}

// oneRowFiles makes files of one row.
func (b *bench) oneRowFiles(ctx context.Context, n int) (*dataset, error) {
	whole, err := b.newDataset(ctx, dataSpec{rows: n, files: 1})
	if err != nil {
		return nil, err
	}
	return b.cut(whole)
}

// startCPU is what a run uses until it has loaded the only file of its folder.
func (b *bench) startCPU(ctx context.Context) (used time.Duration, err error) {
	dir, err := os.MkdirTemp(b.dir, "start-")
	if err != nil {
		return 0, err
	}
	if _, err := put(dir); err != nil {
		return 0, err
	}
	_, used, err = b.watchUntil(ctx, dir, 1)
	return used, err
}

// workOff has a run load the first n of the files, linked into a folder, into an
// empty table.
func (b *bench) workOff(ctx context.Context, files *dataset, n int) (wall, used time.Duration, err error) {
	dir, err := os.MkdirTemp(b.dir, "backlog-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays goes with the folder around it
	for _, path := range files.files[:n] {
		if err := os.Link(path, filepath.Join(dir, filepath.Base(path))); err != nil {
			return 0, 0, err
		}
	}
	return b.watchUntil(ctx, dir, n)
}

// watchUntil runs on a folder until a table has so many rows, and returns how long that took
// and the CPU that it used.
func (b *bench) watchUntil(ctx context.Context, dir string, rows int) (wall, used time.Duration, err error) {
	d, err := b.server.fresh(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, b.server.drop(ctx, d)) }()
	if err := b.server.checkpoint(ctx); err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	f, err := b.follow(ctx, dir, d)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	if err := f.reaches(ctx, rows); err != nil {
		return 0, 0, err
	}
	wall = time.Since(begin)
	used, err = f.cpu()
	return wall, used, err
}

// reaches waits until the run has loaded so many records.
func (f *follower) reaches(ctx context.Context, records int) error {
	const every = 100 * time.Millisecond
	for last, changed := -1, time.Now(); ; {
		var loaded int
		if err := f.conn.QueryRow(ctx, "select coalesce(sum(records), 0) from cartstream.loads").Scan(&loaded); err != nil {
			return err
		}
		switch {
		case loaded > records:
			return fmt.Errorf("%d records were loaded, want %d", loaded, records)
		case loaded == records:
			return nil
		case loaded != last:
			last, changed = loaded, time.Now()
		case time.Since(changed) > rowBound:
			return fmt.Errorf("%d of %d records are loaded, and no more within %s", loaded, records, rowBound)
		}
		select {
		case <-f.ended:
			return fmt.Errorf("the run ended: %s", f.said())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(every):
		}
	}
}
