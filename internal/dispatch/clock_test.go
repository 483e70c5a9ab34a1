package dispatch_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// clocked is a queue on a server whose clock differs from this process's, and
// which may take its time to read an endpoint.
type clocked struct {
	store.Store
	ahead atomic.Int64 // in nanoseconds
	slow  func() time.Duration
}

func (c *clocked) Clock(context.Context) (time.Time, error) {
	return time.Now().Add(time.Duration(c.ahead.Load())), nil
}

func (c *clocked) Lane(ctx context.Context, id string, now time.Time) (store.Lane, error) {
	if c.slow != nil {
		time.Sleep(c.slow())
	}
	return c.Store.Lane(ctx, id, now)
}

// oldSecret gives an endpoint a second secret, whose overlap ends at a time.
func (w *world) oldSecret(endpoint string, end time.Time) {
	w.t.Helper()
	err := w.db.UpdateSecrets(w.t.Context(), store.DefaultAccount, endpoint, time.Now(), func(secrets []store.Secret) ([]store.Secret, error) {
		old := store.Secret{ID: "sec_old", EndpointID: endpoint, Role: store.Old, CreatedAt: time.Now(), ExpiresAt: end}
		old.Sealed = w.box.Seal(dispatch.SecretPurpose, store.DefaultAccount, old.ID, []byte(webhook.NewSecret().Reveal()))
		return append(secrets, old), nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestAnOverlapEndsByTheClockThatTheNodesAgreeOn(t *testing.T) {
	within(t, func(w *world) {
		q := &reads{Store: w.db}
		c := &clocked{Store: q}
		c.ahead.Store(int64(5 * time.Minute))
		w.queue = c
		w.endpoint("ep_1", nil)
		w.oldSecret("ep_1", w.began.Add(5*time.Minute+3*time.Second))
		w.start()
		for range 5 {
			time.Sleep(time.Second)
			w.publish(1)
		}
		time.Sleep(time.Second)
		q.mu.Lock()
		defer q.mu.Unlock()
		if last := q.lanes[len(q.lanes)-1]; last.secrets != 1 || last.at.Sub(w.began) > 4*time.Second {
			t.Errorf("read %+v, want it read with one secret when the overlap had ended by the store's clock", q.lanes)
		}
	})
}

func TestNothingIsSignedWithASecretThatHasEndedWhileTheEndpointIsReadAgain(t *testing.T) {
	within(t, func(w *world) {
		end := w.began.Add(5 * time.Second)
		w.queue = &clocked{Store: w.db, slow: func() time.Duration {
			if time.Now().Before(end) {
				return 0
			}
			return 2 * time.Second
		}}
		w.endpoint("ep_1", nil)
		w.oldSecret("ep_1", end)
		w.start()
		w.publish(1)
		time.Sleep(5 * time.Second)
		for range 10 {
			w.publish(1)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		calls := w.seen("ep_1")
		if len(calls) != 11 {
			t.Errorf("%d of 11 sent", len(calls))
		}
		for _, c := range calls[1:] {
			if c.at < 7*time.Second {
				t.Errorf("sent %s after the beginning, want nothing between the end of the secret at 5s and the end of reading at 7s", c.at)
			}
		}
	})
}

func TestNothingIsSentToAnEndpointAsItWasReadLongAgoWhileItIsReadAgain(t *testing.T) {
	for name, given := range map[string]struct{ end, pause time.Duration }{
		"a secret has ended since":          {15 * time.Second, time.Minute},
		"it was only read long ago":         {time.Hour, time.Minute},
		"it was read a moment too long ago": {time.Hour, 11 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(w *world) {
				w.queue = &clocked{Store: w.db, slow: func() time.Duration {
					if time.Since(w.began) < given.pause {
						return 0
					}
					return time.Second
				}}
				w.endpoint("ep_1", nil)
				w.oldSecret("ep_1", w.began.Add(given.end))
				w.start()
				w.publish(1)
				time.Sleep(given.pause) // nothing is sent, so that nothing is read
				w.publish(5)
				time.Sleep(5 * time.Second)
				calls := w.seen("ep_1")
				if len(calls) != 6 {
					t.Errorf("%d of 6 sent", len(calls))
				}
				for _, c := range calls[1:] {
					if read := given.pause + time.Second; c.at < read {
						t.Errorf("sent %s after the beginning, want nothing before it was read again, at %s", c.at, read)
					}
				}
			})
		})
	}
}

func TestAnEndpointIsReadAgainInTimeAfterTheClockWasPutBack(t *testing.T) {
	within(t, func(w *world) {
		q := &reads{Store: w.db}
		c := &clocked{Store: q}
		c.ahead.Store(int64(24 * time.Hour))
		w.queue = c
		w.endpoint("ep_1", nil)
		w.start()
		time.Sleep(time.Second)
		w.publish(1)
		time.Sleep(time.Second)
		c.ahead.Store(0)
		time.Sleep(time.Minute)
		w.publish(1)
		time.Sleep(time.Second)
		q.mu.Lock()
		defer q.mu.Unlock()
		if last := q.lanes[len(q.lanes)-1].at.Sub(w.began); last < time.Minute {
			t.Errorf("sent to a minute later as it was read at %s, want it read again", last)
		}
	})
}

// Before the clock is set by a day there are deliveries that wait for a retry, one on
// the wire, an endpoint that is about to be disabled, and one that is narrow and well again soon.
func TestAClockThatIsSetByADayDelaysAndLosesNothing(t *testing.T) {
	for name, by := range map[string]time.Duration{"back": -24 * time.Hour, "forward": 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			within(t, func(w *world) {
				c := &clocked{Store: w.db}
				w.queue = c
				w.answer = func(l delivery.Lease) answer {
					switch {
					case l.EndpointID == "ep_dead", l.EndpointID == "ep_narrow" && time.Since(w.began) < 10*time.Minute:
						return answer{code: 500, after: time.Millisecond}
					case l.EndpointID == "ep_slow":
						return answer{code: 200, after: 20 * time.Second}
					case l.EndpointID == "ep_twice" && l.Attempt <= 2:
						return answer{code: 503, after: time.Millisecond}
					}
					return answer{code: 200, after: time.Millisecond}
				}
				all := []string{"ep_dead", "ep_narrow", "ep_slow", "ep_twice"}
				for _, id := range all {
					w.endpoint(id, nil)
				}
				w.start()
				for range 2 {
					w.publish(1)
					time.Sleep(time.Second)
				}
				time.Sleep(2 * time.Minute)
				w.publish(1)
				c.ahead.Store(int64(by)) // some wait for 5 minutes more, and one is on the wire
				time.Sleep(30 * time.Minute)
				for _, id := range []string{"ep_slow", "ep_twice"} {
					if n := w.count(id, delivery.Delivered); n != 3 {
						t.Errorf("%s: %d of 3 delivered half an hour later", id, n)
					}
				}
				if v := w.state("ep_dead"); v.State != delivery.Disabled || v.Held != 3 {
					t.Errorf("ep_dead is %s after %d failures, %d held; want it disabled", v.State, v.Health.Failures, v.Held)
				}
				time.Sleep(10 * time.Minute)
				if n := w.count("ep_narrow", delivery.Delivered); n != 3 {
					t.Errorf("ep_narrow: %d of 3 delivered when it was well for half an hour: %+v", n, w.state("ep_narrow"))
				}
			})
		})
	}
}

