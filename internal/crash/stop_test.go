package crash_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// stops is how often a process is stopped under load on each database.
const stops = 6

func TestStoppedUnderLoadItLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stopAndAccount(t, database(t))
		})
	}
}

func stopAndAccount(t *testing.T, database string) {
	news := newReceiver(t, "news", nil) // hears of the failures of the sick one, which are published while it stops
	news.types = []string{"endpoint.warning", "endpoint.disabled", "delivery.failed"}
	w := newWorld(t, database, newReceiver(t, "steady", nil), newReceiver(t, "slow", slow), newReceiver(t, "sick", sick), news)
	moments := rand.New(rand.NewPCG(w.seed, 3))
	c := start(t, w.settings)
	w.setUp(c.api)
	for n := range stops {
		if n > 0 {
			c = start(t, w.settings)
			w.release(t.Context(), c.api)
		}
		quiet := w.load(c.api)
		pause(t.Context(), time.Duration(100+moments.IntN(400))*time.Millisecond)
		if n == 0 {
			w.publishGated(c.api)
			time.AfterFunc(300*time.Millisecond, w.receivers[0].openGate) // while the process stops
		}
		c.stop(t)
		quiet()
		checkNothingIsLeased(t, database)
	}
	c = start(t, w.settings)
	w.crowd.settle(t.Context(), c.api)
	w.finish(c.api, finishLimit)
	c.stop(t)

	a := w.settleAccounts(t)
	if n := a.byClass[string(delivery.Unknown)]; n != 0 {
		t.Errorf("%d attempts ended as unknown although every process was stopped in good order", n)
	}
	checkGated(t, w.receivers[0], a)
	a.evidence(w, "stopped", 2, stops, "stopped under load (SIGTERM): nothing is left leased, no attempt unknown")
}

// checkNothingIsLeased: what was on the wire is recorded, what was not is given back.
func checkNothingIsLeased(t *testing.T, database string) {
	t.Helper()
	a := newAccount(t, database)
	for id, d := range a.rows.deliveries {
		if d.status == client.StatusSending || d.token != 0 || d.node != "" {
			a.complain("delivery %d is still leased after exit status 0: %+v", id, d)
		}
		if n := len(a.rows.attempts[id]); n != d.attempts {
			a.complain("delivery %d counts %d attempts, and %d are in the log", id, d.attempts, n)
		}
	}
	a.close()
}

// checkGated: the request that was on the wire when the process was told to stop was
// finished and not made again.
func checkGated(t *testing.T, r *receiver, a *account) {
	t.Helper()
	for _, one := range r.seen(0) {
		if one.deed != gated {
			continue
		}
		if all := a.rows.attempts[one.delivery]; len(all) != 1 || all[0].class != string(delivery.OK) {
			t.Errorf("the request that was on the wire became the attempts %+v, want one that is ok", all)
		}
	}
}
