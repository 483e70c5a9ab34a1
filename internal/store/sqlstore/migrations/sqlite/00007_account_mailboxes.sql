-- +goose Up

-- An address of one account with the letter that is on its way to it, so that no account holds up or
-- silences what another tells the same address. due_at says when somebody must look again: the next
-- try, the end of a lease, the end of the rest after the letter before; null when nothing waits.
-- The table mailboxes is left to nodes of the release before.
create table account_mailboxes (
    account_id text not null,
    email      text not null,
    letter     text not null default '',
    attempts   integer not null default 0,
    handed     integer not null default 0, -- tries of which nobody knows whether the mail arrived
    token      integer not null default 0,
    due_at     integer,
    rest_until integer not null default 0,
    tested_at  integer not null default 0,
    day        integer not null default 0, -- since 1970, in UTC, of which `sent` counts
    sent       integer not null default 0, -- letters and test mails
    primary key (account_id, email)
) without rowid;
create index account_mailboxes_due on account_mailboxes (due_at) where due_at is not null;
create index account_mailboxes_idle on account_mailboxes (rest_until) where due_at is null;

alter table mails add column happened_at integer not null default 0;
create index mails_mailbox on mails (account_id, email, letter, created_at, id) where state = 'waiting';
create index mails_age on mails (created_at);

-- How many addresses the account has named on a day.
alter table accounts add column named_day integer not null default 0;
alter table accounts add column named integer not null default 0;
