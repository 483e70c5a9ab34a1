package api

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/feed"
)

// Feed tells what happens in an account, as it happens (feed.Feed).
type Feed interface {
	Subscribe(ctx context.Context, accountID string) (<-chan feed.Item, error)
}

// heartbeat keeps proxies from closing an idle stream; most wait 30 to 60 s.
const heartbeat = 15 * time.Second

// streamed is what one reader of a stream asked for.
type streamed struct {
	kinds    []string
	matcher  catalog.Matcher
	all      bool // any type of event
	endpoint string
}

// stream is GET /v1/stream: server-sent events until one of the two sides goes away.
func (s *Server) stream(x *exchange, r *http.Request, in *input) error {
	var q client.StreamOptions
	if err := in.read(r, 0, reflect.ValueOf(&q).Elem()); err != nil {
		return err
	}
	want, err := s.wanted(r.Context(), x.caller, q)
	if err != nil {
		return err
	}
	if q.EndpointID != "" {
		if _, err := s.Manager.Endpoint(r.Context(), x.caller, q.EndpointID); err != nil {
			return err
		}
	}
	x.Header().Set("Content-Type", "text/event-stream")
	x.Header().Set("X-Accel-Buffering", "no") // else nginx holds items back
	if r.Method == http.MethodHead {
		x.WriteHeader(http.StatusOK)
		return nil // its client uses the connection for the next request once it has the headers
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	items, err := s.Feed.Subscribe(ctx, x.caller.AccountID)
	if err != nil {
		return err
	}
	s.follow(x, r, items, want)
	return nil
}

func (s *Server) wanted(ctx context.Context, caller auth.Caller, q client.StreamOptions) (want streamed, err error) {
	want = streamed{kinds: q.Types, all: len(q.Events) == 0, endpoint: q.EndpointID}
	if !want.all {
		want.matcher, err = s.Manager.MatchEvents(ctx, caller, q.Events)
	}
	return want, err
}

// follow writes items until something ends it, and says in a comment what did.
func (s *Server) follow(x *exchange, r *http.Request, items <-chan feed.Item, want streamed) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	send := func(text []byte) bool { return push(x, text) == nil }
	ok := send([]byte(": heartbeat\n\n")) // sends the headers too: the reader knows that it is connected
	for ok {
		select {
		case <-r.Context().Done():
			return
		case <-s.Draining:
			send([]byte(": the server is shutting down, connect again\n\n"))
			return
		case <-beat.C:
			if _, err := s.Auth.Authenticate(r.Context(), authorization(r), r.RemoteAddr); err != nil {
				send([]byte(": the key is no longer valid\n\n"))
				return
			}
			ok = send([]byte(": heartbeat\n\n"))
		case item, more := <-items:
			if !more {
				send([]byte(": this reader was too slow and something was left out, connect again\n\n"))
				return
			}
			if want.item(item) {
				ok = send(itemText(item))
			}
		}
	}
}

// push writes and flushes; a reader that does not take it in time is given up.
func push(x *exchange, text []byte) error {
	if err := pour(x, text); err != nil {
		return err
	}
	return http.NewResponseController(x).Flush()
}

// item reports whether the reader asked for this.
func (w streamed) item(i feed.Item) bool {
	kind := client.KindEvent
	if i.Attempt != nil {
		kind = client.KindAttempt
	}
	switch {
	case len(w.kinds) > 0 && !slices.Contains(w.kinds, kind):
		return false
	case w.endpoint != "" && !slices.Contains(i.EndpointIDs, w.endpoint):
		return false
	}
	return w.all || w.matcher.Match(i.EventType)
}

// itemText writes an item as a server-sent event. A body and a summary are one line each.
func itemText(i feed.Item) []byte {
	var b bytes.Buffer
	if i.Attempt == nil {
		b.WriteString("event: event\nid: " + i.EventID + "\ndata: ")
		b.Write(i.Body)
		b.WriteString("\n\n")
		return b.Bytes()
	}
	b.WriteString("event: attempt\ndata: ")
	if err := encode(&b, streamAttemptTo(i)); err != nil {
		return nil // texts and numbers always encode
	}
	b.WriteString("\n")
	return b.Bytes()
}

func streamAttemptTo(i feed.Item) client.StreamAttempt {
	out := client.StreamAttempt{
		DeliveryID: idTo(i.Attempt.DeliveryID), EventID: i.EventID, EventType: i.EventType,
		Number: i.Attempt.Number, Cycle: string(i.Attempt.Cycle), Status: string(i.Attempt.Status),
		StatusCode: i.Attempt.StatusCode, ErrorClass: string(i.Attempt.Class),
		Total: milliseconds(i.Attempt.Total), EndedAt: client.At(i.Attempt.EndedAt),
	}
	if len(i.EndpointIDs) > 0 {
		out.EndpointID = i.EndpointIDs[0]
	}
	return out
}
