package postgresio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"
	"unsafe"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"golang.org/x/sync/errgroup"

	"github.com/cartstream/cartstream/transforms/record"
)

// The kinds of findings that reading the files again gives.
const (
	// OffFile is a file that does not fit its ranges in the ledger.
	OffFile = "file"
	// OffRowMissing is a record without its row.
	OffRowMissing = "row_missing"
	// OffRowDiffers is a row that is not as its record.
	OffRowDiffers = "row_differs"
	// OffDeadLetterMissing is a record that can't be a row and is no dead letter.
	OffDeadLetterMissing = "dead_letter_missing"
	// OffDeadLetterDiffers is a dead letter that gives another reason, or holds
	// other bytes.
	OffDeadLetterDiffers = "dead_letter_differs"
	// OffDeadLetterUnexplained is a dead letter that no record gives.
	OffDeadLetterUnexplained = "dead_letter_unexplained"
)

// FileCheck reads files again and holds them against the database.
type FileCheck func(ctx context.Context, v *verifier) error

// ReadFunc gives each the records of a file version and the end of each of its
// ranges, in order, as they came to Load when the version was read by the
// fingerprint. clock is the time by which the rules judged a range, by its
// index. A *record.Fault says that the file can't be read as a whole; a
// SkipError that it can't be checked.
type ReadFunc[T any] func(ctx context.Context, file record.File, fingerprint string, clock func(index int64) time.Time, each func(*record.Record[T]) error) error

// SkipError says why a file can't be checked, or not to its end.
type SkipError struct{ Reason string }

func (e *SkipError) Error() string { return e.Reason }

// RereadFiles looks for each record of the table's files in the database: its
// row, with its values, or its dead letter. A record that was a duplicate, and
// any record once there were upserts, has only its key looked for. opts are
// those of Load.
func RereadFiles[T any](read ReadFunc[T], opts ...Option) FileCheck {
	return func(ctx context.Context, v *verifier) error {
		var o loadOptions
		for _, opt := range opts {
			opt(&o)
		}
		fields, err := fieldsOf(reflect.TypeFor[T]())
		if err != nil {
			return err
		}
		if v.table, err = findTable(ctx, v.tx, v.target, o.KeyColumns, fields); err != nil {
			return err
		}
		r := &rereader[T]{verifier: v, read: read}
		if r.unfit = v.table.match(fields, o.KeyColumns, o.Upsert); r.unfit == nil {
			r.encoder, r.unfit = newRowEncoder(fields, v.table, pgtype.NewMap())
		}
		if err := v.begin(ctx); err != nil {
			return err
		}
		return v.eachPage(ctx, r.readPage)
	}
}

// verifier is a verification under way.
type verifier struct {
	v      *Verification
	tx     pgx.Tx
	target string
	table  *table
	// keysOnly tells that rows may have been overwritten since.
	keysOnly bool
	files    int64 // that have ranges
	progress time.Time
}

// begin looks at what holds for all files, and tells of those of other tables.
func (v *verifier) begin(ctx context.Context) error {
	v.keysOnly = v.table.rule.upsert
	var overwritten bool
	if err := v.tx.QueryRow(ctx, `select coalesce(bool_or(updated > 0 or stale > 0), false) from cartstream.loads where table_name = $1`,
		v.table.name).Scan(&overwritten); err != nil {
		return err
	}
	v.keysOnly = v.keysOnly || overwritten
	rows, err := v.tx.Query(ctx, `select table_name, count(*) from cartstream.files where table_name <> $1 group by 1 order by 1`, v.table.name)
	if err != nil {
		return err
	}
	var other string
	var n int64
	if _, err := pgx.ForEachRow(rows, []any{&other, &n}, func() error {
		v.skip(n, NotChecked{Table: other, Reason: fmt.Sprintf("it is another table than %s, which is checked; its files: %d", v.table.name, n)})
		return nil
	}); err != nil {
		return err
	}
	return v.tx.QueryRow(ctx, `select count(*) from cartstream.files f where table_name = $1
		and exists (select from cartstream.ranges g where g.file_id = f.file_id)`, v.table.name).Scan(&v.files)
}

func (v *verifier) skip(files int64, n NotChecked) {
	v.v.mu.Lock()
	defer v.v.mu.Unlock()
	r := v.v.Reread
	r.NotCheckedFiles += files
	if len(r.NotChecked) < v.v.limit {
		r.NotChecked = append(r.NotChecked, n)
	}
}

// ledgerFile is what the ledger has of a file version.
type ledgerFile struct {
	id          uuid.UUID
	order       int64
	name        string
	file        record.File
	fingerprint string
	// replaced is set when a later entry is of a file with the same size and time.
	replaced bool
	ranges   map[int64]*ledgerRange
	// last is the index of the last range, -1 where that is not known.
	last int64
}

// loaded tells that all of the file's ranges are there.
func (f *ledgerFile) loaded() bool { return f.last >= 0 && int64(len(f.ranges)) == f.last+1 }

