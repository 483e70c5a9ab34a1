-- +goose Up

-- An address of one account with the letter that is on its way to it, so that no account holds up or
-- silences what another tells the same address. due_at says when somebody must look again: the next
-- try, the end of a lease, the end of the rest after the letter before; null when nothing waits.
-- The table mailboxes is left to nodes of the release before.
create table account_mailboxes (
    account_id text collate "C" not null,
    email      text collate "C" not null,
    letter     text collate "C" not null default '',
    attempts   bigint not null default 0,
    handed     bigint not null default 0, -- tries of which nobody knows whether the mail arrived
    token      bigint not null default 0,
    due_at     bigint,
    rest_until bigint not null default 0,
    tested_at  bigint not null default 0,
    day        bigint not null default 0, -- since 1970, in UTC, of which `sent` counts
    sent       bigint not null default 0, -- letters and test mails
    primary key (account_id, email)
);
create index account_mailboxes_due on account_mailboxes (due_at) where due_at is not null;
create index account_mailboxes_idle on account_mailboxes (rest_until) where due_at is null;

alter table mails add column happened_at bigint not null default 0;
create index mails_mailbox on mails (account_id, email, letter, created_at, id) where state = 'waiting';
create index mails_age on mails (created_at);

-- How many addresses the account has named on a day.
alter table accounts add column named_day bigint not null default 0;
alter table accounts add column named bigint not null default 0;
