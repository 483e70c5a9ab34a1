package sqlstore

import (
	"context"
	"sync"

	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// maxGroup bounds how many operations share a transaction: beyond about a hundred
// the gain per operation is small, and a group that is too large delays its first.
const maxGroup = 512

// maxGroupRows bounds what a transaction writes, but for its last operation: everybody else's publishing, and on
// SQLite claims and outcomes, too, wait until it ends. It is a fraction of a second.
const maxGroupRows = 10_000

// rows is about how many rows an operation writes.
func (op *operation) rows() int {
	switch {
	case op.publish != nil:
		n := len(op.publish.batch.Events)
		for i := range op.publish.batch.Events {
			n += len(op.publish.batch.Events[i].Deliveries)
		}
		return n
	case op.record != nil:
		return len(op.record.results)
	}
	return 1
}

// operation is something to write that waits for its turn.
type operation struct {
	publish *publishing
	record  *recording
	other   func(ctx context.Context, c conn) error // keeps to itself: it runs in a savepoint
	err     error
	done    chan struct{}
}

// grouper runs a group of operations in one transaction. An operation that fails
// for a reason of its own sets its err and has written nothing; an error that is
// returned has failed the whole transaction.
type grouper interface {
	commit(group []*operation) error
	// forget drops what was learned in a transaction that was rolled back.
	forget()
}

// writer commits what is waiting, all at once, without ever waiting for more.
type writer struct {
	queue   chan *operation
	grouper grouper
	ended   chan struct{}

	mu     sync.RWMutex // guards closed against a send on the closed queue
	closed bool
}

func startWriter(g grouper) *writer {
	w := &writer{queue: make(chan *operation, 4*maxGroup), grouper: g, ended: make(chan struct{})}
	go w.loop()
	return w
}

// do queues an operation and waits for its end. When ctx ends while the queue is
// full nothing was queued; once queued the answer is waited for, because it may
// be committed any moment.
func (w *writer) do(ctx context.Context, op *operation) error {
	op.done = make(chan struct{})
	if err := w.enqueue(ctx, op); err != nil {
		return err
	}
	<-op.done
	return op.err
}

func (w *writer) enqueue(ctx context.Context, op *operation) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return store.ErrClosed
	}
	select {
	case w.queue <- op:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
}

func (w *writer) loop() {
	defer close(w.ended)
	group := make([]*operation, 0, maxGroup)
	for op := range w.queue {
		group = w.drain(append(group[:0], op))
		w.run(group)
		failpoint.Hit("writer: committed, nobody told")
		for _, op := range group {
			close(op.done)
		}
	}
}

// drain adds what else is waiting.
func (w *writer) drain(group []*operation) []*operation {
	for rows := group[0].rows(); len(group) < maxGroup && rows < maxGroupRows; {
		select {
		case op, ok := <-w.queue:
			if !ok {
				return group
			}
			group = append(group, op)
			rows += op.rows()
		default:
			return group
		}
	}
	return group
}

// run commits the group. When that fails and several share it, each is tried
// alone, so that one that can never be written fails nobody else. When the database
// is away all of them fail: to find that out takes up to limits.write each time.
func (w *writer) run(group []*operation) {
	err := w.commit(group)
	if err == nil || len(group) == 1 {
		return
	}
	for i, op := range group {
		if isAway(err) {
			fail(group[i:], err)
			return
		}
		op.err = nil
		err = w.commit(group[i : i+1])
	}
}

// commit commits, or fails, the group as a whole.
func (w *writer) commit(group []*operation) error {
	err := w.grouper.commit(group)
	if err != nil {
		w.grouper.forget()
		fail(group, err)
	}
	return err
}

func fail(group []*operation, err error) {
	for _, op := range group {
		op.err = translate(err)
	}
}
