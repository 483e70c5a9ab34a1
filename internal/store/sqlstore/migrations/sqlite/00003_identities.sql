-- +goose Up

create table identities (
    issuer     text not null,
    subject    text not null,
    user_id    text not null,
    account_id text not null,
    created_at integer not null,
    primary key (issuer, subject)
) without rowid;
create unique index identities_user on identities (account_id, user_id, issuer);
