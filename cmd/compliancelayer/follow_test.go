package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// feedServer plays a server whose stream breaks: each connection gives the next
// batch of its script. The lists know every event.
type feedServer struct {
	t         *testing.T
	streams   [][]webhook.Event // what each connection gives before it breaks
	published []webhook.Event   // what the list knows, oldest first
	refuse    int               // status of connections after the last of streams; 0 = they stay open
	connects  int
}

func (f *feedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/v1/stream":
		f.stream(w, r)
	case r.URL.Path == "/v1/events":
		f.list(w, r)
	default:
		f.one(w, r)
	}
}

func (f *feedServer) stream(w http.ResponseWriter, r *http.Request) {
	n := f.connects
	f.connects++
	if n >= len(f.streams) && f.refuse != 0 {
		w.WriteHeader(f.refuse)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Date", "Sun, 08 Mar 2026 12:00:00 GMT")
	fmt.Fprint(w, ": heartbeat\n\n")
	if n < len(f.streams) {
		for _, e := range f.streams[n] {
			fmt.Fprintf(w, "event: event\ndata: %s\n\n", f.body(e))
		}
		return
	}
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func (f *feedServer) body(e webhook.Event) string {
	body, err := e.MarshalBody()
	if err != nil {
		f.t.Error(err)
	}
	return string(body)
}

// list answers newest first, two a page.
func (f *feedServer) list(w http.ResponseWriter, r *http.Request) {
	from, err := time.Parse(time.RFC3339, r.URL.Query().Get("from"))
	if err != nil {
		f.t.Errorf("from: %v", err)
	}
	var rows []string
	skip, next := 0, "null"
	fmt.Sscan(r.URL.Query().Get("cursor"), &skip)
	for _, e := range slices.Backward(f.published) {
		if e.CreatedAt.Before(from) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(rows) == 2 {
			var before int
			fmt.Sscan(r.URL.Query().Get("cursor"), &before)
			next = fmt.Sprintf(`"%d"`, before+2)
			break
		}
		rows = append(rows, fmt.Sprintf(`{"id":%q,"type":%q,"created_at":%q}`, e.ID, e.Type, e.CreatedAt.Format(time.RFC3339)))
	}
	fmt.Fprintf(w, `{"data":[%s],"next_cursor":%s}`, strings.Join(rows, ","), next)
}

func (f *feedServer) one(w http.ResponseWriter, r *http.Request) {
	for _, e := range f.published {
		if strings.HasSuffix(r.URL.Path, "/"+e.ID) {
			fmt.Fprint(w, f.body(e))
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

// happened makes an event some seconds after noon.
func happened(id, kind string, seconds int) webhook.Event {
	noon := time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)
	return webhook.Event{ID: id, Type: kind, CreatedAt: noon.Add(time.Duration(seconds) * time.Second), Data: []byte(`{"n":1.50}`)}
}

// follows runs a follower until it has given as many events as wanted.
func follows(t *testing.T, feed *feedServer, patterns []string, want int) (ids []string, err error) {
	t.Helper()
	server := httptest.NewServer(feed)
	defer server.Close()
	c, _, _ := quiet()
	l := &listenCmd{Events: patterns}
	l.Server, l.APIKey = server.URL, "cl_key"
	f, err := l.follower(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = f.run(ctx, func(e listened) {
		if got, want := string(e.body), feed.body(e.event); got != want {
			t.Errorf("body %s, want %s", got, want)
		}
		ids = append(ids, e.event.ID)
		if len(ids) == want {
			cancel()
		}
	})
	return ids, err
}

func TestABrokenStreamLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	events := []webhook.Event{
		happened("before", "scan.completed", -5), happened("a", "scan.completed", 1), happened("b", "scan.completed", 2), happened("c", "scan.failed", 3),
		happened("other", "domain.added", 4), happened("d", "scan.completed", 5), happened("e", "scan.completed", 6),
	}
	feed := &feedServer{t: t, published: events, streams: [][]webhook.Event{{events[1]}, {events[5], events[6]}}}
	ids, err := follows(t, feed, []string{"scan.*"}, 5)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if got, want := strings.Join(ids, " "), "a b c d e"; got != want {
		t.Errorf("events %s, want %s: each once, oldest first, none from before", got, want)
	}
}

func TestAStreamThatCannotBeHadEndsListening(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		streams [][]webhook.Event
		refuse  int
	}{
		{"a wrong key", nil, http.StatusUnauthorized},
		{"a server in trouble at the beginning", nil, http.StatusServiceUnavailable},
		{"a key that was revoked meanwhile", [][]webhook.Event{{}}, http.StatusUnauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := follows(t, &feedServer{t: t, streams: tt.streams, refuse: tt.refuse}, nil, 1)
			if err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), fmt.Sprint(tt.refuse)) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestSeenForgetsTheOldestFirst(t *testing.T) {
	t.Parallel()
	s := newSeen()
	for i := range remembered + 1 {
		if !s.add(fmt.Sprint(i)) {
			t.Fatalf("%d was seen before", i)
		}
	}
	if s.has("0") || !s.has("1") || s.add("1") || len(s.ids) != remembered {
		t.Errorf("0 seen: %t, 1 seen: %t, %d remembered", s.has("0"), s.has("1"), len(s.ids))
	}
}
