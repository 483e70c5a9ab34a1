package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/door"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/feed"
	"github.com/compliancelayer/compliancelayer/internal/mail"
	"github.com/compliancelayer/compliancelayer/internal/notify"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
	"github.com/compliancelayer/compliancelayer/internal/telemetry"
	"github.com/compliancelayer/compliancelayer/internal/watch"
)

// Config holds the settings of serve (contract section 5). Zero values mean the
// defaults that are named.
type Config struct {
	Listen        string // address of the API
	MetricsListen string // address of /metrics without a key; "" = behind a key on Listen
	Database      string // a path, or a postgres:// URL
	Dev           bool   // loopback targets and http://localhost are allowed
	Policy        delivery.Policy
	Slots         int      // attempts at once of all endpoints together; 0 = dispatch.DefaultSlots
	Concurrency   int      // attempts at once per endpoint; 0 = delivery.DefaultConcurrency
	AllowTargets  []string // CIDR, CIDR:port or CIDR:from-to
	NAT64Decode   bool     // judge 64:ff9b::/96 by the IPv4 address inside, for IPv6-only networks
	Retention     time.Duration
	SecretKey     string // the encryption key itself; "" = from SecretKeyFile
	SecretKeyFile string // made if missing; "" = beside the database
	APIKey        string // an admin key that is made sure to exist
	Mail          Mail
	PublicURL     string // where people reach the dashboard, without a slash at its end; "" = at URL
	SingleSignOn  SingleSignOn
	RequestRate   int // requests a second of each account but the default one; 0 = no limit
	MaxEndpoints  int // per account; 0 = manage's default
	// ShutdownTimeout bounds the answers to open requests at the end; attempts on
	// the wire have the delivery timeout besides. 0 = 10 s.
	ShutdownTimeout time.Duration
	Version         string
	Log             *slog.Logger
	Progress        func(version int64, name string) // told of each migration
}

// SingleSignOn names an issuer of OpenID Connect by which members may sign in. Without Issuer there is none.
type SingleSignOn struct {
	Issuer       string // its URL
	ClientID     string
	ClientSecret string
	Name         string        // what people call it
	Timeout      time.Duration // of one question to it; 0 = issuer.Patience
}

// App is a running program.
type App struct {
	cfg      Config
	log      *slog.Logger
	db       *sqlstore.Store
	tracing  *telemetry.Tracing
	egress   *egress.Client
	disp     *dispatch.Dispatcher
	notifier *notify.Notifier
	watcher  *watch.Watcher
	courier  *mail.Courier // nil = nobody is told by mail
	feed     *feed.Feed
	auth     *auth.Authenticator
	signIns  *auth.SignIns
	draining chan struct{}
	setupURL string

	cut          chan struct{} // closed when tests on the wire may go on no longer
	api, metrics listener
}

// listener is an open address with what answers there.
type listener struct {
	net.Listener
	server    *http.Server
	door      *door.Server // stands before the server; nil = nothing does
	answering *answering   // the server's handler; nil = nobody waits for it at the end
}

// Open opens the database, the key and the addresses, and makes everything ready
// to Serve. Nothing is sent before Serve.
func Open(ctx context.Context, cfg Config) (*App, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = delivery.DefaultConcurrency
	}
	if cfg.ShutdownTimeout == 0 {
		cfg.ShutdownTimeout = 10 * time.Second
	}
	if err := cfg.Policy.Validate(); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, log: cfg.Log, draining: make(chan struct{}), cut: make(chan struct{})}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *App) open(ctx context.Context) (err error) {
	if a.api.Listener, err = listen(ctx, a.cfg.Listen, "listen"); err != nil {
		return err
	}
	if a.cfg.MetricsListen != "" {
		if a.metrics.Listener, err = listen(ctx, a.cfg.MetricsListen, "metrics-listen"); err != nil {
			return err
		}
	}
	if a.db, err = sqlstore.Open(ctx, sqlstore.Config{Database: a.cfg.Database, Progress: a.cfg.Progress, Log: a.log}); err != nil {
		return err
	}
	failpoint.Hit("start: database open")
	if a.tracing, err = telemetry.Start(ctx, a.cfg.Version); err != nil {
		return err
	}
	if err := a.wire(ctx); err != nil {
		return err
	}
	return a.firstKey(ctx)
}

// ListenError means that an address of this program's own cannot be had.
type ListenError struct {
	Setting string // the setting that named it: listen or metrics-listen
	Err     error
}

// Error says which setting and why.
func (e *ListenError) Error() string { return "--" + e.Setting + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// listen opens an address that a setting names.
func listen(ctx context.Context, address, setting string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &ListenError{setting, err}
	}
	return netutil.LimitListener(l, maxConnections), nil
}

// listeners gives the addresses that this program itself answers on, which no
// delivery may go to.
func (a *App) listeners() []netip.AddrPort {
	var own []netip.AddrPort
	for _, l := range []net.Listener{a.api.Listener, a.metrics.Listener} {
		if l == nil {
			continue
		}
		if tcp, ok := l.Addr().(*net.TCPAddr); ok {
			own = append(own, tcp.AddrPort())
		}
	}
	return own
}

