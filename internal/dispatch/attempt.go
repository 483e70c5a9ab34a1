package dispatch

import (
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
)

// task is an attempt to make.
type task struct {
	lane  *lane
	lease delivery.Lease
	probe bool // the one attempt of a narrow endpoint
}

// pump starts what the lane may start. Dispatcher.mu is held.
func (d *Dispatcher) pump(l *lane) {
	l.expire(d.Now())
	for len(l.queue) > 0 && l.mayStart() && !l.paused && !d.stalled {
		if d.slots.left(l.counted.kind, l.inFlight) == 0 {
			if l.inFlight == 0 { // no end of its own would let it go on
				d.giveBack(d.emptyLane(l))
			}
			return
		}
		if wait := l.spaceOut(); wait > 0 {
			l.paused = true
			time.AfterFunc(wait, func() { d.resume(l) })
			return
		}
		l.loading = l.loading || l.target == nil
		t := task{l, l.queue[0], l.health.Narrow()}
		l.queue[0] = delivery.Lease{} // lets the body go
		l.queue = l.queue[1:]
		l.inFlight++
		d.count(l)
		d.start(t)
	}
}

// spaceOut takes a turn of the lane's rate, or says how long to wait for one.
func (l *lane) spaceOut() time.Duration {
	if l.rate == nil {
		return 0
	}
	turn := l.rate.Reserve()
	wait := turn.Delay()
	if wait > 0 {
		turn.Cancel()
	}
	return wait
}

func (d *Dispatcher) resume(l *lane) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.paused = false
	d.pump(l)
}

// start gives a task to an idle worker, or to a new one. Workers are kept,
// because growing a fresh stack for every request costs more than the rest of this loop.
func (d *Dispatcher) start(t task) {
	d.attempts.Add(1)
	select {
	case d.work <- t:
	default:
		d.workers.Go(func() { d.serve(t) })
	}
}

func (d *Dispatcher) serve(t task) {
	for more := true; more; {
		d.attempt(t)
		d.attempts.Done()
		if d.idle.Add(1) > maxIdle {
			d.idle.Add(-1)
			return
		}
		t, more = <-d.work
		d.idle.Add(-1)
	}
}

// attempt makes one attempt and lets the lane go on.
func (d *Dispatcher) attempt(t task) {
	started := time.Now()
	sent := d.tryAttempt(t)
	if !sent {
		d.giveBack([]delivery.Lease{t.lease})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l := t.lane
	l.bodies -= len(t.lease.Body)
	l.inFlight--
	if sent {
		l.learn(time.Since(started))
	}
	d.count(l)
	d.pump(l)
	if d.ready[l.id] {
		signal(d.wake)
	}
	d.forgetIdle(l)
}

// tryAttempt sends, unless that is not to happen any more: then the lease is to
// be given back.
func (d *Dispatcher) tryAttempt(t task) (sent bool) {
	target, ok := d.mayGo(t)
	if !ok {
		return false
	}
	failpoint.Hit("attempt: about to be sent")
	a, unsent := d.send(d.wireCtx, *target, t.lease)
	if unsent && a.Class == delivery.Interrupted {
		return false
	}
	failpoint.Hit("attempt: ended, its outcome kept by nobody")
	d.outcomes <- d.held(d.judge(t.lease, a))
	return true
}

// mayGo looks once more, right before the request would leave: whether the
// endpoint still receives, whether the lease is long enough, and whether a lane
// that has become narrow meanwhile is to have this attempt.
func (d *Dispatcher) mayGo(t task) (*prepared, bool) {
	d.mu.Lock()
	l := t.lane
	target := l.target
	// While one reads, the others go on with what they have, unless that is out of date.
	read := target == nil || target.isOver(d.Now()) || target.isOld(refreshAfter) && !l.loading
	l.loading = l.loading || read
	d.mu.Unlock()
	if read {
		var ok bool
		if target, ok = d.reload(l); !ok {
			return nil, false
		}
	}
	// A request may take the whole timeout, and its outcome a moment to be written.
	enough := t.lease.Until.Sub(d.Now()) > d.cfg.Policy.Timeout+delivery.LeaseSlack/5
	return target, enough && d.receives(t) && d.wireCtx.Err() == nil
}

func (d *Dispatcher) receives(t task) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return t.lane.state == delivery.Enabled && (t.probe || !t.lane.health.Narrow())
}

// reload reads the endpoint and lets those go on that waited for it.
func (d *Dispatcher) reload(l *lane) (*prepared, bool) {
	target, err := d.load(l)
	if err != nil {
		d.complain(d.wireCtx, "endpoint not read", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l.loading = false
	if err == nil {
		d.pump(l)
	}
	return target, err == nil
}
