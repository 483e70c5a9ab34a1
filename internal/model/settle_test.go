package model_test

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// settle makes everything well and lets the nodes finish. Then every delivery must have
// come to an end that is known.
func (w *world) settle() error {
	if err := w.heal(); err != nil {
		return err
	}
	for range 300 {
		if err := w.rest(); err != nil || len(w.broken) > 0 {
			return err
		}
		if w.finished() {
			return w.close()
		}
		if err := w.onwards(); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.last.deliveries {
		if !d.status.Ended() {
			w.breaks(1, "all is well, and still there is %s", d)
		}
	}
	w.breaks(w.reach(), "all is well, and still not all is done")
	return nil
}

// heal ends all trouble: the dead say what they had to say, receivers are well, and what
// is held is let go.
func (w *world) heal() error {
	w.people.Wait()
	if err := w.rest(); err != nil {
		return err
	}
	w.disturb(step{kind: heal})
	w.mu.Lock()
	w.lose = ""
	for _, n := range w.nodes {
		n.diesAfter = ""
	}
	for _, e := range w.model.endpoints {
		e.answer, e.changedAnswer = answers[0], time.Now()
	}
	w.mu.Unlock()
	w.tell("     all is made well")
	time.Sleep(w.policy.Timeout + 3*time.Second) // the dead come to rest
	if err := w.rest(); err != nil {
		return err
	}
	for range w.graves {
		if _, err := w.wakeZombie(step{}); err != nil {
			return err
		}
	}
	if len(w.living()) == 0 {
		if _, err := w.start(); err != nil {
			return err
		}
	}
	return w.release()
}

// release enables every endpoint and lets go what is held for it.
func (w *world) release() error {
	for _, e := range w.model.endpoints {
		if e.deleted {
			continue
		}
		w.did(e, func() {
			e.stopped = false
			w.model.jobs[e.account]++
			w.model.kicked[e.account] = time.Now()
		})
		_, err := w.living()[0].man.EnableEndpoint(context.Background(), caller(e.account), manage.EnableEndpoint{ID: e.id, PerSecond: 1000})
		if err != nil {
			return err
		}
	}
	return nil
}

// finished reports whether nothing is left to do.
func (w *world) finished() bool {
	for _, d := range w.last.deliveries {
		if !d.status.Ended() {
			return false
		}
	}
	return !w.last.running(store.DefaultAccount) && !w.last.running(accountB)
}

// onwards lets time go by until something is due; if that is long, with everything off.
func (w *world) onwards() error {
	const long = 2 * time.Minute
	next, ok := w.nextDue()
	d := next.Sub(w.now())
	if ok && d > long {
		return w.sleepThrough(d)
	}
	if !ok || d < time.Second {
		d = time.Second
	}
	time.Sleep(d)
	return nil
}

// close stops the nodes, checks what must hold in the end, and counts.
func (w *world) close() error {
	for _, n := range w.living() {
		if err := w.stopInOrder(n); err != nil {
			return err
		}
	}
	if err := w.look(); err != nil {
		return err
	}
	if err := w.checkCounts(); err != nil {
		return err
	}
	if err := w.checkAudit(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reach()
	w.count()
	return nil
}

// count adds up what became of what was acknowledged.
func (w *world) count() {
	for _, p := range w.model.events {
		for id := range p.deliveries {
			d := w.last.deliveries[id]
			if !w.model.goneDeliveries[id] && (d == nil || !d.status.Ended()) {
				w.findings.lost++
			}
		}
	}
	for id, all := range w.model.tries {
		handled, unsure := 0, 0
		for _, t := range all {
			if t.answer.handled {
				handled++
			}
			if t.class.MayHaveArrived() || t.node.dead {
				unsure++
			}
		}
		if handled > 1 {
			w.findings.duplicates += handled - 1
			w.findings.explained += min(handled-1, unsure+w.model.resent[id]+w.model.jobs[all[0].lease.AccountID])
		}
	}
}

// checkCounts: what is shown is what a recount gives.
func (w *world) checkCounts() error {
	ctx := context.Background()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.findings.checked(22)
	of := map[string]map[delivery.Status]int{}
	total := map[delivery.Status]int{}
	for _, d := range w.last.deliveries {
		if of[d.endpoint] == nil {
			of[d.endpoint] = map[delivery.Status]int{}
		}
		of[d.endpoint][d.status]++
		total[d.status]++
	}
	for _, e := range w.model.endpoints {
		if e.deleted {
			continue
		}
		v, err := w.store.Endpoint(ctx, e.account, e.id)
		if err != nil {
			return err
		}
		n := of[e.id]
		if waiting := n[delivery.Pending] + n[delivery.Retrying] + n[delivery.Sending]; v.Waiting != waiting || v.Held != n[delivery.Held] || v.Failed != n[delivery.Failed] {
			w.breaks(22, "%s shows %d waiting, %d held, %d failed; a recount gives %v", e.name, v.Waiting, v.Held, v.Failed, n)
		}
	}
	depth, err := w.db.Depth(ctx, time.Now().Add(w.skew))
	if err != nil {
		return err
	}
	if depth.Sending != total[delivery.Sending] || depth.Held != total[delivery.Held] || depth.Failed != total[delivery.Failed] ||
		depth.Waiting != total[delivery.Pending]+total[delivery.Retrying] {
		w.breaks(22, "the metrics show %+v; a recount gives %v", depth, total)
	}
	return nil
}

// checkAudit: every change that a person made has one row.
func (w *world) checkAudit() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.findings.checked(24)
	got := map[string]int{}
	for _, account := range []string{store.DefaultAccount, accountB} {
		page := store.Page{Limit: 500}
		for {
			all, next, err := w.db.ListAudit(context.Background(), account, store.AuditFilter{}, page)
			if err != nil {
				return err
			}
			for _, a := range all {
				got[a.Action]++
			}
			if page.Cursor = next; next == "" {
				break
			}
		}
	}
	for action, want := range w.model.audited {
		if got[action] != want {
			w.breaks(24, "%s was done %d times, and the audit has %d rows of it", action, want, got[action])
		}
	}
	return nil
}
