-- Every table has a primary key: a publication FOR ALL TABLES lets no row be
-- updated or deleted in a table without one. (The program gives schema_version
-- its own, before the first step updates it.)
alter table cartstream.watches add column watch_id bigint generated always as identity primary key;
alter table cartstream.ledger_id add primary key (id);

---- create above / drop below ----

alter table cartstream.ledger_id drop constraint ledger_id_pkey;
alter table cartstream.watches drop column watch_id;
