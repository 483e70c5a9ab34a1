package dispatch_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/send"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// backlog puts n events on disk that wait for an endpoint, as if another node
// had accepted them.
func (w *world) backlog(endpoint string, n int) {
	w.t.Helper()
	for n > 0 {
		b := &store.Batch{AccountID: store.DefaultAccount}
		for range min(n, publish.MaxBatch) {
			b.Events = append(b.Events, store.NewEvent{
				ID: uuid.NewString(), Type: "domain.added", CreatedAt: time.Now(), Body: []byte("{}"),
				Deliveries: []store.NewDelivery{{EndpointID: endpoint, Status: delivery.Pending, Cycle: delivery.Automatic}},
			})
		}
		if _, err := w.db.Publish(w.t.Context(), b); err != nil {
			w.t.Fatal(err)
		}
		n -= len(b.Events)
	}
}

// forget lets the receivers begin to count anew.
func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.most = nil, map[string]int{}
}

// sentOnce checks that each delivery of an endpoint had one attempt, and gives
// how many there were.
func (w *world) sentOnce(endpoint string) int {
	w.t.Helper()
	times := map[delivery.ID]int{}
	for _, c := range w.seen(endpoint) {
		if times[c.id]++; times[c.id] > 1 || c.attempt != 1 {
			w.t.Errorf("delivery %d was sent %d times, last as attempt %d", c.id, times[c.id], c.attempt)
		}
	}
	return len(times)
}

func TestEnablingSendsWhatIsHeldAtThePaceOfItsJob(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1", func(e *delivery.Endpoint) { e.State = delivery.Disabled })
		w.start()
		held := w.publish(50)
		time.Sleep(time.Minute)
		if n := len(w.seen("ep_1")); n != 0 || w.count("ep_1", delivery.Held) != 50 {
			t.Fatalf("%d sent and %d held of 50 while it is disabled", n, w.count("ep_1", delivery.Held))
		}
		if _, err := w.db.SetState(w.t.Context(), store.DefaultAccount, "ep_1", delivery.Enabled, delivery.NotDisabled, time.Now()); err != nil {
			t.Fatal(err)
		}
		j := store.Job{
			ID: "job_1", AccountID: store.DefaultAccount, Kind: store.JobRelease, PerSecond: 5, Total: 50, State: store.JobRunning, CreatedAt: time.Now(),
			Filter: store.DeliveryFilter{EndpointID: "ep_1", Statuses: []delivery.Status{delivery.Held}},
		}
		if err := w.db.CreateJob(w.t.Context(), j); err != nil {
			t.Fatal(err)
		}
		begin := time.Since(w.began)
		w.disp.Changed("ep_1")
		w.disp.WakeJobs()
		time.Sleep(3 * time.Second)
		fresh := w.publish(1)[0].Deliveries[0].ID // is not held up behind the others
		time.Sleep(time.Minute)

		calls := w.seen("ep_1")
		if n := w.sentOnce("ep_1"); n != 51 {
			t.Fatalf("%d sent, want all 51", n)
		}
		var order, want []delivery.ID
		for _, c := range calls {
			if c.id == fresh {
				if late := c.at - begin - 3*time.Second; late > time.Second {
					t.Errorf("the new event came %s late", late)
				}
				continue
			}
			order = append(order, c.id)
		}
		for _, p := range held {
			want = append(want, p.Deliveries[0].ID)
		}
		slices.Sort(order) // a step of the job moves some at once, and they go out side by side
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("sent (-held +sent):\n%s", diff)
		}
		if took := calls[50].at - begin; took < 9*time.Second || took > 11*time.Second {
			t.Errorf("50 at 5 a second took %s, want about 10 s", took)
		}
		if first := calls[0].at - begin; first > 100*time.Millisecond {
			t.Errorf("the first came after %s, want it at once", first)
		}
		if c := calls[0]; c.cycle != delivery.Automatic {
			t.Errorf("released as %s, want it to go on where it was", c.cycle)
		}
	})
}

