package manage

import (
	"context"
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// DisableEndpoint stops an endpoint; what is for it is held.
type DisableEndpoint struct {
	ID     string
	Reason string // for the audit only, at most 500 characters; may be ""
}

// HeldChoice says what is to happen to the deliveries held for an endpoint that is enabled.
type HeldChoice string

// The choices (contract section 2).
const (
	SendHeld   HeldChoice = "send"   // all of them go on, oldest first, paced
	NewestHeld HeldChoice = "newest" // only the newest goes on; the others stay held
	KeepHeld   HeldChoice = "keep"   // they stay held until retried, discarded or too old
)

// EnableEndpoint lets an endpoint receive again. Of an endpoint that is enabled
// already it only lets go what is still held.
type EnableEndpoint struct {
	ID        string
	Held      HeldChoice // "" = SendHeld
	PerSecond int        // 1 to MaxPerSecond; 0 = DefaultPerSecond
}

// EnabledEndpoint is an endpoint that receives again.
type EnabledEndpoint struct {
	Endpoint Endpoint
	Held     int        // deliveries that were held for it
	Job      *store.Job // lets them go; nil when nothing is let go
}

// DisableEndpoint stops an endpoint: nothing is sent to it and what is for it is
// held. One that is disabled already stays as it is, with its first reason.
func (m *Manager) DisableEndpoint(ctx context.Context, caller auth.Caller, in DisableEndpoint) (Endpoint, error) {
	return change(ctx, m, caller, auth.Manage, "endpoint.disable", func(ctx context.Context) (Endpoint, deed, error) {
		var wrong mistakes
		wrong.text("reason", in.Reason, 0, maxText)
		if err := wrong.err(); err != nil {
			return Endpoint{}, deed{}, err
		}
		changes, err := m.disable(ctx, caller.AccountID, in.ID, in.Reason)
		if err != nil {
			return Endpoint{}, deed{}, err
		}
		e, err := m.endpoint(ctx, caller.AccountID, in.ID)
		return e, stateDeed(caller, in.ID, changes), err
	})
}

// EnableEndpoint lets an endpoint receive again, with its count of failures at 0,
// and lets go what is held for it as chosen.
func (m *Manager) EnableEndpoint(ctx context.Context, caller auth.Caller, in EnableEndpoint) (EnabledEndpoint, error) {
	return change(ctx, m, caller, auth.Manage, "endpoint.enable", func(ctx context.Context) (EnabledEndpoint, deed, error) {
		var wrong mistakes
		wrong.held(&in.Held)
		wrong.pace(&in.PerSecond)
		if err := wrong.err(); err != nil {
			return EnabledEndpoint{}, deed{}, err
		}
		out, changes, err := m.enable(ctx, caller.AccountID, in)
		did := stateDeed(caller, in.ID, changes)
		if err != nil {
			return EnabledEndpoint{}, did, err
		}
		out.Endpoint, err = m.endpoint(ctx, caller.AccountID, in.ID)
		return out, did, err
	})
}

// held checks the choice and puts in the default.
func (m *mistakes) held(choice *HeldChoice) {
	switch *choice {
	case SendHeld, NewestHeld, KeepHeld:
	case "":
		*choice = SendHeld
	default:
		m.add("held", "must be send, newest or keep")
	}
}

// pace checks the deliveries per second of a bulk change and puts in the default.
func (m *mistakes) pace(perSecond *int) {
	if *perSecond == 0 {
		*perSecond = DefaultPerSecond
	}
	m.between("per_second", *perSecond, 1, MaxPerSecond, fmt.Sprintf("leave it out for %d", DefaultPerSecond))
}

// disable stops an endpoint and says what changed; "" when it was disabled already.
func (m *Manager) disable(ctx context.Context, accountID, id, reason string) (changes string, err error) {
	changed, err := m.setState(ctx, accountID, id, delivery.Disabled, delivery.ByHand)
	if err != nil || !changed {
		return "", err
	}
	if reason != "" {
		return fmt.Sprintf("enabled → disabled: %s", reason), nil
	}
	return "enabled → disabled", nil
}

// enable counts what is held, starts the endpoint and then makes the job that lets it go: a
// job made before would find it disabled and pass everything over. If the program stops between the
// two, enabling once more makes the job. A count that takes too long leaves the endpoint as it is.
func (m *Manager) enable(ctx context.Context, accountID string, in EnableEndpoint) (out EnabledEndpoint, changes string, err error) {
	if err := known(in.ID); err != nil {
		return out, "", err
	}
	held := store.DeliveryFilter{EndpointID: in.ID, Statuses: []delivery.Status{delivery.Held}}
	if out.Held, err = m.count(ctx, accountID, held); err != nil {
		return out, "", err
	}
	changed, err := m.setState(ctx, accountID, in.ID, delivery.Enabled, delivery.NotDisabled)
	if err != nil {
		return out, "", err
	}
	if changed {
		changes = "disabled → enabled"
	}
	if out.Job, err = m.release(ctx, accountID, held, out.Held, in); err != nil {
		return out, changes, err
	}
	if out.Job != nil {
		out.Held = max(out.Held, out.Job.Total)
		changes = joined(changes, fmt.Sprintf("held %s: %d of %d in job %s", in.Held, out.Job.Total, out.Held, out.Job.ID))
	}
	return out, changes, nil
}

// release makes the job that lets go what is held, n when it was counted, or nil when nothing is to go.
func (m *Manager) release(ctx context.Context, accountID string, held store.DeliveryFilter, n int, in EnableEndpoint) (*store.Job, error) {
	if in.Held == KeepHeld {
		return nil, nil
	}
	newest, _, err := m.db.ListDeliveries(ctx, accountID, held, store.Page{Limit: 1})
	if err != nil || len(newest) == 0 {
		return nil, err
	}
	n = max(n, 1) // the first may have come after the count, and before the endpoint was started
	if in.Held == NewestHeld {
		// An event has one delivery to an endpoint, so this names exactly one.
		held.EventID, n = newest[0].EventID, 1
	}
	return m.newJob(ctx, store.Job{AccountID: accountID, Kind: store.JobRelease, Filter: held, PerSecond: in.PerSecond, Total: n})
}

// setState changes the state of an endpoint.
func (m *Manager) setState(ctx context.Context, accountID, id string, state delivery.State, reason delivery.Reason) (changed bool, err error) {
	if err := known(id); err != nil {
		return false, err
	}
	at, err := m.clock(ctx)
	if err != nil {
		return false, err
	}
	return m.db.SetState(ctx, accountID, id, state, reason, at)
}

// stateDeed is the deed of a change of state; "" is none.
func stateDeed(caller auth.Caller, id, changes string) deed {
	if changes == "" {
		return deed{}
	}
	did := endpointDeed(caller, id, changes)
	did.notes = append(did.notes, jobNote(caller.AccountID)) // enabling may have made one
	return did
}

// Stopped is an endpoint that outcomes disabled, as a warning about it needs it.
type Stopped struct {
	ID          string
	URL         string
	Description string
	Reason      delivery.Reason
	At          time.Time
}

// MaxStopped bounds the endpoints that are warned of at once: where there are so many, there may be more.
const MaxStopped = 20

// Stopped gives the endpoints that outcomes disabled and nobody has enabled since, the latest first, at most 20.
func (m *Manager) Stopped(ctx context.Context, caller auth.Caller, _ struct{}) ([]Stopped, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) ([]Stopped, error) {
		found, err := m.db.ListStopped(ctx, caller.AccountID, MaxStopped)
		if err != nil {
			return nil, err
		}
		var all []Stopped
		for _, e := range found {
			all = append(all, Stopped{ID: e.ID, URL: e.URL, Description: e.Description, Reason: e.DisabledReason, At: e.DisabledAt})
		}
		return all, nil
	})
}
