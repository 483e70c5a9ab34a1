package relay

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

// Relay takes events in and passes them on, by the routes of a file.
type Relay struct {
	path     string
	log      *slog.Logger
	store    *sqlstore.Store
	receiver *receiver.Receiver
	listener net.Listener
	metrics  net.Listener // nil: beside the path, or nowhere

	config   atomic.Pointer[Config]
	opened   *Config // what takes a restart is still as it says
	ends     *ends
	files    files
	reloaded *prometheus.GaugeVec
}

// Open makes a relay of a config that path had, opens its inbox and listens, so that what
// cannot work is known before it is said that it does. Run must follow, or Close.
func Open(ctx context.Context, path string, config *Config, log *slog.Logger) (_ *Relay, err error) {
	r := &Relay{path: path, log: log, opened: config}
	r.config.Store(config)
	if r.ends, err = newEnds(config, &r.files, log); err != nil {
		return nil, err
	}
	lanes, err := r.lanes(config, r.ends)
	if err != nil {
		return nil, err
	}
	if r.store, err = config.Inbox.Open(ctx); err != nil {
		return nil, err
	}
	r.receiver, err = receiver.New(receiver.Config{
		Secrets: config.Secrets, Store: r.store, Route: r.route, Grace: config.ShutdownGrace,
		KeepDone: config.KeepDone, KeepFailed: config.KeepFailed, Logger: log,
	})
	if err == nil {
		err = r.receiver.SetLanes(lanes...)
	}
	if err == nil {
		err = r.listen(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close closes what Open opened, when Run does not.
func (r *Relay) Close() error {
	var problems []error
	for _, l := range []net.Listener{r.listener, r.metrics} {
		if l != nil {
			problems = append(problems, l.Close())
		}
	}
	r.ends.client.Close()
	return errors.Join(append(problems, r.store.Close())...)
}

// ListenError means that an address of the relay's own cannot be had.
type ListenError struct {
	Key string // the key of the file that named it: listen or metrics_listen
	Err error
}

// Error says which key and why.
func (e *ListenError) Error() string { return e.Key + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *ListenError) Unwrap() error { return e.Err }

func (r *Relay) listen(ctx context.Context) (err error) {
	config := r.config.Load()
	if r.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", config.Listen); err != nil {
		return &ListenError{"listen", err}
	}
	if config.MetricsListen == "" {
		return nil
	}
	if r.metrics, err = (&net.ListenConfig{}).Listen(ctx, "tcp", config.MetricsListen); err != nil {
		return &ListenError{"metrics_listen", err}
	}
	return nil
}

// URL is where webhooks are taken.
func (r *Relay) URL() string { return "http://" + r.listener.Addr().String() + r.opened.Path }

// lanes makes one lane of each route.
func (r *Relay) lanes(config *Config, e *ends) ([]receiver.Lane, error) {
	sinks, err := e.all(config)
	if err != nil {
		return nil, err
	}
	var lanes []receiver.Lane
	for i, route := range config.Routes {
		lanes = append(lanes, receiver.Lane{
			Name: route.Name, Ordered: true, Attempts: route.Attempts, Backoff: route.Backoff,
			// An end may take several exchanges for one event, each within the route's time.
			Timeout: exchanges * route.Timeout,
			Handle:  sinks[i].Handle,
		})
	}
	return lanes, nil
}

// exchanges is for how many an end has time for one event, if each takes all of the
// route's: Jira looks for the issue, reads it, looks through its comments, and writes. A look through a
// long channel or many comments takes more, but those are quick; one that is broken off begins anew.
const exchanges = 6

// route names the lanes of an event, by the routes of now.
func (r *Relay) route(event receiver.Event[json.RawMessage]) []string {
	return r.config.Load().Route(FactsOf(event))
}

// Run serves until ctx ends, and reads the file again whenever reload says so. It returns
// when all that it started has ended.
func (r *Relay) Run(ctx context.Context, reload <-chan os.Signal) error {
	defer func() {
		r.ends.client.Close()
		if err := r.store.Close(); err != nil {
			r.log.Error("the inbox could not be closed", slog.Any("error", err))
		}
	}()
	registry := prometheus.NewRegistry()
	r.reloaded = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "compliancelayer_relay_config_ok", Help: "1 when the file that was read last is in use, 0 when it has a mistake and the one before is.",
	}, nil)
	r.reloaded.WithLabelValues().Set(1)
	registry.MustRegister(r.receiver, r.reloaded, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})

	working, stop := context.WithCancel(ctx)
	reloading := make(chan struct{})
	go func() {
		defer close(reloading)
		r.listenTo(working, reload)
	}()
	closeMetrics := r.serveMetrics(metrics)
	// Who starts it by another program, such as go run, has the id of that one.
	r.log.Info("the relay runs; a hangup signal (HUP) to this process has the file read again", slog.Int("pid", os.Getpid()), slog.String("file", r.path))
	err := r.receiver.Serve(ctx, r.listener, r.mux(metrics))
	stop()
	<-reloading
	closeMetrics()
	return err
}

