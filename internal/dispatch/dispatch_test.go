package dispatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func always(a answer) func(delivery.Lease) answer {
	return func(delivery.Lease) answer { return a }
}

func TestAnEventIsDeliveredAtOnce(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1", nil)
		w.start()
		p := w.publish(1)
		time.Sleep(time.Second)
		if d := w.delivery(p[0].Deliveries[0].ID); d.Status != delivery.Delivered || d.Attempts != 1 {
			t.Errorf("delivery = %+v, want delivered by the first attempt", d)
		}
		if got := w.seen("ep_1"); len(got) != 1 || got[0].at > 10*time.Millisecond {
			t.Errorf("calls = %+v, want one at once", got)
		}
	})
}

func TestTheWholeScheduleOfAReceiverThatNeverAnswersWell(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{code: 500, after: time.Second})
		w.endpoint("ep_1", nil)
		w.start()
		p := w.publish(1)
		time.Sleep(5 * time.Hour)
		d := w.delivery(p[0].Deliveries[0].ID)
		if d.Status != delivery.Failed || d.Attempts != 6 {
			t.Fatalf("delivery = %+v, want failed after six attempts", d)
		}
		base := delivery.DefaultSchedule()
		calls := w.seen("ep_1")
		for i := 1; i < len(calls); i++ {
			gap := calls[i].at - calls[i-1].at - time.Second // counted from the end of the one before
			if most := base[i] + min(base[i]/10, time.Minute) + 50*time.Millisecond; gap < base[i] || gap > most {
				t.Errorf("attempt %d came %s after the one before, want %s to %s", i+1, gap, base[i], most)
			}
		}
		attempts, err := w.db.Attempts(w.t.Context(), store.DefaultAccount, d.ID)
		if err != nil || len(attempts) != 6 {
			t.Fatalf("attempts: %d, %v", len(attempts), err)
		}
		for i, a := range attempts {
			if a.Number != i+1 {
				t.Errorf("attempt %d has number %d", i+1, a.Number)
			}
		}
	})
}

func TestRetryAfterDelaysTheNextAttempt(t *testing.T) {
	within(t, func(w *world) {
		w.answer = func(l delivery.Lease) answer {
			if l.Attempt == 1 {
				return answer{code: 429, wait: 10 * time.Minute}
			}
			return answer{code: 200}
		}
		w.endpoint("ep_1", nil)
		w.start()
		w.publish(1)
		time.Sleep(time.Hour)
		calls := w.seen("ep_1")
		if len(calls) != 2 || calls[1].at < 10*time.Minute || calls[1].at > 10*time.Minute+time.Second {
			t.Errorf("calls = %+v, want the second after ten minutes", calls)
		}
	})
}

func TestTenFailuresDisableTheEndpointAndHoldWhatWaits(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{code: 500, after: time.Millisecond})
		w.endpoint("ep_1", nil)
		w.start()
		w.publish(100)
		time.Sleep(30 * time.Minute)
		v := w.state("ep_1")
		if v.State != delivery.Disabled || v.DisabledReason != delivery.ByFailures || v.Health.Failures != 10 {
			t.Errorf("endpoint is %s (%s) after %d failures, want disabled after 10", v.State, v.DisabledReason, v.Health.Failures)
		}
		if held := w.count("ep_1", delivery.Held); held != 100 {
			t.Errorf("%d held, want all 100: nothing is lost", held)
		}
		before := len(w.seen("ep_1"))
		p := w.publish(1)
		time.Sleep(5 * time.Hour)
		if d := w.delivery(p[0].Deliveries[0].ID); d.Status != delivery.Held {
			t.Errorf("an event published meanwhile is %s, want held", d.Status)
		}
		if after := len(w.seen("ep_1")); after != before {
			t.Errorf("%d attempts after it was disabled", after-before)
		}
	})
}

