package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const selectDelivery = `select d.id, d.account_id, e.id, e.type, d.endpoint_id, d.status, d.cycle, d.attempts, d.used, coalesce(d.due_at, 0),
	d.last_class, d.last_code, d.discard, d.created_at, d.updated_at from deliveries d join events e on e.seq = d.event_seq`

func scanDelivery(r scanner) (d delivery.Delivery, err error) {
	var due, created, updated int64
	err = r.Scan(&d.ID, &d.AccountID, &d.EventID, &d.EventType, &d.EndpointID, &d.Status, &d.Cycle, &d.Attempts, &d.Used, &due,
		&d.LastClass, &d.LastCode, &d.Discard, &created, &updated)
	d.DueAt, d.CreatedAt, d.UpdatedAt = at(due), at(created), at(updated)
	return d, err
}

// Delivery reads one.
func (s *Store) Delivery(ctx context.Context, accountID string, id delivery.ID) (delivery.Delivery, error) {
	d, err := scanDelivery(s.reads.row(ctx, selectDelivery+` where d.id = $1 and d.account_id = $2`, int64(id), accountID))
	return d, reading("read delivery", err)
}

// arms gives the conditions of f, once for each status it names: equality with a
// status in the text is what lets both engines use the partial indexes
// deliveries_aside and deliveries_endpoint_aside. Without statuses there is one,
// which walks deliveries_log or deliveries_endpoint. none = nothing can match.
func (s *Store) arms(ctx context.Context, c conn, accountID string, f store.DeliveryFilter) (arms []where, none bool, err error) {
	account, endpoint := `d.account_id`, `d.endpoint_id`
	if f.EndpointID != "" { // PostgreSQL, as its samples of the tables fall, would look for them among all of the account
		account = s.engine.unindexed(account)
	}
	if f.EventID != "" { // its numbers find the few, and SQLite would take an index of the whole log for its order
		account, endpoint = s.engine.unindexed(`d.account_id`), s.engine.unindexed(endpoint)
	}
	base := where{args: []any{accountID}, text: account + ` = $1`}
	if f.EventID != "" {
		var first, count int64
		err := c.row(ctx, `select first_delivery, deliveries from events where account_id = $1 and id = $2`, accountID, f.EventID).Scan(&first, &count)
		if errors.Is(err, errNoRow) || err == nil && count == 0 {
			return nil, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		base.add(`d.id >= ? and d.id < ?`, first, first+count)
	}
	if f.EndpointID != "" {
		base.add(endpoint+` = ?`, f.EndpointID)
	}
	if len(f.Types) > 0 {
		// Not e.type: PostgreSQL would read all events to find those of a rare one, and then their deliveries.
		base.in(`(select t.type from events t where t.seq = d.event_seq)`, f.Types)
	}
	if f.Class != "" {
		base.add(`d.last_class = ?`, string(f.Class))
	}
	if !f.From.IsZero() {
		base.add(`d.created_at >= ?`, ms(f.From))
	}
	if !f.To.IsZero() {
		base.add(`d.created_at < ?`, ms(f.To))
	}
	if f.NoTests {
		base.add(`d.cycle <> ?`, string(delivery.Test))
	}
	if len(f.Statuses) == 0 {
		return []where{base}, false, nil
	}
	for _, status := range f.Statuses {
		if !status.Valid() {
			continue // nothing has such a status
		}
		arm := where{text: base.text + ` and d.status = '` + string(status) + `'`, args: slices.Clone(base.args)}
		arms = append(arms, arm)
	}
	return arms, len(arms) == 0, nil
}

// each makes one statement that reads the first rows of each arm, behind those that it skips: a delivery that moves
// from one status to the next meanwhile is found in one of them. All arms have the same arguments.
func each(arms []where, columns, order string, most, skip int) (query string, args []any) {
	parts := make([]string, len(arms))
	for i := range arms {
		parts[i] = `select * from (` + columns + arms[i].sql() + order + ` limit ` + arms[i].arg(most) + ` offset ` + arms[i].arg(skip) + `) as arm`
	}
	return strings.Join(parts, " union all "), arms[0].args
}

// ListDeliveries pages through deliveries, newest first.
func (s *Store) ListDeliveries(ctx context.Context, accountID string, f store.DeliveryFilter, page store.Page) ([]delivery.Delivery, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	arms, none, err := s.arms(ctx, s.reads, accountID, f)
	if none || err != nil {
		return nil, "", reading("list deliveries", err)
	}
	list := search[delivery.Delivery]{patience: s.effort.patience, at: func(d delivery.Delivery) position { return position{at: ms(d.CreatedAt), id: int64(d.ID)} }}
	list.read = func(after, end position, most int) ([]delivery.Delivery, error) {
		return s.deliveriesIn(ctx, arms, after, end, most)
	}
	list.reach = func(position) (position, bool, error) { return position{}, false, nil }
	if walked, compares := indexed(f); compares {
		walks, _, err := s.arms(ctx, s.reads, accountID, walked)
		if err != nil {
			return nil, "", reading("list deliveries", err)
		}
		list.reach = func(after position) (position, bool, error) { return s.reach(ctx, walks, after) }
	}
	found, next, err := list.page(after.below(f.To), page.Limit)
	return found, next, reading("list deliveries", err)
}

// indexed gives the part of a filter by which an index is walked, and whether there is more to compare. An
// event has few deliveries, found by their numbers.
func indexed(f store.DeliveryFilter) (walked store.DeliveryFilter, compares bool) {
	walked = store.DeliveryFilter{EndpointID: f.EndpointID, Statuses: f.Statuses, From: f.From, To: f.To}
	aside := !slices.ContainsFunc(f.Statuses, func(s delivery.Status) bool { return s == delivery.Delivered || s == delivery.Sending })
	if !aside {
		walked.Statuses = nil
	}
	return walked, f.EventID == "" && (!aside || len(f.Types) > 0 || f.Class != "" || f.NoTests)
}

// reach gives where a step along the arms ends: at the newest of their ends, so that each is looked at down to there.
func (s *Store) reach(ctx context.Context, arms []where, after position) (end position, goesOn bool, err error) {
	arms = slices.Clone(arms)
	for i := range arms {
		arms[i].add(`(d.created_at, d.id) < (?, ?)`, after.at, after.id)
	}
	query, args := each(arms, `select d.created_at, d.id from deliveries d`, newestFirst, 1, s.effort.step-1)
	rs, err := s.reads.query(ctx, query, args...)
	ends, err := collect(rs, err, func(r scanner) (p position, err error) { return p, r.Scan(&p.at, &p.id) })
	if err != nil || len(ends) == 0 {
		return position{}, false, err
	}
	return slices.MaxFunc(ends, func(a, b position) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) }), true, nil
}

