package postgresio

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cartstream/cartstream/transforms/record"
)

// fileEntry is a file version in the ledger.
type fileEntry struct {
	id          uuid.UUID
	fingerprint string
	// suspect is set when the entry may be of another content: the file is not as it was
	// when it was compared with it last.
	suspect bool
}

// fileIDs caches the ledger's entries of files. An entry does not change once a
// range of its file is committed, unless the database's history changes: then
// forget drops all of them.
type fileIDs struct {
	mu sync.Mutex
	m  map[record.File]fileEntry
}

// maxFileIDs bounds what is remembered; what is forgotten is asked for again.
const maxFileIDs = 10_000

func (f *fileIDs) get(file record.File) (fileEntry, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.m[file]
	return e, ok
}

func (f *fileIDs) put(entries map[record.File]fileEntry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.m == nil || len(f.m)+len(entries) > maxFileIDs {
		f.m = make(map[record.File]fileEntry, len(entries))
	}
	for file, e := range entries {
		f.m[file] = e
	}
}

func (f *fileIDs) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.m = nil
}

// enterFileSQL makes entries. One that is there keeps its fingerprint.
var enterFileSQL = `
insert into cartstream.files (table_name, file_id, file_name, file_size, file_modified, seen_modified, seen_inode, seen_changed, fingerprint)
select $1, v.id, v.name, v.size, v.modified, v.modified, nullif(v.inode, 0), nullif(v.changed, 0), v.fingerprint
from unnest($2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[], $6::bigint[], $7::bigint[], $8::text[]) v(id, name, size, modified, inode, changed, fingerprint)
where not exists (` + entryOf("v", "$1") + `)
order by name, size, modified
on conflict (table_name, md5(file_name), file_size, file_modified, revision) do nothing`

// entryOf is a query for the entry of a file version: of those with its path and size
// that had its modification time, the one that was seen with its inode and change
// time, or else the latest.
func entryOf(version, table string) string {
	return `
	select * from cartstream.files f
	where f.table_name = ` + table + ` and md5(f.file_name) = md5(` + version + `.name) and f.file_name = ` + version + `.name
		and f.file_size = ` + version + `.size and ` + version + `.modified in (f.file_modified, f.seen_modified)
	order by ` + sameEvidence(version) + ` desc, f.begun_order desc
	limit 1`
}

// sameEvidence is a condition: the file is as it was when it was last compared with
// the entry f.
func sameEvidence(version string) string {
	return fmt.Sprintf(`(f.seen_modified = %[1]s.modified
		and coalesce(f.seen_inode, 0) = %[1]s.inode and coalesce(f.seen_changed, 0) = %[1]s.changed)`, version)
}

// renewFileSQL gives an entry another fingerprint when all it has is a failure
// under the one that it has: then the file is tried anew. It is the one
// statement of a load that changes what is there, and a rare one.
const renewFileSQL = `
update cartstream.files f set fingerprint = $2
where f.file_id = $1 and f.fingerprint <> $2
	and not exists (select from cartstream.ranges r where r.file_id = f.file_id)
	and exists (select from cartstream.file_outcomes o
		where o.file_id = f.file_id and o.fingerprint = f.fingerprint and o.status = 'failed')`

var readFileSQL = `
select v.place, f.file_id, f.fingerprint, v.changed <> 0 and not ` + sameEvidence("v") + `
from unnest($2::text[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[]) with ordinality v(name, size, modified, inode, changed, place)
cross join lateral (` + entryOf("v", "$1") + `) f`

// enterFiles sees to it that every file of the batch has its entry. It leaves out units
// whose file goes by another fingerprint, because another process with other settings
// loads it, and those whose file may be another content than the entry's, because another
// process entered it as it was before: the watcher compares it and hands it on again.
func (a *attempt) enterFiles(ctx context.Context) error {
	unknown := map[record.File]string{}
	for _, u := range a.batch.units {
		if e, ok := a.e.files.get(u.source.File); (!ok || e.fingerprint != u.source.Fingerprint || e.suspect) && unknown[u.source.File] == "" {
			unknown[u.source.File] = u.source.Fingerprint
		}
	}
	known, err := a.enterUnknown(ctx, unknown)
	if err != nil {
		return err
	}
	refused := map[record.File]bool{}
	for _, u := range a.batch.units {
		entry, ok := known[u.source.File]
		if !ok {
			entry, _ = a.e.files.get(u.source.File)
		}
		switch {
		case entry.fingerprint == u.source.Fingerprint && !entry.suspect:
			a.ids[u] = entry.id
		case refused[u.source.File]:
		case entry.suspect:
			refused[u.source.File] = true
			slog.InfoContext(ctx, "The file has changed since another process began it; what was read of it is left out, and its content is compared",
				"file", u.source.File.Path)
		default:
			refused[u.source.File] = true
			slog.WarnContext(ctx, "The file was begun with other settings; what was read of it is left out",
				"file", u.source.File.Path, "fingerprint", u.source.Fingerprint, "begun_with", entry.fingerprint)
		}
	}
	return nil
}

