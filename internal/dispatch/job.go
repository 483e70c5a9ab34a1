package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const (
	jobLease = 15 * time.Second       // after which another node goes on with a job
	jobTick  = 200 * time.Millisecond // between the steps of a job
	jobStep  = 500                    // deliveries that one step moves at most
	maxJobs  = 16                     // that one node works on at a time
)

// pacedJob is a job with the part of a delivery that its pace has saved up.
type pacedJob struct {
	store.Job
	saved float64
}

// advanceJobs moves bulk retries and releases on, each at its pace, until ctx ends.
func (d *Dispatcher) advanceJobs(ctx context.Context) {
	var jobs []*pacedJob
	nextLook, last := time.Now(), time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wakeJobs:
			nextLook = time.Now()
		case <-timer.C:
		}
		jobs = d.stepJobs(ctx, jobs, time.Since(last))
		last = time.Now()
		if !last.Before(nextLook) {
			jobs = append(jobs, d.stepJobs(ctx, d.claimJobs(ctx, maxJobs-len(jobs)), 0)...)
			nextLook = time.Now().Add(d.cfg.ScanEvery)
		}
		if len(jobs) > 0 {
			timer.Reset(jobTick)
		} else {
			timer.Reset(time.Until(nextLook))
		}
	}
}

func (d *Dispatcher) claimJobs(ctx context.Context, most int) []*pacedJob {
	if most <= 0 {
		return nil
	}
	found, err := d.cfg.Queue.ClaimJobs(ctx, d.cfg.Node, d.Now(), d.Now().Add(jobLease), most)
	if err != nil {
		d.complain(ctx, "jobs not read", err)
		return nil
	}
	failpoint.Hit("bulk change: looked for")
	jobs := make([]*pacedJob, len(found))
	for i, j := range found {
		jobs[i] = &pacedJob{Job: j, saved: 1} // the first delivery goes at once
	}
	return jobs
}

// stepJobs lets each job move what its pace allows, and drops those that ended.
func (d *Dispatcher) stepJobs(ctx context.Context, jobs []*pacedJob, since time.Duration) []*pacedJob {
	var going []*pacedJob
	for _, j := range jobs {
		j.saved = min(j.saved+float64(j.PerSecond)*since.Seconds(), jobStep)
		if n := int(j.saved); n > 0 {
			if !d.stepJob(ctx, j, n) {
				continue
			}
			j.saved -= float64(n)
		}
		going = append(going, j)
	}
	return going
}

// stepJob moves n deliveries and reports whether the job goes on here.
func (d *Dispatcher) stepJob(ctx context.Context, j *pacedJob, n int) bool {
	after, woken, err := d.cfg.Queue.AdvanceJob(context.WithoutCancel(ctx), j.Job, n, d.Now(), d.Now().Add(jobLease))
	if errors.Is(err, store.ErrLeaseLost) || errors.Is(err, store.ErrNotFound) {
		return false // cancelled, or taken over
	}
	if err != nil {
		d.complain(ctx, "job not advanced", err)
		return true
	}
	failpoint.Hit("bulk change: step committed")
	j.Job = after
	for _, id := range woken {
		d.Wake(id)
	}
	if after.State != store.JobDone {
		return true
	}
	d.log.Info("job done", slog.String("job_id", after.ID), slog.String("account_id", after.AccountID), slog.Int("done", after.Done), slog.Int("skipped", after.Skipped))
	return false
}
