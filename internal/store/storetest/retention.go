package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// retentionChecks are alone: old rows go in every account.
func retentionChecks() []check {
	return []check{
		{"ended events go with their deliveries and attempts", retentionEnded},
		{"events that matched no endpoint go", retentionUnmatched},
		{"an event with a delivery that may still be sent stays, and can be sent", retentionLive},
		{"rows go in batches", retentionBatches},
		{"rows that stay do not keep those behind them", retentionBehind},
		{"an id and a key that went are free again", retentionIDs},
		{"the rows of a deleted endpoint go", retentionEndpoint},
		{"what was left held for a deleted endpoint is discarded, in batches", retentionLeft},
		{"the rows of a deleted account go", retentionAccount},
		{"audit and counts go by their time", retentionAudit},
		{"what ended later stays, and what is old behind it goes", retentionLater},
	}
}

// old is a time long before those of all other checks, and limit the time up
// to which these checks delete.
func old(d time.Duration) time.Time {
	return time.Date(2010, time.June, 1, 12, 0, 0, 0, time.UTC).Add(d)
}

func limit() time.Time { return old(24 * time.Hour) }

// deleteOld deletes all that is older than limit, n rows at a time, and gives
// the number of rows.
func (w *world) deleteOld(n int) int {
	w.t.Helper()
	total := 0
	for range 10_000 {
		gone, err := w.s.DeleteOld(w.ctx(), limit(), n)
		w.must("delete old rows", err)
		if gone > n {
			w.t.Fatalf("delete at most %d rows: %d went", n, gone)
		}
		if gone == 0 {
			return total
		}
		total += gone
	}
	w.t.Fatalf("deleting old rows has no end after %d", total)
	return total
}

// oldEvent publishes an event of the old time with one delivery in a status.
func (w *world) oldEvent(endpointID string, status delivery.Status) store.NewEvent {
	w.t.Helper()
	d := sendingTo(endpointID, delivery.Automatic)
	d.Until = old(time.Minute)
	if status == delivery.Pending || status == delivery.Held {
		d = store.NewDelivery{EndpointID: endpointID, Status: status, Cycle: delivery.Automatic}
	}
	e := eventAt(old(0), d)
	w.publish(e)
	l := leaseOf(w.account, e)
	switch status {
	case delivery.Retrying:
		w.end(neverDisable(rules()), l, delivery.ServerError, old(0))
	case delivery.Failed:
		w.end(neverDisable(lastStep()), l, delivery.ServerError, old(0))
	case delivery.Delivered:
		w.end(rules(), l, delivery.OK, old(0))
	case delivery.Discarded:
		w.must("return", w.s.Return(w.ctx(), []delivery.Lease{l}, old(0)))
		_, err := w.s.Discard(w.ctx(), w.account, l.ID, "not wanted", old(0))
		w.must("discard", err)
	}
	return e
}

// wantGone reports an event that can still be read, or a delivery of it.
func (w *world) wantGone(e store.NewEvent) {
	w.t.Helper()
	if _, err := w.s.Event(w.ctx(), w.account, e.ID); !errors.Is(err, store.ErrNotFound) {
		w.t.Errorf("event %s is still there: %v", e.ID, err)
	}
	for _, d := range e.Deliveries {
		if _, err := w.s.Delivery(w.ctx(), w.account, d.ID); !errors.Is(err, store.ErrNotFound) {
			w.t.Errorf("delivery %d is still there: %v", d.ID, err)
		}
		for number := range 3 {
			if _, err := w.s.Attempt(w.ctx(), w.account, d.ID, number+1); !errors.Is(err, store.ErrNotFound) {
				w.t.Errorf("attempt %d of delivery %d is still there: %v", number+1, d.ID, err)
			}
		}
	}
}

// wantKept reports an event that has gone.
func (w *world) wantKept(e store.NewEvent) {
	w.t.Helper()
	got, err := w.s.Event(w.ctx(), w.account, e.ID)
	if err != nil {
		w.t.Errorf("event %s: %v", e.ID, err)
		return
	}
	w.equal("body", got.Body, e.Body)
}

