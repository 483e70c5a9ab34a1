package crash_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// takeOver is how long the work of a node that is dead or frozen, with whatever it
// has locked, may lie still (the promise of 45 s).
const takeOver = 45 * time.Second

// twoNodes starts two processes on one PostgreSQL. Their sessions carry the names
// "first" and "second".
func twoNodes(t *testing.T, receivers ...*receiver) (w *world, first, second *child) {
	t.Helper()
	w = newWorld(t, pgtest.URL(t), receivers...)
	named := func(name string) settings {
		u, err := url.Parse(w.settings.Database)
		if err != nil {
			t.Fatalf("read the address of the database: %v", err)
		}
		q := u.Query()
		q.Set("application_name", name)
		u.RawQuery = q.Encode()
		s := w.settings
		s.Database = u.String()
		return s
	}
	first = start(t, named("first"))
	w.setUp(first.api)
	return w, first, start(t, named("second"))
}

// Not parallel: the promise is one of seconds, and holds for a machine that can keep up.
func TestANodeThatDiesIsReplacedByTheOther(t *testing.T) {
	killNode(t)
}

func killNode(t *testing.T) {
	w, first, second := twoNodes(t, newReceiver(t, "one", nil), newReceiver(t, "two", nil))
	stop := w.load(first.api, second.api)
	pause(t.Context(), time.Second)
	w.publishGated(first.api)
	first.kill()
	killed := time.Now()
	pause(t.Context(), 300*time.Millisecond) // the other goes on under load
	stop()
	w.receivers[0].openGate()

	ctx, cancel := context.WithTimeout(t.Context(), time.Until(killed.Add(takeOver)))
	defer cancel()
	w.crowd.settle(ctx, second.api)
	w.waitWhile(ctx, second.api, client.StatusPending, client.StatusSending, client.StatusRetrying)
	t.Logf("all was delivered %s after the kill; the lease is %s", time.Since(killed).Round(time.Millisecond), w.lease())
	second.stop(t)

	a := w.settleAccounts(t)
	if !second.says(t, "deliveries taken over") {
		t.Error("the node that took deliveries over does not say so in its log")
	}
	made := map[string]int{}
	for id, all := range a.rows.attempts {
		for _, one := range all {
			made[whose(first, second, one.node)+" "+one.class]++
		}
		checkTakeover(t, id, all, first, second)
	}
	t.Logf("attempts: %v", made)
	a.evidence(w, "node-killed", 11, 1, fmt.Sprintf("kill -9 of one of two nodes under load; with leases of %s the other has sent everything within %s", w.lease(), takeOver))
	for _, want := range []string{"first ok", "second ok", "first unknown"} {
		if made[want] == 0 {
			t.Errorf("there is no attempt %q: the nodes made %v", want, made)
		}
	}
}

func whose(first, second *child, node string) string {
	switch {
	case first.madeBy(node):
		return "first"
	case second.madeBy(node):
		return "second"
	}
	return node
}

// checkTakeover: what was unknown was the dead node's, and the living one made the next.
func checkTakeover(t *testing.T, id int64, all []attemptRow, first, second *child) {
	t.Helper()
	for i, one := range all {
		if one.class == string(delivery.OK) {
			continue
		}
		if one.class != string(delivery.Unknown) || !first.madeBy(one.node) {
			t.Errorf("delivery %d, attempt %d: %q by the %s node; only the dead one's may have failed, as unknown", id, one.number, one.class, whose(first, second, one.node))
		}
		if i+1 < len(all) && !second.madeBy(all[i+1].node) {
			t.Errorf("delivery %d, attempt %d was made by %s, want the node that lives", id, all[i+1].number, all[i+1].node)
		}
	}
}

// Not parallel, as the one before.
func TestANodeThatWakesLateOverwritesNothing(t *testing.T) {
	freezeNode(t)
}

// freezeNode freezes a node with requests on the wire, with leases that wait for their
// turn and a transaction open, for longer than its lease.
func freezeNode(t *testing.T) {
	busy := newReceiver(t, "slow", slow)
	busy.width = 2
	w, first, second := twoNodes(t, newReceiver(t, "steady", nil), busy)
	t.Cleanup(w.tellWhoWaits)
	stop := w.load(first.api, second.api)
	pause(t.Context(), 500*time.Millisecond)
	w.freezeInTransaction(first) // the answers of the slow receiver wait for it in their sockets
	held := w.leasesOf(first)
	for range 400 { // it is chance how many leases wait for their turn in that moment
		if w.leasedTo(held, busy) > busy.width+2 {
			break
		}
		first.thaw(t)
		pause(t.Context(), 50*time.Millisecond)
		w.freezeInTransaction(first)
		held = w.leasesOf(first)
	}
	frozen := time.Now()
	stop()
	w.heal() // or the time would go by with the backlog of the slow receiver

	stop = w.load(second.api)
	pause(t.Context(), 500*time.Millisecond)
	stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Until(frozen.Add(takeOver)))
	defer cancel()
	w.crowd.settle(ctx, second.api)
	w.waitWhile(ctx, second.api, client.StatusPending, client.StatusSending, client.StatusRetrying)
	t.Logf("all was delivered %s after the other node froze; the lease is %s", time.Since(frozen).Round(time.Millisecond), w.lease())
	before := readRows(t, w.settings.Database)
	seen := len(busy.seen(0))

	first.thaw(t)
	w.waitUntilLate(first)
	w.finish(first.api, finishLimit) // it also takes part again
	second.stop(t)
	w.crowd.publishOne(t, first.api)
	w.finish(first.api, finishLimit)
	first.stop(t)

	a := w.settleAccounts(t)
	checkSentLate(a, busy, seen, held)
	a.acknowledged, a.counted = len(held), "leases that it held"
	a.evidence(w, "frozen", 11, 1, "a node frozen for longer than its leases (SIGSTOP), then woken")
	after := a.rows
	maps.DeleteFunc(after.deliveries, func(id int64, _ deliveryRow) bool { _, old := before.deliveries[id]; return !old })
	maps.DeleteFunc(after.attempts, func(id int64, _ []attemptRow) bool { _, old := before.attempts[id]; return !old })
	rowsAre := cmp.AllowUnexported(deliveryRow{}, attemptRow{})
	if diff := cmp.Diff(before.deliveries, after.deliveries, rowsAre); diff != "" {
		t.Errorf("the node that woke changed deliveries (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.attempts, after.attempts, rowsAre); diff != "" {
		t.Errorf("the node that woke changed the log (-before +after):\n%s", diff)
	}
}

