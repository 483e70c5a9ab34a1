package receiver_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// lanes is a receiver with two ordered lanes, chat and tickets, that take every event.
func lanes(t *testing.T, chat, tickets func(context.Context, rawEvent) error) *kit {
	t.Helper()
	names := []string{"chat", "tickets"}
	k := newKit(t, receiver.Config{Route: func(rawEvent) []string { return names }})
	if err := k.SetLanes(
		receiver.Lane{Name: "chat", Ordered: true, Handle: chat},
		receiver.Lane{Name: "tickets", Ordered: true, Handle: tickets},
	); err != nil {
		t.Fatalf("SetLanes: %v", err)
	}
	return k
}

// publish sends n events and gives their ids in order. Each comes a millisecond after
// the one before.
func (k *kit) publish(n int) (ids []string) {
	k.t.Helper()
	for range n {
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.want(k.send(event), http.StatusOK, "an event")
		ids = append(ids, event.ID)
		pass(time.Millisecond)
	}
	return ids
}

func TestOneEndThatIsAwayFillsItsLaneAndNothingElseAndIsServedInOrderLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		var chat, tickets calls
		k := lanes(t, func(_ context.Context, e rawEvent) error {
			if away.Load() {
				return receiver.Unavailable(errors.New("connection refused"), 0)
			}
			chat.add(e)
			return nil
		}, func(_ context.Context, e rawEvent) error { tickets.add(e); return nil }).start()

		ids := k.publish(20)
		if got := tickets.ids(); !slices.Equal(got, ids) {
			t.Errorf("the healthy lane got %d of %d events in order", len(got), len(ids))
		}
		pass(3 * time.Hour)
		ids = append(ids, k.publish(20)...)
		away.Store(false)
		pass(2 * time.Minute)
		if got := chat.ids(); !slices.Equal(got, ids) {
			t.Errorf("the lane that was away got\n%v, want all in the order of arrival\n%v", got, ids)
		}
		if n := len(tickets.all()); n != len(ids) {
			t.Errorf("the healthy lane got %d events, want %d: one each", n, len(ids))
		}
	})
}

func TestAnEventInTroubleDoesNotHoldUpItsLane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var first atomic.Value
		var got calls
		k := lanes(t, func(_ context.Context, e rawEvent) error {
			if first.CompareAndSwap(nil, e.ID); first.Load() == e.ID {
				return errors.New("this one cannot be written")
			}
			got.add(e)
			return nil
		}, func(context.Context, rawEvent) error { return nil }).start()
		ids := k.publish(5)
		if !slices.Equal(got.ids(), ids[1:]) {
			t.Errorf("behind the one in trouble: got %v, want %v at once", got.ids(), ids[1:])
		}
	})
}

func TestWhoAsksToBeLeftAloneIsLeftAloneForThatLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var times []time.Duration
		begin := time.Now()
		k := lanes(t, func(context.Context, rawEvent) error {
			times = append(times, time.Since(begin).Truncate(time.Second))
			if len(times) == 1 {
				return receiver.Unavailable(errors.New("429"), 10*time.Minute)
			}
			return nil
		}, func(context.Context, rawEvent) error { return nil }).start()
		k.publish(3)
		pass(time.Hour)
		if want := []time.Duration{0, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute}; !slices.Equal(times, want) {
			t.Errorf("called at %v, want %v: nothing before the time is over", times, want)
		}
	})
}

func TestLanesCanBeReplacedWhileEventsComeIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var names atomic.Pointer[[]string]
		names.Store(&[]string{"old"})
		var old, fresh calls
		k := newKit(t, receiver.Config{Route: func(rawEvent) []string { return *names.Load() }})
		set := func(name string, into *calls) {
			t.Helper()
			names.Store(&[]string{name})
			if err := k.SetLanes(receiver.Lane{Name: name, Ordered: true, Handle: func(_ context.Context, e rawEvent) error {
				into.add(e)
				return nil
			}}); err != nil {
				t.Fatalf("SetLanes(%s): %v", name, err)
			}
			synctest.Wait()
		}
		set("old", &old)
		k.start()
		k.publish(3)
		set("new", &fresh)
		again := webhooktest.NewEvent("backup.ended", `{}`)
		k.want(k.send(again), http.StatusOK, "an event for the new lane")
		k.want(k.send(again), http.StatusOK, "its copy")
		synctest.Wait()
		if len(old.all()) != 3 || len(fresh.all()) != 1 {
			t.Errorf("the old lane got %d, the new one %d; want 3 and 1", len(old.all()), len(fresh.all()))
		}
		if err := k.SetLanes(receiver.Lane{Name: "a"}); err == nil {
			t.Error("a lane without a handler was taken")
		}
		handle := func(context.Context, receiver.Event[json.RawMessage]) error { return nil }
		if err := k.SetLanes(receiver.Lane{Name: "a", Handle: handle}, receiver.Lane{Name: "a", Handle: handle}); err == nil {
			t.Error("two lanes of one name were taken")
		}
	})
}

