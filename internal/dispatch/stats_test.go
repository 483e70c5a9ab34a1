package dispatch_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// uncounted is a store that takes no statistics for a while.
type uncounted struct {
	store.Store
	until time.Time
}

func (u *uncounted) WriteStats(ctx context.Context, stats []store.Stat) error {
	if time.Now().Before(u.until) {
		return store.ErrUnavailable
	}
	return u.Store.WriteStats(ctx, stats)
}

func TestStatisticsAreKeptWhileTheDatabaseTakesNone(t *testing.T) {
	within(t, func(w *world) {
		w.queue = &uncounted{Store: w.db, until: time.Now().Add(2 * time.Minute)}
		w.endpoint("ep_1", nil)
		w.start()
		for range 3 {
			w.publish(2)
			time.Sleep(50 * time.Second)
		}
		if delivered := w.counted("ep_1"); delivered != 6 || w.state("ep_1").LastSuccessAt.IsZero() {
			t.Errorf("%d of 6 deliveries in the statistics, last success at %s", delivered, w.state("ep_1").LastSuccessAt)
		}
	})
}

func TestWhatIsOnTheWireAtAStopIsCounted(t *testing.T) {
	within(t, func(w *world) {
		w.answer = func(delivery.Lease) answer { return answer{code: 200, after: 5 * time.Second} }
		w.endpoint("ep_1", nil)
		w.start()
		w.publish(8)
		time.Sleep(time.Second)
		w.shutdown()
		if delivered := w.counted("ep_1"); delivered != 8 {
			t.Errorf("%d of 8 deliveries in the statistics", delivered)
		}
	})
}

// unheard is a store whose first answer to statistics is lost.
type unheard struct {
	store.Store
	lost atomic.Bool
}

func (u *unheard) WriteStats(ctx context.Context, stats []store.Stat) error {
	err := u.Store.WriteStats(ctx, stats)
	if !u.lost.Swap(true) {
		return store.ErrUnavailable
	}
	return err
}

func TestStatisticsWhoseAnswerWasLostCountOnce(t *testing.T) {
	within(t, func(w *world) {
		w.queue = &unheard{Store: w.db}
		w.endpoint("ep_1", nil)
		w.start()
		w.publish(3)
		time.Sleep(3 * time.Second)
		w.publish(2)
		time.Sleep(10 * time.Second)
		if delivered := w.counted("ep_1"); delivered != 5 {
			t.Errorf("%d deliveries in the statistics, want 5", delivered)
		}
	})
}

// counted gives how many deliveries the statistics of an endpoint have.
func (w *world) counted(endpointID string) (delivered int) {
	stats, err := w.db.Stats(w.t.Context(), store.DefaultAccount, endpointID, w.began.Add(-time.Hour), time.Now().Add(time.Hour), time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range stats {
		delivered += s.Delivered
	}
	return delivered
}