func TestANarrowLaneIsWideAgainAfterASuccess(t *testing.T) {
	within(t, func(w *world) {
		const well = 5 * time.Minute
		w.policy.DisableAfter = 0
		w.answer = func(delivery.Lease) answer {
			if time.Since(w.began) < well {
				return answer{code: 503, after: time.Millisecond}
			}
			return answer{code: 200, after: time.Second}
		}
		w.endpoint("ep_1", nil)
		w.start()
		for range 4 {
			w.publish(1)
			time.Sleep(time.Second)
		}
		w.forget()
		w.publish(320)
		time.Sleep(well - time.Since(w.began))
		if !w.state("ep_1").Health.Narrow() || w.atOnce("ep_1") != 1 {
			t.Fatalf("health %+v and %d at once, want one at a time", w.state("ep_1").Health, w.atOnce("ep_1"))
		}
		w.forget()
		time.Sleep(2 * time.Minute) // for the spacing, and the retries of what failed before
		calls := w.seen("ep_1")
		if w.atOnce("ep_1") != 32 {
			t.Errorf("%d at once after the success, want all 32 slots", w.atOnce("ep_1"))
		}
		if wide := calls[32].at - calls[0].at; wide > 1100*time.Millisecond {
			t.Errorf("32 more went out %s after the first, which took 1 s; want them at its end", wide)
		}
		// One alone for a second, then ten rounds of 32.
		if took := calls[300].at - calls[0].at; took > 15*time.Second {
			t.Errorf("300 after the first success took %s, want about 11 s", took)
		}
		if v := w.state("ep_1"); v.Health != (delivery.Health{}) {
			t.Errorf("health = %+v, want none of it left", v.Health)
		}
		time.Sleep(3 * time.Hour)
		if n := w.count("ep_1", delivery.Delivered); n != 324 {
			t.Errorf("%d of 324 delivered", n)
		}
	})
}

func TestEnablingEndsThePauseOfAFailingEndpoint(t *testing.T) {
	within(t, func(w *world) {
		w.policy.SpacingFirst, w.policy.SpacingLongest = time.Hour, time.Hour
		w.answer = func(delivery.Lease) answer { return answer{code: 500, after: time.Millisecond} }
		w.endpoint("ep_1", nil)
		w.start()
		for range delivery.NarrowAfter { // one after the other, so that each counts
			w.publish(1)
			time.Sleep(time.Second)
		}
		for _, state := range []delivery.State{delivery.Disabled, delivery.Enabled} {
			if _, err := w.db.SetState(w.t.Context(), store.DefaultAccount, "ep_1", state, delivery.NotDisabled, time.Now()); err != nil {
				t.Fatal(err)
			}
			w.disp.Changed("ep_1")
			time.Sleep(time.Second)
		}
		w.answer = func(delivery.Lease) answer { return answer{code: 200, after: time.Millisecond} }
		fresh := w.publish(1)[0].Deliveries[0].ID
		time.Sleep(time.Second)
		if got := w.delivery(fresh).Status; got != delivery.Delivered {
			t.Errorf("a second after the endpoint was enabled, a new delivery is %s", got)
		}
	})
}

func TestWhatWaitsForADeletedEndpointIsDiscarded(t *testing.T) {
	within(t, func(w *world) {
		const all = 2500 // more than the deletion itself discards
		w.answer = func(delivery.Lease) answer {
			if time.Since(w.began) < 2*time.Second {
				return answer{code: 200, after: time.Second}
			}
			return answer{code: 500, after: time.Second} // so that one is to be retried when it is deleted
		}
		w.endpoint("ep_1", func(e *delivery.Endpoint) { e.Concurrency = 2 })
		w.backlog("ep_1", all)
		w.start()
		time.Sleep(2500 * time.Millisecond)
		if _, err := w.db.DeleteEndpoint(w.t.Context(), store.DefaultAccount, "ep_1", time.Now()); err != nil {
			t.Fatal(err)
		}
		w.disp.Changed("ep_1")
		at := time.Since(w.began)
		time.Sleep(5 * time.Hour)
		for _, c := range w.seen("ep_1") {
			if c.at > at {
				t.Errorf("delivery %d was sent %s after the endpoint was deleted", c.id, c.at-at)
			}
		}
		if delivered, discarded := w.count("ep_1", delivery.Delivered), w.count("ep_1", delivery.Discarded); delivered != 4 || discarded != all-4 {
			t.Errorf("%d delivered and %d discarded, want 4 and all others", delivered, discarded)
		}
	})
}

// reads is a queue that notes when an endpoint is read, and with how many secrets.
type reads struct {
	store.Store
	mu    sync.Mutex
	lanes []laneRead
}

type laneRead struct {
	at      time.Time
	secrets int
}

func (r *reads) Lane(ctx context.Context, id string, now time.Time) (store.Lane, error) {
	l, err := r.Store.Lane(ctx, id, now)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lanes = append(r.lanes, laneRead{time.Now(), len(l.Secrets)})
	return l, err
}

