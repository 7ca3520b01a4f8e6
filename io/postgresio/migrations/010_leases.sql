-- Which process loads into a table in the order of its records. A batch locks
-- the row (for key share), and so does not wait for renewals, which change no
-- unique column; taking the lease over changes the token, and waits for batches.
create table cartstream.leases (
    table_name text primary key,
    token uuid not null unique,
    holder text not null,
    taken_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null
);

---- create above / drop below ----

drop table cartstream.leases;
