package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// The publisher's bound on events that wait for their commit.
const mostWaiting = 20_000

func batchOf(n int) []publish.Input {
	in := make([]publish.Input, n)
	for i := range in {
		in[i] = added("example.com")
	}
	return in
}

// gate is a store whose commits wait for a test, and then do nothing.
type gate struct {
	store.Publisher
	entered chan int // events of a commit that has begun
	open    chan struct{}
}

func (g *gate) Publish(_ context.Context, b *store.Batch) ([]store.Published, error) {
	g.entered <- len(b.Events)
	<-g.open
	return make([]store.Published, len(b.Events)), nil
}

// begun waits for the next commit to begin, and gives its events. A call that fails begins none.
func (g *gate) begun(t *testing.T) int {
	t.Helper()
	select {
	case n := <-g.entered:
		return n
	case <-time.After(time.Minute):
		t.Fatal("a call does not reach its commit")
		return 0
	}
}

func newGatedWorld(t *testing.T) (*world, *gate) {
	t.Helper()
	g := &gate{entered: make(chan int), open: make(chan struct{})}
	w := newWorld(t, func(db store.Publisher) store.Publisher {
		g.Publisher = db
		return g
	})
	return w, g
}

func TestMoreWaitingEventsThanTheBoundAreRefusedUntilSomeAreDone(t *testing.T) {
	t.Parallel()
	w, g := newGatedWorld(t)
	var calls sync.WaitGroup
	for range mostWaiting / publish.MaxBatch {
		calls.Go(func() {
			if _, err := w.Publish(t.Context(), store.DefaultAccount, batchOf(publish.MaxBatch)); err != nil {
				t.Errorf("within the bound: %v", err)
			}
		})
	}
	for waiting := 0; waiting < mostWaiting; {
		waiting += g.begun(t)
	}
	refused := func(n int) {
		if _, err := w.Publish(t.Context(), store.DefaultAccount, batchOf(n)); !errors.Is(err, publish.ErrBusy) {
			t.Errorf("%d events beyond the bound: %v, want ErrBusy", n, err)
		}
	}
	refused(1)
	refused(mostWaiting) // what was refused does not count
	close(g.open)
	calls.Wait()
	go func() { <-g.entered }()
	if _, err := w.Publish(t.Context(), store.DefaultAccount, batchOf(1)); err != nil {
		t.Errorf("after the others were done: %v", err)
	}
}

func TestMoreWaitingDeliveriesThanTheBoundAreRefusedUntilSomeAreDone(t *testing.T) {
	t.Parallel()
	const endpoints = 100
	w, g := newGatedWorld(t)
	for i := range endpoints {
		w.endpoint(fmt.Sprintf("ep_%d", i), "*")
	}
	var calls sync.WaitGroup
	for range 2 { // of 100,000 deliveries each
		calls.Go(func() {
			if _, err := w.Publish(t.Context(), store.DefaultAccount, batchOf(publish.MaxBatch)); err != nil {
				t.Errorf("within the bound: %v", err)
			}
		})
	}
	g.begun(t)
	g.begun(t)
	for range 2 { // what was refused does not count
		if _, err := w.Publish(t.Context(), store.DefaultAccount, batchOf(1)); !errors.Is(err, publish.ErrBusy) {
			t.Errorf("beyond the bound: %v, want ErrBusy", err)
		}
	}
	close(g.open)
	calls.Wait()
	go func() { <-g.entered }()
	if _, err := w.Publish(t.Context(), store.DefaultAccount, batchOf(1)); err != nil {
		t.Errorf("after the others were done: %v", err)
	}
}