func TestAnOldSecretSignsNothingAfterItsOverlap(t *testing.T) {
	within(t, func(w *world) {
		q := &reads{Store: w.db}
		w.queue = q
		w.endpoint("ep_1", nil)
		end := w.began.Add(3500 * time.Millisecond)
		err := w.db.UpdateSecrets(w.t.Context(), store.DefaultAccount, "ep_1", time.Now(), func(secrets []store.Secret) ([]store.Secret, error) {
			old := store.Secret{ID: "sec_old", EndpointID: "ep_1", Role: store.Old, CreatedAt: time.Now(), ExpiresAt: end}
			old.Sealed = w.box.Seal(dispatch.SecretPurpose, store.DefaultAccount, old.ID, []byte(webhook.NewSecret().Reveal()))
			return append(secrets, old), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w.start()
		for range 8 { // less long than an endpoint is sent to as it was read
			w.publish(1)
			time.Sleep(time.Second)
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		if len(q.lanes) != 2 || q.lanes[0].secrets != 2 || q.lanes[1].secrets != 1 {
			t.Fatalf("read %+v, want it read twice: with both secrets and, when the overlap had ended, with one", q.lanes)
		}
		if late := q.lanes[1].at.Sub(end); late < 0 || late > time.Second {
			t.Errorf("read again %s after the end of the overlap, want it before the next attempt", late)
		}
		if n := w.sentOnce("ep_1"); n != 8 {
			t.Errorf("%d of 8 sent", n)
		}
	})
}

// A lease is 40 s. After 25 s in the lane another 25 s on the wire would outlast
// it, and another node would send the delivery a second time.
func TestALeaseThatWaitedTooLongIsGivenBackAndUsesNoAttempt(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{code: 200, after: 25 * time.Second})
		w.endpoint("ep_1", func(e *delivery.Endpoint) { e.Concurrency = 1 })
		a := w.newNode("node-a")
		for range 4 {
			_, err := a.pub.Publish(w.t.Context(), store.DefaultAccount, []publish.Input{{Type: "domain.added", Data: []byte(`{"domain":"example.com"}`)}})
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := w.count("ep_1", delivery.Sending); n != 4 {
			t.Fatalf("%d of 4 are leased by their acceptance; this story needs all", n)
		}
		b := w.newNode("node-b")
		time.Sleep(10 * time.Minute)
		a.stop()
		b.stop()
		if n := w.sentOnce("ep_1"); n != 4 {
			t.Errorf("%d of 4 sent", n)
		}
		if calls := w.seen("ep_1"); calls[1].at > 25*time.Second+100*time.Millisecond {
			t.Errorf("the second was sent after %s, want it once it was given back", calls[1].at)
		}
		for id := delivery.ID(1); id <= 4; id++ {
			d := w.delivery(id)
			attempts, err := w.db.Attempts(w.t.Context(), store.DefaultAccount, id)
			if err != nil || d.Status != delivery.Delivered || d.Attempts != 1 || d.Used != 1 || len(attempts) != 1 {
				t.Errorf("delivery = %+v with %d attempts, %v; want delivered by the first", d, len(attempts), err)
			}
		}
	})
}

func TestASlowEndpointHoldsNoPublisherBack(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{code: 200, after: 25 * time.Second})
		w.endpoint("ep_1", nil)
		w.start()
		for range 30 { // beyond the end of the first attempts, when leases that waited are given back
			before := time.Now()
			w.publish(20)
			if took := time.Since(before); took > 0 {
				t.Errorf("after %s, 20 events waited %s for an endpoint that takes 25 s to answer", before.Sub(w.began), took)
			}
			time.Sleep(time.Second)
		}
	})
}

// stock counts the deliveries that were claimed and not yet put on the wire.
type stock struct {
	store.Store
	mu         sync.Mutex
	have, most int
	widest     int // the most that one claim gave
}

func (s *stock) Claim(ctx context.Context, c store.Claim) ([]store.Claimed, error) {
	got, err := s.Store.Claim(ctx, c)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, one := range got {
		n += len(one.Leases)
	}
	s.have += n
	s.most, s.widest = max(s.most, s.have), max(s.widest, n)
	return got, err
}

func (s *stock) sent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have--
}

func TestALongBacklogIsDrainedWithFewRowsInMemory(t *testing.T) {
	within(t, func(w *world) {
		const all = 5000
		// What one lane may lease: its 32 slots and eight times as many ahead.
		const most = 32 + 8*32
		q := &stock{Store: w.db}
		w.queue = q
		w.answer = func(delivery.Lease) answer {
			q.sent()
			return answer{code: 200, after: time.Millisecond}
		}
		w.endpoint("ep_1", nil)
		w.backlog("ep_1", all)
		w.start()
		time.Sleep(time.Minute)
		if n := w.sentOnce("ep_1"); n != all || w.count("ep_1", delivery.Delivered) != all {
			t.Errorf("%d sent and %d delivered of %d", n, w.count("ep_1", delivery.Delivered), all)
		}
		if q.most > most || q.widest > 256 {
			t.Errorf("%d deliveries in memory, %d by one claim; want at most %d and 256", q.most, q.widest, most)
		}
		if q.have != 0 {
			t.Errorf("%d were claimed and never sent", q.have)
		}
	})
}

