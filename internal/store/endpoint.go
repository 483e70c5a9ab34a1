package store

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// Endpoints keeps endpoints and their secrets.
type Endpoints interface {
	// CreateEndpoint adds e with its first secret. ErrLimit when the account has
	// `most` endpoints.
	CreateEndpoint(ctx context.Context, e delivery.Endpoint, secret Secret, most int) error
	// Endpoint reads one; deleted ones are ErrNotFound.
	Endpoint(ctx context.Context, accountID, id string) (EndpointView, error)
	// ListEndpoints pages through an account's endpoints, newest first. Their counts go up to ListCountLimit.
	ListEndpoints(ctx context.Context, accountID string, page Page) ([]EndpointView, string, error)
	// EndpointNames gives what an account's endpoints are called, newest first, and no more than that:
	// lists of other things need it.
	EndpointNames(ctx context.Context, accountID string, limit int) ([]EndpointName, error)
	// ListStopped gives those that outcomes disabled and nobody has enabled since, the latest first.
	ListStopped(ctx context.Context, accountID string, limit int) ([]delivery.Endpoint, error)
	// UpdateEndpoint reads, changes and writes one in a transaction; an error of
	// change is returned as it is and nothing is written. Id, account, state and
	// health are not changed by it.
	UpdateEndpoint(ctx context.Context, accountID, id string, change func(*delivery.Endpoint) error) (delivery.Endpoint, error)
	// SetState disables or enables an endpoint. Disabling holds what waits for it (a
	// batch at once, the rest by Settle); enabling clears its health. To the
	// state it has already: nothing changes, changed is false.
	SetState(ctx context.Context, accountID, id string, state delivery.State, reason delivery.Reason, now time.Time) (changed bool, err error)
	// DeleteEndpoint marks an endpoint deleted; what waits for it or is held is
	// discarded (a batch at once, the rest by Settle). It answers how many are
	// given up in all. Its log stays until retention.
	DeleteEndpoint(ctx context.Context, accountID, id string, now time.Time) (int, error)

	// Secrets reads an endpoint's secrets, oldest first, ended ones left out.
	Secrets(ctx context.Context, accountID, endpointID string, now time.Time) ([]Secret, error)
	// UpdateSecrets reads all live secrets, oldest first, and replaces them by
	// what change returns, in a transaction.
	UpdateSecrets(ctx context.Context, accountID, endpointID string, now time.Time, change func([]Secret) ([]Secret, error)) error
}

// EndpointName is what people know an endpoint by.
type EndpointName struct {
	ID          string
	URL         string
	Description string
}

// Label is what people call it.
func (e EndpointName) Label() string {
	if e.Description != "" {
		return e.Description
	}
	return e.URL
}

// EndpointView is an endpoint with what is counted about it.
type EndpointView struct {
	delivery.Endpoint
	Waiting int       // deliveries pending, retrying or sending, counted up to CountLimit, as all of these
	Held    int       // deliveries held
	Failed  int       // deliveries in the dead letter queue
	NextDue time.Time // of what is pending or retrying; zero when nothing is, though something may be being sent
}

// CountLimit bounds the counts of a view: beyond it a count says "this many or
// more", so that reading an endpoint costs the same however long its backlog is.
const CountLimit = 10_000

// ListCountLimit bounds those of each endpoint of a list, which has many.
const ListCountLimit = 1000

// Role is what a secret is used for (contract section 1, rotation).
type Role string

// The roles of a secret.
const (
	Current Role = "current" // signs the seed's header and webhook-signature
	Next    Role = "next"    // prepared: signs webhook-signature only
	Old     Role = "old"     // replaced: signs webhook-signature until its end
)

// Secret is an endpoint's signing secret as it is kept: sealed.
type Secret struct {
	ID          string
	EndpointID  string
	Role        Role
	Sealed      []byte
	Fingerprint string // first 12 hex characters of its SHA-256
	CreatedAt   time.Time
	ExpiresAt   time.Time // end of an Old secret's overlap; zero = none
}

// Page asks for a page of a list: Limit rows after Cursor, which is the text that
// the page before answered ("" = from the start, and "" answered = no more).
type Page struct {
	Limit  int
	Cursor string
}
