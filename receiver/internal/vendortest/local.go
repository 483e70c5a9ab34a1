// Package vendortest plays the vendors that integrations post to: local servers that
// refuse what the vendors' documentation does not allow, answer as the vendors do, and
// remember what was posted. A server can be stopped and started at the same address,
// and told to misbehave. It is for tests alone and knows nothing of the integrations.
package vendortest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Trouble is what happens to one request instead of a proper answer.
type Trouble struct {
	Done   bool              // the request is carried out all the same
	Status int               // of the answer; 0 means 200
	Header map[string]string // of the answer
	Body   string            // of the answer
	Reset  bool              // the connection ends after Body, with more of it announced
	Hold   bool              // no answer before the client gives up or the server stops
}

// Local is what the servers share: an address, its troubles, and what it refused.
type Local struct {
	// URL is where it listens, without a path.
	URL string

	t       testing.TB
	name    string
	handler http.Handler

	mu       sync.Mutex
	running  *httptest.Server // nil while stopped
	stopped  chan struct{}    // closed by Stop
	troubles map[string][]Trouble
	requests []string
	refused  []string
	expected bool
	changed  chan struct{} // closed and renewed with each request
}

// newLocal starts a server that ends with the test. A request that it refused for its
// form fails the test, unless ExpectRefusals was called.
func newLocal(t testing.TB, name string, handler http.Handler) *Local {
	t.Helper()
	l := &Local{t: t, name: name, handler: handler, troubles: map[string][]Trouble{}, changed: make(chan struct{})}
	l.listen("127.0.0.1:0")
	l.URL = l.running.URL
	t.Cleanup(func() {
		l.Stop()
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.refused) > 0 && !l.expected {
			t.Errorf("%s refused what is not in its documentation:\n%s", name, strings.Join(l.refused, "\n"))
		}
	})
	return l
}

func (l *Local) listen(address string) {
	l.t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		l.t.Fatalf("%s: %v", l.name, err)
	}
	running := httptest.NewUnstartedServer(http.HandlerFunc(l.serve))
	_ = running.Listener.Close()
	running.Listener = listener
	running.Start()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running, l.stopped = running, make(chan struct{})
}

// Stop ends the server and its connections; whoever calls is refused.
func (l *Local) Stop() {
	l.mu.Lock()
	running := l.running
	if running != nil {
		close(l.stopped)
	}
	l.running = nil
	l.mu.Unlock()
	if running != nil {
		running.CloseClientConnections()
		running.Close()
	}
}

// Start begins again at the same address, with all that was posted.
func (l *Local) Start() {
	l.t.Helper()
	l.listen(strings.TrimPrefix(l.URL, "http://"))
}

// Next lets troubles happen to the next requests of a path, one each.
func (l *Local) Next(path string, troubles ...Trouble) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.troubles[path] = append(l.troubles[path], troubles...)
}

// ExpectRefusals lets the test go on when a request is refused for its form.
func (l *Local) ExpectRefusals() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected = true
}

// Requests gives method and path of all requests, in the order in which they came.
func (l *Local) Requests() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.requests...)
}

// Changed is closed when the next request has been dealt with, or is held.
func (l *Local) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *Local) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // the client went away
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	trouble, stopped := l.came(r)
	proper := httptest.NewRecorder()
	if trouble == nil || trouble.Done {
		l.handler.ServeHTTP(proper, r)
	}
	l.tell()
	if trouble == nil {
		for name, values := range proper.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(proper.Code)
		_, _ = w.Write(proper.Body.Bytes())
		return
	}
	trouble.answer(w, r, stopped)
}

func (l *Local) came(r *http.Request) (*Trouble, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, r.Method+" "+r.URL.Path)
	waiting := l.troubles[r.URL.Path]
	if len(waiting) == 0 {
		return nil, l.stopped
	}
	l.troubles[r.URL.Path] = waiting[1:]
	return &waiting[0], l.stopped
}

func (l *Local) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
}

func (t Trouble) answer(w http.ResponseWriter, r *http.Request, stopped <-chan struct{}) {
	if t.Hold {
		select {
		case <-r.Context().Done():
		case <-stopped:
		}
		panic(http.ErrAbortHandler)
	}
	for name, value := range t.Header {
		w.Header().Set(name, value)
	}
	if t.Reset {
		w.Header().Set("Content-Length", fmt.Sprint(len(t.Body)+1))
	}
	if t.Status != 0 {
		w.WriteHeader(t.Status)
	}
	_, _ = io.WriteString(w, t.Body)
	if t.Reset {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// refuse notes a request that the vendor's documentation does not allow.
func (l *Local) refuse(r *http.Request, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = append(l.refused, r.Method+" "+r.URL.Path+": "+why)
}

// exactly reads a body of JSON that has no field that v does not know.
func exactly(r *http.Request, v any) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	return strict(raw, v)
}

func say(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a client that went away is its own affair
}
