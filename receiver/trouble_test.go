package receiver_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/memstore"
	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// Claimed ahead, its lease over before it is begun, done by another process meanwhile.
func TestWhatWasClaimedAheadIsNotBegunAfterItsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(nil)
		var one, two calls
		a := newKit(t, receiver.Config{Store: store, Workers: 1, Timeout: 5 * time.Second})
		a.OnOther(func(_ context.Context, e rawEvent) error { one.add(e); time.Sleep(5 * time.Second); return nil })
		b := newKit(t, receiver.Config{Store: store, Workers: 8, Timeout: 5 * time.Second, Secrets: []webhook.Secret{a.secret}})
		b.OnOther(func(_ context.Context, e rawEvent) error { two.add(e); return nil })
		for range 8 { // in the inbox before anybody works
			a.send(webhooktest.NewEvent("backup.ended", `{}`))
		}
		a.start()
		b.start()
		pass(5 * time.Minute)
		runs := map[string][]rawEvent{}
		for _, e := range append(one.all(), two.all()...) {
			runs[e.ID] = append(runs[e.ID], e)
		}
		for id, r := range runs {
			if len(r) > 1 {
				t.Errorf("%s: handled %d times, every handler ended well within its time; try %d unsure %t, then by the other try %d unsure %t", id, len(r), r[0].Try, r[0].Unsure, r[1].Try, r[1].Unsure)
			}
		}
		a.halt()
		b.halt()
	})
}

// Inline, an effect that may have happened.
func TestInlineTellsThatAnEarlierTryMayHaveHadItsEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got calls
		k := newKit(t, receiver.Config{Inline: true})
		k.OnOther(func(_ context.Context, e rawEvent) error {
			if got.add(e) == 1 {
				return &receiver.Failure{Err: errors.New("timeout"), Unsure: true}
			}
			return nil
		})
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.want(k.send(event), http.StatusInternalServerError, "the first")
		k.want(k.send(event), http.StatusOK, "the second")
		if second := got.all()[1]; !second.Unsure {
			t.Error("the second try is not told that the first may have had its effect")
		}
	})
}

// Inline: the process died in try 1, try 2 ended with an error, try 3 is told of nothing.
func TestInlineRemembersACrashBeyondAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(nil)
		var got calls
		k := newKit(t, receiver.Config{Inline: true, Store: store})
		k.OnOther(func(_ context.Context, e rawEvent) error {
			if got.add(e) == 1 {
				return errors.New("first after the crash")
			}
			return nil
		})
		event := webhooktest.NewEvent("backup.ended", `{}`)
		body, err := webhook.EncodeBody(event.ID, event.Type, event.CreatedAt, event.Data)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := store.Begin(t.Context(), receiver.Item{ID: event.ID, Type: event.Type, Body: body}, time.Second); err != nil { // and kill -9
			t.Fatal(err)
		}
		pass(time.Minute)
		k.send(event)
		k.send(event)
		if a := got.all(); !a[0].Unsure || !a[1].Unsure {
			t.Errorf("after a crash: Unsure %t, then %t; want both", a[0].Unsure, a[1].Unsure)
		}
	})
}

// A hanging handler and a new set of lanes.
func TestAHangingHandlerStopsItsOwnLaneOnlyThroughAReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var tickets calls
		ls := []receiver.Lane{
			{Name: "chat", Ordered: true, Handle: func(context.Context, rawEvent) error { <-release; return nil }},
			{Name: "tickets", Ordered: true, Handle: func(_ context.Context, e rawEvent) error { tickets.add(e); return nil }},
		}
		k := newKit(t, receiver.Config{Route: func(rawEvent) []string { return []string{"chat", "tickets"} }})
		if err := k.SetLanes(ls...); err != nil {
			t.Fatal(err)
		}
		k.start()
		k.publish(1)
		if err := k.SetLanes(ls...); err != nil { // kill -HUP
			t.Fatal(err)
		}
		pass(time.Second)
		k.publish(1)
		pass(time.Hour)
		if n := len(tickets.all()); n != 2 {
			t.Errorf("an hour after a reload the healthy lane has done %d of 2 events", n)
		}
		close(release)
		k.halt()
	})
}

// panicking is a store that panics once.
type panicking struct {
	receiver.Store
	once sync.Once
}

