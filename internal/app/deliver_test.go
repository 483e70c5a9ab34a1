package app

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/webhook"
)

func TestAnEventArrivesSignedAndItsLogCanBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := newReceiver(t, nil)
	e, secret := w.endpoint(r.URL+"/hooks", func(in *client.NewEndpoint) {
		in.Headers = []client.Header{{Name: "X-Team", Value: "blue"}, {Name: "Authorization", Value: "Bearer of-the-receiver"}}
	})
	accepted := w.publish()
	req := r.next(t)

	res, err := webhook.Verify(req.header, req.body, req.at, 0, secret)
	if err != nil || res.Scheme != webhook.SchemeStandard || !req.signedBy(secret) {
		t.Errorf("verify: %+v, %v; want both schemes right", res, err)
	}
	id := accepted.Deliveries[0].ID
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "ComplianceLayer-Webhooks/1.0", "X-ComplianceLayer-Event": "domain.added",
		"X-ComplianceLayer-Delivery": id, "X-ComplianceLayer-Attempt": "1", "webhook-id": accepted.ID,
		"X-Team": "blue", "Authorization": "Bearer of-the-receiver",
	} {
		if got := req.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	want := `{"id":"` + accepted.ID + `","type":"domain.added","created_at":"` + accepted.CreatedAt.String() + `","data":{"domain":"example.com","note":"<&>"}}`
	if diff := cmp.Diff(want, string(req.body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}

	d := w.ends(id, client.StatusDelivered)
	if d.EndpointID != e.ID || d.Attempts != 1 || len(d.AttemptLog) != 1 {
		t.Errorf("delivery = %+v, want one attempt to %s", d, e.ID)
	}
	a := got(w.Attempt(t.Context(), id, 1))(t)
	if a.StatusCode != 200 || a.ErrorClass != "ok" || a.Request.Body != want {
		t.Errorf("attempt = %+v, want 200 with the body as it was sent", a)
	}
	kept := got(json.Marshal(a))(t)
	if strings.Contains(string(kept), "of-the-receiver") || strings.Contains(w.log.String(), "of-the-receiver") || strings.Contains(w.log.String(), secret.Reveal()) {
		t.Error("the value of Authorization is in the attempt's log, or a secret in the program's")
	}
}

func TestAFailureIsTriedAgainWithTheSameBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Policy.Schedule = []time.Duration{0, time.Millisecond} })
	answers := make(chan int, 2)
	answers <- http.StatusInternalServerError
	answers <- http.StatusOK
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-answers) })
	_, secret := w.endpoint(r.URL, nil)
	accepted := w.publish()
	first, second := r.next(t), r.next(t)
	if string(first.body) != string(second.body) || first.header.Get(webhook.SignatureHeader) != second.header.Get(webhook.SignatureHeader) {
		t.Error("the second attempt has another body or signature")
	}
	for i, req := range []request{first, second} {
		if n := req.header.Get(webhook.AttemptHeader); n != strconv.Itoa(i+1) || req.header.Get(webhook.DeliveryHeader) != accepted.Deliveries[0].ID || !req.listed(secret) {
			t.Errorf("attempt %d has headers %v", i+1, req.header)
		}
	}
	w.ends(accepted.Deliveries[0].ID, client.StatusDelivered)
}

func TestARotationAsTheReceiverSeesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := newReceiver(t, nil)
	e, old := w.endpoint(r.URL, nil)
	send := func() request {
		t.Helper()
		w.publish()
		return r.next(t)
	}
	// want checks who signs the next request: the seed's header is always current.
	want := func(step string, current webhook.Secret, listed ...webhook.Secret) {
		t.Helper()
		req := send()
		if !req.signedBy(current) || len(req.signatures()) != len(listed) {
			t.Errorf("%s: the current secret signs: %t; %d signatures, want %d", step, req.signedBy(current), len(req.signatures()), len(listed))
		}
		for i, secret := range listed {
			if !req.listed(secret) {
				t.Errorf("%s: secret %d is not in webhook-signature", step, i)
			}
		}
	}
	want("at first", old, old)
	next := secretOf(t, got(w.PrepareSecret(t.Context(), e.ID))(t).Secret)
	want("prepared", old, old, next)
	got(w.PromoteSecret(t.Context(), e.ID, client.Overlap{Overlap: "1s"}))(t)
	end := time.Now().Add(time.Second)
	want("promoted", next, next, old)
	for {
		req := send()
		if !req.listed(old) {
			if req.at.Before(end.Add(-500 * time.Millisecond)) {
				t.Errorf("the old secret stopped %s before the overlap ended", end.Sub(req.at))
			}
			break
		}
		if req.at.After(end.Add(patience)) {
			t.Fatal("the old secret signs on after its overlap")
		}
	}
	want("after the overlap", next, next)

	replaced := secretOf(t, got(w.RotateSecret(t.Context(), e.ID, client.Overlap{Overlap: "0s"}))(t).Secret)
	want("replaced at once", replaced, replaced)
	last := secretOf(t, got(w.RotateSecret(t.Context(), e.ID, client.Overlap{}))(t).Secret)
	want("rotated in one step", last, last, replaced)
	if _, err := w.PromoteSecret(t.Context(), e.ID, client.Overlap{}); err == nil {
		t.Error("a secret was promoted that was never prepared")
	}
}

func TestATestWorksOnADisabledEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := newReceiver(t, nil)
	no := false
	e, secret := w.endpoint(r.URL, func(in *client.NewEndpoint) { in.Enabled = &no })
	held := w.publish()
	result := got(w.TestEndpoint(t.Context(), e.ID, client.TestEndpoint{}))(t)
	req := r.next(t)
	event, err := webhook.ParseEvent(req.body)
	must(t, err)
	var data struct{ Test bool }
	must(t, json.Unmarshal(event.Data, &data))
	if !result.Succeeded || result.Attempt.StatusCode != 200 || event.ID != result.EventID || event.Type != "scan.completed" || !data.Test || !req.listed(secret) {
		t.Errorf("result %+v, event %+v; want a signed test that succeeded", result, event)
	}
	again := got(w.TestEndpoint(t.Context(), e.ID, client.TestEndpoint{Type: "domain.added"}))(t)
	if again.EventID == result.EventID || again.EventType != "domain.added" {
		t.Errorf("a second test is %+v, want a fresh event of the type asked for", again)
	}
	r.next(t)
	after := got(w.Endpoint(t.Context(), e.ID))(t)
	if after.State != client.StateDisabled || after.HeldCount != 1 || len(r.got) != 0 {
		t.Errorf("endpoint is %s with %d held and %d requests more; want it as it was", after.State, after.HeldCount, len(r.got))
	}
	w.ends(held.Deliveries[0].ID, client.StatusHeld)
	got(w.EnableEndpoint(t.Context(), e.ID, client.Enable{}))(t)
	if id := r.next(t).header.Get(webhook.IDHeader); id != held.ID {
		t.Errorf("after it was enabled %s arrives, want the event that was held, %s", id, held.ID)
	}
}

func TestATestThatFailsSaysWhyAndIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Policy.Schedule = []time.Duration{0, time.Millisecond} })
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	e, _ := w.endpoint(r.URL, nil)
	result := got(w.TestEndpoint(t.Context(), e.ID, client.TestEndpoint{}))(t)
	if result.Succeeded || result.Attempt.StatusCode != 404 || result.Attempt.ErrorClass != "client_error" || result.Attempt.Hint == "" {
		t.Errorf("result = %+v, want a failure with a hint", result)
	}
	w.ends(result.Attempt.DeliveryID, client.StatusDiscarded)
	if after := got(w.Endpoint(t.Context(), e.ID))(t); after.ConsecutiveFailures != 0 {
		t.Errorf("%d failures are counted after a test", after.ConsecutiveFailures)
	}
}

func TestTheProgramSendsNothingToItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.MetricsListen = "127.0.0.1:0" })
	for _, url := range []string{w.URL() + "/v1/events", "http://" + w.metrics.Addr().String() + "/metrics"} {
		e, err := w.CreateEndpoint(t.Context(), client.NewEndpoint{URL: url, Events: []string{"*"}})
		if err != nil {
			continue // refused at once is as good
		}
		if result := got(w.TestEndpoint(t.Context(), e.ID, client.TestEndpoint{}))(t); result.Attempt.ErrorClass != "blocked_address" {
			t.Errorf("a test to %s ended as %s with %d, want the address blocked", url, result.Attempt.ErrorClass, result.Attempt.StatusCode)
		}
	}
}

func TestWithoutDevelopmentModeLoopbackIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Dev = false })
	r := newReceiver(t, nil)
	if e, err := w.CreateEndpoint(t.Context(), client.NewEndpoint{URL: r.URL, Events: []string{"*"}}); err == nil {
		t.Errorf("%s was accepted as %s", r.URL, e.ID)
	}
}

// reader is a reader of a stream, with what it has seen.
type reader struct {
	items    chan client.StreamItem
	ended    chan error // why the stream ended
	events   map[string]int
	attempts map[string]int // that delivered
}

