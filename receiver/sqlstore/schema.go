package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

// changes bring the tables of older releases up to date: the first those of version 1, and so
// on. A release that changes the tables adds one, beside changing what makes new ones.
var changes = []string{
	`alter table receiver_inbox add column set_at bigint not null default 0`,
}

// version is that of the tables that this release makes and knows.
var version = 1 + len(changes)

// versionTable tells the version of the tables, in one row.
const versionTable = "receiver_inbox_version"

// indexes are the same on both. Claims look at what is due, purges at what has ended,
// lists and counts at what waits and what failed: what is done costs them nothing. The
// table's own unique index begins with the id, so that it finds one in all lanes.
var indexes = []string{
	`create index if not exists receiver_inbox_due on receiver_inbox (lane, due_at, seq, status, received_at) where due_at is not null`,
	`create index if not exists receiver_inbox_ended on receiver_inbox (status, ended_at) where ended_at is not null`,
	`create index if not exists receiver_inbox_failed on receiver_inbox (lane, seq, received_at) where status = 'failed'`,
}

// The advisory locks of PostgreSQL, which are any numbers that nobody else uses: so that
// processes that start at once do not make the tables together, and for [Store.lockPuts].
const (
	migrateLock = 7303014452
	putLock     = 7303014453
)

// ensureTables makes the tables if there are none. If there are, it needs no right to
// make any, and waits for nobody.
func ensureTables(ctx context.Context, db *sql.DB, d dialect) error {
	var made bool
	if err := db.QueryRowContext(ctx, d.exists, versionTable).Scan(&made); err != nil {
		return fmt.Errorf("look for the tables: %w", err)
	}
	if !made {
		if err := makeTables(ctx, db, d); err != nil {
			return fmt.Errorf("make the tables: %w", err)
		}
	}
	const ask = "select version from " + versionTable
	var found int
	if err := db.QueryRowContext(ctx, ask).Scan(&found); err != nil {
		return fmt.Errorf("look at the version of the tables: %w", err)
	}
	if found < version {
		if err := changeTables(ctx, db, ask); err != nil {
			return fmt.Errorf("change the tables receiver_inbox from version %d to %d: %w", found, version, err)
		}
	}
	if found > version {
		return fmt.Errorf("a newer release has changed the tables receiver_inbox to version %d, and this one knows version %d: run the newer one", found, version)
	}
	return nil
}

// makeTables makes all in one transaction. On SQLite its first statement takes the lock:
// to read first and then to write fails when somebody else has written in between.
func makeTables(ctx context.Context, db *sql.DB, d dialect) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if d.name == postgres.name {
		if _, err := tx.ExecContext(ctx, "select pg_advisory_xact_lock($1)", migrateLock); err != nil {
			return fmt.Errorf("wait for others that make them: %w", err)
		}
	}
	statements := append([]string{"create table if not exists " + versionTable + " (version integer not null)", d.schema}, indexes...)
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	const once = "insert into " + versionTable + " (version) select $1 where not exists (select 1 from " + versionTable + ")"
	if _, err := tx.ExecContext(ctx, once, version); err != nil {
		return err
	}
	return tx.Commit()
}

// changeTables changes older tables, all in one transaction. Its first statement takes the
// lock, so that of processes that start at once one does it; those that are running with the
// older release go on.
func changeTables(ctx context.Context, db *sql.DB, ask string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if _, err := tx.ExecContext(ctx, "update "+versionTable+" set version = version"); err != nil {
		return err
	}
	var found int
	if err := tx.QueryRowContext(ctx, ask).Scan(&found); err != nil {
		return err
	}
	for ; found < version; found++ {
		if _, err := tx.ExecContext(ctx, changes[found-1]); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "update "+versionTable+" set version = $1", found); err != nil {
		return err
	}
	return tx.Commit()
}
