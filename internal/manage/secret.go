package manage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// Secret is a secret as it may be shown.
type Secret struct {
	ID          string
	Role        store.Role
	Fingerprint string // first 12 hex characters of its SHA-256
	CreatedAt   time.Time
	ExpiresAt   time.Time // end of an old one's overlap; zero = none
}

// NewSecret is a secret that was just made.
type NewSecret struct {
	Secret
	Text string // whsec_...; shown here and never again
}

// PromoteSecret makes the prepared secret the current one.
type PromoteSecret struct {
	EndpointID string
	Overlap    *time.Duration // how long the old one goes on signing, 0 to MaxOverlap; nil = DefaultOverlap
}

// RotateSecret is prepare and promote in one step.
type RotateSecret struct {
	EndpointID string
	Overlap    *time.Duration // as in PromoteSecret; 0 = compromised, replace now
}

// Secrets lists an endpoint's live secrets, the one in use first.
func (m *Manager) Secrets(ctx context.Context, caller auth.Caller, endpointID string) ([]Secret, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) ([]Secret, error) {
		return m.secrets(ctx, caller.AccountID, endpointID)
	})
}

// PrepareSecret makes the next secret and shows it, once; one that was prepared
// before is replaced. From now on webhook-signature lists both.
func (m *Manager) PrepareSecret(ctx context.Context, caller auth.Caller, endpointID string) (NewSecret, error) {
	return change(ctx, m, caller, auth.Manage, "secret.prepare", func(ctx context.Context) (NewSecret, deed, error) {
		text, next := m.newSecret(caller.AccountID, endpointID, store.Next, now())
		_, err := m.updateSecrets(ctx, caller.AccountID, endpointID, func(secrets []store.Secret, _ time.Time) ([]store.Secret, error) {
			return prepare(secrets, next), nil
		})
		if err != nil {
			return NewSecret{}, deed{}, err
		}
		return NewSecret{Secret: shownSecret(next), Text: text}, endpointDeed(caller, endpointID, "next secret "+next.Fingerprint), nil
	})
}

// PromoteSecret makes the prepared secret the current one; without one it is a
// *store.Conflict. The one before goes on signing until the overlap ends.
func (m *Manager) PromoteSecret(ctx context.Context, caller auth.Caller, in PromoteSecret) (Secret, error) {
	return change(ctx, m, caller, auth.Manage, "secret.promote", func(ctx context.Context) (Secret, deed, error) {
		overlap, err := checkOverlap(in.Overlap)
		if err != nil {
			return Secret{}, deed{}, err
		}
		after, err := m.updateSecrets(ctx, caller.AccountID, in.EndpointID, func(secrets []store.Secret, at time.Time) ([]store.Secret, error) {
			return promote(secrets, at, overlap)
		})
		if err != nil {
			return Secret{}, deed{}, err
		}
		current, _ := withRole(after, store.Current)
		return shownSecret(current), endpointDeed(caller, in.EndpointID, currentDetail(current, overlap)), nil
	})
}

// RotateSecret makes a new secret, shows it, once, and makes it the current one.
func (m *Manager) RotateSecret(ctx context.Context, caller auth.Caller, in RotateSecret) (NewSecret, error) {
	return change(ctx, m, caller, auth.Manage, "secret.rotate", func(ctx context.Context) (NewSecret, deed, error) {
		overlap, err := checkOverlap(in.Overlap)
		if err != nil {
			return NewSecret{}, deed{}, err
		}
		text, next := m.newSecret(caller.AccountID, in.EndpointID, store.Next, now())
		after, err := m.updateSecrets(ctx, caller.AccountID, in.EndpointID, func(secrets []store.Secret, at time.Time) ([]store.Secret, error) {
			return promote(prepare(secrets, next), at, overlap)
		})
		if err != nil {
			return NewSecret{}, deed{}, err
		}
		current, _ := withRole(after, store.Current)
		return NewSecret{Secret: shownSecret(current), Text: text}, endpointDeed(caller, in.EndpointID, currentDetail(current, overlap)), nil
	})
}

// checkOverlap checks an overlap and puts in the default.
func checkOverlap(overlap *time.Duration) (time.Duration, error) {
	if overlap == nil {
		return DefaultOverlap, nil
	}
	var wrong mistakes
	if *overlap < 0 || *overlap > MaxOverlap {
		wrong.add("overlap", "must be between 0s (the old secret is removed at once) and %dd", MaxOverlap/(24*time.Hour))
	}
	return *overlap, wrong.err()
}

// currentDetail is the audit's line of a change of the current secret.
func currentDetail(current store.Secret, overlap time.Duration) string {
	return fmt.Sprintf("current secret → %s; overlap %s", current.Fingerprint, overlap)
}

// updateSecrets applies a rule to an endpoint's secrets and answers what it gave.
func (m *Manager) updateSecrets(ctx context.Context, accountID, endpointID string, rule func([]store.Secret, time.Time) ([]store.Secret, error)) (after []store.Secret, err error) {
	if err := known(endpointID); err != nil {
		return nil, err
	}
	at, err := m.clock(ctx) // by which the overlap ends where requests are signed
	if err != nil {
		return nil, err
	}
	err = m.db.UpdateSecrets(ctx, accountID, endpointID, at, func(secrets []store.Secret) ([]store.Secret, error) {
		after, err = rule(secrets, at)
		return after, err
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

// newSecret makes a secret: its text and its sealed row.
func (m *Manager) newSecret(accountID, endpointID string, role store.Role, at time.Time) (text string, row store.Secret) {
	secret := webhook.NewSecret()
	id := newID("sec_")
	return secret.Reveal(), store.Secret{
		ID:          id,
		EndpointID:  endpointID,
		Role:        role,
		Sealed:      m.box.Seal(dispatch.SecretPurpose, accountID, id, []byte(secret.Reveal())),
		Fingerprint: secret.Fingerprint(),
		CreatedAt:   at,
	}
}

// secrets reads an endpoint's live secrets as they may be shown.
func (m *Manager) secrets(ctx context.Context, accountID, endpointID string) ([]Secret, error) {
	rows, err := m.live(ctx, accountID, endpointID)
	if err != nil {
		return nil, err
	}
	shown := make([]Secret, len(rows))
	for i, row := range rows {
		shown[i] = shownSecret(row)
	}
	return shown, nil
}

// live reads an endpoint's live secrets, the one in use first.
func (m *Manager) live(ctx context.Context, accountID, endpointID string) ([]store.Secret, error) {
	if err := known(endpointID); err != nil {
		return nil, err
	}
	at, err := m.clock(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := m.db.Secrets(ctx, accountID, endpointID, at)
	slices.SortStableFunc(rows, byUse)
	return rows, err
}

// shownSecret leaves out the sealed text.
func shownSecret(row store.Secret) Secret {
	return Secret{ID: row.ID, Role: row.Role, Fingerprint: row.Fingerprint, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt}
}
