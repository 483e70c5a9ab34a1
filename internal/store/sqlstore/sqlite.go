package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3/database"
	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// sqliteEngine is one file, one writing connection and some reading ones.
type sqliteEngine struct {
	path    string
	lock    *flock.Flock // nil when read-only
	writeDB *sql.DB
	readDB  *sql.DB    // for what people ask for
	quickDB *sql.DB    // for what delivery and publishing wait for
	w       sqliteConn // the writing connection; only the writer uses it
	numbers numbers
	hub     *hub
}

// openSQLite opens, locks and migrates a file.
func openSQLite(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{log: cfg.Log, room: newRoom(cfg.Log), effort: fullEffort()}
	e := &sqliteEngine{path: cfg.Database, numbers: newNumbers(), hub: &s.hub}
	s.engine = e
	if err := e.open(ctx, cfg); err != nil {
		_ = e.close() // the error of opening says more
		return nil, fmt.Errorf("open %s: %w", cfg.Database, translate(err))
	}
	l := cfg.limits.orDefaults()
	s.reads, s.quick = slowly(newSQLiteConn(e.readDB), l), quickly(newSQLiteConn(e.quickDB), l, nil)
	if !cfg.ReadOnly {
		s.writer = startWriter(e)
		s.recorder = s.writer
	}
	return s, nil
}

func (e *sqliteEngine) open(ctx context.Context, cfg Config) error {
	if !cfg.ReadOnly {
		if err := e.openWriter(ctx, cfg); err != nil {
			return err
		}
	}
	var err error
	if e.readDB, err = openReaders(ctx, cfg.Database, max(4, runtime.NumCPU())); err != nil {
		return err
	}
	e.quickDB, err = openReaders(ctx, cfg.Database, quickReaders)
	return err
}

// quickReaders is how many connections delivery and publishing read with: one for the
// loop that claims or a bulk change, one for the lanes and accounts that are read again.
const quickReaders = 2

