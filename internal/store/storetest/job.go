package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func jobChecks() []check {
	return []check{
		{"a job is kept as it was made", jobKept},
		{"a job that a live node works on is given to nobody else", jobClaim},
		{"a claim gives at most as many as asked for, each once", jobClaimLimit},
		{"a retry job begins manual cycles, oldest first, in small steps", jobRetry},
		{"a release lets held deliveries go on where they were", jobRelease},
		{"a discard gives up what the discarding of one would, for its reason", jobDiscard},
		{"a discard takes what is for an endpoint that is disabled or deleted, and leaves what the deletion gave up", jobDiscardGone},
		{"a discard leaves a delivery that was retried meanwhile", jobDiscardRetried},
		{"a retry that comes together with a discard is the last word", jobDiscardTogether},
		{"a job of a kind that only a later release knows is given to nobody", jobUnknown},
		{"a job takes what existed when it was made", jobExisted},
		{"a job takes what existed although the node that accepted it is ahead of the one that made the job", jobAhead},
		{"a job that few match ends, and its steps look at few", jobSparse},
		{"a job ends although a node that is behind accepts more than its numbers were", jobBehind},
		{"a job takes what matches its filter", jobFilter},
		{"a node that was left behind cannot advance the job, another goes on", jobFenced},
		{"two nodes with one token advance it once", jobAdvanceTogether},
		{"a lease that is extended keeps the job", jobExtended},
		{"deliveries of a disabled endpoint are skipped and counted", jobDisabled},
		{"deliveries whose state does not allow it are skipped and counted", jobSkipped},
		{"a cancelled job stops, and what it has moved stays moved", jobCancel},
		{"a job that is done is given to nobody", jobDone},
		{"a job that does not exist is not found", jobMissing},
	}
}

// jobMade is when the checks' jobs are made: after their deliveries.
func jobMade() time.Time { return at(50 * time.Minute) }

// jobOf describes a running job of an account.
func jobOf(account string, kind store.JobKind, f store.DeliveryFilter) store.Job {
	return store.Job{
		ID: newID("job_"), AccountID: account, Kind: kind, Filter: f, PerSecond: 10, Total: 5,
		State: store.JobRunning, CreatedAt: jobMade(), UpdatedAt: jobMade(),
	}
}

// newJob creates a job and cancels it at the end of the check, so that the next
// one, which may have the same store, does not find it.
func (w *world) newJob(kind store.JobKind, f store.DeliveryFilter) store.Job {
	w.t.Helper()
	j := jobOf(w.account, kind, f)
	w.must("create job", w.s.CreateJob(w.ctx(), j))
	w.endJobAfter(w.account, j.ID)
	return j
}

func (w *world) endJobAfter(account, id string) {
	ctx := w.ctx()
	w.t.Cleanup(func() {
		// The check's own context has ended by now. A job that is done may refuse.
		_, _ = w.s.CancelJob(context.WithoutCancel(ctx), account, id, at(0))
	})
}

// claimJobs leases jobs for a minute and gives those of the check's account.
func (w *world) claimJobs(node string, now time.Time, limit int) []store.Job {
	w.t.Helper()
	jobs, err := w.s.ClaimJobs(w.ctx(), node, now, now.Add(time.Minute), limit)
	w.must("claim jobs", err)
	if len(jobs) > limit {
		w.t.Fatalf("claim of at most %d jobs gave %d", limit, len(jobs))
	}
	return slices.DeleteFunc(jobs, func(j store.Job) bool { return j.AccountID != w.account })
}

// startJob creates a job and claims it.
func (w *world) startJob(kind store.JobKind, f store.DeliveryFilter) store.Job {
	w.t.Helper()
	return w.claimJob(w.newJob(kind, f))
}

// claimJob claims a job that was just made.
func (w *world) claimJob(j store.Job) store.Job {
	w.t.Helper()
	jobs := w.claimJobs(nodeA, at(time.Hour), 100)
	if len(jobs) != 1 || jobs[0].ID != j.ID {
		w.t.Fatalf("claim after creating a job: got %+v, want %s", jobs, j.ID)
	}
	return jobs[0]
}

// advance moves a job by one step within its lease.
func (w *world) advance(j store.Job, n int) (store.Job, []string) {
	w.t.Helper()
	next, endpoints, err := w.s.AdvanceJob(w.ctx(), j, n, at(time.Hour), at(time.Hour+time.Minute))
	w.must("advance job", err)
	if step := next.Done + next.Skipped - j.Done - j.Skipped; step > n || next.Done < j.Done {
		w.t.Fatalf("a step of at most %d went from %d done, %d skipped to %d and %d", n, j.Done, j.Skipped, next.Done, next.Skipped)
	}
	return next, endpoints
}

