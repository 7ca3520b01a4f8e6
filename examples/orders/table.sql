create schema if not exists shop;
create table if not exists shop.orders (
    shop text not null,
    order_no text not null,
    paid boolean not null,
    items integer not null,
    points bigint,
    delivered date,
    total numeric(10, 2) not null check (total >= 0),
    details jsonb,
    loaded_at timestamptz not null default now(),
    primary key (shop, order_no)
);
