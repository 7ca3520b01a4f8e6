-- What happened since a moment is asked for by the time of commit, and from
-- there by the load.
create index loads_committed on cartstream.loads (committed_at);
create index ranges_load on cartstream.ranges (load_id);

---- create above / drop below ----

drop index cartstream.ranges_load;
drop index cartstream.loads_committed;