// finish advances a job to its end.
func (w *world) finish(j store.Job, n int) store.Job {
	w.t.Helper()
	for range 100 {
		if j.State == store.JobDone {
			return j
		}
		j, _ = w.advance(j, n)
	}
	w.t.Fatalf("the job has no end: %+v", j)
	return j
}

func (w *world) job(id string) store.Job {
	w.t.Helper()
	j, err := w.s.Job(w.ctx(), w.account, id)
	w.must("read job", err)
	return j
}

func (w *world) statuses(ids []delivery.ID) []delivery.Status {
	w.t.Helper()
	var all []delivery.Status
	for _, id := range ids {
		all = append(all, w.delivery(id).Status)
	}
	return all
}

// manyIn makes n deliveries of an endpoint in a status, oldest first.
func (w *world) manyIn(n int, endpointID string, status delivery.Status) []delivery.ID {
	w.t.Helper()
	ids := make([]delivery.ID, n)
	for i := range ids {
		ids[i] = w.inStatus(endpointID, status)
	}
	return ids
}

// failedOnly is the filter of a retry of the whole dead letter queue.
func failedOnly() store.DeliveryFilter {
	return store.DeliveryFilter{Statuses: []delivery.Status{delivery.Failed}}
}

func jobKept(w *world) {
	want := jobOf(w.account, store.JobDiscard, store.DeliveryFilter{
		EndpointID: "ep_1", EventID: "00000000-0000-4000-8000-000000000000", Statuses: []delivery.Status{delivery.Held, delivery.Failed},
		Types: []string{"a.b", "c.d"}, Class: delivery.Reset, From: at(-time.Hour), To: at(time.Hour),
	})
	want.Reason = "the receiver is gone"
	w.must("create job", w.s.CreateJob(w.ctx(), want))
	w.endJobAfter(w.account, want.ID)
	w.equal("job", w.job(want.ID), want, cmpopts.IgnoreFields(store.Job{}, "Token", "Cursor"))
	list, _, err := w.s.ListJobs(w.ctx(), w.account, store.Page{Limit: 5})
	w.must("list jobs", err)
	w.equal("jobs", list, []store.Job{w.job(want.ID)})
}

func jobClaim(w *world) {
	j := w.newJob(store.JobRetry, failedOnly())
	first := w.claimJobs(nodeA, at(0), 100)
	if len(first) != 1 || first[0].ID != j.ID || first[0].Token == 0 {
		w.t.Fatalf("the first claim: got %+v, want %s with a token", first, j.ID)
	}
	if again := w.claimJobs(nodeB, justBefore(at(time.Minute)), 100); len(again) > 0 {
		w.t.Errorf("another node got the job while the first one's lease runs")
	}
	second := w.claimJobs(nodeB, justAfter(at(time.Minute)), 100)
	if len(second) != 1 || second[0].Token == first[0].Token {
		w.t.Errorf("the claim after the end of the lease: got %+v, want the job with a new token", second)
	}
}

func jobClaimLimit(w *world) {
	want := make(map[string]bool)
	for range 3 {
		want[w.newJob(store.JobRetry, failedOnly()).ID] = true
	}
	for _, n := range []int{2, 1, 0} {
		jobs := w.claimJobs(nodeA, at(0), 2)
		if len(jobs) != n {
			w.t.Fatalf("a claim of at most 2 gave %d, want %d", len(jobs), n)
		}
		for _, j := range jobs {
			if !want[j.ID] {
				w.t.Errorf("job %s was given twice", j.ID)
			}
			delete(want, j.ID)
		}
	}
}

func jobRetry(w *world) {
	endpoint, other := w.newEndpoint(), w.newEndpoint()
	ids := w.manyIn(5, endpoint, delivery.Failed)
	untouched := w.inStatus(other, delivery.Held)
	j := w.startJob(store.JobRetry, failedOnly())
	for moved := 2; moved <= 4; moved += 2 {
		var endpoints []string
		j, endpoints = w.advance(j, 2)
		w.equal("endpoints that got work", endpoints, []string{endpoint})
		for i, id := range ids {
			if got := w.delivery(id).Status.Waiting(); got != (i < moved) {
				w.t.Errorf("after %d moves delivery %d waits: %t", moved, i, got)
			}
		}
		if j.Done != moved || j.State != store.JobRunning {
			w.t.Errorf("after %d moves the job is %+v", moved, j)
		}
		w.equal("job on disk", w.job(j.ID), j)
	}
	j = w.finish(j, 2)
	if j.Done != 5 || j.Skipped != 0 || w.job(j.ID).State != store.JobDone {
		w.t.Errorf("the job at its end: got %+v, want 5 done", j)
	}
	for _, id := range ids {
		d := w.delivery(id)
		if !d.Status.Waiting() || d.Cycle != delivery.Manual || d.Used != 0 || !d.DueAt.Equal(at(time.Hour)) {
			w.t.Errorf("a moved delivery: got %+v, want it to wait in a manual cycle, due at %s", d, at(time.Hour))
		}
	}
	w.wantStatus(untouched, delivery.Held)
}

