package vendortest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/receiver"
)

// Clock is set by hand.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock stands at now.
func NewClock() *Clock { return &Clock{now: time.Now()} }

// Read gives the time.
func (c *Clock) Read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Pass lets time pass.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Sink is an integration under test.
type Sink interface {
	Handle(ctx context.Context, event receiver.Event[json.RawMessage]) error
}

// Handle gives events to a sink, which must take them all.
func Handle(t *testing.T, sink Sink, events ...receiver.Event[json.RawMessage]) {
	t.Helper()
	for _, e := range events {
		if err := sink.Handle(t.Context(), e); err != nil {
			t.Fatalf("event %s: %v", e.ID, err)
		}
	}
}

// Again is the next try of an event, of which an earlier one may have had its effect.
func Again(e receiver.Event[json.RawMessage]) receiver.Event[json.RawMessage] {
	e.Try, e.Unsure = e.Try+1, true
	return e
}

// Failure gives the failure that an error must be.
func Failure(t *testing.T, err error) receiver.Failure {
	t.Helper()
	f, ok := errors.AsType[*receiver.Failure](err)
	if !ok {
		t.Fatalf("the error is %v (%T), want a receiver.Failure", err, err)
	}
	return *f
}

// Server is a vendor that counts what was posted of an event.
type Server interface {
	Count(eventID string) int
	Changed() <-chan struct{}
}

// UntilPosted gives a context that ends when an event has arrived, as if a client had
// waited long enough for the answer.
func UntilPosted(t *testing.T, server Server, eventID string) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for changed := server.Changed(); server.Count(eventID) == 0; changed = server.Changed() {
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx
}

// Through is a client of egress that reaches this machine.
func Through(t testing.TB) *http.Client {
	t.Helper()
	policy, err := egress.NewPolicy(egress.Config{Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := egress.NewClient(egress.ClientConfig{Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client.Plain(time.Minute, 2*MaxAnswer)
}

// MaxAnswer is what integrations read of an answer, in bytes.
const MaxAnswer = 1 << 20
