package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func recordChecks() []check {
	return []check{
		{"every change of every class, cycle and state is written as it is", recordEveryChange},
		{"answers come in the order of the results", recordAnswersInOrder},
		{"a lost lease writes nothing, and those beside it are written", recordLostLease},
		{"an outcome is written once", recordTwice},
		{"a batch whose answer was lost is answered the same again and changes nothing", recordAgain},
		{"of two leases of a delivery in a call only the one that holds is written", recordBothLeases},
		{"an attempt that was closed as unknown does not stand for its outcome", recordAfterTakeOver},
		{"the same outcome from many goroutines is written once", recordTwiceAtOnce},
		{"a delivery that was given up while it was sent is decided by its outcome", recordDeletedMeanwhile},
	}
}

// recordEveryChange goes through the whole domain of delivery.Decide.
func recordEveryChange(w *world) {
	for _, cycle := range []delivery.Cycle{delivery.Automatic, delivery.Manual, delivery.Test} {
		for _, state := range []delivery.State{delivery.Enabled, delivery.Disabled, delivery.Deleted} {
			for name, p := range map[string]delivery.Policy{"a step is left": rules(), "it was the last step": lastStep()} {
				w.t.Run(fmt.Sprintf("%s, endpoint %s, %s", cycle, state, name), func(t *testing.T) {
					t.Parallel()
					recordEveryClass(newWorld(t, w.s), p, cycle, state)
				})
			}
		}
	}
}

// recordEveryClass records one attempt of each class, each of an endpoint of
// its own that is in the given state by then.
func recordEveryClass(w *world, p delivery.Policy, cycle delivery.Cycle, state delivery.State) {
	classes := delivery.Classes()
	endpoints := w.newEndpoints(len(classes))
	leases := w.leased(cycle, "scan.completed", endpoints...)
	var results []store.Result
	for i, class := range classes {
		if state != delivery.Enabled {
			w.setState(endpoints[i], state)
		}
		results = append(results, result(p, leases[i], outcome(class, at(time.Second))))
	}
	recorded := w.record(p, results...)
	for i, r := range results {
		want := store.Recorded{Applied: true, Change: r.Change.For(state), State: state}
		wantRecorded(w, p, r, recorded[i], want)
		wantWritten(w, r, want.Change)
	}
}

// wantRecorded compares an answer. The health and the notice of an endpoint
// that does not receive are nobody's concern.
func wantRecorded(w *world, p delivery.Policy, r store.Result, got, want store.Recorded) {
	w.t.Helper()
	if want.State == delivery.Enabled {
		want.Health, want.Notice = delivery.Health{}.After(p, r.Change, r.Attempt.Outcome)
		w.equal("health of the endpoint", w.endpoint(r.Lease.EndpointID).Health, want.Health)
	} else {
		got.Health, got.Notice = delivery.Health{}, delivery.NoNotice
	}
	w.equal(fmt.Sprintf("answer to %s", r.Attempt.Class), got, want)
}

// wantWritten compares the delivery on disk with the change.
func wantWritten(w *world, r store.Result, change delivery.Change) {
	w.t.Helper()
	got := w.delivery(r.Lease.ID)
	want := got
	want.Status, want.DueAt, want.Used, want.Discard = change.Status, change.DueAt, change.Used, change.Discard
	want.Cycle, want.Attempts = r.Lease.Cycle, 1
	want.LastClass, want.LastCode = r.Attempt.Class, r.Attempt.StatusCode
	w.equal(fmt.Sprintf("delivery after %s", r.Attempt.Class), got, want)
	attempts := w.attempts(r.Lease.ID)
	if len(attempts) != 1 || attempts[0].Class != r.Attempt.Class || attempts[0].Effect != r.Change.Effect {
		w.t.Errorf("log after %s: got %+v", r.Attempt.Class, attempts)
	}
}

func recordAnswersInOrder(w *world) {
	endpoints := w.newEndpoints(30)
	leases := w.leased(delivery.Automatic, "scan.completed", endpoints...)
	var results []store.Result
	for i := range leases {
		l := leases[len(leases)-1-i]
		class := delivery.OK
		if i%2 == 1 {
			class = delivery.Unreachable
		}
		results = append(results, result(rules(), l, outcome(class, at(time.Duration(i)*time.Second))))
	}
	for i, got := range w.record(rules(), results...) {
		w.equal(fmt.Sprintf("change of answer %d", i), got.Change, results[i].Change)
	}
}

func recordLostLease(w *world) {
	endpoints := w.newEndpoints(3)
	leases := w.leased(delivery.Automatic, "scan.completed", endpoints...)
	lost := leases[1]
	lost.Token++
	nobodys := leases[2]
	nobodys.ID = 1 << 60
	before := w.delivery(leases[1].ID)
	var results []store.Result
	for _, l := range []delivery.Lease{lost, leases[0], nobodys} {
		results = append(results, result(lastStep(), l, outcome(delivery.ServerError, at(0))))
	}
	recorded := w.record(lastStep(), results...)
	if recorded[0].Applied || !recorded[1].Applied || recorded[2].Applied {
		w.t.Errorf("applied: got %t %t %t, want the second alone", recorded[0].Applied, recorded[1].Applied, recorded[2].Applied)
	}
	w.equal("delivery of the lost lease", w.delivery(lost.ID), before)
	if a := w.attempts(lost.ID); len(a) > 0 {
		w.t.Errorf("the lost lease wrote attempts: %+v", a)
	}
	if h := w.endpoint(lost.EndpointID).Health; h != (delivery.Health{}) {
		w.t.Errorf("the lost lease counted against its endpoint: %+v", h)
	}
	w.wantStatus(leases[0].ID, delivery.Failed)
	if n := len(w.notices()); n != 1 {
		w.t.Errorf("got %d notices, want the one of the lease that held", n)
	}
	w.end(rules(), leases[1], delivery.OK, at(0))
}

