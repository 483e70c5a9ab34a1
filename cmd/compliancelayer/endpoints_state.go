package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/compliancelayer/compliancelayer/client"
)

// pace is how fast a bulk change goes, and whether to wait for its end.
type pace struct {
	PerSecond int `help:"How many deliveries a second." default:"50"`
	following
}

// following is whether a bulk change is waited for.
type following struct {
	Wait bool `help:"Wait until it is done." default:"true" negatable:""`
}

// check refuses 0, which would leave the pace to the server.
func (p pace) check() error {
	if p.PerSecond < 1 {
		return misuse("--per-second: must be 1 or more")
	}
	return nil
}

type endpointsEnableCmd struct {
	remote
	pace
	ID   string `arg:"" help:"The endpoint."`
	Held string `help:"What to do with held deliveries: send all, the newest only, or keep them held." enum:"send,newest,keep" default:"send"`
}

// Run enables an endpoint and follows the release of what was held.
func (e *endpointsEnableCmd) Run(ctx context.Context, c *console) error {
	if err := e.check(); err != nil {
		return err
	}
	var job *client.Job
	err := ask(c, &e.remote, func(cl *client.Client) (client.EnabledEndpoint, error) {
		done, err := cl.EnableEndpoint(ctx, e.ID, client.Enable{Held: e.Held, PerSecond: e.PerSecond})
		if err != nil {
			return done, err
		}
		job = done.Job
		return done, e.follow(ctx, c, cl, job)
	}, func(c *console, done client.EnabledEndpoint) {
		c.say("enabled %s; held for it: %s", done.Endpoint.ID, deliveries(done.Held))
		if done.Job != nil {
			showJob(c, *done.Job)
		}
	})
	return cmp.Or(err, cutShort(job))
}

type endpointsDisableCmd struct {
	remote
	ID     string `arg:"" help:"The endpoint."`
	Reason string `help:"Words for the audit."`
}

// Run disables an endpoint.
func (e *endpointsDisableCmd) Run(ctx context.Context, c *console) error {
	return ask(c, &e.remote, func(cl *client.Client) (client.Endpoint, error) {
		return cl.DisableEndpoint(ctx, e.ID, client.Disable{Reason: e.Reason})
	}, func(c *console, ep client.Endpoint) {
		c.say("disabled %s; what is for it is held", ep.ID)
		c.note("Next: compliancelayer endpoints enable %s --held send", ep.ID)
	})
}

type endpointsReplayCmd struct {
	remote
	pace
	ID     string   `arg:"" help:"The endpoint."`
	From   moment   `help:"What was made at this time or later: 2026-03-08T12:00:00Z, 2026-03-08, or 2h for two hours ago." required:""`
	To     moment   `help:"What was made before this time." default:"now"`
	Status []string `help:"Only these statuses: failed, held, delivered, discarded." default:"failed"`
	Types  []string `help:"Only events of these types."`
	DryRun bool     `help:"Only count."`
}

// Run retries an endpoint's deliveries of a span of time.
func (e *endpointsReplayCmd) Run(ctx context.Context, c *console) error {
	return e.bulk(ctx, c, &e.remote, func(cl *client.Client) (client.Bulk, error) {
		bulk, err := cl.Replay(ctx, e.ID, client.Replay{
			From: e.From.wire(), To: e.To.wire(), Status: e.Status, Types: e.Types, PerSecond: e.PerSecond, DryRun: e.DryRun,
		})
		return bulk, enableHint(err, e.ID)
	})
}

// bulk is following.bulk at a pace, which it checks first.
func (p pace) bulk(ctx context.Context, c *console, r *remote, call func(*client.Client) (client.Bulk, error)) error {
	if err := p.check(); err != nil {
		return err
	}
	return p.following.bulk(ctx, c, r, call)
}

// bulk makes a bulk change, waits for its end, and prints what came of it.
func (f following) bulk(ctx context.Context, c *console, r *remote, call func(*client.Client) (client.Bulk, error)) error {
	var job *client.Job
	err := ask(c, r, func(cl *client.Client) (client.Bulk, error) {
		bulk, err := call(cl)
		if err != nil {
			return bulk, err
		}
		job = bulk.Job
		return bulk, f.follow(ctx, c, cl, job)
	}, showBulk)
	return cmp.Or(err, cutShort(job))
}

// enableHint says how an endpoint that is disabled can get what was refused.
func enableHint(err error, endpointID string) error {
	if !isConflict(err) || !strings.Contains(err.Error(), "disabled") {
		return err
	}
	return withHint(err, "%s endpoints test %s   (then: %s endpoints enable %s)", programName, endpointID, programName, endpointID)
}

// follow waits for a job's end, when there is one and that was asked for.
func (f following) follow(ctx context.Context, c *console, cl *client.Client, job *client.Job) (err error) {
	if job != nil && f.Wait {
		*job, err = waitJob(ctx, c, cl, *job)
	}
	return err
}

func showBulk(c *console, bulk client.Bulk) {
	nothing := ""
	if bulk.Job == nil {
		nothing = "; nothing was changed"
	}
	c.say("found %s%s", deliveries(bulk.Count), nothing)
	if bulk.Skipped > 0 {
		c.say("passed over %s: the endpoint is disabled or deleted", deliveries(bulk.Skipped))
		c.note("Next: compliancelayer endpoints list, which shows them; test and enable them, then this again")
	}
	if bulk.Job != nil {
		showJob(c, *bulk.Job)
	}
}
