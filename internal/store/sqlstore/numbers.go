package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// numbers are the counters that publishing draws from, and whose the endpoints
// are that it has met. Only the writer uses them.
type numbers struct {
	events, deliveries counter
	owners             map[string]string // account by endpoint
}

func newNumbers() numbers {
	return numbers{events: counter{name: "event"}, deliveries: counter{name: "delivery"}, owners: map[string]string{}}
}

// reserve makes sure that a group has all the numbers that it can need. c must not be
// a transaction that other nodes could wait for: the row of a counter is locked
// until the block is on disk. What is not used is a gap.
func (n *numbers) reserve(ctx context.Context, c conn, group []*operation) error {
	var events, deliveries int64
	for _, op := range group {
		if op.publish == nil {
			continue
		}
		events += int64(len(op.publish.batch.Events))
		for i := range op.publish.batch.Events {
			deliveries += int64(len(op.publish.batch.Events[i].Deliveries))
		}
	}
	if err := n.events.reserve(ctx, c, events); err != nil {
		return err
	}
	return n.deliveries.reserve(ctx, c, deliveries)
}

// assign numbers an event and, without gaps, its deliveries.
func (n *numbers) assign(e *store.NewEvent) (seq int64) {
	for i := range e.Deliveries {
		e.Deliveries[i].ID = delivery.ID(n.deliveries.take())
	}
	return n.events.take()
}

// forget drops what is left of the blocks: a transaction that failed may have
// taken them with it.
func (n *numbers) forget() { n.events.forget(); n.deliveries.forget() }

// counter hands out numbers from blocks that are taken from the database.
type counter struct {
	name      string
	next, end int64
}

// block is how many numbers a counter takes at a time, at least.
const block = 1000

// reserve makes sure that n numbers in a row are there to take.
func (k *counter) reserve(ctx context.Context, c conn, n int64) error {
	if k.end-k.next >= n {
		return nil
	}
	size := max(n, block)
	var end int64
	err := c.row(ctx, "update counters set next = next + $1 where name = $2 returning next", size, k.name).Scan(&end)
	if err != nil {
		return fmt.Errorf("take numbers: %w", err)
	}
	k.next, k.end = end-size, end
	return nil
}

// take gives a number that was reserved.
func (k *counter) take() int64 {
	k.next++
	return k.next - 1
}

func (k *counter) forget() { k.next, k.end = 0, 0 }

// owned makes sure that a batch names endpoints of its own account alone. An
// endpoint never changes hands, so what was learned once holds.
func (n *numbers) owned(ctx context.Context, c conn, b *store.Batch) error {
	for i := range b.Events {
		for _, d := range b.Events[i].Deliveries {
			if n.owners[d.EndpointID] == b.AccountID {
				continue
			}
			var id string
			err := c.row(ctx, `select id from endpoints where id = $1 and account_id = $2`, d.EndpointID, b.AccountID).Scan(&id)
			if errors.Is(err, errNoRow) {
				return store.ErrNotFound
			}
			if err != nil {
				return err
			}
			if len(n.owners) >= maxOwners {
				clear(n.owners)
			}
			n.owners[d.EndpointID] = b.AccountID
		}
	}
	return nil
}

// maxOwners bounds how many endpoints are remembered.
const maxOwners = 100_000
