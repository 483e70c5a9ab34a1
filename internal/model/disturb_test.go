package model_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// manageNode makes one of the steps that concern a node.
func (w *world) manageNode(s step) (string, error) {
	nodes := w.living()
	n := nodes[s.who%len(nodes)]
	switch s.kind {
	case second:
		if !w.shared || len(nodes) > 1 {
			return "", nil
		}
		n, err := w.start()
		if err != nil {
			return "", err
		}
		return n.name + " starts", nil
	case kill:
		said := fmt.Sprintf("%s is killed with %d attempts on the wire", n.name, w.onWireOf(n))
		return said, w.replace(n, s, w.kill)
	case killInside:
		w.mu.Lock()
		defer w.mu.Unlock()
		n.diesAfter = []string{"Publish", "Claim", "Record", "Return", "AdvanceJob"}[s.how%5]
		return fmt.Sprintf("%s is to die right after its next %s", n.name, n.diesAfter), nil
	case stop:
		said := fmt.Sprintf("%s is stopped with %d attempts on the wire", n.name, w.onWireOf(n))
		return said, w.replace(n, s, w.stopInOrder)
	}
	return w.wakeZombie(s)
}

func (w *world) onWireOf(n *node) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.model.onWire(func(t *try) bool { return t.node == n })
}

// replace ends a node, and mostly starts another at once.
func (w *world) replace(n *node, s step, end func(*node) error) error {
	if err := end(n); err != nil || s.how%3 == 0 {
		return err
	}
	_, err := w.start()
	return err
}

// stopInOrder stops a node and checks that it leaves nothing leased.
func (w *world) stopInOrder(n *node) error {
	w.mu.Lock()
	// What the store did not take, or did not answer, leaves leases of which the node knows nothing;
	// when the clock is put back meanwhile, they last until that is mended.
	disturbed := w.refuse != nil || w.lose != "" || n.diesAfter != "" || time.Since(w.unanswered) <= w.policy.Lease()+lag
	w.mu.Unlock()
	if err := w.end(n); err != nil {
		return err
	}
	r, err := w.read()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.dead { // it met its end while it was being stopped
		w.graves = append(w.graves, n)
		return nil
	}
	if disturbed {
		return nil
	}
	w.findings.checked(27)
	for _, d := range r.deliveries {
		if d.status == delivery.Sending && d.node == n.name {
			w.breaks(27, "%s has stopped, and holds %s", n.name, d)
		}
	}
	return nil
}

// wakeZombie lets arrive what a dead node would still have written. Whatever lost its lease
// meanwhile must change nothing.
func (w *world) wakeZombie(s step) (string, error) {
	w.mu.Lock()
	var n *node
	for _, one := range w.graves {
		if len(one.late)+len(one.lateBack) > 0 {
			n = one
		}
	}
	w.mu.Unlock()
	if n == nil {
		return "", nil
	}
	lost := 0
	for _, r := range n.late {
		one, err := w.lateOutcome(n, r)
		if err != nil {
			return "", err
		}
		lost += one
	}
	for _, l := range n.lateBack {
		one, err := w.lateReturn(n, l)
		if err != nil {
			return "", err
		}
		lost += one
	}
	said := fmt.Sprintf("%d outcomes and %d returned leases of %s arrive late; %d of them had lost the lease", len(n.late), len(n.lateBack), n.name, lost)
	n.late, n.lateBack = nil, nil
	return said, nil
}

func (w *world) lateOutcome(n *node, r store.Result) (lost int, err error) {
	before, err := w.row(r.Lease.ID)
	if err != nil || before == nil {
		return 0, err
	}
	holds := before.token == r.Lease.Token
	if holds && !w.shared {
		return 0, nil // the process that comes next has the file: no other can write
	}
	done, err := w.store.Record(context.Background(), w.policy, []store.Result{r})
	if err != nil {
		return 0, err
	}
	after, err := w.row(r.Lease.ID)
	if err != nil || after == nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.findings.checked(16)
	if holds {
		if !done[0].Applied {
			w.breaks(16, "the outcome of %s under the token that holds was not taken", before)
		}
		return 0, nil
	}
	w.findings.saw("fenced outcome")
	if *after != *before {
		w.breaks(16, "an outcome of %s under token %d made %s of %s", n.name, r.Lease.Token, after, before)
	}
	return 1, nil
}

func (w *world) lateReturn(n *node, l delivery.Lease) (lost int, err error) {
	before, err := w.row(l.ID)
	if err != nil || before == nil {
		return 0, err
	}
	if before.token == l.Token {
		return 0, nil // it never left, and ends by itself
	}
	if err := w.store.Return(context.Background(), []delivery.Lease{l}, w.now()); err != nil {
		return 0, err
	}
	after, err := w.row(l.ID)
	if err != nil || after == nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.findings.checked(16)
	w.findings.saw("fenced return")
	if *after != *before {
		w.breaks(16, "a lease that %s gave back under token %d made %s of %s", n.name, l.Token, after, before)
	}
	return 1, nil
}