// 20,000 of the largest events would be 5 GB.
func TestMoreWaitingBytesThanTheBoundAreRefusedUntilSomeAreDone(t *testing.T) {
	t.Parallel()
	const calls, each, mostBytes = 64, 4, 64 << 20
	w, g := newGatedWorld(t)
	w.eventType("report.made", "")
	report := publish.Input{Type: "report.made", Data: json.RawMessage(`"` + strings.Repeat("x", mostBytes/calls/each-envelope("report.made")-2) + `"`)}
	// Once the account is known, the calls wait for the processor alone, not each for the database.
	if _, err := w.Publish(t.Context(), store.DefaultAccount, []publish.Input{{Type: "no.such"}}); err == nil {
		t.Error("a type that there is not was accepted")
	}
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			if _, err := w.Publish(t.Context(), store.DefaultAccount, []publish.Input{report, report, report, report}); err != nil {
				t.Errorf("within the bound: %v", err)
			}
		})
	}
	for range calls {
		g.begun(t)
	}
	if _, err := w.Publish(t.Context(), store.DefaultAccount, []publish.Input{report}); !errors.Is(err, publish.ErrBusy) {
		t.Errorf("beyond the bound: %v, want ErrBusy", err)
	}
	all.Go(func() {
		if _, err := w.Publish(t.Context(), store.DefaultAccount, batchOf(1)); err != nil {
			t.Errorf("a small one, which finds room: %v", err)
		}
	})
	g.begun(t)
	close(g.open)
	all.Wait()
	go func() { <-g.entered }()
	if _, err := w.Publish(t.Context(), store.DefaultAccount, []publish.Input{report}); err != nil {
		t.Errorf("after the others were done: %v", err)
	}
}

func TestACallLargerThanTheBoundIsTakenWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	w, g := newGatedWorld(t)
	close(g.open)
	go func() { <-g.entered }()
	if _, err := w.Publish(t.Context(), store.DefaultAccount, batchOf(mostWaiting+1)); err != nil {
		t.Errorf("alone: %v; it could never be accepted", err)
	}
}

