package model_test

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// read reads the tables.
func (w *world) read() (*rows, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	return w.tables.all(context.Background())
}

// look reads the tables and checks everything that must hold when all is at rest.
func (w *world) look() error {
	r, err := w.read()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != nil {
		w.forget(w.last, r)
		w.checkEnded(w.last, r)
	}
	w.checkEvents(r)
	for _, d := range r.deliveries {
		w.checkPlace(r, d)
		w.checkNumbers(r, d)
		w.checkSteps(r, d)
		w.checkEarly(r, d)
		w.checkCopies(r, d)
		w.checkOverdue(r, d)
		w.checkFar(r, d)
	}
	w.checkLog(r)
	w.last = r
	return nil
}

// checkEvents: what was acknowledged is there with exactly its deliveries; what is there
// is there whole, whether it was acknowledged or not.
func (w *world) checkEvents(r *rows) {
	w.findings.checked(1)
	for id, p := range w.model.events {
		if p.gone {
			continue
		}
		if r.events[id] == nil {
			w.breaks(1, "event %s was acknowledged and is not there", id)
			continue
		}
		for d, endpoint := range p.deliveries {
			if row := r.deliveries[d]; row == nil && !w.model.goneDeliveries[d] || row != nil && row.endpoint != endpoint {
				w.breaks(1, "event %s was acknowledged with delivery %d to %s, and that is %v", id, d, endpoint, row)
			}
		}
	}
	w.findings.checked(2)
	of := map[int64]int{}
	for _, d := range r.deliveries {
		of[d.event]++
	}
	keys := map[string]string{}
	for id, e := range r.events {
		for i := range e.count {
			d := delivery.ID(e.first + int64(i))
			if r.deliveries[d] == nil && !w.model.goneDeliveries[d] {
				w.breaks(2, "event %s says that it has %d deliveries from %d on, and %d is not there", id, e.count, e.first, d)
			}
			if row := r.deliveries[d]; row != nil && row.event != e.seq {
				w.breaks(2, "%s is of another event than %s", row, id)
			}
		}
		if of[e.seq] > e.count {
			w.breaks(2, "event %s says that it has %d deliveries, and has %d", id, e.count, of[e.seq])
		}
		if e.key != "" {
			if other := keys[e.account+e.key]; other != "" {
				w.breaks(17, "events %s and %s have the same Idempotency-Key %s", id, other, e.key)
			}
			keys[e.account+e.key] = id
		}
	}
}

// checkPlace: a delivery is in one place, with a reason to be there, and with what that place needs.
func (w *world) checkPlace(r *rows, d *deliveryRow) {
	w.findings.checked(1)
	w.findings.saw("status: " + string(d.status))
	e := w.model.byID[d.endpoint]
	leased, waits := d.token != 0 || d.node != "", d.due.Valid
	switch d.status {
	case delivery.Pending, delivery.Retrying:
		if leased || !waits {
			w.breaks(1, "%s waits, and should have a due time and no lease", d)
		}
	case delivery.Sending:
		if d.token == 0 || d.node == "" || !waits {
			w.breaks(1, "%s is being sent, and should have a lease with an end", d)
		}
	case delivery.Delivered, delivery.Failed, delivery.Held, delivery.Discarded:
		if leased || waits {
			w.breaks(1, "%s does not wait, and should have no due time and no lease", d)
		}
	default:
		w.breaks(1, "%s has a status that there is not", d)
	}
	if d.status == delivery.Failed && (d.used != len(w.policy.Schedule) || d.cycle == delivery.Test) {
		w.breaks(8, "%s has failed, and the schedule has %d steps", d, len(w.policy.Schedule))
	}
	if d.status == delivery.Discarded && !e.deleted && !w.model.discarded[d.id] && !(w.model.discardedMany[d.account] && d.discard == tooMany) && d.cycle != delivery.Test {
		w.breaks(1, "%s was discarded by nobody: %s", d, d.discard)
	}
	w.findings.checked(11)
	if d.status == delivery.Held && e.deleted && w.calm() > lag {
		w.breaks(11, "%s is held for an endpoint that was deleted", d)
	}
	if d.status.Waiting() && r.endpoints[d.endpoint].state != delivery.Enabled && w.calm() > lag && len(w.nodes) > 0 {
		w.breaks(11, "%s waits for an endpoint that does not receive; it should be held, or discarded when that was deleted", d)
	}
}

