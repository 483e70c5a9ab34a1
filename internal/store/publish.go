package store

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// Publisher commits events with their deliveries.
type Publisher interface {
	// Subscriptions reads what publishing in an account needs to know. The
	// revision moves with every change of an endpoint, its state included, and of
	// an event type.
	Subscriptions(ctx context.Context, accountID string) (Subscriptions, error)

	// Publish commits all events of the batch with all their deliveries in one
	// transaction, or nothing. Concurrent calls share transactions. It numbers
	// the deliveries, in place, and answers in the order of the batch.
	//
	// An event whose id or key is known with the same hash is answered with the
	// first acceptance and Replayed; with another hash the answer is a *Conflict
	// that names the item. ErrStale when Batch.Revision has passed.
	Publish(ctx context.Context, batch *Batch) ([]Published, error)
}

// Subscriptions is an account as publishing sees it.
type Subscriptions struct {
	AccountID string
	Revision  int64
	Endpoints []Subscription
	Types     []EventType // the account's own
}

// Subscription is one endpoint as publishing sees it. Deleted ones are left out.
type Subscription struct {
	EndpointID string
	Events     []string
	State      delivery.State
}

// Batch is what one call publishes.
type Batch struct {
	AccountID string
	Revision  int64 // of the Subscriptions that the deliveries were matched with; 0 = not matched, do not check
	Events    []NewEvent
}

// NewEvent is an event to accept, its bytes made.
type NewEvent struct {
	ID         string // a UUID in lower case
	Type       string
	CreatedAt  time.Time // milliseconds
	Body       []byte    // the exact bytes of every attempt
	Hash       [32]byte  // of what the publisher sent; equal hashes are the same content
	Key        string    // Idempotency-Key; "" = none
	Deliveries []NewDelivery
}

// NewDelivery is an event's delivery to one endpoint. Written as Sending it is
// claimed by the very commit that accepts it: Token, Until and Node must be set
// and its attempt number is 1.
type NewDelivery struct {
	ID         delivery.ID // set by Publish
	EndpointID string
	Status     delivery.Status // Pending, Sending or Held
	Cycle      delivery.Cycle
	Token      int64
	Until      time.Time
	Node       string
}

// Published is the answer to one accepted event.
type Published struct {
	EventID    string
	Type       string
	CreatedAt  time.Time
	Replayed   bool
	Deliveries []DeliveryRef
}

// DeliveryRef names a delivery and where it goes.
type DeliveryRef struct {
	ID         delivery.ID
	EndpointID string
}
