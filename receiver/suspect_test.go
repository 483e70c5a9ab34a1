package receiver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/memstore"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// working gives the ids of what is in hand, as the store has it.
func (k *kit) working() (ids []string) {
	k.t.Helper()
	items, _, err := k.store.List(k.t.Context(), receiver.Filter{Statuses: []receiver.Status{receiver.Working}}, receiver.Page{})
	if err != nil {
		k.t.Errorf("List: %v", err)
	}
	for _, item := range items {
		ids = append(ids, item.ID)
	}
	return ids
}

// One event that ends the process, again and again, must not make those fail that were in hand beside it.
func TestWhatMayHaveEndedTheProcessIsHandledAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const suspects, fresh = 20, 5
		var got calls
		k := newKit(t, receiver.Config{Workers: 4})
		old := map[string]bool{}
		k.OnOther(func(_ context.Context, e rawEvent) error {
			if beside := k.working(); old[e.ID] && len(beside) != 1 {
				t.Errorf("beside one that was in hand twice when the process ended, %d are in hand", len(beside)-1)
			}
			got.add(e)
			return nil
		})
		for n := range suspects {
			event := webhooktest.NewEvent("backup.ended", fmt.Sprintf(`{"n":%d}`, n))
			k.send(event)
			old[event.ID] = true
		}
		for range 2 { // the process ends with all of them in hand
			if items, _, err := k.store.Claim(t.Context(), "", suspects, time.Minute); err != nil || len(items) != suspects {
				t.Fatalf("Claim: %d items, %v", len(items), err)
			}
			pass(2 * time.Minute)
		}
		for range fresh {
			k.send(webhooktest.NewEvent("backup.ended", `{}`))
		}
		k.start()
		pass(time.Minute)
		if n := len(got.all()); n != suspects+fresh {
			t.Errorf("%d were handled, want %d", n, suspects+fresh)
		}
		if left := k.working(); len(left) != 0 {
			t.Errorf("still in hand: %q", left)
		}
		for id := range old {
			if item := k.item(id); item.Status != receiver.Done || item.Lost != 2 || !slices.Contains(got.ids(), id) {
				t.Errorf("%s: %s, lost %d times; want done and 2", id, item.Status, item.Lost)
			}
		}
	})
}

// An inline handler that is cut off with its process leaves a claim, which nobody works off: the sender's next copy takes it over. When
// none comes for a week, none will.
func TestAnInlineClaimThatNobodyComesBackForIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{Inline: true, Store: memstore.New(nil)})
		event := webhooktest.NewEvent("backup.ended", `{}`)
		if _, standing, err := k.store.Begin(t.Context(), receiver.Item{ID: event.ID, Type: event.Type}, time.Minute); err != nil || standing != receiver.Begun {
			t.Fatalf("Begin: %s, %v", standing, err)
		}
		k.start()
		pass(6 * 24 * time.Hour)
		if left := k.working(); len(left) != 1 {
			t.Errorf("after six days %d claims are left, want the one", len(left))
		}
		pass(2 * 24 * time.Hour)
		if left := k.working(); len(left) != 0 {
			t.Errorf("after eight days these are left: %q", left)
		}
		runs := 0
		k.OnOther(func(context.Context, rawEvent) error { runs++; return errors.New("not now") })
		if k.want(k.send(event), 500, "a copy that comes all the same"); runs != 1 {
			t.Errorf("it was handled %d times", runs)
		}
	})
}

// A handler that ignores its context takes one worker away. It must not take the lane
// away, when one event was in hand twice as a process ended.
func TestAHandlerThatHangsBesideASuspectStopsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var got calls
		k := newKit(t, receiver.Config{Workers: 4})
		hangs := webhooktest.NewEvent("hangs.now", `{}`)
		suspect := webhooktest.NewEvent("backup.ended", `{}`)
		after := webhooktest.NewEvent("backup.ended", `{}`)
		k.OnOther(func(_ context.Context, e rawEvent) error {
			if e.Type == "hangs.now" {
				<-release
			}
			got.add(e)
			return nil
		})
		k.send(suspect)
		for range 2 {
			if items, _, err := k.store.Claim(t.Context(), "", 1, time.Minute); err != nil || len(items) != 1 {
				t.Fatalf("Claim: %d items, %v", len(items), err)
			}
			pass(2 * time.Minute)
		}
		k.send(hangs)
		k.start()
		pass(time.Second)
		k.send(after)
		pass(time.Hour)
		if n := len(got.all()); n != 2 {
			t.Errorf("after an hour %d of the 2 others were handled", n)
		}
		close(release)
		pass(time.Minute)
		k.halt()
	})
}

// A handler that goes on beyond its time is no process that ended.
func TestASlowHandlerIsNotTakenForAProcessThatEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		k := newKit(t, receiver.Config{})
		k.OnOther(func(context.Context, rawEvent) error {
			if n++; n == 1 {
				time.Sleep(20 * time.Minute)
				return http.ErrBodyNotAllowed
			}
			return nil
		})
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.start()
		k.send(event)
		pass(time.Hour)
		if item := k.item(event.ID); item.Status != receiver.Done || n != 2 {
			t.Errorf("%s after %d runs: %s", item.Status, n, item.Error)
		}
		k.halt()
	})
}
