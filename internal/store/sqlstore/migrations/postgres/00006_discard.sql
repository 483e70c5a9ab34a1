-- +goose Up

-- Why a job gives deliveries up; empty for the other kinds.
alter table jobs add column reason text not null default '';
