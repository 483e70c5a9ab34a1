package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// PostgreSQL error codes that mean something to us (appendix A of its manual).
const (
	pgUnique       = "23505"
	pgSerialize    = "40001"
	pgDeadlock     = "40P01"
	pgDiskFull     = "53100"
	pgOutOfMemory  = "53200"
	pgTooMany      = "53300"
	pgShutdown     = "57P01"
	pgCrash        = "57P02"
	pgStarting     = "57P03"
	pgLockTimeout  = "55P03"
	pgIdleTimeout  = "25P03"
	pgCanceled     = "57014"
	pgReadOnly     = "25006"
	pgIOError      = "58030"
	pgConnectClass = "08"
)

// closedDB is what database/sql says of a database that was closed: the one
// error without a name, so its text has to do.
const closedDB = "sql: database is closed"

// translate gives a driver's error its meaning, by code and never by text.
// Errors that have a meaning already pass through.
func translate(err error) error {
	if err == nil || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrUnavailable) {
		return err
	}
	if errors.Is(err, errNoRow) {
		return store.ErrNotFound
	}
	if errors.Is(err, puddle.ErrClosedPool) || errors.Is(err, sql.ErrConnDone) || err.Error() == closedDB {
		return store.ErrClosed
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return translateSQLite(lite)
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return translatePostgres(pg)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &connect) || errors.As(err, &network) && !errors.Is(err, context.Canceled) || pgconn.SafeToRetry(err) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

func translateSQLite(err *sqlite.Error) error {
	switch err.Code() & 0xff { // extended codes carry the primary one in the low byte
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

func translatePostgres(err *pgconn.PgError) error {
	switch err.Code {
	case pgDiskFull, pgOutOfMemory:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case pgTooMany, pgShutdown, pgCrash, pgStarting, pgLockTimeout, pgIdleTimeout, pgCanceled, pgReadOnly, pgIOError, pgSerialize, pgDeadlock:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if len(err.Code) == 5 && err.Code[:2] == pgConnectClass {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// isAway reports that the database did not answer at all, so that it is of no use
// to ask it again at once.
func isAway(err error) bool {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	return errors.Is(translate(err), store.ErrUnavailable) && !errors.As(err, &lite) && !errors.As(err, &pg)
}

// isUnique reports a unique constraint that was broken.
func isUnique(err error) bool {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == pgUnique
}

// mayPass reports an error of a transaction that is worth running again: another
// node was in the way.
func mayPass(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == pgSerialize || pg.Code == pgDeadlock)
}
