package generator

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	// chunkBytes is how much is collected for one write.
	chunkBytes = 64 << 10
	// logEvery bounds the log of a fast run to a line a second.
	logEvery = time.Second
	// maxSeed keeps drawn seeds exact in programs whose numbers are all floats.
	maxSeed = 1 << 53
)

// Run writes files of events until a bound of o is reached or ctx ends, which is
// no error: the file in hand is finished first. It returns what was written,
// also when it fails, and writes that to Options.Manifest.
//
// The error is an *OptionError when o is not valid; nothing is written then.
// Otherwise it names the path and what to do, and no half file is left behind,
// hidden or not.
func Run(ctx context.Context, o Options, log *slog.Logger) (Manifest, error) {
	if err := o.Validate(); err != nil {
		return Manifest{}, err
	}
	if err := prepareFolder(o.OutputPath); err != nil {
		return Manifest{}, err
	}
	if o.Manifest != "" {
		if err := prepareManifest(o.Manifest); err != nil {
			return Manifest{}, err
		}
	}
	r := newRun(o, log)
	err := r.files(ctx)
	if o.Manifest != "" {
		err = errors.Join(err, r.manifest.write(o.Manifest))
	}
	log.Info("Generator ended", "files", r.manifest.Totals.Files, "events", r.manifest.Totals.Events, "output_path", o.OutputPath)
	return r.manifest, err
}

// run is the state of one Run.
type run struct {
	options  Options
	source   *source
	clock    *clock
	names    *namer
	manifest Manifest
	log      *slog.Logger
	logged   time.Time
	buf      []byte
}

func newRun(o Options, log *slog.Logger) *run {
	seed := o.Seed
	if seed == 0 {
		seed = 1 + rand.Uint64N(maxSeed)
	}
	c := newClock(o)
	return &run{
		options: o, source: newSource(o, seed), clock: c, names: newNamer(o), log: log,
		manifest: Manifest{Seed: seed, Start: c.now().Truncate(time.Microsecond), Files: []File{}, Totals: newTotals()},
	}
}

func (r *run) files(ctx context.Context) error {
	for r.clock.wait(ctx) {
		events := r.batch()
		if events == 0 {
			return nil
		}
		if err := r.writeFile(events); err != nil {
			return err
		}
		if r.batch() == 0 {
			return nil // no pause after the last file
		}
		r.clock.advance(events)
	}
	return nil
}

// batch returns the number of events of the next file, 0 when there is none.
func (r *run) batch() int64 {
	o, written := r.options, r.manifest.Totals
	if o.Files > 0 && written.Files >= o.Files {
		return 0
	}
	if o.Count > 0 {
		return min(int64(o.BatchSize), o.Count-written.Events)
	}
	return int64(o.BatchSize)
}

func (r *run) writeFile(events int64) error {
	at := r.clock.now()
	f, err := r.names.create(at)
	if err != nil {
		return err
	}
	totals, err := r.fill(f, at.UnixMicro(), events)
	if err != nil {
		return errors.Join(err, f.abort())
	}
	size, err := f.commit()
	if err != nil {
		return errors.Join(err, f.abort())
	}
	r.account(f.name, size, totals)
	return nil
}

// fill writes the header and the events, in chunks, so that a large file takes
// no more memory than a small one.
func (r *run) fill(f *newFile, now, events int64) (Totals, error) {
	totals := newTotals()
	totals.Files = 1
	r.buf = append(r.buf[:0], header...)
	for range events {
		r.buf = r.source.appendRecord(r.buf, now, &totals)
		if len(r.buf) < chunkBytes {
			continue
		}
		if err := f.write(r.buf); err != nil {
			return totals, err
		}
		r.buf = r.buf[:0]
	}
	return totals, f.write(r.buf)
}

func (r *run) account(name string, size int64, t Totals) {
	r.manifest.Totals.add(t)
	// Without a manifest the names are not kept: a run may last for ever.
	if r.options.Manifest != "" {
		r.manifest.Files = append(r.manifest.Files, File{
			Name: name, Bytes: size,
			Events: t.Events, Valid: t.Valid, Duplicates: t.Duplicates, Rejected: t.Rejected(),
		})
	}
	if now := time.Now(); now.Sub(r.logged) >= logEvery {
		r.logged = now
		r.log.Info("Wrote file", "name", name, "events", t.Events,
			"files_so_far", r.manifest.Totals.Files, "events_so_far", r.manifest.Totals.Events)
	}
}
