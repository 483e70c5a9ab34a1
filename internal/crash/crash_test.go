package crash_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
)

// finishLimit bounds the time after the last kill: leases (12 s), leases of jobs
// (15 s), and the backlog.
const finishLimit = 2 * time.Minute

func TestKilledAtAnyMomentItLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killAndAccount(t, database(t), atRandom(option[int](killsFlag)))
		})
	}
}

// atRandom gives how many of the kills come at random moments: all where no places
// are compiled in, else a third.
func atRandom(kills int) int {
	if failpoint.On {
		return kills / 3
	}
	return kills
}

// The lease of what it was sending is far longer than the test may take.
func TestAServerThatWasKilledSendsAgainAsSoonAsItIsBackOnSQLite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engines["SQLite"](t), newReceiver(t, "one", nil))
	w.settings.Policy.Timeout = 2 * time.Minute
	first := start(t, w.settings)
	w.setUp(first.api)
	w.publishGated(first.api)
	first.kill()
	w.receivers[0].openGate()
	again := start(t, w.settings)
	ctx, cancel := context.WithTimeout(t.Context(), w.lease()/2)
	defer cancel()
	w.crowd.settle(ctx, again.api)
	w.waitWhile(ctx, again.api, client.StatusPending, client.StatusSending, client.StatusRetrying)
	again.stop(t)
	w.settleAccounts(t)
}

// killAndAccount kills the program again and again under load, lets it finish, and
// settles accounts.
func killAndAccount(t *testing.T, database string, kills int) {
	w := newWorld(t, database,
		newReceiver(t, "steady", nil), newReceiver(t, "shaky", shaky), newReceiver(t, "sick", sick))
	moments := rand.New(rand.NewPCG(w.seed, 2))
	w.killAtStart(moments) // with a database that is half made
	c := start(t, w.settings)
	w.setUp(c.api)
	checked := make([]int, len(w.receivers))
	for n := range kills {
		w.killUnderLoad(c, moments)
		w.checkOnDisk(checked)
		if n%10 == 9 {
			w.killAtStart(moments)
		}
		c = start(t, w.settings)
		if n%5 == 4 {
			w.release(t.Context(), c.api) // so that the next kills meet jobs at work
		}
	}
	t.Logf("killed %d times under load and %d times at the start", kills, 1+kills/10)
	w.crowd.settle(t.Context(), c.api)
	w.finish(c.api, finishLimit)
	c.stop(t)
	a := w.settleAccounts(t)
	a.evidence(w, "random", 1, kills, "kill -9 at a random moment under load")
	checkIntegrity(t, database)
}

// killAtStart kills a process that is on its way to serve.
func (w *world) killAtStart(moments *rand.Rand) {
	w.t.Helper()
	c := launch(w.t, w.settings)
	pause(w.t.Context(), time.Duration(moments.IntN(300))*time.Millisecond)
	c.kill()
}

// killUnderLoad kills the process a moment after the publishers have got to work.
func (w *world) killUnderLoad(c *child, moments *rand.Rand) {
	w.t.Helper()
	stop := w.load(c.api)
	pause(w.t.Context(), time.Duration(20+moments.IntN(131))*time.Millisecond)
	c.kill()
	stop()
	if !c.wasKilled() {
		w.t.Errorf("the program had ended before it was killed: %v\n%s", c.err, c.tail())
	}
}

// checkOnDisk: in the moment of the kill every request that has arrived was on disk
// with its attempt number. checked is how far each receiver's arrivals were looked at.
func (w *world) checkOnDisk(checked []int) {
	w.t.Helper()
	db := openDatabase(w.t, w.settings.Database)
	defer db.Close()
	for i, r := range w.receivers {
		fresh := r.seen(checked[i])
		checked[i] += len(fresh)
		for _, one := range fresh {
			var attempts int
			err := db.QueryRowContext(w.t.Context(), `select attempts from deliveries where id = $1`, one.delivery).Scan(&attempts)
			if err != nil || attempts < one.number {
				w.t.Errorf("%s saw attempt %d of delivery %d, and on disk it has %d (%v)", r.name, one.number, one.delivery, attempts, err)
			}
		}
	}
}
