package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// dueBatch is how many endpoints one look at the due times reads.
const dueBatch = 1000

// claimTime bounds a claim and a beat: while one waits for the database nothing else is
// claimed here. It leaves time to take over the work of a dead node as soon as is promised.
const claimTime = 10 * time.Second

// feed claims due work for the lanes that have room, whenever something becomes
// due, a lane gets room, or it is time to look what other nodes have left. It
// sleeps until the earliest of these.
func (d *Dispatcher) feed(ctx context.Context) {
	nextScan := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		if !time.Now().Before(nextScan) {
			started := time.Now()
			d.scan(ctx)
			d.forgetAllIdle()
			// Looking never takes more than a fiftieth of the time.
			nextScan = time.Now().Add(max(d.cfg.ScanEvery, 50*time.Since(started)))
		}
		if d.claim(ctx) {
			continue
		}
		timer.Reset(d.untilNext(nextScan))
		select {
		case <-timer.C:
		case <-d.wake:
		case <-ctx.Done():
		}
	}
}

// scan reads the earliest due time of every endpoint, sets the clock and counts
// the nodes.
func (d *Dispatcher) scan(ctx context.Context) {
	if err := d.setClock(ctx); err != nil {
		d.complain(ctx, "clock not read", err)
		return
	}
	d.beat(ctx)
	if err := d.mendTimes(ctx); err != nil {
		d.complain(ctx, "times ahead of the clock not mended", err)
	}
	after := ""
	for {
		due, err := d.cfg.Queue.Due(ctx, after, dueBatch)
		if err != nil {
			d.complain(ctx, "due work not read", err)
			return
		}
		d.mu.Lock()
		for _, one := range due {
			d.agenda.add(one.EndpointID, one.DueAt)
		}
		d.mu.Unlock()
		if len(due) < dueBatch {
			return
		}
		after = due[len(due)-1].EndpointID
	}
}

func (d *Dispatcher) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	if n, err := d.cfg.Queue.Beat(ctx, d.cfg.Node, d.Now()); err == nil {
		d.nodes.Store(int64(n))
	}
}

// leave ends this node's share. Without it the others would keep to theirs until they take
// this one for dead.
func (d *Dispatcher) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), claimTime)
	defer cancel()
	if err := d.cfg.Queue.Leave(ctx, d.cfg.Node); err != nil {
		d.complain(ctx, "not signed off; the other nodes find out", err)
	}
}

// claim makes one round of claims and reports whether another may find more.
func (d *Dispatcher) claim(ctx context.Context) bool {
	now := d.Now()
	wants := d.wants(now)
	if len(wants) == 0 {
		return false
	}
	// Cut off in the middle of its commit, a claim could be made and its leases lost:
	// once begun it is seen to its end, also when the program stops.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTime)
	defer cancel()
	if d.clock.Load().isOld() {
		_ = d.setClock(whole) // whatever keeps it from being read keeps the claim from being made
		now = d.Now()
	}
	got, err := d.cfg.Queue.Claim(whole, store.Claim{Node: d.cfg.Node, Now: now, Until: now.Add(d.cfg.Policy.Lease()), Wants: wants})
	failpoint.Hit("claim: committed, nothing begun")
	var back []delivery.Lease
	d.mu.Lock()
	clear(d.asked)
	for _, one := range got {
		back = append(back, d.take(one, now)...)
	}
	if err != nil {
		for _, w := range wants {
			d.agenda.add(w.EndpointID, now.Add(time.Second))
		}
	}
	for _, w := range wants {
		d.letIn(d.lane(w.EndpointID))
	}
	d.mu.Unlock()
	if err != nil {
		d.complain(ctx, "claim", err)
	}
	d.giveBack(back)
	return err == nil
}

