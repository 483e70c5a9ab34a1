package manage_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// alert opens one at an endpoint, as the watch does.
func (w *world) alert(e manage.Endpoint, kind delivery.AlertKind) store.Alert {
	w.t.Helper()
	a := store.Alert{ID: "alt_" + e.ID + string(kind), AccountID: e.AccountID, EndpointID: e.ID, Kind: kind, Threshold: 10, OpenedAt: time.Now().UTC().Truncate(time.Millisecond)}
	if opened := must(w.db.OpenAlert(w.t.Context(), a))(w.t); !opened {
		w.t.Fatal("the alert was not opened")
	}
	return a
}

func TestAlertsAreShownWithTheirEndpointsAndInAListOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	one, two, well := w.endpoint(w.user), w.endpoint(w.user), w.endpoint(w.user)
	foreign := w.alert(w.endpoint(w.admin), delivery.AlertSlow)
	a, b, c := w.alert(one, delivery.AlertFailing), w.alert(two, delivery.AlertSlow), w.alert(two, delivery.AlertRetries)
	c.ClosedAt = c.OpenedAt.Add(time.Minute)
	must(w.db.CloseAlert(t.Context(), c))(t)

	want := map[string][]store.Alert{one.ID: {a}, two.ID: {b}, well.ID: nil}
	for _, e := range must(w.ListEndpoints(t.Context(), w.user, manage.Page{}))(t).Rows {
		if diff := cmp.Diff(want[e.ID], e.Alerts); diff != "" {
			t.Errorf("alerts of %s in the list (-want +got):\n%s", e.ID, diff)
		}
		if diff := cmp.Diff(want[e.ID], must(w.Endpoint(t.Context(), w.user, e.ID))(t).Alerts); diff != "" {
			t.Errorf("alerts of %s (-want +got):\n%s", e.ID, diff)
		}
	}
	for _, tt := range []struct {
		in   manage.ListAlerts
		want int
	}{
		{manage.ListAlerts{}, 3},
		{manage.ListAlerts{Filter: store.AlertFilter{Open: true}}, 2},
		{manage.ListAlerts{Filter: store.AlertFilter{EndpointID: two.ID}}, 2},
		{manage.ListAlerts{Filter: store.AlertFilter{EndpointID: foreign.EndpointID}}, 0},
		{manage.ListAlerts{Page: manage.Page{Limit: 1}}, 1},
	} {
		if got := must(w.ListAlerts(t.Context(), w.user, tt.in))(t); len(got.Rows) != tt.want {
			t.Errorf("%+v: %d alerts, want %d", tt.in, len(got.Rows), tt.want)
		}
	}
	check(t, w.db.WriteStats(t.Context(), []store.Stat{{
		AccountID: one.AccountID, EndpointID: one.ID, Minute: time.Now().Truncate(time.Minute), Writer: "w", Watched: delivery.Counts{Attempts: 30, Failed: 3, Slow: 1},
	}}))
	for id, want := range map[string]map[delivery.AlertKind]delivery.Reading{one.ID: {
		delivery.AlertFailing: {Attempts: 30, Failed: 3, Bad: 3, Span: delivery.WatchRecent},
		delivery.AlertSlow:    {Attempts: 30, Failed: 3, Bad: 1, Span: delivery.WatchRecent},
		delivery.AlertRetries: {Attempts: 30, Failed: 3, Span: delivery.WatchRecent},
	}, well.ID: nil} {
		if diff := cmp.Diff(want, must(w.Endpoint(t.Context(), w.user, id))(t).Lately); diff != "" {
			t.Errorf("what the alerts of %s would close by now (-want +got):\n%s", id, diff)
		}
	}
	var invalid *manage.Invalid
	if _, err := w.ListAlerts(t.Context(), w.user, manage.ListAlerts{Page: manage.Page{Limit: -1}}); !errors.As(err, &invalid) {
		t.Errorf("a limit of -1: got %v", err)
	}
}

func TestHowAnEndpointDoesSinceItWasEnabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	now := time.Now().UTC().Truncate(time.Millisecond)
	minutes := func(ago time.Duration, delivered, dead int) {
		s := store.Stat{AccountID: e.AccountID, EndpointID: e.ID, Minute: now.Add(-ago).Truncate(time.Minute), Writer: ago.String(), Delivered: delivered, Dead: dead}
		check(t, w.db.WriteStats(t.Context(), []store.Stat{s}))
	}
	since := func() *manage.SinceEnabled { return must(w.Endpoint(t.Context(), w.user, e.ID))(t).SinceEnabled }
	set := func(state delivery.State, ago time.Duration) {
		if changed := must(w.db.SetState(t.Context(), e.AccountID, e.ID, state, delivery.ByHand, now.Add(-ago)))(t); !changed {
			t.Fatalf("it is %s already", state)
		}
	}
	if got := since(); got != nil {
		t.Errorf("of one that was never disabled: %+v", got)
	}
	minutes(5*time.Hour, 1000, 1000) // before
	minutes(3*time.Hour, 100, 1)
	minutes(0, 18, 1)
	set(delivery.Disabled, 4*time.Hour)
	if got := since(); got != nil {
		t.Errorf("of one that is disabled: %+v", got)
	}
	set(delivery.Enabled, 3*time.Hour)
	w.publish(e, 2, "") // held, and left so
	publishedPending(t, w, e)
	want := &manage.SinceEnabled{At: now.Add(-3 * time.Hour), Delivered: 118, Of: 119}
	if diff := cmp.Diff(want, since()); diff != "" {
		t.Errorf("three hours after (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, must(w.ListEndpoints(t.Context(), w.user, manage.Page{}))(t).Rows[0].SinceEnabled); diff != "" {
		t.Errorf("in the list (-want +got):\n%s", diff)
	}
	set(delivery.Disabled, time.Hour)
	set(delivery.Enabled, 24*time.Hour)
	if got := since(); got != nil {
		t.Errorf("a day after: %+v", got)
	}
	set(delivery.Disabled, time.Hour)
	set(delivery.Enabled, -time.Hour) // by a database whose clock is ahead, or was
	if diff := cmp.Diff(&manage.SinceEnabled{At: now.Add(time.Hour)}, since()); diff != "" {
		t.Errorf("enabled in an hour (-want +got):\n%s", diff)
	}
}

// publishedPending accepts a scan that waits for its first attempt.
func publishedPending(t *testing.T, w *world, e manage.Endpoint) {
	t.Helper()
	must(w.db.Publish(t.Context(), &store.Batch{AccountID: e.AccountID, Events: []store.NewEvent{{
		ID: "00000000-0000-7000-8000-000000000001", Type: "scan.completed", CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Body: []byte(`{}`),
		Deliveries: []store.NewDelivery{{EndpointID: e.ID, Status: delivery.Pending, Cycle: delivery.Automatic}},
	}}}))(t)
}
