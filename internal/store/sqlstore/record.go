package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// settleBatch is how many deliveries are held, or discarded, within one transaction:
// so few that those who publish meanwhile do not notice (on SQLite, where they wait, 3 ms).
// Claiming goes on with the rest.
const settleBatch = 200

// recording is a batch of outcomes on its way through the writer, with its answer.
type recording struct {
	policy  delivery.Policy
	results []store.Result
	answer  []store.Recorded
}

// begin forgets what a transaction that failed has answered.
func (r *recording) begin() { r.answer = make([]store.Recorded, len(r.results)) }

// Record writes outcomes through the writer.
func (s *Store) Record(ctx context.Context, p delivery.Policy, results []store.Result) ([]store.Recorded, error) {
	if len(results) == 0 {
		return nil, nil
	}
	op := &operation{record: &recording{policy: p, results: results}}
	if err := s.submit(ctx, op); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return op.record.answer, nil
}

const (
	recordDelivered = `update deliveries set status = 'delivered', used = $1, faults = 0, due_at = null, token = 0, node = '',
		last_class = $2, last_code = $3, updated_at = $4 where id = $5 and token = $6`
	recordChange = `update deliveries set status = $1, used = $2, faults = $3, due_at = $4, token = 0, node = '',
		last_class = $5, last_code = $6, discard = $7, updated_at = $8 where id = $9 and token = $10`
	insertAttempt = `insert into attempts (delivery_id, number, cycle, node, started_at, ended_at, class, status_code, retry_after, effect, hint, local_info,
		dns, connect, tls, first_byte, total, url, request, proto, response, body, truncated, planned_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`
)

// ledger writes outcomes of one transaction, keeping the endpoints they touch.
type ledger struct {
	ctx     context.Context
	c       conn
	lockOwn string
	known   map[string]*endpointHealth
}

// endpointHealth is what an outcome may change of an endpoint.
type endpointHealth struct {
	id, accountID string
	state         delivery.State
	health        delivery.Health
	probe         int64
	dirty         bool
}

// lock reads the endpoints of an operation in the order of their ids, so that two
// nodes that record for the same ones wait for each other and never in a circle.
func (l *ledger) lock(ids []string) error {
	for _, id := range slices.Sorted(slices.Values(ids)) {
		if _, err := l.endpoint(id); err != nil {
			return err
		}
	}
	return nil
}

func newLedger(ctx context.Context, c conn, lockOwn string) *ledger {
	return &ledger{ctx: ctx, c: c, lockOwn: lockOwn, known: map[string]*endpointHealth{}}
}

// record writes, in order, the results of operations that are not applied yet.
func (l *ledger) record(ops ...*operation) error {
	var ids []string
	for _, op := range ops {
		for i := range op.record.results {
			if !op.record.answer[i].Applied {
				ids = append(ids, op.record.results[i].Lease.EndpointID)
			}
		}
	}
	if err := l.lock(ids); err != nil {
		return err
	}
	for _, op := range ops {
		r := op.record
		for i := range r.results {
			if r.answer[i].Applied {
				continue
			}
			var err error
			if r.answer[i], err = l.recordOne(r.policy, &r.results[i]); err != nil {
				return err
			}
		}
	}
	failpoint.Hit("outcome: written, not committed")
	return nil
}

func (l *ledger) recordOne(p delivery.Policy, r *store.Result) (store.Recorded, error) {
	e, err := l.endpoint(r.Lease.EndpointID)
	if err != nil {
		return store.Recorded{}, err
	}
	after, notice := e.health.After(p, r.Change, r.Attempt.Outcome)
	if e.state != delivery.Enabled {
		notice = delivery.NoNotice // it is disabled already: nobody needs to hear it again
	}
	state := e.state
	if notice == delivery.DisabledIt {
		state = delivery.Disabled
	}
	change := r.Change.For(state)
	applied, err := l.change(r, change)
	if err != nil {
		return store.Recorded{}, err
	}
	if !applied {
		return l.again(e, r)
	}
	failpoint.Hit("outcome: delivery changed, attempt not logged")
	if _, err := l.c.exec(l.ctx, insertAttempt, attemptRow(&r.Attempt)...); err != nil {
		return store.Recorded{}, fmt.Errorf("add attempt: %w", err)
	}
	if after != e.health || e.probe == r.Lease.Token {
		e.dirty = true
	}
	e.health = after
	if e.probe == r.Lease.Token {
		e.probe = 0
	}
	err = l.tell(e, r, change, notice)
	return store.Recorded{Applied: true, Change: change, Health: e.health, State: e.state, Notice: notice}, err
}

// again answers an outcome whose lease does not hold: it was lost, or this very
// outcome is on disk already and only the answer to its commit was lost.
func (l *ledger) again(e *endpointHealth, r *store.Result) (store.Recorded, error) {
	answer := store.Recorded{Change: r.Change.For(e.state), Health: e.health, State: e.state}
	a := &r.Attempt
	var n int
	// Index attempts_delivery. A number is given to another attempt only if the one before never left.
	err := l.c.row(l.ctx, `select count(*) from attempts where delivery_id = $1 and number = $2 and node = $3 and class = $4 and started_at = $5 and ended_at = $6`,
		int64(a.DeliveryID), a.Number, a.Node, string(a.Class), ms(a.StartedAt), ms(a.EndedAt)).Scan(&n)
	if err != nil || n == 0 {
		return answer, err
	}
	answer.Applied = true
	// Few notices are ever there, so that they need no index for this.
	err = l.c.row(l.ctx, `select kind from notices where delivery_id = $1 and number = $2 and kind <> $3`, int64(a.DeliveryID), a.Number, string(delivery.DeadLettered)).Scan(&answer.Notice)
	if errors.Is(err, errNoRow) {
		err = nil // there was none, or it has been told
	}
	return answer, err
}

