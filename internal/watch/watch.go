// Package watch is the health watch: every half minute it judges the endpoints that
// have trouble, or an open alert, by the rule of delivery.Window, and opens and closes
// their alerts.
//
// It tells nobody: an alert is written with a notice, which notify makes an event of. It keeps nothing
// in memory that may not be lost, and every node runs it: the store lets each
// alert be opened and closed once.
package watch

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Every is how often to look: as often as the counts of a minute are worth it.
const Every = 30 * time.Second

const (
	// again is how much of what was looked at is looked at once more. Counts are on disk some seconds after
	// their minute began, which is up to a minute before; the rest is for a database that was away for a while.
	again = 5 * time.Minute
	// page is how many endpoints are judged at a time, each by an hour of minutes.
	page = 100
)

// Store is what watching needs of the store.
type Store interface {
	store.Watch
	// Clock gives the time that the minutes are counted by, as store.Queue has it.
	Clock(ctx context.Context) (time.Time, error)
}

// Config says what a Watcher works with.
type Config struct {
	Store Store
	Wake  func() // called when there is something to be told
	// Missed is called for an endpoint that could not be judged; it is tried again with the next look. nil = nobody counts them.
	Missed func()
	Log    *slog.Logger
}

// Watcher watches endpoints.
type Watcher struct {
	Config
	seen   time.Time // until when all trouble has been looked at; Run's own, as all of these
	looked time.Time // when the last look came to its end
	began  time.Time // since when there was no long stop between looks
	failed bool      // the last look failed
}

// New makes a Watcher; Run starts it.
func New(c Config) *Watcher {
	if c.Missed == nil {
		c.Missed = func() {}
	}
	return &Watcher{Config: c}
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		err := w.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !w.failed {
			w.Log.Error("health not watched; it is tried again", slog.Any("error", err))
		}
		w.failed = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look judges once: it finds out once who has trouble, and then takes them page by page. The first look,
// and the one after the clock was put back, goes over the whole window, so that it finds what a node that died did
// not get to; and so does the one after a look that did not get to all.
func (w *Watcher) look(ctx context.Context) error {
	now, err := w.Store.Clock(ctx)
	if err != nil {
		return err
	}
	if w.looked.IsZero() || w.looked.After(now) || now.Sub(w.looked) > again {
		w.began = now
	}
	until := now.Truncate(time.Minute).Add(time.Minute)
	from := until.Add(-delivery.WatchWindow)
	since := from
	if s := w.seen.Add(-again); s.After(from) && !w.seen.After(now) {
		since = s
	}
	troubled, err := w.Store.Troubled(ctx, since, until)
	if err != nil {
		return err
	}
	missed := 0
	for ids := range slices.Chunk(troubled, page) {
		found, err := w.Store.Watched(ctx, ids, from, until)
		if err != nil {
			return err
		}
		n, err := w.judgeAll(ctx, found, until, now)
		if err != nil {
			return err
		}
		missed += n
	}
	w.looked = now
	if missed == 0 {
		w.seen = now
	}
	return nil
}

// judgeAll judges a page. One whose alerts cannot be written holds up no other: it is logged, counted, and tried
// again. A database that is away, or full, holds up all of them.
func (w *Watcher) judgeAll(ctx context.Context, found []store.Watched, until, now time.Time) (missed int, _ error) {
	for _, e := range found {
		err := w.judge(ctx, e, until, now)
		if ctx.Err() != nil || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrFull) {
			return missed, err
		}
		if err != nil {
			w.Log.Error("endpoint not watched; it is tried again", slog.String("endpoint_id", e.EndpointID), slog.Any("error", err))
			w.Missed()
			missed++
		}
	}
	return missed, nil
}

// judge opens and closes the alerts of an endpoint.
func (w *Watcher) judge(ctx context.Context, e store.Watched, until, now time.Time) error {
	window := delivery.NewWindow(e.Minutes, e.EnabledAt, until)
	open := map[delivery.AlertKind]store.Alert{}
	var kinds []delivery.AlertKind
	for _, a := range e.Open {
		open[a.Kind] = a
		kinds = append(kinds, a.Kind)
	}
	opens, closes := window.Changes(kinds)
	for _, k := range opens {
		a := store.Alert{
			ID: newID(), AccountID: e.AccountID, EndpointID: e.EndpointID, Kind: k, Threshold: k.Threshold(),
			Opened: window.Opening(k), OpenedAt: now,
		}
		if err := w.told(w.Store.OpenAlert(ctx, a)); err != nil {
			return err
		}
	}
	for _, k := range closes {
		a := open[k]
		closing := window.Closing(k)
		if closing.Why() == delivery.ClosedNoAttempts && !w.meansSilence(now, e.EnabledAt, a) {
			continue
		}
		a.Closed, a.Reason, a.ClosedAt = closing, closing.Why(), now
		if err := w.told(w.Store.CloseAlert(ctx, a)); err != nil {
			return err
		}
	}
	return nil
}

// meansSilence reports whether an alert may close because nothing was attempted: that says something of an endpoint
// that starts anew, or once this program has been there for long enough to attempt what waited for it.
func (w *Watcher) meansSilence(now, enabled time.Time, a store.Alert) bool {
	return enabled.After(a.OpenedAt) || now.Sub(w.began) >= delivery.WatchRecent
}

// told wakes whoever tells, if there is something to be told.
func (w *Watcher) told(changed bool, err error) error {
	if changed {
		w.Wake()
	}
	return err
}

func newID() string { return "alt_" + strings.ToLower(rand.Text())[:16] }
