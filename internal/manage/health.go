package manage

import (
	"context"
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
	Dead      int // deliveries that went to the dead letter queue
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

// addHealth adds to endpoints what is counted of their attempts and their open alerts.
func (m *Manager) addHealth(ctx context.Context, accountID string, endpoints []Endpoint) error {
	ids := make([]string, len(endpoints))
	at := now()
	for i := range endpoints {
		e := &endpoints[i]
		ids[i] = e.ID
		var err error
		if e.SinceEnabled, err = m.sinceEnabled(ctx, e.EndpointView, at); err != nil {
			return err
		}
	}
	days, err := m.days(ctx, accountID, ids)
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
	for i := range endpoints {
		e := &endpoints[i]
		e.Alerts, e.Day, e.Hours = of[e.ID], days[e.ID].Summary, days[e.ID].Series
	}
	return nil
}

// sinceEnabled sums up what came of an endpoint since it was enabled again, minute by minute: the first may
// have begun before. It is nil when that is long ago, or never was, or the endpoint is disabled once more.
func (m *Manager) sinceEnabled(ctx context.Context, e store.EndpointView, at time.Time) (*SinceEnabled, error) {
	if e.State != delivery.Enabled || e.EnabledAt.IsZero() || at.Sub(e.EnabledAt) >= WatchAfterEnabling {
		return nil, nil //nolint:nilnil // there is nothing to show
	}
	from := e.EnabledAt.Truncate(time.Minute)
	rows, err := m.db.Stats(ctx, e.AccountID, e.ID, from, at.Add(time.Minute), 2*WatchAfterEnabling)
	if err != nil {
		return nil, err
	}
	sum := summarize(rows)
	return &SinceEnabled{At: e.EnabledAt, Delivered: sum.Delivered, Dead: sum.Dead, Of: sum.Delivered + sum.Dead + e.Waiting}, nil
}
