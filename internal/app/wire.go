package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/api"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/door"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/feed"
	"github.com/compliancelayer/compliancelayer/internal/issuer"
	"github.com/compliancelayer/compliancelayer/internal/mail"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/metrics"
	"github.com/compliancelayer/compliancelayer/internal/notify"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/seal"
	"github.com/compliancelayer/compliancelayer/internal/send"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
	"github.com/compliancelayer/compliancelayer/internal/watch"
	"github.com/compliancelayer/compliancelayer/internal/web"
)

const (
	// A SQLite file has one node, which knows its own due times; the look at them
	// is only for what a bug or a clock may have hidden. Nodes that share a
	// database find each other's leftovers this way, so they look often:
	// lease (timeout + 10 s) + 2 s stays under the 45 s promised.
	scanAlone  = 10 * time.Second
	scanShared = 2 * time.Second

	// idlePerHost is how many connections to one host are kept for the next attempt.
	// Many endpoints may share a host, so it is above what one of them needs; none is
	// opened that was not needed at the same time, and idle ones end after a minute. The
	// bound over all hosts is in idle.
	idlePerHost = 2048

	// Server time-outs (reliability: slow clients). Writing may begin when the whole
	// body was read; long answers, exports and the stream have a time for each piece instead.
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 48 << 10 // the API refuses from 16 KiB on, in words of its own; this bounds what is read

	// maxConnections bounds what clients can make an address hold open: 200 MiB or so, and
	// file descriptors enough. The next one waits until one of them ends.
	maxConnections = 4096
)

// wire makes the parts and puts them together.
func (a *App) wire(ctx context.Context) error {
	box, err := a.box(ctx)
	if err != nil {
		return err
	}
	policy, err := a.policy()
	if err != nil {
		return err
	}
	files := openFiles()
	if a.egress, err = egress.NewClient(egress.ClientConfig{
		Policy: policy, IdlePerHost: idlePerHost, MaxIdle: idle(files), ConnectTimeout: a.cfg.Policy.Timeout,
	}); err != nil {
		return err
	}
	name := node()
	sender, err := send.New(send.Config{Client: a.egress, Timeout: a.cfg.Policy.Timeout, Node: name, Ahead: func() time.Duration { return a.disp.Ahead() }})
	if err != nil {
		return err
	}
	counts := metrics.New(a.db, a.cfg.Version, a.log)
	a.feed = feed.New(a.db, a.log)
	every := scanAlone
	if sqlstore.IsPostgres(a.cfg.Database) {
		every = scanShared
	}
	a.disp = dispatch.New(dispatch.Config{
		Queue: a.db, Wire: a.tracing.Wrap(sender), Egress: policy, Box: box, Policy: a.cfg.Policy, Node: name,
		Concurrency: a.cfg.Concurrency, Slots: a.slots(files), ScanEvery: every, Log: a.log,
		Observe: func(r store.Result, done store.Recorded) { a.recorded(counts, r, done) },
	})
	// Before anything is accepted: until then a node would lease and sign by a clock of its own.
	if err := a.disp.ReadClock(ctx); err != nil {
		return fmt.Errorf("read the database's clock: %w", err)
	}
	publisher := publish.New(publish.Config{Store: a.db, Lanes: a.disp, Observe: func(accountID string, e *store.NewEvent) {
		counts.Accepted()
		a.feed.Accepted(accountID, e)
	}})
	mails, err := a.tellers(policy, publisher, every)
	if err != nil {
		return err
	}
	a.watcher = watch.New(watch.Config{Store: a.db, Wake: a.notifier.Wake, Missed: counts.Missed, Log: a.log})
	a.auth = auth.NewAuthenticator(a.db, a.log)
	a.signIns = auth.NewSignIns(a.db, a.log)
	manager := manage.New(manage.Config{
		Store: a.db, Targets: policy, Box: box, Sender: tests{a.disp, a.cut}, Policy: a.cfg.Policy, Node: name, Passwords: a.signIns,
		Limits: manage.Limits{Endpoints: a.cfg.MaxEndpoints}, Mail: mails, Logger: a.log,
	})
	return a.serve(publisher, manager, a.issuer(box), counts)
}

