-- +goose Up

-- What a page is to show once, sealed, to the session that had it made.
create table reveals (
    id         text collate "C" not null primary key,
    account_id text collate "C" not null,
    session_id text collate "C" not null,
    sealed     bytea not null,
    expires_at bigint not null
);
create index reveals_end on reveals (expires_at);