func jobRelease(w *world) {
	endpoint := w.newEndpoint()
	fresh := w.inStatus(endpoint, delivery.Pending)
	tried := w.inStatus(endpoint, delivery.Retrying)
	w.setState(endpoint, delivery.Disabled)
	w.wantStatus(fresh, delivery.Held)
	w.wantStatus(tried, delivery.Held)
	w.setState(endpoint, delivery.Enabled)

	j := w.startJob(store.JobRelease, store.DeliveryFilter{EndpointID: endpoint, Statuses: []delivery.Status{delivery.Held}})
	if j = w.finish(j, 10); j.Done != 2 {
		w.t.Errorf("the release: got %+v, want 2 done", j)
	}
	for _, tt := range []struct {
		id             delivery.ID
		status         delivery.Status
		attempts, used int
	}{{fresh, delivery.Pending, 0, 0}, {tried, delivery.Retrying, 1, 1}} {
		d := w.delivery(tt.id)
		if d.Status != tt.status || d.Cycle != delivery.Automatic || d.Attempts != tt.attempts || d.Used != tt.used || !d.DueAt.Equal(at(time.Hour)) {
			w.t.Errorf("a released delivery: got %+v, want %s with %d used, due now", d, tt.status, tt.used)
		}
	}
	first := func(when time.Time, want bool) { // reports leases of tried that are a first attempt, or not, against what is wanted
		w.t.Helper()
		for _, l := range w.claimed(endpoint, when, 10).Leases {
			if l.ID == tried && (l.Again() == want || l.PlannedAt.IsZero() != want) {
				w.t.Errorf("a first attempt: want %t; got lease %+v", want, l)
			}
			w.end(rules(), l, delivery.ServerError, when)
		}
	}
	first(at(time.Hour), true)
	first(w.delivery(tried).DueAt, false)
	if _, err := w.s.Retry(w.ctx(), w.account, tried, at(9*time.Hour)); err != nil {
		w.t.Fatalf("retry: %v", err)
	}
	first(at(9*time.Hour), true)
	first(w.delivery(tried).DueAt, false) // a step of the new cycle, of which the old one had used as many
}

func jobUnknown(w *world) {
	id := w.inStatus(w.newEndpoint(), delivery.Failed)
	w.newJob("forget", failedOnly())
	if jobs := w.claimJobs(nodeA, at(time.Hour), 100); len(jobs) > 0 {
		w.t.Errorf("claimed %+v, whose kind is not known here", jobs)
	}
	w.wantStatus(id, delivery.Failed)
}

func jobExisted(w *world) {
	endpoint := w.newEndpoint()
	before := w.manyIn(3, endpoint, delivery.Failed)
	j := w.startJob(store.JobRetry, failedOnly())
	j, _ = w.advance(j, 1)
	later := eventAt(justAfter(jobMade()), sendingTo(endpoint, delivery.Automatic))
	w.publish(later)
	w.end(lastStep(), leaseOf(w.account, later), delivery.ServerError, justAfter(jobMade()))
	if j = w.finish(j, 10); j.Done != 3 {
		w.t.Errorf("the job moved %d deliveries, want the 3 that existed", j.Done)
	}
	w.wantStatus(later.Deliveries[0].ID, delivery.Failed)
	if slices.Contains(w.statuses(before), delivery.Failed) {
		w.t.Errorf("some that existed were not moved: %v", w.statuses(before))
	}
}

func jobAhead(w *world) {
	endpoint := w.newEndpoint()
	ahead := eventAt(jobMade().Add(2*time.Minute), heldFor(endpoint))
	w.publish(ahead, eventAt(at(0), heldFor(endpoint)))
	if j := w.finish(w.startJob(store.JobRelease, store.DeliveryFilter{EndpointID: endpoint}), 1); j.Done != 2 {
		w.t.Errorf("the job at its end: got %+v, want both done", j)
	}
	w.wantStatus(ahead.Deliveries[0].ID, delivery.Pending)
}