// issuer makes the way to the issuer of single sign-on; nil = there is none.
func (a *App) issuer(box *seal.Box) *issuer.Issuer {
	set := a.cfg.SingleSignOn
	if set.Issuer == "" {
		return nil
	}
	return issuer.New(issuer.Config{
		URL: set.Issuer, ClientID: set.ClientID, ClientSecret: set.ClientSecret, Name: set.Name, Box: box,
		Redirect: func() string { return a.PublicURL() + web.CallbackPath },
		Client:   a.egress.Plain(cmp.Or(set.Timeout, issuer.Patience), issuer.MaxAnswer),
	})
}

// tellers makes what tells other endpoints and people what was noticed. It answers what sends test mails; nil = nothing does.
func (a *App) tellers(policy *egress.Policy, publisher *publish.Publisher, every time.Duration) (manage.Mail, error) {
	cfg := notify.Config{Store: a.db, Publisher: publisher, Policy: a.cfg.Policy, Every: every, Log: a.log}
	sender, err := a.sender(policy)
	if err != nil {
		return nil, err
	}
	if sender == nil {
		a.notifier = notify.New(cfg)
		return nil, nil //nolint:nilnil // there is no mail server
	}
	a.courier = mail.NewCourier(mail.CourierConfig{Store: a.db, Sender: sender, Every: every, Log: a.log})
	cfg.Mailed = a.courier.Wake
	a.notifier = notify.New(cfg)
	return sender, nil
}

// serve puts the API and the dashboard behind the listeners.
func (a *App) serve(publisher *publish.Publisher, manager *manage.Manager, single *issuer.Issuer, counts *metrics.Metrics) error {
	cfg := api.Config{
		Publisher: publisher, Manager: manager, Auth: a.auth, Accounts: a.db, Feed: a.feed, Ping: a.db.Ping,
		PortalURL: func(token string) string { return a.PublicURL() + "/portal/" + token },
		Version:   a.cfg.Version, Draining: a.draining, RequestRate: a.cfg.RequestRate, Observe: counts.Answered, Logger: a.log,
	}
	if a.metrics.Listener == nil {
		cfg.Metrics = counts.Handler()
	}
	server, err := api.New(cfg)
	if err != nil {
		return err
	}
	pages, err := web.New(web.Config{
		Manager: manager, Publisher: publisher, Feed: a.feed, SignIns: a.signIns, Issuer: single, Depth: a.db, Retention: a.cfg.Retention, Draining: a.draining, Policy: a.cfg.Policy, Dev: a.cfg.Dev, Version: a.cfg.Version, URL: a.PublicURL, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.api.answering = &answering{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if api.Owns(r.URL.Path) || !pages.Owns(r) {
			server.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})}
	a.api.server = a.newServer(a.api.answering)
	a.api.door = door.New(a.api.server, api.PublishPath)
	if a.metrics.Listener != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", counts.Handler())
		a.metrics.server = a.newServer(mux)
	}
	return nil
}

func (a *App) newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug), // what clients do wrong with their connections
	}
}

// recorded tells everybody who counts or listens what became of an attempt.
func (a *App) recorded(counts *metrics.Metrics, r store.Result, done store.Recorded) {
	counts.Attempted(&r.Attempt, done)
	a.feed.Recorded(r, done)
	if done.Notice != delivery.NoNotice || done.Change.Status == delivery.Failed {
		a.notifier.Wake()
	}
}

// policy says where connections may go.
func (a *App) policy() (*egress.Policy, error) {
	cfg := egress.Config{Dev: a.cfg.Dev, NAT64Decode: a.cfg.NAT64Decode, OwnListeners: a.listeners}
	for _, text := range a.cfg.AllowTargets {
		rule, err := egress.ParseAllow(text)
		if err != nil {
			return nil, fmt.Errorf("--allow-targets: %w", err)
		}
		cfg.Allow = append(cfg.Allow, rule)
	}
	if a.cfg.Dev {
		a.log.Warn("development mode: deliveries to this machine are allowed; do not use it where others can add endpoints")
	}
	if len(cfg.Allow) > 0 {
		a.log.Warn("deliveries to addresses that are not public are allowed", slog.Any("allow_targets", a.cfg.AllowTargets))
	}
	return egress.NewPolicy(cfg)
}