func (a *attempt) enterUnknown(ctx context.Context, unknown map[record.File]string) (map[record.File]fileEntry, error) {
	if len(unknown) == 0 {
		return nil, nil
	}
	var ids []uuid.UUID
	var fingerprints []string
	v, err := versionsOf(ctx, a.conn, slices.Collect(maps.Keys(unknown)))
	if err != nil {
		return nil, err
	}
	for _, file := range v.files {
		ids, fingerprints = append(ids, uuid.New()), append(fingerprints, unknown[file])
	}
	entries := make(map[record.File]fileEntry, len(unknown))
	err = inOneTrip(ctx, a.conn, func(b *pgx.Batch) {
		b.Queue(enterFileSQL, a.e.table.name, ids, v.names, v.sizes, v.modified, v.inodes, v.changed, fingerprints)
		b.Queue(readFileSQL, a.e.table.name, v.names, v.sizes, v.modified, v.inodes, v.changed).Query(func(rows pgx.Rows) error {
			var place int64
			var e fileEntry
			_, err := pgx.ForEachRow(rows, []any{&place, &e.id, &e.fingerprint, &e.suspect}, func() error {
				entries[v.files[place-1]] = e
				return nil
			})
			return err
		})
	})
	if err == nil && len(entries) != len(unknown) {
		err = fmt.Errorf("the ledger has %d of %d files that were just entered", len(entries), len(unknown))
	}
	if err == nil {
		err = a.renew(ctx, entries, unknown)
	}
	if err == nil {
		a.e.files.put(entries)
	}
	return entries, err
}

