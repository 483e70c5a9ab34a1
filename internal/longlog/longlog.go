// Package longlog fills a database with a long log, for tests of what is read from one: rows as the program
// leaves them, written straight to the tables, because to publish a million events and to deliver them takes
// minutes. It knows the tables and no rule; it comes before the program that reads them, and never into it.
package longlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named "pgx"
	_ "modernc.org/sqlite"             // the driver named "sqlite"
)

const (
	// Endpoints is how many the deliveries are for, in turn.
	Endpoints = 20
	// RareType is the type of the oldest events and of no others.
	RareType = "domain.removed"
	// RareEvents is how many those are.
	RareEvents = 30
	// PerEvent is how many deliveries an event has. Of every 1000 events one more matched nobody.
	PerEvent = 2

	account = "acc_default"
	chunk   = 100_000 // deliveries of one transaction
	minute  = int64(time.Minute / time.Millisecond)
	days    = 28 // the oldest event is as old: younger than what retention deletes
	hour    = 60 * minute
)

// Endpoint is the id of one of the endpoints, from 0.
func Endpoint(n int) string { return fmt.Sprintf("ep_long%02d", n) }

// Fill adds so many deliveries to a database that has the tables, with all that belongs to them: events, attempts, a month
// of statistics, an audit. Of a hundred 81 were delivered, ten have failed for four causes, three are held, three wait for their
// next attempt, two for their first, and one was discarded.
func Fill(t testing.TB, database string, deliveries int) {
	t.Helper()
	if err := fill(t.Context(), database, deliveries); err != nil {
		t.Fatalf("fill the log: %v", err)
	}
}