func jobSparse(w *world) {
	endpoint := w.newEndpoint()
	w.backlog(12_000, func() store.NewDelivery { return heldFor(endpoint) })
	last := eventAt(at(time.Minute), heldFor(endpoint))
	last.Type = "a.rare"
	w.publish(last)
	j := w.startJob(store.JobRelease, store.DeliveryFilter{EndpointID: endpoint, Types: []string{"a.rare"}})
	if j, _ = w.advance(j, 1); j.State != store.JobRunning || j.Done != 0 || j.Cursor == "" {
		w.t.Errorf("the first step: got %+v, want it to have passed over some and not come to the end", j)
	}
	if j = w.finish(j, 1); j.Done != 1 || j.Skipped != 0 {
		w.t.Errorf("the job at its end: got %+v, want the one that matches done", j)
	}
	w.wantStatus(last.Deliveries[0].ID, delivery.Pending)
}

func jobBehind(w *world) {
	endpoint := w.newEndpoint()
	w.publish(eventAt(at(time.Minute), heldFor(endpoint)))
	j := w.startJob(store.JobRelease, store.DeliveryFilter{EndpointID: endpoint})
	w.backlog(2000, func() store.NewDelivery { return heldFor(endpoint) })
	if j = w.finish(j, 1000); j.Done < 1 || j.Done > 1000 {
		w.t.Errorf("the job moved %d deliveries, want the one that existed and none of those with new numbers", j.Done)
	}
}

func jobFilter(w *world) {
	all := w.dataset()
	f := store.DeliveryFilter{Statuses: []delivery.Status{delivery.Failed}, Class: delivery.ServerError, Types: []string{"a.one", "a.two"}, From: minute(3), To: minute(30)}
	want := 0
	for _, d := range all {
		if matches(f, d) {
			want++
		}
	}
	if j := w.finish(w.startJob(store.JobRetry, f), 3); j.Done != want || want == 0 {
		w.t.Errorf("the job moved %d deliveries, want %d", j.Done, want)
	}
	for _, before := range all {
		if after := w.delivery(before.ID); matches(f, before) != (after.Cycle == delivery.Manual) {
			w.t.Errorf("delivery %+v became %+v", before, after)
		}
	}
}

func jobFenced(w *world) {
	endpoint := w.newEndpoint()
	ids := w.manyIn(6, endpoint, delivery.Failed)
	old := w.startJob(store.JobRetry, failedOnly())
	old, _ = w.advance(old, 2) // then the node dies
	jobs := w.claimJobs(nodeB, at(2*time.Hour), 10)
	if len(jobs) != 1 || jobs[0].Done != 2 || jobs[0].Cursor != old.Cursor {
		w.t.Fatalf("the next node got %+v, want the job with 2 done", jobs)
	}
	before := w.statuses(ids)
	_, _, err := w.s.AdvanceJob(w.ctx(), old, 2, at(2*time.Hour), at(3*time.Hour))
	w.wantError("a step of the node that was left behind", err, store.ErrLeaseLost)
	w.equal("statuses after the late step", w.statuses(ids), before)
	if got := w.job(old.ID).Done; got != 2 {
		w.t.Errorf("the late step left %d done, want 2", got)
	}
	if j := w.finish(jobs[0], 3); j.Done != 6 {
		w.t.Errorf("the job at its end: got %+v, want 6 done", j)
	}
	if n := w.count(endpoint, delivery.Failed); n != 0 {
		w.t.Errorf("%d deliveries were not moved", n)
	}
}

func jobAdvanceTogether(w *world) {
	for _, kind := range []store.JobKind{store.JobRetry, store.JobDiscard} {
		w.t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t, w.s)
			endpoint := w.newEndpoint()
			w.manyIn(8, endpoint, delivery.Failed)
			j := w.startJob(kind, failedOnly())
			w.atOnce(4, func(int) error {
				// The same step from the same start: later ones may be refused, or go on.
				_, _, _ = w.s.AdvanceJob(w.ctx(), j, 1, at(time.Hour), at(2*time.Hour))
				return nil
			})
			left := w.count(endpoint, delivery.Failed)
			if done := w.job(j.ID).Done; done != 8-left || done == 0 {
				t.Errorf("the job says %d done, and %d of 8 deliveries were moved", done, 8-left)
			}
		})
	}
}

