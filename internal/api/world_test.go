package api

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/feed"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/seal"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// world is a Server on a real database, reached over HTTP, with two accounts. Whatever
// goes over its transport is held against the OpenAPI document.
type world struct {
	*Server
	t      *testing.T
	db     *sqlstore.Store
	web    *httptest.Server
	http   *http.Client
	policy delivery.Policy
	feed   *fakeFeed
	drain  chan struct{}

	other string // the id of the second account

	mu   sync.Mutex
	seen map[string]int // status by pattern, 2xx preferred
}

// newWorld makes one; changes to the settings may be nil.
func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: filepath.Join(t.TempDir(), "test.db")})
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })

	policy := delivery.DefaultPolicy()
	policy.Schedule = delivery.Schedule{0} // one failure and it is in the dead letter queue
	policy.DisableAfter = 0
	w := &world{t: t, db: db, policy: policy, feed: &fakeFeed{items: make(chan feed.Item)}, drain: make(chan struct{}), seen: map[string]int{}}
	config := Config{
		Publisher: publish.New(publish.Config{Store: db, Lanes: parked{}}),
		Manager:   newManager(t, db, policy),
		Auth:      auth.NewAuthenticator(db, nil),
		Accounts:  db,
		Feed:      w.feed,
		Ping:      db.Ping,
		PortalURL: func(token string) string { return "https://hooks.example.com/portal?token=" + token },
		Version:   "1.2.3",
		Draining:  w.drain,
		Metrics:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
		Observe:   w.observe,
		Logger:    slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&config)
	}
	w.Server, err = New(config)
	check(t, err)
	w.web = httptest.NewServer(w.Server)
	t.Cleanup(w.web.Close)
	w.http = &http.Client{Transport: &checked{t: t, next: w.web.Client().Transport}}
	w.other = w.account("Other")
	return w
}

