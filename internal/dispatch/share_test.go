package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// put writes an event to disk as another node would, with what it says of each delivery.
func (w *world) put(body string, deliveries ...store.NewDelivery) []delivery.ID {
	w.t.Helper()
	done, err := w.db.Publish(w.t.Context(), &store.Batch{AccountID: store.DefaultAccount, Events: []store.NewEvent{{
		ID: uuid.NewString(), Type: "domain.added", CreatedAt: time.Now(), Body: []byte(body), Deliveries: deliveries,
	}}})
	if err != nil {
		w.t.Fatal(err)
	}
	var ids []delivery.ID
	for _, d := range done[0].Deliveries {
		ids = append(ids, d.ID)
	}
	return ids
}

func pending(endpoint string) store.NewDelivery {
	return store.NewDelivery{EndpointID: endpoint, Status: delivery.Pending, Cycle: delivery.Automatic}
}

// failElsewhere records failures of attempts that another node made.
func (w *world) failElsewhere(endpoint string, n int) {
	w.t.Helper()
	for range n {
		l := delivery.Lease{AccountID: store.DefaultAccount, EndpointID: endpoint, EventType: "domain.added", Token: 7, Attempt: 1, Cycle: delivery.Automatic, Until: time.Now().Add(w.policy.Lease())}
		l.ID = w.put("{}", store.NewDelivery{EndpointID: endpoint, Status: delivery.Sending, Cycle: l.Cycle, Token: l.Token, Until: l.Until, Node: "other"})[0]
		a := delivery.Attempt{DeliveryID: l.ID, Number: 1, Cycle: l.Cycle, Node: "other"}
		a.StartedAt, a.EndedAt, a.Class, a.StatusCode = time.Now(), time.Now().Add(time.Millisecond), delivery.ServerError, 500
		time.Sleep(2 * time.Millisecond)
		r := store.Result{Lease: l, Attempt: a, Change: delivery.Decide(w.policy, l, a.Outcome, 0)}
		if done, err := w.db.Record(w.t.Context(), w.policy, []store.Result{r}); err != nil || !done[0].Applied {
			w.t.Fatalf("record: %+v, %v", done, err)
		}
	}
}

// weighed counts the bytes of the bodies that were claimed and whose attempt has not ended.
type weighed struct {
	store.Store
	mu         sync.Mutex
	size       int // of each body
	have, most int
}

func (s *weighed) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have += n * s.size
	s.most = max(s.most, s.have)
}

func (s *weighed) peak() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

func (s *weighed) Claim(ctx context.Context, c store.Claim) ([]store.Claimed, error) {
	got, err := s.Store.Claim(ctx, c)
	for _, one := range got {
		s.add(len(one.Leases))
	}
	return got, err
}

func (s *weighed) Return(ctx context.Context, leases []delivery.Lease, now time.Time) error {
	defer s.add(-len(leases))
	return s.Store.Return(ctx, leases, now)
}

func TestClaimsOfLongBodiesKeepWithinTheMemoryOfANode(t *testing.T) {
	within(t, func(w *world) {
		const endpoints, events = 8, 64 // 128 MiB when all are claimed
		const most = 48 << 20           // what is left to endpoints that are not quick
		body := strings.Repeat("x", 256<<10)
		s := &weighed{Store: w.db, size: len(body)}
		w.queue, w.sent = s, func() { s.add(-1) }
		w.answer = always(answer{code: 200, after: 10 * time.Second})
		var to []store.NewDelivery
		for i := range endpoints {
			id := fmt.Sprintf("ep_%d", i)
			w.endpoint(id, nil)
			to = append(to, pending(id))
		}
		for range events {
			w.put(body, to...)
		}
		w.start()
		time.Sleep(5 * time.Second)
		if n := s.peak(); n > most {
			t.Errorf("%d MiB of bodies in memory, want %d at the most", n>>20, most>>20)
		}
		time.Sleep(time.Minute) // a round takes ten seconds and a third of them
		if n := w.count("", delivery.Delivered); n != endpoints*events {
			t.Errorf("%d of %d delivered: what found no room is not claimed when there is some", n, endpoints*events)
		}
		if n := s.peak(); n > most {
			t.Errorf("%d MiB of bodies in memory later, want %d at the most", n>>20, most>>20)
		}
	})
}

// hang lets all endpoints hang but those whose id begins with "ep_well".
func hang(l delivery.Lease) answer {
	if strings.HasPrefix(l.EndpointID, "ep_well") {
		return answer{code: 200, after: time.Millisecond}
	}
	return answer{after: time.Hour} // until the timeout
}