// URL is the address of the API, as somebody on this machine can call it.
func (a *App) URL() string {
	host, port, err := net.SplitHostPort(a.api.Addr().String())
	if err != nil {
		return "http://" + a.api.Addr().String()
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "localhost" // it listens on every address: 0.0.0.0 and [::] are none to call
	}
	return "http://" + net.JoinHostPort(host, port)
}

// PublicURL is the address of the dashboard, as people reach it.
func (a *App) PublicURL() string { return cmp.Or(a.cfg.PublicURL, a.URL()) }

// SetupURL is the one-time link that makes the first key; "" when there is a key. A link
// that was made before, here or by another node, is good no more.
func (a *App) SetupURL() string { return a.setupURL }

// Serve works until ctx ends. Then it stops accepting and answers what is open;
// finishes or gives back what is being sent, and records it; tells what came of
// that; and closes the database. What is accepted after the dispatcher began to
// stop waits on disk.
func (a *App) Serve(ctx context.Context) error {
	stopDispatcher := a.run(ctx, loops{"dispatcher": a.disp.Run})
	others := loops{"notifier": a.notifier.Run, "watch": a.watcher.Run, "keys": a.auth.Run, "sign-ins": a.signIns.Run, "bus": a.hear, "feed": a.feed.Announce, "retention": a.retain}
	if a.courier != nil {
		others["mail"] = a.courier.Run
	}
	stopOthers := a.run(ctx, others)
	failed := make(chan error, 2)
	var servers sync.WaitGroup
	a.api.serve(&servers, failed)
	a.metrics.serve(&servers, failed)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	a.log.Info("stopping: open requests are answered, attempts on the wire are finished")
	close(a.draining)
	a.shutdown()
	servers.Wait()
	stopDispatcher()
	stopOthers()
	failpoint.Hit("stop: all ended, database open")
	err = errors.Join(err, a.close())
	a.log.Info("stopped: what was not finished is given back, and other nodes or the next start go on with it")
	return err
}

// loops are what runs besides the servers, by name.
type loops map[string]func(context.Context) error

// run starts loops that go on when ctx ends. It answers what stops them and
// returns when they have ended.
func (a *App) run(ctx context.Context, all loops) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for name, loop := range all {
		running.Go(func() {
			if err := loop(ctx); err != nil {
				a.log.Error("loop ended", slog.String("loop", name), slog.Any("error", err))
			}
		})
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// front is what takes connections in.
func (l *listener) front() front {
	if l.door != nil {
		return l.door
	}
	return l.server
}

type front interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
	Close() error
}

func (l *listener) serve(running *sync.WaitGroup, failed chan<- error) {
	if l.Listener == nil {
		return
	}
	running.Go(func() {
		if err := l.front().Serve(l.Listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	})
}

// close closes what Open opened, as far as it came.
func (a *App) close() error {
	var errs []error
	for _, l := range []listener{a.api, a.metrics} {
		if l.Listener != nil {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if a.egress != nil {
		a.egress.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	errs = append(errs, a.tracing.Stop(ctx))
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	return errors.Join(errs...)
}

// hear passes on what the nodes announce.
func (a *App) hear(ctx context.Context) error {
	return a.db.Listen(ctx, func(n store.Note) {
		switch n.Kind {
		case store.EndpointChanged:
			if n.ID != "" {
				a.disp.Changed(n.ID)
			}
		case store.WorkAdded:
			if n.ID == "" {
				a.disp.WakeJobs()
			} else {
				a.disp.Wake(n.ID)
			}
		case store.KeysChanged:
			a.auth.ForgetAll()
		default:
			a.feed.Hear(ctx, n)
		}
	})
}

// firstKey makes sure that somebody can get in: the key of the environment, or a
// one-time link when the database has none yet.
func (a *App) firstKey(ctx context.Context) error {
	if a.cfg.APIKey != "" {
		done, err := a.auth.EnsureKey(ctx, a.cfg.APIKey)
		if err != nil {
			return fmt.Errorf("COMPLIANCELAYER_API_KEY: %w", err)
		}
		if done.Short {
			a.log.Warn("the key in COMPLIANCELAYER_API_KEY is short; use 32 characters or more outside of a test")
		}
		return nil
	}
	token, link := auth.NewLink(auth.Setup, store.DefaultAccount, setupLife, time.Now())
	err := a.db.OfferSetup(ctx, link)
	if errors.Is(err, store.ErrConflict) {
		return nil // there is a key
	}
	if err != nil {
		return err
	}
	a.setupURL = a.URL() + "/setup?token=" + token
	return nil
}

// setupLife is how long the link of an empty installation can be used.
const setupLife = 24 * time.Hour

// node names this process among those that share a database. The random part
// tells a process from the one before it in the same container.
func node() string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), rand.Text()[:6])
}
