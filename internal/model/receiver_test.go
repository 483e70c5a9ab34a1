package model_test

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/send"
)

// answer is what a receiver, or the way to it, does with a request.
type answer struct {
	name    string
	class   delivery.Class
	code    int
	asks    time.Duration // Retry-After
	after   time.Duration
	missing bool // the request does not arrive
	handled bool // the receiver did what the event is for, whatever we hear of it
}

// answers are all that receivers do. Their lengths of time are odd, so that ends do not fall together.
var answers = []answer{
	{name: "200", class: delivery.OK, code: 200, after: 3 * time.Millisecond, handled: true},
	{name: "200 after 700 ms", class: delivery.OK, code: 200, after: 700 * time.Millisecond, handled: true},
	{name: "200 after 2.5 s", class: delivery.OK, code: 200, after: 2500 * time.Millisecond, handled: true},
	{name: "500", class: delivery.ServerError, code: 500, after: 5 * time.Millisecond},
	{name: "400", class: delivery.ClientError, code: 400, after: 5 * time.Millisecond},
	{name: "302", class: delivery.Redirect, code: 302, after: 5 * time.Millisecond},
	{name: "429, come back in 12 s", class: delivery.RateLimited, code: 429, asks: 12 * time.Second, after: 4 * time.Millisecond},
	{name: "503, come back in 50 s", class: delivery.ServerError, code: 503, asks: 50 * time.Second, after: 4 * time.Millisecond},
	{name: "503, come back in a year", class: delivery.ServerError, code: 503, asks: 365 * 24 * time.Hour, after: 4 * time.Millisecond},
	{name: "500, come back in 50 s", class: delivery.ServerError, code: 500, asks: 50 * time.Second, after: 4 * time.Millisecond},
	{name: "410", class: delivery.ClientError, code: 410, after: 5 * time.Millisecond},
	{name: "no answer, and nothing done", class: delivery.ResponseTimeout, after: time.Hour},
	{name: "no answer, but all done", class: delivery.ResponseTimeout, after: time.Hour, handled: true},
	{name: "reset before anything is done", class: delivery.Reset, after: 30 * time.Millisecond},
	{name: "reset after all is done", class: delivery.Reset, after: 30 * time.Millisecond, handled: true},
	{name: "connection refused", class: delivery.ConnectRefused, after: time.Millisecond, missing: true},
	{name: "our network is down", class: delivery.LocalNetwork, after: time.Millisecond, missing: true},
	{name: "our own fault", class: delivery.LocalFault, after: time.Millisecond, missing: true},
}

// Send makes an attempt: signed by the real sender, and then in the hands of a receiver of the model.
func (n *node) Send(ctx context.Context, target *send.Target, l delivery.Lease) (delivery.Attempt, bool) {
	w := n.w
	a, _ := n.signer.Send(ctx, target, l)
	a.Hint, a.LocalInfo = "", ""
	a.StartedAt = time.Now()
	t, ok := w.arrive(n, l, a.Request)
	if !ok {
		a.EndedAt, a.Class = a.StartedAt, delivery.Interrupted
		return a, true
	}
	timer := time.NewTimer(min(t.answer.after, w.policy.Timeout))
	defer timer.Stop()
	a.Class, a.StatusCode, a.RetryAfter = t.answer.class, t.answer.code, t.answer.asks
	select {
	case <-timer.C:
	case <-ctx.Done():
		a.Class, a.StatusCode, a.RetryAfter = delivery.Interrupted, 0, 0
	}
	a.EndedAt = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	t.ended, t.class = a.EndedAt, a.Class
	return a, false
}

// Refuse makes the attempt that could not begin. The model gives no cause for one but what is
// deleted in the moment that it is sent to.
func (n *node) Refuse(l delivery.Lease, url string, err error) delivery.Attempt {
	return n.signer.Refuse(l, url, err)
}

// behave changes what an endpoint's receiver does.
func (w *world) behave(s step) string {
	e := w.model.pick(s.who, nil)
	if e == nil {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	how := answers[0]
	if s.how%3 > 0 { // receivers are mostly well
		how = answers[(s.how-s.how/3)%len(answers)]
	}
	e.answer, e.changedAnswer = how, time.Now()
	w.findings.saw("receiver: " + how.name)
	return "the receiver of " + e.name + " answers: " + how.name
}