// checkNumbers: attempts are numbered 1, 2, 3 ..., and what is being sent has the next number.
func (w *world) checkNumbers(r *rows, d *deliveryRow) {
	w.findings.checked(5)
	logged := r.attempts[d.id]
	for i, a := range logged {
		if a.number != i+1 {
			w.breaks(5, "attempt %d in the log of %s has the number %d", i+1, d, a.number)
		}
	}
	want := d.attempts
	if d.status == delivery.Sending {
		want--
	}
	if len(logged) != want {
		w.breaks(5, "%s has %d attempts in the log, and should have %d", d, len(logged), want)
	}
}

// checkSteps: in a cycle no more attempts count than the schedule has steps, and those
// that failed on our side do not.
func (w *world) checkSteps(r *rows, d *deliveryRow) {
	w.findings.checked(8)
	counted := map[delivery.Cycle]int{}
	for _, a := range r.attempts[d.id] {
		if a.class.Ours() && a.effect != delivery.NoEffect {
			w.breaks(8, "attempt %d of %s failed on our side and counts as %s", a.number, d, a.effect)
		}
		if !a.class.Ours() {
			counted[a.cycle]++
		}
	}
	steps := len(w.policy.Schedule)
	if d.used > steps || counted[delivery.Automatic] > steps {
		w.breaks(8, "%s has used %d steps of %d; %d attempts count", d, d.used, steps, counted[delivery.Automatic])
	}
	if counted[delivery.Test] > 1 || d.cycle == delivery.Test && d.attempts > 1 {
		w.breaks(8, "%s is a test and was sent more than once", d)
	}
	if d.cycle == delivery.Automatic && d.status != delivery.Discarded && d.used != counted[delivery.Automatic] {
		w.breaks(8, "%s says %d steps used; %d attempts count", d, d.used, counted[delivery.Automatic])
	}
}

// checkEnded: what has ended stays so, unless a person asked for it again.
func (w *world) checkEnded(had, has *rows) {
	w.findings.checked(9)
	for id, was := range had.deliveries {
		is := has.deliveries[id]
		if is == nil || !was.status.Ended() || *is == *was {
			continue
		}
		asked := w.model.kicked[was.account]
		if was.status == delivery.Discarded && is.status == delivery.Discarded || had.running(was.account) || has.running(was.account) || !asked.Before(w.looked) {
			continue
		}
		w.breaks(9, "nobody asked for it, and of %s became %s", was, is)
	}
	w.looked = time.Now()
}

// checkCopies: of the requests that a receiver did the work of, all but the first follow an
// attempt that may have arrived unnoticed, or a person who asked again.
func (w *world) checkCopies(r *rows, d *deliveryRow) {
	w.findings.checked(15)
	handled, unsure := 0, 0
	for _, t := range w.model.tries[d.id] {
		if t.answer.handled {
			handled++
		}
	}
	for _, a := range r.attempts[d.id] {
		if a.class.MayHaveArrived() {
			unsure++
		}
	}
	asked := w.model.resent[d.id] + w.model.jobs[d.account]
	if handled > 1+unsure+asked {
		w.breaks(15, "%s was handled %d times; %d attempts may have arrived unnoticed, and people asked for it again %d times", d, handled, unsure, asked)
	}
	if d.status == delivery.Delivered && handled == 0 {
		w.breaks(1, "%s, and its receiver never got it", d)
	}
}

// checkLog: every request that left is in the log, once its outcome is known or given up.
func (w *world) checkLog(r *rows) {
	w.findings.checked(4)
	for id, all := range w.model.tries {
		d := r.deliveries[id]
		if d == nil {
			if !w.model.goneDeliveries[id] {
				w.breaks(4, "delivery %d was sent and is not there", id)
			}
			continue
		}
		for _, t := range all {
			if t.lease.Attempt > d.attempts {
				w.breaks(4, "attempt %d of %s was on the wire, and is not in the log", t.lease.Attempt, d)
			}
			w.checkOutcome(r, d, t)
		}
	}
}

// checkOutcome: the log says what the receiver did, or that nobody knows.
func (w *world) checkOutcome(r *rows, d *deliveryRow, t *try) {
	logged := r.attempts[d.id]
	if t.lease.Attempt > len(logged) || t.ended.IsZero() {
		return
	}
	if a := logged[t.lease.Attempt-1]; a.class != t.class && a.class != delivery.Unknown {
		w.breaks(4, "attempt %d of %s ended as %s, and the log says %s", a.number, d, t.class, a.class)
	}
}
