package manage

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// WatchAfterEnabling is for how long an endpoint shows how it does since it was
// enabled again: the public documentation says to look at it for 24 hours.
const WatchAfterEnabling = 24 * time.Hour

// SinceEnabled is how an endpoint does since it was enabled again: so many delivered of so many.
type SinceEnabled struct {
	At        time.Time
	Delivered int
	Dead      int // deliveries that went to the dead letter queue since, and are there now
	Of        int // these, and those that wait or are being sent now; what was left held is not among them
}

// ListAlerts asks for alerts.
type ListAlerts struct {
	Filter store.AlertFilter
	Page   Page
}

// ListAlerts pages through what the health watch found, newest first.
func (m *Manager) ListAlerts(ctx context.Context, caller auth.Caller, in ListAlerts) (List[store.Alert], error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (List[store.Alert], error) {
		var wrong mistakes
		wrong.id("endpoint_id", in.Filter.EndpointID)
		if err := wrong.err(); err != nil {
			return List[store.Alert]{}, err
		}
		return list(in.Page, func(page store.Page) ([]store.Alert, string, error) {
			return m.db.ListAlerts(ctx, caller.AccountID, in.Filter, page)
		})
	})
}

// addHealth adds to endpoints what is counted of their attempts and their open alerts. Minutes are counted by the store's clock.
func (m *Manager) addHealth(ctx context.Context, accountID string, endpoints []Endpoint) error {
	ids := make([]string, len(endpoints))
	for i, e := range endpoints {
		ids[i] = e.ID
	}
	at, err := m.clock(ctx)
	if err != nil {
		return err
	}
	if err := m.addSince(ctx, accountID, endpoints, at); err != nil {
		return err
	}
	days, err := m.days(ctx, accountID, ids, at)
	if err != nil {
		return err
	}
	open, err := m.db.OpenAlerts(ctx, accountID, ids)
	if err != nil {
		return err
	}
	of := map[string][]store.Alert{}
	for _, a := range open {
		of[a.EndpointID] = append(of[a.EndpointID], a)
	}
	lately, err := m.lately(ctx, accountID, slices.Sorted(maps.Keys(of)), at)
	if err != nil {
		return err
	}
	for i := range endpoints {
		e := &endpoints[i]
		e.Alerts, e.Lately, e.Day, e.Hours = of[e.ID], lately[e.ID], days[e.ID].Summary, days[e.ID].Series
	}
	return nil
}

// lately reads what the alerts of endpoints that have an open one would close by now.
func (m *Manager) lately(ctx context.Context, accountID string, ids []string, at time.Time) (map[string]map[delivery.AlertKind]delivery.Reading, error) {
	until := at.Truncate(time.Minute).Add(time.Minute)
	found, err := m.db.WatchedOf(ctx, accountID, ids, until.Add(-delivery.WatchWindow), until)
	of := map[string]map[delivery.AlertKind]delivery.Reading{}
	for _, e := range found {
		window, readings := delivery.NewWindow(e.Minutes, e.EnabledAt, until), map[delivery.AlertKind]delivery.Reading{}
		for _, kind := range delivery.AlertKinds() {
			readings[kind] = window.Closing(kind)
		}
		of[e.EndpointID] = readings
	}
	return of, err
}

// addSince adds what came of endpoints since they were enabled again: not of one of which that is long ago, or never
// was, or that is disabled once more.
func (m *Manager) addSince(ctx context.Context, accountID string, endpoints []Endpoint, at time.Time) error {
	var ids []string
	for _, e := range endpoints {
		if e.State == delivery.Enabled && !e.EnabledAt.IsZero() && at.Sub(e.EnabledAt) < WatchAfterEnabling {
			ids = append(ids, e.ID)
		}
	}
	most := store.CountLimit
	if len(endpoints) > 1 {
		most = store.ListCountLimit
	}
	of, err := m.db.SinceEnabled(ctx, accountID, ids, at.Add(time.Minute), most)
	if err != nil {
		return err
	}
	for i := range endpoints {
		e := &endpoints[i]
		if since, ok := of[e.ID]; ok {
			e.SinceEnabled = &SinceEnabled{At: e.EnabledAt, Delivered: since.Delivered, Dead: since.Dead, Of: since.Delivered + since.Dead + e.Waiting}
		}
	}
	return nil
}