func TestAReceiverThatRestartsUnderLoadIsNeitherHammeredNorDisabled(t *testing.T) {
	within(t, func(w *world) {
		w.answer = func(delivery.Lease) answer {
			if at := time.Since(w.began); at > 10*time.Second && at < 40*time.Second {
				return answer{class: delivery.ConnectRefused, after: time.Millisecond}
			}
			return answer{code: 200, after: 5 * time.Millisecond}
		}
		w.endpoint("ep_1", nil)
		w.start()
		for range 60 {
			w.publish(20)
			time.Sleep(time.Second)
		}
		during := 0
		for _, c := range w.seen("ep_1") {
			if c.at > 10*time.Second && c.at < 40*time.Second {
				during++
			}
		}
		if during > 100 {
			t.Errorf("%d attempts in the 30 s of the restart: it is hammered", during)
		}
		time.Sleep(10 * time.Minute)
		if v := w.state("ep_1"); v.State != delivery.Enabled {
			t.Errorf("endpoint is %s, want enabled", v.State)
		}
		if n := w.count("ep_1", delivery.Delivered); n != 1200 {
			t.Errorf("%d of 1200 delivered", n)
		}
	})
}

func TestAFailingEndpointGetsOneAttemptAtATimeSpacedOut(t *testing.T) {
	within(t, func(w *world) {
		w.policy.DisableAfter = 0
		w.answer = always(answer{code: 503, after: 100 * time.Millisecond})
		w.endpoint("ep_1", nil)
		w.start()
		w.publish(3)
		time.Sleep(2 * time.Minute) // the retries after one minute make it narrow
		w.mu.Lock()
		w.calls, w.most = nil, map[string]int{}
		w.mu.Unlock()
		w.publish(200)
		time.Sleep(10 * time.Minute)
		if w.atOnce("ep_1") != 1 {
			t.Errorf("%d attempts at once, want 1", w.atOnce("ep_1"))
		}
		calls := w.seen("ep_1")
		for i := 1; i < len(calls); i++ {
			if gap := calls[i].at - calls[i-1].at - 100*time.Millisecond; gap < time.Second || gap > 31*time.Second {
				t.Errorf("attempt %d came %s after the end of the one before, want 1 s to 30 s", i, gap)
			}
		}
		if len(calls) < 15 {
			t.Errorf("only %d attempts in ten minutes; want about one in 30 s", len(calls))
		}
	})
}

func TestASlowEndpointDelaysNobodyElse(t *testing.T) {
	within(t, func(w *world) {
		w.answer = func(l delivery.Lease) answer {
			if l.EndpointID == "ep_slow" {
				return answer{after: time.Hour} // until the timeout
			}
			return answer{code: 200, after: time.Millisecond}
		}
		w.policy.DisableAfter = 0
		w.endpoint("ep_slow", nil)
		w.endpoint("ep_fast", nil)
		w.start()
		for range 60 {
			w.publish(50)
			time.Sleep(time.Second)
		}
		if n := w.count("ep_fast", delivery.Delivered); n != 3000 {
			t.Errorf("%d of 3000 delivered to the fast one", n)
		}
		for i, c := range w.seen("ep_fast") {
			if late := c.at - time.Duration(i/50)*time.Second; late > 100*time.Millisecond {
				t.Fatalf("call %d of the fast endpoint came %s late", i, late)
			}
		}
	})
}

func TestConcurrencyAndRateAreKept(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{code: 200, after: 500 * time.Millisecond})
		w.endpoint("ep_four", func(e *delivery.Endpoint) { e.Concurrency = 4 })
		w.endpoint("ep_rate", func(e *delivery.Endpoint) { e.RateLimit = 5 })
		w.start()
		w.publish(100)
		time.Sleep(time.Minute)
		if w.atOnce("ep_four") != 4 {
			t.Errorf("%d attempts at once, want 4", w.atOnce("ep_four"))
		}
		calls := w.seen("ep_rate")
		for i := 5; i < len(calls); i++ {
			if span := calls[i].at - calls[i-5].at; span < 990*time.Millisecond {
				t.Errorf("attempts %d to %d within %s: more than 5 a second", i-5, i, span)
			}
		}
		for _, ep := range []string{"ep_four", "ep_rate"} {
			if n := w.count(ep, delivery.Delivered); n != 100 {
				t.Errorf("%s: %d of 100 delivered", ep, n)
			}
		}
	})
}

