package main

import (
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// arrive lets an event of a run come to the receiver, after it was on its way for a while.
func arrive(r *receiver, run, seq int, took time.Duration) {
	sent := time.Unix(100, 0)
	body := []byte(markMember + strings.Repeat("0", markBytes))
	mark{run: run, seq: seq, sent: sent}.put(body[len(markMember):])
	r.take(nil, body, sent.Add(took))
}

func TestReceiverCountsEveryEvent(t *testing.T) {
	t.Parallel()
	at := func(took time.Duration) time.Time { return time.Unix(100, 0).Add(took) }
	tests := []struct {
		name string
		come func(r *receiver)
		want arrivals
	}{
		{"nothing", func(*receiver) {}, arrivals{Lost: 3, First: time.Unix(0, 0), Last: time.Unix(0, 0)}},
		{"all, out of order", func(r *receiver) {
			arrive(r, 7, 2, 3*time.Second)
			arrive(r, 7, 0, time.Second)
			arrive(r, 7, 1, 2*time.Second)
		}, arrivals{Arrived: 3, First: at(3 * time.Second), Last: at(3 * time.Second), P50: 2 * time.Second, P99: 3 * time.Second, Max: 3 * time.Second}},
		{"one twice, one not at all", func(r *receiver) {
			arrive(r, 7, 0, time.Second)
			arrive(r, 7, 2, time.Second)
			arrive(r, 7, 2, 9*time.Second)
		}, arrivals{Arrived: 2, Lost: 1, Duplicates: 1, First: at(time.Second), Last: at(time.Second), P50: time.Second, P99: time.Second, Max: time.Second}},
		{"of the run before", func(r *receiver) { arrive(r, 6, 0, time.Second) }, arrivals{Lost: 3, Strays: 1, First: time.Unix(0, 0), Last: time.Unix(0, 0)}},
		{"a number that was never given", func(r *receiver) { arrive(r, 7, 3, time.Second) }, arrivals{Lost: 3, Strays: 1, First: time.Unix(0, 0), Last: time.Unix(0, 0)}},
		{"no mark", func(r *receiver) { r.take(nil, []byte("{}"), at(0)) }, arrivals{Lost: 3, Strays: 1, First: time.Unix(0, 0), Last: time.Unix(0, 0)}},
		{"a clock that was set back", func(r *receiver) { arrive(r, 7, 0, -time.Second) }, arrivals{Arrived: 1, Lost: 2, First: at(-time.Second), Last: at(-time.Second), P50: 1, P99: 1, Max: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &receiver{}
			if _, err := r.expect(expectation{Run: 7, Events: 3}); err != nil {
				t.Fatal(err)
			}
			tt.come(r)
			got, err := r.count(struct{}{})
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("error %v; count (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestAnExpectationBeginsFromNothing(t *testing.T) {
	t.Parallel()
	r := &receiver{}
	r.take(nil, []byte("{}"), time.Unix(100, 0)) // before the first
	for range 2 {
		if _, err := r.expect(expectation{Run: 1, Events: 1}); err != nil {
			t.Fatal(err)
		}
		arrive(r, 1, 0, time.Second)
		got, err := r.count(struct{}{})
		if err != nil || got.Arrived != 1 || got.Duplicates != 0 || got.Strays != 0 {
			t.Errorf("count = %+v, %v; want one arrival and nothing else", got, err)
		}
	}
}

func TestWaitEndsWithTheLastArrivalOrTheLimit(t *testing.T) {
	t.Parallel()
	for _, complete := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := &receiver{}
			if _, err := r.expect(expectation{Run: 1, Events: 2}); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			go func() {
				arrive(r, 1, 0, time.Second)
				time.Sleep(3 * time.Second)
				if complete {
					arrive(r, 1, 1, time.Second)
				}
			}()
			if _, err := r.wait(time.Minute); err != nil {
				t.Fatal(err)
			}
			want := time.Minute
			if complete {
				want = 3 * time.Second
			}
			if took := time.Since(began); took != want {
				t.Errorf("complete %v: wait took %s, want %s", complete, took, want)
			}
		})
	}
}

func TestReceiverTellsFirstAttemptsFromOthers(t *testing.T) {
	t.Parallel()
	r := &receiver{}
	if _, err := r.expect(expectation{Run: 1, Events: 3}); err != nil {
		t.Fatal(err)
	}
	body := []byte(markMember + strings.Repeat("0", markBytes))
	for seq, head := range []string{"POST / HTTP/1.1\r\nx-compliancelayer-attempt: 1", "POST / HTTP/1.1\r\nX-ComplianceLayer-Attempt: 2", "POST / HTTP/1.1"} {
		mark{run: 1, seq: seq, sent: time.Unix(100, 0)}.put(body[len(markMember):])
		r.take([]byte(head), body, time.Unix(101, 0))
	}
	if got, err := r.count(struct{}{}); err != nil || got.Arrived != 3 || got.Retried != 1 {
		t.Errorf("count = %+v, %v; want 3 arrivals, of which 1 was retried", got, err)
	}
}

// The two lean ends of the harness against each other, on one connection.
func TestPublisherAndReceiverUnderstandEachOther(t *testing.T) {
	t.Parallel()
	compose, err := newComposer(eventTypes(1), 1, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{}
	if _, err := r.expect(expectation{Run: 1, Events: 3}); err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	go r.converse(theirs)
	c := &leanClient{conn: ours, in: newMessages(ours), compose: compose, head: []byte("POST / HTTP/1.1\r\nContent-Length: ")}
	for seq := range 3 {
		if err := c.post(seq, 1, time.Now()); err != nil {
			t.Fatalf("post %d: %v", seq, err)
		}
	}
	c.close()
	if got, err := r.count(struct{}{}); err != nil || got.Arrived != 3 || got.Strays != 0 {
		t.Errorf("count = %+v, %v; want 3 arrivals", got, err)
	}
}

func TestPublisherStopsAtARefusal(t *testing.T) {
	t.Parallel()
	compose, err := newComposer(eventTypes(1), 1, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	go func() {
		if _, _, err := newMessages(theirs).next(); err == nil {
			_, _ = theirs.Write([]byte("HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy"))
		}
	}()
	c := &leanClient{conn: ours, in: newMessages(ours), compose: compose, head: []byte("POST / HTTP/1.1\r\nContent-Length: ")}
	defer c.close()
	err = c.post(0, 1, time.Now())
	if !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "503: busy") {
		t.Errorf("post: error %v, want the refusal with its status and text", err)
	}
}
