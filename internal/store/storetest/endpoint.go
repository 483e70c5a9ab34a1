package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func endpointChecks() []check {
	return []check{
		{"an endpoint is kept as it was made", endpointKept},
		{"an account has no more endpoints than it may", endpointLimit},
		{"many creations at once do not exceed the limit", endpointLimitAtOnce},
		{"an update changes what people set and nothing else", endpointUpdate},
		{"an update that is refused writes nothing", endpointUpdateRefused},
		{"updates at the same time do not lose each other", endpointUpdateAtOnce},
		{"disabling keeps reason and time and holds what waits", endpointDisable},
		{"names are those of the endpoints that are there, newest first", endpointNames},
		{"those that outcomes disabled are listed, the latest first", endpointStopped},
		{"enabling clears the health and leaves held deliveries held", endpointEnable},
		{"a state that is there already changes nothing", endpointSameState},
		{"deleting says how many deliveries it gives up", endpointDelete},
		{"a deleted endpoint is not found and its log stays", endpointDeleted},
		{"counts and the next due time are those of the endpoint", endpointCounts},
		{"counts stop at the limit", endpointCountLimit},
		{"lists are newest first", endpointList},
	}
}

func endpointNames(w *world) {
	var want []store.EndpointName
	for i := range 3 {
		e := endpointOf(w.account)
		e.CreatedAt, e.Description = minute(i), []string{"", "Ticket system", "the ünknown"}[i]
		w.must("create", w.s.CreateEndpoint(w.ctx(), e, firstSecret(e.ID), many))
		want = append([]store.EndpointName{{ID: e.ID, URL: e.URL, Description: e.Description}}, want...)
	}
	_, err := w.s.DeleteEndpoint(w.ctx(), w.account, want[1].ID, minute(9))
	w.must("delete", err)
	want = []store.EndpointName{want[0], want[2]}
	for limit := 1; limit <= 3; limit++ {
		got, err := w.s.EndpointNames(w.ctx(), w.account, limit)
		w.must("names", err)
		w.equal("names", got, want[:min(limit, len(want))])
	}
}

func endpointStopped(w *world) {
	var stopped []string
	for i, reason := range []delivery.Reason{delivery.ByFailures, delivery.ByHand, delivery.ByGone, delivery.ByFailures} {
		id := w.newEndpoint()
		_, err := w.s.SetState(w.ctx(), w.account, id, delivery.Disabled, reason, minute(i))
		w.must("disable", err)
		if reason != delivery.ByHand {
			stopped = append([]string{id}, stopped...)
		}
	}
	w.newEndpoint()
	for _, tt := range []struct {
		limit int
		want  []string
	}{{10, stopped}, {2, stopped[:2]}} {
		var got []string
		list, err := w.s.ListStopped(w.ctx(), w.account, tt.limit)
		w.must("list stopped endpoints", err)
		for _, e := range list {
			got = append(got, e.ID)
		}
		w.equal("stopped endpoints", got, tt.want)
	}
	_, err := w.s.SetState(w.ctx(), w.account, stopped[0], delivery.Enabled, "", minute(9))
	w.must("enable", err)
	list, err := w.s.ListStopped(w.ctx(), w.account, 10)
	w.must("list stopped endpoints", err)
	w.equal("how many are left", len(list), 2)
}

func endpointKept(w *world) {
	plain := endpointOf(w.account)
	full := endpointOf(w.account)
	full.Description = "of the é team\nsecond line"
	full.Events = []string{"scan.*", "alert.triggered"}
	full.Headers = []delivery.Header{{Name: "X-B", Value: "2"}, {Name: "X-A", Value: ""}, {Name: "X-B", Value: "1"}}
	full.RateLimit, full.Concurrency = 50, 7
	full.State, full.DisabledReason, full.DisabledAt = delivery.Disabled, delivery.ByHand, at(time.Second)
	full.CreatedAt, full.UpdatedAt = at(2*time.Second), at(3*time.Second)
	for _, want := range []delivery.Endpoint{plain, full} {
		w.must("create endpoint", w.s.CreateEndpoint(w.ctx(), want, firstSecret(want.ID), many))
		w.equal("endpoint", w.endpoint(want.ID), store.EndpointView{Endpoint: want})
		lane, err := w.s.Lane(w.ctx(), want.ID, at(0))
		w.must("read lane", err)
		w.equal("endpoint of the lane", lane.Endpoint, want)
	}
}