func fill(ctx context.Context, database string, deliveries int) (err error) {
	w := filler{rows: deliveries, at: time.Now().UnixMilli()}
	driver, address := "sqlite", "file:"+database+"?_pragma=synchronous(off)&_pragma=busy_timeout(30000)&_pragma=cache_size(-262144)&_pragma=temp_store(memory)"
	if w.postgres = strings.HasPrefix(database, "postgres"); w.postgres {
		driver, address = "pgx", database
	}
	pool, err := sql.Open(driver, address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	if w.conn, err = pool.Conn(ctx); err != nil { // one: a setting belongs to its connection
		return err
	}
	defer func() { err = errors.Join(err, w.conn.Close()) }()
	return w.write(ctx)
}

// filler writes one log.
type filler struct {
	conn          *sql.Conn
	postgres      bool
	rows          int
	at            int64 // the time that all is reckoned from
	event, number int64 // the first of its events and deliveries
}

func (w *filler) write(ctx context.Context) (err error) {
	if w.postgres {
		if err := w.run(ctx, "set synchronous_commit = off"); err != nil {
			return err
		}
	}
	if w.event, err = w.numbers(ctx, "event", w.events()+w.unmatched()); err != nil {
		return err
	}
	if w.number, err = w.numbers(ctx, "delivery", w.rows); err != nil {
		return err
	}
	for from := 0; from < w.rows; from += chunk {
		if err := w.part(ctx, from, min(chunk, w.rows-from)); err != nil {
			return err
		}
	}
	once := w.insertEvents(fmt.Sprintf("%d + n.i", w.events()), "0", w.when(w.unmatched())) + series(0, w.unmatched())
	for _, insert := range []string{once, w.insertEndpoints(), w.insertStats(), w.insertAudit()} {
		if err := w.run(ctx, insert); err != nil {
			return err
		}
	}
	return w.tidy(ctx)
}

func (w *filler) run(ctx context.Context, statement string) error {
	_, err := w.conn.ExecContext(ctx, statement)
	return err
}

func (w *filler) events() int    { return (w.rows + PerEvent - 1) / PerEvent }
func (w *filler) unmatched() int { return (w.events() + 999) / 1000 }

// numbers takes numbers as the program does.
func (w *filler) numbers(ctx context.Context, name string, n int) (first int64, err error) {
	err = w.conn.QueryRowContext(ctx, fmt.Sprintf("update counters set next = next + %d where name = '%s' returning next - %d", n, name, n)).Scan(&first)
	return first, err
}

// part writes some deliveries, with all that belongs to them, in one transaction.
func (w *filler) part(ctx context.Context, from, count int) error {
	tx, err := w.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	events := w.insertEvents("n.i", fmt.Sprint(PerEvent), w.when(w.events())) + series(from/PerEvent, (count+PerEvent-1)/PerEvent)
	for _, insert := range []string{events, w.insertDeliveries() + series(from, count), w.insertAttempts() + series(from, count)} {
		if _, err := tx.ExecContext(ctx, insert); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// series gives the numbers i of rows.
func series(from, count int) string {
	return fmt.Sprintf(" from (with recursive n(i) as (select cast(%d as bigint) union all select i + 1 from n where i < %d) select i from n) as n", from, from+count-1)
}

// when spreads n rows over the time of the log, the oldest first.
func (w *filler) when(n int) string {
	return fmt.Sprintf("(%d + n.i * %d / %d)", w.at-days*24*hour, days*24*hour-minute, n)
}

// whenEvent is the time of the event that delivery i belongs to.
func (w *filler) whenEvent() string {
	return strings.ReplaceAll(w.when(w.events()), "n.i", fmt.Sprintf("(n.i / %d)", PerEvent))
}

// insertEvents writes event number e. An account has a few types that are common, and one that has become rare.
func (w *filler) insertEvents(e, deliveries, created string) string {
	id := fmt.Sprintf("'01890a5d-ac96-774b-8000-' || substr(cast(1000000000000 + %d + %s as text), 2)", w.event, e)
	kind := fmt.Sprintf("case when %s < %d then '%s' when %s %% 7 = 3 then 'alert.triggered' else 'scan.completed' end", e, RareEvents, RareType, e)
	return fmt.Sprintf(`insert into events (seq, account_id, id, type, created_at, body, hash, first_delivery, deliveries)
		select %d + %s, '%s', %s, %s, %s, %s, %s, %d + %s * %d, %s`,
		w.event, e, account, id, kind, created, w.bytes("'"+body+"'"), w.bytes("'00000000000000000000000000000000'"), w.number, e, PerEvent, deliveries)
}

// body is as long as any other.
const body = `{"id":"01890a5d-ac96-774b-8000-000000000000","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{` +
	`"domain":"example.com","scan_id":"scn_01J9ZQ8Y7X6W5V4T3S2R1Q0P","score":87,"grade":"B","previous_score":91,"issues":{"critical":0,"high":1,"medium":4,"low":9},` +
	`"report_url":"https://compliancelayer.example/reports/scn_01J9ZQ8Y7X6W5V4T3S2R1Q0P"}}`

// of gives what delivery i is by the hundredth that it belongs to. Each endpoint has all of them.
func of(cases string) string {
	return "case " + strings.ReplaceAll(cases, "h ", fmt.Sprintf("(n.i / %d %% 100) ", Endpoints)) + " end"
}

func (w *filler) insertDeliveries() string {
	status := of("when h < 10 then 'failed' when h < 13 then 'held' when h < 16 then 'retrying' when h < 18 then 'pending' when h < 19 then 'discarded' else 'delivered'")
	class := of("when h < 4 then 'server_error' when h < 7 then 'response_timeout' when h < 9 then 'connect_refused' when h < 10 then 'client_error' when h < 16 then 'server_error' when h < 18 then '' when h < 19 then 'response_timeout' else 'ok'")
	due := of(fmt.Sprintf("when h < 13 then null when h < 18 then %d + n.i * 7919 %% %d else null", w.at+hour, 22*hour)) // a prime step mixes them
	attempts := of("when h < 10 then 6 when h < 16 then 2 when h < 18 then 0 else 1")
	return fmt.Sprintf(`insert into deliveries (id, account_id, event_seq, endpoint_id, status, cycle, attempts, used, due_at, last_class, last_code, discard, created_at, updated_at)
		select %d + n.i, '%s', %d + n.i / %d, %s, %s, 'automatic', %s, %s, %s, %s, %s, %s, %s, %s`,
		w.number, account, w.event, PerEvent, lane("n.i"), status, attempts, attempts, due, class,
		of("when h < 4 then 503 when h >= 19 then 200 else 0"), of("when h = 18 then 'not wanted any more' else ''"), w.whenEvent(), w.whenEvent())
}

// insertAttempts writes the last attempt of each.
func (w *filler) insertAttempts() string {
	return fmt.Sprintf(`insert into attempts (delivery_id, number, cycle, node, started_at, ended_at, class, status_code, retry_after, effect, hint, local_info,
		dns, connect, tls, first_byte, total, url, request, proto, response, body, truncated)
		select %d + n.i, %s, 'automatic', 'long', %s, %s, %s, %s, 0, 'delivered', '', '', 0, 0, 0, 500, 600, 'https://hooks.example.com/in', %s, 'HTTP/1.1', %s, %s, 0`,
		w.number, of("when h < 10 then 6 when h < 16 then 2 else 1"), w.whenEvent(), w.whenEvent(), of("when h < 19 then 'server_error' else 'ok'"), of("when h < 19 then 503 else 200"),
		w.bytes("'Content-Type: application/json\nUser-Agent: ComplianceLayer-Webhooks/1.0\n'"), w.bytes("'Content-Length: 2\n'"), w.bytes("'ok'"))
}

// lane is the endpoint of delivery i.
func lane(i string) string {
	return fmt.Sprintf("'ep_long' || substr(cast(100 + %s %% %d as text), 2)", i, Endpoints)
}

func (w *filler) insertEndpoints() string {
	return fmt.Sprintf(`insert into endpoints (id, account_id, url, description, events, headers, rate_limit, concurrency, state, last_success_at, created_at, updated_at)
		select %s, '%s', 'https://hooks.example.com/in/' || n.i, 'Receiver number ' || n.i, '["*"]', '[]', 0, 0, 'enabled', %d, %d + n.i, %d`,
		lane("n.i"), account, w.at-minute, w.at-days*24*hour, w.at) + series(0, Endpoints)
}

// insertStats writes what was counted: a row for each endpoint and minute of the last day, and of the month before one for each hour.
func (w *filler) insertStats() string {
	const dayMinutes = 24 * 60
	ago := fmt.Sprintf("case when n.i / %[1]d < %[2]d then n.i / %[1]d else %[2]d + (n.i / %[1]d - %[2]d) * 60 end", Endpoints, dayMinutes)
	return fmt.Sprintf(`insert into stats (endpoint_id, minute, writer, account_id, succeeded, failed, retries, delivered, dead,
		l0, l1, l2, l3, l4, l5, l6, l7, l8, l9, l10, l11, l12, l13, l14)
		select %s, %d - (%s) * %d, 'long', '%s', 9, 1, 1, 9, 0, 0, 0, 5, 0, 3, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0`,
		lane("n.i"), w.at/minute*minute, ago, minute, account) + series(0, Endpoints*(dayMinutes+(days-1)*24))
}

// insertAudit writes what people did.
func (w *filler) insertAudit() string {
	n := max(300, w.rows/100)
	return fmt.Sprintf(`insert into audit (account_id, actor, action, object, detail, at) select '%s', 'key:cl_long', 'delivery.retry', cast(n.i as text), 'scan.completed to ep_long00', %s`,
		account, w.when(n)) + series(0, n)
}

// tidy leaves the database as it is after a while.
func (w *filler) tidy(ctx context.Context) error {
	if !w.postgres {
		return w.run(ctx, "pragma wal_checkpoint(truncate)")
	}
	// What is not yet on disk cannot be marked as seen by all.
	return errors.Join(w.run(ctx, "checkpoint"), w.run(ctx, "vacuum (analyze) events, deliveries, attempts, stats, audit, endpoints"))
}

// bytes makes bytes of a text.
func (w *filler) bytes(text string) string {
	if w.postgres {
		return "convert_to(" + text + ", 'UTF8')"
	}
	return "cast(" + text + " as blob)"
}
