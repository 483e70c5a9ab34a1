package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// listened is an event that was heard of, with its exact body.
type listened struct {
	event webhook.Event
	body  []byte
}

// follower reads a server's events one after the other, over connections that break:
// the stream gives what happens, and after a break the list of events gives what
// happened meanwhile. Each event is given once.
type follower struct {
	client    *client.Client
	events    []string // patterns; none = all
	note      func(format string, args ...any)
	connected chan time.Time // the server's time when a stream was connected

	connects int       // connections made so far
	start    time.Time // of the first; what was made before it is not ours
	since    time.Time // when the newest event was made that was given
	seen     *seen
}

// overlapped is how far back a gap is read: events that are accepted at the same
// time can be committed in another order than that of their times.
const overlapped = 10 * time.Second

// errGone ends following: the server cannot be followed with this key and question.
var errGone = errors.New("the stream cannot be followed")

// run gives events until ctx ends. It fails when the first connection fails, or a
// later one in a way that another try cannot mend.
func (f *follower) run(ctx context.Context, take func(listened)) error {
	pause := firstPause
	for {
		connects := f.connects
		err := f.once(ctx, take)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if f.connects == 0 || errors.Is(err, errGone) {
			return err // it never worked, or never will again
		}
		if f.connects > connects {
			pause = firstPause
		}
		wait := pause + rand.N(pause/4) // not all listeners of a server at the same moment
		f.note("%s; connecting again in %s", err, wait.Round(100*time.Millisecond))
		again := time.NewTimer(wait)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		}
		pause = min(2*pause, longestPause)
	}
}

// once follows one connection until it breaks.
func (f *follower) once(ctx context.Context, take func(listened)) error {
	ctx, cancel := context.WithCancel(ctx)
	items, ended := f.stream(ctx)
	defer func() {
		cancel()
		for range items { // until the reader has ended
		}
	}()
	select {
	case at := <-f.connected:
		if err := f.caughtUp(ctx, at, take); err != nil {
			return err
		}
	case err := <-ended:
		return f.ending(err)
	}
	for body := range items {
		f.give(body, take)
	}
	return f.ending(<-ended)
}

// stream reads the stream beside the caller, who also reads the list.
func (f *follower) stream(ctx context.Context) (<-chan []byte, <-chan error) {
	select {
	case <-f.connected: // of a connection that broke before it was noticed
	default:
	}
	items, ended := make(chan []byte, forwardRoom), make(chan error, 1)
	go func() {
		defer close(items)
		var last error
		for item, err := range f.client.Stream(ctx, client.StreamOptions{Events: f.events, Types: []string{client.KindEvent}}) {
			if err != nil {
				last = err
				break
			}
			select {
			case items <- item.Event:
			case <-ctx.Done():
			}
		}
		ended <- last
	}()
	return items, ended
}

// ending tells errors that another try may mend from those that it cannot.
func (f *follower) ending(err error) error {
	var answer *client.Error
	if errors.As(err, &answer) && answer.Status >= 400 && answer.Status < 500 && answer.Status != http.StatusTooManyRequests {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return err
}

// caughtUp reads what was missed before the connection that was just made. Before the first
// connection nothing is missed.
func (f *follower) caughtUp(ctx context.Context, now time.Time, take func(listened)) error {
	f.connects++
	if f.connects == 1 {
		f.start, f.since = now, now
		f.note("Listening. Ctrl-C ends it.")
		return nil
	}
	missed, err := f.missed(ctx)
	if err != nil {
		return fmt.Errorf("read what was missed: %w", err)
	}
	f.note("Connected again; events that were missed: %d", len(missed))
	for _, id := range missed {
		if err := f.giveMissed(ctx, id, take); err != nil {
			return fmt.Errorf("read event %s: %w", id, err)
		}
	}
	return nil
}

// missed lists the events that were not given yet, the oldest first.
func (f *follower) missed(ctx context.Context) ([]string, error) {
	from := f.since.Add(-overlapped)
	if from.Before(f.start) {
		from = f.start
	}
	var ids []string
	wanted := catalog.NewMatcher(f.events)
	query := client.EventQuery{From: client.At(from), PageQuery: client.PageQuery{Limit: maxPage}}
	list := func(ctx context.Context) (client.Page[client.Event], error) { return f.client.Events(ctx, query) }
	for e, err := range client.All(ctx, &query.PageQuery, list) {
		if err != nil {
			return nil, err
		}
		if !f.seen.has(e.ID) && (len(f.events) == 0 || wanted.Match(e.Type)) {
			ids = append(ids, e.ID)
		}
	}
	slices.Reverse(ids) // the list is newest first
	return ids, nil
}

// giveMissed reads an event and makes its body again: the same bytes, because data is
// kept as it was.
func (f *follower) giveMissed(ctx context.Context, id string, take func(listened)) error {
	e, err := f.client.Event(ctx, id)
	if err != nil {
		return err
	}
	body, err := webhook.EncodeBody(e.ID, e.Type, e.CreatedAt.Time, e.Data)
	if err != nil {
		return err
	}
	f.give(body, take)
	return nil
}

// give hands an event on, once.
func (f *follower) give(body []byte, take func(listened)) {
	event, err := webhook.ParseEvent(body)
	if err != nil {
		f.note("an event could not be read: %s", err)
		return
	}
	if !f.seen.add(event.ID) {
		return
	}
	if event.CreatedAt.After(f.since) {
		f.since = event.CreatedAt
	}
	take(listened{event, body})
}

// seen remembers the last ids.
type seen struct {
	ids  map[string]bool
	ring []string
	next int
}

// remembered is more events than are read twice because of the overlap, unless a thousand
// come a second; then some are shown twice.
const remembered = 10_000

func newSeen() *seen { return &seen{ids: map[string]bool{}, ring: make([]string, remembered)} }

func (s *seen) has(id string) bool { return s.ids[id] }

// add reports whether the id is new.
func (s *seen) add(id string) bool {
	if s.ids[id] {
		return false
	}
	delete(s.ids, s.ring[s.next])
	s.ring[s.next], s.ids[id] = id, true
	s.next = (s.next + 1) % len(s.ring)
	return true
}

// tellConnected tells the server's time when it has answered a request for the stream.
type tellConnected struct {
	http.RoundTripper
	connected chan<- time.Time
}

// RoundTrip makes the request.
func (t tellConnected) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.RoundTripper.RoundTrip(req)
	if err != nil || res.StatusCode != http.StatusOK || !strings.HasSuffix(req.URL.Path, "/v1/stream") {
		return res, err
	}
	at, dateErr := http.ParseTime(res.Header.Get("Date"))
	if dateErr != nil {
		at = time.Now()
	}
	t.connected <- at
	return res, nil
}
