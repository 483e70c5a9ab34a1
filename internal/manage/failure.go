package manage

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Failure is an attempt that failed before an endpoint was disabled.
type Failure struct {
	delivery.Attempt
	EventType string
}

const (
	// maxFailures bounds the attempts that Failures gives.
	maxFailures = 10
	// maxTried bounds the deliveries that Failures looks through: as many as an endpoint gets at once without a setting
	// of its own, and some more, since those fail together before its lane is narrow.
	maxTried = 2 * delivery.DefaultConcurrency
)

// Failures gives the attempts that failed since the last success of an endpoint that receives nothing, the first first, at most 10.
func (m *Manager) Failures(ctx context.Context, caller auth.Caller, endpointID string) ([]Failure, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) ([]Failure, error) {
		e, err := m.endpoint(ctx, caller.AccountID, endpointID)
		if err != nil {
			return nil, err
		}
		if e.State == delivery.Enabled {
			return nil, nil
		}
		tried, err := m.tried(ctx, e)
		if err != nil {
			return nil, err
		}
		var all []Failure
		for _, d := range tried {
			attempts, err := m.db.Attempts(ctx, e.AccountID, d.ID)
			if err != nil {
				return nil, err
			}
			for _, a := range attempts {
				if a.Effect == delivery.Failure && a.StartedAt.After(e.LastSuccessAt) {
					all = append(all, Failure{shownAttempt(caller, a), d.EventType})
				}
			}
		}
		slices.SortStableFunc(all, func(a, b Failure) int { return a.StartedAt.Compare(b.StartedAt) })
		return all[:min(len(all), maxFailures)], nil
	})
}

// tried gives deliveries of an endpoint that were tried before it was disabled. What is due first is sent first: nothing
// that was accepted after the time at which the last of them was due had its turn. So what has come since, however much,
// need not be looked through.
func (m *Manager) tried(ctx context.Context, e Endpoint) ([]delivery.Delivery, error) {
	last, due, err := m.lastTried(ctx, e)
	if err != nil {
		return nil, err
	}
	found, _, err := m.db.ListDeliveries(ctx, e.AccountID, store.DeliveryFilter{
		EndpointID: e.ID, Statuses: []delivery.Status{delivery.Failed, delivery.Held, delivery.Retrying}, To: due.Add(time.Millisecond), // no test is any of these
	}, store.Page{Limit: maxTried})
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(d delivery.Delivery) bool {
		return d.ID == last.ID || d.Attempts == 0 || d.UpdatedAt.Before(e.LastSuccessAt)
	})
	if last.ID != 0 { // when it was let go anew, it may be older than many
		found = append(found, last)
	}
	return found, nil
}

// lastTried gives the delivery whose attempt disabled an endpoint, and when that attempt was due. Of an endpoint that a
// person disabled, or whose row in the audit is gone, it gives none, and when it was disabled.
func (m *Manager) lastTried(ctx context.Context, e Endpoint) (last delivery.Delivery, due time.Time, err error) {
	id, number, err := m.disabledBy(ctx, e)
	if err != nil || id == 0 {
		return last, e.DisabledAt, err
	}
	if last, err = m.db.Delivery(ctx, e.AccountID, id); err != nil {
		return delivery.Delivery{}, e.DisabledAt, unlessGone(err)
	}
	a, err := m.db.Attempt(ctx, e.AccountID, id, number)
	if err != nil || a.PlannedAt.IsZero() {
		return last, last.CreatedAt, unlessGone(err)
	}
	return last, a.PlannedAt, nil
}

// disabledBy finds the attempt that disabled an endpoint in the audit; 0 = it has none.
func (m *Manager) disabledBy(ctx context.Context, e Endpoint) (id delivery.ID, number int, err error) {
	if e.DisabledReason == delivery.ByHand {
		return 0, 0, nil
	}
	rows, _, err := m.db.ListAudit(ctx, e.AccountID, store.AuditFilter{
		Actor: store.System, Action: store.DisabledEndpoint, From: e.DisabledAt, To: e.DisabledAt.Add(time.Millisecond),
	}, store.Page{Limit: MaxLimit})
	for _, row := range rows {
		if row.Object == e.ID {
			id, number = store.DisabledBy(row.Detail)
		}
	}
	return id, number, err
}

// unlessGone passes over the error of a row that retention has removed.
func unlessGone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