const newestFirst = ` order by d.created_at desc, d.id desc`

// deliveriesIn reads the newest deliveries of the arms between two places, the end among them.
func (s *Store) deliveriesIn(ctx context.Context, arms []where, after, end position, most int) ([]delivery.Delivery, error) {
	arms = slices.Clone(arms)
	for i := range arms {
		arms[i].add(`(d.created_at, d.id) < (?, ?) and (d.created_at, d.id) >= (?, ?)`, after.at, after.id, end.at, end.id)
	}
	query, args := each(arms, selectDelivery, newestFirst, most, 0)
	rs, err := s.reads.query(ctx, query, args...)
	found, err := collect(rs, err, scanDelivery)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b delivery.Delivery) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return found[:min(len(found), most)], nil
}

// Neighbours takes a step each way along the index deliveries_endpoint.
func (s *Store) Neighbours(ctx context.Context, accountID string, id delivery.ID) (older, newer delivery.ID, err error) {
	d, err := s.Delivery(ctx, accountID, id)
	if err != nil {
		return 0, 0, err
	}
	step := func(query string) (found delivery.ID, err error) {
		err = s.reads.row(ctx, query, d.EndpointID, accountID, ms(d.CreatedAt), int64(id)).Scan(&found)
		if errors.Is(err, errNoRow) {
			return 0, nil
		}
		return found, err
	}
	older, err = step(`select id from deliveries where endpoint_id = $1 and account_id = $2 and (created_at, id) < ($3, $4) order by created_at desc, id desc limit 1`)
	if err == nil {
		newer, err = step(`select id from deliveries where endpoint_id = $1 and account_id = $2 and (created_at, id) > ($3, $4) order by created_at, id limit 1`)
	}
	return older, newer, reading("read a delivery's neighbours", err)
}

