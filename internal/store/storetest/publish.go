package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func publishChecks() []check {
	return []check{
		{"a batch is committed with all its events and all their deliveries", publishWholeBatch},
		{"answers come in the order of the batch", publishAnswersInOrder},
		{"deliveries are numbered in place and no number is given twice", publishNumbers},
		{"a delivery written as sending is claimed by its publishing", publishSending},
		{"a delivery written as held waits for nobody", publishHeld},
		{"an event that matches no endpoint is kept", publishUnmatched},
		{"subscriptions tell what publishing needs to know", publishSubscriptions},
		{"a revision that has passed writes nothing", publishStale},
		{"a publish that races with disabling leaves nothing pending", publishRacesWithDisabling},
		{"64 different publishes at once all land", publishManyAtOnce},
		{"publishes that are refused do not spoil those beside them", publishRefusedBesideOthers},
		{"an error means that nothing was written, also for a caller that gave up", publishGivenUp},
	}
}

func publishWholeBatch(w *world) {
	one, two := w.newEndpoint(), w.newEndpoint()
	first := eventAt(at(time.Second), pendingTo(one), heldFor(two))
	second := eventAt(at(2*time.Second), sendingTo(two, delivery.Automatic))
	second.Type, second.Body = "alert.triggered", []byte("{\"any\":\"bytes \xff\x00\"}\n ")
	w.publish(first, second)

	for _, e := range []store.NewEvent{first, second} {
		got, err := w.s.Event(w.ctx(), w.account, e.ID)
		w.must("read event", err)
		w.equal("event", got, store.Event{
			ID: e.ID, AccountID: w.account, Type: e.Type, CreatedAt: e.CreatedAt, Body: e.Body, Deliveries: len(e.Deliveries),
		})
	}
	ignore := cmpopts.IgnoreFields(delivery.Delivery{}, "UpdatedAt")
	for _, want := range []delivery.Delivery{
		{ID: first.Deliveries[0].ID, EventID: first.ID, EndpointID: one, Status: delivery.Pending, DueAt: first.CreatedAt},
		{ID: first.Deliveries[1].ID, EventID: first.ID, EndpointID: two, Status: delivery.Held},
		{ID: second.Deliveries[0].ID, EventID: second.ID, EndpointID: two, Status: delivery.Sending, DueAt: leaseEnd(), Attempts: 1},
	} {
		want.AccountID, want.Cycle = w.account, delivery.Automatic
		want.EventType, want.CreatedAt = first.Type, first.CreatedAt
		if want.EventID == second.ID {
			want.EventType, want.CreatedAt = second.Type, second.CreatedAt
		}
		w.equal("delivery", w.delivery(want.ID), want, ignore)
	}
}

func publishAnswersInOrder(w *world) {
	endpoint := w.newEndpoint()
	var events []store.NewEvent
	for i := range 50 {
		e := eventAt(at(time.Duration(50-i)*time.Second), pendingTo(endpoint))
		e.Type = fmt.Sprintf("order.t%d", i)
		events = append(events, e)
	}
	for i, got := range w.publish(events...) {
		w.equal(fmt.Sprintf("answer %d", i), got, store.Published{
			EventID: events[i].ID, Type: events[i].Type, CreatedAt: events[i].CreatedAt,
			Deliveries: []store.DeliveryRef{{ID: events[i].Deliveries[0].ID, EndpointID: endpoint}},
		})
	}
}

func publishNumbers(w *world) {
	endpoints := w.newEndpoints(3)
	var mu sync.Mutex
	var ids []delivery.ID
	w.atOnce(20, func(int) error {
		events := []store.NewEvent{
			eventAt(at(0), pendingTo(endpoints[0]), heldFor(endpoints[1])),
			eventAt(at(0), sendingTo(endpoints[2], delivery.Automatic)),
		}
		published, err := w.s.Publish(w.ctx(), &store.Batch{AccountID: w.account, Events: events})
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for i, p := range published {
			for _, ref := range p.Deliveries {
				same := func(d store.NewDelivery) bool { return d.ID == ref.ID && d.EndpointID == ref.EndpointID }
				if !slices.ContainsFunc(events[i].Deliveries, same) {
					return fmt.Errorf("the answer names delivery %+v, the batch has %+v", ref, events[i].Deliveries)
				}
				ids = append(ids, ref.ID)
			}
		}
		return nil
	})
	slices.Sort(ids)
	if len(ids) != 60 || len(slices.Compact(ids)) != 60 || ids[0] <= 0 {
		w.t.Errorf("20 publishes of 3 deliveries: the numbers are not 60 different ones above zero: %v", ids)
	}
}

