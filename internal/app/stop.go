package app

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
)

// lastWords is how long the calls that were cut have to say so.
const lastWords = 2 * time.Second

// shutdown takes no more calls and answers the open ones. When the time is over, tests
// that are still on the wire are cut, which their calls are answered with. It returns when no call is
// being worked at any more: the database must not be closed under one.
func (a *App) shutdown() {
	if !a.stopServers(a.cfg.ShutdownTimeout) {
		close(a.cut)
		a.stopServers(lastWords)
	}
	for _, l := range []listener{a.api, a.metrics} {
		if l.server != nil {
			_ = l.front().Close() // the time is over for those that are left
		}
	}
	if a.api.answering != nil {
		a.api.answering.end()
	}
}

// stopServers reports whether all open calls were answered in time.
func (a *App) stopServers(within time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	all := true
	for _, l := range []listener{a.api, a.metrics} {
		if l.server != nil && l.front().Shutdown(ctx) != nil {
			all = false
		}
	}
	return all
}

// answering knows whether its handler is at work.
type answering struct {
	http.Handler
	mu    sync.RWMutex
	ended bool
}

// ServeHTTP answers a call, until the end.
func (a *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.ended {
		panic(http.ErrAbortHandler)
	}
	a.Handler.ServeHTTP(w, r)
}

// end waits until no call is being answered, and lets none in any more.
func (a *answering) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
}

// tests sends tests until they are cut: a test ends with the program, and does not leave a
// delivery that looks as if it was being sent.
type tests struct {
	disp *dispatch.Dispatcher
	cut  <-chan struct{}
}

// SendNow makes the one attempt of a test.
func (t tests) SendNow(ctx context.Context, lease delivery.Lease) (delivery.Attempt, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-t.cut:
			cancel()
		case <-ctx.Done():
		}
	}()
	return t.disp.SendNow(ctx, lease)
}
