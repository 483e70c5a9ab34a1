package notify_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/notify"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/seal"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// every is how often a Notifier of these tests looks by itself.
const every = time.Minute

// canaries stand in what an endpoint and an attempt know and nobody may be told.
var canaries = []string{"canary-user", "canary-password", "canary-query", "canary-fragment", "canary-header", "canary-request", "canary-answer", "canary-body", "canary-local", "canary-sealed"}

// world is a Notifier on a real SQLite file in virtual time. Attempts are
// written by the tests themselves, so that they cause the notices they want.
type world struct {
	t         *testing.T
	db        *sqlstore.Store
	policy    delivery.Policy
	store     notify.Store     // nil = db
	publisher notify.Publisher // nil = a real one on db
	box       *seal.Box        // dispatch makes it
	mailed    func()           // nil = nobody is told by mail
	every     time.Duration    // 0 = every

	notifier *notify.Notifier
	log      lines
	cancel   context.CancelFunc
	ended    chan error
}

// within runs a story in a bubble.
func within(t *testing.T, story func(w *world)) {
	t.Helper()
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) {
		db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: path})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, db: db, policy: delivery.DefaultPolicy()}
		story(w)
		if w.cancel != nil {
			w.cancel()
			if err := <-w.ended; err != nil {
				t.Errorf("run: %v", err)
			}
		}
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

// start runs the Notifier.
func (w *world) start() {
	w.t.Helper()
	if w.store == nil {
		w.store = w.db
	}
	if w.publisher == nil {
		w.publisher = publish.New(publish.Config{Store: w.db, Lanes: parked{}})
	}
	w.notifier = notify.New(notify.Config{
		Store: w.store, Publisher: w.publisher, Policy: w.policy, Every: cmp.Or(w.every, every), Mailed: w.mailed,
		Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	w.cancel, w.ended = cancel, make(chan error, 1)
	go func() { w.ended <- w.notifier.Run(ctx) }()
	synctest.Wait()
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// parked are lanes of a node that sends nothing: all deliveries wait on disk.
type parked struct{}

func (parked) Now() time.Time                              { return time.Now() }
func (parked) Admit(context.Context, []string, int) func() { return func() {} }
func (parked) Reserve(endpointID string, _ int) store.NewDelivery {
	return store.NewDelivery{EndpointID: endpointID, Status: delivery.Pending, Cycle: delivery.Automatic}
}
func (parked) Hand(delivery.Lease) {}
func (parked) Release(string, int) {}
func (parked) Wake(string)         {}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// endpoint adds an enabled endpoint of an account, full of secrets.
func (w *world) endpoint(account, id string, events ...string) {
	w.t.Helper()
	e := delivery.Endpoint{
		ID: id, AccountID: account, Description: "Ticket system", Events: events, State: delivery.Enabled,
		URL:       "https://canary-user:canary-password@receiver.example/hooks/" + id + "?token=canary-query#canary-fragment",
		Headers:   []delivery.Header{{Name: "X-Token", Value: "canary-header"}},
		CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	secret := store.Secret{ID: "sec_" + id, Role: store.Current, Sealed: []byte("canary-sealed"), CreatedAt: time.Now()}
	w.must(w.db.CreateEndpoint(w.t.Context(), e, secret, 1000))
}

// fail lets n events of a type fail for an endpoint, one after the other: the
// first attempt of each is answered with 503.
func (w *world) fail(endpoint, eventType string, n int) {
	w.t.Helper()
	for range n {
		time.Sleep(time.Second)
		l := w.lease(endpoint, eventType)
		a := failed(l)
		c := delivery.Decide(w.policy, l, a.Outcome, 0)
		_, err := w.db.Record(w.t.Context(), w.policy, []store.Result{{Lease: l, Attempt: a, Change: c}})
		w.must(err)
	}
}

// lease accepts an event for an endpoint of the default account, leased at once.
func (w *world) lease(endpoint, eventType string) delivery.Lease {
	w.t.Helper()
	l := delivery.Lease{
		AccountID: store.DefaultAccount, EndpointID: endpoint, EventID: uuid.NewString(), EventType: eventType, Body: []byte("{}"),
		Token: 7, Until: time.Now().Add(time.Minute), Attempt: 1, Cycle: delivery.Automatic,
	}
	done, err := w.db.Publish(w.t.Context(), &store.Batch{AccountID: l.AccountID, Events: []store.NewEvent{{
		ID: l.EventID, Type: eventType, CreatedAt: time.Now(), Body: l.Body,
		Deliveries: []store.NewDelivery{{EndpointID: endpoint, Status: delivery.Sending, Cycle: l.Cycle, Token: l.Token, Until: l.Until, Node: "node-1"}},
	}}})
	w.must(err)
	l.ID = done[0].Deliveries[0].ID
	return l
}

// failed is an attempt that was answered with 503.
func failed(l delivery.Lease) delivery.Attempt {
	now := time.Now()
	return delivery.Attempt{
		DeliveryID: l.ID, Number: l.Attempt, Cycle: l.Cycle, Node: "node-1",
		Outcome:   delivery.Outcome{StartedAt: now, EndedAt: now.Add(time.Millisecond), Class: delivery.ServerError, StatusCode: 503},
		Hint:      "receiver.example answered 503.",
		Request:   delivery.Request{URL: "https://receiver.example/?canary-request", Header: []delivery.Header{{Name: "X-Token", Value: "canary-request"}}},
		Response:  delivery.Response{Proto: "HTTP/1.1", Header: []delivery.Header{{Name: "Set-Cookie", Value: "canary-answer"}}, Body: []byte("canary-body")},
		LocalInfo: "canary-local",
	}
}

// told reads the operational events on disk, oldest first, and to whom they go.
func (w *world) told(account string) []told {
	w.t.Helper()
	events, _, err := w.db.ListEvents(w.t.Context(), account, store.EventFilter{}, store.Page{Limit: 1000})
	w.must(err)
	var all []told
	for _, e := range events {
		if !strings.HasPrefix(e.Type, "endpoint.") && !strings.HasPrefix(e.Type, "delivery.") {
			continue
		}
		full, err := w.db.Event(w.t.Context(), account, e.ID)
		w.must(err)
		parsed, err := webhook.ParseEvent(full.Body)
		if err != nil {
			continue // a test's own, made to fail
		}
		one := told{eventType: e.Type, id: e.ID, data: map[string]any{}, body: string(full.Body)}
		w.must(json.Unmarshal(parsed.Data, &one.data))
		ds, _, err := w.db.ListDeliveries(w.t.Context(), account, store.DeliveryFilter{EventID: e.ID}, store.Page{Limit: 100})
		w.must(err)
		for _, d := range ds {
			one.to = append(one.to, d.EndpointID)
		}
		slices.Sort(one.to)
		all = append(all, one)
	}
	slices.Reverse(all)
	return all
}

type told struct {
	eventType, id string
	to            []string
	data          map[string]any
	body          string
}

// notices reads what is still to be told.
func (w *world) notices() []store.NoticeRow {
	w.t.Helper()
	rows, err := w.db.ListNotices(w.t.Context(), 1000)
	w.must(err)
	return rows
}

// types lists the types of events, for short messages.
func types(all []told) string {
	var names []string
	for _, e := range all {
		names = append(names, fmt.Sprintf("%s to %v", e.eventType, e.to))
	}
	return strings.Join(names, ", ")
}
