package model_test

import (
	"context"
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// front is the store as one node reaches it. It fails as the history says: it refuses what is
// written, loses the answer to a commit, and is gone for a node that was killed.
type front struct {
	store.Store
	w *world
	n *node
}

// killed is what a dead process would see, could it see anything.
var errKilled = fmt.Errorf("%w: this node was killed", store.ErrClosed)

// change runs a method that writes, unless the history forbids it.
func change[T any](f *front, method string, do func() (T, error)) (T, error) {
	var none T
	if err := f.refused(); err != nil {
		return none, err
	}
	out, err := do()
	if err == nil {
		err = f.cut(method)
	}
	if err != nil {
		return none, err
	}
	return out, nil
}

func (f *front) refused() error {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	if f.n.dead {
		return errKilled
	}
	if f.w.refuse != nil {
		return fmt.Errorf("the store takes nothing now: %w", f.w.refuse)
	}
	return nil
}

// cut loses the answer to what is committed: on the way, or with the node.
func (f *front) cut(method string) error {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	if f.n.diesAfter == method {
		f.n.dead, f.n.diesAfter = true, ""
	}
	if f.n.dead {
		return errKilled
	}
	if f.w.lose == method {
		f.w.lose, f.w.unanswered = "", time.Now()
		f.w.troubled()
		return fmt.Errorf("the answer was lost: %w", store.ErrUnavailable)
	}
	return nil
}

// gone reports whether the node was killed, for what only reads.
func (f *front) gone() error {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	if f.n.dead {
		return errKilled
	}
	return nil
}

// Clock is the database server's, which a history puts forward and back.
func (f *front) Clock(context.Context) (time.Time, error) {
	if err := f.gone(); err != nil {
		return time.Time{}, err
	}
	return f.w.now(), nil
}

func (f *front) Due(ctx context.Context, after string, limit int) ([]store.Due, error) {
	if err := f.gone(); err != nil {
		return nil, err
	}
	return f.Store.Due(ctx, after, limit)
}

func (f *front) Lane(ctx context.Context, id string, now time.Time) (store.Lane, error) {
	if err := f.gone(); err != nil {
		return store.Lane{}, err
	}
	return f.Store.Lane(ctx, id, now)
}

func (f *front) Publish(ctx context.Context, b *store.Batch) ([]store.Published, error) {
	return change(f, "Publish", func() ([]store.Published, error) { return f.Store.Publish(ctx, b) })
}

func (f *front) Claim(ctx context.Context, c store.Claim) ([]store.Claimed, error) {
	return change(f, "Claim", func() ([]store.Claimed, error) { return f.Store.Claim(ctx, c) })
}

func (f *front) Settle(ctx context.Context, id string, now time.Time, limit int) (int, error) {
	return change(f, "Settle", func() (int, error) { return f.Store.Settle(ctx, id, now, limit) })
}

func (f *front) Rewind(ctx context.Context, p delivery.Policy, now, beyond time.Time) (int, error) {
	return change(f, "Rewind", func() (int, error) { return f.Store.Rewind(ctx, p, now, beyond) })
}

func (f *front) Beat(ctx context.Context, name string, now time.Time) (int, error) {
	return change(f, "Beat", func() (int, error) { return f.Store.Beat(ctx, name, now) })
}

func (f *front) Leave(ctx context.Context, name string) error {
	_, err := change(f, "Leave", func() (int, error) { return 0, f.Store.Leave(ctx, name) })
	return err
}

func (f *front) WriteStats(ctx context.Context, all []store.Stat) error {
	_, err := change(f, "WriteStats", func() (int, error) { return 0, f.Store.WriteStats(ctx, all) })
	return err
}

func (f *front) ClaimJobs(ctx context.Context, name string, now, until time.Time, limit int) ([]store.Job, error) {
	return change(f, "ClaimJobs", func() ([]store.Job, error) { return f.Store.ClaimJobs(ctx, name, now, until, limit) })
}

func (f *front) AdvanceJob(ctx context.Context, j store.Job, n int, now, until time.Time) (store.Job, []string, error) {
	type step struct {
		job   store.Job
		woken []string
	}
	s, err := change(f, "AdvanceJob", func() (s step, err error) {
		s.job, s.woken, err = f.Store.AdvanceJob(ctx, j, n, now, until)
		return s, err
	})
	return s.job, s.woken, err
}

// Record keeps what a dead node would have written. A batch that is refused is offered
// again one by one, so that each outcome is kept once.
func (f *front) Record(ctx context.Context, p delivery.Policy, results []store.Result) ([]store.Recorded, error) {
	done, err := change(f, "Record", func() ([]store.Recorded, error) { return f.Store.Record(ctx, p, results) })
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	if f.n.dead && len(results) == 1 {
		f.n.late = append(f.n.late, results...)
	}
	return done, err
}

func (f *front) Return(ctx context.Context, leases []delivery.Lease, now time.Time) error {
	_, err := change(f, "Return", func() (int, error) { return 0, f.Store.Return(ctx, leases, now) })
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	if f.n.dead {
		f.n.lateBack = append(f.n.lateBack, leases...)
	}
	return err
}

// Announce tells every node that hears. The node itself always does.
func (f *front) Announce(_ context.Context, notes ...store.Note) error {
	for _, n := range f.w.hearers(f.n) {
		for _, note := range notes {
			n.hear(note)
		}
	}
	return nil
}