func TestANodeThatStartsAfterTheClockWasPutBackWaitsNotForADay(t *testing.T) {
	within(t, func(w *world) {
		c := &clocked{Store: w.db}
		c.ahead.Store(int64(24 * time.Hour))
		w.queue = c
		w.answer = func(l delivery.Lease) answer {
			if l.Attempt == 1 {
				return answer{code: 500, after: time.Millisecond}
			}
			return answer{code: 200, after: time.Millisecond}
		}
		w.endpoint("ep_1", nil)
		w.start()
		time.Sleep(time.Second)
		w.publish(1)
		time.Sleep(time.Second)
		w.shutdown()
		c.ahead.Store(0)
		w.start()
		time.Sleep(2 * time.Minute)
		if n := w.count("ep_1", delivery.Delivered); n != 1 {
			t.Error("the retry waits for the time that the clock showed before")
		}
	})
}

func TestAttemptsAreWrittenByTheClockThatTheNodesAgreeOn(t *testing.T) {
	within(t, func(w *world) {
		c := &clocked{Store: w.db}
		c.ahead.Store(int64(time.Hour))
		w.queue = c
		w.answer = func(delivery.Lease) answer { return answer{code: 200, after: 3 * time.Second} }
		w.endpoint("ep_1", nil)
		w.start()
		time.Sleep(time.Second)
		p := w.publish(1)
		time.Sleep(10 * time.Second)
		a, err := w.db.Attempt(w.t.Context(), store.DefaultAccount, p[0].Deliveries[0].ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		began := w.began.Add(time.Hour + time.Second)
		if !a.StartedAt.Equal(began) || !a.EndedAt.Equal(began.Add(3*time.Second)) || w.disp.Ahead() != time.Hour {
			t.Errorf("attempt from %s to %s, an hour ahead is %s; want it from %s for 3 s", a.StartedAt, a.EndedAt, w.disp.Ahead(), began)
		}
	})
}

func TestNothingIsTakenOverByAClockThatWasPutBackMeanwhile(t *testing.T) {
	within(t, func(w *world) {
		c := &clocked{Store: w.db}
		c.ahead.Store(int64(3 * time.Minute))
		w.queue = c
		w.endpoint("ep_1", nil)
		w.start()
		time.Sleep(3500 * time.Millisecond) // the clock was read with the last look at what is due, and a second ago
		c.ahead.Store(0)
		until := time.Now().Add(400 * time.Millisecond) // before the next look
		w.put("{}", store.NewDelivery{EndpointID: "ep_1", Status: delivery.Sending, Cycle: delivery.Automatic, Token: 7, Until: until, Node: "other"})
		w.disp.Wake("ep_1")
		time.Sleep(10 * time.Second)
		calls := w.seen("ep_1")
		if len(calls) != 1 || w.began.Add(calls[0].at).Before(until) {
			t.Errorf("sent %+v, want it taken over once, when its lease ended at %s", calls, until.Sub(w.began))
		}
	})
}
