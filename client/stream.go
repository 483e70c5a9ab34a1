package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
)

// The kinds of item in a stream.
const (
	KindEvent   = "event"
	KindAttempt = "attempt"
)

// ErrStreamEnded means that the server ended the stream, or that the connection
// broke: connect again to go on. What happened meanwhile is in the lists.
var ErrStreamEnded = errors.New("the stream ended")

// StreamOptions narrows a stream.
type StreamOptions struct {
	Events     []string `query:"events" doc:"Only these types of event, with commas between them; prefixes such as scan.* and * go too."`
	Types      []string `query:"types" doc:"Only items of these kinds, with commas between them." enum:"event,attempt"`
	EndpointID string   `query:"endpoint_id" doc:"Only what concerns this endpoint."`
}

// StreamItem is one thing that happened. Either Event or Attempt is set.
type StreamItem struct {
	Kind    string          // KindEvent or KindAttempt
	Event   json.RawMessage // the whole body of an accepted event, byte for byte
	Attempt *StreamAttempt  // the summary of an attempt
}

// StreamAttempt is the summary of an attempt that was just recorded.
type StreamAttempt struct {
	DeliveryID string  `json:"delivery_id" doc:"The delivery." pattern:"^[0-9]+$"`
	EventID    string  `json:"event_id" doc:"The event." format:"uuid"`
	EventType  string  `json:"event_type" doc:"The event's type."`
	EndpointID string  `json:"endpoint_id" doc:"Where it went."`
	Number     int     `json:"number" doc:"1, 2, 3 and so on."`
	Cycle      string  `json:"cycle" doc:"Who asked for it." enum:"automatic,manual,test"`
	Status     string  `json:"status" doc:"What the delivery became." enum:"pending,sending,retrying,delivered,failed,held,discarded"`
	StatusCode int     `json:"status_code" doc:"The HTTP status of the answer; 0 when none came."`
	ErrorClass string  `json:"error_class" doc:"How it ended, in a word; ok for a success."`
	Total      float64 `json:"total_ms" doc:"Milliseconds in all."`
	EndedAt    Time    `json:"ended_at" doc:"When it ended."`
}

// Stream follows what happens in the account, from now on. The loop ends with an error:
// that of the call, of ctx, or ErrStreamEnded, sometimes with the server's reason.
// Connecting again is the caller's choice.
func (c *Client) Stream(ctx context.Context, o StreamOptions) iter.Seq2[StreamItem, error] {
	return func(yield func(StreamItem, error) bool) {
		res, err := c.open(ctx, call{
			method: http.MethodGet, path: "/v1/stream", query: queryOf(o), accept: "text/event-stream",
		})
		if err != nil {
			yield(StreamItem{}, err)
			return
		}
		defer res.Body.Close()
		err = readItems(res.Body, func(item StreamItem) bool { return yield(item, nil) })
		if err == nil {
			return // the loop was left
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		yield(StreamItem{}, err)
	}
}

// maxItem bounds a line of a stream: twice the largest body of an event.
const maxItem = 512 << 10

// readItems reads server-sent events until take says no (nil) or they end.
func readItems(r io.Reader, take func(StreamItem) bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxItem)
	var kind, data, comment string
	for lines.Scan() {
		line := lines.Text()
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			item, ok, err := itemOf(kind, data)
			if err != nil {
				return err
			}
			if ok && !take(item) {
				return nil
			}
			kind, data = "", ""
		case name == "":
			comment = value
		case name == "event":
			kind = value
		case name == "data":
			data = join(data, value)
		}
	}
	return endOf(lines.Err(), comment)
}

// join adds a line of data to those before it.
func join(data, line string) string {
	if data == "" {
		return line
	}
	return data + "\n" + line
}

// heartbeat is the comment that keeps an idle stream open.
const heartbeat = "heartbeat"

func endOf(err error, comment string) error {
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStreamEnded, err)
	}
	if comment != "" && comment != heartbeat {
		return fmt.Errorf("%w: %s", ErrStreamEnded, comment)
	}
	return ErrStreamEnded
}

// itemOf reads one item; kinds that this release does not know are passed over.
func itemOf(kind, data string) (item StreamItem, ok bool, err error) {
	switch kind {
	case KindEvent:
		return StreamItem{Kind: kind, Event: json.RawMessage(data)}, true, nil
	case KindAttempt:
		item = StreamItem{Kind: kind, Attempt: &StreamAttempt{}}
		if err := json.Unmarshal([]byte(data), item.Attempt); err != nil {
			return item, false, fmt.Errorf("stream: an attempt cannot be read: %w", err)
		}
		return item, true, nil
	}
	return item, false, nil
}