func jobExtended(w *world) {
	w.manyIn(3, w.newEndpoint(), delivery.Failed)
	j := w.startJob(store.JobRetry, failedOnly())
	_, _, err := w.s.AdvanceJob(w.ctx(), j, 1, at(time.Hour+50*time.Second), at(2*time.Hour))
	w.must("advance job", err)
	if jobs := w.claimJobs(nodeB, justBefore(at(2*time.Hour)), 10); len(jobs) > 0 {
		w.t.Errorf("another node got a job whose lease was extended")
	}
	if jobs := w.claimJobs(nodeB, justAfter(at(2*time.Hour)), 10); len(jobs) != 1 {
		w.t.Errorf("another node got %d jobs after the extended lease, want 1", len(jobs))
	}
}

func jobDisabled(w *world) {
	for kind, status := range map[store.JobKind]delivery.Status{store.JobRetry: delivery.Failed, store.JobRelease: delivery.Held} {
		w.t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t, w.s)
			enabled, disabled := w.newEndpoint(), w.newEndpoint()
			w.manyIn(2, enabled, status)
			kept := w.manyIn(3, disabled, status)
			j := w.startJob(kind, store.DeliveryFilter{Statuses: []delivery.Status{status}})
			w.setState(disabled, delivery.Disabled)
			if j = w.finish(j, 2); j.Done != 2 || j.Skipped != 3 {
				t.Errorf("the job at its end: got %+v, want 2 done and 3 skipped", j)
			}
			for _, id := range kept {
				w.wantStatus(id, status)
			}
		})
	}
}

func jobSkipped(w *world) {
	endpoint := w.newEndpoint()
	sending := w.inStatus(endpoint, delivery.Sending)
	test := w.leased(delivery.Test, "scan.completed", endpoint)[0]
	w.end(rules(), test, delivery.OK, at(0))
	delivered := w.inStatus(endpoint, delivery.Delivered)
	j := w.startJob(store.JobRetry, store.DeliveryFilter{EndpointID: endpoint})
	if j = w.finish(j, 1); j.Done != 1 || j.Skipped == 0 {
		w.t.Errorf("the job at its end: got %+v, want 1 done, and what is sent skipped", j)
	}
	tests := w.startJob(store.JobRetry, store.DeliveryFilter{EndpointID: endpoint, Statuses: []delivery.Status{delivery.Delivered}, NoTests: true})
	if tests = w.finish(tests, 1); tests.Done != 0 || tests.Skipped != 0 {
		w.t.Errorf("a job that leaves tests out, at its end: got %+v, want none skipped", tests)
	}
	w.wantStatus(sending, delivery.Sending)
	w.wantStatus(test.ID, delivery.Delivered)
	w.wantWaiting(delivered)
}

func jobCancel(w *world) {
	ids := w.manyIn(4, w.newEndpoint(), delivery.Failed)
	j := w.startJob(store.JobRetry, failedOnly())
	j, _ = w.advance(j, 1)
	got, err := w.s.CancelJob(w.ctx(), w.account, j.ID, at(time.Hour))
	w.must("cancel job", err)
	if got.State != store.JobCancelled || got.Done != 1 {
		w.t.Errorf("the cancelled job: got %+v, want 1 done", got)
	}
	before := w.statuses(ids)
	_, _, _ = w.s.AdvanceJob(w.ctx(), j, 2, at(time.Hour), at(2*time.Hour)) // refused or without effect
	w.equal("statuses after a step of the cancelled job", w.statuses(ids), before)
	if kept := w.job(j.ID); kept.State != store.JobCancelled || kept.Done != 1 {
		w.t.Errorf("the job on disk: got %+v, want it cancelled with 1 done", kept)
	}
	if jobs := w.claimJobs(nodeB, at(24*time.Hour), 10); len(jobs) > 0 {
		w.t.Errorf("a cancelled job was given out")
	}
	w.wantWaiting(ids[0])
}

func jobDone(w *world) {
	w.manyIn(1, w.newEndpoint(), delivery.Failed)
	w.finish(w.startJob(store.JobRetry, failedOnly()), 10)
	if jobs := w.claimJobs(nodeB, at(24*time.Hour), 10); len(jobs) > 0 {
		w.t.Errorf("a job that is done was given out: %+v", jobs)
	}
}

func jobMissing(w *world) {
	_, err := w.s.Job(w.ctx(), w.account, newID("job_"))
	w.wantError("read", err, store.ErrNotFound)
	_, err = w.s.CancelJob(w.ctx(), w.account, newID("job_"), at(0))
	w.wantError("cancel", err, store.ErrNotFound)
	if _, _, err = w.s.AdvanceJob(w.ctx(), jobOf(w.account, store.JobRetry, failedOnly()), 1, at(0), at(time.Hour)); err == nil {
		w.t.Errorf("a job that does not exist was advanced")
	}
}
