package postgresio

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/cartstream/cartstream/transforms/record"
)

const evidenceSQL = `unnest($2::text[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[]) with ordinality v(name, size, modified, inode, changed, place)`

// maxContents bounds the entries of a path and size that a file is compared with.
const maxContents = 8

var contentsSQL = `
select v.place, f.file_id, v.modified in (f.file_modified, f.seen_modified), f.failed, r.hashed,
	coalesce(r.starts, '{}'), coalesce(r.ends, '{}'), coalesce(r.hashes, '{}')
from ` + evidenceSQL + `
cross join lateral (
	select f.*, coalesce((select o.status = 'failed' from cartstream.file_outcomes o where o.file_id = f.file_id order by o.outcome_id desc limit 1), false) as failed
	from cartstream.files f
	where f.table_name = ` + targetSQL + ` and md5(f.file_name) = md5(v.name) and f.file_size = v.size and f.file_name = v.name
	order by f.begun_order desc
	limit ` + fmt.Sprint(maxContents) + `
) f
cross join lateral (
	select count(*) = count(content_hash) or coalesce(bool_or(unsplit and is_last and content_hash is not null), false) as hashed,
		array_agg(case when unsplit or range_index = 0 then 0 else start_byte end order by start_byte) filter (where content_hash is not null) as starts,
		array_agg(case when unsplit then coalesce(hashed_bytes, f.file_size) else end_byte end order by start_byte) filter (where content_hash is not null) as ends,
		array_agg(content_hash order by start_byte) filter (where content_hash is not null) as hashes
	from cartstream.ranges where file_id = f.file_id
) r
order by v.place, f.begun_order desc`

// Contents returns for each of the files what the ledger knows of the contents that its
// path has had with its size, the latest first.
func (l Ledger) Contents(ctx context.Context, files []record.File) (contents [][]record.Content, err error) {
	err = l.ask(ctx, "asking for the hashes of files", func(ctx context.Context, tx pgx.Tx, target string) error {
		v, err := versionsOf(ctx, tx.Conn(), files)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, contentsSQL, target, v.names, v.sizes, v.modified, v.inodes, v.changed)
		if err != nil {
			return err
		}
		contents = make([][]record.Content, len(files))
		var place int64
		var id uuid.UUID
		var c record.Content
		var starts, ends, hashes []int64
		_, err = pgx.ForEachRow(rows, []any{&place, &id, &c.SameTime, &c.Failed, &c.Known, &starts, &ends, &hashes}, func() error {
			c.Entry, c.Spans = id.String(), nil
			for i := range starts {
				c.Spans = append(c.Spans, record.Span{Start: starts[i], End: ends[i], Hash: uint64(hashes[i])})
			}
			contents[place-1] = append(contents[place-1], c)
			starts, ends, hashes = nil, nil, nil
			return nil
		})
		return err
	})
	return contents, err
}

var sameContentSQL = `
update cartstream.files f
set seen_modified = v.modified, seen_inode = nullif(v.inode, 0), seen_changed = nullif(v.changed, 0)
from ` + evidenceSQL + `
join unnest($7::text[]) with ordinality i(id, place) using (place)
where f.file_id = i.id::uuid and f.table_name = ` + targetSQL

// SameContent notes that files that were suspect have the content of entries of the
// ledger (record.Content.Entry).
func (l Ledger) SameContent(ctx context.Context, files []record.File, entries []string) error {
	return l.ask(ctx, "noting that files are unchanged", func(ctx context.Context, tx pgx.Tx, target string) error {
		v, err := versionsOf(ctx, tx.Conn(), files)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, sameContentSQL, target, v.names, v.sizes, v.modified, v.inodes, v.changed, entries)
		return err
	})
}

var newContentSQL = `
insert into cartstream.files (table_name, file_id, file_name, file_size, file_modified, revision, seen_modified, seen_inode, seen_changed, fingerprint)
select ` + targetSQL + `, i.id, v.name, v.size, v.modified,
	coalesce((select max(f.revision) + 1 from cartstream.files f
		where f.table_name = ` + targetSQL + ` and md5(f.file_name) = md5(v.name) and f.file_size = v.size and f.file_modified = v.modified), 0),
	v.modified, nullif(v.inode, 0), nullif(v.changed, 0), $7
from ` + evidenceSQL + `
join unnest($8::uuid[]) with ordinality i(id, place) using (place)
on conflict do nothing`

// NewContent makes entries of their own for files that were suspect and have another
// content than the ledger's entries. They are loaded with the fingerprint.
func (l Ledger) NewContent(ctx context.Context, files []record.File) error {
	return l.ask(ctx, "entering files that were replaced", func(ctx context.Context, tx pgx.Tx, target string) error {
		v, err := versionsOf(ctx, tx.Conn(), files)
		if err != nil {
			return err
		}
		ids := make([]uuid.UUID, len(files))
		for i := range ids {
			ids[i] = uuid.New()
		}
		_, err = tx.Exec(ctx, newContentSQL, target, v.names, v.sizes, v.modified, v.inodes, v.changed, l.Fingerprint, ids)
		return err
	})
}
