-- +goose Up
-- Times are milliseconds since 1970 UTC, 0 = none. See ARCHITECTURE.md, "The tables".

create table accounts (
    id         text collate "C" primary key,
    name       text collate "C" not null,
    revision   bigint not null,          -- moves with every change of an endpoint or an event type
    created_at bigint not null,
    deleted_at bigint not null default 0
);

create table keys (
    id           text collate "C" primary key,
    account_id   text collate "C" not null,
    name         text collate "C" not null,
    prefix       text not null,
    hash         bytea not null,
    scopes       text not null,
    created_at   bigint not null,
    expires_at   bigint not null default 0,
    revoked_at   bigint not null default 0,
    last_used_at bigint not null default 0
);
create unique index keys_hash on keys (hash);
create index keys_account on keys (account_id, created_at, id);

create table links (
    hash       bytea primary key,
    account_id text collate "C" not null,
    purpose    text not null,
    expires_at bigint not null
);

create table event_types (
    account_id  text collate "C" not null,
    name        text collate "C" not null,
    description text not null,
    schema      bytea,
    sample      bytea,
    created_at  bigint not null,
    updated_at  bigint not null,
    primary key (account_id, name)
);

create table endpoints (
    id              text collate "C" primary key,
    account_id      text collate "C" not null,
    url             text not null,
    description     text not null,
    events          text not null,          -- JSON list of patterns
    headers         text not null,          -- JSON list of {name, value}
    rate_limit      bigint not null,
    concurrency     bigint not null,
    state           text not null,
    disabled_reason text not null default '',
    disabled_at     bigint not null default 0,
    failures        bigint not null default 0,
    streak          bigint not null default 0,
    counted_until   bigint not null default 0,
    next_at         bigint not null default 0,
    probe_token     bigint not null default 0, -- lease of the one attempt of a narrow endpoint
    probe_until     bigint not null default 0,
    last_success_at bigint not null default 0,
    created_at      bigint not null,
    updated_at      bigint not null
);
create index endpoints_account on endpoints (account_id, created_at, id);

create table secrets (
    id          text collate "C" primary key,
    endpoint_id text collate "C" not null,
    role        text not null,
    sealed      bytea not null,
    fingerprint text not null,
    created_at  bigint not null,
    expires_at  bigint not null default 0
);
create index secrets_endpoint on secrets (endpoint_id, created_at);

create table events (
    seq            bigint primary key,
    account_id     text collate "C" not null,
    id             text collate "C" not null,
    type           text not null,
    created_at     bigint not null,
    body           bytea not null,
    hash           bytea not null,
    idem_key       text,
    first_delivery bigint not null,       -- its deliveries are numbered from here, without gaps
    deliveries     bigint not null
);
create unique index events_id on events (account_id, id);
create unique index events_key on events (account_id, idem_key) where idem_key is not null;
create index events_log on events (account_id, created_at, seq);

create table deliveries (
    id          bigint primary key,
    account_id  text collate "C" not null,
    event_seq   bigint not null,
    endpoint_id text collate "C" not null,
    status      text collate "C" not null,
    cycle       text collate "C" not null,
    attempts    bigint not null,
    used        bigint not null default 0,
    faults      bigint not null default 0,
    due_at      bigint,                   -- when somebody must look at it again; null = never by itself
    token       bigint not null default 0,
    node        text not null default '',
    last_class  text not null default '',
    last_code   bigint not null default 0,
    discard     text not null default '',
    created_at  bigint not null,
    updated_at  bigint not null
);
create index deliveries_due on deliveries (endpoint_id, due_at) where due_at is not null;
create index deliveries_log on deliveries (account_id, created_at, id);
create index deliveries_endpoint on deliveries (endpoint_id, created_at, id);
-- What is neither on its way nor delivered: few rows, looked for often. (SQLite uses a
-- partial index only where it sees one of these terms in the query, as it stands.)
create index deliveries_aside on deliveries (account_id, status, created_at, id)
    where status = 'pending' or status = 'retrying' or status = 'failed' or status = 'held' or status = 'discarded';
