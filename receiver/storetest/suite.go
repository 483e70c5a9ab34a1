// Package storetest is the conformance suite of a receiver's store: every sentence of
// [receiver.Store] that promises something is a case here, named in words, and a store
// is right when all of them pass on it. It knows no store and reads no clock but the
// store's own.
//
// The stores that come with package receiver are held against it in their own tests;
// so can be one that somebody else writes.
package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// Subject is a store to test.
type Subject struct {
	// Store is empty, and nobody else uses it.
	Store receiver.Store
	// Pass makes the store's clock go on by d. A store that has a server's clock makes
	// all times that it keeps older by d instead, which is the same to it.
	Pass func(d time.Duration)
}

// check is one promise of the contract.
type check struct {
	name string // the promise in words
	run  func(*world)
}

// Run tests a store. Open gives a new one each time.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	run(t, open, putChecks(), beginChecks(), claimChecks(), recordChecks(), endChecks(), listChecks(), rerunChecks(), upkeepChecks(), crowdChecks())
}

// RunTx tests what a [receiver.TxStore] adds. Open gives a new store each time, whose
// Store is one.
func RunTx(t *testing.T, open func(t *testing.T) Subject) {
	run(t, open, txChecks())
}

func run(t *testing.T, open func(t *testing.T) Subject, groups ...[]check) {
	for _, group := range groups {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				subject := open(t)
				c.run(&world{t: t, s: subject.Store, pass: subject.Pass})
			})
		}
	}
}

const (
	// lease is long enough for no check to outlast it by itself.
	lease = time.Hour
	// slack is how much of the time that a check waits for may have gone by itself.
	slack = 20 * time.Minute
)

// world is what a check works with. Its methods end the check when the store fails.
type world struct {
	t    *testing.T
	s    receiver.Store
	pass func(time.Duration)
}

func (w *world) ctx() context.Context { return w.t.Context() }

// event is an item of the unnamed lane.
func event(id string) receiver.Item { return in("", id) }

// in is an item of a lane.
func in(lane, id string) receiver.Item {
	return receiver.Item{Lane: lane, ID: id, Type: "scan.completed", DeliveryID: 12, Body: []byte(`{"id":"` + id + `"}`)}
}

// events are items of the unnamed lane, numbered.
func events(n int) []receiver.Item {
	items := make([]receiver.Item, n)
	for i := range items {
		items[i] = event(fmt.Sprintf("evt-%05d", i))
	}
	return items
}

func (w *world) put(items ...receiver.Item) []bool {
	w.t.Helper()
	fresh, err := w.s.Put(w.ctx(), items)
	if err != nil {
		w.t.Fatalf("Put: %v", err)
	}
	if len(fresh) != len(items) {
		w.t.Fatalf("Put of %d items answers for %d", len(items), len(fresh))
	}
	return fresh
}

// putApart puts items so that each came later than the one before.
func (w *world) putApart(items ...receiver.Item) {
	w.t.Helper()
	for _, item := range items {
		w.put(item)
		w.pass(time.Minute)
	}
}

func (w *world) begin(item receiver.Item, want receiver.Standing) receiver.Item {
	w.t.Helper()
	got, standing, err := w.s.Begin(w.ctx(), item, lease)
	if err != nil || standing != want {
		w.t.Fatalf("Begin of %s: standing %q, error %v; want %q", item.ID, standing, err, want)
	}
	return got
}

func (w *world) claim(lane string, most int) []receiver.Item {
	w.t.Helper()
	items, _ := w.claimNext(lane, most)
	return items
}

func (w *world) claimNext(lane string, most int) ([]receiver.Item, time.Duration) {
	w.t.Helper()
	items, next, err := w.s.Claim(w.ctx(), lane, most, lease)
	if err != nil {
		w.t.Fatalf("Claim: %v", err)
	}
	return items, next
}

// claimOne claims the one item that is due in the unnamed lane.
func (w *world) claimOne(id string) receiver.Item {
	w.t.Helper()
	items := w.claim("", 10)
	if len(items) != 1 || items[0].ID != id {
		w.t.Fatalf("Claim gives %q, want only %q", ids(items), id)
	}
	return items[0]
}