func TestAnEventOfNoLaneIsAnsweredAndForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{Route: func(rawEvent) []string { return nil }}).start()
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.want(k.send(event), http.StatusOK, "an event that no route takes")
		items, _, err := k.store.List(t.Context(), receiver.Filter{}, receiver.Page{})
		if len(items) != 0 || err != nil {
			t.Errorf("the store has %d items, %v; want none", len(items), err)
		}
	})
}

// A rotation: old and new secret are both taken, until the old one is dropped.
func TestSecretsCanBeReplacedWhileRequestsComeIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old, next := webhook.NewSecret(), webhook.NewSecret()
		k := newKit(t, receiver.Config{Secrets: []webhook.Secret{old}})
		with := func(secret webhook.Secret) int {
			return k.post(webhooktest.NewRequest(t, "/", secret, webhooktest.NewEvent("backup.ended", `{}`))).Code
		}
		for _, step := range []struct {
			secrets   []webhook.Secret
			old, next int
		}{
			{[]webhook.Secret{old}, 200, 401},
			{[]webhook.Secret{old, next}, 200, 200},
			{[]webhook.Secret{next}, 401, 200},
		} {
			if err := k.SetSecrets(step.secrets...); err != nil {
				t.Fatalf("SetSecrets: %v", err)
			}
			if gotOld, gotNext := with(old), with(next); gotOld != step.old || gotNext != step.next {
				t.Errorf("with %d secrets: %d, %d; want %d, %d", len(step.secrets), gotOld, gotNext, step.old, step.next)
			}
		}
		if err := k.SetSecrets(); err == nil {
			t.Error("a receiver without secrets was made")
		}
	})
}

func TestAHandlerThatTakesItsTimeDoesNotHoldUpOtherLanesWhenLanesAreReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var slow, quick calls
		hang := func(ctx context.Context, e rawEvent) error {
			if slow.add(e) == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		serve := func(_ context.Context, e rawEvent) error { quick.add(e); return nil }
		k := lanes(t, hang, serve).start()
		k.publish(1)
		if err := k.SetLanes(
			receiver.Lane{Name: "chat", Ordered: true, Handle: hang},
			receiver.Lane{Name: "tickets", Ordered: true, Handle: serve},
		); err != nil {
			t.Fatal(err)
		}
		k.publish(1)
		if got := len(quick.all()); got != 2 {
			t.Errorf("the quick lane has handled %d events, want 2 while the other ends", got)
		}
		if got := len(slow.all()); got != 1 {
			t.Errorf("the slow lane runs %d handlers, want the one alone until it ends", got)
		}
		pass(time.Minute) // it is broken off after the grace
		if all := slow.all(); len(all) != 3 || all[1].ID != all[0].ID || !all[1].Unsure {
			t.Errorf("afterwards: %d runs, %+v; want the first event again, unsure, and the second", len(all), all)
		}
	})
}

func TestTheCallersLanesStayTheCallers(t *testing.T) {
	t.Parallel()
	k := newKit(t, receiver.Config{})
	mine := []receiver.Lane{{Name: "a", Ordered: true, Handle: func(context.Context, rawEvent) error { return nil }}}
	if err := k.SetLanes(mine...); err != nil || mine[0].Workers != 0 || mine[0].Attempts != 0 {
		t.Errorf("SetLanes: %v, and the caller's lane is %+v", err, mine[0])
	}
	if err := k.SetSecrets(webhook.Secret{}); err == nil {
		t.Error("an empty secret was taken")
	}
}
