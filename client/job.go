package client

import (
	"context"
	"net/http"
)

// Job is a paced change of many deliveries, with its progress.
type Job struct {
	ID        string         `json:"id" doc:"job_ and more."`
	Kind      string         `json:"kind" doc:"retry begins a new cycle of each delivery; release lets held ones go on; discard gives them up." enum:"retry,release,discard"`
	Filter    DeliveryFilter `json:"filter" doc:"Which deliveries it takes."`
	Reason    string         `json:"reason,omitempty" doc:"Why they are given up; left out of the other kinds."`
	PerSecond int            `json:"per_second" doc:"Its pace."`
	Total     int            `json:"total" doc:"How many matched when it was made."`
	Done      int            `json:"done" doc:"How many are done."`
	Skipped   int            `json:"skipped" doc:"How many were passed over: their endpoint is disabled or deleted, or they changed meanwhile."`
	State     string         `json:"state" doc:"How far it is." enum:"running,done,cancelled"`
	CreatedAt Time           `json:"created_at" doc:"When it was made."`
	UpdatedAt Time           `json:"updated_at" doc:"When it last went on."`
}

// Jobs reads a page of jobs.
func (c *Client) Jobs(ctx context.Context, q PageQuery) (Page[Job], error) {
	return get[Page[Job]](ctx, c, "/v1/jobs", q)
}

// Job reads one job.
func (c *Client) Job(ctx context.Context, id string) (Job, error) {
	return get[Job](ctx, c, path("/v1/jobs", id), nil)
}

// CancelJob stops a job; what it has done stays done.
func (c *Client) CancelJob(ctx context.Context, id string) (Job, error) {
	return send[Job](ctx, c, http.MethodPost, path("/v1/jobs", id, "cancel"), nil)
}
