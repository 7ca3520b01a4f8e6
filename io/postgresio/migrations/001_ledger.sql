-- The ledger. It is append-only: a load only inserts, so that parallel loads
-- of one file never wait for each other's rows. There are no foreign keys
-- within it, because checking them would lock the referenced rows.

-- A version of a file that a load has begun, for one target table.
create table cartstream.files (
    file_id bigint generated always as identity primary key,
    table_name text not null,
    file_name text not null,
    file_size bigint not null,
    file_modified timestamptz not null,
    -- what decides where ranges begin and what a record means
    fingerprint text not null,
    begun_at timestamptz not null default clock_timestamp()
);
-- A path may be longer than an index entry, hence its hash.
create unique index files_version on cartstream.files
    (table_name, md5(file_name), file_size, file_modified);

-- A range that is committed: what it covers, and the load that brought it.
create table cartstream.ranges (
    file_id bigint not null,
    start_byte bigint not null,
    end_byte bigint not null,
    range_index bigint not null,
    first_line bigint not null,
    records bigint not null,
    is_last boolean not null,
    -- read in sequence: its bytes are those of the decoded stream
    unsplit boolean not null,
    load_id uuid not null,
    primary key (file_id, start_byte)
);

-- What became of the records of a range; written with it, in one transaction.
create table cartstream.range_counts (
    file_id bigint not null,
    start_byte bigint not null,
    inserted bigint not null,
    updated bigint not null,
    duplicates bigint not null,
    dead_letters bigint not null,
    primary key (file_id, start_byte)
);

-- A committed transaction. When the reply to COMMIT is lost, its row tells.
create table cartstream.loads (
    load_id uuid primary key,
    table_name text not null,
    records bigint not null,
    inserted bigint not null,
    updated bigint not null,
    duplicates bigint not null,
    dead_letters bigint not null,
    seconds double precision not null,
    committed_at timestamptz not null default clock_timestamp()
);

-- What ended, or held up, a file version as a whole.
create table cartstream.file_outcomes (
    outcome_id bigint generated always as identity primary key,
    file_id bigint not null,
    fingerprint text not null,
    status text not null check (status in ('failed', 'superseded', 'unreadable')),
    code text not null,
    message text not null,
    line_number bigint,
    column_name text,
    at timestamptz not null default clock_timestamp()
);
create index file_outcomes_file on cartstream.file_outcomes (file_id, outcome_id desc);

create table cartstream.dead_letters (
    id bigint generated always as identity primary key,
    file_id bigint not null,
    table_name text not null,
    file_name text not null,
    file_modified timestamptz not null,
    line_number bigint not null,
    byte_offset bigint not null,
    column_name text,
    code text not null,
    message text not null,
    raw bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    resolved_at timestamptz,
    resolution text
);
create index dead_letters_file on cartstream.dead_letters (file_id, line_number);

-- One line for each file version and table.
create view cartstream.load_history as
select
    f.file_id,
    f.table_name,
    f.file_name,
    f.file_size,
    f.file_modified,
    case
        when r.loaded then 'loaded'
        when o.status in ('failed', 'superseded') and o.fingerprint = f.fingerprint then o.status
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
    r.last_load_time
from cartstream.files f
left join lateral (
    select
        count(*) = max(g.range_index) filter (where g.is_last) + 1 as loaded,
        sum(g.records)::bigint as records,
        sum(c.inserted)::bigint as inserted,
        sum(c.updated)::bigint as updated,
        sum(c.duplicates)::bigint as duplicates,
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

---- create above / drop below ----

drop schema cartstream cascade;
