package dispatch

import (
	"context"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// admitWait is how long an event waits, at the most, for endpoints that cannot
// keep up: long enough that hundreds of publishers in a loop fall back behind an endpoint that takes
// a thousand events a second, short enough that each call still answers soon. Each further event of
// a call adds admitEach, up to admitLongest: ten publishers with a hundred each come as fast.
const (
	admitWait    = 250 * time.Millisecond
	admitEach    = 5 * time.Millisecond
	admitLongest = time.Second
)

// caller is a publishing call that waits for room in a lane.
type caller struct {
	events int
	next   chan struct{} // closed when there is room, or nothing to wait for
}

// Admit holds a call of so many events back for a moment while endpoints that it goes to
// are well, but have no room in memory left, or due work on disk already. Without it publishers that
// are faster than delivery would push everything onto the disk, where it costs most. An endpoint
// that is slow, narrow or disabled holds nobody back. The room is kept until placed is
// called, which must follow the reservations.
func (d *Dispatcher) Admit(ctx context.Context, endpointIDs []string, events int) (placed func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	lanes := make([]*lane, 0, len(endpointIDs))
	for _, id := range endpointIDs {
		if l, ok := d.lanes[id]; ok {
			lanes = append(lanes, l)
		}
	}
	d.awaitAll(ctx, lanes, events)
	for _, l := range lanes {
		l.called += events
	}
	return func() { d.placed(lanes, events) }
}

// placed gives up the room that was kept for a call beside its reservations.
func (d *Dispatcher) placed(lanes []*lane, events int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range lanes {
		l.called -= events
		d.letIn(l)
	}
}

// awaitAll waits until all lanes have room for a call, or its time is over.
func (d *Dispatcher) awaitAll(ctx context.Context, lanes []*lane, events int) {
	full := d.firstFull(lanes, events, nil)
	if full == nil {
		return
	}
	limit := time.NewTimer(min(admitWait+time.Duration(events-1)*admitEach, admitLongest))
	defer limit.Stop()
	for full != nil && d.await(ctx, full, events, limit) {
		full = d.firstFull(lanes, events, full)
	}
}

// firstFull gives the first lane that a call has to wait for; nil = none. Its turn has
// come at one of them, or it goes behind those that wait there.
func (d *Dispatcher) firstFull(lanes []*lane, events int, turn *lane) *lane {
	for _, l := range lanes {
		behind := l != turn && len(l.waiting) > 0
		if d.holdsBack(l) && (behind || !d.fits(l, events)) {
			return l
		}
	}
	return nil
}

// await waits until a lane has room for a call, and reports whether it may have. It lets
// go of Dispatcher.mu meanwhile.
func (d *Dispatcher) await(ctx context.Context, l *lane, events int, limit *time.Timer) bool {
	c := &caller{events, make(chan struct{})}
	l.waiting = append(l.waiting, c)
	d.mu.Unlock()
	in := false
	select {
	case <-c.next:
		in = true
	case <-limit.C:
	case <-ctx.Done():
	}
	d.mu.Lock()
	if i := slices.Index(l.waiting, c); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
		return false
	}
	l.called -= events // it looks again
	return in
}

// letIn lets those calls go on, in their order, for which a lane has room. Dispatcher.mu is held.
func (d *Dispatcher) letIn(l *lane) {
	for len(l.waiting) > 0 && (!d.holdsBack(l) || d.fits(l, l.waiting[0].events)) {
		l.called += l.waiting[0].events
		close(l.waiting[0].next)
		l.waiting = l.waiting[1:]
	}
}

// holdsBack reports a lane that is worth waiting for.
func (d *Dispatcher) holdsBack(l *lane) bool { return !d.draining && l.isQuick() && l.rate == nil }

// fits reports whether a lane has room for the events of a call, beside those that are
// about to be placed. A call that is larger than half of a lane waits for that much.
func (d *Dispatcher) fits(l *lane, events int) bool {
	room := l.room(&d.slots)
	return !d.backlog(l.id) && room-l.called >= max(1, min(events, (room+l.busy())/2))
}

// backlog reports whether an endpoint has due work on disk.
func (d *Dispatcher) backlog(endpointID string) bool {
	return d.ready[endpointID] || d.asked[endpointID]
}

// Reserve places a delivery that is about to be committed: leased to this node
// when its lane has room, else waiting on disk. size is the length of its body.
// Every reservation that is answered as Sending must be followed by Hand or Release.
func (d *Dispatcher) Reserve(endpointID string, size int) store.NewDelivery {
	n := store.NewDelivery{EndpointID: endpointID, Status: delivery.Pending, Cycle: delivery.Automatic}
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lane(endpointID)
	// What waits on disk already goes first, or it would wait for ever.
	if d.draining || d.stalled || d.backlog(endpointID) || l.state != delivery.Enabled || l.health.Narrow() ||
		l.room(&d.slots) == 0 || d.memory.left(l.counted.kind, l.bodies) < size {
		return n
	}
	l.reserved++
	l.bodies += size
	d.count(l)
	n.Status, n.Token, n.Until, n.Node = delivery.Sending, NewToken(), d.LeaseUntil(), d.cfg.Node
	return n
}

// Hand takes over a delivery that was committed with a reservation.
func (d *Dispatcher) Hand(lease delivery.Lease) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lane(lease.EndpointID)
	l.reserved--
	l.queue = append(l.queue, lease)
	if d.draining || l.state != delivery.Enabled || l.health.Narrow() {
		d.giveBack(d.emptyLane(l))
		return
	}
	d.count(l)
	d.pump(l)
}

// Release gives up a reservation whose commit failed.
func (d *Dispatcher) Release(endpointID string, size int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lane(endpointID)
	l.reserved--
	l.bodies -= size
	d.count(l)
	if d.ready[endpointID] { // what is due may have waited for this room
		signal(d.wake)
	}
}

// Wake tells that an endpoint has due work on disk.
func (d *Dispatcher) Wake(endpointID string) {
	d.mu.Lock()
	d.ready[endpointID] = true
	d.mu.Unlock()
	signal(d.wake)
}

// WakeJobs tells that a job was made.
func (d *Dispatcher) WakeJobs() { signal(d.wakeJobs) }
