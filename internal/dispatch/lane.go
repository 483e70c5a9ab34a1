package dispatch

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/send"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// ahead is how much work a lane leases beyond what it can start at once: what it
// is likely to start within this time. A lease that waits much longer would have
// to be given back.
const ahead = 2 * time.Second

// lane is an endpoint with work on this node. Dispatcher.mu guards it.
type lane struct {
	id       string
	target   *prepared // nil = to be read before the next attempt
	loading  bool      // one attempt is reading it
	changes  int       // how often it was changed: what was read before the last one is out of date
	state    delivery.State
	health   delivery.Health
	limit    int           // attempts at once
	rate     *rate.Limiter // nil = no limit
	took     time.Duration // how long an attempt takes, on average
	queue    []delivery.Lease
	bodies   int       // bytes of bodies in its leases and promises
	counted  load      // what the bounds have of it
	reserved int       // slots promised to events that are being committed
	waiting  []*caller // publishing calls, first come first
	called   int       // events that are about to be placed
	inFlight int
	paused   bool // waits for its rate; a timer will pump it
}

// lane gives an endpoint's lane, made if there is none.
func (d *Dispatcher) lane(id string) *lane {
	l, ok := d.lanes[id]
	if !ok {
		l = &lane{id: id, state: delivery.Enabled, limit: d.cfg.Concurrency}
		d.lanes[id] = l
	}
	return l
}

// busy counts the lane's leases and promises.
func (l *lane) busy() int { return l.inFlight + len(l.queue) + l.reserved }

// slots counts what the lane holds of the node's slots: a promise beyond its own
// limit will wait for one of its own.
func (l *lane) slots() int { return max(l.inFlight, min(l.inFlight+l.reserved, l.limit)) }

// isQuick reports whether attempts are known to end soon.
func (l *lane) isQuick() bool {
	return l.state == delivery.Enabled && !l.health.Narrow() && l.took > 0 && l.took < quick
}

// quick is how long the attempts take, at the most, of an endpoint that is worth
// waiting for, and that leaves its slots to others soon.
const quick = 250 * time.Millisecond

// room gives how many more deliveries the lane can lease when the node has so
// many slots.
func (l *lane) room(node *bound) int {
	slots := l.canUse(node)
	if l.health.Narrow() {
		return max(min(1, slots)-l.busy(), 0)
	}
	most := slots + l.lookahead(slots)
	if l.rate != nil {
		most = min(most, max(1, int(float64(l.rate.Limit())*ahead.Seconds())))
	}
	return max(most-l.busy(), 0)
}

// canUse gives how many attempts the lane may make at once.
func (l *lane) canUse(node *bound) int {
	return min(l.limit, l.slots()+node.left(l.counted.kind, l.slots()))
}

// lookahead is how many deliveries may wait in memory for one of the lane's slots.
func (l *lane) lookahead(slots int) int {
	const most = 8 // times the slots: a bound on what a crash leaves as Unknown
	if l.took <= 0 {
		return most * slots
	}
	return min(most*slots, int(time.Duration(slots)*ahead/l.took))
}

// expire drops what was read too long ago.
func (l *lane) expire(now time.Time) {
	if l.target != nil && l.target.isOver(now) {
		l.target = nil
	}
}

// mayStart reports whether the lane may put another attempt on the wire now. An
// endpoint that is to be read lets one attempt go and read it.
func (l *lane) mayStart() bool {
	if l.target == nil && l.loading {
		return false
	}
	if l.health.Narrow() {
		return l.inFlight == 0
	}
	return l.inFlight < l.limit
}

// learn takes the time of an attempt into the average.
func (l *lane) learn(took time.Duration) {
	if l.took == 0 {
		l.took = took
		return
	}
	l.took += (took - l.took) / 8
}

// emptyLane takes what waits in a lane, to be given back.
func (d *Dispatcher) emptyLane(l *lane) []delivery.Lease {
	back := l.queue
	l.queue = nil
	for _, lease := range back {
		l.bodies -= len(lease.Body)
	}
	d.count(l)
	return back
}

// follow takes over what the store says of an endpoint. It answers leases that
// are not to be used any more: an endpoint that does not receive gets nothing, and
// a narrow one only what is claimed as its one attempt.
func (d *Dispatcher) follow(l *lane, state delivery.State, health delivery.Health) []delivery.Lease {
	l.state, l.health = state, health
	d.count(l)
	if state == delivery.Enabled && !health.Narrow() {
		return nil
	}
	return d.emptyLane(l)
}

// forgetIdle drops a lane that has nothing left to remember, when there are many.
func (d *Dispatcher) forgetIdle(l *lane) {
	turn := l.rate == nil || l.rate.Tokens() >= 1 // a new lane would start at once
	if len(d.lanes) > maxIdleLanes && l.busy() == 0 && len(l.waiting) == 0 && !d.ready[l.id] && turn {
		delete(d.lanes, l.id)
	}
}

