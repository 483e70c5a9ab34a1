package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// withLanes hops through index deliveries_due from endpoint to endpoint, from after $1:
// each step probes it for the next.
const withLanes = `with recursive lane(endpoint_id) as (
		select min(endpoint_id) from deliveries where due_at is not null and endpoint_id > $1
		union all
		select (select min(d.endpoint_id) from deliveries d where d.due_at is not null and d.endpoint_id > lane.endpoint_id) from lane where lane.endpoint_id is not null
	)`

// dueQuery probes the index once more for each endpoint's earliest due time.
const dueQuery = withLanes + `
	select endpoint_id, (select min(d.due_at) from deliveries d where d.endpoint_id = lane.endpoint_id and d.due_at is not null)
	from lane where endpoint_id is not null limit $2`

// Due gives every endpoint with a due time.
func (s *Store) Due(ctx context.Context, after string, limit int) ([]store.Due, error) {
	rs, err := s.quick.query(ctx, dueQuery, after, limit)
	due, err := collect(rs, err, func(r scanner) (d store.Due, err error) {
		var when *int64 // null when the row went between the two probes
		err = r.Scan(&d.EndpointID, &when)
		if when != nil {
			d.DueAt = at(*when)
		}
		return d, err
	})
	return due, reading("look for due work", err)
}