// wants lists what to claim: from each endpoint with due work as much as its
// lane has room for. Those asked for are no longer ready: whoever wakes them while
// the claim is under way makes them ready again, and take does when more is left.
func (d *Dispatcher) wants(now time.Time) []store.Want {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range d.agenda.due(now) {
		d.ready[id] = true
	}
	if d.draining || d.stalled {
		return nil
	}
	var wants []store.Want
	left := maxClaim
	d.short = false
	slots, memory := d.slots, d.memory // what is left of them when all has come that is asked for
	for id := range d.ready {
		l := d.lane(id)
		n := min(d.worthClaiming(l, &slots, now), left)
		if n == 0 {
			continue
		}
		bytes := min(max(n*usualBody, longestBody), memory.left(l.counted.kind, l.bodies))
		if bytes < longestBody {
			d.short = true
			continue
		}
		slots.held[l.counted.kind] += min(n, l.limit)
		memory.held[l.counted.kind] += bytes
		wants = append(wants, store.Want{EndpointID: id, Max: n, Bytes: bytes})
		delete(d.ready, id)
		d.asked[id] = true
		if left -= n; left == 0 || len(wants) == maxClaimLanes {
			break
		}
	}
	return wants
}

// worthClaiming gives how much to claim for a lane: nothing while a larger claim
// is about to be possible, so that a busy lane is refilled in batches.
func (d *Dispatcher) worthClaiming(l *lane, slots *bound, now time.Time) int {
	if l.state == delivery.Enabled && l.health.Narrow() && l.health.NextAt.After(now) {
		d.agenda.add(l.id, l.health.NextAt)
		delete(d.ready, l.id)
		return 0
	}
	room, usable := l.room(slots), l.canUse(slots)
	d.short = d.short || usable < l.limit
	if room < usable/2 && l.busy() > 0 {
		return 0
	}
	return min(room, 64)
}

// What a claim asks for of bodies before it knows their lengths.
const (
	usualBody   = 16 << 10  // a delivery; most are far shorter, and of longer ones fewer come
	longestBody = 256 << 10 // the longest event (contract section 4): one always fits
)

// take puts claimed deliveries into their lane and notes when to look again.
func (d *Dispatcher) take(got store.Claimed, now time.Time) []delivery.Lease {
	l := d.lane(got.EndpointID)
	back := d.follow(l, got.State, got.Health)
	if got.Expired > 0 {
		d.log.Warn("deliveries taken over", slog.String("endpoint_id", l.id), slog.Int("count", got.Expired))
	}
	switch {
	case got.NextDue.IsZero():
	case got.NextDue.After(now):
		d.agenda.add(l.id, got.NextDue)
	case len(got.Leases) == 0 && got.State == delivery.Enabled:
		// Due, and not given: it is narrow, or another node is at it.
		d.agenda.add(l.id, d.lookAgain(got, now))
	default:
		d.ready[l.id] = true
	}
	if d.draining {
		return append(back, got.Leases...)
	}
	for _, lease := range got.Leases {
		l.bodies += len(lease.Body)
	}
	l.queue = append(l.queue, got.Leases...)
	d.count(l)
	d.pump(l)
	return back
}

func (d *Dispatcher) lookAgain(got store.Claimed, now time.Time) time.Time {
	if got.Health.NextAt.After(now) {
		return got.Health.NextAt
	}
	return now.Add(d.cfg.Policy.SpacingFirst)
}

// untilNext gives how long there is nothing to do.
func (d *Dispatcher) untilNext(scan time.Time) time.Duration {
	wait := time.Until(scan)
	d.mu.Lock()
	defer d.mu.Unlock()
	if next, ok := d.agenda.next(); ok {
		wait = min(wait, next.Sub(d.Now()))
	}
	return max(wait, 0)
}

// giveBack returns leases that are not going to be used, aside from the caller.
func (d *Dispatcher) giveBack(leases []delivery.Lease) {
	if len(leases) == 0 {
		return
	}
	d.aside.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		failpoint.Hit("return: leases not given back yet")
		if err := d.cfg.Queue.Return(ctx, leases, d.Now()); err != nil {
			d.complain(ctx, "leases not returned; they end by themselves", err)
			return
		}
		failpoint.Hit("return: leases given back")
		for _, l := range leases {
			d.Wake(l.EndpointID)
		}
	})
}

// complain logs what stops the loop, unless it is being stopped.
func (d *Dispatcher) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		d.log.Error("dispatch is held up", slog.String("by", what), slog.Any("error", err))
	}
}
