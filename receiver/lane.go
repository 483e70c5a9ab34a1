package receiver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Lane is a queue of the inbox with what works it off. A receiver has one, for its
// handlers; who wants several, so that each event is done for each of several ends,
// sets them with [Receiver.SetLanes] and says in [Config.Route] which events go where.
type Lane struct {
	// Name is what Config.Route calls it.
	Name string
	// Ordered works the events off one at a time. One whose handler is Unavailable
	// keeps its place, and those behind it wait with it. (One that waits for its next
	// attempt does not: it is the event that is in trouble.)
	Ordered bool
	// Workers, Attempts, Backoff and Timeout are as in [Config]; 0 is the Config's.
	Workers  int
	Attempts int
	Backoff  time.Duration
	Timeout  time.Duration
	// Handle takes every event of the lane, tests too.
	Handle func(context.Context, Event[json.RawMessage]) error
}

// lane works one off.
type lane struct {
	Lane
	r      *Receiver
	notify chan struct{} // something may be due
	stop   context.CancelFunc
	ended  chan struct{}
	short  atomic.Bool // fill waits for room
	wary   bool        // what was claimed last had suspects in it; only fill knows it

	mu      sync.Mutex
	tokens  map[string]*grip // of what is in hand here, by id
	done    time.Time        // when an event was done last
	refused time.Time        // when an event was answered with trouble last
	pause   time.Time        // an ordered lane does nothing until then
}

const (
	// idleLook is how long a lane with nothing to do waits before it asks the store
	// again: what another process, such as a command line, has made due.
	idleLook = 5 * time.Second
	// ahead is how much more than it can handle at once a lane takes from the store,
	// so that quick handlers do not wait for it. Each has its lease, so that it
	// must be little for handlers that are slow: see [lane.room].
	ahead = 15
	// aside is how long a suspect waits for those in hand: less than what try may wait.
	aside = leaseMargin / 4
)

// SetLanes replaces the lanes, also while Run works: those that are gone end what they
// have in hand, and what waits in them stays in the store. One that is changed goes on when
// its handler has ended; a handler that does not, long after its time, is logged.
func (r *Receiver) SetLanes(lanes ...Lane) error {
	lanes = slices.Clone(lanes)
	names := map[string]bool{}
	for i := range lanes {
		l := &lanes[i]
		if l.Handle == nil || names[l.Name] {
			return fmt.Errorf("receiver: the lane %q has no handler, or is there twice", l.Name)
		}
		names[l.Name] = true
		l.Workers = cmp.Or(l.Workers, r.config.Workers)
		l.Attempts = cmp.Or(l.Attempts, r.config.Attempts)
		l.Backoff = cmp.Or(l.Backoff, r.config.Backoff)
		l.Timeout = cmp.Or(l.Timeout, r.config.Timeout)
		if l.Workers < 0 || l.Attempts < 0 || l.Backoff < 0 || l.Timeout < 0 {
			return fmt.Errorf("receiver: the lane %q has a number below 0", l.Name)
		}
		if l.Ordered {
			l.Workers = 1
		}
	}
	r.mu.Lock()
	r.want = lanes
	r.mu.Unlock()
	signal(r.set)
	return nil
}

// signal wakes whoever waits; a second signal before they do is the same one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run works the lane off until ctx ends and what is in hand has ended.
func (l *lane) run(ctx context.Context) {
	hands := make(chan struct{}, l.Workers*(1+ahead)) // a token for each item in hand
	work := make(chan claimed, cap(hands))
	var recording, workers sync.WaitGroup
	for range l.Workers {
		workers.Go(func() {
			for c := range work {
				end, written := l.try(ctx, c)
				recording.Go(func() {
					l.finish(ctx, end, written)
					<-hands
					if end.To == Waiting || l.short.Load() {
						signal(l.notify)
					}
				})
			}
		})
	}
	for ctx.Err() == nil {
		l.wait(ctx, l.fill(ctx, hands, work))
	}
	close(work)
	workers.Wait()
	recording.Wait()
}