func TestEndpointsThatHangTakeUpNeitherTheNodeNorTheShareOfAQuickOne(t *testing.T) {
	within(t, func(w *world) {
		w.slots, w.policy.DisableAfter = 16, 0
		w.answer = hang
		w.endpoint("ep_well", nil)
		w.start()
		w.publish(1)
		time.Sleep(time.Second)
		for i := range 20 {
			w.endpoint(fmt.Sprintf("ep_%d", i), nil)
		}
		for range 40 { // beyond the timeouts
			at := time.Since(w.began)
			w.publish(2)
			time.Sleep(time.Second)
			for _, c := range w.seen("ep_well")[len(w.seen("ep_well"))-2:] {
				if c.at < at || c.at > at+100*time.Millisecond {
					t.Fatalf("published at %s, sent to the one that is well at %s", at, c.at)
				}
			}
		}
		if n := w.atOnce(""); n > 16 {
			t.Errorf("%d attempts at once, want 16 at the most", n)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if n := w.now[""]; n != 12 {
			t.Errorf("%d that hang are on the wire, want the three quarters of the slots that are theirs", n)
		}
	})
}

func TestEndpointsThatHangLeaveASlotToOneThatIsNew(t *testing.T) {
	within(t, func(w *world) {
		w.slots = 256
		w.answer = hang
		for i := range 20 {
			w.endpoint(fmt.Sprintf("ep_%d", i), nil)
		}
		w.start()
		w.publish(100)
		time.Sleep(time.Second)
		w.endpoint("ep_well", nil)
		w.publish(1)
		time.Sleep(100 * time.Millisecond)
		if n := w.count("ep_well", delivery.Delivered); n != 1 {
			t.Errorf("%d of 1 delivered to an endpoint that was made while others hang", n)
		}
	})
}

func TestWhatFoundNoSlotIsSentWhenThereIsOne(t *testing.T) {
	within(t, func(w *world) {
		w.slots = 4
		w.answer = always(answer{code: 200, after: 10 * time.Second})
		for i := range 20 {
			w.endpoint(fmt.Sprintf("ep_%d", i), nil)
		}
		w.start()
		w.publish(1)
		time.Sleep(71 * time.Second) // three at a time, ten seconds each
		if n := w.count("", delivery.Delivered); n != 20 {
			t.Errorf("%d of 20 delivered", n)
		}
		if n := w.atOnce(""); n != 3 {
			t.Errorf("%d attempts at once, want 3: the fourth slot is kept for a quick endpoint", n)
		}
	})
}

// No outcome can be written here, so that reading the endpoint is all that tells.
func TestALaneThatReadsThatItIsNarrowGivesItsLeasesBack(t *testing.T) {
	within(t, func(w *world) {
		w.policy.DisableAfter = 0
		w.queue = &deaf{Store: w.db, until: time.Now().Add(20 * time.Second)}
		w.answer = always(answer{code: 200, after: 11 * time.Second}) // it is read again after ten
		w.endpoint("ep_1", func(e *delivery.Endpoint) { e.Concurrency = 1 })
		w.start()
		w.publish(1)
		time.Sleep(5 * time.Second)
		w.publish(5)
		w.failElsewhere("ep_1", 8) // narrow, and the next attempt half a minute later
		time.Sleep(10 * time.Second)
		if n := w.count("ep_1", delivery.Sending); n != 1 {
			t.Errorf("%d deliveries are leased, want the one whose outcome waits for the database", n)
		}
		if n := len(w.seen("ep_1")); n != 1 {
			t.Errorf("%d attempts, want none after it was read that the endpoint is narrow", n)
		}
	})
}

func TestADisabledLaneGivesItsLeasesBackWhenItIsRead(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{code: 200, after: 20 * time.Second})
		w.endpoint("ep_1", func(e *delivery.Endpoint) { e.Concurrency = 1 })
		w.start()
		w.publish(10)
		time.Sleep(15 * time.Second)
		if _, err := w.db.SetState(w.t.Context(), store.DefaultAccount, "ep_1", delivery.Disabled, delivery.ByHand, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second) // nobody announced it; the second attempt reads it
		if n := w.count("ep_1", delivery.Held); n != 9 {
			t.Errorf("%d of 9 held", n)
		}
	})
}

