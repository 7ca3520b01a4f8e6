package generator

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRun checks what was asked for against what is in the folder; recount says
// whether the manifest agrees.
func TestRun(t *testing.T) {
	faults := func(o *Options) {
		o.DuplicateRate, o.InvalidRate, o.CorruptRate, o.FutureRate = 0.1, 0.1, 0.1, 0.05
	}
	tests := []struct {
		name   string
		change func(*Options)
		// want are the numbers of events in the files, in order.
		want []int64
	}{
		{"files", func(o *Options) { o.Files = 3 }, []int64{100, 100, 100}},
		{"count that divides", func(o *Options) { o.Count = 200 }, []int64{100, 100}},
		{"count that does not", func(o *Options) { o.Count = 250 }, []int64{100, 100, 50}},
		{"files before count", func(o *Options) { o.Files, o.Count = 1, 250 }, []int64{100}},
		{"count before files", func(o *Options) { o.Files, o.Count = 9, 7 }, []int64{7}},
		{"one event a file", func(o *Options) { o.Files, o.BatchSize = 3, 1 }, []int64{1, 1, 1}},
		{"larger than a chunk", func(o *Options) { o.Files, o.BatchSize = 2, 20_000 }, []int64{20_000, 20_000}},
		{"gzip", func(o *Options) { o.Files, o.Gzip = 2, true }, []int64{100, 100}},
		{"rate", func(o *Options) { o.Files, o.Interval, o.Rate = 3, time.Hour, 1e6 }, []int64{100, 100, 100}},
		{"all faults", func(o *Options) { o.Files, o.BatchSize = 5, 1000; faults(o) }, []int64{1000, 1000, 1000, 1000, 1000}},
		{"all faults, gzip", func(o *Options) { o.Files, o.BatchSize, o.Gzip = 2, 5000, true; faults(o) }, []int64{5000, 5000}},
		{"only duplicates", func(o *Options) { o.Files, o.DuplicateRate = 3, 1 }, []int64{100, 100, 100}},
		{"only invalid", func(o *Options) { o.Files, o.InvalidRate = 2, 1 }, []int64{100, 100}},
		{"only corrupt", func(o *Options) { o.Files, o.CorruptRate = 2, 1 }, []int64{100, 100}},
		{"only future", func(o *Options) { o.Files, o.FutureRate = 2, 1 }, []int64{100, 100}},
		{"start given", func(o *Options) { o.Files, o.Start = 2, start; faults(o) }, []int64{100, 100}},
		{"last of February", func(o *Options) {
			o.Files, o.Start = 2, time.Date(2024, 2, 29, 0, 0, 10, 0, time.UTC)
			faults(o)
		}, []int64{100, 100}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t)
			tt.change(&o)
			m := mustRun(t, o)
			var got []int64
			for _, f := range m.Files {
				got = append(got, f.Events)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("events in files %v, want %v", got, tt.want)
			}
			checkManifest(t, o, m)
		})
	}
}

func TestNames(t *testing.T) {
	o := options(t)
	o.Files, o.Start, o.Rate, o.Interval = 3, start, 1000, 0
	o.BatchSize = 1 // a file a millisecond
	if got, want := mustRun(t, o).names(), []string{
		"events_20260129_100000_000001.csv", "events_20260129_100000_000002.csv", "events_20260129_100000_000003.csv",
	}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	o = options(t)
	o.Files, o.Gzip = 1, true
	before := time.Now().UTC().Truncate(time.Second)
	name := mustRun(t, o).names()[0]
	stamp, whole := strings.CutSuffix(name, "_000001.csv.gz")
	at, err := time.Parse("events_20060102_150405", stamp)
	if !whole || err != nil || at.Before(before) || at.After(time.Now()) {
		t.Errorf("%s is not named after the time of its start, %v (%v)", name, before, err)
	}
}

