package model_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// rows are the tables, read whole after every step.
type rows struct {
	events     map[string]*eventRow // by id
	deliveries map[delivery.ID]*deliveryRow
	attempts   map[delivery.ID][]attemptRow // in the order of their numbers
	endpoints  map[string]*endpointRow
	jobs       []jobRow
}

type eventRow struct {
	seq     int64
	account string
	id      string
	kind    string
	body    []byte
	key     string
	first   int64
	count   int
	created int64
}

type deliveryRow struct {
	id                delivery.ID
	account, endpoint string
	event             int64
	status            delivery.Status
	cycle             delivery.Cycle
	attempts, used    int
	faults            int
	due               sql.NullInt64
	token             int64
	node              string
	discard           string
	created, updated  int64
}

type attemptRow struct {
	delivery       delivery.ID
	number         int
	cycle          delivery.Cycle
	node           string
	started, ended int64
	class          delivery.Class
	code           int
	retryAfter     int64
	effect         delivery.Effect
}

type endpointRow struct {
	id, account        string
	state              delivery.State
	reason             delivery.Reason
	disabledAt         int64
	failures, streak   int
	countedUntil, next int64
}

type jobRow struct {
	id, account, kind, state string
	perSecond, done, created int64
}

// tables are those that a history fills.
var tables = []string{
	"events", "deliveries", "attempts", "stats", "jobs", "notices", "audit", "nodes", "endpoints", "secrets",
}

// openRows opens the tables, to be read beside those who write them.
func openRows(database string) (*sql.DB, error) {
	driver, name := "pgx", database // both drivers come with the store
	if !strings.HasPrefix(database, "postgres") {
		driver, name = "sqlite", "file:"+(&url.URL{Path: database}).EscapedPath()+"?_pragma=busy_timeout(10000)"
	}
	return sql.Open(driver, name)
}

// empty removes what the histories before have left in a database that is used again.
func empty(ctx context.Context, db *sql.DB) error {
	var all strings.Builder
	for _, t := range tables {
		all.WriteString("delete from " + t + "; ")
	}
	_, err := db.ExecContext(ctx, "do $$ begin "+all.String()+" delete from accounts where id <> 'acc_default'; end $$")
	return err
}

// reader reads the tables over and over.
type reader struct {
	db       *sql.DB
	prepared []*sql.Stmt // of queries, in their order
}

// queries read all that is checked.
var queries = [...]string{
	`select seq, account_id, id, type, body, coalesce(idem_key, ''), first_delivery, deliveries, created_at from events`,
	`select id, account_id, endpoint_id, event_seq, status, cycle, attempts, used, faults, due_at, token, node, discard, created_at, updated_at from deliveries`,
	`select delivery_id, number, cycle, node, started_at, ended_at, class, status_code, retry_after, effect from attempts order by delivery_id, number`,
	`select id, account_id, state, disabled_reason, disabled_at, failures, streak, counted_until, next_at from endpoints`,
	`select id, account_id, kind, state, per_second, done, created_at from jobs`,
	`select d.status, d.attempts, d.token, d.node, e.state, e.disabled_at, e.streak, e.next_at, e.counted_until
		from deliveries d join endpoints e on e.id = d.endpoint_id where d.id = $1`,
}

func (r *reader) prepare(ctx context.Context) error {
	for _, q := range queries {
		s, err := r.db.PrepareContext(ctx, q) //nolint:sqlclosecheck // close does
		if err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		r.prepared = append(r.prepared, s)
	}
	return nil
}

func (r *reader) close() error {
	for _, s := range r.prepared {
		_ = s.Close() // with the connection, if not before
	}
	return r.db.Close()
}

// all reads the tables.
func (r *reader) all(ctx context.Context) (*rows, error) {
	got := &rows{
		events: map[string]*eventRow{}, deliveries: map[delivery.ID]*deliveryRow{},
		attempts: map[delivery.ID][]attemptRow{}, endpoints: map[string]*endpointRow{},
	}
	for i, one := range []func(*sql.Rows) error{got.event, got.delivery, got.attempt, got.endpoint, got.job} {
		if err := each(ctx, r.prepared[i], one); err != nil {
			return nil, err
		}
	}
	return got, nil
}

func each(ctx context.Context, s *sql.Stmt, row func(*sql.Rows) error) error {
	rs, err := s.QueryContext(ctx)
	if err != nil {
		return fmt.Errorf("read the tables: %w", err)
	}
	defer rs.Close()
	for rs.Next() {
		if err := row(rs); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
	}
	return rs.Err()
}

// leased reads what is committed about a lease and its endpoint. What cannot be read stays
// empty, and no check passes with it.
func (r *reader) leased(ctx context.Context, id delivery.ID) (d deliveryRow, e endpointRow) {
	_ = r.prepared[len(queries)-1].QueryRowContext(ctx, int64(id)).
		Scan(&d.status, &d.attempts, &d.token, &d.node, &e.state, &e.disabledAt, &e.streak, &e.next, &e.countedUntil)
	return d, e
}

func (r *rows) event(s *sql.Rows) error {
	e := &eventRow{}
	err := s.Scan(&e.seq, &e.account, &e.id, &e.kind, &e.body, &e.key, &e.first, &e.count, &e.created)
	r.events[e.id] = e
	return err
}

func (r *rows) delivery(s *sql.Rows) error {
	d := &deliveryRow{}
	err := s.Scan(&d.id, &d.account, &d.endpoint, &d.event, &d.status, &d.cycle, &d.attempts, &d.used, &d.faults, &d.due, &d.token, &d.node, &d.discard, &d.created, &d.updated)
	r.deliveries[d.id] = d
	return err
}

func (r *rows) attempt(s *sql.Rows) error {
	var a attemptRow
	err := s.Scan(&a.delivery, &a.number, &a.cycle, &a.node, &a.started, &a.ended, &a.class, &a.code, &a.retryAfter, &a.effect)
	r.attempts[a.delivery] = append(r.attempts[a.delivery], a)
	return err
}

func (r *rows) endpoint(s *sql.Rows) error {
	e := &endpointRow{}
	err := s.Scan(&e.id, &e.account, &e.state, &e.reason, &e.disabledAt, &e.failures, &e.streak, &e.countedUntil, &e.next)
	r.endpoints[e.id] = e
	return err
}

func (r *rows) job(s *sql.Rows) error {
	var j jobRow
	err := s.Scan(&j.id, &j.account, &j.kind, &j.state, &j.perSecond, &j.done, &j.created)
	r.jobs = append(r.jobs, j)
	return err
}

// running reports whether a job of an account is at work.
func (r *rows) running(account string) bool {
	for _, j := range r.jobs {
		if j.account == account && j.state == "running" {
			return true
		}
	}
	return false
}

// at is the time that a number of milliseconds means.
func at(ms int64) time.Time { return time.UnixMilli(ms) }

// String puts a delivery in words.
func (d *deliveryRow) String() string {
	due := "never"
	if d.due.Valid {
		due = at(d.due.Int64).UTC().Format("15:04:05.000")
	}
	return fmt.Sprintf("delivery %d to %s: %s, %s cycle, %d attempts, %d steps used, due %s, token %d of %q", d.id, d.endpoint, d.status, d.cycle, d.attempts, d.used, due, d.token, d.node)
}
