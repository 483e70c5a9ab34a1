package sqlstore

import (
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// TestAPlanMadeWhileTheTablesAreSmallWalksIndexes asks for the plans that a server makes, and
// keeps, after the first minute of a database: when it has rows that nobody has counted.
func TestAPlanMadeWhileTheTablesAreSmallWalksIndexes(t *testing.T) {
	t.Parallel()
	s := opened(t, Config{Database: pgtest.URL(t)})
	c, err := s.engine.(*pgEngine).pool.Acquire(t.Context())
	must(t, err)
	defer c.Release()
	_, err = c.Exec(t.Context(), `insert into deliveries (id, account_id, event_seq, endpoint_id, status, cycle, attempts, created_at, updated_at)
		select n, 'acc_default', n, 'ep_1', 'sending', 'automatic', 1, 1, 1 from generate_series(1, 300) as n`)
	must(t, err)
	often := map[string]string{
		"publish": publishEach,
		"record":  recordEach,
		"claim":   selectDue + ` order by d.due_at limit $3` + s.engine.lockRows(),
		"lease":   leaseOne,
		"due":     dueQuery,
		"nextDue": selectNextDue,
		"known":   selectKnown,
		"refs":    selectRefs,
	}
	for name, query := range often {
		if plan := keptPlan(t, c.Conn(), name, query); strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s: the plan reads a whole table:\n%s", name, plan)
		}
	}
}

// keptPlan gives the plan of a query that holds for any arguments.
func keptPlan(t *testing.T, c *pgx.Conn, name, query string) string {
	t.Helper()
	nulls := strings.TrimSuffix(strings.Repeat("null,", parameters(query)), ",")
	_, err := c.Exec(t.Context(), `set plan_cache_mode = force_generic_plan; prepare "`+name+`" as `+query)
	must(t, err)
	rs, err := c.Query(t.Context(), `explain execute "`+name+`" (`+nulls+`)`) //nolint:sqlclosecheck // collect closes
	lines, err := collect(rs, err, func(r scanner) (line string, err error) { return line, r.Scan(&line) })
	must(t, err)
	return strings.Join(lines, "\n")
}

// parameters counts the parameters of a query, each of which it names in some place.
func parameters(query string) (n int) {
	for strings.Contains(query, "$"+strconv.Itoa(n+1)) {
		n++
	}
	return n
}
