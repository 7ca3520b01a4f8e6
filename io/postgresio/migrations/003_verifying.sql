-- The time by which the rules judged a range's records, so that they can be
-- judged again as they were. Ranges from before this step have none.
alter table cartstream.ranges add column judged_at timestamptz;

-- Which of a range's records were duplicates, so that the others' rows can be
-- held against the file value by value: runs of bytes, as unsigned varints; how
-- many bytes to leave out, how many the run has, and so on. Ranges from before
-- this step have none.
alter table cartstream.range_counts add column duplicate_places bytea;

---- create above / drop below ----

alter table cartstream.range_counts drop column duplicate_places;
alter table cartstream.ranges drop column judged_at;
