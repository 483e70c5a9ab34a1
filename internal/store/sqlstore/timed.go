package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// limits bound how long the database may take to answer. Without them a network that
// swallows what is sent, as when a firewall forgets a connection, would hold a caller for ever.
type limits struct {
	// quick is for what delivery and publishing wait for: a few probes of an index. It is short enough
	// that the work of a dead node is still taken over in time.
	quick time.Duration
	// slow is for what people ask for, whose filter may have to look at all of a log.
	slow time.Duration
	// write is for a transaction.
	write time.Duration
}

func (l limits) orDefaults() limits {
	return limits{quick: cmp.Or(l.quick, 10*time.Second), slow: cmp.Or(l.slow, 20*time.Second), write: cmp.Or(l.write, 30*time.Second)}
}

// timed is a pool whose statements end after a while, whatever their context says.
type timed struct {
	conn
	limit time.Duration
	as    error  // what an end before the answer is called
	late  func() // hears of such an end; nil = nobody
}

func (t timed) exec(ctx context.Context, query string, args ...any) (int64, error) {
	own, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	n, err := t.conn.exec(own, query, args...)
	return n, t.judge(ctx, own, err)
}

func (t timed) query(ctx context.Context, query string, args ...any) (rows, error) {
	own, cancel := context.WithTimeout(ctx, t.limit)
	rs, err := t.conn.query(own, query, args...)
	if err != nil {
		cancel()
		return nil, t.judge(ctx, own, err)
	}
	return timedRows{rs, func(err error) error { return t.judge(ctx, own, err) }, cancel}, nil
}

func (t timed) row(ctx context.Context, query string, args ...any) scanner {
	own, cancel := context.WithTimeout(ctx, t.limit)
	return timedRow{t.conn.row(own, query, args...), func(err error) error { return t.judge(ctx, own, err) }, cancel}
}

// judge tells an end that came from the limit from all others.
func (t timed) judge(ctx, own context.Context, err error) error {
	if err == nil || ctx.Err() != nil || !errors.Is(own.Err(), context.DeadlineExceeded) {
		return err
	}
	if t.late != nil {
		t.late()
	}
	return fmt.Errorf("%w: no answer within %s: %w", t.as, t.limit, err)
}

type timedRows struct {
	rows
	judge  func(error) error
	cancel context.CancelFunc
}

func (r timedRows) Scan(dest ...any) error { return r.judge(r.rows.Scan(dest...)) }

func (r timedRows) Err() error { return r.judge(r.rows.Err()) }

func (r timedRows) Close() {
	r.rows.Close()
	r.cancel()
}

type timedRow struct {
	scanner
	judge  func(error) error
	cancel context.CancelFunc
}

func (r timedRow) Scan(dest ...any) error {
	defer r.cancel()
	return r.judge(r.scanner.Scan(dest...))
}

// quickly is a pool for what delivery and publishing wait for.
func quickly(c conn, l limits, late func()) conn {
	return timed{conn: c, limit: l.quick, as: store.ErrUnavailable, late: late}
}

// slowly is a pool for what people ask for.
func slowly(c conn, l limits) conn { return timed{conn: c, limit: l.slow, as: store.ErrSlow} }
