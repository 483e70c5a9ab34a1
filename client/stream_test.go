package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadItems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, stream string
		want         []string
		ends         string // part of the error
	}{
		{"an event", "event: event\nid: e1\ndata: {\"a\":1}\n\n", []string{`event {"a":1}`}, "ended"},
		{"an attempt", "event: attempt\ndata: {\"delivery_id\":\"7\"}\n\n", []string{"attempt 7"}, "ended"},
		{"no space after the colon", "event:event\ndata:{}\n\n", []string{"event {}"}, "ended"},
		{"data on several lines", "event: event\ndata: {\ndata: }\n\n", []string{"event {\n}"}, "ended"},
		{"other ends of lines", "event: event\r\ndata: {}\r\n\r\n", []string{"event {}"}, "ended"},
		{"kinds that are not known", "event: job\ndata: {}\n\ndata: {}\n\nevent: event\ndata: 1\n\n", []string{"event 1"}, "ended"},
		{"heartbeats", ": heartbeat\n\n: heartbeat\n\n", nil, "the stream ended"},
		{"a reason", ": heartbeat\n\n: the key is no longer valid\n\n", nil, "the key is no longer valid"},
		{"half an item", "event: event\ndata: {}", nil, "ended"},
		{"an attempt that cannot be read", "event: attempt\ndata: {\n\n", nil, "cannot be read"},
		{"a line without an end", "data: " + strings.Repeat("x", maxItem), nil, "too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			err := readItems(strings.NewReader(tt.stream), func(i StreamItem) bool {
				if i.Attempt != nil {
					got = append(got, i.Kind+" "+i.Attempt.DeliveryID)
				} else {
					got = append(got, i.Kind+" "+string(i.Event))
				}
				return true
			})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			if err == nil || !strings.Contains(err.Error(), tt.ends) {
				t.Errorf("ended with %v, want %q", err, tt.ends)
			}
		})
	}
}

func TestStreamAsksForWhatIsWanted(t *testing.T) {
	t.Parallel()
	var query, accept string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		query, accept = r.URL.RawQuery, r.Header.Get("Accept")
		_, _ = io.WriteString(w, "event: event\ndata: 1\n\nevent: event\ndata: 2\n\n")
	})
	n := 0
	for item, err := range c.Stream(t.Context(), StreamOptions{Events: []string{"scan.*", "a"}, Types: []string{KindEvent}, EndpointID: "ep_1"}) {
		if err != nil || string(item.Event) != "1" {
			t.Errorf("got %+v, %v", item, err)
		}
		n++
		break
	}
	if n != 1 || query != "endpoint_id=ep_1&events=scan.%2A%2Ca&types=event" || accept != "text/event-stream" {
		t.Errorf("%d items, query %s, accept %s", n, query, accept)
	}
}

func TestStreamEndsWithTheCallersContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "event: event\ndata: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	var last error
	for _, err := range c.Stream(ctx, StreamOptions{}) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v, want that the context ended", last)
	}
}

func TestStreamThatIsRefused(t *testing.T) {
	t.Parallel()
	c := answering(t, 403, `{"error":"forbidden","message":"No.","status":403}`)
	var e *Error
	for _, err := range c.Stream(t.Context(), StreamOptions{}) {
		if !errors.As(err, &e) || e.Code != CodeForbidden {
			t.Errorf("got %v, want forbidden", err)
		}
	}
	for _, err := range c.ExportDeadLetters(t.Context(), DeadLetterQuery{}) {
		if !errors.As(err, &e) || e.Code != CodeForbidden {
			t.Errorf("export: got %v, want forbidden", err)
		}
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "application/x-ndjson" || r.URL.RawQuery != "type=a.b" {
			t.Errorf("sent %s with Accept %s", r.URL, r.Header.Get("Accept"))
		}
		_, _ = io.WriteString(w, "{\"id\":\"1\"}\n{\"id\":\"2\"}\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // breaks the connection
	})
	var ids []string
	var last error
	for d, err := range c.ExportDeadLetters(t.Context(), DeadLetterQuery{Type: "a.b", Group: "cause", PageQuery: PageQuery{Limit: 3}}) {
		if last = err; err == nil {
			ids = append(ids, d.ID)
		}
	}
	if diff := cmp.Diff([]string{"1", "2"}, ids); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if !errors.Is(last, io.ErrUnexpectedEOF) {
		t.Errorf("ended with %v, want that it broke off", last)
	}
	for _, err := range answering(t, 200, "{\"id\":\"1\"}\nnonsense\n").ExportDeadLetters(t.Context(), DeadLetterQuery{}) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "not a delivery") {
		t.Errorf("a bad line: ended with %v", last)
	}
}
