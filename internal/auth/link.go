package auth

import (
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Purpose says what a one-time link is good for.
type Purpose string

// The purposes.
const (
	Setup  Purpose = "setup"  // the first visit to an empty installation
	Portal Purpose = "portal" // into one account's dashboard
)

// NewLink makes a one-time link that ends ttl after now: the token, which is shown
// once and kept nowhere, and the row to store.
func NewLink(purpose Purpose, accountID string, ttl time.Duration, now time.Time) (token string, link store.Link) {
	token = random(secretBytes)
	return token, store.Link{
		Hash:      Hash(token),
		AccountID: accountID,
		Purpose:   string(purpose),
		ExpiresAt: now.Add(ttl),
	}
}
