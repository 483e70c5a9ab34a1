package dispatch

import (
	"context"
	"log/slog"
	"time"
)

// clock is what the store's clock said, and when by this process's. In between,
// time is measured: no setting of this machine's clock moves it.
type clock struct{ read, said time.Time }

const (
	// clockSlack is what the way to the server and back can explain.
	clockSlack = time.Second
	// jumpBack is how far a clock is put back when it is more than corrected.
	jumpBack = 5 * time.Second
)

// clockFor is how old the reading of the clock may be by which work is claimed. To a node that has not noticed that the clock
// was put back, what others write is due long before its time, and their leases have ended.
const clockFor = time.Second

func (c *clock) isOld() bool { return time.Since(c.read) >= clockFor }

// Now is the time that the nodes agree on.
func (d *Dispatcher) Now() time.Time {
	c := d.clock.Load()
	return c.said.Add(time.Since(c.read))
}

// Ahead is what that is ahead of this process's clock.
func (d *Dispatcher) Ahead() time.Duration { return d.Now().Round(0).Sub(time.Now().Round(0)) }

// ReadClock sets the time that the nodes agree on. It is called once, before Run.
func (d *Dispatcher) ReadClock(ctx context.Context) error { return d.setClock(ctx) }

// setClock reads the store's clock. When that was put back, what was written before
// lies ahead, and would wait for as long.
func (d *Dispatcher) setClock(ctx context.Context) error {
	before := time.Now()
	theirs, err := d.cfg.Queue.Clock(ctx)
	if err != nil {
		return err
	}
	off := theirs.Sub(before.Add(time.Since(before) / 2))
	if off.Abs() < clockSlack {
		off = 0
	}
	was := d.Now()
	d.clock.Store(&clock{before, before.Add(off)})
	if was.Round(0).Sub(d.Now().Round(0)) > jumpBack {
		d.mend, d.mendSince = jumpBack, time.Now()
	}
	return nil
}

// allKnow reports whether every node has looked at the clock since it was put back. One that
// has not would take what is mended for long due.
func (d *Dispatcher) allKnow() bool {
	return d.nodes.Load() == 1 || time.Since(d.mendSince) > 2*d.cfg.ScanEvery+clockSlack
}

// mendTimes mends what lies ahead of the clock, until nothing more is found: an
// outcome that was judged before the clock was read may be written after.
func (d *Dispatcher) mendTimes(ctx context.Context) error {
	if d.mend == 0 || !d.allKnow() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, claimTime) // of very many the rest waits for the next look
	defer cancel()
	now := d.Now()
	n, err := d.cfg.Queue.Rewind(ctx, d.cfg.Policy, now, now.Add(d.mend))
	if err != nil {
		return err
	}
	if n == 0 {
		d.mend = 0
		return nil
	}
	d.log.Warn("the clock was put back; what was due by the time before is due by the new one", slog.Int("count", n))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.agenda = agenda{} // the scan that goes on reads the due times again
	for _, l := range d.lanes {
		l.health = l.health.Believable(d.cfg.Policy, now)
	}
	return nil
}