func TestFaultsOnOurSideUseUpNoAttemptAndDisableNobody(t *testing.T) {
	within(t, func(w *world) {
		w.answer = func(delivery.Lease) answer {
			if time.Since(w.began) < 10*time.Minute {
				return answer{class: delivery.LocalNetwork, after: time.Millisecond}
			}
			return answer{code: 200}
		}
		w.endpoint("ep_1", nil)
		w.start()
		p := w.publish(5)
		time.Sleep(15 * time.Minute) // the longest pause is five
		d := w.delivery(p[0].Deliveries[0].ID)
		if d.Status != delivery.Delivered || d.Used != 1 || d.Attempts < 10 {
			t.Errorf("delivery = %+v, want delivered by the first attempt that counts", d)
		}
		if v := w.state("ep_1"); v.State != delivery.Enabled || v.Health != (delivery.Health{}) {
			t.Errorf("endpoint = %s, %+v, want untouched", v.State, v.Health)
		}
	})
}

func TestShutdownFinishesWhatIsOnTheWireAndReturnsTheRest(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{code: 200, after: 5 * time.Second})
		w.endpoint("ep_1", func(e *delivery.Endpoint) { e.Concurrency = 2 })
		w.start()
		w.publish(10)
		time.Sleep(time.Second)
		w.shutdown()
		if n := w.count("ep_1", delivery.Delivered); n != 2 {
			t.Errorf("%d delivered, want the 2 on the wire", n)
		}
		if n := w.count("ep_1", delivery.Pending); n != 8 {
			t.Errorf("%d pending, want the other 8 back", n)
		}
		if n := w.count("ep_1", delivery.Sending); n != 0 {
			t.Errorf("%d are leased after the end", n)
		}
	})
}

func TestShutdownCutsWhatTakesTooLongAndUsesUpNoAttempt(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{hang: true})
		w.endpoint("ep_1", nil)
		w.start()
		w.publish(1)
		time.Sleep(time.Second)
		w.shutdown()
		attempts, err := w.db.Attempts(w.t.Context(), store.DefaultAccount, 1)
		if err != nil {
			t.Fatal(err)
		}
		if d := w.delivery(1); len(attempts) != 1 || attempts[0].Class != delivery.Interrupted || d.Status != delivery.Retrying || d.Used != 0 {
			t.Errorf("delivery %+v, attempts %+v", d, attempts)
		}
	})
}

