package sqlstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// publishing is a batch on its way through the writer, with its answer.
type publishing struct {
	batch  *store.Batch
	answer []store.Published
}

// Publish commits a batch through the writer.
func (s *Store) Publish(ctx context.Context, batch *store.Batch) ([]store.Published, error) {
	op := &operation{publish: &publishing{batch: batch}}
	if err := s.submit(ctx, op); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return op.publish.answer, nil
}

const selectRevision = `select revision from accounts where id = $1 and deleted_at = 0`

// Subscriptions reads the revision first: a change in between makes Publish
// answer ErrStale, never match against a mixture.
func (s *Store) Subscriptions(ctx context.Context, accountID string) (store.Subscriptions, error) {
	sub := store.Subscriptions{AccountID: accountID}
	if err := s.quick.row(ctx, selectRevision, accountID).Scan(&sub.Revision); err != nil {
		return sub, reading("read account", err)
	}
	// Index endpoints_account.
	rs, err := s.quick.query(ctx, `select id, events, state from endpoints where account_id = $1 and state <> 'deleted'`, accountID)
	sub.Endpoints, err = collect(rs, err, func(r scanner) (store.Subscription, error) {
		var one store.Subscription
		var events string
		if err := r.Scan(&one.EndpointID, &events, &one.State); err != nil {
			return one, err
		}
		return one, json.Unmarshal([]byte(events), &one.Events)
	})
	if err != nil {
		return sub, reading("read subscriptions", err)
	}
	sub.Types, err = listTypes(ctx, s.quick, accountID)
	return sub, err
}

// bump moves an account's revision: what publishing knows of it is out of date.
func bump(ctx context.Context, c conn, accountID string) error {
	_, err := c.exec(ctx, `update accounts set revision = revision + 1 where id = $1`, accountID)
	return err
}

