package sqlstore

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// countAside counts in one walk of index deliveries_aside: its condition stands here word
// for word, as SQLite needs it to use the index.
const countAside = `select count(case when status = 'pending' or status = 'retrying' then 1 end), count(case when status = 'held' then 1 end),
	count(case when status = 'failed' then 1 end) from deliveries
	where status = 'pending' or status = 'retrying' or status = 'failed' or status = 'held' or status = 'discarded'`

// Depth counts for the metrics, walking indexes alone: deliveries_due for what
// has a due time, deliveries_aside for what is set aside.
func (s *Store) Depth(ctx context.Context, now time.Time) (store.Depth, error) {
	var d store.Depth
	var timed int
	var oldest *int64
	err := s.reads.row(ctx, `select count(*), count(case when due_at <= $1 then 1 end), min(due_at) from deliveries where due_at is not null`, ms(now)).
		Scan(&timed, &d.Due, &oldest)
	if err != nil {
		return d, reading("count queue", err)
	}
	if oldest != nil && *oldest < ms(now) {
		d.Oldest = now.Sub(at(*oldest))
	}
	err = s.reads.row(ctx, countAside).Scan(&d.Waiting, &d.Held, &d.Failed)
	if err != nil {
		return d, reading("count what is set aside", err)
	}
	d.Sending = max(timed-d.Waiting, 0)
	err = s.reads.row(ctx, `select count(case when state = 'enabled' then 1 end), count(case when state = 'enabled' and streak >= 3 then 1 end),
		count(case when state = 'disabled' then 1 end) from endpoints`).Scan(&d.Enabled, &d.Narrow, &d.Disabled)
	return d, reading("count endpoints", err)
}

// Value reads a small fact of the installation.
func (s *Store) Value(ctx context.Context, name string) ([]byte, error) {
	var v []byte
	err := s.reads.row(ctx, `select value from facts where name = $1`, name).Scan(&v)
	return v, reading("read "+name, err)
}

// SetValueOnce keeps a fact unless there is one, and answers the one kept.
func (s *Store) SetValueOnce(ctx context.Context, name string, value []byte) ([]byte, error) {
	var kept []byte
	err := s.write(ctx, "keep "+name, func(ctx context.Context, c conn) error {
		if _, err := c.exec(ctx, `insert into facts (name, value) values ($1, $2) on conflict do nothing`, name, value); err != nil {
			return err
		}
		return c.row(ctx, `select value from facts where name = $1`, name).Scan(&kept)
	})
	return kept, err
}