func TestADeadNodesWorkIsTakenOver(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1", nil)
		// Another node accepted the event, leased it, and died.
		now := time.Now()
		_, err := w.db.Publish(w.t.Context(), &store.Batch{AccountID: store.DefaultAccount, Events: []store.NewEvent{{
			ID: "01890a5d-ac96-774b-bcce-b302099a8057", Type: "domain.added", CreatedAt: now, Body: []byte("{}"),
			Deliveries: []store.NewDelivery{{EndpointID: "ep_1", Status: delivery.Sending, Cycle: delivery.Automatic, Token: 7, Until: now.Add(w.policy.Lease()), Node: "dead"}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		w.start()
		time.Sleep(45 * time.Second)
		if d := w.delivery(1); d.Status != delivery.Delivered || d.Attempts != 2 || d.Used != 1 {
			t.Errorf("delivery = %+v, want delivered by a second attempt within 45 s", d)
		}
		first, err := w.db.Attempt(w.t.Context(), store.DefaultAccount, 1, 1)
		if err != nil || first.Class != delivery.Unknown || first.Node != "dead" {
			t.Errorf("first attempt = %+v, %v, want unknown", first, err)
		}
	})
}

// deaf is a store that takes no outcomes for a while.
type deaf struct {
	store.Store
	until time.Time
}

func (d *deaf) Record(ctx context.Context, p delivery.Policy, results []store.Result) ([]store.Recorded, error) {
	if time.Now().Before(d.until) {
		return nil, store.ErrUnavailable
	}
	return d.Store.Record(ctx, p, results)
}

func TestOutcomesAreKeptWhileTheDatabaseIsAway(t *testing.T) {
	within(t, func(w *world) {
		w.queue = &deaf{Store: w.db, until: time.Now().Add(20 * time.Second)}
		w.endpoint("ep_1", nil)
		w.start()
		w.publish(20)
		time.Sleep(40 * time.Second)
		if n := w.count("ep_1", delivery.Delivered); n != 20 {
			t.Errorf("%d of 20 delivered", n)
		}
		if calls := w.seen("ep_1"); len(calls) != 20 {
			t.Errorf("%d attempts, want 20: an outcome that waits is not sent again", len(calls))
		}
	})
}

func TestAZombiesOutcomeIsWrittenOverNothing(t *testing.T) {
	within(t, func(w *world) {
		w.queue = &deaf{Store: w.db, until: time.Now().Add(38 * time.Second)}
		w.endpoint("ep_1", nil)
		w.start()
		p := w.publish(1)
		id := p[0].Deliveries[0].ID
		time.Sleep(30 * time.Second)
		// Another node sees the lease end while this one cannot write.
		_, err := w.db.Claim(w.t.Context(), store.Claim{Node: "other", Now: time.Now().Add(time.Minute), Until: time.Now().Add(2 * time.Minute), Wants: []store.Want{{EndpointID: "ep_1", Max: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		if d := w.delivery(id); d.Status != delivery.Sending || d.Attempts != 2 {
			t.Errorf("delivery = %+v, want it still with the other node", d)
		}
	})
}

func TestAJobIsPaced(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1", nil)
		w.start()
		w.publish(50)
		time.Sleep(time.Minute)
		begin := time.Since(w.began)
		j := store.Job{
			ID: "job_1", AccountID: store.DefaultAccount, Kind: store.JobRetry, PerSecond: 5, Total: 50, State: store.JobRunning, CreatedAt: time.Now(),
			Filter: store.DeliveryFilter{EndpointID: "ep_1", Statuses: []delivery.Status{delivery.Delivered}},
		}
		if err := w.db.CreateJob(w.t.Context(), j); err != nil {
			t.Fatal(err)
		}
		w.disp.WakeJobs()
		time.Sleep(time.Minute)
		calls := w.seen("ep_1")[50:]
		if len(calls) != 50 {
			t.Fatalf("%d resent, want 50", len(calls))
		}
		if took := calls[49].at - begin; took < 9*time.Second || took > 11*time.Second {
			t.Errorf("50 at 5 a second took %s, want about 10 s", took)
		}
		done, err := w.db.Job(w.t.Context(), store.DefaultAccount, "job_1")
		if err != nil || done.State != store.JobDone || done.Done != 50 {
			t.Errorf("job = %+v, %v", done, err)
		}
		var cycles []delivery.Cycle
		for _, c := range calls[:2] {
			cycles = append(cycles, c.cycle)
		}
		if diff := cmp.Diff([]delivery.Cycle{delivery.Manual, delivery.Manual}, cycles); diff != "" {
			t.Errorf("cycles (-want +got):\n%s", diff)
		}
	})
}

func TestNothingIsSentAfterDisablingReturned(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{code: 200, after: time.Second})
		w.endpoint("ep_1", func(e *delivery.Endpoint) { e.Concurrency = 1 })
		w.start()
		w.publish(20)
		time.Sleep(2500 * time.Millisecond)
		if _, err := w.db.SetState(w.t.Context(), store.DefaultAccount, "ep_1", delivery.Disabled, delivery.ByHand, time.Now()); err != nil {
			t.Fatal(err)
		}
		w.disp.Changed("ep_1")
		at := time.Since(w.began)
		time.Sleep(time.Hour)
		for _, c := range w.seen("ep_1") {
			if c.at > at {
				t.Errorf("delivery %d was sent %s after the endpoint was disabled", c.id, c.at-at)
			}
		}
		if n := w.count("ep_1", delivery.Delivered) + w.count("ep_1", delivery.Held); n != 20 {
			t.Errorf("%d of 20 delivered or held", n)
		}
	})
}

func TestPublishingWaitsForAnEndpointThatIsWellButBehind(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{code: 200, after: 10 * time.Millisecond})
		w.endpoint("ep_1", func(e *delivery.Endpoint) { e.Concurrency = 1 })
		w.start()
		w.publish(1)
		time.Sleep(time.Second) // it is known to be quick
		for range 4 {
			w.ended.Go(func() { w.publish(300) })
		}
		time.Sleep(time.Minute)
		if n := w.count("ep_1", delivery.Delivered); n != 1201 {
			t.Errorf("%d of 1201 delivered", n)
		}
		// 4 publishers in a loop against 100 deliveries a second: held back, they
		// are never further ahead than what a new lane takes into memory.
		for _, c := range w.seen("ep_1") {
			if d := w.delivery(c.id); c.at-d.CreatedAt.Sub(w.began) > 4*time.Second {
				t.Errorf("delivery %d waited %s", c.id, c.at-d.CreatedAt.Sub(w.began))
			}
		}
	})
}

