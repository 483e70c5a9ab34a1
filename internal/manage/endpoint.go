package manage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Endpoint is an endpoint with what is counted about it.
type Endpoint struct {
	store.EndpointView
	Secrets      []Secret                                // live ones, oldest first; only of Endpoint, nil in lists
	Day          Summary                                 // the last 24 hours
	Hours        []Point                                 // the same, hour by hour, oldest first; nil without attempts
	Alerts       []store.Alert                           // those that are open, oldest first
	Lately       map[delivery.AlertKind]delivery.Reading // what its alerts would close by now; of one that has an open one
	SinceEnabled *SinceEnabled                           // of one that was enabled again in the last 24 hours; else nil
}

// CreateEndpoint is what a new endpoint is made of.
type CreateEndpoint struct {
	URL         string
	Events      []string // at least one: exact names, prefixes such as scan.*, or *
	Description string   // at most 500 characters
	Disabled    bool     // made disabled by hand: what is published meanwhile is held
	Headers     []delivery.Header
	RateLimit   int // attempts per second; 0 = no limit
	Concurrency int // attempts at once; 0 = the server's setting
}

// CreatedEndpoint is a new endpoint with its secret.
type CreatedEndpoint struct {
	Endpoint Endpoint
	Secret   string // whsec_...; shown here and never again
}

// DeleteEndpoint deletes an endpoint, or counts what that would give up.
type DeleteEndpoint struct {
	ID     string
	DryRun bool
}

// DeletedEndpoint says what deleting gave up, or would.
type DeletedEndpoint struct {
	Discarded int // deliveries that waited or were held
	DryRun    bool
}

// CreateEndpoint adds an endpoint and answers its secret, once.
func (m *Manager) CreateEndpoint(ctx context.Context, caller auth.Caller, in CreateEndpoint) (CreatedEndpoint, error) {
	return change(ctx, m, caller, auth.Manage, "endpoint.create", func(ctx context.Context) (CreatedEndpoint, deed, error) {
		e, err := m.newEndpoint(ctx, caller.AccountID, in)
		if err != nil {
			return CreatedEndpoint{}, deed{}, err
		}
		text, secret := m.newSecret(caller.AccountID, e.ID, store.Current, e.CreatedAt)
		kept := e
		kept.Headers = dispatch.SealHeaders(m.box, e.AccountID, e.ID, e.Headers)
		err = m.db.CreateEndpoint(ctx, kept, secret, m.limits.Endpoints)
		if errors.Is(err, store.ErrLimit) {
			return CreatedEndpoint{}, deed{}, store.Conflictf("this account has %s, the most it may have: delete one first", counted(m.limits.Endpoints, "endpoint", "endpoints"))
		}
		if err != nil {
			return CreatedEndpoint{}, deed{}, err
		}
		did := endpointDeed(caller, e.ID, fmt.Sprintf("%s; events %s", hostOf(e.URL), strings.Join(e.Events, ",")))
		return CreatedEndpoint{
			Endpoint: Endpoint{
				EndpointView: store.EndpointView{Endpoint: e},
				Secrets:      []Secret{shownSecret(secret)},
				Day:          summarize(nil),
			},
			Secret: text,
		}, did, nil
	})
}

// newEndpoint checks what was sent and makes the row of it.
func (m *Manager) newEndpoint(ctx context.Context, accountID string, in CreateEndpoint) (delivery.Endpoint, error) {
	settings := UpdateEndpoint{
		URL:         &in.URL,
		Events:      &in.Events,
		Description: &in.Description,
		Headers:     &in.Headers,
		RateLimit:   &in.RateLimit,
		Concurrency: &in.Concurrency,
	}
	if err := m.checkSettings(ctx, accountID, &settings); err != nil {
		return delivery.Endpoint{}, err
	}
	at := now()
	e := delivery.Endpoint{
		ID:        newID("ep_"),
		AccountID: accountID,
		Headers:   []delivery.Header{},
		State:     delivery.Enabled,
		CreatedAt: at,
		UpdatedAt: at,
	}
	settings.apply(&e)
	if in.Disabled {
		e.State, e.DisabledReason, e.DisabledAt = delivery.Disabled, delivery.ByHand, at
	}
	return e, nil
}

// Endpoint reads one endpoint with its secrets' fingerprints.
func (m *Manager) Endpoint(ctx context.Context, caller auth.Caller, id string) (Endpoint, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (Endpoint, error) {
		return m.endpoint(ctx, caller.AccountID, id)
	})
}

