-- File ids are random, so that an id from one history of the database (before a
-- failover or a restore, say) never names another file in a later one. What was
-- the id is the order in which files were begun.
drop view cartstream.load_history;

alter table cartstream.files rename column file_id to begun_order;
alter table cartstream.files add column file_id uuid;
update cartstream.files set file_id = md5(random()::text || clock_timestamp()::text || begun_order::text)::uuid;
-- Only now: a publication FOR ALL TABLES refuses updates without a primary key.
alter table cartstream.files drop constraint files_pkey;
alter table cartstream.files add primary key (file_id);
create unique index files_begun_order on cartstream.files (begun_order);

-- A version is a path with a content. Size, modification time, inode and change time
-- are evidence that the content is still the same: what the file had when it was last
-- compared with the entry. Inode and change time are null where they are not known.
alter table cartstream.files
    -- tells entries apart whose contents have size and modification time in common
    add column revision int not null default 0,
    add column seen_modified timestamptz,
    add column seen_inode bigint,
    -- in nanoseconds since 1970-01-01 UTC
    add column seen_changed bigint;
update cartstream.files set seen_modified = file_modified;
alter table cartstream.files alter column seen_modified set not null;
drop index cartstream.files_version;
create unique index files_version on cartstream.files
    (table_name, md5(file_name), file_size, file_modified, revision);

-- A hash (xxHash64) of the file's own bytes that the range covers, from the first byte
-- of the file for its first range. Of a file that is read in sequence only the last
-- range has one, of the whole file. Null for ranges from before this step.
alter table cartstream.ranges add column content_hash bigint;

-- A range, its counts, an outcome and a dead letter cannot exist without their
-- file. Deleting a file from the ledger deletes them too.
alter table cartstream.ranges add column file uuid;
update cartstream.ranges g set file = f.file_id from cartstream.files f where f.begun_order = g.file_id;
delete from cartstream.ranges where file is null;
alter table cartstream.ranges drop column file_id;
alter table cartstream.ranges rename column file to file_id;
alter table cartstream.ranges add primary key (file_id, start_byte),
    add foreign key (file_id) references cartstream.files on delete cascade;

alter table cartstream.range_counts add column file uuid;
update cartstream.range_counts c set file = f.file_id from cartstream.files f where f.begun_order = c.file_id;
delete from cartstream.range_counts c where file is null
    or not exists (select from cartstream.ranges g where g.file_id = c.file and g.start_byte = c.start_byte);
alter table cartstream.range_counts drop column file_id;
alter table cartstream.range_counts rename column file to file_id;
alter table cartstream.range_counts add primary key (file_id, start_byte),
    add foreign key (file_id, start_byte) references cartstream.ranges on delete cascade;

alter table cartstream.file_outcomes add column file uuid;
update cartstream.file_outcomes o set file = f.file_id from cartstream.files f where f.begun_order = o.file_id;
delete from cartstream.file_outcomes where file is null;
alter table cartstream.file_outcomes drop column file_id;
alter table cartstream.file_outcomes rename column file to file_id;
alter table cartstream.file_outcomes alter column file_id set not null,
    add foreign key (file_id) references cartstream.files on delete cascade;
create index file_outcomes_file on cartstream.file_outcomes (file_id, outcome_id desc);

alter table cartstream.dead_letters add column file uuid;
update cartstream.dead_letters d set file = f.file_id from cartstream.files f where f.begun_order = d.file_id;
delete from cartstream.dead_letters where file is null;
alter table cartstream.dead_letters drop column file_id;
alter table cartstream.dead_letters rename column file to file_id;
alter table cartstream.dead_letters alter column file_id set not null,
    add foreign key (file_id) references cartstream.files on delete cascade;
create index dead_letters_file on cartstream.dead_letters (file_id, line_number);

-- How often entries of files or ranges were deleted. A process that finds another
-- number than before forgets what it knows of the ledger.
alter table cartstream.ledger_id add column deletions bigint not null default 0;

create function cartstream.count_deletion() returns trigger
    language plpgsql security definer set search_path = pg_catalog as $$
begin
    update cartstream.ledger_id set deletions = deletions + 1;
    return null;
end $$;
create trigger count_deletion after delete on cartstream.files
    for each statement execute function cartstream.count_deletion();
create trigger count_truncation after truncate on cartstream.files
    for each statement execute function cartstream.count_deletion();
create trigger count_deletion after delete on cartstream.ranges
    for each statement execute function cartstream.count_deletion();
create trigger count_truncation after truncate on cartstream.ranges
    for each statement execute function cartstream.count_deletion();

-- The table that was loaded, by its oid, and how many rows it lacked of those that
-- were inserted when it was last counted: a table that was replaced or truncated is
-- reported once.
create table cartstream.target_tables (
    table_name text primary key,
    table_oid oid not null,
    -- a digest of the numbers of its files, which TRUNCATE changes
    files text not null,
    missing_rows bigint not null,
    counted_at timestamptz not null default clock_timestamp()
);

create view cartstream.load_history as
select
    f.file_id,
    f.begun_order,
    f.table_name,
    f.file_name,
    f.file_size,
    f.file_modified,
    case
        when r.loaded then 'loaded'
        when o.status in ('failed', 'superseded') and o.fingerprint = f.fingerprint then o.status
        when exists (
            select from cartstream.files n
            where n.table_name = f.table_name
                and md5(n.file_name) = md5(f.file_name)
                and n.file_name = f.file_name
                and n.begun_order > f.begun_order
        ) then 'superseded'
        else 'loading'
    end as status,
    coalesce(r.records, 0) as row_parsed,
    coalesce(r.inserted, 0) as row_count,
    coalesce(r.updated, 0) as updated_count,
    coalesce(r.duplicates, 0) as duplicate_count,
    coalesce(r.dead_letters, 0) as error_count,
    case when r.loaded then d.message else coalesce(o.message, d.message) end as first_error_message,
    case when r.loaded or o.message is null then d.line_number else o.line_number end as first_error_line_number,
    case when r.loaded or o.message is null then d.column_name else o.column_name end as first_error_column_name,
    r.first_commit_time,
    r.last_load_time,
    coalesce(r.stale, 0) as stale_count
from cartstream.files f
left join lateral (
    select
        count(*) = max(g.range_index) filter (where g.is_last) + 1 as loaded,
        sum(g.records)::bigint as records,
        sum(c.inserted)::bigint as inserted,
        sum(c.updated)::bigint as updated,
        sum(c.duplicates)::bigint as duplicates,
        sum(c.stale)::bigint as stale,
        sum(c.dead_letters)::bigint as dead_letters,
        min(l.committed_at) as first_commit_time,
        max(l.committed_at) as last_load_time
    from cartstream.ranges g
    join cartstream.range_counts c using (file_id, start_byte)
    join cartstream.loads l using (load_id)
    where g.file_id = f.file_id
) r on true
left join lateral (
    select status, fingerprint, message, line_number, column_name
    from cartstream.file_outcomes
    where file_id = f.file_id
    order by outcome_id desc
    limit 1
) o on true
left join lateral (
    select message, line_number, column_name
    from cartstream.dead_letters
    where file_id = f.file_id
    order by line_number
    limit 1
) d on true;
