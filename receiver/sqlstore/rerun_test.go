package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// More than one look at the database and many pieces: all are run again, once, in the
// order in which they came.
func TestARerunOfVeryManyChangesEachOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, database string) {
		store, db := handle(t, database), beside(t, database)
		numbers := "(with recursive g(n) as (select 1 union all select n + 1 from g where n < 10150) select n from g) as g"
		if _, err := db.ExecContext(t.Context(), `insert into receiver_inbox (lane, id, type, delivery_id, body, received_at, status, tries, failures, ended_at)
			select '', 'e' || n, 't', n, '', 1, case when n % 100 = 0 then 'done' else 'failed' end, 3, 3, 1 from `+numbers); err != nil {
			t.Fatal(err)
		}
		if n, err := store.Rerun(t.Context(), receiver.Filter{}); err != nil || n != 10150-101 {
			t.Errorf("Rerun = %d, %v; want %d", n, err, 10150-101)
		}
		depths, err := store.Depths(t.Context())
		if err != nil || len(depths) != 1 || depths[0].Status != receiver.Waiting || depths[0].Count != 10150-101 {
			t.Errorf("Depths = %+v, %v", depths, err)
		}
		claimed, _, err := store.Claim(t.Context(), "", 3, leaseOfTest)
		if err != nil {
			t.Fatal(err)
		}
		for i, item := range claimed {
			if want := fmt.Sprintf("e%d", i+1); item.ID != want || item.Tries != 1 || item.Failures != 0 {
				t.Errorf("claimed %s, try %d, %d failures; want %s, begun anew", item.ID, item.Tries, item.Failures, want)
			}
		}
	})
}

// An event that gave way to a pause is first of its lane; a rerun must not put it behind
// those that came later.
func TestARerunLeavesItsPlaceToWhatIsDue(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, database string) {
		store, db := handle(t, database), beside(t, database)
		if _, err := store.Put(t.Context(), []receiver.Item{{ID: "first"}, {ID: "second"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), "update receiver_inbox set received_at = received_at - $1, due_at = due_at - $1", time.Minute.Milliseconds()); err != nil {
			t.Fatal(err)
		}
		if n, err := store.Rerun(t.Context(), receiver.Filter{IDs: []string{"first"}}); err != nil || n != 1 {
			t.Errorf("Rerun = %d, %v; want 1", n, err)
		}
		claimed, _, err := store.Claim(t.Context(), "", 1, leaseOfTest)
		if err != nil || len(claimed) != 1 || claimed[0].ID != "first" {
			t.Errorf("claimed %+v, %v; want the first", claimed, err)
		}
	})
}