// leasesOf gives the attempts that a node has leased, by delivery.
func (w *world) leasesOf(c *child) map[int64]int {
	w.t.Helper()
	held := map[int64]int{}
	for id, d := range readRows(w.t, w.settings.Database).deliveries {
		if d.status == client.StatusSending && c.madeBy(d.node) {
			held[id] = d.attempts
		}
	}
	return held
}

// leasedTo counts the leases of an endpoint.
func (w *world) leasedTo(held map[int64]int, r *receiver) (n int) {
	rows := readRows(w.t, w.settings.Database).deliveries
	for id := range held {
		if rows[id].endpoint == r.id {
			n++
		}
	}
	return n
}

// checkSentLate: of the leases that waited for their turn when the node froze, it uses none
// when it wakes. Only what it was about to send in that moment, no more than the
// endpoint's width, may still leave.
func checkSentLate(a *account, r *receiver, seen int, held map[int64]int) {
	t := a.t
	t.Helper()
	arrived, waited, late := map[int64]bool{}, 0, 0
	for _, one := range r.seen(0)[:seen] {
		arrived[one.delivery] = arrived[one.delivery] || held[one.delivery] == one.number
	}
	for id := range held {
		if !arrived[id] && a.rows.deliveries[id].endpoint == r.id {
			waited++
		}
	}
	for _, one := range r.seen(seen) {
		if held[one.delivery] == one.number {
			late++
		}
	}
	t.Logf("the frozen node held %d leases, of which %d waited for their turn at %s; %d of their requests left after it woke", len(held), waited, r.name, late)
	if late > r.width {
		t.Errorf("%d requests left under leases that had ended, want %d at most", late, r.width)
	}
	if waited <= r.width {
		t.Errorf("only %d leases waited when the node froze: this test looks at nothing", waited)
	}
}

// freezeInTransaction freezes a node at a moment when one of its transactions holds
// locks on endpoints: what a virtual machine that is paused may leave behind.
func (w *world) freezeInTransaction(c *child) {
	w.t.Helper()
	db := openDatabase(w.t, w.settings.Database)
	defer db.Close()
	for range 300 {
		c.freeze(w.t)
		if w.holdsLocks(db) {
			w.t.Log("frozen within a transaction")
			return
		}
		c.thaw(w.t)
		pause(w.t.Context(), w.crowd.upTo(5*time.Millisecond))
	}
	c.freeze(w.t) // as it stands: on a busy machine the moment may not come
}

// holdsLocks reports whether the server waits for the node "first" within a transaction
// that has locked endpoints.
func (w *world) holdsLocks(db *sql.DB) bool {
	w.t.Helper()
	holds := false
	query(w.t, db, `select 1 from pg_stat_activity a join pg_locks l on l.pid = a.pid
		where a.application_name = 'first' and a.state = 'idle in transaction' and l.relation = 'endpoints'::regclass and l.mode = 'RowShareLock'`,
		func(*sql.Rows) error { holds = true; return nil })
	return holds
}

// tellWhoWaits prints, when the test has failed, which sessions wait for which others.
func (w *world) tellWhoWaits() {
	if !w.t.Failed() {
		return
	}
	db := openDatabase(w.t, w.settings.Database)
	defer db.Close()
	query(w.t, db, `select format('%s (session %s, %s) waits for sessions %s: %s', application_name, pid, state, pg_blocking_pids(pid)::text, left(query, 120))
		from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0 or state like 'idle in transaction%'`, func(s *sql.Rows) error {
		var line string
		err := s.Scan(&line)
		w.t.Log(line)
		return err
	})
}

// waitUntilLate waits until a node that woke has seen that an outcome came too late.
func (w *world) waitUntilLate(c *child) {
	w.t.Helper()
	limit := time.Now().Add(w.lease())
	for !c.says(w.t, "outcome came too late") {
		if time.Now().After(limit) {
			w.t.Fatalf("the node that woke did not say that its outcome came too late\n%s", c.tail())
		}
		pause(w.t.Context(), 50*time.Millisecond)
	}
}
