package storetest

import (
	"bytes"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func attemptChecks() []check {
	return []check{
		{"the whole record of an attempt is kept", attemptWhole},
		{"an attempt that got no answer is kept", attemptWithoutAnswer},
		{"the list of attempts has everything but response bodies, in order", attemptList},
		{"a response body of the greatest size is kept", attemptLargestBody},
		{"an outcome is written whatever bytes a receiver answers with", attemptAnyBytes},
		{"an attempt that was not made is not found", attemptMissing},
	}
}

// wholeAttempt describes an attempt with every field set, of bytes that no
// text column would keep.
func wholeAttempt(r store.Result) store.Result {
	a := &r.Attempt
	a.Node = "node with a longer name 0123456789"
	a.Hint = "It answered 503: it is overloaded, or being restarted. \"Wait\", then retry — é."
	a.LocalInfo = "dial tcp: detail for operators"
	a.RetryAfter = 90 * time.Second
	a.Timing = delivery.Timing{
		DNS: 1250 * time.Microsecond, Connect: 2 * time.Millisecond, TLS: 30 * time.Millisecond,
		FirstByte: 45 * time.Millisecond, Total: 99875 * time.Microsecond,
	}
	a.Request = delivery.Request{
		URL: "https://receiver.example/hooks?a=1&b=%20",
		Header: []delivery.Header{
			{Name: "X-Second", Value: "2"}, {Name: "Content-Type", Value: "application/json"},
			{Name: "X-Second", Value: "1"}, {Name: "x-second", Value: ""}, {Name: "A", Value: "last, <&> \"quoted\""},
		},
	}
	a.Response = delivery.Response{
		Proto:     "HTTP/1.1",
		Header:    []delivery.Header{{Name: "Set-Cookie", Value: "b=2"}, {Name: "Date", Value: "x"}, {Name: "Set-Cookie", Value: "a=1"}},
		Body:      []byte("\xff\xfe\x00 not UTF-8 \x80\n"),
		Truncated: true,
	}
	return r
}

func attemptWhole(w *world) {
	l := w.lease(w.newEndpoint())
	r := wholeAttempt(result(rules(), l, outcome(delivery.ServerError, at(time.Second))))
	w.record(rules(), r)
	got, err := w.s.Attempt(w.ctx(), w.account, l.ID, 1)
	w.must("read attempt", err)
	w.equal("attempt", got, r.Attempt)
}

func attemptWithoutAnswer(w *world) {
	l := w.lease(w.newEndpoint())
	r := result(rules(), l, outcome(delivery.ConnectRefused, at(time.Second)))
	w.record(rules(), r)
	got, err := w.s.Attempt(w.ctx(), w.account, l.ID, 1)
	w.must("read attempt", err)
	w.equal("attempt", got, r.Attempt)
}

func attemptList(w *world) {
	endpoint := w.newEndpoint()
	l := w.lease(endpoint)
	var want []delivery.Attempt
	for range 3 {
		r := wholeAttempt(result(rules(), l, outcome(delivery.RateLimited, at(time.Duration(l.Attempt)*time.Hour))))
		w.record(rules(), r)
		r.Attempt.Response.Body = nil
		want = append(want, r.Attempt)
		l = w.claimOne(endpoint, w.delivery(l.ID).DueAt)
	}
	w.equal("attempts", w.attempts(l.ID), want, cmpopts.IgnoreFields(delivery.Lease{}, "Until"))
}

func attemptLargestBody(w *world) {
	l := w.lease(w.newEndpoint())
	r := result(rules(), l, outcome(delivery.OK, at(0)))
	r.Attempt.Response.Body = bytes.Repeat([]byte{0, 0xff, 'x', '\n'}, delivery.MaxResponseBody/4)
	w.record(rules(), r)
	got, err := w.s.Attempt(w.ctx(), w.account, l.ID, 1)
	w.must("read attempt", err)
	if !bytes.Equal(got.Response.Body, r.Attempt.Response.Body) {
		w.t.Errorf("the body of %d bytes came back as other %d", len(r.Attempt.Response.Body), len(got.Response.Body))
	}
}

// A receiver chooses its header values and what an error text quotes. None of
// it may keep the outcome from being written: the delivery would be sent for ever.
func attemptAnyBytes(w *world) {
	l := w.lease(w.newEndpoint())
	r := result(rules(), l, outcome(delivery.OK, at(0)))
	r.Attempt.Hint = "it said \xff\x00"
	r.Attempt.LocalInfo = "malformed answer \"\xfe\x00\""
	r.Attempt.Response.Proto = "HTTP/1.1\xff"
	r.Attempt.Response.Header = []delivery.Header{{Name: "X-Latin", Value: "caf\xe9 \x00"}, {Name: "X-\xe9", Value: "a"}}
	if !w.record(rules(), r)[0].Applied {
		w.t.Fatalf("the outcome was not written")
	}
	w.wantStatus(l.ID, delivery.Delivered)
	got, err := w.s.Attempt(w.ctx(), w.account, l.ID, 1)
	w.must("read attempt", err)
	if n := len(got.Response.Header); n != 2 {
		w.t.Errorf("the attempt has %d response headers, want 2", n)
	}
}

func attemptMissing(w *world) {
	l := w.lease(w.newEndpoint())
	w.end(rules(), l, delivery.OK, at(0))
	for _, number := range []int{0, 2, -1} {
		_, err := w.s.Attempt(w.ctx(), w.account, l.ID, number)
		w.wantError("read an attempt that was not made", err, store.ErrNotFound)
	}
	_, err := w.s.Attempts(w.ctx(), w.account, 1<<60)
	w.wantError("read the attempts of no delivery", err, store.ErrNotFound)
}
