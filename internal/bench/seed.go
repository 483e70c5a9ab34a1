package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named "pgx"
	_ "modernc.org/sqlite"             // the driver named "sqlite"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// backlog is rows as the program leaves them: events with one delivery each, and
// each with one attempt in its log. They are written straight to the tables, because
// to publish millions would take an hour.
type backlog struct {
	endpoints []string // who they are for, in turn
	rows      int
	due       due
	chunk     int // rows of one transaction; 0 = seedChunk
	counted   int // the measurement that counts them when they arrive; 0 = none
}

// due says when the deliveries of a backlog are to be sent.
type due int

const (
	now   due = iota // they wait, and are due
	later            // they wait, for 1 h to 23 h
	never            // they were delivered, over the last 28 days
)

const (
	// seedChunk is how many rows one transaction writes, of three or four tables each.
	seedChunk = 50_000

	// seedDays is how far back what was delivered goes: less than the retention, which
	// would begin to delete it.
	seedDays = 28

	hour = int64(time.Hour / time.Millisecond)
	day  = 24 * hour

	seedAccount = "acc_default"
)

// Headers of an attempt, of the usual length.
const (
	seedRequest = "Content-Type: application/json\nUser-Agent: ComplianceLayer/1.0\nWebhook-Id: 01890a5d-ac96-774b-bcce-b302099a8057\nWebhook-Timestamp: 1772973296\n" +
		"Webhook-Signature: v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nX-ComplianceLayer-Event: scan.completed\nX-ComplianceLayer-Delivery: 1000000\nX-ComplianceLayer-Attempt: 1\n" +
		"X-ComplianceLayer-Timestamp: 1772973296\nX-ComplianceLayer-Signature: t=1772973296,v1=0000000000000000000000000000000000000000000000000000000000000000\n"
	seedResponse = "Content-Length: 0\n"
)

// fill writes a backlog while the program is stopped, and starts it again.
func (s *subject) fill(ctx context.Context, all ...backlog) error {
	if err := s.stop(); err != nil {
		return err
	}
	for _, b := range all {
		if err := s.db.seed(ctx, b); err != nil {
			return fmt.Errorf("fill the database: %w", err)
		}
	}
	return s.run(ctx)
}

