package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// answer is what a request is answered with. The words are for whoever reads the
// sender's log.
type answer struct {
	status int
	result result
	words  string
	after  time.Duration // Retry-After
}

// bodyTime is how long a request may take to come in. The sender sends it in one go.
const bodyTime = 10 * time.Second

// ServeHTTP takes one event in: 200 when it was kept, or known; inline, when its
// handler ended well. 401 for a signature that is missing or wrong, 405, 413, 400 for
// what is signed and no event, 500 for the error of an inline handler, and 503 with
// Retry-After when the store does not answer or a copy of the event is being handled.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	begin := time.Now()
	a := r.answer(w, req)
	r.metrics.answered(a.result, time.Since(begin))
	if a.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	if a.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(a.after.Seconds()+0.5)))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.words+"\n") // nobody is left to tell
}

func (r *Receiver) answer(w http.ResponseWriter, req *http.Request) answer {
	if req.Method != http.MethodPost {
		return answer{status: http.StatusMethodNotAllowed, result: badMethod, words: "webhooks are sent with POST"}
	}
	// What is not signed at all need not be read.
	if len(req.Header.Values(webhook.StandardSignatureHeader)) == 0 && (r.config.StandardOnly || len(req.Header.Values(webhook.SignatureHeader)) == 0) {
		return r.refuse(webhook.ErrNoSignature, req)
	}
	body, a, ok := r.read(w, req)
	if !ok {
		return a
	}
	if _, err := webhook.Verify(req.Header, body, r.config.Now(), r.config.Tolerance, *r.secrets.Load()...); err != nil {
		return r.refuse(err, req)
	}
	event, err := eventOf(body)
	if err != nil {
		r.log.Warn("a signed request is no event", slog.Any("error", err))
		return answer{status: http.StatusBadRequest, result: badEvent, words: err.Error()}
	}
	// The sender writes it in digits; it is for people only, so anything else is as
	// good as nothing.
	if id, err := strconv.ParseInt(req.Header.Get(webhook.DeliveryHeader), 10, 64); err == nil {
		event.DeliveryID = id
	}
	item := Item{ID: event.ID, Type: event.Type, DeliveryID: event.DeliveryID, Body: body}
	if r.config.Inline {
		return r.inline(req.Context(), item)
	}
	return r.keep(event, item)
}

// read reads the body, whole.
func (r *Receiver) read(w http.ResponseWriter, req *http.Request) ([]byte, answer, bool) {
	large := answer{status: http.StatusRequestEntityTooLarge, result: tooLarge, words: "the body is longer than " + strconv.FormatInt(r.config.MaxBody, 10) + " bytes"}
	if req.ContentLength > r.config.MaxBody {
		return nil, large, false
	}
	// Not every server can; then its own limits hold.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, r.config.MaxBody))
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return nil, large, false
	}
	if err != nil {
		return nil, answer{status: http.StatusBadRequest, result: cutOff, words: "the body did not come in whole"}, false
	}
	return body, answer{}, true
}

// refuse answers what is not signed right. What exactly is wrong is no secret: whoever
// could use it can compute it.
func (r *Receiver) refuse(err error, req *http.Request) answer {
	if silent, tell := r.refused.tell(r.config.Now()); tell {
		r.log.Warn("a request was refused", slog.Any("error", err), slog.String("remote", req.RemoteAddr), slog.Int("not_told", silent))
	}
	return answer{status: http.StatusUnauthorized, result: unauthorized, words: err.Error()}
}

// keep puts an event into the inbox, once for each of its lanes.
func (r *Receiver) keep(event Event[json.RawMessage], item Item) answer {
	if !r.running.Load() {
		r.idle.Do(func() { r.log.Warn("events are kept, but nothing works them off: call Run") })
	}
	items := []Item{item}
	if r.config.Route != nil {
		items = items[:0]
		for _, lane := range r.config.Route(event) {
			item.Lane = lane
			items = append(items, item)
		}
	}
	if len(items) == 0 {
		r.log.Info("event goes nowhere", slog.String("event_id", event.ID), slog.String("type", event.Type))
		return answer{status: http.StatusOK, result: accepted, words: "no route takes it"}
	}
	fresh, err := r.puts.do(items)
	if err != nil {
		r.log.Error("event could not be kept", slog.String("event_id", event.ID), slog.Any("error", err))
		return answer{status: http.StatusServiceUnavailable, result: storeAway, words: "the event could not be stored: send it again", after: storePause}
	}
	if !fresh {
		return r.again(items)
	}
	return answer{status: http.StatusOK, result: accepted, words: "kept"}
}

// again answers a copy. What failed here is delivered for the sender, who sends it again
// only when somebody asks for it there, or does not know that it was answered: so it is
// run again.
func (r *Receiver) again(items []Item) answer {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	filter := Filter{IDs: []string{items[0].ID}, Statuses: []Status{Failed}}
	for _, item := range items {
		filter.Lanes = append(filter.Lanes, item.Lane)
	}
	failed, _, err := r.store.List(ctx, filter, Page{})
	if err == nil && len(failed) > 0 {
		_, err = r.store.Rerun(ctx, filter)
	}
	if err != nil {
		r.log.Error("a copy of an event could not be looked up", slog.String("event_id", items[0].ID), slog.Any("error", err))
		return answer{status: http.StatusServiceUnavailable, result: storeAway, words: "the event could not be looked up: send it again", after: storePause}
	}
	if len(failed) == 0 {
		return answer{status: http.StatusOK, result: duplicate, words: "known"}
	}
	r.wake(items)
	return answer{status: http.StatusOK, result: accepted, words: "it had failed, and is run again"}
}

// storePause is when to ask again after the store did not answer.
const storePause = 5 * time.Second

// eventOf reads a body that was verified.
func eventOf(body []byte) (Event[json.RawMessage], error) {
	parsed, err := webhook.ParseEvent(body)
	if err != nil {
		return Event[json.RawMessage]{}, err
	}
	if !plain(parsed.ID) || !plain(parsed.Type) {
		return Event[json.RawMessage]{}, fmt.Errorf("%w: its id and its type must be 1 to %d visible ASCII characters", webhook.ErrBadEvent, maxName)
	}
	// A map, because its names are compared exactly.
	var data map[string]json.RawMessage
	_ = json.Unmarshal(parsed.Data, &data) // data that is no object is no test
	return Event[json.RawMessage]{
		ID: parsed.ID, Type: parsed.Type, CreatedAt: parsed.CreatedAt,
		Data: parsed.Data, Raw: parsed.Data, Body: body, Test: string(data["test"]) == "true",
	}, nil
}

// maxName bounds ids and types: both are keys of the store, and not every store can
// have every character in one.
const maxName = 255

func plain(name string) bool {
	outside := func(c rune) bool { return c <= ' ' || c > '~' }
	return len(name) <= maxName && !strings.ContainsFunc(name, outside)
}