// mux serves the webhooks' path, /healthz, and /metrics if that is to be here.
func (r *Relay) mux(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(r.opened.Path, r.receiver)
	mux.HandleFunc("GET /healthz", r.healthz)
	switch {
	case r.metrics != nil:
	case isLoopback(r.listener.Addr()):
		mux.Handle("GET /metrics", metrics)
	default:
		r.log.Info("/metrics is not served, because others can reach this address: set metrics_listen", slog.String("listen", r.listener.Addr().String()))
	}
	return mux
}

func isLoopback(address net.Addr) bool {
	tcp, ok := address.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// healthTime is how long the inbox may take to answer.
const healthTime = 2 * time.Second

// healthz says whether events can be kept.
func (r *Relay) healthz(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), healthTime)
	defer cancel()
	// One row is enough to ask for, however many wait.
	if _, _, err := r.store.List(ctx, receiver.Filter{}, receiver.Page{Limit: 1}); err != nil {
		r.log.Error("the inbox does not answer", slog.Any("error", err))
		http.Error(w, "the inbox does not answer", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n")) // whoever asked has gone
}

// serveMetrics serves them on an address of their own, until the function is called.
func (r *Relay) serveMetrics(metrics http.Handler) (stop func()) {
	if r.metrics == nil {
		return func() {}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", r.healthz)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: DefaultTimeout}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(r.metrics); !errors.Is(err, http.ErrServerClosed) {
			r.log.Error("metrics are not served any more", slog.Any("error", err))
		}
	}()
	return func() {
		_ = server.Close() // nothing is lost with it
		<-ended
	}
}

// listenTo reads the file again whenever it is told to. What waits for routes that are gone
// is told at the beginning, too: a restart reads the file as a reload does.
func (r *Relay) listenTo(ctx context.Context, reload <-chan os.Signal) {
	r.tellOrphans(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
			err := r.Reload()
			ok := 1.0
			if err != nil {
				ok = 0
				for line := range strings.Lines(err.Error()) {
					r.log.Error("the file has a mistake: the routes before stay", slog.String("error", strings.TrimSpace(line)))
				}
			}
			r.reloaded.WithLabelValues().Set(ok)
			if err == nil {
				r.tellOrphans(ctx)
			}
		}
	}
}

// Reload reads the file again and replaces secrets and routes. When it has a mistake,
// everything stays as it was, and the error tells of it.
func (r *Relay) Reload() error {
	config, err := Read(r.path)
	if err != nil {
		return err
	}
	for _, route := range config.Routes {
		if route.File != nil && r.opened.Inbox.has(placeOf(route.File.Path)) { // Read has looked at that of the file alone
			return route.Wrong(errors.New(inboxOwns))
		}
	}
	e, err := newEnds(config, &r.files, r.log)
	if err != nil {
		return err
	}
	lanes, err := r.lanes(config, e)
	if err != nil {
		e.client.Close()
		return err
	}
	for _, warning := range append(config.Warnings, fixed(r.opened, config)...) {
		r.log.Warn("look at the file", slog.String("warning", warning))
	}
	if err := r.receiver.SetSecrets(config.Secrets...); err != nil {
		return err
	}
	r.config.Store(config)
	if err := r.receiver.SetLanes(lanes...); err != nil {
		return err
	}
	r.ends.client.Close()
	r.ends = e
	if len(config.Variables) > 0 { // of a file, a new value was read
		r.log.Info("variables of the environment are as they were at the start; a new value takes a restart", slog.Any("variables", config.Variables))
	}
	r.log.Info("the file was read again", slog.Int("routes", len(config.Routes)))
	return nil
}

// tellOrphans tells how many events wait for routes that are gone, perhaps by a name that
// was misspelt.
func (r *Relay) tellOrphans(ctx context.Context) {
	depths, err := r.store.Depths(ctx)
	if err != nil && ctx.Err() != nil {
		return // the relay ends
	}
	if err != nil {
		r.log.Error("the inbox does not answer", slog.Any("error", err))
		return
	}
	routes := r.config.Load().Routes
	gone := map[string]int{}
	for _, d := range depths {
		if d.Status != receiver.Failed && !slices.ContainsFunc(routes, func(route Route) bool { return route.Name == d.Lane }) {
			gone[d.Lane] += d.Count
		}
	}
	for _, name := range slices.Sorted(maps.Keys(gone)) {
		r.log.Warn("events wait for a route that is gone; they go on when one of its name is back", slog.String("route", name), slog.Int("events", gone[name]))
	}
}

// fixed tells what a running relay does not change: before is what it was started with.
func fixed(before, after *Config) (warnings []string) {
	for name, changed := range map[string]bool{
		"listen": before.Listen != after.Listen, "path": before.Path != after.Path, "metrics_listen": before.MetricsListen != after.MetricsListen,
		"inbox":          before.Inbox.SQLite != after.Inbox.SQLite || !before.Inbox.Postgres.Equal(after.Inbox.Postgres),
		"keep_done":      before.KeepDone != after.KeepDone,
		"keep_failed":    before.KeepFailed != after.KeepFailed,
		"shutdown_grace": before.ShutdownGrace != after.ShutdownGrace,
		"log_level":      before.LogLevel != after.LogLevel,
		"log_format":     before.LogFormat != after.LogFormat,
	} {
		if changed {
			warnings = append(warnings, name+" is not as it was at the start, which takes a restart")
		}
	}
	slices.Sort(warnings)
	return warnings
}
