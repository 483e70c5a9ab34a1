package receiver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/memstore"
	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// scanData is the data of a scan that ended well.
const scanData = `{"scan_id":12345,"job_id":67890,"domain":"example.com","score":85,"grade":"B","issues_count":8,"critical_issues":1,"high_issues":2,"medium_issues":3,"low_issues":3,"scanned_at":"2026-03-08T12:34:56.789Z","scan_duration_ms":2847}`

// kit is a receiver under test, within a bubble in which time is a number.
type kit struct {
	*receiver.Receiver
	t      *testing.T
	secret webhook.Secret
	store  receiver.Store
	logs   *logs
	stop   context.CancelFunc
	ended  chan struct{}
}

// newKit makes a receiver. What config leaves open is put; Run starts with start.
func newKit(t *testing.T, config receiver.Config) *kit {
	t.Helper()
	k := &kit{t: t, secret: webhook.NewSecret(), logs: &logs{}}
	if config.Secrets == nil {
		config.Secrets = []webhook.Secret{k.secret}
	}
	if config.Store == nil {
		config.Store = memstore.New(nil)
	}
	config.Logger = slog.New(slog.NewTextHandler(k.logs, nil))
	var err error
	if k.Receiver, err = receiver.New(config); err != nil {
		t.Fatalf("receiver.New: %v", err)
	}
	k.store = config.Store
	return k
}

// start works the inbox off until the test ends, or halt.
func (k *kit) start() *kit {
	ctx, stop := context.WithCancel(k.t.Context())
	k.stop, k.ended = stop, make(chan struct{})
	go func() {
		defer close(k.ended)
		if err := k.Run(ctx); err != nil {
			k.t.Errorf("Run: %v", err)
		}
	}()
	synctest.Wait()
	return k
}

// halt ends Run and waits for it.
func (k *kit) halt() {
	k.stop()
	<-k.ended
}

// send hands a signed request of an event to the receiver.
func (k *kit) send(event webhook.Event) *httptest.ResponseRecorder {
	return k.post(webhooktest.NewRequest(k.t, "/hooks", k.secret, event))
}

func (k *kit) post(req *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	k.ServeHTTP(answer, req)
	return answer
}

// want fails the test when an answer has another status.
func (k *kit) want(answer *httptest.ResponseRecorder, status int, when string) {
	k.t.Helper()
	if answer.Code != status {
		k.t.Errorf("%s: answered %d %q, want %d", when, answer.Code, answer.Body, status)
	}
}

// item gives an event as the store has it.
func (k *kit) item(id string) receiver.Item {
	k.t.Helper()
	items, _, err := k.store.List(k.t.Context(), receiver.Filter{IDs: []string{id}}, receiver.Page{})
	if err != nil || len(items) != 1 {
		k.t.Fatalf("List(%s): %d items, %v; want one", id, len(items), err)
	}
	return items[0]
}

// logs is where a receiver under test logs to.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// calls remembers what a handler was given, in order.
type calls struct {
	mu     sync.Mutex
	events []receiver.Event[json.RawMessage]
}

func (c *calls) add(e receiver.Event[json.RawMessage]) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
	return len(c.events)
}

func (c *calls) all() []receiver.Event[json.RawMessage] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.events
}

func (c *calls) ids() (ids []string) {
	for _, e := range c.all() {
		ids = append(ids, e.ID)
	}
	return ids
}

// metrics gives the receiver's metrics as Prometheus reads them.
func (k *kit) metrics() string {
	registry := prometheus.NewRegistry()
	registry.MustRegister(k.Receiver)
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequestWithContext(k.t.Context(), http.MethodGet, "/metrics", nil))
	return answer.Body.String()
}

// pass lets time pass, and what was to happen in it happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
