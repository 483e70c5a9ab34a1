package storetest

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func replayChecks() []check {
	return []check{
		{"a known id or key with the same content answers the first acceptance", replaySameContent},
		{"a known id or key with other content is a conflict that names the item and writes nothing", replayOtherContent},
		{"a batch that repeats an item answers it as replayed", replayInsideBatch},
		{"a batch that contradicts itself is a conflict", conflictInsideBatch},
		{"new and known events may stand in one batch", replayBesideNew},
		{"the same id and key in another account are independent", replayOtherAccount},
		{"200 identical publishes at once give one event and equal answers", replayManyAtOnce},
		{"200 publishes of one key with different ids give one event and equal answers", replayManyKeys},
	}
}

// again describes a further publishing of the same content, a second later.
func again(e store.NewEvent, endpointID string) store.NewEvent {
	e.CreatedAt = e.CreatedAt.Add(time.Second)
	e.Body = []byte(`{"made":"again"}`)
	e.Deliveries = []store.NewDelivery{pendingTo(endpointID)}
	return e
}

// repeats lists the ways in which an event can be known already.
func repeats() []struct {
	name   string
	change func(*store.NewEvent)
} {
	return []struct {
		name   string
		change func(*store.NewEvent)
	}{
		{"by id and key", func(*store.NewEvent) {}},
		{"by id alone", func(e *store.NewEvent) { e.Key = "" }},
		{"by key alone", func(e *store.NewEvent) { e.ID = uuid.NewString() }},
	}
}

func replaySameContent(w *world) {
	for _, tt := range repeats() {
		w.t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, w.s)
			endpoint, other := w.newEndpoint(), w.newEndpoint()
			first := eventAt(at(0), pendingTo(endpoint), sendingTo(other, delivery.Automatic))
			first.Key = "key of the publisher"
			want := w.publish(first)[0]
			second := again(first, endpoint)
			tt.change(&second)

			got := w.publish(second)[0]
			want.Replayed = true
			w.equal("answer", got, want)
			if n := w.count("", delivery.Statuses()...); n != 2 {
				w.t.Errorf("the account has %d deliveries, want the 2 of the first acceptance", n)
			}
			kept, err := w.s.Event(w.ctx(), w.account, first.ID)
			w.must("read event", err)
			w.equal("body", kept.Body, first.Body)
		})
	}
}

func replayOtherContent(w *world) {
	for _, tt := range repeats() {
		w.t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, w.s)
			endpoint := w.newEndpoint()
			known := eventAt(at(0), pendingTo(endpoint))
			known.Key = "key of the publisher"
			w.publish(known)
			second := again(known, endpoint)
			second.Hash = sha256.Sum256([]byte("other content"))
			tt.change(&second)
			events := []store.NewEvent{eventAt(at(0), pendingTo(endpoint)), eventAt(at(0)), second, eventAt(at(0))}

			_, err := w.s.Publish(w.ctx(), &store.Batch{AccountID: w.account, Events: events})
			if got := w.wantConflict("publish", err).Index; got != 2 {
				w.t.Errorf("the conflict names item %d, want 2", got)
			}
			for _, i := range []int{0, 1, 3} {
				_, err := w.s.Event(w.ctx(), w.account, events[i].ID)
				w.wantError(fmt.Sprintf("read event %d", i), err, store.ErrNotFound)
			}
			if n := w.count(endpoint); n != 1 {
				w.t.Errorf("the endpoint has %d deliveries, want the first alone", n)
			}
		})
	}
}

func replayInsideBatch(w *world) {
	for _, tt := range repeats() {
		w.t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, w.s)
			endpoint := w.newEndpoint()
			first := eventAt(at(0), pendingTo(endpoint))
			first.Key = "key of the publisher"
			second := again(first, endpoint)
			tt.change(&second)

			got := w.publish(first, second)
			if got[0].Replayed {
				w.t.Errorf("the first of the batch is answered as replayed")
			}
			got[0].Replayed = true
			w.equal("answer to the second", got[1], got[0])
			if n := w.count(endpoint); n != 1 {
				w.t.Errorf("the endpoint has %d deliveries, want 1", n)
			}
		})
	}
}