func TestManyPublishersAtOnceWhileEndpointsChange(t *testing.T) {
	t.Parallel()
	const publishers, each = 64, 8
	w := newWorld(t, nil)
	w.endpoint("ep_sending", "*")
	w.endpoint("ep_pending", "*")
	w.endpointIn("ep_held", delivery.Disabled, "*")
	w.endpoint("ep_moving", "*")
	w.lanes.place = func(id string) delivery.Status {
		if id == "ep_pending" {
			return delivery.Pending
		}
		return delivery.Sending
	}
	var all sync.WaitGroup
	for i := range publishers {
		all.Go(func() {
			for j := range each {
				in := added(fmt.Sprintf("d%d-%d.example", i, j))
				if _, err := w.Publish(t.Context(), store.DefaultAccount, []publish.Input{in}); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
	}
	all.Go(func() {
		for i := range 15 { // fewer than a call may be stale
			state := delivery.Disabled
			if i%2 == 1 {
				state = delivery.Enabled
			}
			if _, err := w.db.SetState(t.Context(), store.DefaultAccount, "ep_moving", state, delivery.ByHand, moment()); err != nil {
				t.Errorf("set state: %v", err)
			}
		}
	})
	all.Wait()
	w.lanes.settled()
	w.checkBooks(publishers * each)
}

// What is remembered of a type is shared by all calls: none may write into it.
func TestCallsOfSeveralTypesDoNotMixTheirEndpoints(t *testing.T) {
	t.Parallel()
	const calls = 100
	w := newWorld(t, nil)
	for _, id := range []string{"ep_1", "ep_2", "ep_3"} {
		w.endpoint(id, "domain.added")
	}
	w.endpoint("ep_removed", "domain.removed")
	w.endpoint("ep_changed", "invoice.paid")
	w.eventType("invoice.paid", "")
	w.publish(added("first.example"))
	var all sync.WaitGroup
	for _, name := range []string{"domain.removed", "invoice.paid"} {
		in := []publish.Input{added("a.example"), added("b.example")}
		in[1].Type = name
		for range 4 {
			all.Go(func() {
				for range calls / 4 {
					if _, err := w.Publish(t.Context(), store.DefaultAccount, in); err != nil {
						t.Errorf("publish: %v", err)
					}
				}
			})
		}
	}
	all.Wait()
	got := map[string]int{}
	for _, ids := range w.lanes.admitted[1:] {
		got[ids[len(ids)-1]]++
	}
	if diff := cmp.Diff(map[string]int{"ep_removed": calls, "ep_changed": calls}, got); diff != "" {
		t.Errorf("last endpoint asked for, by calls (-want +got):\n%s", diff)
	}
}

// checkBooks compares what the lanes were told with what is on disk.
func (w *world) checkBooks(events int) {
	w.t.Helper()
	if n := len(w.events()); n != events || len(w.observed) != events {
		w.t.Errorf("%d events on disk, %d observed, want %d", n, len(w.observed), events)
	}
	sending, byEndpoint := map[delivery.ID]bool{}, map[string]map[delivery.Status]int{}
	for _, d := range w.deliveries() {
		if d.Status == delivery.Sending {
			sending[d.ID] = true
		}
		if byEndpoint[d.EndpointID] == nil {
			byEndpoint[d.EndpointID] = map[delivery.Status]int{}
		}
		byEndpoint[d.EndpointID][d.Status]++
	}
	for _, l := range w.lanes.handed {
		if !sending[l.ID] {
			w.t.Errorf("delivery %d was handed over twice, or is not leased on disk", l.ID)
		}
		delete(sending, l.ID)
	}
	if len(sending) != 0 {
		w.t.Errorf("%d deliveries are leased on disk and were never handed over", len(sending))
	}
	for id, status := range map[string]delivery.Status{"ep_sending": delivery.Sending, "ep_pending": delivery.Pending, "ep_held": delivery.Held} {
		if n := byEndpoint[id][status]; n != events {
			w.t.Errorf("%s has %d deliveries %s, want %d", id, n, status, events)
		}
	}
	if moving := byEndpoint["ep_moving"]; moving[delivery.Sending]+moving[delivery.Held] != events {
		w.t.Errorf("ep_moving has %v, want %d in all", moving, events)
	}
	if n := w.lanes.woken["ep_pending"]; n != events {
		w.t.Errorf("ep_pending was woken %d times, want %d", n, events)
	}
}

// free is a store and lanes that cost nothing.
type free struct {
	lanes
	sub store.Subscriptions
}

func (f *free) Subscriptions(context.Context, string) (store.Subscriptions, error) {
	return f.sub, nil
}

func (f *free) Publish(_ context.Context, b *store.Batch) ([]store.Published, error) {
	return make([]store.Published, len(b.Events)), nil
}

func (f *free) Reserve(endpointID string, _ int) store.NewDelivery {
	return store.NewDelivery{EndpointID: endpointID, Status: delivery.Sending, Cycle: delivery.Automatic, Token: 1, Until: moment(), Node: "node-1"}
}

func (f *free) Admit(context.Context, []string, int) func() { return func() {} }

func (f *free) Hand(delivery.Lease) {}

// BenchmarkPublish measures what an event costs outside the store: checks, bytes,
// hash and matching. All but the store is to stay under 60 microseconds an event.
func BenchmarkPublish(b *testing.B) {
	f := &free{sub: store.Subscriptions{AccountID: store.DefaultAccount, Revision: 1}}
	for i := range 3 {
		f.sub.Endpoints = append(f.sub.Endpoints, store.Subscription{EndpointID: fmt.Sprintf("ep_%d", i), Events: []string{"*"}, State: delivery.Enabled})
	}
	p := publish.New(publish.Config{Store: f, Lanes: f})
	batch := make([]publish.Input, 100)
	for i := range batch {
		batch[i] = sample(catalog.ScanCompleted)
	}
	one := func(b *testing.B, in []publish.Input) {
		b.Helper()
		if _, err := p.Publish(context.Background(), store.DefaultAccount, in); err != nil {
			b.Error(err)
		}
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			one(b, batch[:1])
		}
	})
	b.Run("in batches of 100", func(b *testing.B) {
		b.ReportAllocs()
		for range (b.N + len(batch) - 1) / len(batch) { // so that an operation is an event
			one(b, batch)
		}
	})
	b.Run("by all cores", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				one(b, batch[:1])
			}
		})
	})
}
