package receiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	// busyPause is when a copy of an event that is being handled is to come again.
	busyPause = 10 * time.Second
	// overtime is how long a handler that ignores its deadline is waited for.
	overtime = time.Second
)

// runs counts what runs. A WaitGroup must not be used again while somebody still waits for
// it, and requests come when they like.
type runs struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n is 0 again; nil when nobody waits
}

// start runs fn beside the caller.
func (r *runs) start(fn func()) {
	r.mu.Lock()
	r.n++
	r.mu.Unlock()
	go func() {
		defer r.end()
		fn()
	}()
}

func (r *runs) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n--; r.n == 0 && r.none != nil {
		close(r.none)
		r.none = nil
	}
}

// wait waits until nothing runs.
func (r *runs) wait() {
	r.mu.Lock()
	if r.n > 0 && r.none == nil {
		r.none = make(chan struct{})
	}
	none := r.none
	r.mu.Unlock()
	if none != nil {
		<-none
	}
}

// inline runs the handler within the request.
func (r *Receiver) inline(ctx context.Context, item Item) answer {
	// A handler may go on beyond its lease; it must not run beside itself.
	later := answer{status: http.StatusServiceUnavailable, result: busy, words: "a copy of this event is being handled: send it again", after: busyPause}
	if _, running := r.inHand.LoadOrStore(item.ID, true); running {
		return later
	}
	begun := false
	defer func() {
		if !begun {
			r.inHand.Delete(item.ID)
		}
	}()
	callCtx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	l := &lane{Lane: r.inlineLane(), r: r, tokens: map[string]*grip{}}
	item, standing, err := r.store.Begin(callCtx, item, l.lease())
	switch {
	case err != nil:
		r.log.Error("event could not be claimed", slog.String("event_id", item.ID), slog.Any("error", err))
		return answer{status: http.StatusServiceUnavailable, result: storeAway, words: "the event could not be claimed: send it again", after: storePause}
	case standing == Ended:
		return answer{status: http.StatusOK, result: duplicate, words: "known"}
	case standing == Busy:
		return later
	}
	begun = true
	// The sender may hang up; what was begun is brought to its end all the same, so
	// that its next copy finds it done.
	ended := make(chan error, 1)
	r.inlineRuns.start(func() {
		defer r.inHand.Delete(item.ID)
		ended <- l.once(context.WithoutCancel(ctx), item)
	})
	patience := time.NewTimer(r.config.Timeout + overtime)
	defer patience.Stop()
	select {
	case err = <-ended:
	case <-patience.C:
		err = fmt.Errorf("the handler goes on beyond its %v", r.config.Timeout)
	}
	if err == nil {
		return answer{status: http.StatusOK, result: accepted, words: "done"}
	}
	if errors.Is(err, ErrLeaseLost) {
		return later
	}
	failure := failureOf(err)
	if failure.Permanent {
		return answer{status: http.StatusOK, result: handlerFailed, words: "the handler failed for good: the event is kept, and need not be sent again"}
	}
	if failure.Unavailable {
		return answer{status: http.StatusServiceUnavailable, result: handlerFailed, words: "the handler cannot do it now: send it again", after: failure.After}
	}
	return answer{status: http.StatusInternalServerError, result: handlerFailed, words: "the handler failed: send it again"}
}

func (r *Receiver) inlineLane() Lane {
	return Lane{Workers: 1, Attempts: r.config.Attempts, Backoff: r.config.Backoff, Timeout: r.config.Timeout, Handle: r.handlers.handle}
}

// once runs the handler for an item of an inline receiver. After an error the item is
// forgotten, so that the sender's next try begins anew; but one whose effect may have
// happened is kept as failed, so that the next try is told, and so is one that failed for
// good.
func (l *lane) once(ctx context.Context, item Item) error {
	begin := time.Now()
	written, err := l.handle(ctx, item)
	l.r.metrics.handled("", err, time.Since(begin))
	if written {
		return err // ErrLeaseLost, or none
	}
	end := End{Key: item.Key(), Token: item.Token, To: Done}
	if err != nil {
		failure := failureOf(err)
		end.To, end.Error, end.Unsure = "", shorten(err.Error()), item.Unsure || failure.Unsure
		if end.Unsure || failure.Permanent {
			end.To, end.Counts = Failed, true
		}
		l.r.log.Warn("the handler of an event failed", slog.String("event_id", item.ID), slog.String("type", item.Type), slog.String("error", shorten(err.Error())))
	}
	l.r.record(ctx, end, l.lease())
	return err
}