// Claim leases due work.
func (s *Store) Claim(ctx context.Context, claim store.Claim) ([]store.Claimed, error) {
	var all []store.Claimed
	err := s.write(ctx, "claim", func(ctx context.Context, c conn) error {
		all = all[:0] // a transaction may run again
		for _, w := range inOrder(claim.Wants) {
			one, err := s.claimLane(ctx, c, claim, w)
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		failpoint.Hit("claim: leases written, not committed")
		return nil
	})
	if err != nil {
		return nil, err // what was leased was undone, or its commit may have been
	}
	return all, nil
}

// inOrder gives the wants in the order of their endpoints: nodes that claim from
// the same ones lock them in the same order.
func inOrder(wants []store.Want) []store.Want {
	return slices.SortedFunc(slices.Values(wants), func(a, b store.Want) int { return strings.Compare(a.EndpointID, b.EndpointID) })
}

func (s *Store) claimLane(ctx context.Context, c conn, claim store.Claim, w store.Want) (store.Claimed, error) {
	got := store.Claimed{EndpointID: w.EndpointID}
	lane, err := s.lockLane(ctx, c, &got)
	if err != nil {
		return got, err
	}
	limit := w.Max
	switch {
	case got.State != delivery.Enabled:
		n, err := s.settleLane(ctx, c, w.EndpointID, got.State, claim.Now, settleBatch)
		if err != nil {
			return got, err
		}
		if n >= settleBatch {
			got.NextDue = claim.Now // there may be more, also of what has no due time
			return got, nil
		}
		limit = 0
	case got.Health.Narrow():
		limit = min(limit, lane.probes(claim.Now, got.Health))
	}
	if limit > 0 {
		if err := s.leaseDue(ctx, c, claim, store.Want{Max: limit, Bytes: w.Bytes}, &got); err != nil {
			return got, err
		}
	}
	if got.Health.Narrow() && len(got.Leases) == 1 {
		_, err := c.exec(ctx, `update endpoints set probe_token = $1, probe_until = $2 where id = $3`, got.Leases[0].Token, ms(claim.Until), w.EndpointID)
		if err != nil {
			return got, fmt.Errorf("note probe: %w", err)
		}
	}
	return got, nextDue(ctx, c, &got)
}

// probe is the one attempt that a narrow endpoint gets at a time.
type probe struct{ token, until int64 }

// probes gives how many attempts a narrow endpoint may begin now: none while
// one is on its way or the spacing runs, else one.
func (p probe) probes(now time.Time, h delivery.Health) int {
	onItsWay := p.token != 0 && p.until > ms(now)
	if onItsWay || h.NextAt.After(now) {
		return 0
	}
	return 1
}

func (s *Store) lockLane(ctx context.Context, c conn, got *store.Claimed) (probe, error) {
	var p probe
	var until, next int64
	err := c.row(ctx, `select state, failures, streak, counted_until, next_at, probe_token, probe_until from endpoints where id = $1`+s.engine.lockOwn(), got.EndpointID).
		Scan(&got.State, &got.Health.Failures, &got.Health.Streak, &until, &next, &p.token, &p.until)
	if errors.Is(err, errNoRow) {
		got.State = delivery.Deleted
		return p, nil
	}
	got.Health.CountedUntil, got.Health.NextAt = at(until), at(next)
	return p, err
}

// candidate is a due delivery that is about to be leased.
type candidate struct {
	lease  delivery.Lease
	status delivery.Status
	node   string
	since  int64
}

const selectDue = `select d.id, d.account_id, d.endpoint_id, d.status, d.cycle, d.attempts, d.used, d.resumed, d.faults, d.token, d.node, d.updated_at, d.due_at, e.id, e.type, e.body
	from deliveries d join events e on e.seq = d.event_seq where d.endpoint_id = $1 and d.due_at is not null and d.due_at <= $2`

func scanCandidate(r scanner) (k candidate, err error) {
	l := &k.lease
	var due int64
	err = r.Scan(&l.ID, &l.AccountID, &l.EndpointID, &k.status, &l.Cycle, &l.Attempt, &l.Used, &l.Resumed, &l.Faults, &l.Token, &k.node, &k.since, &due, &l.EventID, &l.EventType, &l.Body)
	// What was asked for by hand, let go or given back is due from when that was written. Of what is being sent, the time is the end of its lease.
	if k.status == delivery.Retrying && due > k.since {
		l.PlannedAt = at(due)
	}
	return k, err
}

// scanWithin reads candidates until their bodies are more than so many bytes; the
// first it reads in any case. What is not read takes no memory.
func scanWithin(limit int) func(scanner) (candidate, error) {
	read := 0
	return func(r scanner) (candidate, error) {
		k, err := scanCandidate(r)
		first := read == 0
		read += len(k.lease.Body)
		if err == nil && limit > 0 && read > limit && !first {
			err = errEnough
		}
		return k, err
	}
}

// leaseDue leases due deliveries, oldest due first (index deliveries_due), closing
// the attempts of expired leases.
func (s *Store) leaseDue(ctx context.Context, c conn, claim store.Claim, w store.Want, got *store.Claimed) error {
	rs, err := c.query(ctx, selectDue+` order by d.due_at limit $3`+s.engine.lockRows(), got.EndpointID, ms(claim.Now), w.Max)
	found, err := collect(rs, err, scanWithin(w.Bytes))
	if err != nil || len(found) == 0 {
		return err
	}
	base := newToken()
	var unknown, leased [][]any
	for i := range found {
		k := &found[i]
		k.lease.Until = claim.Until
		if k.status == delivery.Sending {
			got.Expired++
			unknown = append(unknown, attemptRow(expired(k, claim.Now)))
			if k.lease.Cycle == delivery.Test {
				continue // made once: endTests ends it
			}
			k.lease.Faults++
		}
		k.lease.Attempt++
		k.lease.Token = base + int64(k.lease.ID)
		leased = append(leased, []any{k.lease.Attempt, k.lease.Faults, ms(claim.Until), k.lease.Token, claim.Node, ms(claim.Now), int64(k.lease.ID)})
		got.Leases = append(got.Leases, k.lease)
	}
	if len(unknown) > 0 {
		if err := s.closeUnknown(ctx, c, unknown, claim.Now); err != nil {
			return err
		}
		failpoint.Hit("claim: attempt closed as unknown, the next not begun")
	}
	_, err = c.many(ctx, leaseOne, leased)
	return err
}

const leaseOne = `update deliveries set status = 'sending', attempts = $1, faults = $2, due_at = $3, token = $4, node = $5, updated_at = $6 where id = $7`

// expired is the attempt of a lease that ran out: the node that made it died, or
// was too late to say how it ended.
func expired(k *candidate, now time.Time) *delivery.Attempt {
	return &delivery.Attempt{
		DeliveryID: k.lease.ID, Number: k.lease.Attempt, Cycle: k.lease.Cycle, Node: k.node, Effect: delivery.NoEffect,
		Outcome: delivery.Outcome{StartedAt: at(k.since), EndedAt: now, Class: delivery.Unknown},
		Hint:    "The program that made this attempt stopped before it could say how it ended, so the receiver may have got the event. It is being sent again with the same ids and uses up no attempt.",
	}
}

// closeUnknown logs expired attempts and ends expired tests.
func (s *Store) closeUnknown(ctx context.Context, c conn, attempts [][]any, now time.Time) error {
	if _, err := c.many(ctx, insertAttempt+` on conflict do nothing`, attempts); err != nil {
		return fmt.Errorf("close attempts: %w", err)
	}
	var ends [][]any
	for _, a := range attempts {
		ends = append(ends, []any{"the program stopped while this test was on its way", string(delivery.Unknown), ms(now), a[0], string(delivery.Test)})
	}
	_, err := c.many(ctx, `update deliveries set status = 'discarded', discard = $1, last_class = $2, updated_at = $3, due_at = null, token = 0, node = '' where id = $4 and cycle = $5`, ends)
	return err
}

// selectNextDue takes the first of index deliveries_due.
const selectNextDue = `select min(due_at) from deliveries where endpoint_id = $1 and due_at is not null`

func nextDue(ctx context.Context, c conn, got *store.Claimed) error {
	var next *int64
	if err := c.row(ctx, selectNextDue, got.EndpointID).Scan(&next); err != nil {
		return err
	}
	if next != nil {
		got.NextDue = at(*next)
	}
	return nil
}

// Return gives back leases that were not used.
func (s *Store) Return(ctx context.Context, leases []delivery.Lease, now time.Time) error {
	if len(leases) == 0 {
		return nil
	}
	back := make([][]any, len(leases))
	probes := make([][]any, len(leases))
	for i, l := range leases {
		back[i] = []any{ms(now), int64(l.ID), l.Token}
		probes[i] = []any{l.EndpointID, l.Token}
	}
	return s.write(ctx, "return leases", func(ctx context.Context, c conn) error {
		// Waiting again as it did before: pending if this was its very first attempt.
		_, err := c.many(ctx, `update deliveries set status = case when attempts = 1 and cycle = 'automatic' then 'pending' else 'retrying' end,
			attempts = attempts - 1, due_at = $1, token = 0, node = '', updated_at = $1 where id = $2 and token = $3 and status = 'sending'`, back)
		if err != nil {
			return err
		}
		_, err = c.many(ctx, `update endpoints set probe_token = 0, probe_until = 0 where id = $1 and probe_token = $2`, probes)
		return err
	})
}

// Settle holds or discards what waits for an endpoint that does not receive.
func (s *Store) Settle(ctx context.Context, endpointID string, now time.Time, limit int) (int, error) {
	var n int64
	err := s.write(ctx, "settle", func(ctx context.Context, c conn) error {
		got := store.Claimed{EndpointID: endpointID}
		if _, err := s.lockLane(ctx, c, &got); err != nil {
			return err
		}
		var err error
		n, err = s.settleLane(ctx, c, endpointID, got.State, now, limit)
		return err
	})
	return int(n), err
}

// settleLane settles, leases that ended included: their attempts are closed as unknown.
// Those are looked for last: among what waits they would be found by reading all of it,
// each time, while everybody else who writes waits.
func (s *Store) settleLane(ctx context.Context, c conn, endpointID string, state delivery.State, now time.Time, limit int) (int64, error) {
	if state == delivery.Enabled {
		return 0, nil
	}
	n, err := settle(ctx, c, endpointID, state, ms(now), int64(limit))
	if err != nil || n >= int64(limit) {
		return n, err
	}
	ended, err := s.endLeasesOf(ctx, c, endpointID, now, int64(limit)-n)
	if err != nil || ended == 0 {
		return n, err
	}
	more, err := settle(ctx, c, endpointID, state, ms(now), int64(limit)-n)
	return n + more, err
}

// endLeasesOf lets what an endpoint's ended leases were sending wait again (index
// deliveries_due, in which nothing of the endpoint waits any more). It answers how many ended.
func (s *Store) endLeasesOf(ctx context.Context, c conn, endpointID string, now time.Time, limit int64) (int, error) {
	rs, err := c.query(ctx, selectDue+` and d.status = 'sending' order by d.due_at limit $3`+s.engine.lockRows(), endpointID, ms(now), limit)
	found, err := collect(rs, err, scanCandidate)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	var unknown, waiting [][]any
	for i := range found {
		unknown = append(unknown, attemptRow(expired(&found[i], now)))
		waiting = append(waiting, []any{ms(now), int64(found[i].lease.ID), string(delivery.Test)})
	}
	if err := s.closeUnknown(ctx, c, unknown, now); err != nil {
		return 0, err
	}
	_, err = c.many(ctx, `update deliveries set status = 'retrying', faults = faults + 1, token = 0, node = '', last_class = 'unknown', due_at = $1, updated_at = $1 where id = $2 and cycle <> $3`, waiting)
	return len(found), err
}

// settle moves what waits for an endpoint to where nothing is lost: held while it is
// disabled, discarded when it is deleted. What is being sent may finish.
func settle(ctx context.Context, c conn, endpointID string, state delivery.State, now, limit int64) (int64, error) {
	if state == delivery.Enabled {
		return 0, nil
	}
	status, reason, from := delivery.Held, "", []string{"pending", "retrying"}
	if state == delivery.Deleted {
		status, reason, from = delivery.Discarded, "its endpoint was deleted", []string{"pending", "retrying", "held"}
	}
	var moved int64
	for _, one := range from {
		// Index deliveries_endpoint_aside.
		n, err := c.exec(ctx, `update deliveries set status = $1, discard = $2, due_at = null, updated_at = $3 where id in
			(select id from deliveries where endpoint_id = $4 and status = '`+one+`' limit $5) and status = '`+one+`'`, string(status), reason, now, endpointID, limit-moved)
		if err != nil {
			return moved, fmt.Errorf("settle: %w", err)
		}
		moved += n
	}
	return moved, nil
}

// Lane reads an endpoint with its live secrets.
func (s *Store) Lane(ctx context.Context, endpointID string, now time.Time) (store.Lane, error) {
	e, err := scanEndpoint(s.quick.row(ctx, selectEndpoint+` where id = $1`, endpointID))
	if err != nil {
		return store.Lane{}, reading("read endpoint", err)
	}
	secrets, err := liveSecrets(ctx, s.quick, endpointID, ms(now))
	return store.Lane{Endpoint: e, Secrets: byUse(secrets)}, reading("read secrets", err)
}

// nodeLife is how long after its last word a node still counts as living.
const nodeLife = 15 * time.Second

// Beat says that a node lives. Where nobody else can be, nothing is written.
func (s *Store) Beat(ctx context.Context, node string, now time.Time) (int, error) {
	if !s.engine.shared() {
		return 1, nil
	}
	var living int
	err := s.write(ctx, "beat", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `insert into nodes (id, seen_at) values ($1, $2) on conflict (id) do update set seen_at = excluded.seen_at`, node, ms(now))
		if err != nil {
			return err
		}
		if _, err := c.exec(ctx, `delete from nodes where seen_at < $1`, ms(now.Add(-time.Hour))); err != nil {
			return err
		}
		return c.row(ctx, `select count(*) from nodes where seen_at >= $1`, ms(now.Add(-nodeLife))).Scan(&living)
	})
	return max(living, 1), err
}

// Leave removes a node.
func (s *Store) Leave(ctx context.Context, node string) error {
	if !s.engine.shared() {
		return nil
	}
	return s.write(ctx, "leave", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `delete from nodes where id = $1`, node)
		return err
	})
}