func TestPublishersThatAreFasterThanDeliveryFillTheLaneAndNotTheDisk(t *testing.T) {
	for name, calls := range map[string]struct{ publishers, events int }{"single events": {64, 1}, "batches": {6, 20}} {
		t.Run(name, func(t *testing.T) {
			within(t, func(w *world) {
				claims := &stock{Store: w.db}
				w.queue = claims
				w.answer = always(answer{code: 200, after: 10 * time.Millisecond})
				w.endpoint("ep_1", func(e *delivery.Endpoint) { e.Concurrency = 8 })
				w.start()
				w.publish(1)
				time.Sleep(time.Second) // it is known to be quick
				for range calls.publishers {
					w.ended.Go(func() {
						for range 40 {
							w.publishAtOnce(calls.events)
						}
					})
				}
				time.Sleep(time.Minute)
				if n, want := w.count("ep_1", delivery.Delivered), 1+40*calls.publishers*calls.events; n != want {
					t.Errorf("%d of %d delivered", n, want)
				}
				if claims.most > 0 {
					t.Errorf("there were claims, of up to %d: it went over the disk", claims.widest)
				}
			})
		})
	}
}

func TestPublishingNeverWaitsForASlowEndpoint(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{code: 200, after: 5 * time.Second})
		w.endpoint("ep_1", func(e *delivery.Endpoint) { e.Concurrency = 1 })
		w.start()
		w.publish(100)
		if took := time.Since(w.began); took > 0 {
			t.Errorf("100 events took %s to accept", took)
		}
	})
}

func TestADeletedEndpointLeavesNothingHeld(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1", func(e *delivery.Endpoint) { e.State, e.DisabledReason = delivery.Disabled, delivery.ByHand })
		w.start()
		w.publish(2500) // more than one batch
		if _, err := w.db.DeleteEndpoint(w.t.Context(), store.DefaultAccount, "ep_1", time.Now()); err != nil {
			t.Fatal(err)
		}
		w.disp.Changed("ep_1")
		time.Sleep(time.Minute)
		if n := w.count("ep_1", delivery.Discarded); n != 2500 {
			t.Errorf("%d of 2500 discarded", n)
		}
	})
}

// slowClaims is a store in which something is published while a claim is on its way back.
type slowClaims struct {
	store.Store
	meanwhile func()
}

func (s *slowClaims) Claim(ctx context.Context, c store.Claim) ([]store.Claimed, error) {
	got, err := s.Store.Claim(ctx, c)
	if s.meanwhile != nil {
		s.meanwhile()
	}
	return got, err
}

func TestWorkThatArrivesDuringAClaimIsNotForgotten(t *testing.T) {
	within(t, func(w *world) {
		slow := &slowClaims{Store: w.db}
		w.queue = slow
		w.endpoint("ep_1", nil)
		w.start()
		time.Sleep(100 * time.Millisecond) // the first look is over; the next is after two seconds
		now := time.Now()
		add := func(id string) {
			_, err := w.db.Publish(w.t.Context(), &store.Batch{AccountID: store.DefaultAccount, Events: []store.NewEvent{{
				ID: id, Type: "domain.added", CreatedAt: now, Body: []byte("{}"),
				Deliveries: []store.NewDelivery{{EndpointID: "ep_1", Status: delivery.Pending, Cycle: delivery.Automatic}},
			}}})
			if err != nil {
				t.Error(err)
			}
			w.disp.Wake("ep_1")
		}
		slow.meanwhile = func() {
			slow.meanwhile = nil
			add("01890a5d-ac96-774b-bcce-b302099a8058")
		}
		add("01890a5d-ac96-774b-bcce-b302099a8057")
		time.Sleep(100 * time.Millisecond)
		if n := w.count("ep_1", delivery.Delivered); n != 2 {
			t.Errorf("%d of 2 delivered before the next look", n)
		}
	})
}

func TestSendingGoesOnAfterADatabaseOutageLongerThanALease(t *testing.T) {
	within(t, func(w *world) {
		w.queue = &deaf{Store: w.db, until: time.Now().Add(2 * time.Minute)}
		w.endpoint("ep_1", nil)
		w.start()
		w.publish(3)
		time.Sleep(3 * time.Minute)
		w.publish(3)
		time.Sleep(time.Minute)
		if n := w.count("ep_1", delivery.Delivered); n != 6 {
			t.Errorf("%d of 6 delivered after the outage", n)
		}
	})
}