// A lane that is full of promises is not claimed for; when their commit fails it
// has room, and nothing else would say so.
func TestWorkIsClaimedWhenPromisesAreReleased(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1", nil)
		w.start()
		time.Sleep(100 * time.Millisecond) // the first look is over; the next is after two seconds
		promised := 0
		for w.disp.Reserve("ep_1", 2).Status == delivery.Sending {
			promised++
		}
		w.put("{}", pending("ep_1"))
		w.disp.Wake("ep_1")
		time.Sleep(100 * time.Millisecond)
		for range promised {
			w.disp.Release("ep_1", 2)
		}
		time.Sleep(100 * time.Millisecond)
		if n := w.count("ep_1", delivery.Delivered); n != 1 {
			t.Errorf("%d of 1 delivered after %d promises were released", n, promised)
		}
	})
}

func TestWhatADeadNodeLeftForADisabledEndpointIsHeldAtOnce(t *testing.T) {
	within(t, func(w *world) {
		w.policy.DisableAfter = delivery.NarrowAfter
		w.policy.SpacingFirst, w.policy.SpacingLongest = time.Hour, time.Hour
		w.answer = always(answer{code: 500, after: time.Millisecond})
		w.endpoint("ep_1", nil)
		until := time.Now().Add(w.policy.Lease())
		left := w.put("{}", store.NewDelivery{EndpointID: "ep_1", Status: delivery.Sending, Cycle: delivery.Automatic, Token: 7, Until: until, Node: "other"})[0]
		w.start()
		for range delivery.NarrowAfter { // one after the other: what fails at once counts once
			w.publish(1)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Until(until) + 15*time.Second)
		if got := w.state("ep_1").State; got != delivery.Disabled {
			t.Fatalf("the endpoint is %s, want it disabled", got)
		}
		if got := w.delivery(left).Status; got != delivery.Held {
			t.Errorf("what the dead node was sending is %s, want it held: a disabled endpoint has no pause to wait for", got)
		}
	})
}

// keeps is a store that takes no outcomes for a while, and counts the answers in those that waited for it.
type keeps struct {
	store.Store
	until time.Time

	mu                 sync.Mutex
	whole, cut, waited int // answers; bytes of all that waited
}

func (k *keeps) Record(ctx context.Context, p delivery.Policy, results []store.Result) ([]store.Recorded, error) {
	if time.Now().Before(k.until) {
		return nil, store.ErrUnavailable
	}
	k.mu.Lock()
	for i := range results {
		a := &results[i].Attempt
		if !a.EndedAt.Before(k.until) {
			continue
		}
		k.waited += len(a.Response.Body)
		if a.Response.Truncated {
			k.cut++
		} else {
			k.whole++
		}
	}
	k.mu.Unlock()
	return k.Store.Record(ctx, p, results)
}

func TestLongAnswersThatWaitForTheStoreAreCutWhenTheyAreTooMany(t *testing.T) {
	within(t, func(w *world) {
		const endpoints, most = 40, 32 << 20
		k := &keeps{Store: w.db, until: w.began.Add(2 * time.Second)}
		w.queue = k
		w.answer = always(answer{code: 200, after: time.Millisecond, body: make([]byte, 64<<10)})
		for i := range endpoints {
			w.endpoint(fmt.Sprintf("ep_%d", i), nil)
			w.backlog(fmt.Sprintf("ep_%d", i), 40) // 100 MiB of answers in all
		}
		w.start()
		time.Sleep(2 * time.Minute)
		if n := w.count("", delivery.Delivered); n != 40*endpoints {
			t.Errorf("%d of %d delivered", n, 40*endpoints)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.whole == 0 || k.cut == 0 || k.waited > most+k.cut<<10 {
			t.Errorf("%d MiB of answers waited, %d of them whole and %d cut; want %d MiB at the most", k.waited>>20, k.whole, k.cut, most>>20)
		}
	})
}

func TestNothingMoreIsSentWhileNoOutcomeCanBeWritten(t *testing.T) {
	within(t, func(w *world) {
		k := &keeps{Store: w.db, until: w.began.Add(20 * time.Second)}
		w.queue = k
		w.answer = always(answer{code: 200, after: 10 * time.Millisecond, body: make([]byte, 64<<10)})
		for i := range 10 {
			w.endpoint(fmt.Sprintf("ep_%d", i), nil)
			w.backlog(fmt.Sprintf("ep_%d", i), 500)
		}
		w.start()
		time.Sleep(10 * time.Second)
		w.mu.Lock()
		sent := len(w.calls)
		w.mu.Unlock()
		if sent == 0 || sent > 10*32*2 {
			t.Errorf("%d were sent while no outcome could be written, want what was begun before that was known", sent)
		}
		time.Sleep(3 * time.Minute)
		if n := w.count("", delivery.Delivered); n != 5000 {
			t.Errorf("%d of 5000 delivered after", n)
		}
	})
}
