package storetest

import (
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func rewindChecks() []check {
	return []check{
		{"what was written ahead of the clock waits from now as long as it did then", rewindWaiting},
		{"what was written before the clock, or is due soon, stays as it is", rewindNot},
		{"a lease ends when one that begins now would", rewindLease},
		{"a narrow endpoint rests no longer than the policy lets it, and its failures count", rewindNarrow},
		{"a node that was seen ahead of the clock says that it was put back", rewindSeen},
		{"more than fit into one transaction are mended", rewindMany},
	}
}

// putBack is the time to which the clock is put back from a day later: long after
// all that other checks write.
func putBack() time.Time { return at(10_000 * time.Hour) }

// rewind mends what is due more than a second ahead of the clock.
func (w *world) rewind(now time.Time) int {
	w.t.Helper()
	n, err := w.s.Rewind(w.ctx(), rules(), now, now.Add(time.Second))
	w.must("rewind", err)
	return n
}

func rewindWaiting(w *world) {
	now, endpoint := putBack(), w.newEndpoint()
	day := now.Add(24 * time.Hour)
	fresh := w.publishOne(day.Add(time.Minute), pendingTo(endpoint))
	failed := w.publishOne(day, pendingTo(endpoint))
	w.end(rules(), w.claimOne(endpoint, day), delivery.ServerError, day)
	wait := w.delivery(failed).DueAt.Sub(day)
	if n := w.rewind(now); n != 3 { // these, and the health of the endpoint
		w.t.Errorf("rewind changed %d rows, want 3", n)
	}
	if d := w.delivery(fresh); d.Status != delivery.Pending || !d.DueAt.Equal(now) {
		w.t.Errorf("what never left is %s, due %s; want it due now", d.Status, d.DueAt)
	}
	// The wait counts from the end of the attempt, 100 ms after its beginning.
	if d := w.delivery(failed); d.Status != delivery.Retrying || !d.DueAt.Equal(now.Add(wait-100*time.Millisecond)) {
		w.t.Errorf("what failed is %s, due %s after the clock; want its wait of %s", d.Status, d.DueAt.Sub(now), wait)
	}
	if n := w.rewind(now); n != 0 {
		w.t.Errorf("a second rewind changed %d rows", n)
	}
}

func rewindNot(w *world) {
	now, endpoint := putBack(), w.newEndpoint()
	w.publishOne(now.Add(-time.Minute), pendingTo(endpoint))
	w.end(rules(), w.claimOne(endpoint, now.Add(-30*time.Second)), delivery.ServerError, now.Add(-30*time.Second))
	soon := w.publishOne(now.Add(500*time.Millisecond), pendingTo(endpoint))
	before := []delivery.Delivery{w.delivery(soon - 1), w.delivery(soon)}
	if n := w.rewind(now); n != 0 {
		w.t.Errorf("rewind changed %d rows", n)
	}
	w.equal("deliveries", []delivery.Delivery{w.delivery(soon - 1), w.delivery(soon)}, before)
}

func rewindLease(w *world) {
	now, endpoint := putBack(), w.newEndpoint()
	day := now.Add(24 * time.Hour)
	w.publishOne(day, pendingTo(endpoint))
	l := w.claimOne(endpoint, day)
	w.rewind(now)
	if d := w.delivery(l.ID); d.Status != delivery.Sending || !d.DueAt.Equal(now.Add(40*time.Second)) {
		w.t.Errorf("the delivery is %s until %s after the clock, want sending for 40 s", d.Status, d.DueAt.Sub(now))
	}
	if r := w.end(rules(), l, delivery.OK, now); r.Change.Status != delivery.Delivered {
		w.t.Errorf("the outcome of the lease makes it %s", r.Change.Status)
	}
}

// A node that was killed before a clock was put back by less than the longest wait left leases that
// nobody took over until that time had come again. Where there is only one node, the next
// one ends them when it starts.
func rewindSeen(w *world) {
	now, endpoint := putBack().Add(48*time.Hour), w.newEndpoint()
	later := now.Add(2 * time.Hour)
	_, err := w.s.Beat(w.ctx(), "node-killed", later)
	w.must("beat", err)
	nodes, err := w.s.Beat(w.ctx(), "node-killed-too", later)
	w.must("beat", err)
	w.publishOne(later, pendingTo(endpoint))
	l := w.claimOne(endpoint, later)
	want := later.Add(40 * time.Second)
	if nodes > 1 {
		want = now.Add(40 * time.Second)
	}
	_, err = w.s.Rewind(w.ctx(), rules(), now, now.Add(24*time.Hour))
	w.must("rewind", err)
	if d := w.delivery(l.ID); !d.DueAt.Equal(want) {
		w.t.Errorf("the lease ends %s after the clock, want %s", d.DueAt.Sub(now), want.Sub(now))
	}
	if n, err := w.s.Beat(w.ctx(), "node-new", now); n != 1 || err != nil {
		w.t.Errorf("%d nodes live, %v; want the new one alone", n, err)
	}
}

func rewindNarrow(w *world) {
	now, endpoint := putBack(), w.newEndpoint()
	day := now.Add(24 * time.Hour)
	for i := range 3 {
		began := day.Add(time.Duration(i) * time.Second)
		w.publishOne(began, pendingTo(endpoint))
		w.end(lastStep(), w.claimOne(endpoint, began), delivery.ServerError, began)
	}
	w.publishOne(day, pendingTo(endpoint))
	probe := w.claimOne(endpoint, day.Add(time.Minute)) // and its node dies
	w.rewind(now)
	if got := w.claimed(endpoint, now.Add(39*time.Second), 1).Leases; len(got) != 0 {
		w.t.Error("a second attempt of a narrow endpoint was given while the first may be on its way")
	}
	l := w.claimOne(endpoint, now.Add(41*time.Second))
	if l.ID != probe.ID {
		w.t.Errorf("claimed %d, want the delivery of the node that died, %d", l.ID, probe.ID)
	}
	if r := w.end(rules(), l, delivery.ServerError, now.Add(41*time.Second)); r.Health.Failures != 4 {
		w.t.Errorf("%d failures are counted, want the fourth, too", r.Health.Failures)
	}
}

func rewindMany(w *world) {
	now, endpoint := putBack(), w.newEndpoint()
	events := make([]store.NewEvent, 1000)
	for range 2 {
		for i := range events {
			events[i] = eventAt(now.Add(24*time.Hour), pendingTo(endpoint))
		}
		w.publish(events...)
	}
	if n := w.rewind(now); n < 2000 {
		w.t.Errorf("rewind changed %d rows, want 2000", n)
	}
	if got := w.claimed(endpoint, now, 1); len(got.Leases) != 1 || !got.NextDue.Equal(now) {
		w.t.Errorf("claimed %d, the next due %s; want all due now", len(got.Leases), got.NextDue)
	}
}