// change writes what the delivery becomes, if the lease still holds.
func (l *ledger) change(r *store.Result, c delivery.Change) (bool, error) {
	ended := ms(r.Attempt.EndedAt)
	var n int64
	var err error
	if c.Status == delivery.Delivered {
		n, err = l.c.exec(l.ctx, recordDelivered, c.Used, string(r.Attempt.Class), r.Attempt.StatusCode, ended, int64(r.Lease.ID), r.Lease.Token)
	} else {
		n, err = l.c.exec(l.ctx, recordChange, string(c.Status), c.Used, c.Faults, dueColumn(c), string(r.Attempt.Class), r.Attempt.StatusCode,
			c.Discard, ended, int64(r.Lease.ID), r.Lease.Token)
	}
	if err != nil {
		return false, fmt.Errorf("change delivery: %w", err)
	}
	return n == 1, nil
}

func dueColumn(c delivery.Change) *int64 {
	if !c.Status.Waiting() {
		return nil
	}
	due := ms(c.DueAt.Add(time.Millisecond - 1)) // up: a retry is never early
	return &due
}

// tell writes what people are to be told, and disables the endpoint if that is it.
func (l *ledger) tell(e *endpointHealth, r *store.Result, c delivery.Change, notice delivery.Notice) error {
	if c.Status == delivery.Failed {
		if err := l.notice(e, r, delivery.DeadLettered, ""); err != nil {
			return err
		}
	}
	switch notice {
	case delivery.Warning:
		return l.notice(e, r, notice, "")
	case delivery.DisabledIt:
		return l.disable(e, r, c)
	}
	return nil
}

// disable stops an endpoint and writes it down: nobody did it, so nobody else does.
func (l *ledger) disable(e *endpointHealth, r *store.Result, c delivery.Change) error {
	reason, why := delivery.ByFailures, fmt.Sprintf("failed attempts in a row: %d", e.health.Failures)
	if c.Gone {
		reason, why = delivery.ByGone, "it answered 410 Gone"
	}
	entry := store.AuditEntry{
		AccountID: e.accountID, Actor: store.System, Action: store.DisabledEndpoint, Object: e.id,
		Detail: store.DisablingDetail(why, r.Lease.ID, r.Attempt.Number), At: r.Attempt.EndedAt,
	}
	if err := insertAudit(l.ctx, l.c, entry); err != nil {
		return err
	}
	e.state = delivery.Disabled
	if err := setState(l.ctx, l.c, e.accountID, e.id, delivery.Disabled, reason, ms(r.Attempt.EndedAt)); err != nil {
		return err
	}
	failpoint.Hit("endpoint: disabled, what waits for it not held")
	if _, err := settle(l.ctx, l.c, e.id, delivery.Disabled, ms(r.Attempt.EndedAt), settleBatch); err != nil {
		return err
	}
	return l.notice(e, r, delivery.DisabledIt, reason)
}

const insertNotice = `insert into notices (id, account_id, kind, endpoint_id, delivery_id, number, failures, reason, quiet, created_at)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

func (l *ledger) notice(e *endpointHealth, r *store.Result, kind delivery.Notice, reason delivery.Reason) error {
	quiet := 0
	if kind.Quiet(news(r.Lease.EventType)) {
		quiet = 1
	}
	_, err := l.c.exec(l.ctx, insertNotice, uuid.Must(uuid.NewV7()).String(), e.accountID, string(kind), e.id, int64(r.Lease.ID), r.Attempt.Number,
		e.health.Failures, string(reason), quiet, ms(r.Attempt.EndedAt))
	return err
}

// news gives the notice that events of a type tell of; none if they are ordinary.
func news(eventType string) delivery.Notice {
	switch eventType {
	case catalog.EndpointWarning:
		return delivery.Warning
	case catalog.EndpointDisabled:
		return delivery.DisabledIt
	case catalog.DeliveryFailed:
		return delivery.DeadLettered
	case catalog.EndpointAlert:
		return delivery.AlertOpened
	}
	return delivery.NoNotice
}

// endpoint reads an endpoint's health once a transaction, locking it where
// other nodes may write it too.
func (l *ledger) endpoint(id string) (*endpointHealth, error) {
	if e, ok := l.known[id]; ok {
		return e, nil
	}
	e := &endpointHealth{id: id}
	var until, next int64
	err := l.c.row(l.ctx, `select account_id, state, failures, streak, counted_until, next_at, probe_token from endpoints where id = $1`+l.lockOwn, id).
		Scan(&e.accountID, &e.state, &e.health.Failures, &e.health.Streak, &until, &next, &e.probe)
	if err != nil {
		return nil, fmt.Errorf("read health of %s: %w", id, err)
	}
	e.health.CountedUntil, e.health.NextAt = at(until), at(next)
	l.known[id] = e
	return e, nil
}

// close writes the endpoints that were changed.
func (l *ledger) close() error {
	for _, e := range l.known {
		if !e.dirty {
			continue
		}
		_, err := l.c.exec(l.ctx, `update endpoints set failures = $1, streak = $2, counted_until = $3, next_at = $4,
			probe_token = cast($5 as bigint), probe_until = case when cast($5 as bigint) = 0 then 0 else probe_until end where id = $6`,
			e.health.Failures, e.health.Streak, ms(e.health.CountedUntil), ms(e.health.NextAt), e.probe, e.id)
		if err != nil {
			return fmt.Errorf("write health of %s: %w", e.id, err)
		}
	}
	return nil
}
