package web_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/longlog"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// An export takes minutes, and a browser that lost its session must get no more of it; nor may it keep the program from stopping.
func TestAnExportBreaksOffWhenItsSessionOrTheProgramEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*person){
		"the session": func(zoe *person) { zoe.post("/sign-out", http.StatusOK) },
		"the program": func(zoe *person) { zoe.w.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const deliveries = 100_000 // more than is under way between the two ends of a connection
			var database string
			zoe := newWorld(t, func(c *app.Config) { database, c.ShutdownTimeout = c.Database, time.Hour }).owner() // nothing else may cut it
			longlog.Fill(t, database, deliveries)
			export := zoe.beginExport("")
			if _, err := io.CopyN(io.Discard, export, 1000); err != nil {
				t.Fatal(err)
			}
			end(zoe)
			if rest, err := io.Copy(io.Discard, export); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("after its end the export went on for %d bytes, and ended with %v", rest, err)
			}
		})
	}
}

// beginExport asks for an export and takes it over a connection that has room for little.
func (p *person) beginExport(query string) io.Reader {
	p.w.t.Helper()
	narrow := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4096)
		}
		return conn, err
	}}
	p.w.t.Cleanup(narrow.CloseIdleConnections)
	req, err := http.NewRequestWithContext(p.w.t.Context(), http.MethodGet, p.w.URL()+"/deliveries/export"+query, nil)
	if err != nil {
		p.w.t.Fatal(err)
	}
	res, err := (&http.Client{Jar: p.Jar, Transport: narrow}).Do(req)
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.w.t.Cleanup(func() { _ = res.Body.Close() })
	return res.Body
}

// What an export had found stayed in a buffer until there was more of it, and a proxy took the connection for dead. Here the first page
// looks for what is rare until its patience is over, and the next one waits for a lock: what there is must come.
func TestWhatAnExportHasFoundComesBeforeItLooksOn(t *testing.T) {
	t.Parallel()
	database := pgtest.URL(t)
	zoe := newWorld(t, func(c *app.Config) { c.Database = database }).owner()
	longlog.Fill(t, database, 20_000) // more than a page looks at in one step
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	unlock := locked(t, db, "deliveries")
	go func() {
		defer unlock()
		const listing = `select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
			and query like 'select * from (select d.%' and clock_timestamp() - query_start > interval '1.1 s')`
		for late := false; !late && t.Context().Err() == nil; {
			if err := db.QueryRowContext(t.Context(), listing).Scan(&late); err != nil {
				t.Errorf("look at who waits: %v", err)
				return
			}
		}
		locked(t, db, "sessions") // before it looks on, it looks whether its session holds
	}()
	lines := bufio.NewScanner(zoe.beginExport("?type=" + longlog.RareType))
	if !lines.Scan() {
		t.Errorf("nothing came, and then the error %v; want the names of the columns", lines.Err())
	}
}

// locked keeps everybody else from a table, until the end of the test at the latest.
func locked(t *testing.T, db *sql.DB, table string) (unlock func()) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err == nil {
		t.Cleanup(func() { _ = tx.Rollback() })
		_, err = tx.ExecContext(t.Context(), "lock table "+table+" in access exclusive mode")
	}
	if err != nil {
		t.Errorf("lock %s: %v", table, err)
		return func() {}
	}
	return func() { _ = tx.Rollback() }
}
