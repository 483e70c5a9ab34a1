package storetest

import (
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// startDiscard is startJob of one that gives up, for a reason.
func (w *world) startDiscard(f store.DeliveryFilter, reason string) store.Job {
	w.t.Helper()
	j := jobOf(w.account, store.JobDiscard, f)
	j.Reason = reason
	w.must("create job", w.s.CreateJob(w.ctx(), j))
	w.endJobAfter(w.account, j.ID)
	return w.claimJob(j)
}

func jobDiscard(w *world) {
	endpoint := w.newEndpoint()
	before := map[delivery.Status]delivery.Delivery{}
	for _, status := range delivery.Statuses() {
		before[status] = w.delivery(w.inStatus(endpoint, status))
	}
	j := w.startDiscard(store.DeliveryFilter{EndpointID: endpoint}, "no longer of use")
	for j.State != store.JobDone {
		var woken []string
		if j, woken = w.advance(j, 2); len(woken) > 0 {
			w.t.Errorf("giving up made work for %v", woken)
		}
		w.equal("job on disk", w.job(j.ID), j)
	}
	if j.Done != 4 || j.Skipped != 3 {
		w.t.Errorf("the job at its end: got %+v, want 4 done, and what is sent, delivered or given up already skipped", j)
	}
	for status, was := range before {
		want := was
		switch status {
		case delivery.Pending, delivery.Retrying, delivery.Failed, delivery.Held:
			want.Status, want.Discard, want.DueAt, want.UpdatedAt = delivery.Discarded, "no longer of use", time.Time{}, at(time.Hour)
		}
		w.equal("what was "+string(status), w.delivery(was.ID), want)
	}
	if got := w.claimed(endpoint, at(24*time.Hour), 10); len(got.Leases) > 1 { // what was being sent may be claimed again
		w.t.Errorf("claimed %+v, want nothing that was given up", got.Leases)
	}
}

func jobDiscardGone(w *world) {
	disabled, deleted := w.newEndpoint(), w.newEndpoint()
	failed := []delivery.ID{w.inStatus(disabled, delivery.Failed), w.inStatus(deleted, delivery.Failed)}
	waiting := w.inStatus(deleted, delivery.Retrying)
	j := w.startDiscard(store.DeliveryFilter{Statuses: []delivery.Status{delivery.Failed, delivery.Retrying}}, "not wanted")
	w.setState(disabled, delivery.Disabled)
	_, err := w.s.DeleteEndpoint(w.ctx(), w.account, deleted, at(time.Hour))
	w.must("delete endpoint", err)
	if j = w.finish(j, 1); j.Done != 2 {
		w.t.Errorf("the job at its end: got %+v, want 2 done", j)
	}
	for _, id := range failed {
		if d := w.delivery(id); d.Status != delivery.Discarded || d.Discard != "not wanted" {
			w.t.Errorf("%+v, want it discarded, as it was not wanted", d)
		}
	}
	if d := w.delivery(waiting); d.Status != delivery.Discarded || d.Discard == "not wanted" {
		w.t.Errorf("%+v, want it discarded because its endpoint was deleted", d)
	}
}

func jobDiscardRetried(w *world) {
	ids := w.manyIn(3, w.newEndpoint(), delivery.Failed)
	j := w.startDiscard(failedOnly(), "not wanted")
	want, err := w.s.Retry(w.ctx(), w.account, ids[1], at(time.Hour))
	w.must("retry", err)
	if j = w.finish(j, 1); j.Done != 2 || j.Skipped > 1 {
		w.t.Errorf("the job at its end: got %+v, want 2 done", j)
	}
	w.equal("the one that was retried", w.delivery(ids[1]), want)
}

func jobDiscardTogether(w *world) {
	ids := w.manyIn(8, w.newEndpoint(), delivery.Failed)
	j := w.startDiscard(failedOnly(), "not wanted")
	w.atOnce(2+len(ids), func(i int) error {
		if i >= 2 {
			_, err := w.s.Retry(w.ctx(), w.account, ids[i-2], at(time.Hour))
			return err
		}
		// Two nodes with one token: a step of theirs may be refused.
		_, _, _ = w.s.AdvanceJob(w.ctx(), j, len(ids), at(time.Hour), at(2*time.Hour))
		return nil
	})
	for _, id := range ids {
		w.wantStatus(id, delivery.Retrying)
	}
	if done := w.job(j.ID); done.Done+done.Skipped > len(ids) {
		w.t.Errorf("the job says %d done and %d skipped of %d", done.Done, done.Skipped, len(ids))
	}
}
