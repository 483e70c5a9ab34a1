package dispatch_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// test leases a test delivery of ep_1.
func (w *world) test(token int64) delivery.Lease {
	until := time.Now().Add(w.policy.Lease())
	id := w.put("{}", store.NewDelivery{EndpointID: "ep_1", Status: delivery.Sending, Cycle: delivery.Test, Token: token, Until: until, Node: "test"})[0]
	return delivery.Lease{ID: id, AccountID: store.DefaultAccount, EndpointID: "ep_1", EventType: "domain.added", Token: token, Until: until, Attempt: 1, Cycle: delivery.Test}
}

func TestShutdownWaitsForATestAndTakesNoOther(t *testing.T) {
	within(t, func(w *world) {
		w.answer = always(answer{code: 200, after: 20 * time.Second})
		w.endpoint("ep_1", nil)
		w.start()
		first, second := w.test(7), w.test(8)
		var test sync.WaitGroup
		defer test.Wait()
		test.Go(func() {
			if a, err := w.disp.SendNow(w.t.Context(), first); err != nil || a.Class != delivery.OK {
				t.Errorf("the test on the wire: %+v, %v", a, err)
			}
		})
		time.Sleep(time.Second)
		w.shutdown()
		if d := w.delivery(first.ID); d.Status != delivery.Delivered {
			t.Errorf("the test on the wire is %s after the end, want delivered", d.Status)
		}
		if _, err := w.disp.SendNow(w.t.Context(), second); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a test after the end: %v, want that it is refused", err)
		}
	})
}

// It was left as being sent until its lease ended, also when the node stopped in good order.
func TestATestWhoseOutcomeTheStoreDidNotTakeLooksAsIfItWasBeingSent(t *testing.T) {
	within(t, func(w *world) {
		w.queue = &deaf{Store: w.db, until: time.Now().Add(5 * time.Second)}
		w.endpoint("ep_1", nil)
		w.start()
		lease := w.test(7)
		if a, err := w.disp.SendNow(w.t.Context(), lease); !errors.Is(err, store.ErrUnavailable) || a.Class != delivery.OK {
			t.Errorf("%+v, %v, want the attempt and why it is not recorded", a, err)
		}
		w.shutdown()
		if d := w.delivery(lease.ID); d.Status != delivery.Delivered {
			t.Errorf("it is %s after the end, want delivered", d.Status)
		}
	})
}