func conflictInsideBatch(w *world) {
	for _, tt := range repeats() {
		w.t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, w.s)
			first := eventAt(at(0))
			first.Key = "key of the publisher"
			second := first
			second.Hash = sha256.Sum256([]byte("other content"))
			tt.change(&second)

			_, err := w.s.Publish(w.ctx(), &store.Batch{AccountID: w.account, Events: []store.NewEvent{first, second}})
			if got := w.wantConflict("publish", err).Index; got != 1 {
				w.t.Errorf("the conflict names item %d, want 1", got)
			}
			_, err = w.s.Event(w.ctx(), w.account, first.ID)
			w.wantError("read the first", err, store.ErrNotFound)
		})
	}
}

func replayBesideNew(w *world) {
	endpoint := w.newEndpoint()
	known := eventAt(at(0), pendingTo(endpoint))
	want := w.publish(known)[0]
	want.Replayed = true
	before, after := eventAt(at(0), pendingTo(endpoint)), eventAt(at(0), pendingTo(endpoint))
	got := w.publish(before, again(known, endpoint), after)
	w.equal("answer to the known", got[1], want)
	for i, e := range map[int]store.NewEvent{0: before, 2: after} {
		if got[i].EventID != e.ID || got[i].Replayed || len(got[i].Deliveries) != 1 {
			w.t.Errorf("answer %d: got %+v, want a new event %s with one delivery", i, got[i], e.ID)
		}
	}
	if n := w.count(endpoint); n != 3 {
		w.t.Errorf("the endpoint has %d deliveries, want 3", n)
	}
}

func replayOtherAccount(w *world) {
	other := newWorld(w.t, w.s)
	first := eventAt(at(0), pendingTo(w.newEndpoint()))
	first.Key = "the same key"
	mine := w.publish(first)[0]
	second := again(first, other.newEndpoint())
	second.Hash = sha256.Sum256([]byte("other content"))
	theirs := other.publish(second)[0]
	if theirs.Replayed || len(theirs.Deliveries) != 1 || theirs.Deliveries[0].ID == mine.Deliveries[0].ID {
		w.t.Errorf("publish in another account: got %+v beside %+v", theirs, mine)
	}
	for _, tt := range []struct {
		w    *world
		want store.NewEvent
	}{{w, first}, {other, second}} {
		got, err := tt.w.s.Event(tt.w.ctx(), tt.w.account, first.ID)
		w.must("read event", err)
		w.equal("body", got.Body, tt.want.Body)
	}
}

func replayManyAtOnce(w *world) {
	endpoint := w.newEndpoint()
	e := eventAt(at(0))
	e.Key = "key of the publisher"
	replayOnceEach(w, endpoint, func() store.NewEvent { return again(e, endpoint) })
}

func replayManyKeys(w *world) {
	endpoint := w.newEndpoint()
	e := eventAt(at(0))
	e.Key = "key of the publisher"
	replayOnceEach(w, endpoint, func() store.NewEvent {
		next := again(e, endpoint)
		next.ID = uuid.NewString()
		return next
	})
}

// replayOnceEach publishes 200 repetitions at once and wants one acceptance.
func replayOnceEach(w *world, endpointID string, next func() store.NewEvent) {
	var mu sync.Mutex
	var answers []store.Published
	accepted := 0
	w.atOnce(200, func(int) error {
		published, err := w.s.Publish(w.ctx(), &store.Batch{AccountID: w.account, Events: []store.NewEvent{next()}})
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if !published[0].Replayed {
			accepted++
		}
		published[0].Replayed = false
		answers = append(answers, published[0])
		return nil
	})
	if accepted != 1 {
		w.t.Errorf("%d of 200 identical publishes were accepted as new, want 1", accepted)
	}
	for _, got := range answers {
		if diff := cmp.Diff(answers[0], got); diff != "" {
			w.t.Fatalf("two of 200 identical publishes have different answers:\n%s", diff)
		}
	}
	if n := w.count(endpointID); n != 1 {
		w.t.Errorf("the endpoint has %d deliveries, want 1", n)
	}
}