// fill claims what there is room for. It gives how long it is until there is more.
func (l *lane) fill(ctx context.Context, hands chan struct{}, work chan<- claimed) time.Duration {
	// Said before it is true, so that what ends in between is not missed; otherwise each end
	// would have the store looked at, for nothing.
	l.short.Store(true)
	room := l.room(len(hands))
	if room <= 0 {
		return idleLook
	}
	if pause := l.paused(); pause > 0 {
		return pause
	}
	// Not to be broken off by the end of ctx: what was claimed and is not known here would
	// wait for the end of its lease.
	callCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	begin := time.Now()
	items, next, err := l.r.store.Claim(callCtx, l.Name, room, l.lease())
	if err != nil {
		l.r.log.Error("events could not be taken from the store", slog.String("lane", l.Name), slog.Any("error", err))
		return time.Second
	}
	l.short.Store(false)
	var suspects []claimed
	for _, item := range items {
		if l.adopt(item) {
			continue
		}
		if c := (claimed{item, begin}); item.Lost >= suspect {
			suspects = append(suspects, c)
		} else {
			hands <- struct{}{} // there is room: nobody else fills it
			work <- c
		}
	}
	if l.wary = len(suspects) > 0; l.wary {
		l.alone(ctx, suspects, hands, work)
	}
	if next < 0 {
		return idleLook
	}
	return min(next, idleLook)
}

// alone has the first of the suspects worked off with nothing else in hand, so that it takes
// nothing along if it is what ends the process; the others go back until their turn. What is
// in hand beyond aside, a handler that hangs perhaps, is not waited for.
func (l *lane) alone(ctx context.Context, suspects []claimed, hands chan struct{}, work chan<- claimed) {
	var back sync.WaitGroup
	for _, c := range suspects[1:] {
		back.Go(func() { l.finish(ctx, untried(c.Item), false) })
	}
	back.Wait()
	idle := take(hands, cap(hands), aside) // each is there when one that was in hand has ended
	work <- suspects[0]
	idle += take(hands, 1, l.lease()) - 1 // the worker gives one of them back
	for range idle {
		<-hands
	}
}

// take puts n tokens into a channel, or as many as there is room for within the time. It
// gives how many.
func take(hands chan<- struct{}, n int, limit time.Duration) (taken int) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for taken < n {
		select {
		case hands <- struct{}{}:
			taken++
		case <-timer.C:
			return taken
		}
	}
	return taken
}

// untried is the end of an item that goes back to its place.
func untried(item Item) End {
	return End{Key: item.Key(), To: Waiting, Back: true, Unsure: item.Unsure, Error: item.Error}
}

// room is how many more items the lane takes: few if its handlers are slow, one in hand if
// it is ordered, one by one after a suspect. Small room beside much in hand is left to grow,
// because each claim is a commit.
func (l *lane) room(inHand int) int {
	most := l.Workers * (1 + ahead)
	if l.Ordered || l.r.metrics.slow(l.Name) {
		most = l.Workers
	}
	room := most - inHand
	if l.wary {
		return min(room, 1)
	}
	if most > l.Workers && inHand > 0 && room < most/4 {
		return 0
	}
	return room
}

// adopt takes the new lease of an item that is still in hand here: its old one ran
// out, because its handler goes on beyond its time or the clock was set. It must not
// run twice at once.
func (l *lane) adopt(item Item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held, ok := l.tokens[item.ID]; ok {
		held.token = item.Token
		held.overran++
		l.r.log.Warn("a handler goes on beyond its time", slog.String("event_id", item.ID), slog.String("lane", l.Name), slog.Duration("timeout", l.Timeout))
		return true
	}
	l.tokens[item.ID] = &grip{token: item.Token}
	return false
}

// grip is the newest lease of an item that is in hand, and how many of it ran out before.
type grip struct {
	token   string
	overran int
}

// wait sleeps until something may be due, or ctx ends.
func (l *lane) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.notify:
	case <-timer.C:
	}
}

func (l *lane) lease() time.Duration { return l.Timeout + leaseMargin }

// paused is how long the lane does nothing.
func (l *lane) paused() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.pause)
}

// claimed is an item with when its claim began, before which its lease did not.
type claimed struct {
	Item
	at time.Time
}

