-- +goose Up

-- What the health watch found: a row for each time that an endpoint was not well.
create table alerts (
    id              text primary key,
    account_id      text not null,
    endpoint_id     text not null,
    kind            text not null,
    threshold       integer not null,          -- percent of the attempts
    attempts        integer not null,          -- when it was opened
    failed          integer not null,
    bad             integer not null,
    span            integer not null,          -- milliseconds
    opened_at       integer not null,
    closed_attempts integer not null default 0, -- when it was closed
    closed_failed   integer not null default 0,
    closed_bad      integer not null default 0,
    closed_span     integer not null default 0,
    closed_at       integer not null default 0  -- 0 = it is open
) without rowid;
create unique index alerts_open on alerts (endpoint_id, kind) where closed_at = 0;
create index alerts_account on alerts (account_id, opened_at, id);
create index alerts_account_open on alerts (account_id, opened_at, id) where closed_at = 0;
create index alerts_endpoint on alerts (endpoint_id, opened_at, id);

alter table notices add column alert_id text not null default '';
alter table endpoints add column enabled_at integer not null default 0;

-- What the watch goes by: the attempts of a minute without tests, manual retries and operational events.
alter table stats add column watched integer not null default 0;
alter table stats add column watched_failed integer not null default 0;
alter table stats add column watched_retries integer not null default 0;
alter table stats add column watched_slow integer not null default 0;
create index stats_trouble on stats (minute, endpoint_id) where watched_failed > 0 or watched_retries > 0 or watched_slow > 0;
