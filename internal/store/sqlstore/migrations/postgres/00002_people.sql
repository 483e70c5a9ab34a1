-- +goose Up

create table users (
    id           text collate "C" primary key,
    account_id   text collate "C" not null,
    email        text collate "C" not null,
    name         text collate "C" not null,
    role         text collate "C" not null,
    password     text collate "C" not null,
    created_at   bigint not null,
    signed_in_at bigint not null default 0
);
create unique index users_email on users (email);
create index users_account on users (account_id, created_at, id);

create table invites (
    id         text collate "C" primary key,
    hash       bytea not null,
    account_id text collate "C" not null,
    email      text collate "C" not null,
    role       text collate "C" not null,
    made_by    text collate "C" not null,
    created_at bigint not null,
    expires_at bigint not null
);
create unique index invites_hash on invites (hash);
create unique index invites_email on invites (account_id, email);

create table sessions (
    id         text collate "C" primary key,
    hash       bytea not null,
    account_id text collate "C" not null,
    user_id    text collate "C" not null,
    role       text collate "C" not null,
    agent      text collate "C" not null,
    address    text collate "C" not null,
    created_at bigint not null,
    seen_at    bigint not null,
    expires_at bigint not null
);
create unique index sessions_hash on sessions (hash);
create index sessions_account on sessions (account_id, created_at, id);
create index sessions_end on sessions (expires_at);
