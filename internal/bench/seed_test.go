package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// eachDatabase runs a test on an empty database of each kind.
func eachDatabase(t *testing.T, test func(t *testing.T, db database, rows *sql.DB)) {
	t.Helper()
	for kind, driver := range map[string]string{sqlite: "sqlite", postgres: "pgx"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			db := database{kind: kind, dir: t.TempDir()}
			db.address = filepath.Join(db.dir, "bench.db")
			if kind == postgres {
				db.address = pgtest.URL(t)
			}
			if err := app.Migrate(t.Context(), db.address, nil); err != nil {
				t.Fatal(err)
			}
			rows, err := sql.Open(driver, db.address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = rows.Close() }) // it was only read
			test(t, db, rows)
		})
	}
}

// answers gives what each query answers, as texts.
func answers(ctx context.Context, db *sql.DB, queries map[string]string) (map[string]string, error) {
	got := map[string]string{}
	for name, query := range queries {
		var answer any
		if err := db.QueryRowContext(ctx, query).Scan(&answer); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		got[name] = fmt.Sprint(answer)
	}
	return got, nil
}

func TestABacklogIsRowsAsTheProgramLeavesThem(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, db database, rows *sql.DB) {
		for _, b := range []backlog{
			{endpoints: []string{"ep_a", "ep_b"}, rows: 50, chunk: 20, due: later},
			{endpoints: []string{"ep_a"}, rows: 20, due: never},
			{endpoints: []string{"ep_b"}, rows: 30, due: now, counted: 7},
			{endpoints: []string{"ep_b"}, rows: 0, due: now},
		} {
			if err := db.seed(t.Context(), b); err != nil {
				t.Fatalf("seed %+v: %v", b, err)
			}
		}
		got, err := answers(t.Context(), rows, map[string]string{
			"each event has one delivery":     "select count(*) from events e join deliveries d on d.event_seq = e.seq and d.id = e.first_delivery and d.account_id = e.account_id",
			"each delivery has one attempt":   "select count(*) from deliveries d join attempts a on a.delivery_id = d.id and a.number = d.attempts",
			"ids are different":               "select count(distinct id) from events",
			"waiting for later":               "select count(*) from deliveries where status = 'retrying' and due_at > created_at + 3600000",
			"due":                             "select count(*) from deliveries where status = 'retrying' and due_at <= created_at",
			"delivered":                       "select count(*) from deliveries where status = 'delivered' and due_at is null",
			"of one endpoint, half of later":  "select count(*) from deliveries where endpoint_id = 'ep_a'",
			"counted minutes of one endpoint": "select count(distinct minute) from stats where endpoint_id = 'ep_a'",
			"length of the shortest body":     "select min(length(body)) from events",
			"length of the longest body":      "select max(length(body)) from events",
			"the next event's number":         "select next - (select max(seq) from events) from counters where name = 'event'",
			"the next delivery's number":      "select next - (select max(id) from deliveries) from counters where name = 'delivery'",
		})
		want := map[string]string{
			"each event has one delivery": "100", "each delivery has one attempt": "100", "ids are different": "100",
			"waiting for later": "50", "due": "30", "delivered": "20", "of one endpoint, half of later": "45", "counted minutes of one endpoint": "38880",
			"length of the shortest body": "500", "length of the longest body": "500", "the next event's number": "1", "the next delivery's number": "1",
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("error %v; rows (-want +got):\n%s", err, diff)
		}
		var body []byte
		if err := rows.QueryRowContext(t.Context(), "select body from events order by seq desc limit 1").Scan(&body); err != nil {
			t.Fatal(err)
		}
		if m, ok := findMark(body); !ok || m.run != 7 || m.seq != 29 {
			t.Errorf("the last body says %+v, %v; want run 7 and number 29:\n%s", m, ok, body)
		}
	})
}
