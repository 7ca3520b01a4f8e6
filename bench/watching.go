package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// latency puts files at random moments and sees how soon their rows are there.
func (b *bench) latency(ctx context.Context) ([]measure, error) {
	intervals := []time.Duration{time.Second, 10 * time.Second}
	if b.short {
		intervals = intervals[:1]
	}
	var measures []measure
	for _, interval := range intervals {
		ms, err := b.latencies(ctx, interval)
		if err != nil {
			return nil, err
		}
		s := newSeries("rename to row", "ms", ms...)
		what := fmt.Sprintf("rename to visible, trigger_interval %s, %d files, ", interval, len(ms))
		measures = append(measures,
			newFigure(what+"p50", goal{50, 15}, s.Median, s),
			newFigure(what+"p99", goal{200, 60}, percentile(ms, 99), s))
	}
	return measures, nil
}

func (b *bench) latencies(ctx context.Context, interval time.Duration) (ms []float64, err error) {
	d, err := b.server.fresh(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "latency-")
	if err != nil {
		return nil, err
	}
	f, err := b.follow(ctx, dir, d, "CARTSTREAM_STREAMING_TRIGGER_INTERVAL="+interval.String())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	if err := f.ready(ctx); err != nil {
		return nil, err
	}
	b.say("  %d files, trigger_interval %s", b.latencyFiles, interval)
	moments := rand.New(rand.NewPCG(seed, 0))
	for range b.latencyFiles {
		if err := wait(ctx, 100*time.Millisecond+time.Duration(moments.Int64N(int64(interval)))); err != nil {
			return nil, err
		}
		key, err := put(dir)
		if err != nil {
			return nil, err
		}
		took, err := f.visible(ctx, key)
		if err != nil {
			return nil, err
		}
		ms = append(ms, took.Seconds()*1000)
	}
	return ms, nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// knownFolder is a folder whose many files are all loaded.
type knownFolder struct {
	dir   string
	files int
	db    database
}

// knownFiles loads a tenth of the rows as files of one row, once.
func (b *bench) knownFiles(ctx context.Context) (*knownFolder, error) {
	if b.known != nil {
		return b.known, nil
	}
	whole, err := b.dataset(ctx, dataSpec{rows: b.rows / 10, files: 1})
	if err != nil {
		return nil, err
	}
	files, err := b.cut(whole)
	if err != nil {
		return nil, err
	}
	d, err := b.server.fresh(ctx)
	if err != nil {
		return nil, err
	}
	b.say("  loading %s files of one row", number(float64(files.rows)))
	if _, err := b.loadInto(ctx, d, b.ours(files)); err != nil {
		return nil, err
	}
	b.known = &knownFolder{dir: files.dir, files: files.rows, db: d}
	return b.known, nil
}

// idle measures a run with nothing to do, by the default settings.
func (b *bench) idle(ctx context.Context) ([]measure, error) {
	d, err := b.server.fresh(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "empty-")
	if err != nil {
		return nil, err
	}
	empty, err := b.idleCPU(ctx, dir, d, true)
	if err != nil {
		return nil, err
	}
	known, err := b.knownFiles(ctx)
	if err != nil {
		return nil, err
	}
	full, err := b.idleCPU(ctx, known.dir, known.db, false)
	if err != nil {
		return nil, err
	}
	g := goal{1, 0.2}
	return []measure{
		newFigure("idle: CPU with an empty folder", g, empty.Median, empty),
		newFigure(fmt.Sprintf("idle: CPU with %s loaded files in it", number(float64(known.files))), g, full.Median, full),
	}, nil
}

// idleCPU is the share of one core that a run takes when all is done.
func (b *bench) idleCPU(ctx context.Context, dir string, d database, clear bool) (s series, err error) {
	f, err := b.follow(ctx, dir, d)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	if err := f.ready(ctx); err != nil {
		return s, err
	}
	if clear {
		if err := removeFiles(dir); err != nil {
			return s, err
		}
	}
	window := time.Duration(b.idleSeconds) * time.Second
	b.say("  idle for %s", window)
	if err := wait(ctx, 2*time.Second); err != nil { // the last file's work ends
		return s, err
	}
	before, err := f.cpu()
	if err != nil {
		return s, err
	}
	if err := wait(ctx, window); err != nil {
		return s, err
	}
	after, err := f.cpu()
	if err != nil {
		return s, err
	}
	return newSeries("cartstream run", "%", 100*(after-before).Seconds()/window.Seconds()), nil
}

func removeFiles(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}

// start measures from the start of the program to the first row of a file that is
// new among many.
func (b *bench) start(ctx context.Context) ([]measure, error) {
	known, err := b.knownFiles(ctx)
	if err != nil {
		return nil, err
	}
	var seconds []float64
	for range b.rounds {
		took, err := b.startAmong(ctx, known)
		if err != nil {
			return nil, err
		}
		b.say("  %.2f s", took.Seconds())
		seconds = append(seconds, took.Seconds())
	}
	s := newSeries("start to row", "s", seconds...)
	what := fmt.Sprintf("a start with %s loaded files until a new file's first row", number(float64(known.files)))
	return []measure{newFigure(what, goal{3, 1}, s.Median, s)}, nil
}

func (b *bench) startAmong(ctx context.Context, known *knownFolder) (took time.Duration, err error) {
	key, err := put(known.dir)
	if err != nil {
		return 0, err
	}
	if err := b.server.checkpoint(ctx); err != nil {
		return 0, err
	}
	f, err := b.follow(ctx, known.dir, known.db)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	return f.visible(ctx, key)
}

// poll runs the watcher's own benchmark, whose folder has 100,000 files.
func (b *bench) poll(ctx context.Context) ([]measure, error) {
	test := command{
		path: "go", args: []string{"test", "-run", "^$", "-bench", "^BenchmarkPoll$", "-count", strconv.Itoa(b.rounds), "./io/watchio"}, dir: b.module,
	}
	u, err := test.run(ctx)
	if err != nil {
		return nil, err
	}
	seconds, err := parseBenchmark(u.stdout)
	if err != nil {
		return nil, err
	}
	s := newSeries("BenchmarkPoll", "s", seconds...)
	return []measure{newFigure("a poll over 100,000 known files", goal{0.2, 0.1}, s.Median, s)}, nil
}

var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark\S+\s+\d+\s+([\d.]+) ns/op`)

// parseBenchmark returns the seconds of an operation of each line.
func parseBenchmark(output []byte) (seconds []float64, err error) {
	for _, m := range benchmarkLine.FindAllSubmatch(output, -1) {
		ns, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return nil, err
		}
		seconds = append(seconds, ns/1e9)
	}
	if seconds == nil {
		return nil, fmt.Errorf("the benchmark gave no figure: %s", bytes.TrimSpace(output))
	}
	return seconds, nil
}
