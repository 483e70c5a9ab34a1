package manage

import (
	"context"
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// The pace of bulk changes, in deliveries per second.
const (
	DefaultPerSecond = 50 // gentle: a receiver that just came back is not flooded
	MaxPerSecond     = 10_000
	// discardPerSecond spares no receiver, as none is involved, but those who write meanwhile: a
	// step takes 200, which publishing hardly has to wait for.
	discardPerSecond = 1000
)

// RetryDeliveries begins a new cycle of every delivery that matches.
type RetryDeliveries struct {
	Filter    store.DeliveryFilter // no statuses = failed; allowed: failed, held, delivered, discarded
	PerSecond int                  // 1 to MaxPerSecond; 0 = DefaultPerSecond
	DryRun    bool                 // count only
}

// DiscardDeliveries gives up every delivery that matches.
type DiscardDeliveries struct {
	Filter store.DeliveryFilter // no statuses = failed; allowed: failed, held, pending, retrying
	Reason string               // 1 to 500 characters
	DryRun bool                 // count only
}

// ReplayEndpoint is RetryDeliveries of one endpoint over a span of time.
type ReplayEndpoint struct {
	ID        string
	From      time.Time // inclusive, of the deliveries' creation; must be set
	To        time.Time // exclusive; must be set
	Statuses  []delivery.Status
	Types     []string
	PerSecond int
	DryRun    bool
}

// Bulk says what a bulk change takes.
type Bulk struct {
	Count   int        // deliveries that match now; tests, which cannot be retried, never do
	Skipped int        // of them, those to be passed over: their endpoint is disabled or deleted
	Job     *store.Job // nil in a dry run and when nothing that matches can be moved
}

// Taken is how many a bulk change moves: those that match and are not passed over.
func (b Bulk) Taken() int { return b.Count - b.Skipped }

// retryable are the statuses that a bulk retry may take: what waits for its turn
// or is on its way needs no retry.
func retryable() []delivery.Status {
	return []delivery.Status{delivery.Failed, delivery.Held, delivery.Delivered, delivery.Discarded}
}

// discardable are the statuses that a bulk discard may take: those of which one delivery may be
// discarded.
func discardable() []delivery.Status {
	return []delivery.Status{delivery.Failed, delivery.Held, delivery.Pending, delivery.Retrying}
}

// orFailed gives the statuses that a bulk change takes: what failed, when none are named.
func orFailed(statuses []delivery.Status) []delivery.Status {
	if len(statuses) == 0 {
		return []delivery.Status{delivery.Failed}
	}
	return statuses
}

// RetryDeliveries begins a new cycle of every delivery that matches, as a paced job, or
// counts them. store.ErrDisabled when the filter names an endpoint that does not
// receive; of several endpoints the disabled ones are passed over, and counted as Skipped.
func (m *Manager) RetryDeliveries(ctx context.Context, caller auth.Caller, in RetryDeliveries) (Bulk, error) {
	return m.bulk(ctx, caller, "deliveries.retry", func(*mistakes) RetryDeliveries { return in })
}

// ReplayEndpoint is RetryDeliveries of one endpoint over a span of time.
func (m *Manager) ReplayEndpoint(ctx context.Context, caller auth.Caller, in ReplayEndpoint) (Bulk, error) {
	return m.bulk(ctx, caller, "endpoint.replay", func(wrong *mistakes) RetryDeliveries {
		if in.ID == "" {
			wrong.add("endpoint_id", "is missing")
		}
		if in.From.IsZero() {
			wrong.add("from", "is missing: say from when on, such as 2026-03-08T00:00:00Z")
		}
		if in.To.IsZero() {
			wrong.add("to", "is missing: say until when, such as 2026-03-09T00:00:00Z")
		}
		return RetryDeliveries{
			Filter:    store.DeliveryFilter{EndpointID: in.ID, Statuses: in.Statuses, Types: in.Types, From: in.From, To: in.To},
			PerSecond: in.PerSecond,
			DryRun:    in.DryRun,
		}
	})
}

// bulk checks what asked gives and counts what it matches; unless it is a dry run, it makes the job.
func (m *Manager) bulk(ctx context.Context, caller auth.Caller, action string, asked func(*mistakes) RetryDeliveries) (Bulk, error) {
	return change(ctx, m, caller, auth.Manage, action, func(ctx context.Context) (Bulk, deed, error) {
		var wrong mistakes
		in := asked(&wrong)
		wrong.deliveries(in.Filter, retryable())
		wrong.pace(&in.PerSecond)
		if err := wrong.err(); err != nil {
			return Bulk{}, deed{}, err
		}
		in.Filter.Statuses = orFailed(in.Filter.Statuses)
		in.Filter.NoTests = true
		out, err := m.matching(ctx, caller.AccountID, in.Filter)
		if err != nil || in.DryRun || out.Taken() == 0 {
			return out, deed{}, err
		}
		wanted := store.Job{AccountID: caller.AccountID, Kind: store.JobRetry, Filter: in.Filter, PerSecond: in.PerSecond, Total: out.Count}
		if out.Job, err = m.newJob(ctx, wanted); err != nil {
			return Bulk{}, deed{}, err
		}
		return out, jobDeed(*out.Job), nil
	})
}

// DiscardDeliveries gives up every delivery that matches, as a job, or counts them. It goes by
// the rule of DiscardDelivery, so the state of their endpoints does not matter, and one that was
// deleted may be named.
func (m *Manager) DiscardDeliveries(ctx context.Context, caller auth.Caller, in DiscardDeliveries) (Bulk, error) {
	return change(ctx, m, caller, auth.Manage, "deliveries.discard", func(ctx context.Context) (Bulk, deed, error) {
		var wrong mistakes
		wrong.deliveries(in.Filter, discardable())
		wrong.text("reason", in.Reason, 1, maxText)
		if err := wrong.err(); err != nil {
			return Bulk{}, deed{}, err
		}
		in.Filter.Statuses = orFailed(in.Filter.Statuses)
		n, err := m.count(ctx, caller.AccountID, in.Filter)
		if err != nil || in.DryRun || n == 0 {
			return Bulk{Count: n}, deed{}, err
		}
		job, err := m.newJob(ctx, store.Job{
			AccountID: caller.AccountID, Kind: store.JobDiscard, Filter: in.Filter, Reason: in.Reason, PerSecond: discardPerSecond, Total: n,
		})
		if err != nil {
			return Bulk{}, deed{}, err
		}
		return Bulk{Count: n, Job: job}, jobDeed(*job), nil
	})
}

// matching counts what a bulk retry would take, and what of it would be passed over.
func (m *Manager) matching(ctx context.Context, accountID string, f store.DeliveryFilter) (out Bulk, err error) {
	if f.EndpointID != "" {
		e, err := m.stored(ctx, accountID, f.EndpointID)
		if err != nil {
			return out, err
		}
		if e.State != delivery.Enabled {
			return out, store.ErrDisabled
		}
		out.Count, err = m.count(ctx, accountID, f)
		return out, err
	}
	if out.Count, err = m.count(ctx, accountID, f); err != nil || out.Count == 0 {
		return out, err
	}
	received, err := m.countReceived(ctx, accountID, f)
	out.Skipped = max(0, out.Count-received) // things go on between the two
	return out, err
}

// countReceived counts what a filter matches to endpoints that receive; an account has a bounded
// number of them.
func (m *Manager) countReceived(ctx context.Context, accountID string, f store.DeliveryFilter) (total int, err error) {
	page := store.Page{Limit: MaxLimit}
	for {
		endpoints, next, err := m.db.ListEndpoints(ctx, accountID, page)
		if err != nil {
			return 0, err
		}
		for _, e := range endpoints {
			if e.State != delivery.Enabled {
				continue
			}
			f.EndpointID = e.ID
			n, err := m.count(ctx, accountID, f)
			if err != nil {
				return 0, err
			}
			total += n
		}
		if next == "" {
			return total, nil
		}
		page.Cursor = next
	}
}

// newJob makes a job: what is wanted, with an id, running from now on.
func (m *Manager) newJob(ctx context.Context, job store.Job) (*store.Job, error) {
	at, err := m.clock(ctx)
	if err != nil {
		return nil, err
	}
	job.ID, job.State, job.CreatedAt, job.UpdatedAt = newID("job_"), store.JobRunning, at, at
	if err := m.db.CreateJob(ctx, job); err != nil {
		return nil, err
	}
	return &job, nil
}

// jobDeed is the deed of a new job.
func jobDeed(job store.Job) deed {
	detail := fmt.Sprintf("%s (%s)", counted(job.Total, "delivery", "deliveries"), listed(job.Filter.Statuses))
	if job.Kind != store.JobDiscard {
		detail += fmt.Sprintf(" at %d a second", job.PerSecond)
	}
	if job.Filter.EndpointID != "" {
		detail += " to " + job.Filter.EndpointID
	}
	if job.Reason != "" {
		detail += ": " + job.Reason
	}
	return deed{object: job.ID, detail: detail, notes: []store.Note{jobNote(job.AccountID)}}
}

// jobNote tells the nodes that there is a new job: work of no endpoint in particular.
func jobNote(accountID string) store.Note {
	return store.Note{Kind: store.WorkAdded, AccountID: accountID}
}

// Job reads one with its progress.
func (m *Manager) Job(ctx context.Context, caller auth.Caller, id string) (store.Job, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (store.Job, error) {
		if err := known(id); err != nil {
			return store.Job{}, err
		}
		return m.db.Job(ctx, caller.AccountID, id)
	})
}

// ListJobs pages through jobs, newest first.
func (m *Manager) ListJobs(ctx context.Context, caller auth.Caller, page Page) (List[store.Job], error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (List[store.Job], error) {
		return list(page, func(p store.Page) ([]store.Job, string, error) {
			return m.db.ListJobs(ctx, caller.AccountID, p)
		})
	})
}

// CancelJob stops a job; what it has moved stays moved. *store.Conflict when it is over.
func (m *Manager) CancelJob(ctx context.Context, caller auth.Caller, id string) (store.Job, error) {
	return change(ctx, m, caller, auth.Manage, "job.cancel", func(ctx context.Context) (store.Job, deed, error) {
		if err := known(id); err != nil {
			return store.Job{}, deed{}, err
		}
		at, err := m.clock(ctx)
		if err != nil {
			return store.Job{}, deed{}, err
		}
		job, err := m.db.CancelJob(ctx, caller.AccountID, id, at)
		if err != nil {
			return store.Job{}, deed{}, err
		}
		return job, deed{object: id, detail: fmt.Sprintf("%d of %d done", job.Done, job.Total)}, nil
	})
}