func endpointLimit(w *world) {
	create := func() (string, error) {
		e := endpointOf(w.account)
		return e.ID, w.s.CreateEndpoint(w.ctx(), e, firstSecret(e.ID), 2)
	}
	first, err := create()
	w.must("create the first", err)
	_, err = create()
	w.must("create the second", err)
	third, err := create()
	w.wantError("create the third of two", err, store.ErrLimit)
	_, err = w.s.Endpoint(w.ctx(), w.account, third)
	w.wantError("read the third", err, store.ErrNotFound)

	w.setState(first, delivery.Deleted)
	_, err = create()
	w.must("create another in place of a deleted one", err)
}

func endpointLimitAtOnce(w *world) {
	var made atomic.Int32
	w.atOnce(12, func(int) error {
		e := endpointOf(w.account)
		err := w.s.CreateEndpoint(w.ctx(), e, firstSecret(e.ID), 3)
		if err == nil {
			made.Add(1)
		}
		if errors.Is(err, store.ErrLimit) {
			return nil
		}
		return err
	})
	if made.Load() != 3 {
		w.t.Errorf("12 creations at once made %d endpoints of at most 3", made.Load())
	}
}

func endpointUpdate(w *world) {
	id := w.newEndpoint()
	w.end(rules(), w.lease(id), delivery.ServerError, at(0))
	want := w.endpoint(id)
	got, err := w.s.UpdateEndpoint(w.ctx(), w.account, id, func(e *delivery.Endpoint) error {
		if e.ID != id || e.AccountID != w.account || e.URL != want.URL {
			return fmt.Errorf("the change got %+v", *e)
		}
		*e = delivery.Endpoint{
			ID: "ep_other", AccountID: "acc_other", State: delivery.Disabled, DisabledReason: delivery.ByHand,
			Health: delivery.Health{Failures: 9}, URL: "https://other.example/", Description: "changed",
			Events: []string{"a.b"}, Headers: []delivery.Header{{Name: "X", Value: "y"}}, RateLimit: 3, Concurrency: 4,
			CreatedAt: e.CreatedAt, UpdatedAt: at(time.Hour), LastSuccessAt: e.LastSuccessAt,
		}
		return nil
	})
	w.must("update endpoint", err)
	want.URL, want.Description, want.Events = "https://other.example/", "changed", []string{"a.b"}
	want.Headers = []delivery.Header{{Name: "X", Value: "y"}}
	want.RateLimit, want.Concurrency, want.UpdatedAt = 3, 4, at(time.Hour)
	w.equal("answer", got, want.Endpoint)
	w.equal("endpoint", w.endpoint(id), want)
}

func endpointUpdateRefused(w *world) {
	id := w.newEndpoint()
	before, revision := w.endpoint(id), w.subscriptions().Revision
	refused := errors.New("refused by the caller")
	_, err := w.s.UpdateEndpoint(w.ctx(), w.account, id, func(e *delivery.Endpoint) error {
		e.URL = "https://other.example/"
		return refused
	})
	w.wantError("update", err, refused)
	w.equal("endpoint", w.endpoint(id), before)
	if got := w.subscriptions().Revision; got != revision {
		w.t.Errorf("an update that was refused moved the revision from %d to %d", revision, got)
	}
	_, err = w.s.UpdateEndpoint(w.ctx(), w.account, newID("ep_"), func(*delivery.Endpoint) error { return nil })
	w.wantError("update no endpoint", err, store.ErrNotFound)
}

func endpointUpdateAtOnce(w *world) {
	id := w.newEndpoint()
	w.atOnce(20, func(int) error {
		_, err := w.s.UpdateEndpoint(w.ctx(), w.account, id, func(e *delivery.Endpoint) error {
			e.RateLimit++
			return nil
		})
		return err
	})
	if got := w.endpoint(id).RateLimit; got != 20 {
		w.t.Errorf("20 updates that each add one made %d", got)
	}
}

