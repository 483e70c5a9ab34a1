package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errNoRow is what scanning a row that is not there answers, on both engines.
var errNoRow = errors.New("no row")

// conn runs statements, inside a transaction or outside. Statements are written
// with $1, $2 ... for both engines.
type conn interface {
	exec(ctx context.Context, query string, args ...any) (int64, error)
	query(ctx context.Context, query string, args ...any) (rows, error)
	row(ctx context.Context, query string, args ...any) scanner
	// many runs one statement once for each row of arguments and answers how many
	// rows each affected; on PostgreSQL in a single round trip.
	many(ctx context.Context, query string, args [][]any) ([]int64, error)
}

type scanner interface{ Scan(dest ...any) error }

type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// errEnough is what a scan answers to a row that is one too many.
var errEnough = errors.New("enough was read")

// collect reads all rows through scan, which reads one; or those before the one
// that scan answered with errEnough.
func collect[T any](rs rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	var all []T
	for rs.Next() {
		one, err := scan(rs)
		if errors.Is(err, errEnough) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rs.Err()
}

// sqliteConn is a connection, or a pool of readers, of database/sql.
type sqliteConn struct {
	db       sqliteDB
	mu       *sync.Mutex
	prepared map[string]*sql.Stmt // by query
}

func newSQLiteConn(db sqliteDB) sqliteConn {
	return sqliteConn{db: db, mu: new(sync.Mutex), prepared: map[string]*sql.Stmt{}}
}

type sqliteDB interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// mostPrepared bounds the statements that are kept. The fixed ones are about a
// hundred; those of filters depend on what is filtered by, and a few are enough.
// pgx does the same by itself: it keeps the last 512 of a connection.
const mostPrepared = 200

// statement is what runs a query: its prepared form, or itself.
type statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
}

// unprepared is a query that is parsed each time.
type unprepared struct {
	db    sqliteDB
	query string
}

func (u unprepared) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return u.db.ExecContext(ctx, u.query, args...)
}

func (u unprepared) QueryContext(ctx context.Context, args ...any) (*sql.Rows, error) {
	return u.db.QueryContext(ctx, u.query, args...)
}

func (u unprepared) QueryRowContext(ctx context.Context, args ...any) *sql.Row {
	return u.db.QueryRowContext(ctx, u.query, args...)
}

// stmt gives the prepared form of a query, unless there are too many of them.
func (c sqliteConn) stmt(ctx context.Context, query string) (statement, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.prepared[query]; ok {
		return s, nil
	}
	if len(c.prepared) >= mostPrepared {
		return unprepared{c.db, strings.ReplaceAll(query, "$", "?")}, nil
	}
	s, err := c.db.PrepareContext(ctx, strings.ReplaceAll(query, "$", "?")) //nolint:sqlclosecheck // kept for the life of the connection
	if err != nil {
		return nil, err
	}
	c.prepared[query] = s
	return s, nil
}

// close closes the statements: database/sql leaves those of a single connection to whoever
// prepared them, and SQLite keeps the files of a connection open as long as it has one.
func (c sqliteConn) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	clear(c.prepared)
	return errors.Join(errs...)
}

func (c sqliteConn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := c.stmt(ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (c sqliteConn) query(ctx context.Context, query string, args ...any) (rows, error) {
	s, err := c.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	rs, err := s.QueryContext(ctx, args...) //nolint:rowserrcheck,sqlclosecheck // collect checks and closes
	return sqliteRows{rs}, err
}

func (c sqliteConn) row(ctx context.Context, query string, args ...any) scanner {
	s, err := c.stmt(ctx, query)
	if err != nil {
		return failedRow{err}
	}
	return sqliteRow{s.QueryRowContext(ctx, args...)}
}

func (c sqliteConn) many(ctx context.Context, query string, args [][]any) ([]int64, error) {
	affected := make([]int64, len(args))
	for i, a := range args {
		n, err := c.exec(ctx, query, a...)
		if err != nil {
			return nil, err
		}
		affected[i] = n
	}
	return affected, nil
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

type sqliteRow struct{ *sql.Row }

func (r sqliteRow) Scan(dest ...any) error {
	err := r.Row.Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return errNoRow
	}
	return err
}

type sqliteRows struct{ *sql.Rows }

func (r sqliteRows) Close() { _ = r.Rows.Close() } // Err reports what matters

// pgConn is a PostgreSQL pool or transaction.
type pgConn struct {
	db interface {
		Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
		Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
		QueryRow(ctx context.Context, query string, args ...any) pgx.Row
		SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	}
}

func (c pgConn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := c.db.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (c pgConn) query(ctx context.Context, query string, args ...any) (rows, error) {
	return c.db.Query(ctx, query, args...) //nolint:sqlclosecheck // collect closes
}

func (c pgConn) row(ctx context.Context, query string, args ...any) scanner {
	return pgRow{c.db.QueryRow(ctx, query, args...)}
}

func (c pgConn) many(ctx context.Context, query string, args [][]any) ([]int64, error) {
	var b pgx.Batch
	for _, a := range args {
		b.Queue(query, a...)
	}
	results := c.db.SendBatch(ctx, &b)
	affected := make([]int64, len(args))
	for i := range args {
		tag, err := results.Exec()
		if err != nil {
			_ = results.Close() // the statement's own error says more
			return nil, err
		}
		affected[i] = tag.RowsAffected()
	}
	return affected, results.Close()
}

type pgRow struct{ pgx.Row }

func (r pgRow) Scan(dest ...any) error {
	err := r.Row.Scan(dest...)
	if errors.Is(err, pgx.ErrNoRows) {
		return errNoRow
	}
	return err
}
