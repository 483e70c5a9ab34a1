// Package metrics counts what the program does, for Prometheus: events accepted,
// attempts by class, latencies, lanes by state, and how deep and how late the
// queue is. It decides nothing and stores nothing; app feeds it.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const namespace = "compliancelayer"

// Metrics holds the instruments of one program.
type Metrics struct {
	registry *prometheus.Registry
	accepted prometheus.Counter
	missed   prometheus.Counter
	attempts *prometheus.CounterVec
	ended    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	lag      prometheus.Histogram
	requests *prometheus.HistogramVec
}

// Queue counts the queue; the store does.
type Queue interface {
	Depth(ctx context.Context, now time.Time) (store.Depth, error)
}

// New makes the instruments. The queue is counted when /metrics is read.
func New(q Queue, version string, log *slog.Logger) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		accepted: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "events_accepted_total", Help: "Events accepted, replays not counted."}),
		missed:   prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "watch_errors_total", Help: "Endpoints that the health watch could not judge; each is tried again."}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "attempts_total", Help: "Attempts by class of outcome."}, []string{"class"}),
		ended:    prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "deliveries_total", Help: "Attempts by the status that the delivery got."}, []string{"status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "attempt_duration_seconds", Help: "Time of an attempt from its start to its end.",
			Buckets: []float64{.001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"outcome"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "record_lag_seconds", Help: "Time from the end of an attempt until its outcome is on disk.",
			Buckets: []float64{.001, .002, .005, .01, .025, .05, .1, .5, 1, 5, 30},
		}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_duration_seconds", Help: "Time to answer a request of the API.",
			Buckets: []float64{.001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		}, []string{"route", "status"}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1; the labels say which release runs.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
	m.registry.MustRegister(m.accepted, m.missed, m.attempts, m.ended, m.duration, m.lag, m.requests, build, newDepth(q, log),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range delivery.Classes() {
		m.attempts.WithLabelValues(string(c)) // so that a class that never happened reads 0
	}
	return m
}

// Handler answers /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Accepted counts an event.
func (m *Metrics) Accepted() { m.accepted.Inc() }

// Missed counts an endpoint that the health watch could not judge.
func (m *Metrics) Missed() { m.missed.Inc() }

// Attempted counts an attempt whose outcome is on disk.
func (m *Metrics) Attempted(a *delivery.Attempt, done store.Recorded) {
	m.attempts.WithLabelValues(string(a.Class)).Inc()
	m.ended.WithLabelValues(string(done.Change.Status)).Inc()
	outcome := "failed"
	if a.Class == delivery.OK {
		outcome = "ok"
	}
	m.duration.WithLabelValues(outcome).Observe(a.EndedAt.Sub(a.StartedAt).Seconds())
	m.lag.Observe(time.Since(a.EndedAt).Seconds())
}

// Answered counts a request of the API.
func (m *Metrics) Answered(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

// depth counts the queue when it is asked.
type depth struct {
	queue                                              Queue
	log                                                *slog.Logger
	deliveries, due, oldest, lanes, disabled, countErr *prometheus.Desc
}

func newDepth(q Queue, log *slog.Logger) *depth {
	name := func(n string) string { return prometheus.BuildFQName(namespace, "", n) }
	return &depth{
		queue: q, log: log,
		deliveries: prometheus.NewDesc(name("queue_deliveries"), "Deliveries that are not at an end, by what they wait for.", []string{"status"}, nil),
		due:        prometheus.NewDesc(name("queue_due"), "Deliveries whose time has come.", nil, nil),
		oldest:     prometheus.NewDesc(name("queue_oldest_due_seconds"), "How late the most overdue delivery is.", nil, nil),
		lanes:      prometheus.NewDesc(name("lanes"), "Endpoints by the state of their lane.", []string{"state"}, nil),
		disabled:   prometheus.NewDesc(name("endpoints_disabled"), "Endpoints that are disabled.", nil, nil),
		countErr:   prometheus.NewDesc(name("queue_count_errors"), "1 when the queue could not be counted just now.", nil, nil),
	}
}

// Describe sends the descriptions. It counts nothing: the program asks for them when
// it starts, and would wait for as long as counting millions takes.
func (d *depth) Describe(c chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{d.deliveries, d.due, d.oldest, d.lanes, d.disabled, d.countErr} {
		c <- desc
	}
}

// countTimeout bounds the counting: a scrape that takes longer is given up by most scrapers.
const countTimeout = 5 * time.Second

// Collect counts.
func (d *depth) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	n, err := d.queue.Depth(ctx, time.Now())
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	if err != nil {
		d.log.Warn("queue not counted", slog.Any("error", err))
		gauge(d.countErr, 1)
		return
	}
	gauge(d.countErr, 0)
	gauge(d.deliveries, float64(n.Waiting), "waiting")
	gauge(d.deliveries, float64(n.Sending), "sending")
	gauge(d.deliveries, float64(n.Held), "held")
	gauge(d.deliveries, float64(n.Failed), "failed")
	gauge(d.due, float64(n.Due))
	gauge(d.oldest, n.Oldest.Seconds())
	gauge(d.lanes, float64(n.Enabled-n.Narrow), "open")
	gauge(d.lanes, float64(n.Narrow), "narrow")
	gauge(d.lanes, float64(n.Disabled), "disabled")
	gauge(d.disabled, float64(n.Disabled))
}