// try runs the handler once and says how it ended, and whether that is written already.
func (l *lane) try(ctx context.Context, c claimed) (end End, written bool) {
	item := c.Item
	// What is claimed ahead may come to its turn when too little of its lease is left.
	if ctx.Err() != nil || time.Since(c.at) > leaseMargin/2 {
		return untried(item), false
	}
	if item.Lost >= maxLost {
		return End{Key: item.Key(), To: Failed, Error: fmt.Sprintf("the process ended %d times while this event was handled", item.Lost)}, false
	}
	begin := time.Now()
	written, err := l.handle(ctx, item)
	l.r.metrics.handled(l.Name, err, time.Since(begin))
	if errors.Is(err, ErrLeaseLost) {
		l.r.log.Warn("an event was taken over before its handler ran", slog.String("event_id", item.ID), slog.String("lane", l.Name))
		return End{Key: item.Key()}, true
	}
	if written {
		l.judge(item, End{To: Done}, nil, 0)
		return End{Key: item.Key()}, true
	}
	end, pause := decide(l.Lane, item, err, l.thrives(err))
	l.judge(item, end, err, pause)
	return end, false
}

// handle runs the handler under its deadline, and says whether its end is written
// already. When ctx ends it goes on, for as long as Config.Grace; a handler that was
// broken off then gives errStopped.
func (l *lane) handle(ctx context.Context, item Item) (written bool, err error) {
	event, err := eventFrom(item)
	if err != nil {
		return false, Permanent(err)
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Timeout)
	defer cancel()
	own, stop := context.WithCancelCause(own)
	defer stop(nil)
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(l.r.config.Grace, func() { stop(errStopped) })
		context.AfterFunc(own, func() { timer.Stop() })
	})()
	if l.r.config.InTx {
		err = l.inTx(own, item, event)
		written = err == nil || errors.Is(err, ErrLeaseLost)
	} else if err = guarded(own, event, l.Handle); err != nil && (own.Err() != nil || errors.Is(err, errPanicked)) {
		// Broken off anywhere, perhaps after its effect.
		failure := failureOf(err)
		failure.Unsure = true
		err = &failure
	}
	if err != nil && errors.Is(context.Cause(own), errStopped) {
		err = fmt.Errorf("%w: %w", errStopped, err)
	}
	return written, err
}

// errStopped: the program ended while the handler ran.
var errStopped = errors.New("the receiver was stopped before the handler ended")

// inTx runs the handler in a transaction that its end is written in.
func (l *lane) inTx(ctx context.Context, item Item, event Event[json.RawMessage]) error {
	ran := false
	token, overran := l.grip(item)
	end := End{Key: item.Key(), Token: token, Overran: overran, To: Done}
	err := l.r.store.(TxStore).EndInTx(ctx, end, func(tx Tx) error {
		ran = true
		event.Tx = tx
		return guarded(ctx, event, l.Handle)
	})
	// When the handler ran and the commit failed, that may be what the handler did: too
	// much for its time, or what a constraint forbids in the end.
	if err != nil && !ran && !errors.Is(err, ErrLeaseLost) {
		return Unavailable(err, 0) // it is the store that is in trouble
	}
	return err
}

// guarded runs a handler and makes an error of its panic.
func guarded(ctx context.Context, event Event[json.RawMessage], handle handler) (err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanicked, what, debug.Stack())
		}
	}()
	return handle(ctx, event)
}

// errPanicked: the handler panicked.
var errPanicked = errors.New("the handler panicked")

// grip gives the token of an item's newest lease, and how many ran out before.
func (l *lane) grip(item Item) (token string, overran int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gripped(item)
}

// gripped is grip for who has the lock.
func (l *lane) gripped(item Item) (token string, overran int) {
	if held := l.tokens[item.ID]; held != nil {
		return held.token, held.overran
	}
	return item.Token, 0
}

// finish lets an item go and writes its end, in this order: once it is written the item
// may be claimed again, and must not be taken for one that is still in hand.
func (l *lane) finish(ctx context.Context, end End, written bool) {
	l.mu.Lock()
	end.Token, end.Overran = l.gripped(Item{ID: end.Key.ID}) // with the lock until it is let go: a newer lease must not come between
	delete(l.tokens, end.Key.ID)
	l.mu.Unlock()
	if !written {
		l.r.record(ctx, end, l.lease())
	}
}