// follow reads a stream until the test ends.
func follow(t *testing.T, c *client.Client) *reader {
	t.Helper()
	r := &reader{items: make(chan client.StreamItem, 10_000), ended: make(chan error, 1), events: map[string]int{}, attempts: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan bool)
	go func() {
		defer close(done)
		for item, err := range c.Stream(ctx, client.StreamOptions{}) {
			if err != nil {
				r.ended <- err
				return
			}
			r.items <- item
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return r
}

// look takes what has come, and expects to see everything once.
func (r *reader) look(t *testing.T) {
	t.Helper()
	for len(r.items) > 0 {
		item := <-r.items
		if item.Kind == client.KindEvent {
			e, err := webhook.ParseEvent(item.Event)
			must(t, err)
			if r.events[e.ID]++; r.events[e.ID] > 1 {
				t.Errorf("event %s came %d times", e.ID, r.events[e.ID])
			}
			continue
		}
		a := item.Attempt
		if r.attempts[a.EventID]++; r.attempts[a.EventID] > 1 || a.Status != client.StatusDelivered || a.StatusCode != 200 || a.Number != 1 {
			t.Errorf("attempt %+v came %d times, want it once and delivered", a, r.attempts[a.EventID])
		}
	}
}

// sees publishes until the reader sees it: what happened before a reader was
// known is not in its stream. From then on it misses nothing.
func (r *reader) sees(t *testing.T, publisher *world) {
	t.Helper()
	eventually(t, "a first attempt is in the stream", func() bool {
		publisher.publish()
		r.look(t)
		return len(r.attempts) > 0
	})
	var all []client.AcceptedEvent
	for range 20 {
		all = append(all, publisher.publish())
	}
	eventually(t, "all further events and their attempts are in the stream", func() bool {
		r.look(t)
		for _, e := range all {
			if r.events[e.ID] != 1 || r.attempts[e.ID] != 1 {
				return false
			}
		}
		return true
	})
}

func TestAStreamTellsOfEventsAndAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := newReceiver(t, nil)
	w.endpoint(r.URL, nil)
	stream := follow(t, w.Client)
	stream.sees(t, w)
	w.shutdown()
	if err := <-stream.ended; !errors.Is(err, client.ErrStreamEnded) || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("with the server the stream ends with %v, want the reason", err)
	}
}

func TestAStreamTellsWhatHappensOnTheOtherNode(t *testing.T) {
	t.Parallel()
	database := pgtest.URL(t)
	node := func(c *Config) { c.Database = database }
	a, b := newWorld(t, node), newWorld(t, node)
	r := newReceiver(t, nil)
	a.endpoint(r.URL, nil)
	follow(t, b.Client).sees(t, a)
}

func TestARevokedKeyEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	made := got(w.CreateKey(t.Context(), client.NewKey{Name: "short-lived", Scopes: []string{"read"}}))(t)
	user := w.caller(made.Text)
	got(user.Me(t.Context()))(t)
	must(t, w.RevokeKey(t.Context(), made.AccountID, made.ID))
	var refused *client.Error
	if me, err := user.Me(t.Context()); !errors.As(err, &refused) || refused.Code != client.CodeUnauthorized {
		t.Errorf("after it was revoked: %+v, %v; want it unauthorized", me, err)
	}
}

// What one node is told the other knows for its next event.
func TestAChangeOnOneNodeHoldsOnTheOther(t *testing.T) {
	t.Parallel()
	database := pgtest.URL(t)
	node := func(c *Config) { c.Database = database }
	a, b := newWorld(t, node), newWorld(t, node)
	r := newReceiver(t, nil)
	e, first := a.endpoint(r.URL, nil)
	b.publish()
	if req := r.next(t); !req.listed(first) {
		t.Error("the other node does not sign with the endpoint's secret")
	}
	second := secretOf(t, got(a.RotateSecret(t.Context(), e.ID, client.Overlap{Overlap: "0s"}))(t).Secret)
	eventually(t, "the other node signs with the new secret", func() bool {
		b.publish()
		return r.next(t).listed(second)
	})
	got(a.DisableEndpoint(t.Context(), e.ID, client.Disable{}))(t)
	b.ends(b.publish().Deliveries[0].ID, client.StatusHeld)
	made := got(a.CreateKey(t.Context(), client.NewKey{Name: "short-lived", Scopes: []string{"read"}}))(t)
	other := b.caller(made.Text)
	got(other.Me(t.Context()))(t)
	must(t, a.RevokeKey(t.Context(), made.AccountID, made.ID))
	eventually(t, "the other node knows that the key was revoked", func() bool {
		_, err := other.Me(t.Context())
		return err != nil
	})
}