// CountDeliveries counts what f matches.
func (s *Store) CountDeliveries(ctx context.Context, accountID string, f store.DeliveryFilter) (int, error) {
	arms, none, err := s.arms(ctx, s.reads, accountID, f)
	if none || err != nil {
		return 0, reading("count deliveries", err)
	}
	counts := make([]string, len(arms))
	for i, w := range arms {
		counts[i] = `(select count(*) from deliveries d` + w.sql() + `)`
	}
	var total int
	err = s.reads.row(ctx, `select `+strings.Join(counts, " + "), arms[0].args...).Scan(&total)
	return total, reading("count deliveries", err)
}

// CountDeadLetters groups the newest of the dead letter queue (index deliveries_aside).
func (s *Store) CountDeadLetters(ctx context.Context, accountID string, most int) ([]store.CauseCount, error) {
	rs, err := s.reads.query(ctx, `select endpoint_id, last_class, count(*) from
		(select endpoint_id, last_class from deliveries where account_id = $1 and status = 'failed' order by created_at desc, id desc limit $2) as newest
		group by endpoint_id, last_class order by count(*) desc, endpoint_id, last_class`, accountID, most)
	all, err := collect(rs, err, func(r scanner) (k store.CauseCount, err error) { return k, r.Scan(&k.EndpointID, &k.Class, &k.Count) })
	return all, reading("count dead letters", err)
}

// changing is a delivery that is about to be changed, with its endpoint's state.
type changing struct {
	delivery.Delivery
	state delivery.State
}

func (s *Store) lockDelivery(ctx context.Context, c conn, accountID string, id delivery.ID) (changing, error) {
	d, err := scanDelivery(c.row(ctx, selectDelivery+` where d.id = $1 and d.account_id = $2`+s.engine.lockD(), int64(id), accountID))
	if err != nil {
		return changing{}, err
	}
	k := changing{Delivery: d}
	err = c.row(ctx, `select state from endpoints where id = $1`, d.EndpointID).Scan(&k.state)
	if errors.Is(err, errNoRow) {
		k.state, err = delivery.Deleted, nil
	}
	return k, err
}

const retryDelivery = `update deliveries set status = 'retrying', cycle = 'manual', used = 0, resumed = 0, faults = 0, due_at = $1, discard = '', updated_at = $1 where id = $2`

// Retry begins a manual cycle.
func (s *Store) Retry(ctx context.Context, accountID string, id delivery.ID, now time.Time) (delivery.Delivery, error) {
	var d changing
	err := s.write(ctx, "retry", func(ctx context.Context, c conn) (err error) {
		if d, err = s.lockDelivery(ctx, c, accountID, id); err != nil {
			return err
		}
		if err := retriable(d); err != nil {
			return err
		}
		_, err = c.exec(ctx, retryDelivery, ms(now), int64(id))
		return err
	})
	if err != nil {
		return delivery.Delivery{}, err
	}
	return s.Delivery(ctx, accountID, id)
}

// retriable says why a delivery cannot be sent again now.
func retriable(d changing) error {
	switch {
	case d.Cycle == delivery.Test:
		return store.Conflictf("delivery %d is a test; send a new test instead", d.ID)
	case d.Status == delivery.Sending:
		return store.Conflictf("delivery %d is being sent right now; look at its attempts in a moment", d.ID)
	case d.state == delivery.Deleted:
		return store.Conflictf("delivery %d cannot be sent: its endpoint was deleted", d.ID)
	case d.state != delivery.Enabled:
		return store.ErrDisabled
	}
	return nil
}

// discardable says why a delivery cannot be given up now.
func discardable(d delivery.Delivery) error {
	switch d.Status {
	case delivery.Sending:
		return store.Conflictf("delivery %d is being sent right now; try again in a moment", d.ID)
	case delivery.Delivered, delivery.Discarded:
		return store.Conflictf("delivery %d is %s already; there is nothing left to discard", d.ID, d.Status)
	}
	return nil
}

// Discard gives up a delivery.
func (s *Store) Discard(ctx context.Context, accountID string, id delivery.ID, reason string, now time.Time) (delivery.Delivery, error) {
	err := s.write(ctx, "discard", func(ctx context.Context, c conn) error {
		d, err := s.lockDelivery(ctx, c, accountID, id)
		if err != nil {
			return err
		}
		if err := discardable(d.Delivery); err != nil {
			return err
		}
		_, err = c.exec(ctx, `update deliveries set status = 'discarded', discard = $1, due_at = null, updated_at = $2 where id = $3`, reason, ms(now), int64(id))
		return err
	})
	if err != nil {
		return delivery.Delivery{}, err
	}
	return s.Delivery(ctx, accountID, id)
}
