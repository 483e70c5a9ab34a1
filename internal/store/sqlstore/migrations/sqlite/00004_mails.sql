-- +goose Up

create table recipients (
    account_id text not null,
    email      text not null,
    made_by    text not null,
    created_at integer not null,
    primary key (account_id, email)
) without rowid;

-- A thing to be told to an address. The letter is the id of the oldest row that goes with it.
create table mails (
    id          text primary key,
    account_id  text not null,
    email       text not null,
    topic       text not null,
    endpoint_id text not null,
    kind        text not null,
    facts       text not null,
    state       text not null,
    letter      text not null default '',
    problem     text not null default '',
    created_at  integer not null,
    ended_at    integer not null default 0
) without rowid;
create index mails_waiting on mails (email, letter, created_at, id) where state = 'waiting';
create index mails_topic on mails (account_id, email, topic, created_at);
create index mails_account on mails (account_id, created_at, id);

-- An address with the letter that is on its way to it. due_at says when somebody must look
-- again: the next try, the end of a lease, the end of the rest after the letter before; null
-- when nothing waits.
create table mailboxes (
    email      text primary key,
    letter     text not null default '',
    attempts   integer not null default 0,
    token      integer not null default 0,
    due_at     integer,
    rest_until integer not null default 0,
    tested_at  integer not null default 0
) without rowid;
create index mailboxes_due on mailboxes (due_at) where due_at is not null;
