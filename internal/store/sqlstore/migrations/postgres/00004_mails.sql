-- +goose Up

create table recipients (
    account_id text collate "C" not null,
    email      text collate "C" not null,
    made_by    text collate "C" not null,
    created_at bigint not null,
    primary key (account_id, email)
);

-- A thing to be told to an address. The letter is the id of the oldest row that goes with it.
create table mails (
    id          text collate "C" primary key,
    account_id  text collate "C" not null,
    email       text collate "C" not null,
    topic       text collate "C" not null,
    endpoint_id text collate "C" not null,
    kind        text collate "C" not null,
    facts       text collate "C" not null,
    state       text collate "C" not null,
    letter      text collate "C" not null default '',
    problem     text collate "C" not null default '',
    created_at  bigint not null,
    ended_at    bigint not null default 0
);
create index mails_waiting on mails (email, letter, created_at, id) where state = 'waiting';
create index mails_topic on mails (account_id, email, topic, created_at);
create index mails_account on mails (account_id, created_at, id);

-- An address with the letter that is on its way to it. due_at says when somebody must look
-- again: the next try, the end of a lease, the end of the rest after the letter before; null
-- when nothing waits.
create table mailboxes (
    email      text collate "C" primary key,
    letter     text collate "C" not null default '',
    attempts   bigint not null default 0,
    token      bigint not null default 0,
    due_at     bigint,
    rest_until bigint not null default 0,
    tested_at  bigint not null default 0
);
create index mailboxes_due on mailboxes (due_at) where due_at is not null;
