package sqlstore

import (
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestFiltersDoNotFillTheMemoryWithStatements(t *testing.T) {
	t.Parallel()
	s, _ := openedFile(t)
	addEndpoint(t, s, "ep_1")
	must(t, accept(t.Context(), s, delivered("ep_1", 100)))
	f := store.DeliveryFilter{Types: []string{"domain.added"}}
	for range 2 * mostPrepared {
		if found, _, err := s.ListDeliveries(t.Context(), store.DefaultAccount, f, store.Page{Limit: 1}); err != nil || len(found) != 1 {
			t.Fatalf("a list of %d types has %d deliveries, %v", len(f.Types), len(found), err)
		}
		if n, err := s.CountDeliveries(t.Context(), store.DefaultAccount, f); err != nil || n != 1 {
			t.Fatalf("%d deliveries of %d types, %v", n, len(f.Types), err)
		}
		f.Types = append(f.Types, "a.b")
	}
	if n := len(s.reads.(timed).conn.(sqliteConn).prepared); n > mostPrepared {
		t.Errorf("%d statements are kept, want at most %d", n, mostPrepared)
	}
}

// Whoever writes waits for these.
func TestWhatRunsInTheWriterWalksNoLog(t *testing.T) {
	t.Parallel()
	s, _ := openedFile(t)
	for query, args := range map[string][]any{countGivenUp: {"ep_1"}, discardLeft: {10}, rewindDue + ")": {1, "ep_1", 2, 10}, aheadQuery: {"", 1, 2}} {
		for _, step := range planOf(t, s, query, args...) {
			byLog := strings.Contains(step, "deliveries_endpoint ") || strings.Contains(step, "deliveries_log")
			if byLog || strings.HasPrefix(step, "SCAN d") && !strings.Contains(step, "SUBQUERY") {
				t.Errorf("%s\nwalks the log: %s", query, step)
			}
		}
	}
}

// With a million deliveries that wait each walk takes a good part of a second.
func TestTheQueueWasCountedInFourWalks(t *testing.T) {
	t.Parallel()
	s, _ := openedFile(t)
	steps := planOf(t, s, countAside)
	if len(steps) != 1 || !strings.HasPrefix(steps[0], "SCAN deliveries USING COVERING INDEX ") || !strings.HasSuffix(steps[0], "_aside") {
		t.Errorf("it takes %q, want one walk of an index of what is set aside", steps)
	}
}

// planOf gives the steps that SQLite takes for a query.
func planOf(t *testing.T, s *Store, query string, args ...any) []string {
	t.Helper()
	rs, err := s.reads.query(t.Context(), "explain query plan "+query, args...)
	steps, err := collect(rs, err, func(r scanner) (step string, err error) {
		var a, b, c int
		return step, r.Scan(&a, &b, &c, &step)
	})
	must(t, err)
	return steps
}

// One statement for several statuses must not cost more than one for each.
func TestAListOfSeveralStatusesUsesTheIndexOfEach(t *testing.T) {
	t.Parallel()
	s, _ := openedFile(t)
	f := store.DeliveryFilter{Statuses: []delivery.Status{delivery.Failed, delivery.Held}}
	arms, _, err := s.arms(t.Context(), s.reads, store.DefaultAccount, f)
	must(t, err)
	query, args := each(arms, selectDelivery, ` order by d.created_at desc, d.id desc`, 10, 0)
	plan := strings.Join(planOf(t, s, query, args...), "\n")
	if strings.Count(plan, "USING INDEX deliveries_aside ") != 2 || strings.Contains(plan, "TEMP B-TREE") {
		t.Errorf("want deliveries_aside twice, in its order:\n%s", plan)
	}
}
