-- Which run a load, and what ended a file, are of, so that what a run has done
-- can be told where its workers are other processes. Those from before this step
-- have none.
alter table cartstream.loads add column run text;
alter table cartstream.file_outcomes add column run text;
create index loads_run on cartstream.loads (run);
create index file_outcomes_run on cartstream.file_outcomes (run);

-- What tells this ledger from any other, so that workers in other processes can
-- see that they have the database that was meant.
create table cartstream.ledger_id (id uuid not null);
insert into cartstream.ledger_id values (md5(random()::text || clock_timestamp()::text || pg_backend_pid()::text)::uuid);

---- create above / drop below ----

drop table cartstream.ledger_id;
drop index cartstream.file_outcomes_run;
drop index cartstream.loads_run;
alter table cartstream.file_outcomes drop column run;
alter table cartstream.loads drop column run;
