package sqlstore

import (
	"context"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/failpoint"
)

// auditLife is how long the audit is kept whatever the retention of the log.
const auditLife = 365 * 24 * time.Hour

// walk remembers how far DeleteOld has come through the deliveries and events,
// so that rows that must stay are not looked at again before the end was reached.
type walk struct {
	mu                 sync.Mutex
	deliveries, events int64
}

// DeleteOld removes at most limit rows that ended before the given time: the
// ended deliveries with their attempts first, then the events nobody needs, then
// what counts them.
func (s *Store) DeleteOld(ctx context.Context, before time.Time, limit int) (int, error) {
	s.retention.mu.Lock()
	defer s.retention.mu.Unlock()
	for _, step := range []func(context.Context, time.Time, int) (int, error){s.deleteDeliveries, s.deleteEvents, s.deleteRest} {
		if n, err := step(ctx, before, limit); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

// aged is a row on the walk.
type aged struct {
	key, created int64
	goes         bool // it is old, ended and not needed
}

// gather walks a table upwards from where the walk stands until it has found
// something to delete or come to the end. Numbers are handed out in blocks, so a
// young row may stand before older ones; after young rows over two whole blocks
// nothing old can follow, but for what a node left unused for long, which is
// found when those have grown old.
func gather(at *int64, limit int, before int64, page func(after int64, limit int) ([]aged, error)) ([]int64, error) {
	youngFrom := int64(0)
	for {
		found, err := page(*at, limit)
		if err != nil {
			return nil, err
		}
		var old []int64
		for _, k := range found {
			*at = k.key
			switch {
			case k.goes:
				old = append(old, k.key)
				youngFrom = 0
			case k.created < before:
				youngFrom = 0
			case youngFrom == 0:
				youngFrom = k.key
			}
		}
		ended := len(found) < limit || youngFrom > 0 && *at-youngFrom >= 2*block
		if ended {
			*at = 0
		}
		if len(old) > 0 || ended {
			return old, nil
		}
	}
}

func (s *Store) deleteDeliveries(ctx context.Context, before time.Time, limit int) (int, error) {
	old, err := gather(&s.retention.deliveries, limit, ms(before), func(after int64, limit int) ([]aged, error) {
		rs, err := s.reads.query(ctx, `select id, created_at, case when (status = 'delivered' or status = 'failed' or status = 'discarded') and updated_at < $1 then 1 else 0 end
			from deliveries where id > $2 order by id limit $3`, ms(before), after, limit)
		return collect(rs, err, scanAged)
	})
	if err != nil || len(old) == 0 {
		return 0, reading("look for old deliveries", err)
	}
	still := make([][]any, len(old))
	for i, id := range old {
		still[i] = []any{id, ms(before)}
	}
	gone := 0
	err = s.write(ctx, "delete old deliveries", func(ctx context.Context, c conn) error {
		// A delivery may have been retried since it was looked at.
		counts, err := c.many(ctx, `delete from deliveries where id = $1 and updated_at < $2 and (status = 'delivered' or status = 'failed' or status = 'discarded')`, still)
		if err != nil {
			return err
		}
		gone = 0
		var removed [][]any
		for i, n := range counts {
			if n == 1 {
				gone++
				removed = append(removed, still[i][:1])
			}
		}
		failpoint.Hit("retention: deliveries deleted, their attempts not")
		_, err = c.many(ctx, `delete from attempts where delivery_id = $1`, removed)
		return err
	})
	return gone, err
}

func scanAged(r scanner) (k aged, err error) {
	var goes int
	err = r.Scan(&k.key, &k.created, &goes)
	k.goes = goes == 1
	return k, err
}

// deleteEvents removes old events none of whose deliveries is left.
func (s *Store) deleteEvents(ctx context.Context, before time.Time, limit int) (int, error) {
	old, err := gather(&s.retention.events, limit, ms(before), func(after int64, limit int) ([]aged, error) {
		rs, err := s.reads.query(ctx, `select seq, created_at, case when created_at < $1 and not exists (
				select 1 from deliveries d where d.id >= e.first_delivery and d.id < e.first_delivery + e.deliveries) then 1 else 0 end
			from events e where seq > $2 order by seq limit $3`, ms(before), after, limit)
		return collect(rs, err, scanAged)
	})
	if err != nil || len(old) == 0 {
		return 0, reading("look for old events", err)
	}
	rows := make([][]any, len(old))
	for i, seq := range old {
		rows[i] = []any{seq}
	}
	err = s.write(ctx, "delete old events", func(ctx context.Context, c conn) error {
		_, err := c.many(ctx, `delete from events where seq = $1`, rows)
		return err
	})
	return len(old), err
}

// SettleDeleted discards what was left held.
func (s *Store) SettleDeleted(ctx context.Context, limit int) (int, error) {
	var n int64
	err := s.write(ctx, "settle deleted endpoints", func(ctx context.Context, c conn) (err error) {
		n, err = c.exec(ctx, discardLeft, limit)
		return err
	})
	return int(n), err
}

// discardLeft finds what a crash has left held for an endpoint that was deleted, where
// the loop that sends has nothing to do any more. A cross join has SQLite go
// from the deleted endpoints to what is held for them (index deliveries_endpoint_aside).
const discardLeft = `update deliveries set status = 'discarded', discard = 'its endpoint was deleted', due_at = null where id in (
	select d.id from endpoints e cross join deliveries d where e.state = 'deleted' and d.endpoint_id = e.id and d.status = 'held' limit $1)`

// deleteRest removes what else has an age. A deleted account goes last, when
// nothing of it is left but its audit.
func (s *Store) deleteRest(ctx context.Context, before time.Time, limit int) (int, error) {
	total := 0
	err := s.write(ctx, "delete old rows", func(ctx context.Context, c conn) error {
		total = 0 // a transaction may run again
		for _, one := range []struct {
			query  string
			before time.Time
		}{
			{`delete from stats where (endpoint_id, minute, writer) in (select endpoint_id, minute, writer from stats where minute < $1 limit $2)`, before},
			{`delete from jobs where id in (select id from jobs where state <> 'running' and updated_at < $1 limit $2)`, before},
			{`delete from links where hash in (select hash from links where expires_at < $1 limit $2)`, before},
			{`delete from invites where id in (select id from invites where expires_at < $1 limit $2)`, before},
			{`delete from sessions where id in (select id from sessions where expires_at < $1 limit $2)`, before},
			{`delete from secrets where id in (select id from secrets where expires_at > 0 and expires_at < $1 limit $2)`, before},
			{`delete from audit where seq in (select seq from audit where at < $1 order by seq limit $2)`, before.Add(-auditLife)},
			// Those of an endpoint that is gone are left when a node of the release before, which knows no alerts, deleted it.
			{`delete from alerts where id in (select id from alerts a where closed_at > 0 and closed_at < $1
				or not exists (select 1 from endpoints e where e.id = a.endpoint_id) limit $2)`, before},
			{`delete from endpoints where id in (select id from endpoints e where state = 'deleted' and disabled_at < $1
				and not exists (select 1 from deliveries d where d.endpoint_id = e.id) limit $2)`, before},
			{`delete from keys where id in (select k.id from keys k join accounts a on a.id = k.account_id where a.deleted_at > 0 and a.deleted_at < $1 limit $2)`, before},
			{`delete from event_types where (account_id, name) in (select t.account_id, t.name from event_types t join accounts a on a.id = t.account_id
				where a.deleted_at > 0 and a.deleted_at < $1 limit $2)`, before},
			{`delete from accounts where id in (select id from accounts a where deleted_at > 0 and deleted_at < $1
				and not exists (select 1 from endpoints e where e.account_id = a.id) and not exists (select 1 from events v where v.account_id = a.id)
				and not exists (select 1 from keys k where k.account_id = a.id) limit $2)`, before},
		} {
			if total >= limit {
				return nil
			}
			n, err := c.exec(ctx, one.query, ms(one.before), limit-total)
			if err != nil {
				return err
			}
			total += int(n)
		}
		return nil
	})
	return total, err
}
