package manage

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// ErrChanged means that somebody else changed what one was about to change.
var ErrChanged = store.Conflictf("somebody else changed this since you read it; read it again")

// UpdateEndpoint changes what is not nil.
type UpdateEndpoint struct {
	ID          string
	URL         *string
	Events      *[]string
	Description *string
	Headers     *[]delivery.Header
	RateLimit   *int
	Concurrency *int
	// Seen is UpdatedAt as whoever changes it saw it; if it was changed since, nothing is, and the error is
	// ErrChanged. Zero = whatever it is by now.
	Seen    time.Time
	Enabled *bool // as DisableEndpoint, or EnableEndpoint with its defaults
}

// UpdateEndpoint changes settings and, with Enabled, the state. All that was sent is
// checked before anything is changed.
func (m *Manager) UpdateEndpoint(ctx context.Context, caller auth.Caller, in UpdateEndpoint) (Endpoint, error) {
	return change(ctx, m, caller, auth.Manage, "endpoint.update", func(ctx context.Context) (Endpoint, deed, error) {
		if _, err := m.stored(ctx, caller.AccountID, in.ID); err != nil {
			return Endpoint{}, deed{}, err
		}
		if err := m.checkSettings(ctx, caller.AccountID, &in); err != nil {
			return Endpoint{}, deed{}, err
		}
		settings, err := m.saveSettings(ctx, caller.AccountID, in)
		if err != nil {
			return Endpoint{}, deed{}, err
		}
		state, err := m.saveState(ctx, caller.AccountID, in)
		did := stateDeed(caller, in.ID, joined(settings, state))
		if err != nil {
			return Endpoint{}, did, err
		}
		e, err := m.endpoint(ctx, caller.AccountID, in.ID)
		return e, did, err
	})
}

// saveSettings writes the settings and says what changed.
func (m *Manager) saveSettings(ctx context.Context, accountID string, in UpdateEndpoint) (changes string, err error) {
	if in.onlyState() {
		return "", nil
	}
	_, err = m.db.UpdateEndpoint(ctx, accountID, in.ID, func(e *delivery.Endpoint) (err error) {
		if !in.Seen.IsZero() && !in.Seen.Equal(e.UpdatedAt) {
			return ErrChanged
		}
		if e.Headers, err = dispatch.OpenHeaders(m.box, *e); err != nil {
			return err
		}
		if changes = in.apply(e); changes != "" {
			e.UpdatedAt = now()
		}
		e.Headers = dispatch.SealHeaders(m.box, e.AccountID, e.ID, e.Headers)
		return nil
	})
	if err != nil {
		return "", err
	}
	return changes, nil
}

// saveState disables or enables as asked and says what changed.
func (m *Manager) saveState(ctx context.Context, accountID string, in UpdateEndpoint) (changes string, err error) {
	if in.Enabled == nil {
		return "", nil
	}
	if !*in.Enabled {
		return m.disable(ctx, accountID, in.ID, "")
	}
	_, changes, err = m.enable(ctx, accountID, EnableEndpoint{ID: in.ID, Held: SendHeld, PerSecond: DefaultPerSecond})
	return changes, err
}

// onlyState reports whether no setting is to be changed.
func (in UpdateEndpoint) onlyState() bool {
	return in.URL == nil && in.Events == nil && in.Description == nil && in.Headers == nil && in.RateLimit == nil && in.Concurrency == nil
}

// joined joins what is not empty.
func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}
