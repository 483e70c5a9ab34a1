package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/database"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

const (
	// migrationLock is the advisory lock under which one node migrates.
	migrationLock = 0x636c6d6967
	// channel carries the notes of the nodes.
	channel = "compliancelayer"
	// notifyMost is how many bytes a NOTIFY may carry (its manual: under 8000).
	notifyMost = 7800
	// poolSize is how many connections one node opens at the most, half of them to
	// answer what people ask for: however long that takes, delivery and publishing do not
	// wait behind it. pool_max_conns in the URL sets another.
	poolSize = 16
	// poolLeast is what one node cannot do without: migrating takes two at once of its half.
	poolLeast = 4
	// forShare keeps an account's revision while events are committed that were
	// matched with it; other nodes may publish at the same time.
	forShare = " for share"
	// connectTimeout and pingTimeout bound how long a connection is looked at before the
	// next one is tried, unless the URL sets others.
	connectTimeout = 10 * time.Second
	pingTimeout    = 5 * time.Second
)

// sessionSettings hold unless the URL sets others. A node that freezes or vanishes
// in the middle of a transaction must not hold its locks for longer than another
// node waits for them, or its work could not be taken over in time.
var sessionSettings = map[string]string{
	"application_name":                    "compliancelayer",
	"idle_in_transaction_session_timeout": "8s",
	"lock_timeout":                        "12s",
	"tcp_keepalives_idle":                 "5",
	"tcp_keepalives_interval":             "2",
	"tcp_keepalives_count":                "3",
}

// walkIndexes are what sessions that deliver, publish and write have besides. Their statements
// are prepared once and then run for hours by one plan. Made while a table was nearly
// empty, or not counted yet, that plan would read all of the table each time: until the server looks
// again, outcomes cost ten times as much. All of these statements have an index to walk, and none
// runs long enough to be worth compiling.
var walkIndexes = map[string]string{"enable_seqscan": "off", "jit": "off"}

// readInOrder are what sessions have that read for people. A page is the first rows of an index; a bitmap gathers all of
// them before it sorts them, and to compile a query takes longer than any of these do.
var readInOrder = map[string]string{"enable_seqscan": "off", "enable_bitmapscan": "off", "jit": "off"}

// pgEngine is connections to a PostgreSQL server.
type pgEngine struct {
	pool    *pgxpool.Pool // for delivery, publishing and whatever writes
	reading *pgxpool.Pool // for what people ask for
	quick   conn          // reads through pool
	limits  limits
	hub     *hub   // this process hears itself at once, and the others through the server
	id      string // of this process in the notes
}

// parcel is the payload of a notification.
type parcel struct {
	From  string       `json:"f"`
	Notes []store.Note `json:"n"`
}

func openPostgres(ctx context.Context, cfg Config) (*Store, error) {
	pc, err := pgxpool.ParseConfig(cfg.Database)
	if err != nil {
		return nil, errors.New("the database URL cannot be read; write postgres://user:password@host:5432/name") // the driver's text may hold the password
	}
	if !strings.Contains(cfg.Database, "pool_max_conns") {
		pc.MaxConns = poolSize
	}
	pc.MaxConns = max(pc.MaxConns, poolLeast)
	setUnset(pc.ConnConfig.RuntimeParams, sessionSettings)
	pc.ConnConfig.ConnectTimeout = cmp.Or(pc.ConnConfig.ConnectTimeout, connectTimeout)
	pc.PingTimeout = cmp.Or(pc.PingTimeout, pingTimeout)
	s := &Store{log: cfg.Log, room: newRoom(cfg.Log), effort: fullEffort()}
	e := &pgEngine{limits: cfg.limits.orDefaults(), hub: &s.hub, id: uuid.NewString()}
	s.engine = e
	if err := e.connect(ctx, pc); err != nil {
		return nil, fmt.Errorf("open database: %w", translate(err))
	}
	s.quick, s.reads = e.quick, slowly(pgConn{e.reading}, e.limits)
	if err := e.prepare(ctx, cfg); err != nil {
		_ = e.close() // never fails
		return nil, fmt.Errorf("open database: %w", translate(err))
	}
	s.writer, s.recorder = startWriter(newPgWriter(e)), startWriter(newPgWriter(e))
	return s, nil
}

// setUnset adds those settings that the URL leaves open.
func setUnset(params, settings map[string]string) {
	for name, value := range settings {
		if params[name] == "" {
			params[name] = value
		}
	}
}

// connect makes the two pools, which open connections when they are asked for them.
func (e *pgEngine) connect(ctx context.Context, pc *pgxpool.Config) (err error) {
	rc := pc.Copy()
	rc.MaxConns = pc.MaxConns / 2
	pc.MaxConns -= rc.MaxConns
	setUnset(pc.ConnConfig.RuntimeParams, walkIndexes)
	setUnset(rc.ConnConfig.RuntimeParams, readInOrder)
	if e.pool, err = pgxpool.NewWithConfig(ctx, pc); err != nil {
		return err
	}
	e.quick = quickly(pgConn{e.pool}, e.limits, e.reset)
	if e.reading, err = pgxpool.NewWithConfig(ctx, rc); err != nil {
		e.pool.Close()
	}
	return err
}

