-- +goose Up

-- What the health watch found: a row for each time that an endpoint was not well.
create table alerts (
    id              text collate "C" primary key,
    account_id      text collate "C" not null,
    endpoint_id     text collate "C" not null,
    kind            text collate "C" not null,
    threshold       bigint not null,          -- percent of the attempts
    attempts        bigint not null,          -- when it was opened
    failed          bigint not null,
    bad             bigint not null,
    span            bigint not null,          -- milliseconds
    opened_at       bigint not null,
    closed_attempts bigint not null default 0, -- when it was closed
    closed_failed   bigint not null default 0,
    closed_bad      bigint not null default 0,
    closed_span     bigint not null default 0,
    closed_at       bigint not null default 0  -- 0 = it is open
);
create unique index alerts_open on alerts (endpoint_id, kind) where closed_at = 0;
create index alerts_account on alerts (account_id, opened_at, id);
create index alerts_account_open on alerts (account_id, opened_at, id) where closed_at = 0;
create index alerts_endpoint on alerts (endpoint_id, opened_at, id);

alter table notices add column alert_id text collate "C" not null default '';
alter table endpoints add column enabled_at bigint not null default 0;

-- What the watch goes by: the attempts of a minute without tests, manual retries and operational events.
alter table stats add column watched bigint not null default 0;
alter table stats add column watched_failed bigint not null default 0;
alter table stats add column watched_retries bigint not null default 0;
alter table stats add column watched_slow bigint not null default 0;
create index stats_trouble on stats (minute, endpoint_id) where watched_failed > 0 or watched_retries > 0 or watched_slow > 0;
