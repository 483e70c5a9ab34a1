package dispatch_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/seal"
	"github.com/compliancelayer/compliancelayer/internal/send"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// answer is what a receiver does with an attempt.
type answer struct {
	code  int            // a status code, or
	class delivery.Class // what went wrong before there was one
	after time.Duration
	wait  time.Duration // Retry-After
	hang  bool          // for ever, as the network allows
	body  []byte        // of a 200
}

// call is an attempt as the receivers saw it.
type call struct {
	endpoint string
	id       delivery.ID
	attempt  int
	at       time.Duration // since the world began
	cycle    delivery.Cycle
}

// world is a dispatcher and a publisher on a real SQLite file, in virtual time,
// with receivers that answer as a function says.
type world struct {
	t      *testing.T
	db     store.Store
	queue  dispatch.Queue
	box    *seal.Box
	policy delivery.Policy
	slots  int // of the node; 0 = the default
	began  time.Time

	disp   *dispatch.Dispatcher
	pub    *publish.Publisher
	stop   context.CancelFunc
	ended  sync.WaitGroup
	answer func(l delivery.Lease) answer
	sent   func() // at the end of each attempt, if there is one

	mu    sync.Mutex
	calls []call
	now   map[string]int // on the wire, by endpoint; "" = of all together
	most  map[string]int // at once, by endpoint; "" = of all together
}

// within runs a story in a bubble of virtual time.
func within(t *testing.T, story func(w *world)) {
	t.Helper()
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) {
		db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: path})
		if err != nil {
			t.Fatal(err)
		}
		key, err := seal.Parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
		if err != nil {
			t.Fatal(err)
		}
		box, err := seal.NewBox(key)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{
			t: t, db: db, queue: db, box: box, policy: delivery.DefaultPolicy(), began: time.Now(),
			answer: func(delivery.Lease) answer { return answer{code: 200, after: time.Millisecond} },
			now:    map[string]int{}, most: map[string]int{},
		}
		defer func() { // also when the story ends early: no goroutine may stay in the bubble
			if w.stop != nil {
				w.shutdown()
			}
			if err := db.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}()
		story(w)
	})
}

// start begins to dispatch; a story may change policy, queue and answer before.
func (w *world) start() {
	w.t.Helper()
	policy, err := egress.NewPolicy(egress.Config{Dev: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.disp = dispatch.New(dispatch.Config{
		Queue: w.queue, Wire: w, Egress: policy, Box: w.box, Policy: w.policy, Node: uuid.NewString(),
		Concurrency: 32, Slots: w.slots, ScanEvery: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	w.pub = publish.New(publish.Config{Store: w.db, Lanes: w.disp})
	var ctx context.Context
	ctx, w.stop = context.WithCancel(w.t.Context())
	disp := w.disp
	w.ended.Go(func() {
		if err := disp.Run(ctx); err != nil {
			w.t.Errorf("run: %v", err)
		}
	})
}

func (w *world) shutdown() {
	w.stop()
	w.ended.Wait()
	w.stop = nil
}

// Send stands in for the network.
func (w *world) Send(ctx context.Context, _ *send.Target, l delivery.Lease) (delivery.Attempt, bool) {
	a := delivery.Attempt{DeliveryID: l.ID, Number: l.Attempt, Cycle: l.Cycle, Node: "test"}
	a.StartedAt = time.Now()
	w.enter(l)
	how := w.answer(l)
	timer := time.NewTimer(min(how.after, w.policy.Timeout))
	if how.hang {
		timer.Stop()
	}
	select {
	case <-timer.C:
	case <-ctx.Done():
		how.class, how.code = delivery.Interrupted, 0
	}
	w.mu.Lock()
	w.now[l.EndpointID]--
	w.now[""]--
	w.mu.Unlock()
	if w.sent != nil {
		w.sent()
	}
	a.Response.Body = how.body
	a.EndedAt, a.StatusCode, a.Class, a.RetryAfter = time.Now(), how.code, how.class, how.wait
	switch {
	case how.after >= w.policy.Timeout && how.class == "":
		a.Class, a.StatusCode = delivery.ResponseTimeout, 0
	case how.code != 0:
		a.Class = delivery.ClassOf(how.code)
	}
	return a, false
}

func (w *world) enter(l delivery.Lease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call{l.EndpointID, l.ID, l.Attempt, time.Since(w.began), l.Cycle})
	for _, of := range []string{l.EndpointID, ""} {
		w.now[of]++
		w.most[of] = max(w.most[of], w.now[of])
	}
}

// Refuse stands in for send.Sender.Refuse.
func (w *world) Refuse(l delivery.Lease, _ string, err error) delivery.Attempt {
	w.t.Errorf("delivery %d refused: %v", l.ID, err)
	return delivery.Attempt{DeliveryID: l.ID, Number: l.Attempt, Outcome: delivery.Outcome{StartedAt: time.Now(), EndedAt: time.Now(), Class: delivery.LocalFault}}
}

// endpoint adds one that wants everything.
func (w *world) endpoint(id string, change func(*delivery.Endpoint)) {
	w.t.Helper()
	now := time.Now()
	e := delivery.Endpoint{
		ID: id, AccountID: store.DefaultAccount, URL: "http://127.0.0.1:8099/" + id, Events: []string{"*"},
		State: delivery.Enabled, CreatedAt: now, UpdatedAt: now,
	}
	if change != nil {
		change(&e)
	}
	sealed := w.box.Seal(dispatch.SecretPurpose, e.AccountID, "sec_"+id, []byte(webhook.NewSecret().Reveal()))
	s := store.Secret{ID: "sec_" + id, Role: store.Current, Sealed: sealed, CreatedAt: now}
	if err := w.db.CreateEndpoint(w.t.Context(), e, s, 1000); err != nil {
		w.t.Fatal(err)
	}
}

// publish accepts n events.
func (w *world) publish(n int) []store.Published {
	w.t.Helper()
	var all []store.Published
	for range n {
		all = append(all, w.publishAtOnce(1)...)
	}
	return all
}

// publishAtOnce accepts n events in one call.
func (w *world) publishAtOnce(n int) []store.Published {
	w.t.Helper()
	one := publish.Input{Type: "domain.added", Data: json.RawMessage(`{"domain":"example.com","added_at":"2026-03-08T12:34:56.789Z"}`)}
	done, err := w.pub.Publish(w.t.Context(), store.DefaultAccount, slices.Repeat([]publish.Input{one}, n))
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

// status reads where a delivery stands.
func (w *world) delivery(id delivery.ID) delivery.Delivery {
	w.t.Helper()
	d, err := w.db.Delivery(w.t.Context(), store.DefaultAccount, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// count counts an endpoint's deliveries by status.
func (w *world) count(endpoint string, status delivery.Status) int {
	w.t.Helper()
	n, err := w.db.CountDeliveries(w.t.Context(), store.DefaultAccount, store.DeliveryFilter{EndpointID: endpoint, Statuses: []delivery.Status{status}})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// seen gives the calls of an endpoint.
func (w *world) seen(endpoint string) []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []call
	for _, c := range w.calls {
		if c.endpoint == endpoint {
			all = append(all, c)
		}
	}
	return all
}

func (w *world) state(endpoint string) store.EndpointView {
	w.t.Helper()
	v, err := w.db.Endpoint(w.t.Context(), store.DefaultAccount, endpoint)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// atOnce gives how many attempts an endpoint had at once, at the most.
func (w *world) atOnce(endpoint string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most[endpoint]
}
