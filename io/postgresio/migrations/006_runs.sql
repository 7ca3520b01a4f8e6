-- Which run a load, and what ended a file, are of, so that what a run has done
-- can be told where its workers are other processes. Those from before this step
-- have none.
alter table cartstream.loads add column run text;
alter table cartstream.file_outcomes add column run text;
create index loads_run on cartstream.loads (run);
create index file_outcomes_run on cartstream.file_outcomes (run);

---- create above / drop below ----

drop index cartstream.file_outcomes_run;
drop index cartstream.loads_run;
alter table cartstream.file_outcomes drop column run;
alter table cartstream.loads drop column run;