// node is another process on the same store: it sends through the same wire and
// counts what it sent.
type node struct {
	*world
	disp *dispatch.Dispatcher
	pub  *publish.Publisher
	stop func()

	mu   sync.Mutex
	sent int
}

func (n *node) Send(ctx context.Context, t *send.Target, l delivery.Lease) (delivery.Attempt, bool) {
	n.mu.Lock()
	n.sent++
	n.mu.Unlock()
	return n.world.Send(ctx, t, l)
}

func (w *world) newNode(name string) *node {
	w.t.Helper()
	policy, err := egress.NewPolicy(egress.Config{Dev: true})
	if err != nil {
		w.t.Fatal(err)
	}
	n := &node{world: w}
	n.disp = dispatch.New(dispatch.Config{
		Queue: w.queue, Wire: n, Egress: policy, Box: w.box, Policy: w.policy, Node: name,
		Concurrency: 32, ScanEvery: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	n.pub = publish.New(publish.Config{Store: w.db, Lanes: n.disp})
	ctx, cancel := context.WithCancel(w.t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := n.disp.Run(ctx); err != nil {
			w.t.Errorf("run: %v", err)
		}
	})
	n.stop = func() {
		cancel()
		ended.Wait()
	}
	return n
}

func TestTwoNodesShareTheWorkAndSendNothingTwice(t *testing.T) {
	within(t, func(w *world) {
		const waiting, perNode = 2000, 200
		w.answer = always(answer{code: 200, after: 100 * time.Millisecond})
		w.endpoint("ep_1", nil)
		w.endpoint("ep_2", func(e *delivery.Endpoint) { e.Events = []string{"scan.completed"} })
		w.backlog("ep_1", waiting)
		w.backlog("ep_2", waiting)
		a, b := w.newNode("node-a"), w.newNode("node-b")
		var publishers sync.WaitGroup
		for _, n := range []*node{a, b} {
			publishers.Go(func() {
				for range perNode {
					_, err := n.pub.Publish(w.t.Context(), store.DefaultAccount, []publish.Input{{Type: "domain.added", Data: []byte(`{"domain":"example.com"}`)}})
					if err != nil {
						t.Errorf("publish: %v", err)
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		publishers.Wait()
		b.stop() // and what it had leased goes back
		time.Sleep(5 * time.Minute)
		a.stop()
		if n := w.sentOnce("ep_1"); n != waiting+2*perNode {
			t.Errorf("%d of %d sent to ep_1", n, waiting+2*perNode)
		}
		if n := w.sentOnce("ep_2"); n != waiting {
			t.Errorf("%d of %d sent to ep_2", n, waiting)
		}
		for _, ep := range []string{"ep_1", "ep_2"} {
			if n := w.count(ep, delivery.Delivered); n != len(w.seen(ep)) {
				t.Errorf("%s: %d delivered of %d sent", ep, n, len(w.seen(ep)))
			}
		}
		if a.sent < 100 || b.sent < 100 {
			t.Errorf("node-a sent %d and node-b %d: the work is not shared", a.sent, b.sent)
		}
	})
}

// together is a queue that knows how many nodes live. A SQLite file, which has
// one node in earnest, does not count them.
type together struct {
	store.Store
	mu   sync.Mutex
	seen map[string]time.Time
}

func (s *together) Beat(_ context.Context, node string, now time.Time) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[node] = now
	living := 0
	for _, at := range s.seen {
		if now.Sub(at) < time.Minute {
			living++
		}
	}
	return living, nil
}

func (s *together) Leave(_ context.Context, node string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, node)
	return nil
}

func TestTwoNodesShareTheLimitsOfAnEndpoint(t *testing.T) {
	within(t, func(w *world) {
		w.queue = &together{Store: w.db, seen: map[string]time.Time{}}
		w.answer = always(answer{code: 200, after: time.Second})
		w.endpoint("ep_1", func(e *delivery.Endpoint) { e.Concurrency = 8 })
		a, b := w.newNode("node-a"), w.newNode("node-b")
		time.Sleep(10 * time.Second) // until each knows of the other
		w.backlog("ep_1", 400)
		time.Sleep(30 * time.Second)
		if w.atOnce("ep_1") != 8 {
			t.Errorf("%d at once, want the endpoint's 8 over both nodes", w.atOnce("ep_1"))
		}
		b.stop()
		time.Sleep(15 * time.Second) // until the other has looked again, and read the endpoint again
		w.forget()
		w.backlog("ep_1", 400)
		time.Sleep(3 * time.Second) // well before who is silent counts as gone
		if w.atOnce("ep_1") != 8 {
			t.Errorf("%d at once, want all 8 on the node that is left", w.atOnce("ep_1"))
		}
		a.stop()
	})
}
