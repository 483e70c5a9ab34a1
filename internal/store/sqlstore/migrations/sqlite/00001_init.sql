-- +goose Up
-- Times are milliseconds since 1970 UTC, 0 = none. See ARCHITECTURE.md, "The tables".

create table accounts (
    id         text primary key,
    name       text not null,
    revision   integer not null,          -- moves with every change of an endpoint or an event type
    created_at integer not null,
    deleted_at integer not null default 0
) without rowid;

create table keys (
    id           text primary key,
    account_id   text not null,
    name         text not null,
    prefix       text not null,
    hash         blob not null,
    scopes       text not null,
    created_at   integer not null,
    expires_at   integer not null default 0,
    revoked_at   integer not null default 0,
    last_used_at integer not null default 0
) without rowid;
create unique index keys_hash on keys (hash);
create index keys_account on keys (account_id, created_at, id);

create table links (
    hash       blob primary key,
    account_id text not null,
    purpose    text not null,
    expires_at integer not null
) without rowid;

create table event_types (
    account_id  text not null,
    name        text not null,
    description text not null,
    schema      blob,
    sample      blob,
    created_at  integer not null,
    updated_at  integer not null,
    primary key (account_id, name)
) without rowid;

create table endpoints (
    id              text primary key,
    account_id      text not null,
    url             text not null,
    description     text not null,
    events          text not null,          -- JSON list of patterns
    headers         text not null,          -- JSON list of {name, value}
    rate_limit      integer not null,
    concurrency     integer not null,
    state           text not null,
    disabled_reason text not null default '',
    disabled_at     integer not null default 0,
    failures        integer not null default 0,
    streak          integer not null default 0,
    counted_until   integer not null default 0,
    next_at         integer not null default 0,
    probe_token     integer not null default 0, -- lease of the one attempt of a narrow endpoint
    probe_until     integer not null default 0,
    last_success_at integer not null default 0,
    created_at      integer not null,
    updated_at      integer not null
) without rowid;
create index endpoints_account on endpoints (account_id, created_at, id);

create table secrets (
    id          text primary key,
    endpoint_id text not null,
    role        text not null,
    sealed      blob not null,
    fingerprint text not null,
    created_at  integer not null,
    expires_at  integer not null default 0
) without rowid;
create index secrets_endpoint on secrets (endpoint_id, created_at);

create table events (
    seq            integer primary key,
    account_id     text not null,
    id             text not null,
    type           text not null,
    created_at     integer not null,
    body           blob not null,
    hash           blob not null,
    idem_key       text,
    first_delivery integer not null,       -- its deliveries are numbered from here, without gaps
    deliveries     integer not null
);
create unique index events_id on events (account_id, id);
create unique index events_key on events (account_id, idem_key) where idem_key is not null;
create index events_log on events (account_id, created_at, seq);

create table deliveries (
    id          integer primary key,
    account_id  text not null,
    event_seq   integer not null,
    endpoint_id text not null,
    status      text not null,
    cycle       text not null,
    attempts    integer not null,
    used        integer not null default 0,
    faults      integer not null default 0,
    due_at      integer,                   -- when somebody must look at it again; null = never by itself
    token       integer not null default 0,
    node        text not null default '',
    last_class  text not null default '',
    last_code   integer not null default 0,
    discard     text not null default '',
    created_at  integer not null,
    updated_at  integer not null
);
create index deliveries_due on deliveries (endpoint_id, due_at) where due_at is not null;
create index deliveries_sending on deliveries (id) where status = 'sending';
create index deliveries_log on deliveries (account_id, created_at, id);
create index deliveries_endpoint on deliveries (endpoint_id, created_at, id);
-- What is neither on its way nor delivered: few rows, looked for often. (SQLite uses a
-- partial index only where it sees one of these terms in the query, as it stands.)
create index deliveries_aside on deliveries (account_id, status, created_at, id)
    where status = 'pending' or status = 'retrying' or status = 'failed' or status = 'held' or status = 'discarded';
create index deliveries_endpoint_aside on deliveries (endpoint_id, status, created_at, id)
    where status = 'pending' or status = 'retrying' or status = 'failed' or status = 'held' or status = 'discarded';

create table attempts (
    delivery_id integer not null,
    number      integer not null,
    cycle       text not null,
    node        text not null,
    started_at  integer not null,
    ended_at    integer not null,
    class       text not null,
    status_code integer not null,
    retry_after integer not null,          -- milliseconds
    effect      text not null,
    hint        text not null,
    local_info  text not null,
    dns         integer not null,          -- microseconds, as all of the split
    connect     integer not null,
    tls         integer not null,
    first_byte  integer not null,
    total       integer not null,
    url         text not null,
    request     blob not null,             -- header lines
    proto       text not null,
    response    blob not null,             -- header lines
    body        blob not null,
    truncated   integer not null
);
create unique index attempts_delivery on attempts (delivery_id, number);

create table stats (
    endpoint_id text not null,
    minute      integer not null,
    writer      text not null,             -- who counts, a part of a process: no two write one row
    account_id  text not null,
    succeeded   integer not null,
    failed      integer not null,
    retries     integer not null,
    delivered   integer not null,
    dead        integer not null,
    -- How many attempts took how long: a column for each bucket of store.LatencyBounds, and one above.
    l0          integer not null,
    l1          integer not null,
    l2          integer not null,
    l3          integer not null,
    l4          integer not null,
    l5          integer not null,
    l6          integer not null,
    l7          integer not null,
    l8          integer not null,
    l9          integer not null,
    l10         integer not null,
    l11         integer not null,
    l12         integer not null,
    l13         integer not null,
    l14         integer not null,
    primary key (endpoint_id, minute, writer)
) without rowid;
create index stats_account on stats (account_id, minute);
create index stats_minute on stats (minute);

create table jobs (
    id          text primary key,
    account_id  text not null,
    kind        text not null,
    filter      text not null,
    per_second  integer not null,
    total       integer not null,
    done        integer not null default 0,
    skipped     integer not null default 0,
    state       text not null,
    cursor      text not null default '',
    token       integer not null default 0,
    newest      integer not null,          -- no delivery that existed when it was made was created later
    below       integer not null,          -- and their numbers are lower than this
    lease_until integer not null default 0,
    created_at  integer not null,
    updated_at  integer not null
) without rowid;
create index jobs_account on jobs (account_id, created_at, id);
create index jobs_running on jobs (lease_until) where state = 'running';

create table notices (
    id          text primary key,
    account_id  text not null,
    kind        text not null,
    endpoint_id text not null,
    delivery_id integer not null,
    number      integer not null,
    failures    integer not null,
    reason      text not null,
    quiet       integer not null,
    created_at  integer not null
) without rowid;
create index notices_oldest on notices (created_at, id);

create table audit (
    seq        integer primary key,
    account_id text not null,
    actor      text not null,
    action     text not null,
    object     text not null,
    detail     text not null,
    at         integer not null
);
create index audit_account on audit (account_id, seq);

create table nodes (
    id      text primary key,
    seen_at integer not null
) without rowid;

create table facts (
    name  text primary key,
    value blob not null
) without rowid;

-- Numbers are never given twice, also when retention has removed the highest.
create table counters (
    name text primary key,
    next integer not null
) without rowid;

insert into accounts (id, name, revision, created_at) values ('acc_default', 'default', 1, 0);
insert into counters (name, next) values ('event', 1), ('delivery', 1);
