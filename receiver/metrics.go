package receiver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// result is what came of a request, as the metrics count it.
type result string

const (
	accepted      result = "accepted"
	duplicate     result = "duplicate"
	unauthorized  result = "unauthorized"
	badMethod     result = "bad_method"
	badEvent      result = "bad_event"
	tooLarge      result = "too_large"
	cutOff        result = "cut_off"
	busy          result = "busy"
	storeAway     result = "store_away"
	handlerFailed result = "handler_failed"
)

// metrics counts what a receiver does.
type metrics struct {
	store    Store
	requests *prometheus.CounterVec
	answers  prometheus.Histogram
	runs     *prometheus.CounterVec
	times    *prometheus.HistogramVec
	depth    *prometheus.Desc
	oldest   *prometheus.Desc

	mu   sync.Mutex
	mean map[string]time.Duration // of a lane's handler, lately
}

// quick is what a handler may take on average for its lane to claim ahead: what is
// claimed ahead is then begun within a second or so, long before its lease ends.
const quick = 50 * time.Millisecond

func newMetrics(store Store) *metrics {
	const prefix = "compliancelayer_receiver_"
	return &metrics{
		store: store,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "requests_total", Help: "Requests by what came of them.",
		}, []string{"result"}),
		answers: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: prefix + "answer_seconds", Help: "Time until a request was answered.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "tries_total", Help: "Runs of handlers by how they ended: ok, error, permanent, unavailable.",
		}, []string{"lane", "end"}),
		times: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "handler_seconds", Help: "Time that handlers took.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 17),
		}, []string{"lane"}),
		depth:  prometheus.NewDesc(prefix+"inbox_events", "Events in the inbox that are not done.", []string{"lane", "status"}, nil),
		oldest: prometheus.NewDesc(prefix+"inbox_oldest_seconds", "Age of the oldest of them.", []string{"lane", "status"}, nil),
		mean:   map[string]time.Duration{},
	}
}

func (m *metrics) answered(what result, took time.Duration) {
	m.requests.WithLabelValues(string(what)).Inc()
	m.answers.Observe(took.Seconds())
}

func (m *metrics) handled(lane string, err error, took time.Duration) {
	m.runs.WithLabelValues(lane, ending(err)).Inc()
	m.times.WithLabelValues(lane).Observe(took.Seconds())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mean[lane] += (took - m.mean[lane]) / 8
}

// slow reports whether a lane's handler takes its time.
func (m *metrics) slow(lane string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mean[lane] > quick
}

func ending(err error) string {
	if err == nil {
		return "ok"
	}
	failure := failureOf(err)
	switch {
	case failure.Permanent:
		return "permanent"
	case failure.Unavailable:
		return "unavailable"
	}
	return "error"
}

// Describe is part of prometheus.Collector.
func (r *Receiver) Describe(descriptions chan<- *prometheus.Desc) {
	m := r.metrics
	m.requests.Describe(descriptions)
	m.answers.Describe(descriptions)
	m.runs.Describe(descriptions)
	m.times.Describe(descriptions)
	descriptions <- m.depth
	descriptions <- m.oldest
}

// Collect is part of prometheus.Collector: register the receiver to have its metrics,
// all named compliancelayer_receiver_..., served with your own. It asks the store how
// much waits.
func (r *Receiver) Collect(values chan<- prometheus.Metric) {
	m := r.metrics
	m.requests.Collect(values)
	m.answers.Collect(values)
	m.runs.Collect(values)
	m.times.Collect(values)
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	depths, err := m.store.Depths(ctx)
	if err != nil {
		r.log.Error("the inbox could not be counted", slog.Any("error", err))
		return
	}
	for _, d := range depths {
		values <- prometheus.MustNewConstMetric(m.depth, prometheus.GaugeValue, float64(d.Count), d.Lane, string(d.Status))
		values <- prometheus.MustNewConstMetric(m.oldest, prometheus.GaugeValue, time.Since(d.Oldest).Seconds(), d.Lane, string(d.Status))
	}
}