func endpointDisable(w *world) {
	id := w.newEndpoint()
	ids := make(map[delivery.Status]delivery.ID)
	for _, status := range delivery.Statuses() {
		ids[status] = w.inStatus(id, status)
	}
	changed, err := w.s.SetState(w.ctx(), w.account, id, delivery.Disabled, delivery.ByHand, at(time.Hour))
	w.must("disable", err)
	got := w.endpoint(id)
	if !changed || got.State != delivery.Disabled || got.DisabledReason != delivery.ByHand || !got.DisabledAt.Equal(at(time.Hour)) {
		w.t.Errorf("changed %t, endpoint %+v; want disabled by hand at %s", changed, got.Endpoint, at(time.Hour))
	}
	for was, id := range ids {
		want := was
		if was.Waiting() {
			want = delivery.Held
		}
		w.wantStatus(id, want)
	}
}

func endpointEnable(w *world) {
	id := w.newEndpoint()
	for i := range 4 {
		w.end(rules(), w.lease(id), delivery.ServerError, minute(i))
	}
	waiting := w.inStatus(id, delivery.Pending)
	w.setState(id, delivery.Disabled)
	changed, err := w.s.SetState(w.ctx(), w.account, id, delivery.Enabled, delivery.NotDisabled, at(time.Hour))
	w.must("enable", err)
	got := w.endpoint(id)
	if !changed || got.State != delivery.Enabled || got.DisabledReason != delivery.NotDisabled || !got.DisabledAt.IsZero() {
		w.t.Errorf("changed %t, endpoint %+v; want enabled, without a reason", changed, got.Endpoint)
	}
	w.equal("health", got.Health, delivery.Health{})
	w.wantStatus(waiting, delivery.Held)
}

func endpointSameState(w *world) {
	enabled, disabled := w.newEndpoint(), w.newEndpoint()
	w.end(rules(), w.lease(enabled), delivery.ServerError, at(0))
	w.setState(disabled, delivery.Disabled)
	for id, state := range map[string]delivery.State{enabled: delivery.Enabled, disabled: delivery.Disabled} {
		before, revision := w.endpoint(id), w.subscriptions().Revision
		changed, err := w.s.SetState(w.ctx(), w.account, id, state, delivery.ByFailures, at(time.Hour))
		w.must("set the state that it has", err)
		if changed || w.subscriptions().Revision != revision {
			w.t.Errorf("%s to %s: changed %t, revision from %d to %d", state, state, changed, revision, w.subscriptions().Revision)
		}
		w.equal("endpoint", w.endpoint(id), before)
	}
}

func endpointDelete(w *world) {
	id := w.newEndpoint()
	ids := make(map[delivery.Status]delivery.ID)
	for _, status := range delivery.Statuses() {
		ids[status] = w.inStatus(id, status)
	}
	given, err := w.s.DeleteEndpoint(w.ctx(), w.account, id, at(time.Hour))
	w.must("delete", err)
	if given != 3 {
		w.t.Errorf("deleting gives up %d deliveries, want 3: the pending, the retrying and the held one", given)
	}
	for was, id := range ids {
		want := was
		if was.Waiting() || was == delivery.Held {
			want = delivery.Discarded
		}
		w.wantStatus(id, want)
		if d := w.delivery(id); want != was && (d.Discard == "" || !d.DueAt.IsZero()) {
			w.t.Errorf("the discarded delivery has reason %q and is due at %s", d.Discard, d.DueAt)
		}
	}
}

func endpointDeleted(w *world) {
	id := w.newEndpoint()
	kept := w.inStatus(id, delivery.Failed)
	w.setState(id, delivery.Deleted)
	_, err := w.s.Endpoint(w.ctx(), w.account, id)
	w.wantError("read", err, store.ErrNotFound)
	_, err = w.s.UpdateEndpoint(w.ctx(), w.account, id, func(*delivery.Endpoint) error { return nil })
	w.wantError("update", err, store.ErrNotFound)
	_, err = w.s.SetState(w.ctx(), w.account, id, delivery.Enabled, delivery.NotDisabled, at(0))
	w.wantError("enable", err, store.ErrNotFound)
	_, err = w.s.DeleteEndpoint(w.ctx(), w.account, id, at(0))
	w.wantError("delete again", err, store.ErrNotFound)
	list, _, err := w.s.ListEndpoints(w.ctx(), w.account, store.Page{Limit: 10})
	w.must("list endpoints", err)
	if len(list) > 0 {
		w.t.Errorf("the list has the deleted endpoint: %+v", list)
	}
	w.wantStatus(kept, delivery.Failed)
	if n := len(w.attempts(kept)); n != 1 {
		w.t.Errorf("the log has %d attempts, want 1", n)
	}
}

