package dispatch_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// unanswered is a store whose next claim or beat gets no answer.
type unanswered struct {
	store.Store
	claim, beat atomic.Bool
}

func (u *unanswered) Claim(ctx context.Context, c store.Claim) ([]store.Claimed, error) {
	if u.claim.Swap(false) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return u.Store.Claim(ctx, c)
}

func (u *unanswered) Beat(ctx context.Context, node string, now time.Time) (int, error) {
	if u.beat.Swap(false) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return u.Store.Beat(ctx, node, now)
}

func TestADatabaseThatDoesNotAnswerOnceHoldsUpNoClaimForLong(t *testing.T) {
	for name, silence := range map[string]func(*unanswered){
		"claim": func(u *unanswered) { u.claim.Store(true) },
		"beat":  func(u *unanswered) { u.beat.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(w *world) {
				silent := &unanswered{Store: w.db}
				w.queue = silent
				w.endpoint("ep_1", nil)
				w.start()
				time.Sleep(time.Minute)
				silence(silent)
				w.backlog("ep_1", 10)
				time.Sleep(40 * time.Second)
				if n := w.count("ep_1", delivery.Delivered); n != 10 {
					t.Errorf("%d of 10 were delivered", n)
				}
			})
		})
	}
}
