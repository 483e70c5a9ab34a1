package crash_test

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/evidence"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// account compares what publishers were promised and what receivers saw with what is
// on disk, after the fact.
type account struct {
	t      testing.TB
	shared bool // the database is PostgreSQL
	rows   rows
	bad    map[string]int // complaints by kind

	acknowledged, lost    int
	arrivals, attempts    int
	duplicates, explained int
	byClass               map[string]int
	counted               string // what acknowledged counts, where that is something else
}

// mostSaid is how many complaints of one kind are printed; the rest is counted.
const mostSaid = 5

func newAccount(t testing.TB, database string) *account {
	t.Helper()
	return &account{t: t, shared: isPostgres(database), rows: readRows(t, database), bad: map[string]int{}, byClass: map[string]int{}}
}

// close counts the complaints that were not printed.
func (a *account) close() {
	for kind, n := range a.bad {
		if n > mostSaid {
			a.t.Errorf("... and %d more like %q", n-mostSaid, kind)
		}
	}
}

// complain reports what is wrong. The format is the kind.
func (a *account) complain(format string, args ...any) {
	a.t.Helper()
	a.bad[format]++
	if a.bad[format] <= mostSaid {
		a.t.Errorf(format, args...)
	}
}

// settleAccounts goes through everything that must hold once all is delivered, prints the
// figures, and returns the rows.
func (w *world) settleAccounts(t testing.TB) *account {
	t.Helper()
	a := newAccount(t, w.settings.Database)
	a.checkEvents(w, w.crowd.acknowledged())
	a.checkDeliveries()
	a.checkAttempts()
	for _, r := range w.receivers {
		a.checkArrivals(r)
	}
	for _, problem := range w.crowd.problems {
		a.complain("publishers: %s", problem)
	}
	a.close()
	t.Logf("acknowledged %d events (%d of them twice), lost %d; %d deliveries, %d attempts %v, %d requests arrived, %d duplicates, %d explained",
		a.acknowledged, w.crowd.replayed, a.lost, len(a.rows.deliveries), a.attempts, a.byClass, a.arrivals, a.duplicates, a.explained)
	return a
}

// evidence keeps what this account says of a fault that was made so many times. A soak
// makes it again and again; then its row has the sums.
func (a *account) evidence(w *world, name string, promise int, times int, fault string) {
	a.t.Helper()
	on := "SQLite"
	if a.shared {
		on = "PostgreSQL"
	}
	name = "crash-" + name + "-" + strings.ToLower(on)
	evidence.Write(a.t, name, sums.add(name, evidence.Row{
		Promise: promise, Fault: fault, On: on, Times: times, Of: a.acknowledged, What: cmp.Or(a.counted, "acknowledged events"), Lost: a.lost,
		Duplicates: &a.duplicates, Explained: &a.explained, Test: w.command(), Seed: w.seed, Seconds: time.Since(w.began).Seconds(),
	}))
}

// sums are the rows of this process so far.
var sums = tally{rows: map[string]evidence.Row{}}

// tally adds rows up by name.
type tally struct {
	mu   sync.Mutex
	rows map[string]evidence.Row
}

func (s *tally) add(name string, r evidence.Row) evidence.Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, ok := s.rows[name]; ok {
		r.Times, r.Of, r.Lost, r.Seconds = r.Times+before.Times, r.Of+before.Of, r.Lost+before.Lost, r.Seconds+before.Seconds
		*r.Duplicates += *before.Duplicates
		*r.Explained += *before.Explained
	}
	s.rows[name] = r
	return r
}

// checkEvents: what was acknowledged is there, with exactly its deliveries and bytes,
// and nothing is there in part.
func (a *account) checkEvents(w *world, acks map[string]ack) {
	a.acknowledged = len(acks)
	found := map[string]map[string]string{} // endpoint by delivery, by event
	for _, d := range a.rows.deliveries {
		if found[d.event] == nil {
			found[d.event] = map[string]string{}
		}
		found[d.event][delivery.ID(d.id).String()] = d.endpoint
	}
	for id, promised := range acks {
		e, ok := a.rows.events[id]
		if !ok {
			a.lost++
			a.complain("event %s was acknowledged and is not there", id)
			continue
		}
		if !maps.Equal(found[id], promised.deliveries) {
			a.lost++
			a.complain("event %s was acknowledged with deliveries %v and has %v", id, promised.deliveries, found[id])
		}
		want, err := webhook.EncodeBody(id, promised.event.Type, promised.event.CreatedAt.Time, []byte(promised.data))
		if err != nil || string(want) != string(e.body) {
			a.complain("event %s has the body %s, want %s", id, e.body, want)
		}
	}
	for id, e := range a.rows.events {
		if endpoints := slices.Sorted(maps.Values(found[id])); len(endpoints) != e.count || !slices.Equal(endpoints, w.endpoints(e.kind)) {
			a.complain("event %s was written in part: it says %d deliveries, and has them to %v", id, e.count, endpoints)
		}
	}
}