func newManager(t *testing.T, db testStore, policy delivery.Policy) *manage.Manager {
	t.Helper()
	targets, err := egress.NewPolicy(egress.Config{})
	check(t, err)
	key, err := seal.Parse(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	check(t, err)
	box, err := seal.NewBox(key)
	check(t, err)
	return manage.New(manage.Config{Store: db, Targets: targets, Box: box, Sender: &testSender{db, policy}, Policy: policy, Node: "node-1"})
}

func (w *world) observe(pattern string, status int, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before := w.seen[pattern]; before < 200 || before > 299 {
		w.seen[pattern] = status
	}
}

// account makes an account.
func (w *world) account(name string) string {
	w.t.Helper()
	a := store.Account{ID: "acc_" + name, Name: name, CreatedAt: moment()}
	check(w.t, w.db.CreateAccount(w.t.Context(), a))
	return a.ID
}

// key makes an API key and gives its text.
func (w *world) key(accountID string, scopes ...auth.Scope) string {
	w.t.Helper()
	return w.keyUntil(accountID, time.Time{}, scopes...)
}

func (w *world) keyUntil(accountID string, expires time.Time, scopes ...auth.Scope) string {
	w.t.Helper()
	text, key := auth.NewKey(accountID, "test", scopes, expires, moment())
	check(w.t, w.db.CreateKey(w.t.Context(), key))
	return text
}

// admin is a client of the default account that may do everything.
func (w *world) admin() *client.Client { return w.client(w.key(store.DefaultAccount, auth.Admin)) }

// user is a client of the second account that may do everything there.
func (w *world) user() *client.Client { return w.client(w.key(w.other, auth.Publish, auth.Manage)) }

func (w *world) client(key string) *client.Client {
	w.t.Helper()
	c, err := client.New(client.Config{Server: w.web.URL, APIKey: key, HTTPClient: w.http})
	check(w.t, err)
	return c
}

// endpoint makes an endpoint that receives everything.
func (w *world) endpoint(c *client.Client) client.Endpoint {
	w.t.Helper()
	return must(c.CreateEndpoint(w.t.Context(), client.NewEndpoint{URL: "https://example.com/hooks", Events: []string{"*"}}))(w.t)
}

// deliveries accepts n scans for an endpoint whose first attempt ends as class says.
func (w *world) deliveries(accountID, endpointID string, n int, class delivery.Class) []store.Published {
	w.t.Helper()
	batch := &store.Batch{AccountID: accountID}
	now := moment()
	for i := range n {
		id := uuid.NewString()
		body, err := webhook.EncodeBody(id, "scan.completed", now, []byte(`{"domain":"a<b>.example"}`))
		check(w.t, err)
		batch.Events = append(batch.Events, store.NewEvent{
			ID: id, Type: "scan.completed", CreatedAt: now, Body: body,
			Deliveries: []store.NewDelivery{{
				EndpointID: endpointID, Status: delivery.Sending, Cycle: delivery.Automatic,
				Token: int64(i + 1), Until: now.Add(time.Minute), Node: "node-1",
			}},
		})
	}
	published := must(w.db.Publish(w.t.Context(), batch))(w.t)
	results := make([]store.Result, n)
	for i, p := range published {
		l := delivery.Lease{
			ID: p.Deliveries[0].ID, AccountID: accountID, EndpointID: endpointID, EventID: p.EventID, EventType: p.Type,
			Token: int64(i + 1), Until: now.Add(time.Minute), Attempt: 1, Cycle: delivery.Automatic,
		}
		results[i] = store.Result{Lease: l, Attempt: attemptOf(l, class), Change: delivery.Decide(w.policy, l, attemptOf(l, class).Outcome, 0)}
	}
	must(w.db.Record(w.t.Context(), w.policy, results))(w.t)
	return published
}

// attemptOf is an attempt with everything in it that the API must render.
func attemptOf(l delivery.Lease, class delivery.Class) delivery.Attempt {
	now := moment()
	return delivery.Attempt{
		DeliveryID: l.ID, Number: l.Attempt, Cycle: l.Cycle, Node: "node-1",
		Outcome: delivery.Outcome{StartedAt: now, EndedAt: now.Add(42 * time.Millisecond), Class: class, StatusCode: 503},
		Hint:    "The receiver answered 503.",
		Timing:  delivery.Timing{DNS: time.Millisecond, Total: 42500 * time.Microsecond},
		Request: delivery.Request{URL: "https://example.com/hooks", Header: []delivery.Header{
			{Name: "X-ComplianceLayer-Event", Value: l.EventType}, {Name: "Authorization", Value: "Bearer planted-secret"},
		}},
		Response: delivery.Response{
			Proto: "HTTP/1.1", Header: []delivery.Header{{Name: "Server", Value: "x"}}, Body: []byte{0xff, 0xfe}, Truncated: true,
		},
	}
}

// do sends a request as it is and gives the answer with its body.
func (w *world) do(method, path, key, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	r := must(http.NewRequestWithContext(w.t.Context(), method, w.web.URL+path, nil))(w.t)
	if body != "" {
		r.Body = io.NopCloser(readerOf(body))
		r.ContentLength = int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res := must(w.http.Do(r))(w.t)
	defer res.Body.Close()
	return res, string(must(io.ReadAll(res.Body))(w.t))
}

// parked is the lanes of a server without a dispatcher: what is accepted waits.
type parked struct{}

func (parked) Now() time.Time                              { return moment() }
func (parked) Admit(context.Context, []string, int) func() { return func() {} }
func (parked) Reserve(endpointID string, _ int) store.NewDelivery {
	return store.NewDelivery{EndpointID: endpointID, Status: delivery.Pending, Cycle: delivery.Automatic}
}
func (parked) Hand(delivery.Lease) {}
func (parked) Release(string, int) {}
func (parked) Wake(string)         {}

// testStore is what the parts of a world need of the store.
type testStore interface {
	manage.Store
	Record(ctx context.Context, p delivery.Policy, results []store.Result) ([]store.Recorded, error)
}

// testSender makes attempts without a network and records them as the dispatcher would.
type testSender struct {
	db     testStore
	policy delivery.Policy
}

func (s *testSender) SendNow(ctx context.Context, l delivery.Lease) (delivery.Attempt, error) {
	a := attemptOf(l, delivery.OK)
	a.StatusCode = 204
	recorded, err := s.db.Record(ctx, s.policy, []store.Result{{Lease: l, Attempt: a, Change: delivery.Decide(s.policy, l, a.Outcome, 0)}})
	if err == nil && !recorded[0].Applied {
		err = errors.New("the lease does not hold")
	}
	return a, err
}

// fakeFeed hands on what a test puts into it.
type fakeFeed struct {
	items chan feed.Item
}

func (f *fakeFeed) Subscribe(context.Context, string) (<-chan feed.Item, error) { return f.items, nil }

func moment() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func number(id delivery.ID) string { return strconv.FormatInt(int64(id), 10) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must takes the results of a call that has to succeed.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

// refused takes the error of a call that has to be refused.
func refused(t *testing.T, err error) *client.Error {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *client.Error", err)
	}
	return e
}

func pointer[T any](v T) *T { return &v }
