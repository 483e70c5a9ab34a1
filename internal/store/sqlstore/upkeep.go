package sqlstore

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// countAside counts in one walk of index deliveries_aside: its condition stands here word
// for word, as SQLite needs it to use the index.
const countAside = `select count(case when status = 'pending' or status = 'retrying' then 1 end), count(case when status = 'held' then 1 end),
	count(case when status = 'failed' then 1 end) from deliveries
	where status = 'pending' or status = 'retrying' or status = 'failed' or status = 'held' or status = 'discarded'`

// selectLate probes index deliveries_due for each endpoint's earliest due time, and looks through what is being sent
// (index deliveries_sending). $4 is the concurrency of endpoints that set none; half of it on its way is enough, since one
// that is at its most has a little less for a moment after each end. (They are grouped by a text that no index holds: SQLite
// would read all deliveries in the order of their endpoints.)
const selectLate = withLanes + `
	select min(first.due_at) from (select endpoint_id, (select min(d.due_at) from deliveries d where d.endpoint_id = lane.endpoint_id and d.due_at is not null) as due_at
		from lane where endpoint_id is not null) as first
	join endpoints e on e.id = first.endpoint_id
	left join (select endpoint_id || '' as id, count(case when due_at > $2 then 1 end) as sending from deliveries where status = 'sending' group by endpoint_id || '') as own on own.id = e.id
	where e.state = 'enabled' and e.streak < $3 and e.rate_limit = 0
	and 2 * coalesce(own.sending, 0) < case when e.concurrency = 0 then $4 else e.concurrency end`

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
	d.Oldest = since(oldest, now)
	err = s.reads.row(ctx, selectLate, "", ms(now), delivery.NarrowAfter, delivery.DefaultConcurrency).Scan(&oldest)
	if err != nil {
		return d, reading("look for what is late", err)
	}
	d.Late = since(oldest, now)
	err = s.reads.row(ctx, countAside).Scan(&d.Waiting, &d.Held, &d.Failed)
	if err != nil {
		return d, reading("count what is set aside", err)
	}
	d.Sending = max(timed-d.Waiting, 0)
	err = s.reads.row(ctx, `select count(case when state = 'enabled' then 1 end), count(case when state = 'enabled' and streak >= 3 then 1 end),
		count(case when state = 'disabled' then 1 end) from endpoints`).Scan(&d.Enabled, &d.Narrow, &d.Disabled)
	return d, reading("count endpoints", err)
}

// since gives how long ago a time is; 0 = it is to come, or none.
func since(when *int64, now time.Time) time.Duration {
	if when == nil {
		return 0
	}
	return max(now.Sub(at(*when)), 0)
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
