package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/feed"
)

// What a live list sends. Rows are gathered, so that a thousand deliveries a second neither flood a browser nor look
// like less than they are.
const (
	liveEvery = 250 * time.Millisecond
	liveRows  = 25               // of one send; how many more there were is said
	liveBeat  = 15 * time.Second // a sign of life for proxies, and a look whether the session still holds
	liveWrite = 10 * time.Second // that a browser may take to accept what is sent
)

// liveRow is a line of the live list: an attempt, or an event that was accepted.
type liveRow struct {
	At       time.Time
	Path     string // of what it is about
	Type     string
	Endpoint string
	Text     string
	Tone     string
}

// live are the lines of one send, newest first.
type live struct {
	Rows []liveRow
	More int // that were left out
}

// showLive sends what happens while somebody looks, until they stop looking: server-sent events that are pieces of the page.
func (s *Server) showLive(v *visit) error {
	f := Form{Values: v.r.URL.Query(), Wrong: map[string]string{}}
	names, err := s.names(v, &deliveriesView{})
	if err != nil {
		return err
	}
	if v.r.Method == http.MethodHead {
		return nil // whoever asks so does not follow
	}
	ctx, cancel := context.WithCancel(v.r.Context())
	defer cancel()
	items, err := s.Feed.Subscribe(ctx, v.caller.AccountID)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.Header().Set("X-Accel-Buffering", "no") // else nginx holds lines back
	s.follow(v, items, func(item feed.Item) (liveRow, bool) { return liveRowOf(item, names), wantsLive(f, item) })
	return nil
}

// follow sends what is wanted of items, until one of the two sides ends it. Browsers connect again by themselves.
func (s *Server) follow(v *visit, items <-chan feed.Item, row func(feed.Item) (liveRow, bool)) {
	beat, send := time.NewTicker(liveBeat), time.NewTicker(liveEvery)
	defer beat.Stop()
	defer send.Stop()
	var next live
	ok := push(v, ": following\n\n")
	for ok {
		select {
		case <-v.r.Context().Done():
			return
		case <-s.Draining:
			return
		case <-beat.C:
			ok = s.holds(v) && push(v, ": still here\n\n")
		case item, more := <-items:
			if !more {
				return
			}
			if one, wanted := row(item); wanted {
				next.add(one)
			}
		case <-send.C:
			if len(next.Rows) > 0 {
				ok = push(v, s.message(next))
				next = live{}
			}
		}
	}
}

func (l *live) add(row liveRow) {
	l.Rows = slices.Insert(l.Rows, 0, row)
	if len(l.Rows) > liveRows {
		l.Rows, l.More = l.Rows[:liveRows], l.More+1
	}
}

// message writes lines as one server-sent event.
func (s *Server) message(l live) string {
	var b bytes.Buffer
	if err := s.pages["deliveries"].ExecuteTemplate(&b, "live", l); err != nil {
		return fmt.Sprintf(": %T\n\n", err)
	}
	return "data: " + strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", "\ndata: ") + "\n\n"
}

// push sends a text at once; a browser that does not take it in time is given up.
func push(v *visit, text string) bool {
	c := http.NewResponseController(v.w)
	if err := c.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil {
		return false
	}
	if _, err := v.w.Write([]byte(text)); err != nil {
		return false
	}
	return c.Flush() == nil
}

// wantsLive reports whether the filters of the page let a thing through. Events that were accepted have no status yet.
func wantsLive(f Form, item feed.Item) bool {
	endpoint, status, cause := f.Get("endpoint"), f.Get("status"), f.Get("cause")
	switch {
	case f.Get("type") != "" && f.Get("type") != item.EventType,
		f.Get("event") != "" && f.Get("event") != item.EventID,
		endpoint != "" && !slices.Contains(item.EndpointIDs, endpoint):
		return false
	case item.Attempt == nil:
		return status == "" && cause == ""
	}
	return (status == "" || status == string(item.Attempt.Status)) && (cause == "" || cause == string(item.Attempt.Class))
}

func liveRowOf(item feed.Item, names map[string]string) liveRow {
	a := item.Attempt
	if a == nil {
		text := fmt.Sprintf("accepted for %d endpoints", len(item.EndpointIDs))
		if len(item.EndpointIDs) == 1 {
			text = "accepted for one endpoint"
		}
		return liveRow{At: time.Now(), Path: "/events/" + item.EventID, Type: item.EventType, Text: text, Tone: "quiet"}
	}
	row := liveRow{At: a.EndedAt, Path: "/deliveries/" + a.DeliveryID.String(), Type: item.EventType, Tone: tone(a.Status)}
	if len(item.EndpointIDs) > 0 {
		row.Endpoint = names[item.EndpointIDs[0]]
	}
	said := friendly(a.Class)
	if a.StatusCode != 0 {
		said = code(a.StatusCode)
	}
	row.Text = fmt.Sprintf("attempt %d: %s after %s", a.Number, said, short(a.Total))
	if is := standing(a.Status, a.Cycle); a.Status != delivery.Delivered {
		row.Text, row.Tone = row.Text+", "+is.Text, is.Tone
	}
	return row
}
