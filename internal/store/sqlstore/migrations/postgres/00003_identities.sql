-- +goose Up

create table identities (
    issuer     text collate "C" not null,
    subject    text collate "C" not null,
    user_id    text collate "C" not null,
    account_id text collate "C" not null,
    created_at bigint not null,
    primary key (issuer, subject)
);
create unique index identities_user on identities (account_id, user_id, issuer);
