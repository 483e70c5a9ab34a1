package sqlstore_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

// A sender that repeats what it sent in another order made PostgreSQL end one of the two
// batches.
func TestBatchesOfTheSameEventsInOtherOrdersDoNotFail(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	const rounds, events = 30, 200
	var all sync.WaitGroup
	for process := range 2 {
		store, err := sqlstore.OpenPostgres(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		all.Go(func() {
			for round := range rounds {
				var items []receiver.Item
				for i := range events {
					items = append(items, receiver.Item{ID: fmt.Sprintf("%d-%d", round, i), Type: "scan.completed", Body: []byte("{}")})
				}
				if process == 1 {
					slices.Reverse(items)
				}
				if _, err := store.Put(t.Context(), items); err != nil {
					t.Errorf("process %d, round %d: %v", process, round, err)
				}
			}
		})
	}
	all.Wait()
}
