package metrics_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/metrics"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// queue is as deep as it is told.
type queue struct {
	depth  store.Depth
	err    error
	counts int
}

func (q *queue) Depth(context.Context, time.Time) (store.Depth, error) {
	q.counts++
	return q.depth, q.err
}

// scrape reads the metrics as a scraper does.
func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("scrape: %d, %v\n%s", w.Code, err, body)
	}
	return string(body)
}

// wantLines checks that the metrics have these lines, to their ends.
func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\ncompliancelayer_"+line+"\n") {
			t.Errorf("no line %q in:\n%s", line, text)
		}
	}
}

func newMetrics(q *queue) *metrics.Metrics {
	return metrics.New(q, "1.2.3", slog.New(slog.DiscardHandler))
}

func TestWhatHappensIsCounted(t *testing.T) {
	t.Parallel()
	m := newMetrics(&queue{})
	now := time.Now()
	attempt := func(class delivery.Class, took, ago time.Duration, status delivery.Status) {
		a := delivery.Attempt{Outcome: delivery.Outcome{Class: class, StartedAt: now.Add(-ago - took), EndedAt: now.Add(-ago)}}
		m.Attempted(&a, store.Recorded{Change: delivery.Change{Status: status}})
	}
	m.Accepted()
	m.Accepted()
	attempt(delivery.OK, 3*time.Millisecond, 0, delivery.Delivered)
	attempt(delivery.OK, 40*time.Millisecond, 0, delivery.Delivered)
	attempt(delivery.ServerError, 2*time.Second, 20*time.Second, delivery.Retrying)
	attempt(delivery.ConnectRefused, time.Millisecond, 0, delivery.Failed)
	m.Answered("POST /v1/events", 202, 4*time.Millisecond)
	m.Answered("POST /v1/events", 422, time.Millisecond)
	wantLines(t, scrape(t, m),
		"events_accepted_total 2",
		`attempts_total{class="ok"} 2`, `attempts_total{class="server_error"} 1`, `attempts_total{class="connect_refused"} 1`,
		`deliveries_total{status="delivered"} 2`, `deliveries_total{status="retrying"} 1`, `deliveries_total{status="failed"} 1`,
		`attempt_duration_seconds_bucket{outcome="ok",le="0.005"} 1`, `attempt_duration_seconds_bucket{outcome="ok",le="0.05"} 2`,
		`attempt_duration_seconds_count{outcome="ok"} 2`, `attempt_duration_seconds_count{outcome="failed"} 2`,
		`attempt_duration_seconds_bucket{outcome="failed",le="1"} 1`, `attempt_duration_seconds_bucket{outcome="failed",le="2.5"} 2`,
		`record_lag_seconds_bucket{le="5"} 3`, `record_lag_seconds_count 4`,
		`http_request_duration_seconds_count{route="POST /v1/events",status="202"} 1`, `http_request_duration_seconds_count{route="POST /v1/events",status="422"} 1`,
		`http_request_duration_seconds_bucket{route="POST /v1/events",status="202",le="0.005"} 1`,
		`build_info{version="1.2.3"} 1`,
	)
}

func TestAClassThatNeverHappenedReadsZero(t *testing.T) {
	t.Parallel()
	text := scrape(t, newMetrics(&queue{}))
	for _, class := range delivery.Classes() {
		wantLines(t, text, `attempts_total{class="`+string(class)+`"} 0`)
	}
}

func TestTheQueueIsCountedWhenTheMetricsAreRead(t *testing.T) {
	t.Parallel()
	q := &queue{}
	m := newMetrics(q)
	q.depth = store.Depth{Waiting: 7, Due: 5, Oldest: 1500 * time.Millisecond, Sending: 3, Held: 4, Failed: 2, Enabled: 9, Narrow: 1, Disabled: 6}
	wantLines(t, scrape(t, m),
		`queue_deliveries{status="waiting"} 7`, `queue_deliveries{status="sending"} 3`, `queue_deliveries{status="held"} 4`, `queue_deliveries{status="failed"} 2`,
		"queue_due 5", "queue_oldest_due_seconds 1.5", "queue_count_errors 0",
		`lanes{state="open"} 8`, `lanes{state="narrow"} 1`, `lanes{state="disabled"} 6`, "endpoints_disabled 6",
	)
}

func TestAStartWaitedForTheQueueToBeCounted(t *testing.T) {
	t.Parallel()
	q := &queue{}
	m := newMetrics(q)
	if q.counts != 0 {
		t.Errorf("the queue was counted %d times before anybody asked", q.counts)
	}
	if scrape(t, m); q.counts != 1 {
		t.Errorf("the queue was counted %d times for one scrape", q.counts)
	}
}

// A database that is away must not take the other metrics with it, whether it is
// away when the program starts or later.
func TestAQueueThatCannotBeCountedIsSaid(t *testing.T) {
	t.Parallel()
	q := &queue{err: errors.New("away")}
	m := newMetrics(q)
	m.Accepted()
	for range 2 {
		text := scrape(t, m)
		wantLines(t, text, "queue_count_errors 1", "events_accepted_total 1")
		if strings.Contains(text, "queue_deliveries{") || strings.Contains(text, "queue_due ") {
			t.Errorf("the queue is told although it was not counted:\n%s", text)
		}
	}
	q.err = nil
	wantLines(t, scrape(t, m), "queue_count_errors 0", "queue_due 0", `queue_deliveries{status="held"} 0`)
	q.err = errors.New("away again")
	wantLines(t, scrape(t, m), "queue_count_errors 1", "events_accepted_total 1")
}

func TestTheRuntimeIsMeasuredToo(t *testing.T) {
	t.Parallel()
	text := scrape(t, newMetrics(&queue{}))
	for _, name := range []string{"\ngo_goroutines ", "\nprocess_cpu_seconds_total "} {
		if !strings.Contains(text, name) {
			t.Errorf("no %q", strings.TrimSpace(name))
		}
	}
}
