package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// maxConnections bounds the connections of a store of its own.
const maxConnections = 16

// OpenPostgres opens a PostgreSQL database, of an address such as
// postgres://user@host/name. Several receivers may share it.
func OpenPostgres(ctx context.Context, address string) (*Store, error) {
	if _, err := pgx.ParseConfig(address); err != nil { // which quotes parts of the address, perhaps of the password
		return nil, errors.New("sqlstore: the PostgreSQL address is not as it should be: postgres://user:password@host:port/database")
	}
	db, err := sql.Open("pgx", address)
	if err != nil {
		return nil, errors.New("sqlstore: the driver of PostgreSQL is missing")
	}
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	s, err := open(ctx, db, postgres)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: PostgreSQL: %w", errors.Join(err, db.Close()))
	}
	s.owned = true
	return s, nil
}

// checkCommits refuses a PostgreSQL session that answers before a commit is on disk.
func checkCommits(ctx context.Context, db *sql.DB) error {
	var commit, fsync string
	if err := db.QueryRowContext(ctx, "select current_setting('synchronous_commit'), current_setting('fsync')").Scan(&commit, &fsync); err != nil {
		return fmt.Errorf("ask PostgreSQL how it syncs: %w", err)
	}
	if commit == "off" || fsync == "off" {
		return errors.New("this PostgreSQL answers before a commit is on disk, so events that were answered with 200 could be lost: set synchronous_commit and fsync to on")
	}
	return nil
}

// errNotTogether: this database or its driver takes one statement at a time.
var errNotTogether = errors.New("one statement at a time")

// recordTogether writes ends in one round trip, by what the driver pgx has beyond
// database/sql. Statements that are sent together are one transaction.
func (s *Store) recordTogether(ctx context.Context, ends []receiver.End, lost []bool) error {
	if s.d.name != postgres.name {
		return errNotTogether
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("find a connection: %w", err)
	}
	defer conn.Close()
	return conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok { // one that a program has wrapped
			return errNotTogether
		}
		var batch pgx.Batch
		for i, end := range ends {
			statement, args := ending(end)
			batch.Queue(s.text(statement), args...).Exec(func(tag pgconn.CommandTag) error {
				lost[i] = tag.RowsAffected() == 0
				return nil
			})
		}
		if err := c.Conn().SendBatch(ctx, &batch).Close(); err != nil {
			return fmt.Errorf("write how events ended: %w", err)
		}
		return nil
	})
}
