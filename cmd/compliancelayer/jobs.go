package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
)

// jobsCmd groups what concerns bulk changes.
type jobsCmd struct {
	List   jobsListCmd   `cmd:"" help:"List jobs, newest first."`
	Get    jobsGetCmd    `cmd:"" help:"Show a job and how far it is."`
	Wait   jobsWaitCmd   `cmd:"" help:"Wait for a job to end."`
	Cancel jobsCancelCmd `cmd:"" help:"Stop a job; what it has done stays done."`
}

type jobsListCmd struct {
	remote
	paging
}

// Run lists jobs.
func (j *jobsListCmd) Run(ctx context.Context, c *console) error {
	head := []string{"ID", "KIND", "STATE", "DONE", "SKIPPED", "TOTAL", "CREATED"}
	return list(ctx, c, &j.remote, j.paging, (*client.Client).Jobs, head, func(job client.Job) []string {
		return []string{job.ID, job.Kind, job.State, strconv.Itoa(job.Done), strconv.Itoa(job.Skipped), strconv.Itoa(job.Total), at(job.CreatedAt)}
	})
}

type jobsGetCmd struct {
	remote
	ID string `arg:"" help:"The job, job_ and more."`
}

// Run shows a job.
func (j *jobsGetCmd) Run(ctx context.Context, c *console) error {
	return askID(ctx, c, &j.remote, (*client.Client).Job, j.ID, showJob)
}

type jobsWaitCmd struct {
	remote
	ID string `arg:"" help:"The job."`
}

// Run waits for a job.
func (j *jobsWaitCmd) Run(ctx context.Context, c *console) error {
	var job client.Job
	err := ask(c, &j.remote, func(cl *client.Client) (_ client.Job, err error) {
		if job, err = cl.Job(ctx, j.ID); err == nil {
			job, err = waitJob(ctx, c, cl, job)
		}
		return job, err
	}, showJob)
	return cmp.Or(err, cutShort(&job))
}

// cutShort is the error of a job that somebody stopped before it had done everything.
func cutShort(job *client.Job) error {
	if job == nil || job.State != jobCancelled {
		return nil
	}
	return withHint(fmt.Errorf("%s was cancelled", job.ID), "%s jobs get %s   (shows how far it was)", programName, job.ID)
}

type jobsCancelCmd struct {
	remote
	ID string `arg:"" help:"The job."`
}

// Run stops a job.
func (j *jobsCancelCmd) Run(ctx context.Context, c *console) error {
	return askID(ctx, c, &j.remote, (*client.Client).CancelJob, j.ID, showJob)
}

func showJob(c *console, job client.Job) {
	c.say("%s %s: %s, %d of %d done, %d skipped", job.Kind, job.ID, c.paint(styleOf(job.State), job.State), job.Done, job.Total, job.Skipped)
	switch {
	case job.Skipped > 0 && job.Kind == "discard":
		c.note("Skipped is what changed meanwhile.")
	case job.Skipped > 0:
		c.note("Skipped is what changed meanwhile, and what is for a disabled endpoint. Next: compliancelayer endpoints list")
	}
}

const (
	jobRunning   = "running"
	jobCancelled = "cancelled"
	// askEvery is how often a job is looked at: often enough for a bar that moves.
	askEvery = 200 * time.Millisecond
)

// waitJob waits until a job has ended, with a bar on a terminal. Whoever stops
// waiting does not stop the job.
func waitJob(ctx context.Context, c *console, cl *client.Client, job client.Job) (client.Job, error) {
	b := c.progress(job.Kind)
	defer b.end()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for job.State == jobRunning {
		b.set(int64(job.Done+job.Skipped), int64(job.Total), fmt.Sprintf("%d of %d, %d a second", job.Done+job.Skipped, job.Total, job.PerSecond))
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		now, err := cl.Job(ctx, job.ID)
		if ctx.Err() != nil {
			return job, withHint(fmt.Errorf("stopped waiting; the server goes on with %s", job.ID),
				"%s jobs cancel %s   (stops it; \"jobs wait\" waits for it again)", programName, job.ID)
		}
		if err != nil {
			return job, withHint(err, "%s jobs wait %s", programName, job.ID)
		}
		job = now
	}
	return job, nil
}
