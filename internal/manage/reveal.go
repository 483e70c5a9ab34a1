package manage

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// revealFor is how long what was just made waits to be shown: a redirect takes a moment, and a bad line makes it a long one.
const revealFor = 5 * time.Minute

// revealPurpose binds what is sealed to its use; the row is that of the reveal.
const revealPurpose = "reveal"

// KeepReveal is something to be shown once, to the session that had it made.
type KeepReveal struct {
	SessionID string
	Content   []byte
}

// TakeReveal asks for it.
type TakeReveal struct {
	SessionID string
	ID        string
}

// KeepReveal keeps something to be shown once, sealed, and answers the id by which the page that shows it asks for it. It
// changes nothing of the account, so the audit has no row of it.
func (m *Manager) KeepReveal(ctx context.Context, caller auth.Caller, in KeepReveal) (id string, err error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (string, error) {
		at, err := m.clock(ctx)
		if err != nil {
			return "", err
		}
		id := newID("rev_")
		r := store.Reveal{ID: id, AccountID: caller.AccountID, SessionID: in.SessionID, ExpiresAt: at.Add(revealFor)}
		r.Sealed = m.box.Seal(revealPurpose, caller.AccountID, id, in.Content)
		return id, m.db.KeepReveal(ctx, r)
	})
}

// TakeReveal gives what was kept, once. store.ErrNotFound when it was given already, or five minutes ago, or to another session.
func (m *Manager) TakeReveal(ctx context.Context, caller auth.Caller, in TakeReveal) (content []byte, err error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) ([]byte, error) {
		if err := known(in.ID); err != nil {
			return nil, err
		}
		at, err := m.clock(ctx)
		if err != nil {
			return nil, err
		}
		r, err := m.db.TakeReveal(ctx, caller.AccountID, in.SessionID, in.ID, at)
		if err != nil {
			return nil, err
		}
		return m.box.Open(revealPurpose, caller.AccountID, in.ID, r.Sealed)
	})
}
