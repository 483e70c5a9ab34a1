package dispatch

import (
	"context"
	crand "crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// flushEvery is how long counts are gathered before they are added on disk:
// what a node that is killed can lose of its statistics.
const flushEvery = 2 * time.Second

// maxTally bounds the minutes of endpoints that are gathered while the database
// takes none: some 30 MB.
const maxTally = 100_000

// tally keeps per-minute counts of endpoints until their minute is over and they
// are on disk. They are written as they stand, in the place of what was written of them before:
// when the answer to a write is lost, the next one counts nothing twice.
type tally struct {
	mu    sync.Mutex
	stats map[tallyKey]*counted
}

type tallyKey struct {
	endpointID string
	minute     int64
}

// counted is an endpoint's minute. One that is counted on after it was dropped has another writer.
type counted struct {
	store.Stat
	changed bool // since it was written
}

func newTally() *tally { return &tally{stats: map[tallyKey]*counted{}} }

// add counts an attempt. Tests and failures on our side say nothing about an endpoint.
func (t *tally) add(r *store.Result, done *store.Recorded) {
	a := &r.Attempt
	if a.Cycle == delivery.Test || a.Class.Ours() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.of(r.Lease.AccountID, r.Lease.EndpointID, a.EndedAt.Truncate(time.Minute).UTC())
	if !ok {
		return
	}
	s.changed = true
	if r.Lease.Again() {
		s.Retries++
	}
	s.Watched.Add(delivery.CountsOf(r.Lease, *a, catalog.IsOperational(r.Lease.EventType)))
	s.Latency[bucket(a.EndedAt.Sub(a.StartedAt))]++
	if a.Class == delivery.OK {
		s.Succeeded++
		s.Delivered++
		s.LastSuccessAt = a.EndedAt
		return
	}
	s.Failed++
	if done.Change.Status == delivery.Failed {
		s.Dead++
	}
}

// of gives the counts of an endpoint's minute, made if missing and if there is
// room for them.
func (t *tally) of(accountID, endpointID string, minute time.Time) (*counted, bool) {
	key := tallyKey{endpointID, minute.Unix()}
	s, ok := t.stats[key]
	if !ok && len(t.stats) < maxTally {
		s, ok = &counted{Stat: store.Stat{AccountID: accountID, EndpointID: endpointID, Minute: minute, Writer: crand.Text()}}, true
		t.stats[key] = s
	}
	return s, ok
}

func bucket(took time.Duration) int {
	for i, bound := range store.LatencyBounds {
		if took <= bound {
			return i
		}
	}
	return len(store.LatencyBounds)
}

// unwritten gives what has changed since it was written, which it counts as written now.
func (t *tally) unwritten() []store.Stat {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []store.Stat
	for _, s := range t.stats {
		if s.changed {
			all = append(all, s.Stat)
			s.changed = false
		}
	}
	return all
}

// notWritten takes back that counts were written.
func (t *tally) notWritten(all []store.Stat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range all {
		t.stats[tallyKey{s.EndpointID, s.Minute.Unix()}].changed = true
	}
}

// drop forgets what is written of minutes that are over.
func (t *tally) drop(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.stats, func(_ tallyKey, s *counted) bool { return !s.changed && now.Sub(s.Minute) >= time.Minute })
}

// flushStats writes the counts to disk now and then, and at the end.
func (d *Dispatcher) flushStats() {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.flushOnce()
		case <-d.finalStop:
			d.flushOnce()
			return
		}
	}
}

func (d *Dispatcher) flushOnce() {
	if all := d.stats.unwritten(); len(all) > 0 {
		d.writeStats(all)
	}
	d.stats.drop(d.Now())
}

func (d *Dispatcher) writeStats(all []store.Stat) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := d.cfg.Queue.WriteStats(ctx, all)
	failpoint.Hit("statistics: written")
	if err == nil {
		return
	}
	d.log.Error("statistics not written", slog.Any("error", err))
	if passing(err) || errors.Is(err, context.DeadlineExceeded) {
		d.stats.notWritten(all)
	}
}
