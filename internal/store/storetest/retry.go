package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func retryChecks() []check {
	return []check{
		{"a retry begins a manual cycle, due now, from every status but sending", retryStatuses},
		{"a retry of a test is refused", retryTest},
		{"a retry for an endpoint that does not receive is refused", retryNotReceiving},
		{"a retried delivery fails by the steps of its new cycle", retryNewCycle},
		{"many retries at once leave one delivery waiting", retryAtOnce},
		{"what waits, is held or failed can be discarded, nothing else", discardStatuses},
		{"a discarded delivery is never claimed", discardThenClaim},
		{"a delivery that moves between two statuses is in every list of both, once", moveWhileListed},
		{"retry and discard of no delivery are not found", retryMissing},
	}
}

func retryStatuses(w *world) {
	for _, status := range delivery.Statuses() {
		w.t.Run(string(status), func(t *testing.T) {
			w := newWorld(t, w.s)
			id := w.inStatus(w.newEndpoint(), status)
			before := w.delivery(id)
			now := at(time.Hour)
			got, err := w.s.Retry(w.ctx(), w.account, id, now)
			if status == delivery.Sending {
				w.wantConflict("retry while an attempt is on its way", err)
				w.equal("delivery", w.delivery(id), before)
				return
			}
			w.must("retry", err)
			w.equal("delivery on disk", w.delivery(id), got)
			want := got
			want.Cycle, want.Used, want.DueAt, want.Attempts, want.Discard = delivery.Manual, 0, now, before.Attempts, ""
			w.equal("answer", got, want)
			if !got.Status.Waiting() {
				t.Errorf("the delivery is %s, want it to wait", got.Status)
			}
			l := w.claimOne(got.EndpointID, now)
			if l.ID != id || l.Cycle != delivery.Manual || l.Attempt != before.Attempts+1 || l.Used != 0 || l.Faults != 0 {
				t.Errorf("the lease: got %+v, want attempt %d of a manual cycle", l, before.Attempts+1)
			}
		})
	}
}

func retryTest(w *world) {
	endpoint := w.newEndpoint()
	for _, class := range []delivery.Class{delivery.OK, delivery.ServerError} {
		l := w.leased(delivery.Test, "scan.completed", endpoint)[0]
		w.end(rules(), l, class, at(0))
		before := w.delivery(l.ID)
		_, err := w.s.Retry(w.ctx(), w.account, l.ID, at(time.Hour))
		w.wantConflict("retry a test", err)
		w.equal("delivery", w.delivery(l.ID), before)
	}
}

// A disabled endpoint has a way out, which ErrDisabled names. A deleted one has
// none, so that a conflict that says so is as good an answer.
func retryNotReceiving(w *world) {
	for _, state := range []delivery.State{delivery.Disabled, delivery.Deleted} {
		endpoint := w.newEndpoint()
		id := w.inStatus(endpoint, delivery.Failed)
		w.setState(endpoint, state)
		before := w.delivery(id)
		_, err := w.s.Retry(w.ctx(), w.account, id, at(time.Hour))
		if state == delivery.Disabled || !errors.Is(err, store.ErrConflict) {
			w.wantError("retry for an endpoint that is "+string(state), err, store.ErrDisabled)
		}
		w.equal("delivery", w.delivery(id), before)
	}
}

func retryNewCycle(w *world) {
	endpoint := w.newEndpoint()
	id := w.inStatus(endpoint, delivery.Failed)
	now := at(time.Hour)
	_, err := w.s.Retry(w.ctx(), w.account, id, now)
	w.must("retry", err)
	p := rules()
	for step := range len(p.Schedule) {
		w.wantWaiting(id)
		now = w.delivery(id).DueAt
		l := w.claimOne(endpoint, w.later(endpoint, now))
		if l.Used != step || l.Attempt != step+2 {
			w.t.Fatalf("step %d of the new cycle: got lease %+v", step, l)
		}
		w.end(p, l, delivery.ServerError, now)
	}
	w.wantStatus(id, delivery.Failed)
}

