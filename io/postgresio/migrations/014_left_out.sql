-- How many records of a file were read and left out, because the file has too many dead
-- letters. There is an outcome for each load that met such records.
alter table cartstream.file_outcomes add column left_out bigint not null default 0;

create or replace view cartstream.load_history as
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
    case when r.loaded then d.message else coalesce(o.message || left_out.message, d.message) end as first_error_message,
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
) d on true
left join lateral (
    select case when sum(left_out) > 0 then format('; %s records are left out so far', sum(left_out)) else '' end as message
    from cartstream.file_outcomes
    where file_id = f.file_id and fingerprint = f.fingerprint
) left_out on true;
