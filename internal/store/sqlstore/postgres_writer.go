package sqlstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/compliancelayer/compliancelayer/internal/failpoint"
)

// pgWriter is what one writer commits with. A PostgreSQL store has two, one for
// what is published and one for outcomes: neither waits for the other's sync, and the server
// syncs them together.
type pgWriter struct {
	*pgEngine
	numbers numbers
}

func newPgWriter(e *pgEngine) *pgWriter { return &pgWriter{pgEngine: e, numbers: newNumbers()} }

// commit runs a group in one transaction: first all at once, the way that costs
// the server least; when anything in it needs a closer look, row by row.
func (w *pgWriter) commit(group []*operation) error {
	err := w.transact(group, w.runBulk)
	for range 3 {
		if !errors.Is(err, errLookCloser) && !mayPass(err) {
			return err
		}
		for _, op := range group {
			op.err = nil
		}
		err = w.transact(group, w.runRows)
	}
	return err
}

// transact lets run make transactions on a connection, each of which it ends itself.
func (w *pgWriter) transact(group []*operation, run func(ctx context.Context, c *pgx.Conn, group []*operation) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.limits.write)
	defer cancel()
	// Before the transaction: in it, the counters would be locked until its end for all nodes.
	if err := w.numbers.reserve(ctx, pgConn{w.pool}, group); err != nil {
		return w.noteLate(err)
	}
	c, err := w.pool.Acquire(ctx)
	if err != nil {
		return w.noteLate(err)
	}
	defer c.Release()
	return w.noteLate(run(ctx, c.Conn(), group))
}

func (w *pgWriter) runRows(ctx context.Context, c *pgx.Conn, group []*operation) error {
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if err := w.writeRows(ctx, pgConn{tx}, group); err != nil {
			return err
		}
		if failpoint.On { // inlined twice over, the name of the place would stay in the program
			failpoint.Hit("writer: before the commit")
		}
		return nil
	})
}

// runBulk writes a group in bulk. All of it is of one kind, as each writer has its own.
func (w *pgWriter) runBulk(ctx context.Context, c *pgx.Conn, group []*operation) error {
	if group[0].record != nil {
		return w.recordBulk(ctx, c, group)
	}
	return w.publishBulk(ctx, c, group)
}

func (w *pgWriter) writeRows(ctx context.Context, c conn, group []*operation) error {
	l := newLedger(ctx, c, w.lockOwn())
	for _, op := range group {
		if op.record == nil {
			continue
		}
		op.record.begin()
		if err := l.record(op); err != nil {
			return err
		}
	}
	if err := l.close(); err != nil {
		return err
	}
	known := revisions{}
	for _, op := range group {
		if op.publish == nil {
			continue
		}
		if err := w.numbers.publishOne(ctx, c, op, known, forShare); err != nil {
			return err
		}
	}
	return nil
}

func (w *pgWriter) forget() { w.numbers.forget() }
