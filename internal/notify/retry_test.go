package notify_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/publish"
)

// picky is a publisher that never takes the first so many events that it sees.
type picky struct {
	never int
	bad   map[string]int // how often it was offered each of them
	good  int
}

func (p *picky) PublishOwn(_ context.Context, _, _ string, in publish.Input) error {
	if p.bad[in.ID] > 0 || len(p.bad) < p.never {
		p.bad[in.ID]++
		return errors.New("never")
	}
	p.good++
	return nil
}

func TestNoticesThatFailHoldUpNoOthersAndAreLoggedOnce(t *testing.T) {
	within(t, func(w *world) {
		const bad, good = 120, 30 // more bad ones than are read at a time
		w.policy.Schedule, w.policy.DisableAfter = delivery.Schedule{0}, 0
		w.watchers()
		w.fail("ep_bad", "domain.added", bad+good)
		p := &picky{never: bad, bad: map[string]int{}}
		w.publisher = p
		w.start()
		time.Sleep(3 * every)
		synctest.Wait()
		if p.good != good {
			t.Errorf("%d of %d told that stand behind %d that fail", p.good, good, bad)
		}
		for range 1000 { // as when every outcome wakes it
			w.notifier.Wake()
			time.Sleep(time.Second)
			synctest.Wait()
		}
		for id, n := range p.bad {
			if n > 15 {
				t.Fatalf("notice %s was tried %d times in twenty minutes, want pauses up to five minutes", id, n)
			}
			if told := strings.Count(w.log.String(), id); told != 1 {
				t.Fatalf("the failure of notice %s was logged %d times", id, told)
			}
		}
		if n := strings.Count(w.log.String(), "it is in the dead letter queue"); n != bad+good {
			t.Errorf("%d notices logged, want each of %d once", n, bad+good)
		}
	})
}

func TestWhatTheLastOutcomesLeftIsToldBeforeTheEnd(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule = delivery.Schedule{0}
		w.watchers()
		w.start()
		w.fail("ep_bad", "domain.added", 1)
		w.cancel()
		w.must(<-w.ended)
		w.cancel = nil
		if n := len(w.told(account)); n != 1 {
			t.Errorf("%d told when the program has stopped, want 1", n)
		}
	})
}