// ListEndpoints pages through the account's endpoints, newest first.
func (m *Manager) ListEndpoints(ctx context.Context, caller auth.Caller, page Page) (List[Endpoint], error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (List[Endpoint], error) {
		var wrong mistakes
		p := wrong.page(page)
		if err := wrong.err(); err != nil {
			return List[Endpoint]{}, err
		}
		views, next, err := m.db.ListEndpoints(ctx, caller.AccountID, p)
		if err != nil {
			return List[Endpoint]{}, err
		}
		list := List[Endpoint]{Next: next}
		for _, v := range views {
			if v.Headers, err = dispatch.OpenHeaders(m.box, v.Endpoint); err != nil {
				return List[Endpoint]{}, err
			}
			list.Rows = append(list.Rows, Endpoint{EndpointView: v})
		}
		return list, m.addHealth(ctx, caller.AccountID, list.Rows)
	})
}

// maxNames bounds the endpoints whose names one call gives.
const maxNames = 1000

// EndpointNames gives what an account's endpoints are called, newest first, at most 1000.
func (m *Manager) EndpointNames(ctx context.Context, caller auth.Caller, _ struct{}) ([]store.EndpointName, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) ([]store.EndpointName, error) {
		return m.db.EndpointNames(ctx, caller.AccountID, maxNames)
	})
}

// DeleteEndpoint deletes an endpoint and discards what waits for it or is held; a
// dry run only counts that. Its log stays until retention.
func (m *Manager) DeleteEndpoint(ctx context.Context, caller auth.Caller, in DeleteEndpoint) (DeletedEndpoint, error) {
	if in.DryRun {
		return m.wouldDelete(ctx, caller, in.ID)
	}
	return change(ctx, m, caller, auth.Manage, "endpoint.delete", func(ctx context.Context) (DeletedEndpoint, deed, error) {
		if err := known(in.ID); err != nil {
			return DeletedEndpoint{}, deed{}, err
		}
		n, err := m.db.DeleteEndpoint(ctx, caller.AccountID, in.ID, now())
		if err != nil {
			return DeletedEndpoint{}, deed{}, err
		}
		return DeletedEndpoint{Discarded: n}, endpointDeed(caller, in.ID, counted(n, "delivery", "deliveries")+" discarded"), nil
	})
}

// wouldDelete counts what deleting an endpoint would give up.
func (m *Manager) wouldDelete(ctx context.Context, caller auth.Caller, id string) (DeletedEndpoint, error) {
	return look(ctx, caller, auth.Manage, func(ctx context.Context) (DeletedEndpoint, error) {
		if _, err := m.stored(ctx, caller.AccountID, id); err != nil {
			return DeletedEndpoint{}, err
		}
		n, err := m.count(ctx, caller.AccountID, store.DeliveryFilter{
			EndpointID: id,
			Statuses:   []delivery.Status{delivery.Pending, delivery.Retrying, delivery.Held},
		})
		return DeletedEndpoint{Discarded: n, DryRun: true}, err
	})
}

// endpoint reads one with everything that is shown about it.
func (m *Manager) endpoint(ctx context.Context, accountID, id string) (Endpoint, error) {
	view, err := m.stored(ctx, accountID, id)
	if err != nil {
		return Endpoint{}, err
	}
	secrets, err := m.secrets(ctx, accountID, id)
	if err != nil {
		return Endpoint{}, err
	}
	one := []Endpoint{{EndpointView: view, Secrets: secrets}}
	err = m.addHealth(ctx, accountID, one)
	return one[0], err
}

// stored reads the row of an endpoint.
func (m *Manager) stored(ctx context.Context, accountID, id string) (store.EndpointView, error) {
	if err := known(id); err != nil {
		return store.EndpointView{}, err
	}
	view, err := m.db.Endpoint(ctx, accountID, id)
	if err != nil {
		return view, err
	}
	view.Headers, err = dispatch.OpenHeaders(m.box, view.Endpoint)
	return view, err
}

// count counts deliveries.
func (m *Manager) count(ctx context.Context, accountID string, f store.DeliveryFilter) (int, error) {
	return m.db.CountDeliveries(ctx, accountID, f)
}

// endpointDeed is a deed done to an endpoint; every node is told to read it again.
func endpointDeed(caller auth.Caller, id, detail string) deed {
	return deed{
		object: id,
		detail: detail,
		notes:  []store.Note{{Kind: store.EndpointChanged, AccountID: caller.AccountID, ID: id}},
	}
}
