package sqlstore

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// rewindBatch is how many deliveries one transaction mends.
const rewindBatch = 1000

// aheadQuery gives the endpoints that have a delivery to mend (index deliveries_due).
const aheadQuery = withLanes + `
	select endpoint_id from lane where endpoint_id is not null and exists
		(select 1 from deliveries d where d.endpoint_id = lane.endpoint_id and d.due_at is not null and d.due_at > $2 and d.updated_at > $3)`

// seenAhead is how far ahead of the clock a node was seen that saw another clock.
const seenAhead = 5 * time.Second

// Rewind mends what was written before the clock was put back, in transactions of
// bounded length.
func (s *Store) Rewind(ctx context.Context, p delivery.Policy, now, beyond time.Time) (int, error) {
	ahead := now.Add(seenAhead)
	var seen int
	if err := s.quick.row(ctx, `select count(*) from nodes where seen_at > $1`, ms(ahead)).Scan(&seen); err != nil {
		return 0, reading("look for nodes ahead", err)
	}
	if seen == 0 {
		return s.rewind(ctx, p, now, beyond)
	}
	if beyond.After(ahead) {
		beyond = ahead
	}
	n, err := s.rewind(ctx, p, now, beyond)
	if err != nil {
		return n, err
	}
	return n, s.write(ctx, "rewind", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `delete from nodes where seen_at > $1`, ms(ahead)) // those that live are seen again
		return err
	})
}

func (s *Store) rewind(ctx context.Context, p delivery.Policy, now, beyond time.Time) (int, error) {
	rs, err := s.quick.query(ctx, aheadQuery, "", ms(beyond), ms(now))
	ids, err := collect(rs, err, func(r scanner) (id string, err error) { return id, r.Scan(&id) })
	if err != nil {
		return 0, reading("look for times ahead", err)
	}
	total := 0
	for _, id := range ids {
		n, err := s.rewindLane(ctx, id, now, beyond)
		total += n
		if err != nil {
			return total, err
		}
	}
	n, err := s.rewindHealth(ctx, p, now)
	return total + n, err
}

// rewindDue moves due times back by as much as the rows were last written ahead of
// the clock (index deliveries_due). A lock for its rows and ")" follow.
const rewindDue = `update deliveries set due_at = due_at - updated_at + $1, updated_at = $1 where id in
	(select d.id from deliveries d where d.endpoint_id = $2 and d.due_at is not null and d.due_at > $3 and d.updated_at > $1 order by d.due_at limit $4`

// rewindLane mends an endpoint's deliveries. One that is just being recorded it leaves to the next look.
func (s *Store) rewindLane(ctx context.Context, endpointID string, now, beyond time.Time) (int, error) {
	total := 0
	for {
		var n int64
		err := s.write(ctx, "rewind", func(ctx context.Context, c conn) (err error) {
			n, err = c.exec(ctx, rewindDue+s.engine.lockRows()+")", ms(now), endpointID, ms(beyond), rewindBatch)
			return err
		})
		total += int(n)
		if err != nil || n < rewindBatch {
			return total, err
		}
	}
}

// rewindHealth ends what the policy does not let last so long. Endpoints and running jobs are few.
func (s *Store) rewindHealth(ctx context.Context, p delivery.Policy, now time.Time) (int, error) {
	lease := ms(now.Add(p.Lease()))
	total := 0
	for _, one := range []struct {
		query string
		most  int64
	}{
		{`update endpoints set counted_until = 0 where counted_until > $1`, lease},
		{`update endpoints set next_at = 0 where next_at > $1`, ms(now.Add(p.LongestRest()))},
		{`update endpoints set probe_until = $1 where probe_until > $1`, lease},
		{`update jobs set lease_until = $1 where state = 'running' and lease_until > $1`, lease}, // index jobs_running
	} {
		var n int64
		err := s.write(ctx, "rewind", func(ctx context.Context, c conn) (err error) {
			n, err = c.exec(ctx, one.query, one.most)
			return err
		})
		total += int(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}
