package crash_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// rows are the tables that the account is made up from.
type rows struct {
	events     map[string]eventRow // by id
	deliveries map[int64]deliveryRow
	attempts   map[int64][]attemptRow // by delivery, in order
}

type eventRow struct {
	id    string
	kind  string // its type
	body  []byte
	count int // of deliveries
}

type deliveryRow struct {
	id              int64
	event, endpoint string
	status, node    string
	cycle           string
	attempts        int
	token, updated  int64
	due             sql.NullInt64
}

type attemptRow struct {
	delivery       int64
	number         int
	node, class    string
	code           int
	started, ended int64
	request        string
}

// isPostgres tells the two kinds of databases apart.
func isPostgres(database string) bool { return strings.HasPrefix(database, "postgres") }

// openDatabase opens the tables to read them, beside whoever serves them.
func openDatabase(t testing.TB, database string) *sql.DB {
	t.Helper()
	driver, name := "pgx", database // both drivers come with the program
	if !isPostgres(database) {
		driver, name = "sqlite", "file:"+(&url.URL{Path: database}).EscapedPath()+"?_pragma=busy_timeout(10000)&_pragma=query_only(1)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	return db
}

// readRows reads the tables.
func readRows(t testing.TB, database string) rows {
	t.Helper()
	db := openDatabase(t, database)
	defer db.Close()
	r := rows{events: map[string]eventRow{}, deliveries: map[int64]deliveryRow{}, attempts: map[int64][]attemptRow{}}
	query(t, db, `select id, type, body, deliveries from events`, func(s *sql.Rows) error {
		var e eventRow
		err := s.Scan(&e.id, &e.kind, &e.body, &e.count)
		r.events[e.id] = e
		return err
	})
	query(t, db, `select d.id, e.id, d.endpoint_id, d.status, d.node, d.cycle, d.attempts, d.token, d.updated_at, d.due_at
		from deliveries d left join events e on e.seq = d.event_seq`, func(s *sql.Rows) error {
		var d deliveryRow
		err := s.Scan(&d.id, &d.event, &d.endpoint, &d.status, &d.node, &d.cycle, &d.attempts, &d.token, &d.updated, &d.due)
		r.deliveries[d.id] = d
		return err
	})
	query(t, db, `select delivery_id, number, node, class, status_code, started_at, ended_at, request from attempts`, func(s *sql.Rows) error {
		var a attemptRow
		err := s.Scan(&a.delivery, &a.number, &a.node, &a.class, &a.code, &a.started, &a.ended, &a.request)
		r.attempts[a.delivery] = append(r.attempts[a.delivery], a)
		return err
	})
	for _, all := range r.attempts {
		slices.SortFunc(all, func(a, b attemptRow) int { return cmp.Compare(a.number, b.number) })
	}
	return r
}

// query reads all rows of a query through scan.
func query(t testing.TB, db *sql.DB, text string, scan func(*sql.Rows) error, args ...any) {
	t.Helper()
	rs, err := db.QueryContext(context.Background(), text, args...)
	if err != nil {
		t.Fatalf("read the tables: %v", err)
	}
	defer rs.Close()
	for rs.Next() {
		if err := scan(rs); err != nil {
			t.Fatalf("read a row: %v", err)
		}
	}
	if err := rs.Err(); err != nil {
		t.Fatalf("read the tables: %v", err)
	}
}

// checkIntegrity asks SQLite whether its file is whole.
func checkIntegrity(t testing.TB, path string) {
	t.Helper()
	if isPostgres(path) {
		return
	}
	db := openDatabase(t, path)
	defer db.Close()
	var said []string
	query(t, db, `pragma integrity_check`, func(s *sql.Rows) error {
		var line string
		err := s.Scan(&line)
		said = append(said, line)
		return err
	})
	if !slices.Equal(said, []string{"ok"}) {
		t.Errorf("pragma integrity_check of %s says %q, want ok", path, said)
	}
}

// indexOf is bytes.Index for a text.
func indexOf(text []byte, part string) int { return bytes.Index(text, []byte(part)) }