const (
	insertEvent = `insert into events (seq, account_id, id, type, created_at, body, hash, idem_key, first_delivery, deliveries)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing`
	insertDelivery = `insert into deliveries (id, account_id, event_seq, endpoint_id, status, cycle, attempts, due_at, token, node, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
)

// revisions remembers, within one transaction, which revision an account has.
type revisions map[string]int64

// current reports whether the batch was matched with what the account has now,
// and keeps that from changing until the commit.
func (v revisions) current(ctx context.Context, c conn, b *store.Batch, lock string) error {
	if _, ok := v[b.AccountID]; !ok {
		var now int64
		err := c.row(ctx, selectRevision+lock, b.AccountID).Scan(&now)
		if err != nil && !errors.Is(err, errNoRow) {
			return err
		}
		if err == nil {
			v[b.AccountID] = now
		}
	}
	return v.check(b)
}

// check compares a batch with what was read of its account.
func (v revisions) check(b *store.Batch) error {
	now, ok := v[b.AccountID]
	if !ok {
		return store.ErrNotFound
	}
	if b.Revision != 0 && b.Revision != now {
		return store.ErrStale
	}
	return nil
}

// publishOne writes one batch, row by row, inside a transaction that others may
// share. An error of its own goes to op.err and leaves nothing written.
func (n *numbers) publishOne(ctx context.Context, c conn, op *operation, known revisions, lock string) error {
	b := op.publish.batch
	err := known.current(ctx, c, b, lock)
	if err == nil {
		err = n.owned(ctx, c, b)
	}
	if err != nil {
		op.err = own(err)
		return foreign(err)
	}
	if len(b.Events) == 1 {
		return n.publishEvents(ctx, c, op)
	}
	if _, err := c.exec(ctx, "savepoint batch"); err != nil {
		return err
	}
	if err := n.publishEvents(ctx, c, op); err != nil {
		return err
	}
	if op.err != nil {
		if _, err := c.exec(ctx, "rollback to savepoint batch"); err != nil {
			return err
		}
	}
	_, err = c.exec(ctx, "release savepoint batch")
	return err
}

func (n *numbers) publishEvents(ctx context.Context, c conn, op *operation) error {
	b := op.publish.batch
	op.publish.answer = make([]store.Published, len(b.Events))
	for i := range b.Events {
		answer, err := n.publishEvent(ctx, c, b.AccountID, &b.Events[i])
		if conflict := (*store.Conflict)(nil); errors.As(err, &conflict) {
			conflict.Index = i
			op.err, op.publish.answer = conflict, nil
			return nil
		}
		if err != nil {
			return err
		}
		op.publish.answer[i] = answer
	}
	return nil
}

func (n *numbers) publishEvent(ctx context.Context, c conn, accountID string, e *store.NewEvent) (store.Published, error) {
	if e.Key != "" {
		first, known, err := knownEvent(ctx, c, accountID, e)
		if known || err != nil {
			return first, err
		}
	}
	seq := n.assign(e)
	added, err := c.exec(ctx, insertEvent, eventRow(seq, accountID, e)...)
	if err != nil {
		return store.Published{}, err
	}
	if added == 0 {
		first, known, err := knownEvent(ctx, c, accountID, e)
		if err == nil && !known {
			err = fmt.Errorf("event %s was neither added nor found", e.ID)
		}
		return first, err
	}
	failpoint.Hit("publish: event written, its deliveries not")
	for i := range e.Deliveries {
		if _, err := c.exec(ctx, insertDelivery, deliveryRow(seq, accountID, e, &e.Deliveries[i])...); err != nil {
			return store.Published{}, err
		}
	}
	failpoint.Hit("publish: written, not committed")
	return accepted(e), nil
}

func eventRow(seq int64, accountID string, e *store.NewEvent) []any {
	var key *string
	if e.Key != "" {
		key = &e.Key
	}
	return []any{seq, accountID, e.ID, e.Type, ms(e.CreatedAt), e.Body, e.Hash[:], key, firstDelivery(e), len(e.Deliveries)}
}

func firstDelivery(e *store.NewEvent) int64 {
	if len(e.Deliveries) == 0 {
		return 0
	}
	return int64(e.Deliveries[0].ID)
}

func deliveryRow(seq int64, accountID string, e *store.NewEvent, d *store.NewDelivery) []any {
	attempts, due := placed(e, d)
	created := ms(e.CreatedAt)
	return []any{int64(d.ID), accountID, seq, d.EndpointID, string(d.Status), string(d.Cycle), attempts, due, d.Token, d.Node, created, created}
}

// placed gives a new delivery's attempt number and due time: written as Sending
// it is claimed already, its first attempt leased.
func placed(e *store.NewEvent, d *store.NewDelivery) (attempts int, due *int64) {
	var when int64
	switch d.Status {
	case delivery.Sending:
		attempts, when = 1, ms(d.Until)
	case delivery.Pending:
		when = ms(e.CreatedAt)
	default:
		return 0, nil
	}
	return attempts, &when
}

func accepted(e *store.NewEvent) store.Published {
	p := store.Published{EventID: e.ID, Type: e.Type, CreatedAt: e.CreatedAt, Deliveries: make([]store.DeliveryRef, len(e.Deliveries))}
	for i, d := range e.Deliveries {
		p.Deliveries[i] = store.DeliveryRef{ID: d.ID, EndpointID: d.EndpointID}
	}
	return p
}

// selectKnown walks the indexes events_id and events_key.
const selectKnown = `select seq, id, type, created_at, hash, first_delivery, deliveries from events where account_id = $1 and id = $2
		union select seq, id, type, created_at, hash, first_delivery, deliveries from events where account_id = $1 and idem_key = $3`

// knownEvent looks for an event with this id or key. One with the same hash is
// the first acceptance; anything else is a conflict.
func knownEvent(ctx context.Context, c conn, accountID string, e *store.NewEvent) (store.Published, bool, error) {
	rs, err := c.query(ctx, selectKnown, accountID, e.ID, e.Key)
	type found struct {
		p           store.Published
		hash        []byte
		seq, first  int64
		deliveries  int64
		createdUnix int64
	}
	all, err := collect(rs, err, func(r scanner) (f found, err error) {
		return f, r.Scan(&f.seq, &f.p.EventID, &f.p.Type, &f.createdUnix, &f.hash, &f.first, &f.deliveries)
	})
	if err != nil || len(all) == 0 {
		return store.Published{}, false, err
	}
	f := all[0]
	if len(all) > 1 || !bytes.Equal(f.hash, e.Hash[:]) {
		return store.Published{}, true, knownConflict(e, f.p.EventID, len(all))
	}
	f.p.CreatedAt, f.p.Replayed = at(f.createdUnix), true
	f.p.Deliveries, err = refs(ctx, c, f.first, f.deliveries)
	return f.p, true, err
}

func knownConflict(e *store.NewEvent, id string, matches int) error {
	switch {
	case matches > 1:
		return store.Conflictf("this id and this Idempotency-Key were used for two different events; use a new key, or leave one of them out")
	case id == e.ID:
		return store.Conflictf("an event with id %s was accepted before with other content; use a new id for a new event", e.ID)
	}
	return store.Conflictf("this Idempotency-Key was used before for an event with other content (%s); use a new key for a new event", id)
}

const selectRefs = `select id, endpoint_id from deliveries where id >= $1 and id < $2 order by id`

func refs(ctx context.Context, c conn, first, count int64) ([]store.DeliveryRef, error) {
	rs, err := c.query(ctx, selectRefs, first, first+count)
	return collect(rs, err, func(r scanner) (d store.DeliveryRef, err error) { return d, r.Scan(&d.ID, &d.EndpointID) })
}

// own gives an error that concerns its operation alone, foreign one that fails
// the transaction.
func own(err error) error {
	for _, target := range []error{store.ErrNotFound, store.ErrStale, store.ErrConflict, store.ErrLimit, store.ErrDisabled} {
		if errors.Is(err, target) {
			return err
		}
	}
	return nil
}

func foreign(err error) error {
	if own(err) != nil {
		return nil
	}
	return err
}