// endpoints lists the ids of the endpoints that subscribe to a type.
func (w *world) endpoints(kind string) []string {
	var all []string
	for _, r := range w.receivers {
		if slices.Contains(r.types, kind) {
			all = append(all, r.id)
		}
	}
	slices.Sort(all)
	return all
}

// checkDeliveries: all are delivered and nobody holds a lease.
func (a *account) checkDeliveries() {
	for id, d := range a.rows.deliveries {
		if d.status != client.StatusDelivered || d.token != 0 || d.node != "" || d.due.Valid {
			a.complain("delivery %d ended as %+v, want it delivered and free", id, d)
		}
		if n := len(a.rows.attempts[id]); n != d.attempts {
			a.complain("delivery %d counts %d attempts, and %d are in the log", id, d.attempts, n)
		}
	}
}

// checkAttempts: numbers run from 1 without gaps, and the last one, and it alone, was
// answered with 2xx.
func (a *account) checkAttempts() {
	for id, all := range a.rows.attempts {
		if _, ok := a.rows.deliveries[id]; !ok {
			a.complain("attempts of delivery %d, which is not there", id)
		}
		for i, one := range all {
			a.attempts++
			a.byClass[one.class]++
			if one.number != i+1 {
				a.complain("delivery %d: the attempts are numbered %v", id, numbers(all))
			}
			if ok := one.class == string(delivery.OK); ok != (i == len(all)-1) {
				a.complain("delivery %d: of its %d attempts, number %d is %q", id, len(all), one.number, one.class)
			}
			if one.node == "" {
				a.complain("delivery %d: attempt %d does not say which node made it", id, one.number)
			}
		}
	}
}

func numbers(all []attemptRow) []int {
	var n []int
	for _, a := range all {
		n = append(n, a.number)
	}
	return n
}

// attempt finds an attempt in the log.
func (r rows) attempt(id int64, number int) (attemptRow, bool) {
	all := r.attempts[id]
	i := slices.IndexFunc(all, func(one attemptRow) bool { return one.number == number })
	if i < 0 {
		return attemptRow{}, false
	}
	return all[i], true
}

// checkArrivals: every request is in the log and says in it what the receiver did;
// it carries what was signed and stored; and a further copy of a delivery follows
// only an attempt that says it may have arrived, or failed.
func (a *account) checkArrivals(r *receiver) {
	seen := map[string]bool{}
	taken := map[int64]int{} // how often a delivery was answered with 200
	for _, one := range r.seen(0) {
		a.arrivals++
		label := fmt.Sprintf("%s, delivery %d, attempt %d", r.name, one.delivery, one.number)
		if one.problem != "" {
			a.complain("%s: the request is wrong: %s", label, one.problem)
			continue
		}
		if seen[label] {
			a.complain("%s: it came more than once", label)
		}
		seen[label] = true
		if e, ok := a.rows.events[one.event]; !ok || !one.cut && one.body != sha256.Sum256(e.body) {
			a.complain("%s: the body is not the one that was stored", label)
		}
		if d := a.rows.deliveries[one.delivery]; d.endpoint != r.id || d.event != one.event {
			a.complain("%s: it is not a delivery of this event to this endpoint", label)
		}
		logged, ok := a.rows.attempt(one.delivery, one.number)
		if !ok {
			a.complain("%s: it arrived and is not in the log", label)
			continue
		}
		a.compare(label, one, logged)
		if (one.deed == accepted || one.deed == late || one.deed == gated) && !one.cut {
			taken[one.delivery]++
		}
	}
	a.explain(r, taken)
}

// compare: the log says what the receiver did, or that nobody knows.
func (a *account) compare(label string, one arrival, logged attemptRow) {
	class := delivery.Class(logged.class)
	want := map[deed]delivery.Class{accepted: delivery.OK, late: delivery.OK, gated: delivery.OK, refused: delivery.ServerError}[one.deed]
	if class != want && !class.MayHaveArrived() {
		a.complain("%s: the receiver %s, and the log says %q", label, one.deed, class)
	}
}

// explain: of the copies that the receiver took, all but one belong to attempts whose
// end is not known. (That an ok attempt is the last one, checkAttempts has seen.)
func (a *account) explain(r *receiver, taken map[int64]int) {
	for id, copies := range taken {
		if copies < 2 {
			continue
		}
		a.duplicates += copies - 1
		unknown := 0
		for _, one := range a.rows.attempts[id] {
			if delivery.Class(one.class).MayHaveArrived() {
				unknown++
			}
		}
		a.explained += min(unknown, copies-1)
		if unknown < copies-1 {
			a.complain("%s took delivery %d %d times, and only %d of its attempts may have arrived unnoticed", r.name, id, copies, unknown)
		}
	}
}