// reset lets go of all connections. One that gave no answer in time is most likely one
// of many: a server or firewall that forgot it forgot the others, too, and to find that out one
// by one would take minutes.
func (e *pgEngine) reset() {
	e.pool.Reset()
	e.reading.Reset()
}

// noteLate resets the connections when a transaction was not answered in time.
func (e *pgEngine) noteLate(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		e.reset()
	}
	return err
}

func (e *pgEngine) prepare(ctx context.Context, cfg Config) error {
	if err := e.fit(ctx); err != nil {
		return err
	}
	if cfg.ReadOnly {
		return nil
	}
	lock, err := e.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, "select pg_advisory_lock($1)", migrationLock); err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(e.pool)
	err = migrate(ctx, db, database.DialectPostgres, "postgres", cfg.Progress)
	_, unlock := lock.Exec(ctx, "select pg_advisory_unlock($1)", migrationLock)
	return errors.Join(err, unlock, db.Close())
}

// fit refuses a server that is too old, or that would lose what it has committed.
func (e *pgEngine) fit(ctx context.Context) error {
	var version int
	if err := e.pool.QueryRow(ctx, "select current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	if version < 140000 {
		return fmt.Errorf("the server is PostgreSQL %d; version 14 or newer is needed", version/10000)
	}
	for name, where := range map[string]string{
		"synchronous_commit": "for this database", "fsync": "in postgresql.conf", "full_page_writes": "in postgresql.conf",
	} {
		var value string
		if err := e.pool.QueryRow(ctx, "select current_setting($1)", name).Scan(&value); err != nil {
			return err
		}
		if value == "off" {
			return fmt.Errorf("the server has %s = off, so it would lose accepted events in a crash; set it to on %s", name, where)
		}
	}
	return nil
}

// write runs fn in a transaction, again when another node was in the way.
func (e *pgEngine) write(ctx context.Context, _ *Store, fn func(ctx context.Context, c conn) error) error {
	const tries = 5
	ctx, cancel := context.WithTimeout(ctx, e.limits.write)
	defer cancel()
	var err error
	for range tries {
		err = pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error { return fn(ctx, pgConn{tx}) })
		if !mayPass(err) {
			break
		}
	}
	return e.noteLate(err)
}

func (e *pgEngine) clock(ctx context.Context) (t time.Time, err error) {
	return t, e.quick.row(ctx, "select clock_timestamp()").Scan(&t)
}

func (e *pgEngine) lockRows() string               { return " for update of d skip locked" }
func (e *pgEngine) lockAny() string                { return " for update skip locked" }
func (e *pgEngine) lockOwn() string                { return " for update" }
func (e *pgEngine) unindexed(column string) string { return column + " || ''" }
func (e *pgEngine) lockD() string                  { return " for update of d" }
func (e *pgEngine) shared() bool                   { return true }

func (e *pgEngine) ping(ctx context.Context) error { return e.pool.Ping(ctx) }

func (e *pgEngine) catalog() (query, folder string) {
	return "select relname::text from pg_class where relkind in ('r', 'i') and relnamespace = to_regnamespace(current_schema())", "postgres"
}

func (e *pgEngine) backup(context.Context, string, func(done, total int64)) error {
	return store.Conflictf("this command copies SQLite files; for PostgreSQL use pg_dump, or the server's own continuous archiving")
}

// announce sends notes in as few notifications as their size allows.
func (e *pgEngine) announce(ctx context.Context, notes []store.Note) error {
	e.hub.announce(notes)
	for len(notes) > 0 {
		n, payload, err := e.pack(notes)
		if err != nil {
			return err
		}
		if _, err := e.quick.exec(ctx, "select pg_notify($1, $2)", channel, payload); err != nil {
			return err
		}
		notes = notes[n:]
	}
	return nil
}

// pack puts as many notes as fit into one payload; one always fits.
func (e *pgEngine) pack(notes []store.Note) (int, string, error) {
	for n := len(notes); ; n = (n + 1) / 2 {
		payload, err := json.Marshal(parcel{From: e.id, Notes: notes[:n]})
		if err != nil || len(payload) <= notifyMost || n == 1 {
			return n, string(payload), err
		}
	}
}

// listen keeps a connection of its own; when that is lost the caller hears
// nothing until the next, and is right without it.
func (e *pgEngine) listen(ctx context.Context, hear func(store.Note)) error {
	var own sync.WaitGroup
	own.Go(func() { _ = e.hub.listen(ctx, hear) }) // it ends with ctx and cannot fail
	defer own.Wait()
	for ctx.Err() == nil {
		err := e.listenOnce(ctx, hear)
		if err != nil && ctx.Err() == nil {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
	return nil
}

func (e *pgEngine) listenOnce(ctx context.Context, hear func(store.Note)) error {
	pooled, err := e.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	c := pooled.Hijack() // a listening connection must not go back to the pool
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
	if _, err := quickly(pgConn{c}, e.limits, e.reset).exec(ctx, "listen "+channel); err != nil {
		return err
	}
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		var p parcel
		if err := json.Unmarshal([]byte(n.Payload), &p); err != nil || p.From == e.id {
			continue // of another release, or heard already; it was a hint
		}
		for _, note := range p.Notes {
			hear(note)
		}
	}
}

func (e *pgEngine) close() error {
	e.pool.Close()
	e.reading.Close()
	return nil
}
