package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func logChecks() []check {
	return []check{
		{"deliveries are narrowed by every filter, alone and in pairs", logDeliveryFilters},
		{"events are narrowed by every filter, alone and in pairs", logEventFilters},
		{"lists are newest first", logNewestFirst},
		{"what few match is found, however much of the log does not", logSparse},
		{"dead letters are counted by endpoint and cause, most first", logDeadLetters},
		{"a delivery's neighbours are those of its endpoint's list", logNeighbours},
		{"what does not exist is not found", logMissing},
	}
}

// dataset fills the account with deliveries of three endpoints and three types
// in every status, a minute apart, and gives what the log says of each.
func (w *world) dataset() []delivery.Delivery {
	w.t.Helper()
	endpoints := w.newEndpoints(3)
	classes := []delivery.Class{delivery.OK, delivery.ServerError, delivery.DNSNotFound, delivery.LocalFault}
	var all []delivery.Delivery
	for i := range 36 {
		cycle := delivery.Automatic
		if i%6 == 2 {
			cycle = delivery.Test
		}
		e := eventAt(minute(i), sendingTo(endpoints[i%3], cycle), heldFor(endpoints[(i+1)%3]))
		e.Type = []string{"a.one", "a.two", "b.one"}[i/2%3]
		w.publish(e)
		l := leaseOf(w.account, e)
		switch {
		case i%9 == 8: // stays sending
		case i%9 == 7:
			w.must("return", w.s.Return(w.ctx(), []delivery.Lease{l}, e.CreatedAt))
		case i%2 == 0:
			w.end(neverDisable(rules()), l, classes[i/2%4], e.CreatedAt)
		default:
			w.end(neverDisable(lastStep()), l, classes[i/2%4], e.CreatedAt)
		}
		if i%5 == 0 {
			_, err := w.s.Discard(w.ctx(), w.account, e.Deliveries[1].ID, "not wanted", e.CreatedAt)
			w.must("discard", err)
		}
		for _, d := range e.Deliveries {
			all = append(all, w.delivery(d.ID))
		}
	}
	return all
}

func neverDisable(p delivery.Policy) delivery.Policy {
	p.DisableAfter = 0
	return p
}

// matches says by the words of DeliveryFilter whether a delivery is wanted.
func matches(f store.DeliveryFilter, d delivery.Delivery) bool {
	return (f.EndpointID == "" || f.EndpointID == d.EndpointID) &&
		(f.EventID == "" || f.EventID == d.EventID) &&
		(len(f.Statuses) == 0 || slices.Contains(f.Statuses, d.Status)) &&
		(len(f.Types) == 0 || slices.Contains(f.Types, d.EventType)) &&
		(f.Class == "" || f.Class == d.LastClass) &&
		(f.From.IsZero() || !d.CreatedAt.Before(f.From)) &&
		(f.To.IsZero() || d.CreatedAt.Before(f.To)) &&
		(!f.NoTests || d.Cycle != delivery.Test)
}

// deliveryFilters gives the ways to set each field, one list a field.
func deliveryFilters(all []delivery.Delivery) [][]func(*store.DeliveryFilter) {
	sample := all[20]
	status := func(statuses ...delivery.Status) func(*store.DeliveryFilter) {
		return func(f *store.DeliveryFilter) { f.Statuses = statuses }
	}
	return [][]func(*store.DeliveryFilter){
		{func(*store.DeliveryFilter) {}},
		{func(f *store.DeliveryFilter) { f.EndpointID = sample.EndpointID }},
		{func(f *store.DeliveryFilter) { f.EventID = sample.EventID }},
		{
			status(delivery.Pending), status(delivery.Sending), status(delivery.Retrying), status(delivery.Delivered),
			status(delivery.Failed), status(delivery.Held), status(delivery.Discarded),
			status(delivery.Failed, delivery.Held, delivery.Delivered),
		},
		{
			func(f *store.DeliveryFilter) { f.Types = []string{"a.one"} },
			func(f *store.DeliveryFilter) { f.Types = []string{"b.one", "a.two", "no.such"} },
		},
		{
			func(f *store.DeliveryFilter) { f.Class = delivery.ServerError },
			func(f *store.DeliveryFilter) { f.Class = delivery.DNSNotFound },
		},
		{func(f *store.DeliveryFilter) { f.From = minute(12) }},
		{func(f *store.DeliveryFilter) { f.To = minute(24) }},
		{func(f *store.DeliveryFilter) { f.NoTests = true }},
	}
}

func logDeliveryFilters(w *world) {
	all := w.dataset()
	fields := deliveryFilters(all)
	for i, one := range fields {
		for _, two := range fields[i:] {
			for _, a := range one {
				for _, b := range two {
					var f store.DeliveryFilter
					a(&f)
					b(&f)
					w.wantFiltered(f, all)
				}
			}
		}
	}
}

