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
	// schema makes what is missing. %s is the clock.
	schema []string
}

var sqlite = dialect{
	name: "SQLite",
	now:  "cast(unixepoch('subsec') * 1000 as integer)",
	schema: []string{
		`create table if not exists receiver_inbox (
			seq integer primary key autoincrement,
			lane text not null, id text not null, type text not null, delivery_id integer not null,
			body blob not null, received_at integer not null,
			status text not null, tries integer not null default 0, failures integer not null default 0,
			lost integer not null default 0, unsure boolean not null default false,
			due_at integer, ended_at integer, error text not null default '', token text not null default '',
			unique (lane, id))`,
	},
}

var postgres = dialect{
	name: "PostgreSQL",
	now:  "(extract(epoch from clock_timestamp()) * 1000)::bigint",
	skip: " for update skip locked",
	schema: []string{
		`create table if not exists receiver_inbox (
			seq bigint generated always as identity primary key,
			lane text not null, id text not null, type text not null, delivery_id bigint not null,
			body bytea not null, received_at bigint not null,
			status text not null, tries integer not null default 0, failures integer not null default 0,
			lost integer not null default 0, unsure boolean not null default false,
			due_at bigint, ended_at bigint, error text not null default '', token text not null default '',
			unique (lane, id))`,
	},
}

// indexes are the same on both. Claims and depths look at what is due, purges at what
// has ended, lists of the failed at those; so what is done costs nothing.
var indexes = []string{
	`create index if not exists receiver_inbox_due on receiver_inbox (lane, due_at, seq, status, received_at) where due_at is not null`,
	`create index if not exists receiver_inbox_ended on receiver_inbox (status, ended_at) where ended_at is not null`,
	`create index if not exists receiver_inbox_failed on receiver_inbox (seq, lane, received_at) where status = 'failed'`,
}

// detect asks a database what it is.
func detect(ctx context.Context, db *sql.DB) (dialect, error) {
	var text string
	if err := db.QueryRowContext(ctx, "select sqlite_version()").Scan(&text); err == nil {
		return sqlite, nil
	}
	if err := db.QueryRowContext(ctx, "show server_version").Scan(&text); err != nil {
		return dialect{}, fmt.Errorf("sqlstore: ask the database what it is (SQLite and PostgreSQL are known): %w", err)
	}
	return postgres, nil
}

// The advisory locks of PostgreSQL, which are any numbers that nobody else uses: so that
// processes that start at once do not make the tables together, and for [Store.lockPuts].
const (
	migrateLock = 7303014452
	putLock     = 7303014453
)

// makeTables makes what is missing.
func makeTables(ctx context.Context, db *sql.DB, d dialect) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sqlstore: make the tables: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if d.name == postgres.name {
		if _, err := tx.ExecContext(ctx, "select pg_advisory_xact_lock($1)", migrateLock); err != nil {
			return fmt.Errorf("sqlstore: wait for others that make the tables: %w", err)
		}
	}
	for _, statement := range append(d.schema[:len(d.schema):len(d.schema)], indexes...) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("sqlstore: make the tables: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("sqlstore: make the tables: %w", err)
	}
	return nil
}
