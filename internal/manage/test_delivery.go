package manage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// TestEndpoint asks for a real signed delivery now.
type TestEndpoint struct {
	ID   string
	Type string // "" = scan.completed
}

// TestResult is what came of a test.
type TestResult struct {
	EventID string
	Type    string
	Attempt delivery.Attempt
}

// TestEndpoint publishes a test event to one endpoint alone, with a fresh id so
// that a receiver does not skip it as known, and sends it now: signed as
// always, without retries, and without a trace in the endpoint's health. It works on disabled endpoints.
func (m *Manager) TestEndpoint(ctx context.Context, caller auth.Caller, in TestEndpoint) (TestResult, error) {
	return change(ctx, m, caller, auth.Manage, "endpoint.test", func(ctx context.Context) (TestResult, deed, error) {
		if _, err := m.stored(ctx, caller.AccountID, in.ID); err != nil {
			return TestResult{}, deed{}, err
		}
		event, err := m.testEvent(ctx, caller.AccountID, in)
		if err != nil {
			return TestResult{}, deed{}, err
		}
		// From here on the test takes place although the caller may go away: a
		// delivery that is leased and not sent would be sent by another node later.
		ctx = context.WithoutCancel(ctx)
		lease, err := m.publishTest(ctx, caller.AccountID, event)
		if err != nil {
			return TestResult{}, deed{}, err
		}
		did := deed{object: in.ID, detail: fmt.Sprintf("%s as delivery %d", event.Type, lease.ID)}
		attempt, err := m.sender.SendNow(ctx, lease)
		if err != nil {
			return TestResult{}, did, fmt.Errorf("send test: %w", err)
		}
		return TestResult{EventID: event.ID, Type: event.Type, Attempt: shownAttempt(caller, attempt)}, did, nil
	})
}

// testEvent makes the event with its one delivery, claimed by this node.
func (m *Manager) testEvent(ctx context.Context, accountID string, in TestEndpoint) (store.NewEvent, error) {
	t, err := m.testType(ctx, accountID, cmp.Or(in.Type, catalog.ScanCompleted))
	if err != nil {
		return store.NewEvent{}, err
	}
	data, err := catalog.TestData(t)
	if err != nil {
		return store.NewEvent{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return store.NewEvent{}, fmt.Errorf("make event id: %w", err)
	}
	// As every delivery it is written and leased by the store's clock: one that is put back mends what
	// was written ahead of it, and goes by when that was written.
	at, err := m.clock(ctx)
	if err != nil {
		return store.NewEvent{}, err
	}
	body, err := webhook.EncodeBody(id.String(), t.Name, at, data)
	if err != nil {
		return store.NewEvent{}, fmt.Errorf("make test event: %w", err)
	}
	return store.NewEvent{
		ID:        id.String(),
		Type:      t.Name,
		CreatedAt: at,
		Body:      body,
		Hash:      sha256.Sum256(body),
		Deliveries: []store.NewDelivery{{
			EndpointID: in.ID,
			Status:     delivery.Sending,
			Cycle:      delivery.Test,
			Token:      dispatch.NewToken(),
			Until:      at.Add(m.policy.Lease()),
			Node:       m.node,
		}},
	}, nil
}

// testType finds the type of a test, built in or the account's own.
func (m *Manager) testType(ctx context.Context, accountID, name string) (catalog.Type, error) {
	t, err := m.eventType(ctx, accountID, name)
	if !errors.Is(err, store.ErrNotFound) {
		return t.catalogued(), err
	}
	names, err := m.names(ctx, accountID)
	if err != nil {
		return catalog.Type{}, err
	}
	var wrong mistakes
	wrong.add("type", "there is no event type %.40q%s", name, suggestion(name, names))
	return catalog.Type{}, wrong.err()
}

// publishTest commits the event and answers the lease on its delivery.
func (m *Manager) publishTest(ctx context.Context, accountID string, event store.NewEvent) (delivery.Lease, error) {
	// The delivery goes where it was told to, whoever subscribes: no revision to check.
	published, err := m.db.Publish(ctx, &store.Batch{AccountID: accountID, Events: []store.NewEvent{event}})
	if err != nil {
		return delivery.Lease{}, err
	}
	if len(published) != 1 || len(published[0].Deliveries) != 1 {
		return delivery.Lease{}, fmt.Errorf("publish test event: the store made %d answers of one event with one delivery", len(published))
	}
	d := event.Deliveries[0]
	return delivery.Lease{
		ID:         published[0].Deliveries[0].ID,
		AccountID:  accountID,
		EndpointID: d.EndpointID,
		EventID:    event.ID,
		EventType:  event.Type,
		Body:       event.Body,
		Token:      d.Token,
		Until:      d.Until,
		Attempt:    1,
		Cycle:      delivery.Test,
	}, nil
}