func retentionEnded(w *world) {
	endpoint := w.newEndpoint()
	var events []store.NewEvent
	for _, status := range []delivery.Status{delivery.Delivered, delivery.Failed, delivery.Discarded} {
		events = append(events, w.oldEvent(endpoint, status))
	}
	if n := w.deleteOld(1000); n < 3 {
		w.t.Errorf("%d rows went, want three events at least", n)
	}
	for _, e := range events {
		w.wantGone(e)
	}
	w.endpoint(endpoint)
	if n := w.count(endpoint); n != 0 {
		w.t.Errorf("the endpoint has %d deliveries", n)
	}
}

func retentionUnmatched(w *world) {
	e := eventAt(old(0))
	w.publish(e)
	w.deleteOld(1000)
	w.wantGone(e)
}

func retentionLive(w *world) {
	for _, status := range []delivery.Status{delivery.Pending, delivery.Sending, delivery.Retrying, delivery.Held} {
		w.t.Run(string(status), func(t *testing.T) {
			w := newWorld(t, w.s)
			endpoint, beside := w.newEndpoint(), w.newEndpoint()
			e := eventAt(old(0), sendingTo(endpoint, delivery.Automatic), sendingTo(beside, delivery.Automatic))
			e.Deliveries[0].Until = old(time.Minute)
			if !(status == delivery.Sending || status == delivery.Retrying) {
				e.Deliveries[0] = store.NewDelivery{EndpointID: endpoint, Status: status, Cycle: delivery.Automatic}
			}
			w.publish(e)
			l := leaseOf(w.account, e)
			if status == delivery.Retrying {
				w.end(rules(), l, delivery.ServerError, old(0))
			}
			other := l
			other.ID, other.EndpointID, other.Token = e.Deliveries[1].ID, beside, e.Deliveries[1].Token
			w.end(rules(), other, delivery.OK, old(0))

			w.deleteOld(1000)
			w.wantKept(e)
			w.wantStatus(l.ID, status)
			if status == delivery.Held {
				return
			}
			if got := w.claimOne(endpoint, at(0)); got.ID != l.ID || string(got.Body) != string(e.Body) {
				t.Errorf("the lease: got %+v, want delivery %d with its body", got, l.ID)
			}
			if status == delivery.Retrying && len(w.attempts(l.ID)) != 1 {
				t.Errorf("the live delivery has %d attempts in its log, want 1", len(w.attempts(l.ID)))
			}
		})
	}
}

func retentionLater(w *world) {
	endpoint := w.newEndpoint()
	e := eventAt(old(0), sendingTo(endpoint, delivery.Automatic))
	w.publish(e)
	w.end(rules(), leaseOf(w.account, e), delivery.OK, limit().Add(time.Hour))
	later := eventAt(limit().Add(time.Hour), pendingTo(endpoint))
	w.publish(later)
	// Numbered after younger ones, as where another node uses its numbers up more slowly.
	behind := w.oldEvent(endpoint, delivery.Delivered)
	w.deleteOld(1)
	w.wantKept(e)
	w.wantStatus(e.Deliveries[0].ID, delivery.Delivered)
	w.wantKept(later)
	w.wantGone(behind)
}

func retentionBatches(w *world) {
	endpoint := w.newEndpoint()
	var events []store.NewEvent
	for range 10 {
		events = append(events, w.oldEvent(endpoint, delivery.Delivered))
	}
	if n := w.deleteOld(3); n < 10 {
		w.t.Errorf("%d rows went, want ten events at least", n)
	}
	for _, e := range events {
		w.wantGone(e)
	}
}

func retentionBehind(w *world) {
	endpoint := w.newEndpoint()
	for range 25 {
		w.oldEvent(endpoint, delivery.Held)
	}
	behind := w.oldEvent(endpoint, delivery.Delivered)
	unmatched := eventAt(old(0))
	w.publish(unmatched)
	w.deleteOld(1)
	w.wantGone(behind)
	w.wantGone(unmatched)
	if n := w.count(endpoint, delivery.Held); n != 25 {
		w.t.Errorf("%d of 25 held deliveries are left", n)
	}
}

func retentionIDs(w *world) {
	e := eventAt(old(0))
	e.Key = "key of the publisher"
	w.publish(e)
	w.deleteOld(1000)
	e.CreatedAt = at(0)
	if got := w.publish(e)[0]; got.Replayed {
		w.t.Errorf("an event that went is answered as known")
	}
}

