-- +goose Up

-- What a page is to show once, sealed, to the session that had it made.
create table reveals (
    id         text not null primary key,
    account_id text not null,
    session_id text not null,
    sealed     blob not null,
    expires_at integer not null
) without rowid;
create index reveals_end on reveals (expires_at);