func (p *panicking) Put(ctx context.Context, items []receiver.Item) ([]bool, error) {
	p.once.Do(func() { panic("a driver's bug") })
	return p.Store.Put(ctx, items)
}

// One panic of the store, which net/http recovers.
func TestAStoreThatPanicsOnceDoesNotStopTheReceiver(t *testing.T) {
	t.Parallel()
	k := newKit(t, receiver.Config{Store: &panicking{Store: memstore.New(nil)}})
	k.want(k.send(webhooktest.NewEvent("backup.ended", `{}`)), 503, "a request whose store panics")
	k.want(k.send(webhooktest.NewEvent("backup.ended", `{}`)), 200, "a request after one panic of the store")
}

// Tries while nobody answered count against MaxAnswered.
func TestAnOutageWithoutAnswersDoesNotUseUpMaxAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var phase atomic.Int32
		k := newKit(t, receiver.Config{})
		if err := k.SetLanes(receiver.Lane{Ordered: true, Handle: func(context.Context, rawEvent) error {
			switch phase.Load() {
			case 0:
				return receiver.Unavailable(errors.New("connection refused"), 0)
			case 1:
				return &receiver.Failure{Err: errors.New("502"), Unavailable: true, Answered: true}
			}
			return nil
		}}); err != nil {
			t.Fatal(err)
		}
		k.start()
		ids := k.publish(1)
		pass(time.Hour)
		phase.Store(1) // it comes back, with one 502 on the way
		pass(70 * time.Second)
		phase.Store(2)
		pass(5 * time.Minute)
		if item := k.item(ids[0]); item.Status != receiver.Done {
			t.Errorf("one 502 after an outage: %s after %d tries: %s", item.Status, item.Tries, item.Error)
		}
		k.halt()
	})
}

// Eight workers, seven busy.
func TestEveryWorkerWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got calls
		var slow sync.Map
		k := newKit(t, receiver.Config{Workers: 8, Timeout: time.Minute})
		k.OnOther(func(ctx context.Context, e rawEvent) error {
			if _, ok := slow.Load(e.ID); ok {
				<-ctx.Done()
				return ctx.Err()
			}
			got.add(e)
			time.Sleep(time.Second)
			return nil
		})
		k.start()
		k.publish(8) // the lane is known to be slow
		pass(time.Minute)
		for range 7 {
			e := webhooktest.NewEvent("backup.ended", `{}`)
			slow.Store(e.ID, true)
			k.send(e)
			pass(time.Millisecond)
		}
		before := len(got.all())
		k.publish(1)
		pass(40 * time.Second)
		if n := len(got.all()) - before; n != 1 {
			t.Errorf("seven of eight workers are busy: the eighth took %d events in 40 s, want 1", n)
		}
		k.halt()
	})
}

// A handler that ran out of its time.
func TestAHandlerThatRanOutOfTimeOrPanickedIsUnsure(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"time", "panic"} {
		synctest.Test(t, func(t *testing.T) {
			var got calls
			k := newKit(t, receiver.Config{})
			k.OnOther(func(ctx context.Context, e rawEvent) error {
				if got.add(e) > 1 {
					return nil
				}
				if how == "panic" {
					panic("after the effect")
				}
				<-ctx.Done()
				return ctx.Err()
			})
			k.start()
			k.publish(1)
			pass(3 * time.Minute)
			if a := got.all(); len(a) != 2 || !a[1].Unsure {
				t.Errorf("%s: %d tries, the second Unsure %t", how, len(a), len(a) == 2 && a[1].Unsure)
			}
			k.halt()
		})
	}
}

// Start with lanes that were set before Run.
func TestLanesThatWereSetBeforeRunAreStartedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got calls
		k := newKit(t, receiver.Config{})
		for range 3 {
			k.send(webhooktest.NewEvent("backup.ended", `{}`))
		}
		if err := k.SetLanes(receiver.Lane{Ordered: true, Handle: func(ctx context.Context, e rawEvent) error {
			got.add(e)
			if e.Try == 1 && len(got.all()) == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}); err != nil {
			t.Fatal(err)
		}
		k.start()
		pass(26 * time.Second) // the grace
		for _, e := range got.all() {
			item := k.item(e.ID)
			if item.Unsure || e.Try > 1 {
				t.Errorf("%s: try %d, %s, unsure %t: %s", e.ID, e.Try, item.Status, item.Unsure, item.Error)
			}
		}
		k.halt()
	})
}
