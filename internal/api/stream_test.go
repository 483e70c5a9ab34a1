package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/feed"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func eventItem(id, eventType string, endpoints ...string) feed.Item {
	return feed.Item{EventID: id, EventType: eventType, EndpointIDs: endpoints, Body: []byte(`{"id":"` + id + `","data":"<&>"}`)}
}

func attemptItem(eventType, endpoint string) feed.Item {
	return feed.Item{EventID: "e1", EventType: eventType, EndpointIDs: []string{endpoint}, Attempt: &feed.Attempt{
		DeliveryID: 7, Number: 2, Cycle: delivery.Manual, Status: delivery.Failed, Class: delivery.ServerError, StatusCode: 503,
		Total: 1500 * time.Microsecond, EndedAt: time.Date(2026, 3, 8, 12, 34, 56, 789e6, time.UTC),
	}}
}

// TestStreamOverHTTP reads a real stream with the client.
func TestStreamOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	go func() {
		w.feed.items <- eventItem("e1", "scan.completed", "ep_1")
		w.feed.items <- attemptItem("scan.completed", "ep_1")
		close(w.feed.items)
	}()
	var got []client.StreamItem
	var ended error
	for item, err := range w.client(w.key(w.other, auth.Read)).Stream(t.Context(), client.StreamOptions{}) {
		if err != nil {
			ended = err
			break
		}
		got = append(got, item)
	}
	if !errors.Is(ended, client.ErrStreamEnded) || !strings.Contains(ended.Error(), "too slow") {
		t.Errorf("the stream ended with %v, want that the reader was too slow", ended)
	}
	want := []client.StreamItem{
		{Kind: "event", Event: []byte(`{"id":"e1","data":"<&>"}`)},
		{Kind: "attempt", Attempt: &client.StreamAttempt{
			DeliveryID: "7", EventID: "e1", EventType: "scan.completed", EndpointID: "ep_1", Number: 2, Cycle: "manual",
			Status: "failed", StatusCode: 503, ErrorClass: "server_error", Total: 1.5, EndedAt: client.At(time.Date(2026, 3, 8, 12, 34, 56, 789e6, time.UTC)),
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
}

// A HEAD request has no body that could go on: its client has the answer with the headers, and sends
// the next request on the same connection.
func TestStreamAnswersHeadAndTakesTheNextRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	key := w.key(w.other, auth.Read)
	res, body := w.do(http.MethodHead, "/v1/stream", key, "")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" || body != "" {
		t.Errorf("%d %v %q", res.StatusCode, res.Header, body)
	}
	// Or the test hangs and fails.
	if res, _ := w.do(http.MethodGet, "/healthz", "", ""); res.StatusCode != http.StatusOK {
		t.Errorf("the request after it: %d", res.StatusCode)
	}
}

func TestStreamFilters(t *testing.T) {
	t.Parallel()
	items := []feed.Item{
		eventItem("e1", "scan.completed", "ep_1"), eventItem("e2", "scan.completed", "ep_2"), eventItem("e3", "domain.added"),
		attemptItem("scan.completed", "ep_1"), attemptItem("domain.added", "ep_2"),
	}
	tests := []struct {
		name  string
		query client.StreamOptions
		want  []int
	}{
		{"everything", client.StreamOptions{}, []int{0, 1, 2, 3, 4}},
		{"events only", client.StreamOptions{Types: []string{"event"}}, []int{0, 1, 2}},
		{"attempts only", client.StreamOptions{Types: []string{"attempt"}}, []int{3, 4}},
		{"a type of event", client.StreamOptions{Events: []string{"domain.added"}}, []int{2, 4}},
		{"a pattern", client.StreamOptions{Events: []string{"scan.*"}}, []int{0, 1, 3}},
		{"an endpoint", client.StreamOptions{EndpointID: "ep_2"}, []int{1, 4}},
		{"all of them", client.StreamOptions{EndpointID: "ep_1", Events: []string{"scan.*"}, Types: []string{"attempt"}}, []int{3}},
	}
	w, caller := newWorld(t, nil), auth.Caller{AccountID: store.DefaultAccount, Scopes: auth.Scopes{auth.Read}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := must(w.wanted(t.Context(), caller, tt.query))(t)
			var got []int
			for i, item := range items {
				if want.item(item) {
					got = append(got, i)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
		})
	}
}