// seed writes a backlog, if there is anything in it.
func (db database) seed(ctx context.Context, b backlog) (err error) {
	if b.rows == 0 {
		return nil
	}
	driver, address := "pgx", db.address
	if db.kind == sqlite {
		driver, address = "sqlite", "file:"+db.address+"?_pragma=synchronous(off)&_pragma=cache_size(-524288)&_pragma=temp_store(memory)"
	}
	pool, err := sql.Open(driver, address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	conn, err := pool.Conn(ctx) // one: a temporary table belongs to its connection
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	w := seeder{conn: conn, kind: db.kind, backlog: b, at: time.Now().UnixMilli()}
	return w.write(ctx)
}

// seeder writes one backlog.
type seeder struct {
	backlog
	conn          *sql.Conn
	kind          string
	at            int64 // the time that all is reckoned from
	event, number int64 // the first of its events and deliveries
}

func (w *seeder) write(ctx context.Context) (err error) {
	if w.kind == postgres { // what is measured commits with a sync, as ever
		if err := w.run(ctx, "set synchronous_commit = off"); err != nil {
			return err
		}
	}
	if err := w.lanes(ctx); err != nil {
		return err
	}
	if w.event, err = w.numbers(ctx, "event"); err != nil {
		return err
	}
	if w.number, err = w.numbers(ctx, "delivery"); err != nil {
		return err
	}
	chunk := cmp.Or(w.chunk, seedChunk)
	for from := 0; from < w.rows; from += chunk {
		if err := w.part(ctx, from, min(chunk, w.rows-from)); err != nil {
			return err
		}
	}
	if w.due == never {
		if err := w.stats(ctx); err != nil {
			return err
		}
	}
	return w.tidy(ctx)
}

func (w *seeder) run(ctx context.Context, statement string) error {
	_, err := w.conn.ExecContext(ctx, statement)
	return err
}

// lanes keeps the endpoints in a table, to be joined with.
func (w *seeder) lanes(ctx context.Context) error {
	if err := w.run(ctx, "create temporary table lanes (lane integer primary key, id text)"); err != nil {
		return err
	}
	for i, id := range w.endpoints {
		if err := w.run(ctx, fmt.Sprintf("insert into lanes values (%d, %s)", i, quoted(id))); err != nil {
			return err
		}
	}
	return nil
}

// numbers takes as many numbers as there are rows, as the program does.
func (w *seeder) numbers(ctx context.Context, name string) (first int64, err error) {
	err = w.conn.QueryRowContext(ctx, fmt.Sprintf("update counters set next = next + %d where name = %s returning next - %d", w.rows, quoted(name), w.rows)).Scan(&first)
	return first, err
}

// part writes some of the rows, all that belongs to them in one transaction.
func (w *seeder) part(ctx context.Context, from, count int) error {
	tx, err := w.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	events, err := w.events()
	if err != nil {
		return err
	}
	for _, insert := range []string{events, w.deliveries(), w.attempts()} {
		if _, err := tx.ExecContext(ctx, insert+w.series(from, count)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// series gives the numbers i of rows with the endpoint of each.
func (w *seeder) series(from, count int) string {
	return fmt.Sprintf(` from (with recursive n(i) as (select cast(%d as bigint) union all select i + 1 from n where i < %d) select i from n) as n join lanes on lanes.lane = n.i %% %d`,
		from, from+count-1, len(w.endpoints))
}

// created gives when row i was accepted. What waits was accepted within the last day.
func (w *seeder) created() string {
	begin, span := w.at-day, day
	switch {
	case w.counted != 0:
		begin, span = w.at, 1
	case w.due == never:
		begin, span = w.at-seedDays*day, (seedDays-1)*day
	}
	return fmt.Sprintf("(%d + n.i * %d / %d)", begin, span, w.rows)
}

// events writes events whose bodies are as long as any other.
func (w *seeder) events() (string, error) {
	data, err := eventData(singleType)
	if err != nil {
		return "", err
	}
	body, err := webhook.EncodeBody(someID, singleType, time.UnixMilli(w.at), data)
	if err != nil {
		return "", err
	}
	at := markAt(body)
	before, after, _ := strings.Cut(string(body[:at]), someID)
	event := fmt.Sprintf("'01890a5d-ac96-774b-8000-' || substr(cast(1000000000000 + %d + n.i as text), 2)", w.event)
	mark := fmt.Sprintf("'%04d-' || substr(cast(100000000 + n.i as text), 2) || '-%d'", w.counted, w.at*int64(time.Millisecond))
	whole := strings.Join([]string{quoted(before), event, quoted(after), mark, quoted(string(body[at+markBytes:]))}, " || ")
	return fmt.Sprintf(`insert into events (seq, account_id, id, type, created_at, body, hash, idem_key, first_delivery, deliveries)
		select %d + n.i, %s, %s, %s, %s, %s, %s, null, %d + n.i, 1`,
		w.event, quoted(seedAccount), event, quoted(singleType), w.created(), w.bytes(whole), w.bytes("'00000000000000000000000000000000'"), w.number), nil
}

func (w *seeder) deliveries() string {
	status, dueAt, class := "retrying", fmt.Sprint(w.at), "connect_refused"
	switch w.due {
	case later:
		dueAt = fmt.Sprintf("%d + n.i * 7919 %% %d", w.at+hour, 22*hour) // a prime step mixes them
	case never:
		status, dueAt, class = "delivered", "null", "ok"
	case now:
	}
	return fmt.Sprintf(`insert into deliveries (id, account_id, event_seq, endpoint_id, status, cycle, attempts, used, due_at, last_class, last_code, created_at, updated_at)
		select %d + n.i, %s, %d + n.i, lanes.id, %s, 'automatic', 1, 1, %s, %s, 0, %s, %s`,
		w.number, quoted(seedAccount), w.event, quoted(status), dueAt, quoted(class), w.created(), w.created())
}

func (w *seeder) attempts() string {
	class, code, effect, hint, response := "connect_refused", 0, "retrying", "Nothing listens at this address and port. Check that the receiver runs and the port is right.", ""
	if w.due == never {
		class, code, effect, hint, response = "ok", 200, "delivered", "", seedResponse
	}
	return fmt.Sprintf(`insert into attempts (delivery_id, number, cycle, node, started_at, ended_at, class, status_code, retry_after, effect, hint, local_info,
		dns, connect, tls, first_byte, total, url, request, proto, response, body, truncated)
		select %d + n.i, 1, 'automatic', 'seed', %s, %s, %s, %d, 0, %s, %s, '', 0, 0, 0, 500, 600, 'http://127.0.0.1:40000/', %s, 'HTTP/1.1', %s, %s, 0`,
		w.number, w.created(), w.created(), quoted(class), code, quoted(effect), quoted(hint), w.bytes(quoted(seedRequest)), w.bytes(quoted(response)), w.bytes("''"))
}

// stats writes what was counted of delivered rows: a row for each endpoint and minute.
func (w *seeder) stats(ctx context.Context) error {
	const minutes = (seedDays - 1) * 24 * 60
	each := max(1, w.rows/minutes/len(w.endpoints))
	return w.run(ctx, fmt.Sprintf(`insert into stats (endpoint_id, minute, writer, account_id, succeeded, failed, retries, delivered, dead,
		l0, l1, l2, l3, l4, l5, l6, l7, l8, l9, l10, l11, l12, l13, l14)
		select lanes.id, %d + n.i / %d * 60000, 'seed', %s, %d, 0, 0, %d, 0, %d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0`,
		(w.at-seedDays*day)/60000*60000, len(w.endpoints), quoted(seedAccount), each, each, each)+w.series(0, minutes*len(w.endpoints)))
}

// tidy leaves the database as it is after a while: what autovacuum or a checkpoint
// would do meanwhile is done.
func (w *seeder) tidy(ctx context.Context) error {
	if w.kind == sqlite {
		return w.run(ctx, "pragma wal_checkpoint(truncate)")
	}
	return errors.Join(w.run(ctx, "vacuum (analyze) events, deliveries, attempts, stats"), w.run(ctx, "checkpoint"))
}

// bytes makes bytes of a text.
func (w *seeder) bytes(text string) string {
	if w.kind == sqlite {
		return "cast(" + text + " as blob)"
	}
	return "convert_to(" + text + ", 'UTF8')"
}

// quoted writes a text as SQL does.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
