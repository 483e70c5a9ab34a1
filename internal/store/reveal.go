package store

import (
	"context"
	"time"
)

// Reveals keeps what a page of the dashboard is to show once, between the request that made it and the one that shows it: they may
// reach different nodes.
type Reveals interface {
	KeepReveal(ctx context.Context, r Reveal) error
	// TakeReveal gives one to its session and removes it: of several who ask at once, one gets it. ErrNotFound when
	// it was taken, is over, or is another session's.
	TakeReveal(ctx context.Context, accountID, sessionID, id string, now time.Time) (Reveal, error)
	// DeleteReveals removes at most limit that are over: what nobody came for must not stay.
	DeleteReveals(ctx context.Context, now time.Time, limit int) (int, error)
}

// Reveal is something that is to be shown once.
type Reveal struct {
	ID        string // rev_...
	AccountID string
	SessionID string
	Sealed    []byte
	ExpiresAt time.Time
}