func publishSending(w *world) {
	endpoint := w.newEndpoint()
	l := w.lease(endpoint)
	if got := w.claimed(endpoint, leaseEnd().Add(-time.Millisecond), 10); len(got.Leases) > 0 {
		w.t.Errorf("claimed %+v while the publisher's lease runs", got.Leases)
	}
	w.end(rules(), l, delivery.OK, at(0))
	w.wantStatus(l.ID, delivery.Delivered)
}

func publishHeld(w *world) {
	endpoint := w.newEndpoint()
	id := w.publishOne(at(0), heldFor(endpoint))
	if got := w.claimed(endpoint, at(24*time.Hour), 10); len(got.Leases) > 0 {
		w.t.Errorf("claimed %+v, which is held", got.Leases)
	}
	w.wantStatus(id, delivery.Held)
	if due := w.delivery(id).DueAt; !due.IsZero() {
		w.t.Errorf("a held delivery is due at %s", due)
	}
}

func publishUnmatched(w *world) {
	e := eventAt(at(0))
	if got := w.publish(e)[0]; got.Replayed || len(got.Deliveries) > 0 {
		w.t.Errorf("publish without deliveries: got %+v", got)
	}
	got, err := w.s.Event(w.ctx(), w.account, e.ID)
	w.must("read event", err)
	if got.Deliveries != 0 {
		w.t.Errorf("the event has %d deliveries, want none", got.Deliveries)
	}
}

func publishSubscriptions(w *world) {
	enabled := w.newEndpoint(func(e *delivery.Endpoint) { e.Events = []string{"scan.*", "endpoint.disabled"} })
	disabled := w.newEndpoint(func(e *delivery.Endpoint) { e.State, e.DisabledReason = delivery.Disabled, delivery.ByHand })
	w.setState(w.newEndpoint(), delivery.Deleted)
	own := typeOf(w.account, "own.type")
	w.must("create type", w.s.CreateType(w.ctx(), own, many))

	got := w.subscriptions()
	want := store.Subscriptions{
		AccountID: w.account,
		Endpoints: []store.Subscription{
			{EndpointID: enabled, Events: []string{"scan.*", "endpoint.disabled"}, State: delivery.Enabled},
			{EndpointID: disabled, Events: []string{"*"}, State: delivery.Disabled},
		},
		Types: []store.EventType{own},
	}
	w.equal("subscriptions", got, want, cmpopts.IgnoreFields(store.Subscriptions{}, "Revision"),
		cmpopts.SortSlices(func(a, b store.Subscription) bool { return a.EndpointID < b.EndpointID }))
}

func (w *world) subscriptions() store.Subscriptions {
	w.t.Helper()
	subs, err := w.s.Subscriptions(w.ctx(), w.account)
	w.must("read subscriptions", err)
	return subs
}

// revisionMoves lists the changes that make a read of the subscriptions stale.
// before, which may be nil, runs ahead of that read; id is of an endpoint.
func revisionMoves() []struct {
	name   string
	before func(w *world, id string)
	change func(w *world, id string)
} {
	return []struct {
		name   string
		before func(w *world, id string)
		change func(w *world, id string)
	}{
		{"an endpoint was created", nil, func(w *world, _ string) { w.newEndpoint() }},
		{"an endpoint was updated", nil, func(w *world, id string) {
			_, err := w.s.UpdateEndpoint(w.ctx(), w.account, id, func(e *delivery.Endpoint) error {
				e.Events = []string{"scan.completed"}
				return nil
			})
			w.must("update endpoint", err)
		}},
		{"an endpoint was disabled", nil, func(w *world, id string) { w.setState(id, delivery.Disabled) }},
		{
			"an endpoint was enabled",
			func(w *world, id string) { w.setState(id, delivery.Disabled) },
			func(w *world, id string) { w.setState(id, delivery.Enabled) },
		},
		{"an endpoint was deleted", nil, func(w *world, id string) { w.setState(id, delivery.Deleted) }},
		{"an outcome disabled an endpoint", nil, func(w *world, id string) {
			p := rules()
			p.DisableAfter = 1
			w.end(p, w.lease(id), delivery.ServerError, at(0))
		}},
		{"a type was created", nil, func(w *world, _ string) {
			w.must("create type", w.s.CreateType(w.ctx(), typeOf(w.account, "own.type"), many))
		}},
		{"a type was updated", withType, func(w *world, _ string) {
			_, err := w.s.UpdateType(w.ctx(), w.account, "own.type", func(e *store.EventType) error {
				e.Schema = []byte(`{"type":"object"}`)
				return nil
			})
			w.must("update type", err)
		}},
		{"a type was deleted", withType, func(w *world, _ string) {
			w.must("delete type", w.s.DeleteType(w.ctx(), w.account, "own.type"))
		}},
	}
}

func withType(w *world, _ string) {
	w.must("create type", w.s.CreateType(w.ctx(), typeOf(w.account, "own.type"), many))
}