// wantFiltered compares the list and the count of a filter with its words.
func (w *world) wantFiltered(f store.DeliveryFilter, all []delivery.Delivery) {
	w.t.Helper()
	var want []delivery.Delivery
	for _, d := range all {
		if matches(f, d) {
			want = append(want, d)
		}
	}
	got := pages(w, 7, func(p store.Page) ([]delivery.Delivery, string, error) {
		return w.s.ListDeliveries(w.ctx(), w.account, f, p)
	}, nil)
	w.equal(fmt.Sprintf("deliveries of %+v", f), got, want,
		cmpopts.SortSlices(func(a, b delivery.Delivery) bool { return a.ID < b.ID }))
	n, err := w.s.CountDeliveries(w.ctx(), w.account, f)
	w.must("count deliveries", err)
	if n != len(want) {
		w.t.Errorf("count of %+v: got %d, want %d", f, n, len(want))
	}
}

func logEventFilters(w *world) {
	endpoint := w.newEndpoint()
	var all []store.Event
	for i := range 24 {
		e := eventAt(minute(i))
		if i%3 > 0 {
			e.Deliveries = append(e.Deliveries, heldFor(endpoint))
		}
		e.Type = []string{"a.one", "a.two"}[i/2%2]
		w.publish(e)
		kept, err := w.s.Event(w.ctx(), w.account, e.ID)
		w.must("read event", err)
		all = append(all, kept)
	}
	set := []func(*store.EventFilter){
		func(*store.EventFilter) {},
		func(f *store.EventFilter) { f.Type = "a.two" },
		func(f *store.EventFilter) { f.From = minute(8) },
		func(f *store.EventFilter) { f.To = minute(16) },
		func(f *store.EventFilter) { f.Unmatched = true },
	}
	for i, a := range set {
		for _, b := range set[i:] {
			var f store.EventFilter
			a(&f)
			b(&f)
			w.wantFilteredEvents(f, all)
		}
	}
}

func (w *world) wantFilteredEvents(f store.EventFilter, all []store.Event) {
	w.t.Helper()
	var want []store.Event
	for _, e := range slices.Backward(all) {
		if (f.Type == "" || f.Type == e.Type) && (f.From.IsZero() || !e.CreatedAt.Before(f.From)) &&
			(f.To.IsZero() || e.CreatedAt.Before(f.To)) && (!f.Unmatched || e.Deliveries == 0) {
			want = append(want, e)
		}
	}
	got := pages(w, 5, func(p store.Page) ([]store.Event, string, error) {
		return w.s.ListEvents(w.ctx(), w.account, f, p)
	}, nil)
	w.equal(fmt.Sprintf("events of %+v", f), got, want)
}

func logNewestFirst(w *world) {
	all := w.dataset()
	got := pages(w, 7, func(p store.Page) ([]delivery.Delivery, string, error) {
		return w.s.ListDeliveries(w.ctx(), w.account, store.DeliveryFilter{}, p)
	}, nil)
	if len(got) != len(all) {
		w.t.Errorf("the list has %d deliveries, want %d", len(got), len(all))
	}
	newestFirst := func(a, b delivery.Delivery) int { return b.CreatedAt.Compare(a.CreatedAt) }
	if !slices.IsSortedFunc(got, newestFirst) {
		w.t.Errorf("the list of deliveries is not newest first")
	}
}

func logDeadLetters(w *world) {
	one, two := w.newEndpoint(), w.newEndpoint()
	p := neverDisable(lastStep())
	want := []store.CauseCount{
		{EndpointID: two, Class: delivery.TLSExpired, Count: 4},
		{EndpointID: one, Class: delivery.ServerError, Count: 3},
		{EndpointID: one, Class: delivery.TLSExpired, Count: 2},
		{EndpointID: two, Class: delivery.Redirect, Count: 1},
	}
	i := 0
	for _, c := range want {
		for range c.Count {
			w.end(p, w.lease(c.EndpointID), c.Class, minute(i))
			i++
		}
	}
	for _, status := range []delivery.Status{delivery.Delivered, delivery.Held, delivery.Retrying, delivery.Discarded} {
		w.inStatus(one, status)
	}
	got, err := w.s.CountDeadLetters(w.ctx(), w.account, i)
	w.must("count dead letters", err)
	w.equal("dead letters", got, want)
	newest, err := w.s.CountDeadLetters(w.ctx(), w.account, 2)
	w.must("count the newest dead letters", err)
	w.equal("the newest two dead letters", newest, []store.CauseCount{
		{EndpointID: one, Class: delivery.TLSExpired, Count: 1}, {EndpointID: two, Class: delivery.Redirect, Count: 1},
	}, cmpopts.SortSlices(func(a, b store.CauseCount) bool { return a.Class < b.Class }))
	if !slices.IsSortedFunc(got, func(a, b store.CauseCount) int { return cmp.Compare(b.Count, a.Count) }) {
		w.t.Errorf("the counts are not most first: %+v", got)
	}
}

