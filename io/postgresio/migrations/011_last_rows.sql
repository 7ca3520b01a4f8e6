-- Rows from the last record of a file version that has no line end. A longer version of
-- the file tells whether the record was whole.
create table cartstream.last_rows (
    last_row_id bigint generated always as identity primary key,
    table_name text not null,
    file_name text not null,
    file_size bigint not null,
    file_modified timestamptz not null,
    line_number bigint not null,
    byte_offset bigint not null,
    -- the record's own bytes, and the row in the binary form of COPY
    raw bytea not null,
    tuple bytea not null,
    load_id uuid not null
);
create index last_rows_file on cartstream.last_rows (table_name, md5(file_name));

---- create above / drop below ----

drop table cartstream.last_rows;