func retentionEndpoint(w *world) {
	endpoint := w.newEndpoint()
	events := []store.NewEvent{
		w.oldEvent(endpoint, delivery.Pending), w.oldEvent(endpoint, delivery.Held), w.oldEvent(endpoint, delivery.Delivered),
	}
	_, err := w.s.DeleteEndpoint(w.ctx(), w.account, endpoint, old(time.Hour))
	w.must("delete endpoint", err)
	w.deleteOld(1000)
	for _, e := range events {
		w.wantGone(e)
	}
	_, err = w.s.Lane(w.ctx(), endpoint, at(0))
	w.wantError("read the deleted endpoint's lane", err, store.ErrNotFound)
}

func retentionAccount(w *world) {
	account := w.newAccount(old(0))
	key := keyOf(account)
	key.CreatedAt = old(0)
	w.must("create key", w.s.CreateKey(w.ctx(), key))
	w.must("create type", w.s.CreateType(w.ctx(), typeOf(account, "own.type"), many))
	w.must("delete account", w.s.DeleteAccount(w.ctx(), account, old(time.Hour)))
	w.deleteOld(1000)
	_, err := w.s.KeyByHash(w.ctx(), key.Hash)
	w.wantError("read the deleted account's key", err, store.ErrNotFound)
	_, err = w.s.Type(w.ctx(), account, "own.type")
	w.wantError("read the deleted account's type", err, store.ErrNotFound)
	_, err = w.s.Account(w.ctx(), store.DefaultAccount)
	w.must("read the default account", err)
}

func retentionAudit(w *world) {
	endpoint := w.newEndpoint()
	kept := store.AuditEntry{AccountID: w.account, Actor: "system", Action: "check.kept", At: limit().Add(time.Hour)}
	// The audit may be kept for longer than the log, but not for ever.
	gone := store.AuditEntry{AccountID: w.account, Actor: "system", Action: "check.gone", At: old(-10 * 365 * 24 * time.Hour)}
	for _, e := range []store.AuditEntry{gone, kept} {
		w.must("add audit", w.s.AddAudit(w.ctx(), e))
		s := statOf(w.account, endpoint, 0, 1)
		s.Minute = e.At
		w.addStats(s)
	}
	w.deleteOld(1) // rows of several kinds, and still no more than one at a time
	w.equal("audit", w.audit(10), []store.AuditEntry{kept})
	stats, err := w.s.Stats(w.ctx(), w.account, endpoint, old(-20*365*24*time.Hour), limit().Add(24*time.Hour), time.Minute)
	w.must("read stats", err)
	if len(stats) != 1 || !stats[0].Minute.Equal(kept.At) {
		w.t.Errorf("stats: got %+v, want the minute %s alone", stats, kept.At)
	}
}

func retentionLeft(w *world) {
	deleted, disabled := w.newEndpoint(), w.newEndpoint()
	_, err := w.s.DeleteEndpoint(w.ctx(), w.account, deleted, at(0))
	w.must("delete endpoint", err)
	held := func(endpointID string) delivery.ID {
		return w.publishOne(at(0), store.NewDelivery{EndpointID: endpointID, Status: delivery.Held, Cycle: delivery.Automatic})
	}
	waits := held(disabled)
	left := []delivery.ID{held(deleted), held(deleted), held(deleted)}
	total := 0
	for n := 1; n > 0; total += n {
		n, err = w.s.SettleDeleted(w.ctx(), 2)
		w.must("settle deleted endpoints", err)
		if n > 2 {
			w.t.Fatalf("settle at most 2: %d were", n)
		}
	}
	if total < len(left) { // there may be some of other checks
		w.t.Errorf("%d were settled, want %d", total, len(left))
	}
	for _, id := range left {
		if d := w.delivery(id); d.Status != delivery.Discarded || d.Discard == "" {
			w.t.Errorf("%+v, want it discarded with a reason", d)
		}
	}
	if d := w.delivery(waits); d.Status != delivery.Held {
		w.t.Errorf("a delivery of an endpoint that is there is %s, want it held", d.Status)
	}
}
