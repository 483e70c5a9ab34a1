package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const (
	recordBatch   = 512
	recordFirst   = 100 * time.Millisecond // before outcomes that were not taken are offered again
	recordLongest = 5 * time.Second
)

// record gives outcomes to the store in batches: all that have gathered while
// the batch before was written. It ends when no outcome can follow.
func (d *Dispatcher) record() {
	batch := make([]store.Result, 0, recordBatch)
	for r := range d.outcomes {
		batch = d.gather(append(batch[:0], r))
		d.write(batch)
		d.settled(batch...)
	}
}

func (d *Dispatcher) gather(batch []store.Result) []store.Result {
	for len(batch) < recordBatch {
		select {
		case r, ok := <-d.outcomes:
			if !ok {
				return batch
			}
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// write records a batch. While the store takes nothing, nothing more is claimed
// and the batch is offered again, as long as its leases could still hold.
func (d *Dispatcher) write(batch []store.Result) {
	failpoint.Hit("outcome: about to be recorded")
	wait := recordFirst
	for {
		done, err := d.cfg.Queue.Record(context.Background(), d.cfg.Policy, batch)
		if err == nil {
			failpoint.Hit("outcome: recorded, lanes not told")
			d.stall(false)
			d.recorded(batch, done)
			return
		}
		d.log.Error("outcomes not recorded", slog.Int("count", len(batch)), slog.Any("error", err))
		if !passing(err) && len(batch) > 1 {
			for i := range batch { // one that can never be written fails alone
				d.write(batch[i : i+1])
			}
			return
		}
		if !passing(err) || d.leasesOver(batch) {
			d.stall(false) // no outcome is left that would end it
			return         // their leases end by themselves, and the attempts are closed as unknown
		}
		d.stall(true)
		time.Sleep(wait)
		wait = min(2*wait, recordLongest)
	}
}

// passing reports an error that may be over when it is tried again.
func passing(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrFull)
}

func (d *Dispatcher) leasesOver(batch []store.Result) bool {
	for i := range batch {
		if batch[i].Lease.Until.After(d.Now()) {
			return false
		}
	}
	return true
}

// stall stops or lets go on the claiming and sending of work whose outcome could not be written.
func (d *Dispatcher) stall(stalled bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stalled == stalled {
		return
	}
	d.stalled = stalled
	if !stalled {
		for _, l := range d.lanes {
			d.pump(l)
		}
	}
	signal(d.wake)
}

// recorded applies what the store answered to the lanes, and tells who listens.
func (d *Dispatcher) recorded(batch []store.Result, done []store.Recorded) {
	var back []delivery.Lease
	d.mu.Lock()
	for i := range batch {
		if done[i].Applied {
			back = append(back, d.apply(&batch[i], &done[i])...)
		}
	}
	d.mu.Unlock()
	d.giveBack(back)
	for i := range batch {
		if !done[i].Applied {
			d.log.Warn("outcome came too late: another node has taken the delivery over",
				slog.Int64("delivery_id", int64(batch[i].Lease.ID)), slog.Int("attempt", batch[i].Attempt.Number))
			continue
		}
		d.tell(&batch[i])
		d.stats.add(&batch[i], &done[i])
		d.observe(batch[i], done[i])
	}
}

// apply follows one outcome in its lane. It answers leases that the lane is not
// to use any more.
func (d *Dispatcher) apply(r *store.Result, done *store.Recorded) []delivery.Lease {
	l := d.lane(r.Lease.EndpointID)
	wasNarrow := l.health.Narrow()
	back := d.follow(l, done.State, done.Health)
	if done.Change.Status == delivery.Retrying {
		d.agenda.add(l.id, done.Change.DueAt)
		signal(d.wake)
	}
	switch {
	case l.state != delivery.Enabled:
		d.ready[l.id] = true // what waits is to be held
		signal(d.wake)
	case l.health.Narrow():
		d.agenda.add(l.id, l.health.NextAt)
		signal(d.wake)
	case wasNarrow:
		d.ready[l.id] = true // it is well again: go on at full width
		signal(d.wake)
	}
	return back
}

// tell logs what only operators may know of a failed attempt: as a warning when it is
// our fault, else for those who look for it. The failures of others are in the delivery log.
func (d *Dispatcher) tell(r *store.Result) {
	a := &r.Attempt
	if a.LocalInfo == "" {
		return
	}
	level := slog.LevelDebug
	if a.Class.Ours() {
		level = slog.LevelWarn
	}
	d.log.LogAttrs(context.Background(), level, "attempt failed", slog.String("endpoint_id", r.Lease.EndpointID), slog.Int64("delivery_id", int64(r.Lease.ID)),
		slog.Int("attempt", a.Number), slog.String("class", string(a.Class)), slog.String("detail", a.LocalInfo))
}