type ledgerRange struct {
	start, end, index, firstLine, records int64
	last                                  bool
	clock                                 time.Time
	seen                                  bool
}

// filesAtOnce is how many files' entries are held in memory.
const filesAtOnce = 500

// eachPage calls do with the files of the table, some at a time.
func (v *verifier) eachPage(ctx context.Context, do func(context.Context, []*ledgerFile) error) error {
	for after := int64(-1); ; {
		page, err := v.page(ctx, after)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := do(ctx, page); err != nil {
			return err
		}
		if err := v.strayDeadLetters(ctx, page); err != nil {
			return err
		}
		after = page[len(page)-1].order
	}
}

func (v *verifier) page(ctx context.Context, after int64) (page []*ledgerFile, err error) {
	rows, err := v.tx.Query(ctx, `select file_id, begun_order, file_name, file_size, seen_modified, fingerprint,
			exists (select from cartstream.files n where n.table_name = f.table_name and md5(n.file_name) = md5(f.file_name) and n.file_name = f.file_name
				and n.file_size = f.file_size and n.seen_modified = f.seen_modified and n.begun_order > f.begun_order)
		from cartstream.files f
		where table_name = $1 and begun_order > $2 order by begun_order limit $3`, v.table.name, after, filesAtOnce)
	if err != nil {
		return nil, err
	}
	byID := map[uuid.UUID]*ledgerFile{}
	var ids []uuid.UUID
	var f ledgerFile
	var modified time.Time
	if _, err := pgx.ForEachRow(rows, []any{&f.id, &f.order, &f.name, &f.file.Size, &modified, &f.fingerprint, &f.replaced}, func() error {
		one := f
		one.name = shownName(f.name)
		one.file.Path, one.file.Modified = pathOf(f.name), modified.UnixMicro()
		one.ranges, one.last = map[int64]*ledgerRange{}, -1
		page, ids, byID[one.id] = append(page, &one), append(ids, one.id), &one
		return nil
	}); err != nil {
		return nil, err
	}
	// A range from before judged_at was kept was judged not long before its commit.
	rows, err = v.tx.Query(ctx, `select g.file_id, g.start_byte, g.end_byte, g.range_index, g.first_line, g.records, g.is_last,
			coalesce(g.judged_at, l.committed_at, now())
		from cartstream.ranges g left join cartstream.loads l using (load_id) where g.file_id = any($1)`, ids)
	if err != nil {
		return nil, err
	}
	var id uuid.UUID
	var g ledgerRange
	_, err = pgx.ForEachRow(rows, []any{&id, &g.start, &g.end, &g.index, &g.firstLine, &g.records, &g.last, &g.clock}, func() error {
		one := g
		byID[id].ranges[g.index] = &one
		if g.last {
			byID[id].last = g.index
		}
		return nil
	})
	return page, err
}

// strayDeadLetters finds dead letters that lie in no range.
func (v *verifier) strayDeadLetters(ctx context.Context, page []*ledgerFile) error {
	byID := map[uuid.UUID]*ledgerFile{}
	ids := make([]uuid.UUID, len(page))
	for i, f := range page {
		ids[i], byID[f.id] = f.id, f
	}
	rows, err := v.tx.Query(ctx, `select d.file_id, d.line_number, d.code from cartstream.dead_letters d
		left join lateral (select end_byte from cartstream.ranges g where g.file_id = d.file_id and g.start_byte <= d.byte_offset
			order by g.start_byte desc limit 1) g on true
		where d.file_id = any($1) and (g.end_byte is null or g.end_byte <= d.byte_offset) order by 1, 2`, ids)
	if err != nil {
		return err
	}
	var id uuid.UUID
	var line int64
	var code string
	_, err = pgx.ForEachRow(rows, []any{&id, &line, &code}, func() error {
		v.off(byID[id], OffDeadLetterUnexplained, line, "there is a dead letter ("+code+"), and no range that is loaded has its line")
		return nil
	})
	return err
}

func (v *verifier) off(f *ledgerFile, kind string, line int64, problem string) {
	v.v.add(Finding{Kind: kind, Table: v.table.name, File: f.name, Line: line, Problem: problem})
}

// rereader reads files and gathers their ranges.
type rereader[T any] struct {
	*verifier
	read    ReadFunc[T]
	encoder *rowEncoder
	// unfit says why T and the table do not fit. Files of another program's are
	// not checked then, and one of this program's is an error.
	unfit error
	send  func(rereadBatch) error
	batch rereadBatch
}

// rereadUnit is a range that was read again.
type rereadUnit struct {
	unit
	file *ledgerFile
}

// rereadBatch is ranges that are looked for in the database at once.
type rereadBatch struct {
	units   []*rereadUnit
	records int
	bytes   int64
	read    Reread // what it adds
}

// Bounds of a batch. One is looked for while the next is read.
const (
	rereadRecords = 50_000
	rereadBytes   = 8 << 20
)

