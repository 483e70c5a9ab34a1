package receiver

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// purgeEvery and purgePiece: what is kept too long goes in pieces that keep nobody
	// waiting.
	purgeEvery = time.Minute
	purgePiece = 1000
)

// Run works the inbox off until ctx ends, and removes what has been kept long enough.
// Then it claims nothing more, lets handlers end for as long as [Config.Grace], and
// returns nil once all that it started has ended; handlers that do not look at their
// context it leaves alone in the end, with an error. It is called once. Inline it only
// removes, and waits for handlers that outlived their requests.
//
// Shut the HTTP server down first, so that what it took in last is worked off, or
// waits for the next start.
func (r *Receiver) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { r.purge(ctx) })
	if !r.config.Inline {
		r.running.Store(true)
		defer r.running.Store(false)
		all.Go(func() { r.tend(ctx) })
	}
	ended := make(chan struct{})
	go func() {
		all.Wait()
		r.inlineRuns.wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	patience := time.NewTimer(r.config.Grace + leaseMargin + storeTime)
	defer patience.Stop()
	select {
	case <-ended:
		return nil
	case <-patience.C:
		return fmt.Errorf("receiver: handlers go on although their contexts have ended: after %v they are left alone, and their events are handled again later", r.config.Grace+leaseMargin+storeTime)
	}
}

// tend keeps the lanes that run the same as those that are wanted.
func (r *Receiver) tend(ctx context.Context) {
	select { // what was set before is what is begun with
	case <-r.set:
	default:
	}
	for {
		r.change(ctx)
		select {
		case <-ctx.Done():
			r.stopAll()
			return
		case <-r.set:
		}
	}
}

// change ends all lanes and starts those that are wanted. One that has a successor of its
// name is waited for by that alone: no two work off the same lane, and a handler that
// takes its time keeps no other lane from going on.
func (r *Receiver) change(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ending = slices.DeleteFunc(r.ending, (*lane).hasEnded)
	for _, l := range r.lanes {
		l.stop()
		r.ending = append(r.ending, l)
	}
	r.lanes = map[string]*lane{}
	for _, want := range r.want {
		l := &lane{
			Lane: want, r: r, notify: make(chan struct{}, 1), ended: make(chan struct{}),
			tokens: map[string]*grip{},
		}
		own, stop := context.WithCancel(ctx)
		l.stop = stop
		r.lanes[want.Name] = l
		// It may have gone and come back while it still ends.
		predecessors := slices.DeleteFunc(slices.Clone(r.ending), func(other *lane) bool { return other.Name != want.Name })
		go func() {
			defer close(l.ended)
			for _, predecessor := range predecessors {
				l.await(predecessor)
			}
			l.run(own)
		}()
	}
}

// await waits until the lane before this one has ended. A handler that hangs keeps it from that
// and this one from its work, until the process is started again: that is said.
func (l *lane) await(predecessor *lane) {
	patience := time.NewTimer(predecessor.lease())
	defer patience.Stop()
	select {
	case <-predecessor.ended:
		return
	case <-patience.C:
	}
	l.r.log.Warn("a lane does not start: what it had in hand before it was changed does not end", slog.String("lane", l.Name), slog.Duration("timeout", predecessor.Timeout))
	<-predecessor.ended
}

func (l *lane) hasEnded() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// stopAll ends all lanes and waits for them, and for those that ended before.
func (r *Receiver) stopAll() {
	r.mu.Lock()
	for _, l := range r.lanes {
		l.stop()
		r.ending = append(r.ending, l)
	}
	ending := r.ending
	r.lanes, r.ending = map[string]*lane{}, nil
	r.mu.Unlock()
	for _, l := range ending {
		<-l.ended
	}
}

// wake tells the lanes of items that something is due.
func (r *Receiver) wake(items []Item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, item := range items {
		if l := r.lanes[item.Lane]; l != nil && (i == 0 || item.Lane != items[i-1].Lane) {
			signal(l.notify)
		}
	}
}

// purge removes what has been kept long enough.
func (r *Receiver) purge(ctx context.Context) {
	ticker := time.NewTicker(purgeEvery)
	defer ticker.Stop()
	for {
		for ctx.Err() == nil {
			n, err := r.store.Purge(ctx, r.config.KeepDone, r.config.KeepFailed, purgePiece)
			if err != nil && ctx.Err() == nil {
				r.log.Error("old events could not be removed", slog.Any("error", err))
			}
			if err != nil || n < purgePiece {
				break
			}
		}
		if r.config.Inline {
			r.forgetCutOff(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// forgetCutOff forgets what inline handlers had in hand when their process ended, and no
// copy came for. It was never answered, so nobody takes it for kept.
func (r *Receiver) forgetCutOff(ctx context.Context) {
	for after, more := "", true; more && ctx.Err() == nil; {
		items, next, err := r.store.List(ctx, Filter{Statuses: []Status{Working}}, Page{After: after})
		if err != nil {
			r.log.Error("events that were cut off could not be looked for", slog.Any("error", err))
			return
		}
		for _, item := range items {
			if time.Since(item.DueAt) > r.config.KeepDone {
				r.record(ctx, End{Key: item.Key(), Token: item.Token}, 0)
			}
		}
		after, more = next, next != ""
	}
}
