-- +goose Up

-- Of the steps used up, those that were when it was let go last: its next attempt is a first one once more.
alter table deliveries add column resumed integer not null default 0;

-- When the schedule wanted an attempt; 0 = nothing was waited for, or nobody knows.
alter table attempts add column planned_at integer not null default 0;

-- Why an alert closed: well, no_attempts or deleted; empty while it is open, and of one that a release before this closed.
alter table alerts add column closed_reason text not null default '';