// later gives the time from which an endpoint that may be narrow gives what is due.
func (w *world) later(endpointID string, due time.Time) time.Time {
	w.t.Helper()
	if h := w.endpoint(endpointID).Health; h.Narrow() && h.NextAt.After(due) {
		return h.NextAt
	}
	return due
}

func (w *world) wantWaiting(id delivery.ID) {
	w.t.Helper()
	if got := w.delivery(id).Status; !got.Waiting() {
		w.t.Fatalf("delivery %d is %s, want it to wait", id, got)
	}
}

func retryAtOnce(w *world) {
	endpoint := w.newEndpoint()
	id := w.inStatus(endpoint, delivery.Failed)
	w.atOnce(10, func(int) error {
		_, err := w.s.Retry(w.ctx(), w.account, id, at(time.Hour))
		return err
	})
	if got := w.claimed(endpoint, at(time.Hour), 10); len(got.Leases) != 1 {
		w.t.Errorf("ten retries at once left %d leases to claim, want 1", len(got.Leases))
	}
}

func discardStatuses(w *world) {
	for _, status := range delivery.Statuses() {
		w.t.Run(string(status), func(t *testing.T) {
			w := newWorld(t, w.s)
			id := w.inStatus(w.newEndpoint(), status)
			before := w.delivery(id)
			got, err := w.s.Discard(w.ctx(), w.account, id, "no longer of use", at(time.Hour))
			if status == delivery.Sending || status == delivery.Delivered || status == delivery.Discarded {
				w.wantConflict("discard", err)
				w.equal("delivery", w.delivery(id), before)
				return
			}
			w.must("discard", err)
			w.equal("delivery on disk", w.delivery(id), got)
			want := before
			want.Status, want.Discard, want.DueAt, want.UpdatedAt = delivery.Discarded, "no longer of use", time.Time{}, got.UpdatedAt
			w.equal("answer", got, want)
		})
	}
}

func discardThenClaim(w *world) {
	endpoint := w.newEndpoint()
	w.inStatus(endpoint, delivery.Discarded)
	if got := w.claimed(endpoint, at(24*time.Hour), 10); len(got.Leases) > 0 {
		w.t.Errorf("claimed %+v, which was given up", got.Leases)
	}
	w.equal("due", w.due(1000, endpoint), []store.Due(nil))
}

func retryMissing(w *world) {
	_, err := w.s.Retry(w.ctx(), w.account, 1<<60, at(0))
	w.wantError("retry", err, store.ErrNotFound)
	_, err = w.s.Discard(w.ctx(), w.account, 1<<60, "why", at(0))
	w.wantError("discard", err, store.ErrNotFound)
}

// moveWhileListed reads lists while a delivery goes to and fro.
func moveWhileListed(w *world) {
	id := w.inStatus(w.newEndpoint(), delivery.Failed)
	f := store.DeliveryFilter{Statuses: []delivery.Status{delivery.Failed, delivery.Retrying, delivery.Discarded}}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			_, err := w.s.Retry(w.ctx(), w.account, id, at(time.Hour))
			if err == nil {
				_, err = w.s.Discard(w.ctx(), w.account, id, "", at(time.Hour))
			}
			if err != nil {
				stopped <- err
				return
			}
		}
	}()
	for range 300 {
		list, _, err := w.s.ListDeliveries(w.ctx(), w.account, f, store.Page{Limit: 10})
		n, countErr := w.s.CountDeliveries(w.ctx(), w.account, f)
		if err := errors.Join(err, countErr); err != nil || len(list) != 1 || n != 1 {
			w.t.Errorf("%d in the list, %d counted, %v; want the one that there is", len(list), n, err)
			break
		}
	}
	close(stop)
	w.must("move it to and fro", <-stopped)
}