// forgetAllIdle drops those that were idle without an attempt at the end of which
// it could have been seen.
func (d *Dispatcher) forgetAllIdle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.lanes) <= maxIdleLanes {
		return
	}
	for _, l := range d.lanes {
		d.forgetIdle(l)
	}
}

// maxIdleLanes bounds how many endpoints are remembered without work.
const maxIdleLanes = 10_000

// prepared is an endpoint ready to be sent to, or why it cannot be.
type prepared struct {
	target *send.Target
	url    string
	err    error
	read   time.Time // when it was asked for, by this process's clock
	ends   time.Time // a secret of it, by the clock that the nodes agree on; zero = none
}

// isOld reports whether it was read longer ago than that.
func (p *prepared) isOld(than time.Duration) bool { return time.Since(p.read) >= than }

// isOver reports whether nothing is to be sent with this any more.
func (p *prepared) isOver(now time.Time) bool {
	return p.isOld(freshFor) || !p.ends.IsZero() && !now.Before(p.ends)
}

// Changes are announced, but an announcement may be missed.
const (
	freshFor     = 10 * time.Second // an endpoint is sent to as it was read
	refreshAfter = 8 * time.Second  // one attempt reads it again, and the others go on
)

// load reads a lane's endpoint.
func (d *Dispatcher) load(l *lane) (*prepared, error) {
	ctx, cancel := context.WithTimeout(d.wireCtx, loadTimeout)
	defer cancel()
	for {
		d.mu.Lock()
		changes := l.changes
		d.mu.Unlock()
		asked := time.Now()
		info, err := d.cfg.Queue.Lane(ctx, l.id, d.Now())
		if err != nil {
			return nil, err
		}
		t := d.prepare(info)
		t.read = asked
		if d.adopt(l, info, &t, changes) {
			return &t, nil
		}
	}
}

// adopt takes over what was read of an endpoint, unless it was changed meanwhile.
func (d *Dispatcher) adopt(l *lane, info store.Lane, t *prepared, changes int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.changes != changes {
		return false
	}
	d.giveBack(d.follow(l, info.Endpoint.State, info.Endpoint.Health))
	l.target = t
	l.limit = d.share(info.Endpoint.Concurrency, d.cfg.Concurrency)
	l.setRate(d.share(info.Endpoint.RateLimit, 0))
	d.count(l)
	return true
}

// setRate sets how many attempts a second may start; 0 = no limit. The attempt
// that read the endpoint has taken the first turn.
func (l *lane) setRate(perSecond int) {
	switch {
	case perSecond == 0:
		l.rate = nil
	case l.rate == nil || l.rate.Limit() != rate.Limit(perSecond):
		l.rate = rate.NewLimiter(rate.Limit(perSecond), 1)
		l.rate.Allow()
	}
}

// loadTimeout is how long reading an endpoint may take.
const loadTimeout = 10 * time.Second

// share gives this node's part of a limit that holds for all nodes together;
// 0 = no limit.
func (d *Dispatcher) share(limit, otherwise int) int {
	if limit <= 0 {
		limit = otherwise
	}
	if limit <= 0 {
		return 0
	}
	return max(1, limit/int(d.nodes.Load()))
}

// prepare makes what send needs of an endpoint that receives. A deleted one has
// no secrets any more, and is not sent to.
func (d *Dispatcher) prepare(info store.Lane) prepared {
	p := prepared{url: info.Endpoint.URL}
	for _, s := range info.Secrets {
		if !s.ExpiresAt.IsZero() && (p.ends.IsZero() || s.ExpiresAt.Before(p.ends)) {
			p.ends = s.ExpiresAt // the end of its overlap
		}
	}
	if info.Endpoint.State == delivery.Deleted {
		p.err = store.ErrNotFound
		return p
	}
	secrets, err := d.open(info)
	if err != nil {
		p.err = err
		return p
	}
	headers, err := OpenHeaders(d.cfg.Box, info.Endpoint)
	if err != nil {
		p.err = err
		return p
	}
	p.target, p.err = send.NewTarget(d.cfg.Egress, info.Endpoint.URL, headers, secrets)
	return p
}

// open opens the secrets of an endpoint.
func (d *Dispatcher) open(info store.Lane) ([]webhook.Secret, error) {
	secrets := make([]webhook.Secret, 0, len(info.Secrets))
	for _, s := range info.Secrets {
		text, err := d.cfg.Box.Open(SecretPurpose, info.Endpoint.AccountID, s.ID, s.Sealed)
		if err != nil {
			return nil, fmt.Errorf("open secret %s: %w", s.Fingerprint, err)
		}
		secret, err := webhook.ParseSecret(string(text))
		if err != nil {
			return nil, fmt.Errorf("read secret %s: %w", s.Fingerprint, err)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

// Changed tells that an endpoint was changed: nothing is sent to it before it
// has been read again.
func (d *Dispatcher) Changed(endpointID string) {
	d.mu.Lock()
	if l, ok := d.lanes[endpointID]; ok {
		l.target = nil
		l.health = delivery.Health{} // it may have been enabled anew: a claim says how it is
		l.changes++
	}
	d.mu.Unlock()
	d.Wake(endpointID)
}