// line is a reader of a stream in memory.
type line struct {
	mu        sync.Mutex
	text      strings.Builder
	deadlines []time.Time
	broken    bool
	untimed   bool // the read timeout was lifted
	header    http.Header
}

func (l *line) Header() http.Header { return l.header }
func (l *line) WriteHeader(int)     {}
func (l *line) Flush()              {}
func (l *line) SetWriteDeadline(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadlines = append(l.deadlines, at)
	return nil
}

func (l *line) SetReadDeadline(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.untimed = at.IsZero()
	return nil
}

func (l *line) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return 0, errors.New("too slow")
	}
	return l.text.Write(p)
}

func (l *line) read() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// flakyAuth knows a key until it is told not to.
type flakyAuth struct{ ended atomic.Bool }

func (a *flakyAuth) Authenticate(context.Context, string, string) (auth.Caller, error) {
	if a.ended.Load() {
		return auth.Caller{}, auth.ErrRevoked
	}
	return auth.Caller{AccountID: "acc_1", KeyID: "key_1", Scopes: auth.Scopes{auth.Read}}, nil
}

// streamInBubble runs a stream within a synctest bubble; drive steers it.
func streamInBubble(t *testing.T, drive func(t *testing.T, l *line, feed *fakeFeed, keys *flakyAuth, drain chan struct{}, leave func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		feed, keys, drain := &fakeFeed{items: make(chan feed.Item)}, &flakyAuth{}, make(chan struct{})
		s := must(New(Config{Auth: keys, Feed: feed, Draining: drain}))(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := &line{header: http.Header{}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.ServeHTTP(l, httptest.NewRequest(http.MethodGet, "/v1/stream", nil).WithContext(ctx))
		}()
		synctest.Wait()
		drive(t, l, feed, keys, drain, cancel)
		<-done // the stream has ended, or the test hangs and fails
	})
}

func TestStreamBeatsWhileNothingHappens(t *testing.T) {
	t.Parallel()
	streamInBubble(t, func(t *testing.T, l *line, _ *fakeFeed, _ *flakyAuth, _ chan struct{}, leave func()) {
		if got := l.read(); got != ": heartbeat\n\n" || l.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("at once: got %q with %v", got, l.header)
		}
		l.mu.Lock()
		if !l.untimed {
			t.Error("the server's read timeout still holds and would end the stream")
		}
		l.mu.Unlock()
		time.Sleep(heartbeat * 2)
		synctest.Wait()
		if got := strings.Count(l.read(), ": heartbeat\n\n"); got != 3 {
			t.Errorf("after two beats: got %d heartbeats, want 3", got)
		}
		leave()
	})
}

func TestStreamEndsWhenTheKeyDoes(t *testing.T) {
	t.Parallel()
	streamInBubble(t, func(t *testing.T, l *line, _ *fakeFeed, keys *flakyAuth, _ chan struct{}, _ func()) {
		keys.ended.Store(true)
		time.Sleep(heartbeat)
		synctest.Wait()
		if got := l.read(); !strings.HasSuffix(got, ": the key is no longer valid\n\n") {
			t.Errorf("got %q, want the reason", got)
		}
	})
}

func TestStreamEndsAtShutdown(t *testing.T) {
	t.Parallel()
	streamInBubble(t, func(t *testing.T, l *line, _ *fakeFeed, _ *flakyAuth, drain chan struct{}, _ func()) {
		close(drain)
		synctest.Wait()
		if got := l.read(); !strings.Contains(got, "shutting down") {
			t.Errorf("got %q, want the reason", got)
		}
	})
}

func TestStreamGivesUpAReaderThatDoesNotRead(t *testing.T) {
	t.Parallel()
	streamInBubble(t, func(t *testing.T, l *line, feed *fakeFeed, _ *flakyAuth, _ chan struct{}, _ func()) {
		l.mu.Lock()
		l.broken = true
		l.mu.Unlock()
		feed.items <- eventItem("e1", "scan.completed")
		synctest.Wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		if last := l.deadlines[len(l.deadlines)-1]; last != time.Now().Add(writeTime) {
			t.Errorf("the write had until %s, want %s", last, time.Now().Add(writeTime))
		}
	})
}
