//go:build failpoints

package crash_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
)

// The first words of places that need something else than load.
const (
	migration = "migration: "
	stopping  = "stop: "
	retention = "retention: "
	backup    = "backup: "
)

// patience is how long a process may live that is to die at a place, at its first tries:
// the rarest one comes every two seconds. Later ones may take as long as a lease and more.
const patience = 3 * time.Second

func TestKilledAtEveryNamedPlaceItLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kills := option[int](killsFlag)
			killAtPlaces(t, database(t), kills-atRandom(kills))
		})
	}
}

// faultsAtPlaces are the kills at named places, for a soak.
func faultsAtPlaces(kills int) (all []fault) {
	for name, database := range engines {
		all = append(all, fault{name + ", killed at named places", func(t *testing.T) int { killAtPlaces(t, database(t), kills); return kills }})
	}
	return all
}

func killAtPlaces(t *testing.T, database string, kills int) {
	news := newReceiver(t, "news", nil)
	news.types = []string{"endpoint.warning", "endpoint.disabled", "delivery.failed"}
	w := newWorld(t, database, newReceiver(t, "steady", nil), newReceiver(t, "shaky", shaky), newReceiver(t, "sick", sick), news)
	p := newPlan(w.seed, slices.DeleteFunc(places(t), func(place string) bool {
		return strings.HasPrefix(place, migration) || strings.HasPrefix(place, retention) || strings.HasPrefix(place, backup)
	}))
	first := start(t, w.settings)
	w.setUp(first.api)
	first.kill()
	checked := make([]int, len(w.receivers))
	for p.goesOn(kills) {
		place, visit := p.next()
		died, after := w.dieAt(place, visit, p.patience(place))
		p.note(place, died, after)
		w.checkOnDisk(checked)
	}
	c := start(t, w.settings)
	w.crowd.settle(t.Context(), c.api)
	w.finish(c.api, finishLimit)
	c.stop(t)
	a := w.settleAccounts(t)
	checkIntegrity(t, database)
	p.report(t)
	a.evidence(w, "named", 1, p.kills(), fmt.Sprintf("kill -9 at %d named places between accepting and recording", len(p.all)))
}

// dieAt lets a process run under load until it dies at a place. It reports whether it
// did, and how long after the load began; one that lives too long is killed.
func (w *world) dieAt(place string, visit int, limit time.Duration) (died bool, after time.Duration) {
	w.t.Helper()
	s := w.settings
	s.Die = fmt.Sprintf("%s#%d", place, visit)
	c := launch(w.t, s)
	began := time.Now()
	if c.serves(w.t, s) {
		began = time.Now()
		quiet := w.load(c.api)
		if strings.HasPrefix(place, stopping) {
			_ = c.cmd.Process.Signal(syscall.SIGTERM)
			limit = stopLimit
		}
		died = w.endsReleasing(c, limit)
		c.kill()
		quiet()
	} else {
		died = true
	}
	if !c.wasKilled() {
		w.t.Errorf("the program ended by itself before it died at the place %q: %v\n%s", place, c.err, c.tail())
	}
	return died, time.Since(began)
}

// endsReleasing waits for the end of the process, and lets go now and then what is held
// and what failed: so there is always something of everything to do.
func (w *world) endsReleasing(c *child, limit time.Duration) bool {
	const pace = 200 * time.Millisecond
	for end := time.Now().Add(limit); time.Now().Before(end); {
		_ = w.tryRelease(w.t.Context(), c.api) // it may die at that
		if c.ends(pace) {
			return true
		}
	}
	return false
}

// ends waits for the end of the process.
func (c *child) ends(limit time.Duration) bool {
	select {
	case <-c.exited:
		return true
	case <-time.After(limit):
		return false
	}
}