create index deliveries_endpoint_aside on deliveries (endpoint_id, status, created_at, id)
    where status = 'pending' or status = 'retrying' or status = 'failed' or status = 'held' or status = 'discarded';

create table attempts (
    delivery_id bigint not null,
    number      bigint not null,
    cycle       text collate "C" not null,
    node        text not null,
    started_at  bigint not null,
    ended_at    bigint not null,
    class       text not null,
    status_code bigint not null,
    retry_after bigint not null,          -- milliseconds
    effect      text not null,
    hint        text not null,
    local_info  text not null,
    dns         bigint not null,          -- microseconds, as all of the split
    connect     bigint not null,
    tls         bigint not null,
    first_byte  bigint not null,
    total       bigint not null,
    url         text not null,
    request     bytea not null,             -- header lines
    proto       text not null,
    response    bytea not null,             -- header lines
    body        bytea not null,
    truncated   bigint not null
);
create unique index attempts_delivery on attempts (delivery_id, number);

create table stats (
    endpoint_id text collate "C" not null,
    minute      bigint not null,
    writer      text not null,             -- who counts, a part of a process: no two write one row
    account_id  text collate "C" not null,
    succeeded   bigint not null,
    failed      bigint not null,
    retries     bigint not null,
    delivered   bigint not null,
    dead        bigint not null,
    -- How many attempts took how long: a column for each bucket of store.LatencyBounds, and one above.
    l0          bigint not null,
    l1          bigint not null,
    l2          bigint not null,
    l3          bigint not null,
    l4          bigint not null,
    l5          bigint not null,
    l6          bigint not null,
    l7          bigint not null,
    l8          bigint not null,
    l9          bigint not null,
    l10         bigint not null,
    l11         bigint not null,
    l12         bigint not null,
    l13         bigint not null,
    l14         bigint not null,
    primary key (endpoint_id, minute, writer)
);
create index stats_account on stats (account_id, minute);
create index stats_minute on stats (minute);

create table jobs (
    id          text collate "C" primary key,
    account_id  text collate "C" not null,
    kind        text not null,
    filter      text not null,
    per_second  bigint not null,
    total       bigint not null,
    done        bigint not null default 0,
    skipped     bigint not null default 0,
    state       text not null,
    cursor      text not null default '',
    token       bigint not null default 0,
    newest      bigint not null,          -- no delivery that existed when it was made was created later
    below       bigint not null,          -- and their numbers are lower than this
    lease_until bigint not null default 0,
    created_at  bigint not null,
    updated_at  bigint not null
);
create index jobs_account on jobs (account_id, created_at, id);
create index jobs_running on jobs (lease_until) where state = 'running';

create table notices (
    id          text collate "C" primary key,
    account_id  text collate "C" not null,
    kind        text not null,
    endpoint_id text collate "C" not null,
    delivery_id bigint not null,
    number      bigint not null,
    failures    bigint not null,
    reason      text not null,
    quiet       bigint not null,
    created_at  bigint not null
);
create index notices_oldest on notices (created_at, id);

create table audit (
    seq        bigint generated always as identity primary key,
    account_id text collate "C" not null,
    actor      text not null,
    action     text not null,
    object     text not null,
    detail     text not null,
    at         bigint not null
);
create index audit_account on audit (account_id, seq);

create table nodes (
    id      text collate "C" primary key,
    seen_at bigint not null
);

create table facts (
    name  text collate "C" primary key,
    value bytea not null
);

-- Numbers are never given twice, also when retention has removed the highest.
create table counters (
    name text collate "C" primary key,
    next bigint not null
);

insert into accounts (id, name, revision, created_at) values ('acc_default', 'default', 1, 0);
insert into counters (name, next) values ('event', 1), ('delivery', 1);
