package sqlstore

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver"
)

// A statement that goes along the table takes longer each day that events are kept.
func TestNoStatementGoesAlongTheTable(t *testing.T) {
	t.Parallel()
	databases := map[string]struct {
		open    func(t *testing.T) (*Store, error)
		numbers string // 1 to $1, as n
		explain string
	}{
		"SQLite": {
			open: func(t *testing.T) (*Store, error) {
				return OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "a.db"))
			},
			numbers: "with recursive n(i) as (select 1 union all select i + 1 from n where i < $1) ",
			explain: "explain query plan ",
		},
		"PostgreSQL": {
			open:    func(t *testing.T) (*Store, error) { return OpenPostgres(t.Context(), pgtest.URL(t)) },
			numbers: "with n(i) as (select generate_series(1, $1::bigint)) ",
			explain: "explain ",
		},
	}
	for name, db := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := db.open(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			fillAs(t, s, db.numbers, "done", 100_000)
			fillAs(t, s, db.numbers, "waiting", 10_000)
			fillAs(t, s, db.numbers, "failed", 1_000)
			for _, upkeep := range []string{"vacuum", "analyze"} {
				if name == "SQLite" {
					break // it is used without either
				}
				exec(t, s, upkeep+" receiver_inbox")
			}
			for what, call := range calls() {
				if plan := explained(t, s, db.explain+s.text(call.text), call.args); scans(plan) {
					t.Errorf("%s goes along the table:\n%s", what, plan)
				}
			}
		})
	}
}

// call is a statement with its parameters.
type call struct {
	text string
	args []any
}

// calls are what the store asks of the database again and again.
func calls() map[string]call {
	made := func(text string, args []any) call { return call{text, args} }
	failed := receiver.Filter{Statuses: []receiver.Status{receiver.Failed}}
	of := failed
	of.Lanes = []string{""}
	named := receiver.Filter{IDs: []string{"done-1"}, Lanes: []string{""}, Statuses: []receiver.Status{receiver.Done}}
	return map[string]call{
		"claim":                      {claim + columnsWith("body") + ", seq", []any{"", 70_000, "token", 32}},
		"next":                       {next, []any{""}},
		"begin":                      {begin + columnsWith("body"), []any{"", "waiting-5", 70_000, "token"}},
		"end for good":               {endForGood, []any{"", "waiting-5", "token", "done", 0, false, ""}},
		"end for now":                {endWaiting, []any{"", "waiting-5", "token", false, 1000, 0, false, ""}},
		"purge":                      {purge, []any{"done", 1000, 100}},
		"purge of what is too young": {purge, []any{"failed", int64(1e12), 100}},
		"depths":                     {depths, nil},
		"list of the failed":         made(list(failed, 0, 101)),
		"list of a lane's failed":    made(list(of, 0, 101)),
		"list by id":                 made(list(named, 0, 101)),
		"rerun of the failed":        made(rerun(failed)),
		"rerun of a lane's failed":   made(rerun(of)),
		"rerun by id":                made(rerun(named)),
	}
}

// scans reports whether a plan goes along the table itself, or along all of it by the key
// that it is ordered by.
func scans(plan string) bool {
	return along.MatchString(plan)
}

var along = regexp.MustCompile(`SCAN receiver_inbox\n|\(rowid>\?\)|Seq Scan on receiver_inbox|receiver_inbox_pkey.*\n\s*Index Cond: \(+seq >`)

func fillAs(t *testing.T, s *Store, numbers, status string, rows int) {
	t.Helper()
	due, ended := "null", "i"
	if status == "waiting" {
		due, ended = "i", "null"
	}
	exec(t, s, fmt.Sprintf(`%s insert into receiver_inbox (lane, id, type, delivery_id, body, received_at, status, due_at, ended_at)
		select '', '%s-' || i, 'scan.completed', i, '{}', i, '%s', %s, %s from n`, numbers, status, status, due, ended), rows)
}

func exec(t *testing.T, s *Store, text string, args ...any) {
	t.Helper()
	if _, err := s.db.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// explained is the plan of a statement.
func explained(t *testing.T, s *Store, text string, args []any) string {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		into := make([]any, len(columns))
		for i := range into {
			into[i] = new(sql.NullString)
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(into[len(into)-1].(*sql.NullString).String + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
