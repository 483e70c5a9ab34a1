package manage

import (
	"cmp"
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Delivery is a delivery with its attempts.
type Delivery struct {
	delivery.Delivery
	Attempts []delivery.Attempt // in order, without response bodies
}

// ListDeliveries asks for deliveries.
type ListDeliveries struct {
	Filter store.DeliveryFilter
	Page   Page
}

// GetAttempt names an attempt.
type GetAttempt struct {
	DeliveryID delivery.ID
	Number     int
}

// Attempt is the whole request and response of one attempt.
type Attempt struct {
	delivery.Attempt
	Body []byte // of the request: the event's
}

// DiscardDelivery gives up a delivery.
type DiscardDelivery struct {
	ID     delivery.ID
	Reason string // 1 to 500 characters
}

// DeadLetters asks for the dead letter queue.
type DeadLetters struct {
	EndpointID string         // "" = all
	Type       string         // of the event; "" = all
	Class      delivery.Class // of the last attempt; "" = all
	From, To   time.Time      // of creation; zero = open
	Page       Page
}

// Delivery reads one with its attempts.
func (m *Manager) Delivery(ctx context.Context, caller auth.Caller, id delivery.ID) (Delivery, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (Delivery, error) {
		d, err := m.db.Delivery(ctx, caller.AccountID, id)
		if err != nil {
			return Delivery{}, err
		}
		attempts, err := m.db.Attempts(ctx, caller.AccountID, id)
		if err != nil {
			return Delivery{}, err
		}
		for i := range attempts {
			attempts[i] = shownAttempt(caller, attempts[i])
		}
		return Delivery{Delivery: d, Attempts: attempts}, nil
	})
}

// ListDeliveries pages through deliveries, newest first.
func (m *Manager) ListDeliveries(ctx context.Context, caller auth.Caller, in ListDeliveries) (List[delivery.Delivery], error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (List[delivery.Delivery], error) {
		return m.listDeliveries(ctx, caller.AccountID, in)
	})
}

func (m *Manager) listDeliveries(ctx context.Context, accountID string, in ListDeliveries) (List[delivery.Delivery], error) {
	var wrong mistakes
	wrong.deliveries(in.Filter, delivery.Statuses())
	page := wrong.page(in.Page)
	if err := wrong.err(); err != nil {
		return List[delivery.Delivery]{}, err
	}
	rows, next, err := m.db.ListDeliveries(ctx, accountID, in.Filter, page)
	if err != nil {
		return List[delivery.Delivery]{}, err
	}
	return List[delivery.Delivery]{Rows: rows, Next: next}, nil
}

// Attempt reads one whole attempt: what was sent, what came back and how long each part took.
func (m *Manager) Attempt(ctx context.Context, caller auth.Caller, in GetAttempt) (Attempt, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (Attempt, error) {
		d, err := m.db.Delivery(ctx, caller.AccountID, in.DeliveryID)
		if err != nil {
			return Attempt{}, err
		}
		attempt, err := m.db.Attempt(ctx, caller.AccountID, in.DeliveryID, in.Number)
		if errors.Is(err, store.ErrNotFound) {
			err = ErrNoAttempt
		}
		if err != nil {
			return Attempt{}, err
		}
		event, err := m.db.Event(ctx, caller.AccountID, d.EventID)
		if err != nil {
			return Attempt{}, err
		}
		return Attempt{Attempt: shownAttempt(caller, attempt), Body: event.Body}, nil
	})
}

// shownAttempt leaves out what only operators may see: it tells about their network.
func shownAttempt(caller auth.Caller, a delivery.Attempt) delivery.Attempt {
	if !may(caller, auth.Admin) {
		a.LocalInfo = ""
	}
	return a
}

// RetryDelivery begins a new cycle of a delivery, due now: same id, attempt numbers
// go on. store.ErrDisabled when its endpoint does not receive.
func (m *Manager) RetryDelivery(ctx context.Context, caller auth.Caller, id delivery.ID) (delivery.Delivery, error) {
	return change(ctx, m, caller, auth.Manage, "delivery.retry", func(ctx context.Context) (delivery.Delivery, deed, error) {
		at, err := m.clock(ctx)
		if err != nil {
			return delivery.Delivery{}, deed{}, err
		}
		d, err := m.db.Retry(ctx, caller.AccountID, id, at)
		if err != nil {
			return delivery.Delivery{}, deed{}, err
		}
		did := deliveryDeed(d, d.EventType+" to "+d.EndpointID)
		did.notes = []store.Note{{Kind: store.WorkAdded, AccountID: caller.AccountID, ID: d.EndpointID}}
		return d, did, nil
	})
}

// Neighbours are the deliveries of the same endpoint before and after one; 0 = there is none.
type Neighbours struct{ Older, Newer delivery.ID }

// Neighbours finds a delivery's.
func (m *Manager) Neighbours(ctx context.Context, caller auth.Caller, id delivery.ID) (Neighbours, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (n Neighbours, err error) {
		n.Older, n.Newer, err = m.db.Neighbours(ctx, caller.AccountID, id)
		return n, err
	})
}

// DiscardDelivery gives up a delivery that waits, is held or failed, with a reason.
func (m *Manager) DiscardDelivery(ctx context.Context, caller auth.Caller, in DiscardDelivery) (delivery.Delivery, error) {
	return change(ctx, m, caller, auth.Manage, "delivery.discard", func(ctx context.Context) (delivery.Delivery, deed, error) {
		var wrong mistakes
		wrong.text("reason", in.Reason, 1, maxText)
		if err := wrong.err(); err != nil {
			return delivery.Delivery{}, deed{}, err
		}
		at, err := m.clock(ctx)
		if err != nil {
			return delivery.Delivery{}, deed{}, err
		}
		d, err := m.db.Discard(ctx, caller.AccountID, in.ID, in.Reason, at)
		if err != nil {
			return delivery.Delivery{}, deed{}, err
		}
		return d, deliveryDeed(d, in.Reason), nil
	})
}

// deliveryDeed is a deed done to a delivery.
func deliveryDeed(d delivery.Delivery, detail string) deed {
	return deed{object: strconv.FormatInt(int64(d.ID), 10), detail: detail}
}

// DeadLetters pages through the dead letter queue: the deliveries that failed, newest first.
func (m *Manager) DeadLetters(ctx context.Context, caller auth.Caller, in DeadLetters) (List[delivery.Delivery], error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (List[delivery.Delivery], error) {
		f := store.DeliveryFilter{
			EndpointID: in.EndpointID,
			Statuses:   []delivery.Status{delivery.Failed},
			Class:      in.Class,
			From:       in.From,
			To:         in.To,
		}
		if in.Type != "" {
			f.Types = []string{in.Type}
		}
		return m.listDeliveries(ctx, caller.AccountID, ListDeliveries{Filter: f, Page: in.Page})
	})
}

// DeadLetterCounts counts the dead letter queue by endpoint and cause, most first: the newest, as many as most; 0 = all.
func (m *Manager) DeadLetterCounts(ctx context.Context, caller auth.Caller, most int) ([]store.CauseCount, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) ([]store.CauseCount, error) {
		return m.db.CountDeadLetters(ctx, caller.AccountID, cmp.Or(most, math.MaxInt))
	})
}
