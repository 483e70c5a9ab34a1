-- +goose Up

create table users (
    id           text primary key,
    account_id   text not null,
    email        text not null,
    name         text not null,
    role         text not null,
    password     text not null,
    created_at   integer not null,
    signed_in_at integer not null default 0
) without rowid;
create unique index users_email on users (email);
create index users_account on users (account_id, created_at, id);

create table invites (
    id         text primary key,
    hash       blob not null,
    account_id text not null,
    email      text not null,
    role       text not null,
    made_by    text not null,
    created_at integer not null,
    expires_at integer not null
) without rowid;
create unique index invites_hash on invites (hash);
create unique index invites_email on invites (account_id, email);

create table sessions (
    id         text primary key,
    hash       blob not null,
    account_id text not null,
    user_id    text not null,
    role       text not null,
    agent      text not null,
    address    text not null,
    created_at integer not null,
    seen_at    integer not null,
    expires_at integer not null
) without rowid;
create unique index sessions_hash on sessions (hash);
create index sessions_account on sessions (account_id, created_at, id);
create index sessions_end on sessions (expires_at);