func publishStale(w *world) {
	for _, tt := range revisionMoves() {
		w.t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, w.s)
			changed, other := w.newEndpoint(), w.newEndpoint()
			if tt.before != nil {
				tt.before(w, changed)
			}
			e := eventAt(at(0), pendingTo(other))
			batch := &store.Batch{AccountID: w.account, Revision: w.subscriptions().Revision, Events: []store.NewEvent{e}}
			tt.change(w, changed)
			_, err := w.s.Publish(w.ctx(), batch)
			w.wantError("publish with the revision from before", err, store.ErrStale)
			_, err = w.s.Event(w.ctx(), w.account, e.ID)
			w.wantError("read the event", err, store.ErrNotFound)

			batch.Revision = w.subscriptions().Revision
			_, err = w.s.Publish(w.ctx(), batch)
			w.must("publish with the revision from after", err)
		})
	}
}

// Endpoints are disabled while events that were matched with them before are
// on their way: each of those is stale, or was there to be held.
func publishRacesWithDisabling(w *world) {
	for range 25 {
		endpoint := w.newEndpoint()
		revision := w.subscriptions().Revision
		w.atOnce(12, func(i int) error {
			if i == 6 {
				_, err := w.s.SetState(w.ctx(), w.account, endpoint, delivery.Disabled, delivery.ByHand, at(0))
				return err
			}
			batch := &store.Batch{AccountID: w.account, Revision: revision, Events: []store.NewEvent{eventAt(at(0), pendingTo(endpoint))}}
			if _, err := w.s.Publish(w.ctx(), batch); err != nil && !errors.Is(err, store.ErrStale) {
				return err
			}
			return nil
		})
		if n := w.count(endpoint, delivery.Pending); n > 0 {
			w.t.Fatalf("%d deliveries are pending for an endpoint that was disabled", n)
		}
	}
}

func publishManyAtOnce(w *world) {
	endpoints := w.newEndpoints(2)
	revision := w.subscriptions().Revision
	w.atOnce(64, func(int) error {
		events := []store.NewEvent{eventAt(at(0), pendingTo(endpoints[0]), pendingTo(endpoints[1])), eventAt(at(0), pendingTo(endpoints[1]))}
		_, err := w.s.Publish(w.ctx(), &store.Batch{AccountID: w.account, Revision: revision, Events: events})
		return err
	})
	for i, want := range []int{64, 128} {
		if got := w.count(endpoints[i], delivery.Pending); got != want {
			w.t.Errorf("endpoint %d has %d deliveries, want %d", i, got, want)
		}
	}
}

// Concurrent calls share transactions; they must not share failures.
func publishRefusedBesideOthers(w *world) {
	endpoint := w.newEndpoint()
	stale := w.subscriptions().Revision
	w.newEndpoint()
	revision := w.subscriptions().Revision
	known := eventAt(at(0))
	w.publish(known)
	w.atOnce(60, func(i int) error {
		e := eventAt(at(0), pendingTo(endpoint))
		batch := &store.Batch{AccountID: w.account, Revision: revision, Events: []store.NewEvent{e}}
		var want error
		switch i % 3 {
		case 1:
			batch.Revision, want = stale, store.ErrStale
		case 2:
			batch.Events, want = append(batch.Events, eventAt(at(0))), store.ErrConflict
			batch.Events[1].ID = known.ID
		}
		if _, err := w.s.Publish(w.ctx(), batch); !errors.Is(err, want) {
			return fmt.Errorf("publish %d: got error %w, want %w", i, err, want)
		}
		return nil
	})
	if got := w.count(endpoint, delivery.Pending); got != 20 {
		w.t.Errorf("20 good publishes among 40 refused ones left %d deliveries", got)
	}
}

func publishGivenUp(w *world) {
	endpoint := w.newEndpoint()
	w.atOnce(100, func(i int) error {
		ctx, cancel := context.WithCancel(w.ctx())
		defer cancel()
		e := eventAt(at(0), pendingTo(endpoint))
		if i%2 == 0 {
			cancel()
		}
		go cancel()
		_, published := w.s.Publish(ctx, &store.Batch{AccountID: w.account, Events: []store.NewEvent{e}})
		// A second publish would share the transaction of a first that goes on.
		if _, err := w.s.Publish(w.ctx(), &store.Batch{AccountID: w.account, Events: []store.NewEvent{eventAt(at(0))}}); err != nil {
			return err
		}
		_, read := w.s.Event(w.ctx(), w.account, e.ID)
		if published != nil && !errors.Is(read, store.ErrNotFound) {
			return fmt.Errorf("publish answered %q, and reading the event %v", published, read)
		}
		if published == nil && read != nil {
			return fmt.Errorf("publish answered no error, and reading the event %w", read)
		}
		return nil
	})
}
