package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// TestMain also is the child of TestSpansAreWrittenWhenTheEnvironmentAsks.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	os.Exit(pgtest.Run(m))
}

const (
	// patience bounds what a test waits for; it is never used up unless it fails.
	patience = 30 * time.Second

	adminKey = "cl_tests00_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"
	sealKey  = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

// settings are those of a program in development mode with its database in dir.
func settings(dir string) Config {
	return Config{
		Listen: "127.0.0.1:0", Database: filepath.Join(dir, "test.db"), Dev: true, Policy: delivery.DefaultPolicy(),
		SecretKey: sealKey, APIKey: adminKey, Version: "1.2.3", Log: slog.New(slog.DiscardHandler),
	}
}

// world is a program that serves, with a client of everything and its log.
type world struct {
	*App
	*client.Client
	t     *testing.T
	log   *logged
	stop  context.CancelFunc
	ended chan error
}

// newWorld opens a program and serves until the end of the test; change may be nil.
func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, log: &logged{}, ended: make(chan error, 1)}
	cfg := settings(t.TempDir())
	cfg.Log = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if change != nil {
		change(&cfg)
	}
	var err error
	w.App, err = Open(t.Context(), cfg)
	must(t, err)
	w.Client = w.caller(adminKey)
	var ctx context.Context
	ctx, w.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { w.ended <- w.Serve(ctx) }()
	t.Cleanup(w.shutdown)
	return w
}

// shutdown ends the program, once, and expects it to end well.
func (w *world) shutdown() {
	w.t.Helper()
	w.stop()
	select {
	case err, first := <-w.ended:
		if err != nil {
			w.t.Errorf("serve: %v", err)
		}
		if first {
			close(w.ended)
		}
	case <-time.After(2 * patience):
		w.t.Error("serve does not end")
	}
}

// caller is a client with a key.
func (w *world) caller(key string) *client.Client {
	w.t.Helper()
	transport := &http.Transport{}
	w.t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(client.Config{Server: w.URL(), APIKey: key, HTTPClient: &http.Client{Transport: transport}})
	must(w.t, err)
	return c
}

// logged is a log that a test can read.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got gives what a call answered, or ends the test.
func got[T any](answer T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return answer
	}
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !ask() {
		select {
		case <-again.C:
		case <-limit.C:
			t.Fatalf("not in %s: %s", patience, what)
		}
	}
}

// request is what a receiver got.
type request struct {
	header http.Header
	body   []byte
	at     time.Time
}

// signatures lists the entries of webhook-signature.
func (r request) signatures() []string {
	return strings.Fields(r.header.Get(webhook.StandardSignatureHeader))
}

// signedBy reports whether the current secret of the request is this one.
func (r request) signedBy(secret webhook.Secret) bool {
	_, err := webhook.VerifySimple(r.body, r.header.Get(webhook.SignatureHeader), secret)
	return err == nil
}

// listed reports whether webhook-signature has an entry of this secret.
func (r request) listed(secret webhook.Secret) bool {
	res, err := webhook.Verify(r.header, r.body, r.at, 0, secret)
	return err == nil && res.Scheme == webhook.SchemeStandard
}

// receiver is a real HTTP server that keeps what it got.
type receiver struct {
	*httptest.Server
	got    chan request
	answer func(w http.ResponseWriter, r *http.Request) // nil = 200
}

func newReceiver(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	r := &receiver{got: make(chan request, 10_000), answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the connection broke: that is not a request
	}
	r.got <- request{req.Header.Clone(), body, time.Now()}
	if r.answer != nil {
		r.answer(w, req)
	}
}

// next gives the next request.
func (r *receiver) next(t *testing.T) request {
	t.Helper()
	select {
	case req := <-r.got:
		return req
	case <-time.After(patience):
		t.Fatal("nothing arrives")
		return request{}
	}
}

// endpoint makes an endpoint that wants everything, and gives its secret.
func (w *world) endpoint(url string, change func(*client.NewEndpoint)) (client.Endpoint, webhook.Secret) {
	w.t.Helper()
	in := client.NewEndpoint{URL: url, Events: []string{"*"}}
	if change != nil {
		change(&in)
	}
	e := got(w.CreateEndpoint(w.t.Context(), in))(w.t)
	return e, secretOf(w.t, e.Secret)
}

func secretOf(t *testing.T, text string) webhook.Secret {
	t.Helper()
	return got(webhook.ParseSecret(text))(t)
}

// publish accepts an event.
func (w *world) publish() client.AcceptedEvent {
	w.t.Helper()
	in := client.NewEvent{Type: "domain.added", Data: json.RawMessage(`{"domain":"example.com","note":"<&>"}`)}
	return got(w.Publish(w.t.Context(), in))(w.t)
}

// ends waits until a delivery has a status.
func (w *world) ends(id, status string) client.DeliveryLog {
	w.t.Helper()
	var d client.DeliveryLog
	eventually(w.t, fmt.Sprintf("delivery %s is %s", id, status), func() bool {
		d = got(w.Delivery(w.t.Context(), id))(w.t)
		return d.Status == status
	})
	return d
}

// page fetches a page, with a key or without.
func page(t *testing.T, url, key string) (int, string) {
	t.Helper()
	req := got(http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil))(t)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res := got(http.DefaultClient.Do(req))(t)
	defer res.Body.Close()
	return res.StatusCode, string(got(io.ReadAll(res.Body))(t))
}
