package manage_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// On a busy endpoint, the newer ones that were never tried hid those whose attempts had failed.
func TestTheFailuresBehindADisablingAreFoundHoweverMuchHasComeSince(t *testing.T) {
	t.Parallel()
	for _, retried := range []bool{false, true} {
		w := newWorld(t, nil)
		w.policy.Schedule, w.policy.DisableAfter = delivery.Schedule{0, time.Second, time.Hour}, 3
		e, began := w.endpoint(w.user), time.Now().UTC().Truncate(time.Millisecond)
		first := w.publishAt(began, e, 1, delivery.ServerError)[0]
		second := w.publishAt(began.Add(100*time.Millisecond), e, 1, delivery.ServerError)[0]
		want := []delivery.ID{first, second}
		if retried { // the last attempt is of a delivery older than the second
			w.publishAt(began.Add(10*time.Second), e, 100, "")
			want = append(want, w.failDue(e, began.Add(5*time.Second)))
		} else {
			want = append(want, w.publishAt(began.Add(200*time.Millisecond), e, 1, delivery.ServerError)[0])
			w.publishAt(began.Add(10*time.Second), e, 100, "")
		}
		if got := must(w.Endpoint(t.Context(), w.user, e.ID))(t); got.DisabledReason != delivery.ByFailures {
			t.Fatalf("the endpoint is %s, want disabled by failures", got.State)
		}
		var got []delivery.ID
		for _, one := range must(w.Failures(t.Context(), w.user, e.ID))(t) {
			if one.Class != delivery.ServerError || one.EventType != "scan.completed" || one.LocalInfo != "" {
				t.Errorf("got %+v, want a server error of scan.completed without what only operators may see", one)
			}
			got = append(got, one.DeliveryID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("retried=%v: the deliveries of the failures (-want +got):\n%s", retried, diff)
		}
		must(w.EnableEndpoint(t.Context(), w.user, manage.EnableEndpoint{ID: e.ID}))(t)
		if got := must(w.Failures(t.Context(), w.user, e.ID))(t); len(got) != 0 {
			t.Errorf("an endpoint that receives has %d failures behind its disabling", len(got))
		}
	}
}

// failDue claims what is due first of an endpoint, and records that its attempt failed.
func (w *world) failDue(e manage.Endpoint, now time.Time) delivery.ID {
	w.t.Helper()
	got := must(w.db.Claim(w.t.Context(), store.Claim{Node: "node-1", Now: now, Until: now.Add(time.Minute), Wants: []store.Want{{EndpointID: e.ID, Max: 1}}}))(w.t)
	if len(got) != 1 || len(got[0].Leases) != 1 {
		w.t.Fatalf("claimed %+v, want one lease", got)
	}
	l := got[0].Leases[0]
	a := delivery.Attempt{
		DeliveryID: l.ID, Number: l.Attempt, Cycle: l.Cycle, Node: "node-1", PlannedAt: l.PlannedAt,
		Outcome: delivery.Outcome{StartedAt: now, EndedAt: now, Class: delivery.ServerError},
	}
	must(w.db.Record(w.t.Context(), w.policy, []store.Result{w.decided(l, a)}))(w.t)
	return l.ID
}
