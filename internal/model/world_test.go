package model_test

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/seal"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

// Bounds of a node, small enough that histories reach them.
const (
	concurrency = 4 // of an endpoint that sets none of its own
	slots       = 8 // of a node
)

// accountB is the second account; the first is the default one.
const accountB = "acc_b"

// policy is the program's, with times so short that a history sees all of them.
func policy() delivery.Policy {
	return delivery.Policy{
		Schedule:     delivery.Schedule{0, 5 * time.Second, 20 * time.Second, 45 * time.Second},
		Timeout:      3 * time.Second,
		DisableAfter: 8, DisableOnGone: true,
		SpacingFirst: time.Second, SpacingLongest: 4 * time.Second,
	}
}

// world is a history under way: the engine, what is on disk, and the model of both.
type world struct {
	database string
	shared   bool // several nodes may share the database
	sabotage func(store.Store) store.Store
	db       *sqlstore.Store
	store    store.Store // what the nodes get: db, unless it is sabotaged
	tables   reader
	box      *seal.Box
	targets  *egress.Policy
	policy   delivery.Policy
	began    time.Time
	started  int // nodes
	people   sync.WaitGroup

	reading sync.Mutex // one connection is enough to look at the tables

	mu         sync.Mutex
	skew       time.Duration // what the database's clock is ahead
	jumps      []jump
	refuse     error
	lose       string    // the method whose next answer is lost
	deaf       bool      // the nodes do not hear each other
	heardAgain time.Time // when they last began to
	trouble    time.Time // when something last disturbed the nodes
	unanswered time.Time // when the store last took nothing, or an answer of it was lost
	nodes      []*node
	graves     []*node
	model      *model
	last       *rows     // as of the step before
	looked     time.Time // when the tables were last looked at
	story      []string
	broken     []string
	findings   *findings
}

// jump is a change of the database's clock.
type jump struct {
	at time.Time
	by time.Duration
}

// within runs a history in a bubble of synthetic time and answers what was found wrong, in words.
func within(t *testing.T, w *world, history []step) (problem string) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		defer func() {
			if v := recover(); v != nil {
				w.broken = append(w.broken, fmt.Sprintf("panic: %v\n%s", v, debug.Stack()))
			}
			problem = w.report()
		}()
		if err := w.run(history); err != nil {
			w.broken = append(w.broken, "the history could not go on: "+err.Error())
		}
	})
	return problem
}

// run goes through the history and settles the account at its end. However it ends, no goroutine stays.
func (w *world) run(history []step) (err error) {
	if err := w.prepare(); err != nil {
		return err
	}
	defer func() {
		for _, n := range append(w.nodes, w.graves...) {
			n.stop()
			n.ended.Wait()
		}
		w.people.Wait()
		err = firstOf(err, w.tables.close(), w.db.Close())
	}()
	if err := w.look(); err != nil {
		return err
	}
	begin := []step{{kind: addEndpoint}, {kind: addEndpoint, who: 1, how: 6}}
	for i, s := range append(begin, history...) {
		if err := w.take(i, s); err != nil {
			return err
		}
		if len(w.broken) > 0 {
			return nil
		}
	}
	return w.settle()
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *world) prepare() (err error) {
	w.began, w.trouble, w.policy = time.Now(), time.Now(), policy()
	w.unanswered = w.began.Add(-time.Hour)
	w.heardAgain = w.unanswered
	w.model = newModel()
	if w.targets, err = egress.NewPolicy(egress.Config{}); err != nil {
		return err
	}
	key, err := seal.Parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	if err != nil {
		return err
	}
	if w.box, err = seal.NewBox(key); err != nil {
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	if w.tables.db, err = openRows(w.database); err != nil {
		return err
	}
	if w.shared {
		if err := empty(context.Background(), w.tables.db); err != nil {
			return err
		}
	}
	if err := w.tables.prepare(context.Background()); err != nil {
		return err
	}
	return w.db.CreateAccount(context.Background(), store.Account{ID: accountB, Name: "b", CreatedAt: time.Now()})
}

func (w *world) open() (err error) {
	w.db, err = sqlstore.Open(context.Background(), sqlstore.Config{Database: w.database})
	if err != nil {
		return err
	}
	w.store = w.db
	if w.sabotage != nil {
		w.store = w.sabotage(w.db)
	}
	return nil
}

// take makes one step.
func (w *world) take(i int, s step) error {
	said, err := w.do(s)
	if err != nil {
		return fmt.Errorf("step %d, %s: %w", i+1, s.kind, err)
	}
	if said == "" {
		return nil
	}
	w.tell("%3d. %s", i+1, said)
	w.findings.saw(string(s.kind))
	return w.rest()
}

// rest lets everything come to rest, and checks what must hold then.
func (w *world) rest() error {
	synctest.Wait()
	if err := w.bury(); err != nil {
		return err
	}
	synctest.Wait()
	return w.look()
}

// bury finishes those that were killed in the middle of a step.
func (w *world) bury() error {
	for _, n := range w.living() {
		if w.isDead(n) {
			w.tell("     %s is dead", n.name)
			if err := w.kill(n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) isDead(n *node) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return n.dead
}

// living are the nodes that were not killed or stopped.
func (w *world) living() []*node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*node(nil), w.nodes...)
}

// now is the time of the database's clock.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.skew)
}

// troubled notes that something was done from which the nodes must recover. World.mu is held.
func (w *world) troubled() { w.trouble = time.Now() }

// calm tells for how long nothing disturbed the nodes. World.mu is held.
func (w *world) calm() time.Duration {
	if w.refuse != nil || w.deaf {
		return 0
	}
	return time.Since(w.trouble)
}

// jumped tells by how much the clock was put forward since a time, and whether it was put back.
// World.mu is held.
func (w *world) jumped(since time.Time) (forward time.Duration, back bool) {
	for _, j := range w.jumps {
		if j.at.Before(since) {
			continue
		}
		if j.by > 0 {
			forward += j.by
		} else {
			back = true
		}
	}
	return forward, back
}

// tell adds a line to the story.
func (w *world) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, fmt.Sprintf("%9s  ", time.Since(w.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// breaks notes that an invariant does not hold. World.mu is held.
func (w *world) breaks(n int, format string, args ...any) {
	if len(w.broken) < 5 {
		w.broken = append(w.broken, fmt.Sprintf("I%d %s: ", n, invariants[n-1].name)+fmt.Sprintf(format, args...))
	}
}

// report puts what was found wrong into words, with the history that led to it.
func (w *world) report() string {
	if len(w.broken) == 0 {
		return ""
	}
	return strings.Join(w.broken, "\n") + "\n\nthe history:\n" + strings.Join(w.story, "\n")
}

// unheard reports whether a node may have missed what another has announced, and not have
// looked for itself since.
func (w *world) unheard() bool { return w.deaf || time.Since(w.heardAgain) < lag }
