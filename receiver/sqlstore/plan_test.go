package sqlstore

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver"
)

// question is a statement of the store, and what it may read.
type question struct {
	name       string
	text       string
	parameters int
	// sorts: it reads all of an index of what is not done, and sorts it.
	sorts bool
}

// often are the statements of receiving and working off.
func often(d dialect) []question {
	return []question{
		{"put", d.insertion(4), 20, false},
		{"begin", begin + columnsWith("body"), 4, false},
		{"claim", claim + columnsWith("body") + ", seq", 4, false},
		{"next", next, 1, false},
		{"end, waiting", endWaiting, 9, false},
		{"end, for good", endForGood, 8, false},
		{"end, forgotten", endForgotten, 3, false},
		{"purge", purge, 3, false},
	}
}

// seldom are those of people who look.
func seldom() []question {
	lanes, ids := []string{"one", "two"}, []string{"a", "b"}
	waiting, failed, done := receiver.Waiting, receiver.Failed, receiver.Done
	questions := []question{{"depths", depths, 0, true}, {"set back", setBack, 1, true}}
	for _, f := range []receiver.Filter{
		{},
		{Lanes: lanes},
		{Statuses: []receiver.Status{done}},
		{Statuses: []receiver.Status{done, failed}, Lanes: lanes},
		{IDs: ids},
		{IDs: ids, Lanes: lanes},
		{IDs: ids, Statuses: []receiver.Status{done, failed}},
		{Statuses: []receiver.Status{failed}},
		{Statuses: []receiver.Status{failed}, Lanes: lanes},
		{Statuses: []receiver.Status{waiting}},
		{Statuses: []receiver.Status{waiting}, Lanes: lanes},
		{Statuses: []receiver.Status{waiting, failed}},
	} {
		text, args := listed(f, 0, 100)
		sorts := f.IDs != nil || (f.Statuses != nil && f.Statuses[0] != done)
		questions = append(questions, question{fmt.Sprintf("list %+v", f), text, len(args), sorts})
	}
	for _, statuses := range [][]receiver.Status{{failed}, {waiting, failed, done}} {
		c := rerun([]int64{1, 2}, statuses)
		questions = append(questions, question{fmt.Sprintf("rerun %v", statuses), c.text, len(c.args), false})
	}
	return questions
}

func TestSQLiteAnswersByIndexes(t *testing.T) {
	t.Parallel()
	s, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, q := range append(often(s.d), seldom()...) {
		rows, err := s.db.QueryContext(t.Context(), "explain query plan "+s.text(q.text), make([]any, q.parameters)...)
		if err != nil {
			t.Fatalf("%s: %v", q.name, err)
		}
		defer rows.Close()
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, step)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		for _, step := range plan {
			table := strings.HasPrefix(step, "SCAN receiver_inbox")
			partial := strings.Contains(step, "INDEX receiver_inbox_due") || strings.Contains(step, "COVERING INDEX receiver_inbox_failed")
			switch {
			case q.sorts && strings.Contains(step, "(rowid>"):
				t.Errorf("%s: walks the table: %q in\n%s", q.name, step, strings.Join(plan, "\n"))
			case table && q.sorts && partial:
			case table, strings.Contains(step, "TEMP B-TREE") && !q.sorts:
				t.Errorf("%s: %q in\n%s", q.name, step, strings.Join(plan, "\n"))
			}
		}
	}
}

// PostgreSQL keeps plans for any arguments: those that it makes while a new table has
// some rows that nobody has counted yet, and those of a large table.
func TestPostgresAnswersByIndexes(t *testing.T) {
	t.Parallel()
	s, err := OpenPostgres(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fill(t, s, 300)
	for _, q := range often(s.d) {
		wantNoWalk(t, "few rows", q, keptPlan(t, s, q))
	}
	fill(t, s, 50_000)
	if _, err := s.db.ExecContext(t.Context(), "analyze receiver_inbox"); err != nil {
		t.Fatal(err)
	}
	for _, q := range append(often(s.d), seldom()...) {
		wantNoWalk(t, "many rows", q, keptPlan(t, s, q))
	}
}

// fill keeps rows that were done, with some that wait for a later turn or failed.
func fill(t *testing.T, s *Store, rows int) {
	t.Helper()
	const insert = `insert into receiver_inbox (lane, id, type, delivery_id, body, received_at, status, ended_at, due_at)
		select 'lane-' || n % 4, $1::bigint || '-' || n, 't', n, '', {now}, status,
			case when status <> 'waiting' then {now} end, case when status = 'waiting' then {now} + 3600000 end
		from (select n, case n % 50 when 0 then 'waiting' when 1 then 'failed' else 'done' end as status from generate_series(1, $1::bigint) as n) as g`
	if _, err := s.db.ExecContext(t.Context(), s.text(insert), rows); err != nil {
		t.Fatal(err)
	}
}

// keptPlan gives the plan of a statement for any arguments.
func keptPlan(t *testing.T, s *Store, q question) (plan string) {
	t.Helper()
	c, err := s.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	name := "kept_" + rand.Text()
	execute := name
	if q.parameters > 0 {
		execute += "(" + strings.TrimSuffix(strings.Repeat("null, ", q.parameters), ", ") + ")"
	}
	for _, text := range []string{"set plan_cache_mode = force_generic_plan", "prepare " + name + " as " + s.text(q.text)} {
		if _, err := c.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", q.name, err)
		}
	}
	rows, err := c.QueryContext(t.Context(), "explain execute "+execute)
	if err != nil {
		t.Fatalf("%s: %v", q.name, err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan += line + "\n"
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}

func wantNoWalk(t *testing.T, when string, q question, plan string) {
	t.Helper()
	if strings.Contains(plan, "Seq Scan") || (q.sorts && strings.Contains(plan, "Cond: (seq > ")) {
		t.Errorf("%s, %s: the plan reads the whole table:\n%s", when, q.name, plan)
	}
	// What an index leads past is not read, what a filter drops is.
	if (q.name == "claim" || q.name == "purge") && strings.Contains(plan, "Filter:") {
		t.Errorf("%s, %s: the plan reads what it does not want:\n%s", when, q.name, plan)
	}
}
