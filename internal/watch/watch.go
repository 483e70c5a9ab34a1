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
	"log/slog"
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
	// page is how many endpoints are read at a time, each with an hour of minutes.
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
	Log   *slog.Logger
}

// Watcher watches endpoints.
type Watcher struct {
	Config
	seen   time.Time // until when all trouble has been looked at; Run's own
	failed bool      // the last look failed
}

// New makes a Watcher; Run starts it.
func New(c Config) *Watcher { return &Watcher{Config: c} }

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

// look judges once. The first look, and the one after the clock was put back, goes over the whole
// window, so that it finds what a node that died did not get to.
func (w *Watcher) look(ctx context.Context) error {
	now, err := w.Store.Clock(ctx)
	if err != nil {
		return err
	}
	q := store.WatchQuery{Until: now.Truncate(time.Minute).Add(time.Minute), Limit: page}
	q.From = q.Until.Add(-delivery.WatchWindow)
	q.Since = q.From
	if since := w.seen.Add(-again); since.After(q.Since) && !w.seen.After(now) {
		q.Since = since
	}
	for {
		found, err := w.Store.Watched(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range found {
			if err := w.judge(ctx, e, q.Until, now); err != nil {
				return err
			}
		}
		if len(found) < page {
			w.seen = now
			return nil
		}
		q.After = found[len(found)-1].EndpointID
	}
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
		a.Closed, a.ClosedAt = window.Closing(k), now
		if a.OpenedAt.After(now) { // the clock was put back
			a.ClosedAt = a.OpenedAt
		}
		if err := w.told(w.Store.CloseAlert(ctx, a)); err != nil {
			return err
		}
	}
	return nil
}

// told wakes whoever tells, if there is something to be told.
func (w *Watcher) told(changed bool, err error) error {
	if changed {
		w.Wake()
	}
	return err
}

func newID() string { return "alt_" + strings.ToLower(rand.Text())[:16] }
