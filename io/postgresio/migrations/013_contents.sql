-- A range of a file that is read in sequence has the hash of what was read of the
-- file's own bytes until the range was complete: this many, from its first byte. Null
-- for the others, and for ranges from before this step.
alter table cartstream.ranges add column hashed_bytes bigint;

-- A last row goes with its file.
alter table cartstream.last_rows add column file_id uuid references cartstream.files on delete cascade;
update cartstream.last_rows l set file_id = (
    select f.file_id from cartstream.files f
    where f.table_name = l.table_name and md5(f.file_name) = md5(l.file_name) and f.file_name = l.file_name
        and f.file_size = l.file_size and f.file_modified = l.file_modified
    order by f.begun_order desc
    limit 1
);
delete from cartstream.last_rows l where file_id is null
    or exists (select from cartstream.last_rows n where n.file_id = l.file_id and n.last_row_id > l.last_row_id);
alter table cartstream.last_rows
    drop column last_row_id,
    drop column table_name,
    drop column file_name,
    drop column file_size,
    drop column file_modified,
    add primary key (file_id);

-- How many rows from earlier versions of files the load has found to be wrong.
alter table cartstream.loads add column changed_rows bigint not null default 0;

-- Deleting ranges looks at each load once, however many ranges it had, and emptying
-- the table is the same as deleting all of them.
drop trigger delete_range on cartstream.ranges;
drop function cartstream.delete_range();

create function cartstream.recount_loads() returns trigger
    language plpgsql security definer set search_path = pg_catalog as $$
begin
    delete from cartstream.dead_letters d using gone g
    where d.file_id = g.file_id and d.byte_offset >= g.start_byte and d.byte_offset < g.end_byte;
    update cartstream.loads l
    set records = n.records, inserted = n.inserted, updated = n.updated,
        duplicates = n.duplicates, stale = n.stale, dead_letters = n.dead_letters
    from (
        select t.load_id, coalesce(sum(r.records), 0) as records, coalesce(sum(c.inserted), 0) as inserted,
            coalesce(sum(c.updated), 0) as updated, coalesce(sum(c.duplicates), 0) as duplicates,
            coalesce(sum(c.stale), 0) as stale, coalesce(sum(c.dead_letters), 0) as dead_letters
        from (select distinct load_id from gone) t
        left join cartstream.ranges r using (load_id)
        left join cartstream.range_counts c on c.file_id = r.file_id and c.start_byte = r.start_byte
        group by t.load_id
    ) n
    where l.load_id = n.load_id;
    return null;
end $$;
create trigger recount_loads after delete on cartstream.ranges
    referencing old table as gone
    for each statement execute function cartstream.recount_loads();

create function cartstream.forget_loads() returns trigger
    language plpgsql security definer set search_path = pg_catalog as $$
begin
    delete from cartstream.dead_letters;
    update cartstream.loads
    set records = 0, inserted = 0, updated = 0, duplicates = 0, stale = 0, dead_letters = 0
    where records > 0;
    return null;
end $$;
create trigger forget_loads after truncate on cartstream.ranges
    for each statement execute function cartstream.forget_loads();
