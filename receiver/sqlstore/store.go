package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// Store is a [receiver.TxStore] on a database.
type Store struct {
	db    *sql.DB
	d     dialect
	owned bool

	// writing is held by whoever writes to SQLite, which has one writer at a time: here
	// they wait in order, while SQLite itself would let them try again after a sleep. It
	// is a channel, because who waits for a handler's transaction must be able to give up.
	writing chan struct{}

	prepared sync.Map // statements by their text; there are some twenty
}

// New makes a store on a database that the program has open, by the driver sqlite
// (modernc.org/sqlite), pgx (github.com/jackc/pgx/v5/stdlib) or one that speaks as they
// do. It makes the tables receiver_inbox and receiver_inbox_version if there are none, and
// refuses a database that may lose what it was given. A SQLite file should be opened with
// _txlock=immediate and a busy_timeout, as [OpenSQLite] does.
func New(ctx context.Context, db *sql.DB) (*Store, error) {
	d, err := detect(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	s, err := open(ctx, db, d)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	return s, nil
}

// open makes a store on a database, if that keeps what it says it keeps.
func open(ctx context.Context, db *sql.DB, d dialect) (*Store, error) {
	check := checkCommits
	if d.name == sqlite.name {
		check = checkDurable
	}
	if err := check(ctx, db); err != nil {
		return nil, err
	}
	if err := ensureTables(ctx, db, d); err != nil {
		return nil, err
	}
	return &Store{db: db, d: d, writing: make(chan struct{}, 1)}, nil
}

// Close gives back what the store holds of the database, and closes it if the store has
// opened it.
func (s *Store) Close() error {
	var problems []error
	s.prepared.Range(func(_, statement any) bool {
		problems = append(problems, statement.(*sql.Stmt).Close())
		return true
	})
	if s.owned {
		problems = append(problems, s.db.Close())
	}
	return errors.Join(problems...)
}

// statement gives one that was prepared before, because SQLite takes as long to parse it
// as to run it. The text must be one of few.
func (s *Store) statement(ctx context.Context, text string) (kept, error) {
	if known, ok := s.prepared.Load(text); ok {
		return kept{known.(*sql.Stmt)}, nil
	}
	fresh, err := s.db.PrepareContext(ctx, s.text(text)) //nolint:sqlclosecheck // Close does it
	if err != nil {
		return kept{}, fmt.Errorf("prepare a statement: %w", err)
	}
	if known, raced := s.prepared.LoadOrStore(text, fresh); raced {
		_ = fresh.Close() //nolint:sqlclosecheck // the other one is as good, and stays
		return kept{known.(*sql.Stmt)}, nil
	}
	return kept{fresh}, nil
}

// kept is a statement that whoever uses it does not close: it belongs to the store, or to a
// transaction.
type kept struct{ *sql.Stmt }

// prepare prepares what a transaction needs before it begins: within it, the database may
// have no other connection to prepare it on.
func (s *Store) prepare(ctx context.Context, texts ...string) error {
	for _, text := range texts {
		if _, err := s.statement(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// in gives a statement within a transaction, which was prepared before.
func (s *Store) in(ctx context.Context, tx *sql.Tx, text string) (kept, error) {
	statement, err := s.statement(ctx, text)
	if err != nil {
		return kept{}, err
	}
	return kept{tx.StmtContext(ctx, statement.Stmt)}, nil
}

// text puts the clock and the lock into a statement.
func (s *Store) text(statement string) string {
	return strings.NewReplacer("{now}", s.d.now, "{skip}", s.d.skip).Replace(statement)
}

// write runs fn while nobody else of this process writes to SQLite.
func (s *Store) write(ctx context.Context, fn func() error) error {
	if s.d.name != sqlite.name {
		return fn()
	}
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
		return fn()
	case <-ctx.Done():
		return fmt.Errorf("wait for another write to SQLite, such as a handler's transaction: %w", ctx.Err())
	}
}

// inTx runs fn in a transaction.
func (s *Store) inTx(ctx context.Context, fn func(*sql.Tx) error) error {
	return s.write(ctx, func() error {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("begin a transaction: %w", err)
		}
		defer func() { _ = tx.Rollback() }() // after a commit it does nothing
		if err := fn(tx); err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		return nil
	})
}

// columns are those of an item, in the order of scan. {body} is its body, or nothing.
const columns = `lane, id, type, delivery_id, {body}, received_at, status, tries, failures, lost, unsure,
	coalesce(due_at, 0), coalesce(ended_at, 0), error, token`

func columnsWith(body string) string { return strings.Replace(columns, "{body}", body, 1) }

// scan reads an item, and what comes after its columns.
func scan(row interface{ Scan(...any) error }, more ...any) (item receiver.Item, err error) {
	var received, due, ended int64
	var status string
	into := append([]any{
		&item.Lane, &item.ID, &item.Type, &item.DeliveryID, &item.Body, &received, &status, &item.Tries, &item.Failures,
		&item.Lost, &item.Unsure, &due, &ended, &item.Error, &item.Token,
	}, more...)
	if err := row.Scan(into...); err != nil {
		return item, err
	}
	item.Status = receiver.Status(status)
	item.ReceivedAt, item.DueAt, item.EndedAt = moment(received), moment(due), moment(ended)
	return item, nil
}

// moment reads a time; 0 is none.
func moment(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// placeholders writes (m, m, ...), (m, m, ...): rows of so many parameters, each with
// what is the same in all behind it.
func (d dialect) placeholders(rows, each int, same string) string {
	var b strings.Builder
	for r := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(")
		for i := range each {
			b.WriteString(strings.Replace(d.mark, "%d", strconv.Itoa(r*each+i+1), 1) + ", ")
		}
		b.WriteString(same + ")")
	}
	return b.String()
}
