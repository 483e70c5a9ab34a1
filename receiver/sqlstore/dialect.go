package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

// dialect is what differs between the databases.
type dialect struct {
	name string
	// now is the clock, as integer milliseconds since 1970.
	now string
	// skip goes behind a select that claims: rows that another session is claiming are
	// passed over. SQLite has one writer at a time, so there are none.
	skip string
	// mark stands for the next parameter of a statement that has very many: SQLite looks
	// for the name of each among the names of all, so there they have none.
	mark string
	// exists asks whether a table $1 is there.
	exists string
	// schema makes the table.
	schema string
}

var sqlite = dialect{
	name:   "SQLite",
	now:    "cast(unixepoch('subsec') * 1000 as integer)",
	mark:   "?",
	exists: "select exists (select 1 from sqlite_master where type = 'table' and name = $1)",
	schema: `create table if not exists receiver_inbox (
			seq integer primary key autoincrement,
			lane text not null, id text not null, type text not null, delivery_id integer not null,
			body blob not null, received_at integer not null,
			status text not null, tries integer not null default 0, failures integer not null default 0,
			lost integer not null default 0, unsure boolean not null default false,
			due_at integer, set_at integer not null default 0, ended_at integer, error text not null default '', token text not null default '',
			unique (id, lane))`,
}

var postgres = dialect{
	name:   "PostgreSQL",
	now:    "(extract(epoch from clock_timestamp()) * 1000)::bigint",
	skip:   " for update skip locked",
	mark:   "$%d",
	exists: "select to_regclass($1) is not null",
	schema: `create table if not exists receiver_inbox (
			seq bigint generated always as identity primary key,
			lane text not null, id text not null, type text not null, delivery_id bigint not null,
			body bytea not null, received_at bigint not null,
			status text not null, tries integer not null default 0, failures integer not null default 0,
			lost integer not null default 0, unsure boolean not null default false,
			due_at bigint, set_at bigint not null default 0, ended_at bigint, error text not null default '', token text not null default '',
			unique (id, lane))`,
}

// detect asks a database what it is.
func detect(ctx context.Context, db *sql.DB) (dialect, error) {
	var text string
	if err := db.QueryRowContext(ctx, "select sqlite_version()").Scan(&text); err == nil {
		return sqlite, nil
	}
	if err := db.QueryRowContext(ctx, "show server_version").Scan(&text); err != nil {
		return dialect{}, fmt.Errorf("ask the database what it is (SQLite and PostgreSQL are known): %w", err)
	}
	return postgres, nil
}