func TestSimulatedClockGoesOnByThePlan(t *testing.T) {
	tests := []struct {
		name     string
		interval time.Duration
		rate     float64
		want     []string
	}{
		{"by interval", 1500 * time.Millisecond, 0, []string{"100000", "100001"}},
		{"by rate", 0, 100, []string{"100000", "100001"}},
		{"by rate, not by interval", time.Hour, 100, []string{"100000", "100001"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.Files, o.Start, o.Interval, o.Rate = 2, start, tt.interval, tt.rate
			var got []string
			for _, name := range mustRun(t, o).names() {
				got = append(got, strings.Split(name, "_")[2])
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("files of %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSameSeedAndStartSameBytes(t *testing.T) {
	for _, zip := range []bool{false, true} {
		o := options(t)
		o.Files, o.Start, o.Seed, o.Gzip = 4, start.Add(123456789*time.Nanosecond), 99, zip
		o.DuplicateRate, o.InvalidRate, o.CorruptRate, o.FutureRate = 0.1, 0.1, 0.1, 0.1
		mustRun(t, o)
		first := contents(t, o.OutputPath)

		o.OutputPath = t.TempDir()
		mustRun(t, o)
		if second := contents(t, o.OutputPath); len(first) != 4 || !equalFiles(first, second) {
			t.Errorf("gzip %v: the second run differs", zip)
		}

		o.OutputPath, o.Seed = t.TempDir(), 100
		mustRun(t, o)
		if other := contents(t, o.OutputPath); equalFiles(first, other) {
			t.Errorf("gzip %v: another seed gives the same events", zip)
		}
	}
}

func TestDrawnSeedBringsTheRunBack(t *testing.T) {
	o := options(t)
	o.Files, o.Start = 2, start
	m := mustRun(t, o)
	first := contents(t, o.OutputPath)
	o.OutputPath, o.Seed, o.Start = t.TempDir(), m.Seed, m.Start
	mustRun(t, o)
	if !equalFiles(first, contents(t, o.OutputPath)) {
		t.Errorf("seed %d and start %v of the manifest give other files", m.Seed, m.Start)
	}
	o.OutputPath, o.Seed = t.TempDir(), 0
	if again := mustRun(t, o); again.Seed == m.Seed {
		t.Errorf("seed %d is drawn twice", m.Seed)
	}
}

func TestSecondRunInTheSameSecondOverwritesNothing(t *testing.T) {
	o := options(t)
	o.Files, o.Start = 3, start
	mustRun(t, o)
	first := contents(t, o.OutputPath)
	o.Seed = 5
	if got, want := mustRun(t, o).names(), []string{
		"events_20260129_100000_000004.csv", "events_20260129_100000_000005.csv", "events_20260129_100000_000006.csv",
	}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for name, text := range first {
		if !bytes.Equal(text, contents(t, o.OutputPath)[name]) {
			t.Errorf("%s was overwritten", name)
		}
	}
}

func TestParallelRunsInOneFolder(t *testing.T) {
	o := options(t)
	o.Files, o.Start, o.Manifest = 50, start, ""
	errs := make(chan error)
	for range 4 {
		go func() {
			_, err := Run(t.Context(), o, slog.New(slog.DiscardHandler))
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	files := contents(t, o.OutputPath)
	if len(files) != 200 {
		t.Errorf("%d files, want 200", len(files))
	}
	for name, text := range files {
		checkWhole(t, name, text, o.BatchSize)
	}
}

func TestLeftoversOfACrashAreLeftAlone(t *testing.T) {
	o := options(t)
	stale := filepath.Join(o.OutputPath, ".tmp_events_20260129_100000_000001.csv")
	if err := os.WriteFile(stale, []byte("half a li"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Files, o.Start = 1, start
	if got := mustRun(t, o).names(); got[0] != "events_20260129_100000_000002.csv" {
		t.Errorf("got %v, want number 2", got)
	}
	if text, err := os.ReadFile(stale); err != nil || string(text) != "half a li" {
		t.Errorf("the stale file is changed: %q, %v", text, err)
	}
}

func TestCancelFinishesTheFileInHand(t *testing.T) {
	o := options(t)
	o.BatchSize = 100_000
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if hidden, _ := filepath.Glob(filepath.Join(o.OutputPath, ".tmp_*")); len(hidden) > 0 {
				return
			}
		}
	}()
	m, err := Run(ctx, o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if m.Totals.Files == 0 {
		t.Error("no file: the one in hand was not finished")
	}
	for name, text := range contents(t, o.OutputPath) {
		checkWhole(t, name, text, o.BatchSize)
	}
	checkManifest(t, o, m)
}

func TestCancelEndsAPause(t *testing.T) {
	o := options(t)
	o.Interval = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	// The first line of the log comes after the first file, before the pause.
	m, err := Run(ctx, o, slog.New(slog.NewTextHandler(writerFunc(func([]byte) { cancel() }), nil)))
	if err != nil || m.Totals.Files != 1 {
		t.Errorf("%d files, %v; want 1 and no error", m.Totals.Files, err)
	}
	checkManifest(t, o, m)
}

func TestCancelledBeforeItStarts(t *testing.T) {
	o := options(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, err := Run(ctx, o, slog.New(slog.DiscardHandler))
	if err != nil || m.Totals.Files != 0 {
		t.Errorf("%d files, %v; want none and no error", m.Totals.Files, err)
	}
	checkManifest(t, o, m)
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	o := options(t)
	o.Files = 200
	began := time.Now()
	if _, err := Run(t.Context(), o, slog.New(slog.NewTextHandler(&out, nil))); err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`msg="Wrote file" name=events_\S+\.csv events=100 `).FindAllString(out.String(), -1)
	if most := 1 + int(time.Since(began)/logEvery); len(lines) < 1 || len(lines) > most {
		t.Errorf("%d lines for files, want 1 to %d:\n%s", len(lines), most, &out)
	}
	if !strings.Contains(out.String(), `msg="Generator ended" files=200 events=20000`) {
		t.Errorf("no line at the end says how many files and events:\n%s", &out)
	}
}

func TestNoManifestKeepsNoNames(t *testing.T) {
	o := options(t)
	o.Files, o.Manifest = 3, ""
	if m := mustRun(t, o); len(m.Files) != 0 || m.Totals.Files != 3 {
		t.Errorf("got %+v", m)
	}
}

func TestInvalidOptionsWriteNothing(t *testing.T) {
	o := options(t)
	o.OutputPath, o.BatchSize = filepath.Join(o.OutputPath, "new"), 0
	_, err := Run(t.Context(), o, slog.New(slog.DiscardHandler))
	var e *OptionError
	if !errors.As(err, &e) {
		t.Errorf("got %v, want an OptionError", err)
	}
	if taken(o.OutputPath) {
		t.Error("the folder is made")
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
