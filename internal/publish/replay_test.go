package publish_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const someID = "01890a5d-ac96-774b-bcce-b302099a8057"

func conflict(t *testing.T, err error) *store.Conflict {
	t.Helper()
	var c *store.Conflict
	if !errors.As(err, &c) {
		t.Fatalf("got error %v, want a *store.Conflict", err)
	}
	if c.Message == "" {
		t.Error("the conflict has no words")
	}
	return c
}

func TestTheSameEventAgainIsAnsweredWithTheFirst(t *testing.T) {
	t.Parallel()
	data := json.RawMessage(`{"domain":"example.com","note":1.0}`)
	tests := []struct {
		name         string
		first, again publish.Input
	}{
		{"by id", publish.Input{ID: someID, Data: data}, publish.Input{ID: someID, Data: data}},
		{"by id in capitals", publish.Input{ID: someID, Data: data}, publish.Input{ID: "01890A5D-AC96-774B-BCCE-B302099A8057", Data: data}},
		{"by key", publish.Input{Key: "k", Data: data}, publish.Input{Key: "k", Data: data}},
		{"by id and key", publish.Input{ID: someID, Key: "k", Data: data}, publish.Input{ID: someID, Key: "k", Data: data}},
		{"by id, with a key now", publish.Input{ID: someID, Data: data}, publish.Input{ID: someID, Key: "k", Data: data}},
		{"with other white space", publish.Input{ID: someID, Data: data}, publish.Input{ID: someID, Data: json.RawMessage(` { "domain" : "example.com", "note":1.0 }`)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.endpoint("ep_1", "*")
			tt.first.Type, tt.again.Type = "domain.added", "domain.added"
			first := w.publish(tt.first)[0]
			w.endpoint("ep_2", "*") // came too late for the event, whenever it is sent again
			again := w.publish(tt.again)[0]
			if first.Replayed || !again.Replayed {
				t.Errorf("replayed: first %t, again %t", first.Replayed, again.Replayed)
			}
			again.Replayed = false
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("second answer (-first +second):\n%s", diff)
			}
			if n := len(w.events()); n != 1 {
				t.Errorf("%d events on disk, want 1", n)
			}
			if reserved, handed, released := w.lanes.count(); reserved != 4 || handed != 1 || released != 3 {
				t.Errorf("%d reserved, %d handed over, %d released; want 4 (one was stale), 1 and 3", reserved, handed, released)
			}
			if diff := cmp.Diff([]string{first.EventID}, w.observed); diff != "" {
				t.Errorf("observed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnIDOrKeyOfAnotherEventIsAConflict(t *testing.T) {
	t.Parallel()
	const otherID = "01890a5d-ac96-774b-bcce-b302099a8058"
	data := json.RawMessage(`{"domain":"example.com","n":1}`)
	tests := []struct {
		name string
		in   publish.Input
	}{
		{"other data under the id", publish.Input{ID: someID, Type: "domain.added", Data: json.RawMessage(`{"domain":"example.org"}`)}},
		{"another order of the keys", publish.Input{ID: someID, Type: "domain.added", Data: json.RawMessage(`{"n":1,"domain":"example.com"}`)}},
		{"the same number written otherwise", publish.Input{ID: someID, Type: "domain.added", Data: json.RawMessage(`{"domain":"example.com","n":1.0}`)}},
		{"another type under the id", publish.Input{ID: someID, Type: "domain.removed", Data: data}},
		{"other data under the key", publish.Input{Key: "k", Type: "domain.added", Data: json.RawMessage(`{"domain":"example.org"}`)}},
		{"the id of one and the key of another", publish.Input{ID: otherID, Key: "k", Type: "domain.added", Data: data}},
	}
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	w.publish(publish.Input{ID: someID, Key: "k", Type: "domain.added", Data: data}, publish.Input{ID: otherID, Type: "domain.added", Data: data})
	for i, tt := range tests {
		_, err := w.Publish(t.Context(), store.DefaultAccount, []publish.Input{tt.in})
		if c := (*store.Conflict)(nil); !errors.As(err, &c) || c.Index != 0 || c.Message == "" {
			t.Errorf("%s: got error %v, want a *store.Conflict of event 0 in words", tt.name, err)
		}
		if reserved, handed, released := w.lanes.count(); reserved != 3+i || handed != 2 || released != 1+i {
			t.Errorf("%s: %d reserved, %d handed over, %d released; want %d, 2 and %d", tt.name, reserved, handed, released, 3+i, 1+i)
		}
	}
	if n := len(w.events()); n != 2 {
		t.Errorf("%d events on disk, want the first 2", n)
	}
}

func TestAnEventTwiceInABatchIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	in := added("example.com")
	in.ID = someID
	done := w.publish(in, added("example.org"), in)
	if done[0].Replayed || done[1].Replayed || !done[2].Replayed {
		t.Errorf("replayed: %t %t %t, want the last alone", done[0].Replayed, done[1].Replayed, done[2].Replayed)
	}
	if diff := cmp.Diff(done[0].Deliveries, done[2].Deliveries); diff != "" {
		t.Errorf("deliveries (-first +again):\n%s", diff)
	}
	if reserved, handed, released := w.lanes.count(); reserved != 3 || handed != 2 || released != 1 {
		t.Errorf("%d reserved, %d handed over, %d released; want 3, 2 and 1", reserved, handed, released)
	}
}

func TestAReplayForADisabledEndpointReleasesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpointIn("ep_1", delivery.Disabled, "*")
	in := added("example.com")
	in.ID = someID
	w.publish(in)
	w.publish(in)
	if reserved, handed, released := w.lanes.count(); reserved+handed+released != 0 {
		t.Errorf("%d reserved, %d handed over, %d released; want none of it", reserved, handed, released)
	}
}

// The ids of one account say nothing about those of another.
func TestAnotherAccountMayUseTheSameIDAndKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.must(w.db.CreateAccount(t.Context(), store.Account{ID: "acc_2", Name: "two", CreatedAt: moment()}))
	in := added("example.com")
	in.ID, in.Key = someID, "k"
	w.publish(in)
	in.Data = json.RawMessage(`{"domain":"example.org"}`)
	quiet := publish.New(publish.Config{Store: w.db, Lanes: w.lanes})
	done, err := quiet.Publish(t.Context(), "acc_2", []publish.Input{in})
	w.must(err)
	if done[0].Replayed || len(done[0].Deliveries) != 0 {
		t.Errorf("answered with %+v, want an event of its own without deliveries", done[0])
	}
	if _, err := quiet.Publish(t.Context(), "acc_3", []publish.Input{in}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an account that does not exist: %v, want ErrNotFound", err)
	}
}