// dies starts a process that is to die at a place without any load.
func (w *world) dies(s settings, place string, visit int) bool {
	w.t.Helper()
	s.Die = fmt.Sprintf("%s#%d", place, visit)
	c := launch(w.t, s)
	died := c.ends(startLimit)
	c.kill()
	return died && c.wasKilled()
}

func TestKilledWhileItMakesItsTablesItGoesOnWithThem(t *testing.T) {
	t.Parallel()
	const databases = 4
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range databases {
				kills := 0
				w := newWorld(t, database(t), newReceiver(t, "steady", nil))
				for _, place := range places(t) {
					if strings.HasPrefix(place, migration) {
						if !w.dies(w.settings, place, 1) {
							t.Errorf("no process died at the place %q", place)
						}
						kills++
					}
				}
				c := start(t, w.settings)
				w.setUp(c.api)
				w.crowd.publishOne(t, c.api)
				w.finish(c.api, finishLimit)
				c.stop(t)
				a := w.settleAccounts(t)
				a.evidence(w, "migration", 1, kills, "kill -9 while the tables are made")
			}
		})
	}
}

// What has ended is deleted, with all that belongs to it, and nothing else.
func TestKilledWhileItDeletesWhatIsOldItLeavesNothingInPart(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, database(t), newReceiver(t, "steady", nil), newReceiver(t, "held", nil))
			c := start(t, w.settings)
			w.setUp(c.api)
			if _, err := c.api.DisableEndpoint(t.Context(), w.receivers[1].id, client.Disable{}); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				w.crowd.publishOne(t, c.api)
			}
			w.waitWhile(t.Context(), c.api, client.StatusPending, client.StatusSending, client.StatusRetrying)
			c.stop(t)
			s := w.settings
			s.Retention = time.Millisecond
			for _, place := range places(t) {
				if strings.HasPrefix(place, retention) && !w.dies(s, place, 1) {
					t.Errorf("no process died at the place %q", place)
				}
			}
			checkWhole(t, s.Database, 20)
			c = start(t, s)
			for len(readRows(t, s.Database).deliveries) > 10 {
				pause(t.Context(), 20*time.Millisecond)
			}
			c.stop(t)
			checkWhole(t, s.Database, 10)
		})
	}
}

// checkWhole: so many deliveries are there, and the log has exactly their events and attempts.
func checkWhole(t *testing.T, database string, deliveries int) {
	t.Helper()
	r := readRows(t, database)
	if len(r.deliveries) != deliveries {
		t.Errorf("%d deliveries are left, want %d", len(r.deliveries), deliveries)
	}
	for id, d := range r.deliveries {
		if _, ok := r.events[d.event]; !ok || len(r.attempts[id]) != d.attempts {
			t.Errorf("delivery %d, %+v, has the attempts %+v, and its event is there: %v", id, d, r.attempts[id], ok)
		}
	}
	for id := range r.attempts {
		if _, ok := r.deliveries[id]; !ok {
			t.Errorf("attempts of delivery %d are left, which is not", id)
		}
	}
}

func TestACopyThatWasCutOffIsNotTakenForOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engines["SQLite"](t), newReceiver(t, "steady", nil))
	c := start(t, w.settings)
	w.setUp(c.api)
	w.crowd.publishOne(t, c.api)
	s := w.settings
	s.CopyTo = filepath.Join(t.TempDir(), "copy.db")
	for _, place := range places(t) {
		if strings.HasPrefix(place, backup) && !w.dies(s, place, 1) {
			t.Errorf("no process died at the place %q", place)
		}
	}
	if _, err := os.Stat(s.CopyTo); err == nil {
		t.Error("the copy that was cut off has the name of a whole one")
	}
	again := launch(t, s)
	if !again.ends(startLimit) || again.err != nil {
		t.Fatalf("the next copy: %v\n%s", again.err, again.tail())
	}
	checkIntegrity(t, s.CopyTo)
	a := newAccount(t, s.CopyTo)
	a.checkEvents(w, w.crowd.acknowledged())
	a.close()
	c.stop(t)
}