func recordTwice(w *world) {
	endpoint := w.newEndpoint()
	l := w.lease(endpoint)
	failed := result(rules(), l, outcome(delivery.ServerError, at(0)))
	recorded := w.record(rules(), failed, failed)
	w.equal("answers to the same outcome twice in a call", recorded[1], recorded[0])
	if h := w.endpoint(endpoint).Health; h.Failures != 1 || h.Streak != 1 {
		w.t.Errorf("one failure counted as %+v", h)
	}
	if n := len(w.attempts(l.ID)); n != 1 {
		w.t.Errorf("the log has %d attempts, want 1", n)
	}
}

// recordAgain goes through what an outcome may do: to the delivery, to the
// endpoint's health, to its state, and what it may tell.
func recordAgain(w *world) {
	p := rules()
	p.DisableOnGone = true
	classes := delivery.Classes()
	endpoints := w.newEndpoints(len(classes) + 1)
	leases := w.leased(delivery.Automatic, "scan.completed", endpoints...)
	var results []store.Result
	for i, class := range classes {
		results = append(results, result(p, leases[i], outcome(class, at(time.Second))))
	}
	gone := outcome(delivery.ClientError, at(time.Second))
	gone.StatusCode = 410
	results = append(results, result(p, leases[len(classes)], gone))
	first := w.record(p, results...)
	notices := w.notices()
	before := make([]store.EndpointView, len(endpoints))
	for i, id := range endpoints {
		before[i] = w.endpoint(id)
	}
	for range 2 {
		w.equal("answers again", w.record(p, results...), first)
	}
	for i, id := range endpoints {
		w.equal(fmt.Sprintf("endpoint after the same attempt (%s) again", results[i].Attempt.Class), w.endpoint(id), before[i])
		if n := len(w.attempts(leases[i].ID)); n != 1 {
			w.t.Errorf("%s: the log has %d attempts, want 1", results[i].Attempt.Class, n)
		}
	}
	w.equal("notices", w.notices(), notices)
	if last := first[len(classes)]; last.Notice != delivery.DisabledIt {
		w.t.Errorf("410 was answered as %+v, want it to disable", last)
	}
}

func recordAfterTakeOver(w *world) {
	endpoint := w.newEndpoint()
	l := w.lease(endpoint)
	late := at(2 * time.Minute)
	if taken := w.claimFor(nodeB, endpoint, late, 1); taken.Expired != 1 {
		w.t.Fatalf("claimed %+v, want the lease that is over", taken)
	}
	if w.record(rules(), result(rules(), l, outcome(delivery.OK, at(0))))[0].Applied {
		w.t.Error("an outcome was applied after its delivery had been taken over")
	}
}

// recordBothLeases offers, in either order, an outcome that comes too late together with that of
// the lease by which the same node has taken the delivery over.
func recordBothLeases(w *world) {
	for _, lateFirst := range []bool{true, false} {
		endpoint := w.newEndpoint()
		lost := w.lease(endpoint)
		holds := w.claimOne(endpoint, at(2*time.Minute))
		results := []store.Result{result(rules(), holds, outcome(delivery.OK, at(3*time.Minute))), result(rules(), lost, outcome(delivery.OK, at(0)))}
		if lateFirst {
			results[0], results[1] = results[1], results[0]
		}
		for i, got := range w.record(rules(), results...) {
			if want := results[i].Lease.Token == holds.Token; got.Applied != want {
				w.t.Errorf("late one first %t: answer %d was applied %t, want %t", lateFirst, i, got.Applied, want)
			}
		}
		attempts := w.attempts(lost.ID)
		if len(attempts) != 2 || attempts[0].Class != delivery.Unknown || attempts[1].Class != delivery.OK {
			w.t.Errorf("late one first %t: the log has %+v, want the first closed as unknown and the second", lateFirst, attempts)
		}
	}
}

func recordTwiceAtOnce(w *world) {
	l := w.lease(w.newEndpoint())
	failed := result(rules(), l, outcome(delivery.ServerError, at(0)))
	w.atOnce(20, func(int) error {
		recorded, err := w.s.Record(w.ctx(), rules(), []store.Result{failed})
		if err == nil && !recorded[0].Applied {
			err = fmt.Errorf("answered %+v, want applied", recorded[0])
		}
		return err
	})
	if h := w.endpoint(l.EndpointID).Health; h.Failures != 1 || len(w.attempts(l.ID)) != 1 {
		w.t.Errorf("20 times the same outcome: %d failures counted with %d attempts in the log, want 1 and 1", h.Failures, len(w.attempts(l.ID)))
	}
}

// What is on the wire when its endpoint is deleted may still arrive; the log says so.
func recordDeletedMeanwhile(w *world) {
	endpoint := w.newEndpoint()
	l := w.lease(endpoint)
	w.setState(endpoint, delivery.Deleted)
	w.end(rules(), l, delivery.OK, at(0))
	w.wantStatus(l.ID, delivery.Delivered)
}