// end is how the try of a leased item ended.
func end(item receiver.Item, to receiver.Status) receiver.End {
	return receiver.End{Key: item.Key(), Token: item.Token, To: to}
}

func (w *world) tryRecord(ends ...receiver.End) []bool {
	w.t.Helper()
	lost, err := w.s.Record(w.ctx(), ends)
	if err != nil {
		w.t.Fatalf("Record: %v", err)
	}
	if len(lost) != len(ends) {
		w.t.Fatalf("Record of %d ends answers for %d", len(ends), len(lost))
	}
	return lost
}

// record writes ends whose leases hold.
func (w *world) record(ends ...receiver.End) {
	w.t.Helper()
	for i, lost := range w.tryRecord(ends...) {
		if lost {
			w.t.Fatalf("Record says that the lease of %v is lost", ends[i].Key)
		}
	}
}

// finished puts an item and ends it.
func (w *world) finished(item receiver.Item, to receiver.Status) {
	w.t.Helper()
	ended := end(w.begin(item, receiver.Begun), to)
	ended.Counts = to == receiver.Failed
	w.record(ended)
}

func (w *world) list(filter receiver.Filter) []receiver.Item {
	w.t.Helper()
	items, next, err := w.s.List(w.ctx(), filter, receiver.Page{})
	if err != nil || next != "" {
		w.t.Fatalf("List of %+v: next %q, error %v", filter, next, err)
	}
	return items
}

// get is the item of an id.
func (w *world) get(id string) receiver.Item {
	w.t.Helper()
	items := w.list(receiver.Filter{IDs: []string{id}})
	if len(items) != 1 {
		w.t.Fatalf("List of %q gives %d items, want 1", id, len(items))
	}
	return items[0]
}

func (w *world) wantIDs(what string, items []receiver.Item, want ...string) {
	w.t.Helper()
	if got := ids(items); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		w.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func ids(items []receiver.Item) []string {
	var all []string
	for _, item := range items {
		all = append(all, item.ID)
	}
	return all
}

// wantNext holds the time until the next item against what it should be.
func (w *world) wantNext(got, want time.Duration) {
	w.t.Helper()
	if got > want || got < want-slack {
		w.t.Errorf("next is %s, want %s", got, want)
	}
}

// state is what of an item does not depend on the time or on chance.
type state struct {
	Status                receiver.Status
	Tries, Failures, Lost int
	Unsure                bool
	Error                 string
}

func stateOf(item receiver.Item) state {
	return state{item.Status, item.Tries, item.Failures, item.Lost, item.Unsure, item.Error}
}

// wantState holds an item against what it should be, its times included: an item has
// those that its status calls for.
func (w *world) wantState(what string, item receiver.Item, want state) {
	w.t.Helper()
	if got := stateOf(item); got != want {
		w.t.Errorf("%s: %s is %+v, want %+v", what, item.ID, got, want)
	}
	ended := want.Status == receiver.Done || want.Status == receiver.Failed
	if item.DueAt.IsZero() != ended || item.EndedAt.IsZero() == ended {
		w.t.Errorf("%s: %s is %s, due at %s and ended at %s", what, item.ID, item.Status, item.DueAt, item.EndedAt)
	}
	if item.ReceivedAt.IsZero() {
		w.t.Errorf("%s: %s has no time of arrival", what, item.ID)
	}
	if want.Status == receiver.Working && item.Token == "" {
		w.t.Errorf("%s: %s is working without a token", what, item.ID)
	}
}

// wantSame holds what an item says of its event against what was put.
func (w *world) wantSame(what string, got, put receiver.Item) {
	w.t.Helper()
	if got.Key() != put.Key() || got.Type != put.Type || got.DeliveryID != put.DeliveryID || string(got.Body) != string(put.Body) {
		w.t.Errorf("%s: got %q %q %q %d with %d bytes, want %q %q %q %d with %d", what,
			got.Lane, got.ID, got.Type, got.DeliveryID, len(got.Body), put.Lane, put.ID, put.Type, put.DeliveryID, len(put.Body))
	}
}

func (w *world) wantFresh(got []bool, want ...bool) {
	w.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("new are %v, want %v", got, want)
	}
}