// renew gives failed files that are tried anew their new fingerprints.
func (a *attempt) renew(ctx context.Context, entries map[record.File]fileEntry, wanted map[record.File]string) error {
	for file, e := range entries {
		if e.fingerprint == wanted[file] || e.suspect {
			continue
		}
		err := inOneTrip(ctx, a.conn, func(b *pgx.Batch) {
			b.Queue(renewFileSQL, e.id, wanted[file]).Exec(func(tag pgconn.CommandTag) error {
				if tag.RowsAffected() > 0 {
					entries[file] = fileEntry{id: e.id, fingerprint: wanted[file]}
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// versions are file versions as arrays for unnest.
type versions struct {
	files    []record.File
	names    []string
	sizes    []int64
	modified []time.Time
	// inodes and changed are 0 where they are not known.
	inodes, changed []int64
}

// versionsOf has the names of the connection's database.
func versionsOf(ctx context.Context, conn *pgx.Conn, files []record.File) (v versions, err error) {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.Path
		v.sizes, v.modified = append(v.sizes, f.Size), append(v.modified, f.ModTime())
		v.inodes, v.changed = append(v.inodes, int64(f.Inode)), append(v.changed, f.Changed) // the same bits
	}
	v.files = files
	v.names, err = namesFor(ctx, conn, paths...)
	return v, err
}

var claimSQL = `
insert into cartstream.ranges (file_id, start_byte, end_byte, range_index, first_line, lines, records, is_last, unsplit, judged_at, content_hash, hashed_bytes, load_id)
select v.*, $13 from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::boolean[], $9::boolean[], $10::timestamptz[], $11::bigint[], $12::bigint[])
	v(file_id, start_byte, end_byte, range_index, first_line, lines, records, is_last, unsplit, judged_at, content_hash, hashed_bytes)
where v.is_last and v.range_index = 0 or not ` + overBoundSQL + `
order by 1, 2
on conflict do nothing
returning file_id, start_byte`

type rangeKey struct {
	file  uuid.UUID
	start int64
}

// judgedAt is nil for a range whose reader did not say when it began.
func judgedAt(r *record.Range) *time.Time {
	if r.JudgedAt == 0 {
		return nil
	}
	t := time.UnixMicro(r.JudgedAt)
	return &t
}

// isVoid reports whether a unit of ordered upserts was read in an earlier era: files
// before it may be missing now, and are loaded first. The watcher hands its file on
// again.
func (a *attempt) isVoid(u *unit) bool {
	return a.e.table.rule.ordered() && u.source.Era != 0 && u.source.Era != a.era
}

// orNull is nil for 0.
func orNull(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// claim enters the ranges and notes those that are this attempt's. missing
// reports that some were there already.
func (a *attempt) claim(ctx context.Context, tx pgx.Tx, units []*unit) (missing bool, err error) {
	wanted := map[rangeKey]*unit{}
	var files []uuid.UUID
	var starts, ends, indexes, firstLines, lines, records []int64
	var last, unsplit []bool
	var judged []*time.Time
	var hashes, hashed []*int64
	for _, u := range units {
		id, entered := a.ids[u]
		k := rangeKey{id, u.source.Start}
		if u.void = a.isVoid(u); u.void || !entered || u.marker != record.KindRangeEnd || wanted[k] != nil {
			continue
		}
		wanted[k] = u
		s := u.source
		files, starts, ends = append(files, id), append(starts, s.Start), append(ends, s.End)
		indexes, records = append(indexes, s.Index), append(records, s.Records)
		firstLines, lines = append(firstLines, s.FirstLine), append(lines, s.Lines)
		last, unsplit, judged = append(last, s.Last), append(unsplit, s.Unsplit), append(judged, judgedAt(s))
		hashes, hashed = append(hashes, orNull(int64(s.Hash))), append(hashed, orNull(s.HashedBytes)) // the same bits
	}
	if len(wanted) == 0 {
		return false, nil
	}
	rows, err := tx.Query(ctx, claimSQL, files, starts, ends, indexes, firstLines, lines, records, last, unsplit, judged, hashes, hashed, a.batch.id)
	if err != nil {
		return false, err
	}
	var k rangeKey
	var claimed []*unit
	_, err = pgx.ForEachRow(rows, []any{&k.file, &k.start}, func() error {
		claimed = append(claimed, wanted[k])
		return nil
	})
	if err != nil {
		return false, err
	}
	for _, u := range claimed {
		a.claimed[u] = true
	}
	if len(claimed) == len(wanted) {
		return false, nil
	}
	return true, a.leaveOutUnclaimed(ctx, tx, wanted)
}

// enterCounts writes what became of the records of each claimed range.
func (a *attempt) enterCounts(ctx context.Context, tx pgx.Tx) error {
	var files []uuid.UUID
	var starts, ins, upd, dup, old, dead []int64
	var places [][]byte
	for _, u := range a.batch.units {
		if !a.claimed[u] {
			continue
		}
		c := a.countsOf(u)
		if c.inserted+c.updated+c.duplicates+c.stale+c.dead != u.source.Records {
			return fmt.Errorf("counts of %s, byte %d, don't add up: %+v of %d records", u.source.File.Path, u.source.Start, c, u.source.Records)
		}
		files, starts = append(files, a.ids[u]), append(starts, u.source.Start)
		ins, upd = append(ins, c.inserted), append(upd, c.updated)
		dup, old, dead = append(dup, c.duplicates), append(old, c.stale), append(dead, c.dead)
		places = append(places, duplicatePlaces(u))
	}
	if len(files) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `insert into cartstream.range_counts (file_id, start_byte, inserted, updated, duplicates, stale, dead_letters, duplicate_places)
		select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[])`,
		files, starts, ins, upd, dup, old, dead, places)
	return err
}

// enterOutcomeSQL returns whether the ledger had such an outcome before.
const enterOutcomeSQL = `
insert into cartstream.file_outcomes as o (file_id, fingerprint, status, code, message, line_number, column_name, run, left_out)
values ($1, $2, $3, $4, $5, nullif($6::bigint, 0), nullif($7, ''), $8, $9)
returning exists (
	select from cartstream.file_outcomes b where b.file_id = o.file_id and b.status = o.status and b.code = o.code and b.fingerprint = o.fingerprint)`

// enterOutcomes writes what ended, or held up, whole files; once for a file,
// though each range in hand may say that it has changed.
func (a *attempt) enterOutcomes(ctx context.Context, tx pgx.Tx) error {
	status := map[record.Kind]string{
		record.KindFileFailed: "failed", record.KindSuperseded: "superseded", record.KindUnreadable: "unreadable",
	}
	type told struct {
		file uuid.UUID
		kind record.Kind
	}
	seen := map[told]bool{}
	leftOut := map[uuid.UUID]int64{}
	var texts []string
	for _, u := range a.batch.units {
		leftOut[a.ids[u]] += u.leftOut
		if u.fault != nil {
			texts = append(texts, u.fault.Message, u.fault.Column)
		}
	}
	has, err := repertoireFor(ctx, a.conn, texts...)
	if err != nil {
		return err
	}
	for _, u := range a.batch.units {
		id, entered := a.ids[u]
		if !entered || u.marker == record.KindRangeEnd || seen[told{id, u.marker}] {
			continue
		}
		seen[told{id, u.marker}] = true
		fault := u.fault
		if fault == nil {
			fault = &record.Fault{Code: status[u.marker], Message: "the file was changed while it was read; the new version is loaded"}
		}
		if err := tx.QueryRow(ctx, enterOutcomeSQL, id, u.source.Fingerprint, status[u.marker], fault.Code, has.text(fault.Message),
			u.source.FailureLine, has.text(fault.Column), a.e.opts.Run, leftOut[id]).Scan(&u.failedBefore); err != nil {
			return err
		}
	}
	return nil
}

// enterLoad writes the entry by which a lost reply to COMMIT is resolved. It
// reports false when the entry is there: an earlier attempt's COMMIT came
// through, of a load that claims no range and so could not tell before.
func (a *attempt) enterLoad(ctx context.Context, tx pgx.Tx, r *loadResult, took time.Duration) (bool, error) {
	tag, err := tx.Exec(ctx, `insert into cartstream.loads (load_id, table_name, records, inserted, updated, duplicates, stale, dead_letters, changed_rows, seconds, run)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing`,
		a.batch.id, a.e.table.name, r.records, r.inserted, r.updated, r.duplicates, r.stale, r.dead, len(r.changed), took.Seconds(), a.e.opts.Run)
	entered := tag.RowsAffected() == 1
	if err == nil && !entered {
		a.logCommittedBefore(ctx)
	}
	return entered, err
}
