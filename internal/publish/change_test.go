package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// What a Publisher remembers of an account is changed by somebody else, perhaps
// on another node, between two calls. The next call must act on what is on disk.
func TestAChangeBetweenTwoCallsIsNoticed(t *testing.T) {
	t.Parallel()
	const typeName = "invoice.paid"
	strict := json.RawMessage(`{"type":"object","required":["amount"]}`)
	bare := publish.Input{Type: typeName, Data: json.RawMessage(`{}`)}
	setSchema := func(schema json.RawMessage) func(w *world) {
		return func(w *world) {
			_, err := w.db.UpdateType(w.t.Context(), store.DefaultAccount, typeName, func(e *store.EventType) error {
				e.Schema = schema
				return nil
			})
			w.must(err)
		}
	}
	setState := func(to delivery.State) func(w *world) {
		return func(w *world) {
			_, err := w.db.SetState(w.t.Context(), store.DefaultAccount, "ep_1", to, delivery.ByHand, moment())
			w.must(err)
		}
	}
	tests := []struct {
		name   string
		before func(w *world) // beside endpoint ep_1, which wants everything
		change func(w *world)
		in     publish.Input
		want   map[string]delivery.Status // by endpoint; nil = refused
	}{
		{
			name:   "a type was registered",
			change: func(w *world) { w.eventType(typeName, "") },
			in:     bare,
			want:   map[string]delivery.Status{"ep_1": delivery.Sending},
		},
		{
			name:   "a type was deleted",
			before: func(w *world) { w.eventType(typeName, "") },
			change: func(w *world) { w.must(w.db.DeleteType(w.t.Context(), store.DefaultAccount, typeName)) },
			in:     bare,
		},
		{
			name:   "a schema was made strict",
			before: func(w *world) { w.eventType(typeName, "") },
			change: setSchema(strict),
			in:     bare,
		},
		{
			name:   "a schema was made lax",
			before: func(w *world) { w.eventType(typeName, string(strict)) },
			change: setSchema(nil),
			in:     bare,
			want:   map[string]delivery.Status{"ep_1": delivery.Sending},
		},
		{
			name:   "an endpoint was added",
			change: func(w *world) { w.endpoint("ep_2", "domain.*") },
			in:     added("example.com"),
			want:   map[string]delivery.Status{"ep_1": delivery.Sending, "ep_2": delivery.Sending},
		},
		{
			name: "an endpoint was deleted",
			change: func(w *world) {
				_, err := w.db.DeleteEndpoint(w.t.Context(), store.DefaultAccount, "ep_1", moment())
				w.must(err)
			},
			in:   added("example.com"),
			want: map[string]delivery.Status{},
		},
		{
			name: "an endpoint wants something else",
			change: func(w *world) {
				_, err := w.db.UpdateEndpoint(w.t.Context(), store.DefaultAccount, "ep_1", func(e *delivery.Endpoint) error {
					e.Events = []string{"scan.completed"}
					return nil
				})
				w.must(err)
			},
			in:   added("example.com"),
			want: map[string]delivery.Status{},
		},
		{
			name:   "an endpoint was disabled",
			change: setState(delivery.Disabled),
			in:     added("example.com"),
			want:   map[string]delivery.Status{"ep_1": delivery.Held},
		},
		{
			name:   "an endpoint was enabled",
			before: setState(delivery.Disabled),
			change: setState(delivery.Enabled),
			in:     added("example.com"),
			want:   map[string]delivery.Status{"ep_1": delivery.Sending},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.endpoint("ep_1", "*")
			if tt.before != nil {
				tt.before(w)
			}
			first := w.publish(added("first.example"))[0]
			tt.change(w)
			done, err := w.Publish(t.Context(), store.DefaultAccount, []publish.Input{tt.in})
			if tt.want == nil {
				if bad := (*publish.Invalid)(nil); !errors.As(err, &bad) {
					t.Errorf("got %+v, %v; want it refused as invalid", done, err)
				}
				return
			}
			w.must(err)
			got := map[string]delivery.Status{}
			for _, d := range w.deliveries() {
				if d.EventID != first.EventID {
					got[d.EndpointID] = d.Status
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			if len(done[0].Deliveries) != len(tt.want) {
				t.Errorf("the answer names %d deliveries, want %d", len(done[0].Deliveries), len(tt.want))
			}
		})
	}
}

// counted counts what a Publisher asks of the store.
type counted struct {
	store.Publisher
	subscriptions, publishes int
	stale                    int   // answers of ErrStale left to give
	fail                     error // of every Publish
}

func (c *counted) Subscriptions(ctx context.Context, accountID string) (store.Subscriptions, error) {
	c.subscriptions++
	return c.Publisher.Subscriptions(ctx, accountID)
}

func (c *counted) Publish(ctx context.Context, b *store.Batch) ([]store.Published, error) {
	c.publishes++
	if c.stale > 0 {
		c.stale--
		return nil, store.ErrStale
	}
	if c.fail != nil {
		return nil, c.fail
	}
	return c.Publisher.Publish(ctx, b)
}

func newCountedWorld(t *testing.T) (*world, *counted) {
	t.Helper()
	c := &counted{}
	w := newWorld(t, func(db store.Publisher) store.Publisher {
		c.Publisher = db
		return c
	})
	w.endpoint("ep_1", "*")
	return w, c
}

func TestAnAccountIsReadOnceWhileNothingChanges(t *testing.T) {
	t.Parallel()
	w, c := newCountedWorld(t)
	for range 10 {
		w.publish(added("example.com"))
	}
	if c.subscriptions != 1 || c.publishes != 10 {
		t.Errorf("subscriptions read %d times for %d commits, want once for 10", c.subscriptions, c.publishes)
	}
	w.refused(publish.Input{Type: "domain.added", Data: json.RawMessage(`{}`)})
	if c.subscriptions != 2 {
		t.Errorf("read %d times, want a second time before a remembered account refuses", c.subscriptions)
	}
}

func TestAStaleMatchIsMadeAgainAndItsReservationsAreReleased(t *testing.T) {
	t.Parallel()
	w, c := newCountedWorld(t)
	c.stale = 3
	w.publish(added("a.example"), added("b.example"))
	if c.publishes != 4 || c.subscriptions != 4 {
		t.Errorf("%d commits, subscriptions read %d times; want 4 and 4", c.publishes, c.subscriptions)
	}
	if reserved, handed, released := w.lanes.count(); reserved != 8 || handed != 2 || released != 6 {
		t.Errorf("%d reserved, %d handed over, %d released; want 8, 2 and 6", reserved, handed, released)
	}
	if n := len(w.events()); n != 2 {
		t.Errorf("%d events on disk, want 2", n)
	}
}

func TestSubscriptionsThatNeverHoldStillAreGivenUp(t *testing.T) {
	t.Parallel()
	w, c := newCountedWorld(t)
	c.stale = 1_000_000
	_, err := w.Publish(t.Context(), store.DefaultAccount, []publish.Input{added("example.com")})
	if !errors.Is(err, publish.ErrBusy) {
		t.Errorf("got error %v, want ErrBusy", err)
	}
	if c.publishes < 2 || c.publishes > 100 {
		t.Errorf("tried %d times, want a few", c.publishes)
	}
	if reserved, handed, released := w.lanes.count(); reserved != released || handed != 0 {
		t.Errorf("%d reserved, %d handed over, %d released", reserved, handed, released)
	}
}

func TestACommitThatFailsReleasesAndIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{store.ErrFull, store.ErrUnavailable, store.ErrClosed, errors.New("anything else")} {
		w, c := newCountedWorld(t)
		c.fail = cause
		_, err := w.Publish(t.Context(), store.DefaultAccount, []publish.Input{added("a.example"), added("b.example")})
		if !errors.Is(err, cause) || c.publishes != 1 {
			t.Errorf("got error %v after %d commits, want %v after one", err, c.publishes, cause)
		}
		if reserved, handed, released := w.lanes.count(); reserved != 2 || handed != 0 || released != 2 {
			t.Errorf("%v: %d reserved, %d handed over, %d released; want 2, 0 and 2", cause, reserved, handed, released)
		}
		if len(w.observed) != 0 {
			t.Errorf("%v: observed %d events that were not accepted", cause, len(w.observed))
		}
		c.fail = nil
		w.publish(added("a.example"))
	}
}