func logSparse(w *world) {
	endpoint, other := w.newEndpoint(), w.newEndpoint()
	w.backlog(12_000, func() store.NewDelivery { return heldFor(endpoint) })
	rare, unmatched := eventAt(at(-time.Minute), heldFor(endpoint), sendingTo(other, delivery.Automatic)), eventAt(at(-time.Minute))
	rare.Type = "a.rare"
	w.publish(rare, unmatched)
	for _, f := range []store.DeliveryFilter{
		{Types: []string{"a.rare"}},
		{Types: []string{"a.rare"}, EndpointID: endpoint},
		{Types: []string{"a.rare"}, Statuses: []delivery.Status{delivery.Held, delivery.Failed}},
		{Statuses: []delivery.Status{delivery.Sending}},
		{Statuses: []delivery.Status{delivery.Sending, delivery.Failed}},
		{Statuses: []delivery.Status{delivery.Delivered}},
		{Class: delivery.Reset},
	} {
		var want []delivery.ID
		for _, d := range []delivery.Delivery{w.delivery(rare.Deliveries[1].ID), w.delivery(rare.Deliveries[0].ID)} {
			if matches(f, d) {
				want = append(want, d.ID)
			}
		}
		got := pages(w, 1, func(p store.Page) ([]delivery.Delivery, string, error) {
			return w.s.ListDeliveries(w.ctx(), w.account, f, p)
		}, nil)
		var ids []delivery.ID
		for _, d := range got {
			ids = append(ids, d.ID)
		}
		w.equal(fmt.Sprintf("deliveries of %+v", f), ids, want)
	}
	for _, tt := range []struct {
		f    store.EventFilter
		want string
	}{{store.EventFilter{Type: "a.rare"}, rare.ID}, {store.EventFilter{Unmatched: true}, unmatched.ID}} {
		got := pages(w, 1, func(p store.Page) ([]store.Event, string, error) { return w.s.ListEvents(w.ctx(), w.account, tt.f, p) }, nil)
		if len(got) != 1 || got[0].ID != tt.want {
			w.t.Errorf("events of %+v: got %+v, want %s alone", tt.f, got, tt.want)
		}
	}
}

func logNeighbours(w *world) {
	endpoint := w.newEndpoint()
	for i := range 6 { // two of each moment, so that the number decides as well
		w.publish(eventAt(minute(i/2), heldFor(endpoint)))
		w.publish(eventAt(minute(i/2), heldFor(w.newEndpoint())))
	}
	list, _, err := w.s.ListDeliveries(w.ctx(), w.account, store.DeliveryFilter{EndpointID: endpoint}, store.Page{Limit: 10})
	w.must("list", err)
	for i, d := range list {
		var older, newer delivery.ID
		if i > 0 {
			newer = list[i-1].ID
		}
		if i+1 < len(list) {
			older = list[i+1].ID
		}
		gotOlder, gotNewer, err := w.s.Neighbours(w.ctx(), w.account, d.ID)
		w.must("neighbours", err)
		w.equal("neighbours", []delivery.ID{gotOlder, gotNewer}, []delivery.ID{older, newer})
	}
	_, _, err = w.s.Neighbours(w.ctx(), w.account, 1<<60)
	w.wantError("neighbours of no delivery", err, store.ErrNotFound)
}

func logMissing(w *world) {
	_, err := w.s.Event(w.ctx(), w.account, "00000000-0000-4000-8000-000000000000")
	w.wantError("read no event", err, store.ErrNotFound)
	_, err = w.s.Event(w.ctx(), w.account, "not a uuid")
	w.wantError("read an event by a text that is no id", err, store.ErrNotFound)
	for _, id := range []delivery.ID{0, -1, 1 << 60} {
		_, err = w.s.Delivery(w.ctx(), w.account, id)
		w.wantError("read no delivery", err, store.ErrNotFound)
	}
	got, next, err := w.s.ListDeliveries(w.ctx(), w.account, store.DeliveryFilter{EventID: "not a uuid"}, store.Page{Limit: 5})
	w.must("list by a text that is no id", err)
	if len(got) > 0 || next != "" {
		w.t.Errorf("the list of no event has %+v, next %q", got, next)
	}
}