// readPage reads files in the background and looks for what they hold.
func (r *rereader[T]) readPage(ctx context.Context, page []*ledgerFile) error {
	batches := make(chan rereadBatch)
	g, ctx := errgroup.WithContext(ctx)
	r.send = func(b rereadBatch) error {
		select {
		case batches <- b:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	g.Go(func() error {
		defer close(batches)
		for _, f := range page {
			switch {
			case len(f.ranges) == 0:
				continue
			case f.replaced:
				r.skip(1, NotChecked{Table: r.table.name, File: f.name, Reason: "another file with its size and modification time has taken its place"})
				continue
			}
			if err := r.readFile(ctx, f); err != nil {
				return err
			}
		}
		return r.flush()
	})
	g.Go(func() error {
		for b := range batches {
			if err := r.check(ctx, b); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

func (r *rereader[T]) flush() error {
	b := r.batch
	r.batch = rereadBatch{}
	return r.send(b)
}

// readFile reads a file and compares its ranges with those of the ledger.
func (r *rereader[T]) readFile(ctx context.Context, f *ledgerFile) error {
	var current *rereadUnit
	clock := func(index int64) time.Time {
		if g := f.ranges[index]; g != nil {
			return g.clock
		}
		return time.Now()
	}
	err := r.read(ctx, f.file, f.fingerprint, clock, func(rec *record.Record[T]) error {
		if r.unfit != nil {
			return r.unfit
		}
		rng := rec.Source.Range
		if rec.Data() && f.ranges[rng.Index] == nil {
			return nil
		}
		if current == nil || current.source.Index != rng.Index {
			current = &rereadUnit{unit: unit{source: rng}, file: f}
		}
		switch rec.Kind {
		case record.KindFault:
			current.dead = append(current.dead, rec.DeadLetter())
		case record.KindValue:
			current.addValue(r.encoder, unsafe.Pointer(&rec.Value), rec.Source, rec.Raw)
		default:
			return r.finish(current)
		}
		return nil
	})
	var skip *SkipError
	var fault *record.Fault
	switch {
	case errors.As(err, &skip):
		r.skip(1, NotChecked{Table: r.table.name, File: f.name, Reason: skip.Reason})
		return nil
	case errors.As(err, &fault):
		if f.loaded() {
			r.off(f, OffFile, 0, "the ledger says that it is loaded, and it can't be read: "+fault.Message)
		}
	case err != nil:
		return fmt.Errorf("reading %s again: %w", f.name, err)
	default:
		for _, g := range f.ranges {
			if !g.seen {
				r.off(f, OffFile, g.firstLine, fmt.Sprintf("the ledger has a range %d from byte %d to %d, and the file has no such range", g.index, g.start, g.end))
			}
		}
	}
	r.batch.read.Files++
	r.batch.read.Bytes += f.file.Size
	return nil
}

// finish takes a range whose end has come.
func (r *rereader[T]) finish(u *rereadUnit) error {
	s, g := u.source, u.file.ranges[u.source.Index]
	switch {
	case g == nil && u.file.loaded():
		r.off(u.file, OffFile, s.FirstLine, fmt.Sprintf("no range of the ledger covers bytes %d to %d, with %d records", s.Start, s.End, s.Records))
		return nil
	case g == nil:
		r.batch.read.Pending += s.Records
		return nil
	}
	g.seen = true
	if g.start != s.Start || g.end != s.End || g.firstLine != s.FirstLine || g.records != s.Records || g.last != s.Last {
		r.off(u.file, OffFile, s.FirstLine, fmt.Sprintf("range %d of the ledger has %s, that of the file has %s", g.index,
			extent(g.start, g.end, g.firstLine, g.records, g.last), extent(s.Start, s.End, s.FirstLine, s.Records, s.Last)))
		return nil // whose records are meant, nobody can tell
	}
	b := &r.batch
	b.units = append(b.units, u)
	b.records += len(u.rows) + len(u.dead)
	b.bytes += s.End - s.Start
	b.read.Records += s.Records
	if b.records >= rereadRecords || b.bytes >= rereadBytes {
		return r.flush()
	}
	return nil
}

func extent(start, end, line, records int64, last bool) string {
	text := fmt.Sprintf("bytes %d to %d, %d records from line %d", start, end, records, line)
	if last {
		text += ", the last"
	}
	return text
}

// tell logs how far it is, on long work.
func (v *verifier) tell(ctx context.Context, read Reread) {
	v.v.mu.Lock()
	defer v.v.mu.Unlock()
	r := v.v.Reread
	r.Files += read.Files
	r.Bytes += read.Bytes
	r.Records += read.Records
	r.Pending += read.Pending
	if time.Since(v.progress) >= progressPause {
		v.progress = time.Now()
		slog.InfoContext(ctx, "Reading files again", "files", r.Files, "of", v.files, "records", r.Records, "off", v.v.Off)
	}
}

// progressPause is how long there is no word of long work. A test shortens it.
var progressPause = 10 * time.Second
