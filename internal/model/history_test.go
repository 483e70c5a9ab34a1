package model_test

import (
	"fmt"
	"time"

	"pgregory.net/rapid"
)

// kind is what a step does.
type kind string

// The kinds of step. The first is what rapid makes of a step that a failure does not need.
const (
	nothing       kind = "nothing"
	publishOne    kind = "publish"
	publishMany   kind = "publish a batch"
	publishKeyed  kind = "publish with a key"
	publishAgain  kind = "publish again with the same key"
	publishOther  kind = "publish other content with the same key"
	publishRace   kind = "publish the same several times at once"
	addEndpoint   kind = "add an endpoint"
	editEndpoint  kind = "edit an endpoint"
	disable       kind = "disable an endpoint"
	enable        kind = "enable an endpoint"
	remove        kind = "delete an endpoint"
	prepareSecret kind = "prepare a secret"
	promoteSecret kind = "promote a secret"
	rotateSecret  kind = "rotate a secret"
	behave        kind = "a receiver changes"
	wait          kind = "time passes"
	waitDue       kind = "time passes until something is due"
	waitLease     kind = "time passes beyond a lease"
	night         kind = "everything is off for a day"
	clockOn       kind = "the database's clock is put forward"
	clockBack     kind = "the database's clock is put back"
	kill          kind = "kill a node"
	killInside    kind = "a node is to die right after a commit"
	stop          kind = "stop a node"
	second        kind = "start another node"
	zombie        kind = "a dead node's outcomes arrive"
	retry         kind = "retry a delivery"
	retryMany     kind = "retry many deliveries"
	discard       kind = "discard a delivery"
	discardMany   kind = "discard many deliveries"
	test          kind = "test an endpoint"
	retention     kind = "delete what is old"
	refuse        kind = "the store takes nothing"
	heal          kind = "the store is well again"
	lose          kind = "an answer of the store is to be lost"
	deafen        kind = "the nodes do not hear each other"
	trespass      kind = "an account reaches for what is another's"
)

// weights say how often each kind is drawn.
var weights = []struct {
	kind kind
	of   int
}{
	{nothing, 1}, {behave, 9}, {wait, 8}, {waitDue, 8}, {publishOne, 8},
	{kill, 3}, {zombie, 3}, {retry, 3}, {enable, 4}, {publishMany, 3}, {killInside, 2}, {lose, 2}, {stop, 2}, {second, 3}, {waitLease, 3},
	{publishKeyed, 3}, {publishAgain, 3}, {disable, 2}, {heal, 3}, {rotateSecret, 2}, {retryMany, 2}, {test, 2}, {clockOn, 1}, {clockBack, 2},
	{addEndpoint, 2}, {editEndpoint, 2}, {remove, 1}, {prepareSecret, 1}, {promoteSecret, 1}, {publishOther, 1}, {publishRace, 1},
	{refuse, 1}, {deafen, 1}, {discard, 1}, {discardMany, 1}, {retention, 1}, {night, 1}, {trespass, 1},
}

// step is one step of a history. What its numbers mean depends on what is there when it
// is made, so that a shorter history is still one.
type step struct {
	kind kind
	who  int // which endpoint, delivery or node
	how  int // in which way
}

// GoString is how rapid prints a step.
func (s step) GoString() string { return fmt.Sprintf("{%s %d %d}", s.kind, s.who, s.how) }

// most bounds the numbers of a step.
const most = 64

// histories draws histories of at least n steps.
func histories(n int) *rapid.Generator[[]step] {
	// In rounds, because what stands in front is drawn more often.
	var kinds []kind
	for round := range 10 {
		for _, w := range weights {
			if round < w.of {
				kinds = append(kinds, w.kind)
			}
		}
	}
	one := rapid.Custom(func(t *rapid.T) step {
		return step{
			kind: rapid.SampledFrom(kinds).Draw(t, "kind"),
			who:  rapid.IntRange(0, most-1).Draw(t, "who"),
			how:  rapid.IntRange(0, most-1).Draw(t, "how"),
		}
	})
	return rapid.SliceOfN(one, n, n+n/3)
}

// do makes a step and says what it was, "" when there was nothing to do it to.
func (w *world) do(s step) (string, error) {
	if s.kind != nothing && s.kind != night && len(w.living()) == 0 {
		n, err := w.start()
		if err != nil {
			return "", err
		}
		w.tell("     %s starts, because none was running", n.name)
		if err := w.rest(); err != nil {
			return "", err
		}
	}
	switch s.kind {
	case publishOne, publishMany, publishKeyed, publishAgain, publishOther, publishRace:
		return w.publish(s), nil
	case addEndpoint, editEndpoint, disable, enable, remove:
		return w.manageEndpoint(s)
	case prepareSecret, promoteSecret, rotateSecret:
		return w.manageSecret(s)
	case retry, retryMany, discard, discardMany, test, trespass:
		return w.manageDelivery(s)
	case behave:
		return w.behave(s), nil
	case wait, waitDue, waitLease, night:
		return w.pass(s)
	case clockOn, clockBack:
		return w.setClock(s), nil
	case kill, killInside, stop, second, zombie:
		return w.manageNode(s)
	case retention:
		return w.deleteOld(s)
	case refuse, heal, lose, deafen:
		return w.disturb(s), nil
	}
	return "", nil
}

// pass lets time go by.
func (w *world) pass(s step) (string, error) {
	var d time.Duration
	switch s.kind {
	case wait:
		d = []time.Duration{time.Millisecond, 100 * time.Millisecond, time.Second, 3 * time.Second, 8 * time.Second, 35 * time.Second}[s.how%6]
	case waitDue:
		next, ok := w.nextDue()
		if !ok {
			return "", nil
		}
		d = min(max(next.Sub(w.now()), 0)+10*time.Millisecond, time.Minute)
	case waitLease:
		d = w.policy.Lease() + scanEvery
	case night:
		return "everything is off for a day", w.sleepThrough(24 * time.Hour)
	}
	time.Sleep(d)
	return fmt.Sprintf("%s go by", d), nil
}

// sleepThrough stops all nodes in order, lets time go by and starts one.
func (w *world) sleepThrough(d time.Duration) error {
	w.people.Wait()
	for _, n := range w.living() {
		if err := w.stopInOrder(n); err != nil {
			return err
		}
	}
	time.Sleep(d)
	_, err := w.start()
	return err
}

// nextDue is when somebody must look at a delivery next.
func (w *world) nextDue() (next time.Time, ok bool) {
	for _, d := range w.last.deliveries {
		if d.due.Valid && (!ok || at(d.due.Int64).Before(next)) {
			next, ok = at(d.due.Int64), true
		}
	}
	return next, ok
}