const (
	retainEvery = 10 * time.Minute
	retainBatch = 1000
	// retainPause lets others write between two batches.
	retainPause = 50 * time.Millisecond
)

// chore is upkeep that is done in batches: do answers of how many it had something to do with, 0 = nothing is left.
type chore struct {
	what string
	do   func(ctx context.Context, limit int) (int, error)
}

// retain settles what was left of deleted endpoints and deletes what is older than the
// retention, if there is one, and what goes after a time of its own, until ctx ends.
func (a *App) retain(ctx context.Context) error {
	chores := []chore{
		{"discard what was left of deleted endpoints", a.db.SettleDeleted},
		{"delete old mails", a.deleteMails},
		{"delete what nobody came to see", a.deleteReveals},
	}
	if a.cfg.Retention > 0 {
		chores = append(chores, chore{"delete old rows", a.deleteOld})
	}
	a.doAll(ctx, chores)
	return nil
}

// doAll does each chore every ten minutes, beside the others: one that takes hours, as the first deletion from a long log does,
// must not keep a secret that was to be shown once from going.
func (a *App) doAll(ctx context.Context, chores []chore) {
	var running sync.WaitGroup
	for _, one := range chores {
		running.Go(func() {
			tick := time.NewTicker(retainEvery)
			defer tick.Stop()
			for ctx.Err() == nil {
				a.inBatches(ctx, one)
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	running.Wait()
}

// deleteOld deletes what is older than the retention by the clock of the database: a node
// whose own is ahead would delete what is young.
func (a *App) deleteOld(ctx context.Context, limit int) (int, error) {
	now, err := a.db.Clock(ctx)
	if err != nil {
		return 0, err
	}
	return a.db.DeleteOld(ctx, now.Add(-a.cfg.Retention), limit)
}

// deleteMails deletes mails whether or not this server sends any: what waits since it had a mail server
// must not be told when it has one again.
func (a *App) deleteMails(ctx context.Context, limit int) (int, error) {
	now, err := a.db.Clock(ctx)
	if err != nil {
		return 0, err
	}
	return a.db.DeleteMails(ctx, now.Add(-mail.Kept), limit)
}

// deleteReveals deletes secrets and links that were made, and that nobody came to see in time: sealed, but nowhere else.
func (a *App) deleteReveals(ctx context.Context, limit int) (int, error) {
	now, err := a.db.Clock(ctx)
	if err != nil {
		return 0, err
	}
	return a.db.DeleteReveals(ctx, now, limit)
}

// inBatches does a small batch after the other until nothing is left, or ctx ends.
func (a *App) inBatches(ctx context.Context, c chore) {
	total := 0
	for ctx.Err() == nil {
		n, err := c.do(ctx, retainBatch)
		if err != nil && ctx.Err() == nil {
			a.log.Error("upkeep failed", slog.String("of", c.what), slog.Any("error", err))
		}
		if n == 0 || err != nil {
			break
		}
		total += n
		select {
		case <-time.After(retainPause):
		case <-ctx.Done():
		}
	}
	if total > 0 {
		a.log.Info("upkeep done", slog.String("of", c.what), slog.Int("count", total))
	}
}

// Migrate brings a database up to date without serving it.
func Migrate(ctx context.Context, database string, progress func(version int64, name string)) error {
	db, err := sqlstore.Open(ctx, sqlstore.Config{Database: database, Progress: progress})
	if err != nil {
		return err
	}
	return db.Close()
}

// Schema is what Examine found.
type Schema = sqlstore.Schema

// Examine looks at the tables of a database, which may be served, and changes nothing.
func Examine(ctx context.Context, database string) (Schema, error) {
	return sqlstore.Examine(ctx, database)
}

// Backup copies a SQLite database to a new file, also while it is being served.
func Backup(ctx context.Context, database, dest string, progress func(done, total int64)) error {
	db, err := sqlstore.Open(ctx, sqlstore.Config{Database: database, ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(db.Backup(ctx, dest, progress), db.Close())
}

// IsPostgres reports whether a database setting names a PostgreSQL server, not a file.
func IsPostgres(database string) bool { return sqlstore.IsPostgres(database) }