func endpointCounts(w *world) {
	id, other := w.newEndpoint(), w.newEndpoint()
	for n, status := range []delivery.Status{delivery.Held, delivery.Failed, delivery.Delivered, delivery.Discarded} {
		for range n + 1 {
			w.inStatus(id, status)
		}
	}
	got := w.endpoint(id)
	if got.Waiting != 0 || got.Held != 1 || got.Failed != 2 || !got.NextDue.IsZero() {
		w.t.Errorf("got %d waiting, %d held, %d failed, next at %s; want 0, 1, 2 and no time", got.Waiting, got.Held, got.Failed, got.NextDue)
	}
	w.inStatus(id, delivery.Sending)
	if got = w.endpoint(id); got.Waiting != 1 || !got.NextDue.IsZero() {
		w.t.Errorf("got %d waiting, next at %s; want 1, which is being sent, and no time: the end of its lease is no next attempt", got.Waiting, got.NextDue)
	}
	w.inStatus(id, delivery.Retrying)
	w.publishOne(at(5*time.Second), pendingTo(id))
	w.inStatus(other, delivery.Pending)
	got = w.endpoint(id)
	if got.Waiting != 3 || !got.NextDue.Equal(at(5*time.Second)) {
		w.t.Errorf("got %d waiting, next at %s; want 3 and %s", got.Waiting, got.NextDue, at(5*time.Second))
	}
	list, _, err := w.s.ListEndpoints(w.ctx(), w.account, store.Page{Limit: 10})
	w.must("list endpoints", err)
	for _, view := range list {
		w.equal("the endpoint in the list", view, w.endpoint(view.ID))
	}
}

func endpointCountLimit(w *world) {
	id := w.newEndpoint()
	w.backlog(store.CountLimit+1000, func() store.NewDelivery { return pendingTo(id) })
	if got := w.endpoint(id).Waiting; got != store.CountLimit {
		w.t.Errorf("%d waiting deliveries are counted as %d, want %d", store.CountLimit+1000, got, store.CountLimit)
	}
	list, _, err := w.s.ListEndpoints(w.ctx(), w.account, store.Page{Limit: 10})
	w.must("list endpoints", err)
	if len(list) != 1 || list[0].Waiting != store.ListCountLimit {
		w.t.Errorf("%d waiting deliveries are counted in a list as %+v, want %d", store.CountLimit+1000, list, store.ListCountLimit)
	}
	w.setState(id, delivery.Disabled)
	w.settle(id)
	if got := w.endpoint(id); got.Held != store.CountLimit || got.Waiting != 0 {
		w.t.Errorf("%d held deliveries are counted as %d held and %d waiting, want %d and 0", store.CountLimit+1000, got.Held, got.Waiting, store.CountLimit)
	}
	n, err := w.s.DeleteEndpoint(w.ctx(), w.account, id, at(0))
	w.must("delete", err)
	if n != store.CountLimit+1000 {
		w.t.Errorf("deleting gives up %d deliveries, want all %d", n, store.CountLimit+1000)
	}
}

func endpointList(w *world) {
	var want []string
	for i := range 5 {
		id := w.newEndpoint(func(e *delivery.Endpoint) { e.CreatedAt = minute(i) })
		want = append([]string{id}, want...)
	}
	var got []string
	for _, view := range pages(w, 2, func(p store.Page) ([]store.EndpointView, string, error) {
		return w.s.ListEndpoints(w.ctx(), w.account, p)
	}, nil) {
		got = append(got, view.ID)
	}
	w.equal("endpoints", got, want)
}
