package storetest

import (
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func leaseChecks() []check {
	return []check{
		{"a lease that runs is taken over by nobody", leaseRuns},
		{"a lease that is over is taken over, its attempt closed as unknown", leaseOver},
		{"a claim that was taken over can be taken over again", leaseOverAgain},
		{"the outcome of a lease that was taken over is refused, the new one's is written", leaseFenced},
		{"the outcome of a lease that is over counts until somebody takes it over", leaseLateButHeld},
		{"many claimers take an expired lease over once", leaseOverTogether},
		{"a test whose lease is over is never sent again", leaseOverTest},
		{"a lease that is over for a disabled endpoint becomes held", leaseOverDisabled},
		{"a lease that is over for a deleted endpoint is discarded", leaseOverDeleted},
		{"a narrow endpoint gives nothing before its time", narrowSpacing},
		{"a narrow endpoint gives one until its outcome is recorded", narrowOne},
		{"a narrow endpoint gives another when the lease has ended", narrowLeaseEnd},
		{"a narrow endpoint gives another when the lease is given back", narrowReturned},
		{"a narrow endpoint gives one to many claimers", narrowTogether},
	}
}

func justAfter(t time.Time) time.Time  { return t.Add(time.Millisecond) }
func justBefore(t time.Time) time.Time { return t.Add(-time.Millisecond) }

func leaseRuns(w *world) {
	endpoint := w.newEndpoint()
	w.publishOne(at(0), pendingTo(endpoint))
	l := w.claimOne(endpoint, at(0))
	if got := w.claimed(endpoint, justBefore(l.Until), 10); len(got.Leases) > 0 || got.Expired != 0 {
		w.t.Errorf("claimed %+v while another's lease runs", got)
	}
}

func leaseOver(w *world) {
	endpoint := w.newEndpoint()
	old := w.lease(endpoint)
	got := w.claimed(endpoint, justAfter(old.Until), 10)
	if len(got.Leases) != 1 || got.Expired != 1 {
		w.t.Fatalf("claim after the end of the lease: got %+v, want one lease that was taken over", got)
	}
	l := got.Leases[0]
	if l.ID != old.ID || l.Attempt != 2 || l.Used != 0 || l.Faults != 1 || l.Token == old.Token || l.Cycle != old.Cycle {
		w.t.Errorf("the lease: got %+v, want attempt 2 of %d with no step used, one fault and a new token", l, old.ID)
	}
	w.equal("body", l.Body, old.Body)
	attempts := w.attempts(old.ID)
	if len(attempts) != 1 {
		w.t.Fatalf("the log has %d attempts, want the one that was closed", len(attempts))
	}
	a := attempts[0]
	if a.Number != 1 || a.Class != delivery.Unknown || a.StatusCode != 0 || a.Effect != delivery.NoEffect || a.Node != nodeA || a.Cycle != old.Cycle {
		w.t.Errorf("the attempt that was closed: got %+v, want number 1 of %s, unknown, without effect", a, nodeA)
	}
	if h := w.endpoint(endpoint).Health; h != (delivery.Health{}) {
		w.t.Errorf("an unknown attempt counted against the endpoint: %+v", h)
	}
}

func leaseOverAgain(w *world) {
	endpoint := w.newEndpoint()
	l := w.lease(endpoint)
	for number := 2; number <= 8; number++ {
		l = w.claimOne(endpoint, justAfter(l.Until))
		if l.Attempt != number || l.Used != 0 || l.Faults != number-1 {
			w.t.Fatalf("take-over %d: got lease %+v", number-1, l)
		}
	}
	w.end(rules(), l, delivery.OK, at(time.Hour))
	attempts := w.attempts(l.ID)
	if len(attempts) != 8 || attempts[7].Class != delivery.OK {
		w.t.Fatalf("the log: got %d attempts, want 8 with the last one ok", len(attempts))
	}
	for i, a := range attempts[:7] {
		if a.Number != i+1 || a.Class != delivery.Unknown {
			w.t.Errorf("attempt %d: got number %d, %s", i+1, a.Number, a.Class)
		}
	}
}

func leaseFenced(w *world) {
	endpoint := w.newEndpoint()
	old := w.lease(endpoint)
	l := w.claimOne(endpoint, justAfter(old.Until))
	before := w.delivery(l.ID)
	late := w.record(rules(), result(rules(), old, outcome(delivery.OK, at(0))))[0]
	if late.Applied {
		w.t.Errorf("the outcome of a lease that was taken over was written")
	}
	w.equal("delivery after the late outcome", w.delivery(l.ID), before)
	if n := len(w.attempts(l.ID)); n != 1 {
		w.t.Errorf("the log has %d attempts after the late outcome, want 1", n)
	}
	w.end(rules(), l, delivery.OK, at(time.Minute))
	w.wantStatus(l.ID, delivery.Delivered)
}

func leaseLateButHeld(w *world) {
	l := w.lease(w.newEndpoint())
	w.end(rules(), l, delivery.OK, l.Until.Add(time.Hour))
	w.wantStatus(l.ID, delivery.Delivered)
}

func leaseOverTogether(w *world) {
	endpoint := w.newEndpoint()
	old := w.lease(endpoint)
	if given := w.given(endpoint, justAfter(old.Until), 10); given != 1 {
		w.t.Errorf("8 claimers took one expired lease over %d times", given)
	}
	if n := len(w.attempts(old.ID)); n != 1 {
		w.t.Errorf("the log has %d attempts, want 1", n)
	}
}

// given lets 8 nodes claim one endpoint's work at the same time, ten
// times each, and counts the leases that they got.
func (w *world) given(endpointID string, now time.Time, most int) int {
	w.t.Helper()
	var mu sync.Mutex
	given := 0
	w.atOnce(8, func(int) error {
		for range 10 {
			answers, err := w.s.Claim(w.ctx(), store.Claim{
				Node: nodeB, Now: now, Until: now.Add(time.Minute),
				Wants: []store.Want{{EndpointID: endpointID, Max: most}},
			})
			if err != nil {
				return err
			}
			mu.Lock()
			for _, a := range answers {
				given += len(a.Leases)
			}
			mu.Unlock()
		}
		return nil
	})
	return given
}

// A test is made once (delivery.Decide): nobody sends it again unasked.
func leaseOverTest(w *world) {
	endpoint := w.newEndpoint()
	l := w.leased(delivery.Test, "scan.completed", endpoint)[0]
	if got := w.claimed(endpoint, justAfter(l.Until), 10); len(got.Leases) > 0 {
		w.t.Errorf("a test was given again: %+v", got.Leases)
	}
	w.wantStatus(l.ID, delivery.Discarded)
	if a := w.attempts(l.ID); len(a) != 1 || a[0].Class != delivery.Unknown {
		w.t.Errorf("the log of the test: got %+v, want one unknown attempt", a)
	}
}

func leaseOverDisabled(w *world) { leaseOverIn(w, delivery.Disabled, delivery.Held) }
func leaseOverDeleted(w *world)  { leaseOverIn(w, delivery.Deleted, delivery.Discarded) }

func leaseOverIn(w *world, state delivery.State, want delivery.Status) {
	endpoint := w.newEndpoint()
	l := w.lease(endpoint)
	w.setState(endpoint, state)
	w.wantStatus(l.ID, delivery.Sending)
	if got := w.claimed(endpoint, justAfter(l.Until), 10); len(got.Leases) > 0 {
		w.t.Errorf("an endpoint that is %s gave %+v", state, got.Leases)
	}
	w.wantStatus(l.ID, want)
	if a := w.attempts(l.ID); len(a) != 1 || a[0].Class != delivery.Unknown {
		w.t.Errorf("the log: got %+v, want one unknown attempt", a)
	}
	w.equal("due", w.due(1000, endpoint), []store.Due(nil))
}

// narrowed makes an endpoint whose last three attempts failed, one after the
// other, with three further deliveries that are due. It gives the time from
// which the next attempt may start.
func (w *world) narrowed() (endpointID string, from time.Time) {
	w.t.Helper()
	endpointID = w.newEndpoint()
	p := rules()
	for i := range delivery.NarrowAfter {
		w.end(p, w.lease(endpointID), delivery.ServerError, at(time.Duration(i)*time.Second))
	}
	for range 3 {
		w.publishOne(at(0), pendingTo(endpointID))
	}
	health := w.endpoint(endpointID).Health
	if !health.Narrow() {
		w.t.Fatalf("three failures in a row do not narrow the endpoint: %+v", health)
	}
	return endpointID, health.NextAt
}

func narrowSpacing(w *world) {
	endpoint, from := w.narrowed()
	if got := w.claimed(endpoint, justBefore(from), 10); len(got.Leases) > 0 {
		w.t.Errorf("got %d leases before the narrow endpoint's time", len(got.Leases))
	}
	got := w.claimed(endpoint, from, 10)
	if len(got.Leases) != 1 {
		w.t.Fatalf("got %d leases at the narrow endpoint's time, want 1", len(got.Leases))
	}
	if !got.Health.Narrow() || !got.Health.NextAt.Equal(from) {
		w.t.Errorf("the answer's health: got %+v, want narrow until %s", got.Health, from)
	}
}

func narrowOne(w *world) {
	endpoint, from := w.narrowed()
	l := w.claimOne(endpoint, from)
	if got := w.claimed(endpoint, justBefore(l.Until), 10); len(got.Leases) > 0 {
		w.t.Errorf("got %d leases beside the narrow endpoint's one", len(got.Leases))
	}
	after := w.end(rules(), l, delivery.ServerError, from)
	if got := w.claimed(endpoint, justBefore(after.Health.NextAt), 10); len(got.Leases) > 0 {
		w.t.Errorf("got %d leases before the time that the fourth failure set", len(got.Leases))
	}
	l = w.claimOne(endpoint, after.Health.NextAt)
	w.end(rules(), l, delivery.OK, after.Health.NextAt)
	if got := w.claimed(endpoint, at(10*time.Minute), 10); len(got.Leases) < 2 {
		w.t.Errorf("got %d leases after a success, want all that is due", len(got.Leases))
	}
}

func narrowLeaseEnd(w *world) {
	endpoint, from := w.narrowed()
	l := w.claimOne(endpoint, from)
	got := w.claimed(endpoint, justAfter(l.Until), 10)
	if len(got.Leases) != 1 {
		w.t.Fatalf("got %d leases after the end of the narrow endpoint's one, want 1", len(got.Leases))
	}
	if more := w.claimed(endpoint, justBefore(got.Leases[0].Until), 10); len(more.Leases) > 0 {
		w.t.Errorf("got %d leases beside the narrow endpoint's second one", len(more.Leases))
	}
}

func narrowReturned(w *world) {
	endpoint, from := w.narrowed()
	l := w.claimOne(endpoint, from)
	w.must("return", w.s.Return(w.ctx(), []delivery.Lease{l}, from))
	w.claimOne(endpoint, from)
}

func narrowTogether(w *world) {
	endpoint, from := w.narrowed()
	if given := w.given(endpoint, from, 10); given != 1 {
		w.t.Errorf("8 claimers got %d leases of a narrow endpoint, want 1", given)
	}
}