// openReaders opens n connections for reading.
func openReaders(ctx context.Context, path string, n int) (*sql.DB, error) {
	// immutable is never set: the file may be served by another process.
	db, err := sql.Open("sqlite", dsn(path, "ro", "busy_timeout(10000)", "query_only(1)", "cache_size(-16384)", "temp_store(memory)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, db.PingContext(ctx)
}

func (e *sqliteEngine) openWriter(ctx context.Context, cfg Config) error {
	if err := os.MkdirAll(filepath.Dir(cfg.Database), 0o700); err != nil {
		return err
	}
	if err := makeFile(cfg.Database); err != nil {
		return err
	}
	if err := e.takeLock(cfg.Database); err != nil {
		return err
	}
	// FULL: a commit is on disk before it is answered, also when the power fails.
	// A checkpoint every 4000 pages (16 MiB) keeps it out of most commits.
	db, err := sql.Open("sqlite", dsn(cfg.Database, "rw", "busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)", "wal_autocheckpoint(4000)",
		"journal_size_limit(67108864)", "cache_size(-65536)", "temp_store(memory)"))
	if err != nil {
		return err
	}
	e.writeDB = db
	db.SetMaxOpenConns(1)
	if err := migrate(ctx, db, database.DialectSQLite3, "sqlite", cfg.Progress); err != nil {
		return err
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	e.w = newSQLiteConn(c)
	return e.endLeases(ctx)
}

// endLeases ends what the process before this one had leased: it is dead, or it
// would hold the lock. What it was sending is due at once, and Claim closes
// those attempts. Index deliveries_sending keeps that from looking at what waits.
func (e *sqliteEngine) endLeases(ctx context.Context) error {
	now := ms(time.Now())
	for _, query := range []string{
		`update deliveries indexed by deliveries_sending set due_at = $1 where status = 'sending' and due_at > $1`,
		`update endpoints set probe_until = $1 where probe_token <> 0 and probe_until > $1`,
		`update jobs set lease_until = $1 where state = 'running' and lease_until > $1`, // index jobs_running
	} {
		if _, err := e.w.exec(ctx, query, now); err != nil {
			return fmt.Errorf("end leases: %w", err)
		}
	}
	return nil
}

// takeLock keeps other processes from serving the file, whatever path they were given: the
// lock lies beside the file itself, not beside a link to it. A hard link may lie in
// another folder and is a second name by which nothing can be told, so that a file with two is refused
// (SQLite keeps its write-ahead log by name, too).
func (e *sqliteEngine) takeLock(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if names(real) > 1 {
		return fmt.Errorf("%w: the file has several names (hard links), and another process could serve it by another one; keep one name, or copy the file", store.ErrInUse)
	}
	e.lock = flock.New(real+".lock", flock.SetPermissions(0o600))
	held, err := e.lock.TryLock()
	if err != nil {
		return err
	}
	if !held {
		return fmt.Errorf("%w: another process serves it; stop that one, or give this one another --database", store.ErrInUse)
	}
	return nil
}

// makeFile makes the database file, readable by its owner alone, if there is none. One that is
// there it does not open: to close it again would end all locks that this process has on it.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if _, err = os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // a symbolic link to a file that is to be made
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// dsn gives the driver's name of a file, whatever characters its path has.
func dsn(path, mode string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_txlock": {"immediate"}}
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// commit runs a group in one transaction. The driver starts a goroutine for
// every statement whose context can end, so the writer's never does.
func (e *sqliteEngine) commit(group []*operation) error {
	ctx := context.Background()
	if _, err := e.w.exec(ctx, "begin immediate"); err != nil {
		return err
	}
	if err := e.runAll(ctx, group); err != nil {
		_, _ = e.w.exec(ctx, "rollback") // SQLite may have rolled back by itself
		return err
	}
	failpoint.Hit("writer: before the commit")
	if _, err := e.w.exec(ctx, "commit"); err != nil {
		_, _ = e.w.exec(ctx, "rollback")
		return err
	}
	return nil
}

func (e *sqliteEngine) runAll(ctx context.Context, group []*operation) error {
	if err := e.numbers.reserve(ctx, e.w, group); err != nil {
		return err
	}
	known := revisions{}
	l := newLedger(ctx, e.w, "")
	for _, op := range group {
		var err error
		switch {
		case op.publish != nil:
			err = e.numbers.publishOne(ctx, e.w, op, known, "")
		case op.record != nil:
			op.record.begin()
			err = l.record(op)
			known = revisions{} // it may have disabled an endpoint
		default:
			// It may change what the ledger and the revisions remember.
			if err = l.close(); err == nil {
				err = runOther(ctx, e.w, op)
			}
			l, known = newLedger(ctx, e.w, ""), revisions{}
		}
		if err != nil {
			return err
		}
	}
	return l.close()
}

// runOther runs an operation in a savepoint: what it wrote before it failed is undone.
func runOther(ctx context.Context, c conn, op *operation) error {
	if _, err := c.exec(ctx, "savepoint other"); err != nil {
		return err
	}
	if op.err = op.other(ctx, c); op.err != nil {
		if _, err := c.exec(ctx, "rollback to savepoint other"); err != nil {
			return op.err // SQLite has rolled back everything itself, as it does when the disk is full
		}
	}
	_, err := c.exec(ctx, "release savepoint other")
	return err
}

func (e *sqliteEngine) forget() { e.numbers.forget() }

func (e *sqliteEngine) write(ctx context.Context, s *Store, fn func(ctx context.Context, c conn) error) error {
	return s.submit(ctx, &operation{other: fn})
}

func (e *sqliteEngine) clock(context.Context) (time.Time, error) { return time.Now(), nil }
func (e *sqliteEngine) lockRows() string                         { return "" }
func (e *sqliteEngine) lockAny() string                          { return "" }
func (e *sqliteEngine) lockOwn() string                          { return "" }
func (e *sqliteEngine) unindexed(column string) string           { return "+" + column }
func (e *sqliteEngine) lockD() string                            { return "" }
func (e *sqliteEngine) shared() bool                             { return false }

func (e *sqliteEngine) ping(ctx context.Context) error {
	var one int
	return e.readDB.QueryRowContext(ctx, "select 1 from accounts limit 1").Scan(&one)
}

func (e *sqliteEngine) catalog() (query, folder string) {
	return "select name from sqlite_master where type in ('table', 'index')", "sqlite"
}

func (e *sqliteEngine) announce(_ context.Context, notes []store.Note) error {
	e.hub.announce(notes)
	return nil
}

func (e *sqliteEngine) listen(ctx context.Context, hear func(store.Note)) error {
	return e.hub.listen(ctx, hear)
}

// backup copies the database as it is at one moment. It reads within one
// transaction, so writing goes on beside it.
func (e *sqliteEngine) backup(ctx context.Context, path string, progress func(done, total int64)) error {
	if _, err := os.Lstat(path); err == nil {
		return store.Conflictf("%s exists already; name a new file", path)
	}
	var pages, size int64
	if err := e.readDB.QueryRowContext(ctx, "select page_count, page_size from pragma_page_count(), pragma_page_size()").Scan(&pages, &size); err != nil {
		return err
	}
	part := path + ".part"
	_ = os.Remove(part) // left by a backup that was cut off
	stop := watchSize(part, pages*size, progress)
	err := e.copyTo(ctx, part)
	stop()
	if err == nil {
		err = syncFile(part)
	}
	failpoint.Hit("backup: copied, not yet named")
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return err
}

// copyTo reads through a connection of its own: those for reading may write to no file.
func (e *sqliteEngine) copyTo(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", dsn(e.path, "ro", "busy_timeout(10000)"))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "vacuum into ?", path)
	return errors.Join(err, db.Close())
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Sync(), f.Close())
}

// watchSize tells how large a file has grown until it is stopped.
func watchSize(path string, total int64, progress func(done, total int64)) (stop func()) {
	if progress == nil {
		return func() {}
	}
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if info, err := os.Stat(path); err == nil {
					progress(min(info.Size(), total), total)
				}
			case <-done:
				progress(total, total)
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (e *sqliteEngine) close() error {
	var errs []error
	for _, db := range []*sql.DB{e.readDB, e.quickDB} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if c, ok := e.w.db.(*sql.Conn); ok {
		// Whoever copies the file of a stopped server gets all of it.
		_, err := c.ExecContext(context.Background(), "pragma wal_checkpoint(truncate)")
		errs = append(errs, err, e.w.close(), c.Close())
	}
	if e.writeDB != nil {
		errs = append(errs, e.writeDB.Close())
	}
	if e.lock != nil {
		errs = append(errs, e.lock.Unlock())
	}
	return errors.Join(errs...)
}
