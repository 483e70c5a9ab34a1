package sqlstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Config says what to open.
type Config struct {
	// Database is the path of a SQLite file, made if missing, or a postgres:// URL.
	Database string
	// ReadOnly opens a SQLite file that another process may be serving, to look at
	// it or copy it. Nothing is migrated or locked.
	ReadOnly bool
	// Progress, when set, is told of each migration as it ends.
	Progress func(version int64, name string)
	Log      *slog.Logger

	limits limits // a test's; zero = the defaults
}

// Store is a database of either engine.
type Store struct {
	engine   engine
	reads    conn    // for what people ask for
	quick    conn    // for what delivery and publishing wait for: never behind the others
	writer   *writer // nil when the database was opened to be read only
	recorder *writer // of outcomes; the same one where there can be one only
	log      *slog.Logger
	effort   effort // of a list of few matches

	retention walk // where DeleteOld goes on
	hub       hub
	room      *room
}

// engine is what the two databases do differently.
type engine interface {
	// write runs fn in a transaction that commits when fn answers nil.
	write(ctx context.Context, s *Store, fn func(ctx context.Context, c conn) error) error
	clock(ctx context.Context) (time.Time, error)
	// lockRows is what a select adds to lock its rows of d and pass over locked ones.
	lockRows() string
	// lockD is what a select adds to lock its rows of d, waiting for them.
	lockD() string
	// lockAny is what a select adds to lock its rows and pass over locked ones.
	lockAny() string
	// lockOwn is what a select adds to lock its rows, waiting for them.
	lockOwn() string
	// unindexed is how a condition names a column for which no index is to be used.
	unindexed(column string) string
	// shared reports whether other nodes may use the database.
	shared() bool
	backup(ctx context.Context, path string, progress func(done, total int64)) error
	announce(ctx context.Context, notes []store.Note) error
	listen(ctx context.Context, hear func(store.Note)) error
	ping(ctx context.Context) error
	// catalog gives the query of all names of tables and indexes, and where the migrations are.
	catalog() (query, folder string)
	close() error
}

var _ store.Store = (*Store)(nil)

// Open opens a database and brings its tables up to date, under a lock.
// Errors: store.ErrInUse, store.ErrNewer, or what the database says.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if IsPostgres(cfg.Database) {
		return openPostgres(ctx, cfg)
	}
	return openSQLite(ctx, cfg)
}

// IsPostgres reports whether a database setting names a PostgreSQL server.
func IsPostgres(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}

// Close commits what is waiting and closes the database.
func (s *Store) Close() error {
	if s.writer != nil {
		s.writer.close()
		s.recorder.close()
	}
	return s.engine.close()
}

// Clock gives the time that leases are reckoned in.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	t, err := s.engine.clock(ctx)
	return t, translate(err)
}

// Backup writes a consistent copy.
func (s *Store) Backup(ctx context.Context, path string, progress func(done, total int64)) error {
	return translate(s.engine.backup(ctx, path, progress))
}

// submit gives an operation to the writer and waits for its end.
func (s *Store) submit(ctx context.Context, op *operation) error {
	if s.writer == nil {
		return errors.New("the database was opened to be read only")
	}
	w := s.writer
	if op.record != nil {
		w = s.recorder
	}
	err := translate(w.do(ctx, op))
	s.room.note(err, time.Now())
	return err
}

// write runs fn in a transaction of its own.
func (s *Store) write(ctx context.Context, what string, fn func(ctx context.Context, c conn) error) error {
	err := translate(s.engine.write(ctx, s, fn))
	s.room.note(err, time.Now())
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// read gives reading errors their meaning and says what was being done.
func reading(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, translate(err))
}

// ms is how a time is kept: milliseconds since 1970, 0 for the zero time.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// at is the time that ms kept.
func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// newToken draws the random half of lease tokens. Adding a delivery's number
// to it gives tokens that differ between claims and between deliveries and stay
// positive in 64 bits.
func newToken() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return int64(binary.BigEndian.Uint64(b[:]) >> 2)
}