// row reads a delivery as it is now; nil when retention has taken it.
func (w *world) row(id delivery.ID) (*deliveryRow, error) {
	r, err := w.read()
	if err != nil {
		return nil, err
	}
	return r.deliveries[id], nil
}

// setClock moves the database's clock. Back it is only put to where it was before, so that
// it is never behind the machine's, which a process on SQLite begins by.
func (w *world) setClock(s step) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	by := []time.Duration{20 * time.Second, 3 * time.Minute, 2 * time.Hour, 25 * time.Hour}[s.how%4]
	if s.kind == clockBack {
		by = -w.skew
	}
	if by == 0 {
		return ""
	}
	w.skew += by
	w.jumps = append(w.jumps, jump{time.Now(), by})
	w.troubled()
	return fmt.Sprintf("the clock is put by %s", by)
}

// disturb makes one of the steps that trouble the store or the bus.
func (w *world) disturb(s step) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch s.kind {
	case refuse:
		w.refuse = []error{store.ErrFull, store.ErrUnavailable}[s.how%2]
		w.troubled()
		return "the store says: " + w.refuse.Error()
	case lose:
		w.lose = []string{"Publish", "Record", "Claim", "Return", "AdvanceJob", "ClaimJobs", "WriteStats"}[s.how%7]
		w.troubled()
		return "the answer to the next " + w.lose + " is lost"
	case deafen:
		w.deaf = true
		return "the nodes do not hear each other"
	}
	if w.refuse == nil && !w.deaf {
		return ""
	}
	if w.refuse != nil {
		w.unanswered = time.Now()
	}
	if w.deaf {
		w.heardAgain = time.Now()
	}
	w.refuse, w.deaf = nil, false
	w.troubled()
	return "the store is well, and the nodes hear each other"
}

// deleteOld does what retention does, and checks that it takes nothing that is needed.
func (w *world) deleteOld(s step) (string, error) {
	before := w.now().Add(-[]time.Duration{10 * time.Second, time.Minute, time.Hour}[s.how%3])
	had, err := w.read()
	if err != nil {
		return "", err
	}
	limit := 1 + s.who%20
	n, err := w.store.DeleteOld(context.Background(), before, limit)
	if err != nil {
		return "", err
	}
	has, err := w.read()
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checkRetained(had, has, before, limit)
	if err := w.forgetSecrets(before); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d rows older than %s are deleted", n, time.Now().Add(w.skew).Sub(before)), nil
}

// forgetSecrets follows retention in what it took of the secrets whose overlap had ended: a clock
// that is put back later does not bring them back.
func (w *world) forgetSecrets(before time.Time) error {
	for _, e := range w.model.endpoints {
		if e.deleted || !slices.ContainsFunc(e.secrets, func(s secret) bool { return s.ended(before) }) {
			continue
		}
		left, err := w.db.Secrets(context.Background(), e.account, e.id, time.Time{})
		if err != nil {
			return err
		}
		e.secrets = slices.DeleteFunc(e.secrets, func(s secret) bool {
			return s.ended(before) && !slices.ContainsFunc(left, func(row store.Secret) bool { return row.ExpiresAt.Equal(s.ends.Truncate(time.Millisecond)) })
		})
	}
	return nil
}

// checkRetained: only what ended before the limit went, in bounded batches, and whole.
func (w *world) checkRetained(had, has *rows, before time.Time, limit int) {
	w.findings.checked(25)
	gone := 0
	for id, d := range had.deliveries {
		if has.deliveries[id] != nil {
			continue
		}
		gone++
		if !d.status.Ended() || !at(d.updated).Before(before) {
			w.breaks(25, "retention took %s, last changed at %s; the limit is %s", d, at(d.updated).UTC(), before.UTC())
		}
		if len(has.attempts[id]) > 0 {
			w.breaks(25, "retention took %s and left its attempts", d)
		}
		w.findings.saw("retention took a delivery")
	}
	if gone > limit {
		w.breaks(25, "retention took %d deliveries in a batch of %d", gone, limit)
	}
	for id, e := range had.events {
		if has.events[id] != nil {
			continue
		}
		for _, d := range has.deliveries {
			if d.event == e.seq {
				w.breaks(25, "retention took event %s and left %s", id, d)
			}
		}
		if !at(e.created).Before(before) {
			w.breaks(25, "retention took event %s of %s; the limit is %s", id, at(e.created).UTC(), before.UTC())
		}
	}
	w.forget(had, has)
}

// forget lets the model know what retention took.
func (w *world) forget(had, has *rows) {
	for id := range had.events {
		if has.events[id] == nil && w.model.events[id] != nil {
			w.model.events[id].gone = true
		}
	}
	for id := range had.deliveries {
		if has.deliveries[id] == nil {
			w.model.goneDeliveries[id] = true
		}
	}
}
