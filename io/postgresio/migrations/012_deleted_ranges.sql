-- A range that is deleted from the ledger is loaded again, and so are its dead
-- letters. What its load counted of it goes with it, so that the ledger still adds up.
create function cartstream.delete_range() returns trigger
    language plpgsql security definer set search_path = pg_catalog as $$
begin
    delete from cartstream.dead_letters
    where file_id = old.file_id and byte_offset >= old.start_byte and byte_offset < old.end_byte;
    update cartstream.loads l
    set records = l.records - old.records, inserted = l.inserted - c.inserted, updated = l.updated - c.updated,
        duplicates = l.duplicates - c.duplicates, stale = l.stale - c.stale, dead_letters = l.dead_letters - c.dead_letters
    from cartstream.range_counts c
    where l.load_id = old.load_id and c.file_id = old.file_id and c.start_byte = old.start_byte;
    return old;
end $$;
create trigger delete_range before delete on cartstream.ranges
    for each row execute function cartstream.delete_range();
