package storetest

import (
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func settleChecks() []check {
	return []check{
		{"a lease given back is due at once and its number is not used up", returnFirst},
		{"a later attempt given back keeps its number and its steps", returnLater},
		{"leases that were lost are passed over", returnLost},
		{"a lease given back cannot be recorded", returnThenRecord},
		{"what is given back for a disabled endpoint is held", returnDisabled},
		{"settling holds what waits for a disabled endpoint, in batches", settleDisabled},
		{"settling discards what waits or is held for a deleted endpoint, in batches", settleDeleted},
		{"settling leaves an endpoint that receives alone", settleEnabled},
		{"settling leaves what is sent and what has ended alone", settleOthers},
	}
}

func returnFirst(w *world) {
	endpoint := w.newEndpoint()
	old := w.lease(endpoint)
	w.must("return", w.s.Return(w.ctx(), []delivery.Lease{old}, at(time.Second)))
	d := w.delivery(old.ID)
	if d.Status != delivery.Pending || d.Attempts != 0 || !d.DueAt.Equal(at(time.Second)) {
		w.t.Errorf("the delivery: got %+v, want pending, no attempt made and due at once", d)
	}
	l := w.claimOne(endpoint, at(time.Second))
	if l.ID != old.ID || l.Attempt != 1 || l.Used != 0 || l.Faults != 0 || l.Token == old.Token {
		w.t.Errorf("the next lease: got %+v, want attempt 1 with a new token", l)
	}
	if a := w.attempts(old.ID); len(a) > 0 {
		w.t.Errorf("the log: got %+v, want no attempt", a)
	}
}

func returnLater(w *world) {
	endpoint := w.newEndpoint()
	first := w.lease(endpoint)
	w.end(rules(), first, delivery.ServerError, at(0))
	second := w.claimOne(endpoint, w.delivery(first.ID).DueAt)
	now := at(time.Hour)
	w.must("return", w.s.Return(w.ctx(), []delivery.Lease{second}, now))
	d := w.delivery(first.ID)
	if d.Status != delivery.Retrying || d.Attempts != 1 || !d.DueAt.Equal(now) || d.LastClass != delivery.ServerError {
		w.t.Errorf("the delivery: got %+v, want retrying after attempt 1 and due at once", d)
	}
	if l := w.claimOne(endpoint, now); l.Attempt != 2 || l.Used != 1 {
		w.t.Errorf("the next lease: got %+v, want attempt 2 with one step used", l)
	}
}

func returnLost(w *world) {
	endpoint := w.newEndpoint()
	taken := w.lease(endpoint)
	holder := w.claimOne(endpoint, justAfter(taken.Until))
	ended := w.lease(endpoint)
	w.end(rules(), ended, delivery.OK, at(0))
	held := w.lease(endpoint)
	w.must("return", w.s.Return(w.ctx(), []delivery.Lease{taken, ended, held}, at(time.Second)))
	w.wantStatus(taken.ID, delivery.Sending)
	w.wantStatus(ended.ID, delivery.Delivered)
	w.wantStatus(held.ID, delivery.Pending)
	w.end(rules(), holder, delivery.OK, at(time.Minute))
}

func returnThenRecord(w *world) {
	l := w.lease(w.newEndpoint())
	w.must("return", w.s.Return(w.ctx(), []delivery.Lease{l}, at(0)))
	if w.record(rules(), result(rules(), l, outcome(delivery.OK, at(0))))[0].Applied {
		w.t.Errorf("an outcome was written for a lease that was given back")
	}
	w.wantStatus(l.ID, delivery.Pending)
}

func returnDisabled(w *world) {
	endpoint := w.newEndpoint()
	l := w.lease(endpoint)
	w.setState(endpoint, delivery.Disabled)
	w.must("return", w.s.Return(w.ctx(), []delivery.Lease{l}, at(0)))
	w.settle(endpoint)
	w.wantStatus(l.ID, delivery.Held)
}

// settleInBatches settles an endpoint in batches of limit, which no answer may
// exceed, and gives the sum of the answers.
func (w *world) settleInBatches(endpointID string, limit int) int {
	w.t.Helper()
	total := 0
	for range 1000 {
		n, err := w.s.Settle(w.ctx(), endpointID, at(0), limit)
		w.must("settle", err)
		if n > limit {
			w.t.Fatalf("settle at most %d: got %d", limit, n)
		}
		if n == 0 {
			break
		}
		total += n
	}
	return total
}

func settleDisabled(w *world) {
	endpoint := w.newEndpoint()
	const n = 3000 // more than is held at once
	w.backlog(n, func() store.NewDelivery { return pendingTo(endpoint) })
	w.setState(endpoint, delivery.Disabled)
	before := w.count(endpoint, delivery.Held)
	if got := w.settleInBatches(endpoint, 250); got != n-before {
		w.t.Errorf("settle answered %d in all, want %d, as %d of %d were held before", got, n-before, before, n)
	}
	if got := w.count(endpoint, delivery.Held); got != n {
		w.t.Errorf("%d deliveries are held, want %d", got, n)
	}
	w.equal("due", w.due(1000, endpoint), []store.Due(nil))
}

func settleDeleted(w *world) {
	endpoint := w.newEndpoint()
	w.backlog(1500, func() store.NewDelivery { return pendingTo(endpoint) })
	w.backlog(1500, func() store.NewDelivery { return heldFor(endpoint) })
	n, err := w.s.DeleteEndpoint(w.ctx(), w.account, endpoint, at(0))
	w.must("delete endpoint", err)
	if n != 3000 {
		w.t.Errorf("deleting the endpoint gives up %d deliveries, want 3000", n)
	}
	before := w.count(endpoint, delivery.Discarded)
	if got := w.settleInBatches(endpoint, 250); got != 3000-before {
		w.t.Errorf("settle answered %d in all, want %d, as %d were discarded before", got, 3000-before, before)
	}
	if got := w.count(endpoint, delivery.Discarded); got != 3000 {
		w.t.Errorf("%d deliveries are discarded, want 3000", got)
	}
}

func settleEnabled(w *world) {
	endpoint := w.newEndpoint()
	waiting, held := w.inStatus(endpoint, delivery.Pending), w.inStatus(endpoint, delivery.Held)
	if n := w.settle(endpoint); n != 0 {
		w.t.Errorf("settle changed %d deliveries of an endpoint that receives", n)
	}
	w.wantStatus(waiting, delivery.Pending)
	w.wantStatus(held, delivery.Held)
}

func settleOthers(w *world) {
	for _, state := range []delivery.State{delivery.Disabled, delivery.Deleted} {
		endpoint := w.newEndpoint()
		ids := make(map[delivery.Status]delivery.ID)
		for _, status := range []delivery.Status{delivery.Sending, delivery.Delivered, delivery.Failed, delivery.Discarded} {
			ids[status] = w.inStatus(endpoint, status)
		}
		w.setState(endpoint, state)
		if n := w.settle(endpoint); n != 0 {
			w.t.Errorf("settle changed %d deliveries of a %s endpoint that had nothing waiting", n, state)
		}
		for status, id := range ids {
			w.wantStatus(id, status)
		}
		if got := w.delivery(ids[delivery.Discarded]).Discard; got != "not wanted" {
			w.t.Errorf("the reason of what was discarded before became %q", got)
		}
	}
}
