package sqlstore

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// errLookCloser means that a group cannot be written in bulk.
var errLookCloser = errors.New("the group needs to be written row by row")

// What is written in bulk takes two round trips: one asks what must be known, the other
// writes and commits. A round trip costs both sides more than the rows of a usual group.
// It is the common case alone: events that are new, and outcomes of healthy endpoints that are
// delivered; everything else is left to the ledger or to runRows.

// eventColumns and deliveryColumns are rows turned into arrays.
type eventColumns struct {
	seq, created, first, count []int64
	account, id, kind          []string
	body, hash                 [][]byte
	key                        []*string
}

type deliveryColumns struct {
	id, seq, attempts, token, created []int64
	due                               []*int64
	account, endpoint, status, cycle  []string
	node                              []string
}

const (
	selectRevisions = `select id, revision from accounts where id = any($1) and deleted_at = 0 order by id` + forShare
	insertEvents    = `insert into events (seq, account_id, id, type, created_at, body, hash, idem_key, first_delivery, deliveries)
		select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[], $7::bytea[], $8::text[], $9::bigint[], $10::bigint[])`
	insertDeliveries = `insert into deliveries (id, account_id, event_seq, endpoint_id, status, cycle, attempts, due_at, token, node, created_at, updated_at)
		select a, b, c, d, e, f, g, h, i, j, k, k from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
			$9::bigint[], $10::text[], $11::bigint[]) as t(a, b, c, d, e, f, g, h, i, j, k)`
)

func (w *pgWriter) publishBulk(ctx context.Context, c *pgx.Conn, group []*operation) error {
	known := revisions{}
	var first pgx.Batch
	first.Queue("begin")
	first.Queue(selectRevisions, accountsOf(group)).Query(known.read)
	if err := c.SendBatch(ctx, &first).Close(); err != nil {
		return err
	}
	var ev eventColumns
	var de deliveryColumns
	for _, op := range group {
		err := known.check(op.publish.batch)
		if err == nil {
			err = w.numbers.owned(ctx, pgConn{c}, op.publish.batch)
		}
		if err != nil {
			op.err = own(err)
			if op.err == nil {
				return err
			}
			continue
		}
		w.gather(op, &ev, &de)
	}
	var last pgx.Batch
	if len(ev.seq) > 0 {
		last.Queue(insertEvents, ev.seq, ev.account, ev.id, ev.kind, ev.created, ev.body, ev.hash, ev.key, ev.first, ev.count)
	}
	if len(de.id) > 0 {
		last.Queue(insertDeliveries, de.id, de.account, de.seq, de.endpoint, de.status, de.cycle, de.attempts, de.due, de.token, de.node, de.created)
	}
	last.Queue("commit")
	failpoint.Hit("writer: before the commit")
	sent := c.SendBatch(ctx, &last)
	// All is on its way, and how much of it is on disk only the server knows.
	failpoint.Hit("publish: event written, its deliveries not")
	failpoint.Hit("publish: written, not committed")
	err := sent.Close()
	if isUnique(err) {
		return errLookCloser // an id or a key was used before
	}
	return err
}

// accountsOf gives the accounts that a group publishes in.
func accountsOf(group []*operation) []string {
	ids := make([]string, 0, len(group))
	for _, op := range group {
		ids = append(ids, op.publish.batch.AccountID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// read takes what the database says.
func (v revisions) read(rs pgx.Rows) error {
	var id string
	var revision int64
	_, err := pgx.ForEachRow(rs, []any{&id, &revision}, func() error {
		v[id] = revision
		return nil
	})
	return err
}

// gather numbers the events of one operation and adds them to the columns.
func (w *pgWriter) gather(op *operation, ev *eventColumns, de *deliveryColumns) {
	b := op.publish.batch
	op.publish.answer = make([]store.Published, len(b.Events))
	for i := range b.Events {
		one := &b.Events[i]
		seq := w.numbers.assign(one)
		ev.add(seq, b.AccountID, one)
		for k := range one.Deliveries {
			de.add(seq, b.AccountID, one, &one.Deliveries[k])
		}
		op.publish.answer[i] = accepted(one)
	}
}

func (v *eventColumns) add(seq int64, accountID string, e *store.NewEvent) {
	var key *string
	if e.Key != "" {
		key = &e.Key
	}
	v.seq = append(v.seq, seq)
	v.account = append(v.account, accountID)
	v.id = append(v.id, e.ID)
	v.kind = append(v.kind, e.Type)
	v.created = append(v.created, ms(e.CreatedAt))
	v.body = append(v.body, e.Body)
	v.hash = append(v.hash, e.Hash[:])
	v.key = append(v.key, key)
	v.first = append(v.first, firstDelivery(e))
	v.count = append(v.count, int64(len(e.Deliveries)))
}

func (v *deliveryColumns) add(seq int64, accountID string, e *store.NewEvent, d *store.NewDelivery) {
	attempts, due := placed(e, d)
	v.id = append(v.id, int64(d.ID))
	v.account = append(v.account, accountID)
	v.seq = append(v.seq, seq)
	v.endpoint = append(v.endpoint, d.EndpointID)
	v.status = append(v.status, string(d.Status))
	v.cycle = append(v.cycle, string(d.Cycle))
	v.attempts = append(v.attempts, int64(attempts))
	v.due = append(v.due, due)
	v.token = append(v.token, d.Token)
	v.node = append(v.node, d.Node)
	v.created = append(v.created, ms(e.CreatedAt))
}

// recordBulk writes the outcomes that were delivered to endpoints whose health
// is clean in one statement, and hands the rest to a ledger.
func (w *pgWriter) recordBulk(ctx context.Context, c *pgx.Conn, group []*operation) error {
	var first pgx.Batch
	clean := cleanEndpoints{}
	first.Queue("begin")
	first.Queue(selectClean, clean.of(group)).Query(clean.read)
	if err := c.SendBatch(ctx, &first).Close(); err != nil {
		return err
	}
	l := newLedger(ctx, pgConn{c}, w.lockOwn())
	easy, err := l.recordTroubled(group, clean)
	if err != nil {
		return err
	}
	var last pgx.Batch
	for _, same := range byCode(easy) {
		queueEasy(&last, same)
	}
	last.Queue("commit")
	failpoint.Hit("writer: before the commit")
	sent := c.SendBatch(ctx, &last)
	// All is on its way, and how much of it is on disk only the server knows.
	failpoint.Hit("outcome: delivery changed, attempt not logged")
	failpoint.Hit("outcome: written, not committed")
	if err := sent.Close(); err != nil {
		return err
	}
	return l.againEasy(easy)
}

// recordTroubled writes all outcomes but the easy ones, which it gives.
func (l *ledger) recordTroubled(group []*operation, clean cleanEndpoints) (easy []outcome, err error) {
	if err := l.lock(troubled(group, clean)); err != nil {
		return nil, err
	}
	for _, op := range group {
		r := op.record
		r.answer = make([]store.Recorded, len(r.results))
		for i := range r.results {
			res := &r.results[i]
			if state := clean[res.Lease.EndpointID]; isEasy(res, state) {
				r.answer[i] = store.Recorded{Change: res.Change, State: state}
				easy = append(easy, outcome{res, &r.answer[i]})
				continue
			}
			if r.answer[i], err = l.recordOne(r.policy, res); err != nil {
				return nil, err
			}
		}
	}
	return easy, l.close()
}

// againEasy answers those of the easy outcomes whose lease did not hold. The others are
// on disk: should this fail, all are offered again, and answered the same way.
func (l *ledger) againEasy(easy []outcome) error {
	for _, o := range easy {
		if o.answer.Applied {
			continue
		}
		var err error
		if *o.answer, err = l.again(&endpointHealth{state: o.answer.State}, o.Result); err != nil {
			return err
		}
	}
	return nil
}

// isEasy reports an outcome that changes nothing but its delivery.
func isEasy(r *store.Result, clean delivery.State) bool {
	return clean != "" && r.Change.Status == delivery.Delivered && r.Change.Effect == delivery.Success
}

// troubled gives the endpoints that the ledger will write to, and takes them out of
// the clean ones: of an endpoint with one outcome that counts, every success of the group
// may set the count back, so all of them are judged in their order. So are two outcomes of
// one delivery, of which one lease was lost.
func troubled(group []*operation, clean cleanEndpoints) []string {
	var ids []string
	seen := map[delivery.ID]bool{}
	for _, op := range group {
		for i := range op.record.results {
			r := &op.record.results[i]
			twice := seen[r.Lease.ID]
			seen[r.Lease.ID] = true
			if twice || !isEasy(r, clean[r.Lease.EndpointID]) {
				clean[r.Lease.EndpointID] = ""
				ids = append(ids, r.Lease.EndpointID)
			}
		}
	}
	return ids
}

// cleanEndpoints are the states of those endpoints that a success would not change.
type cleanEndpoints map[string]delivery.State

const selectClean = `select id, state from endpoints where id = any($1) and failures = 0 and streak = 0 and probe_token = 0`

// of lists the endpoints of a group.
func (e cleanEndpoints) of(group []*operation) (ids []string) {
	for _, op := range group {
		for i := range op.record.results {
			id := op.record.results[i].Lease.EndpointID
			if _, ok := e[id]; !ok {
				e[id] = "" // not clean, as far as is known
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// read takes what the database says.
func (e cleanEndpoints) read(rs pgx.Rows) error {
	var id string
	var state delivery.State
	_, err := pgx.ForEachRow(rs, []any{&id, &state}, func() error {
		e[id] = state
		return nil
	})
	return err
}

// outcome is a result with the place of its answer.
type outcome struct {
	*store.Result
	answer *store.Recorded
}

// byCode groups outcomes by status code, which is one for nearly all of them.
func byCode(all []outcome) map[int][]outcome {
	groups := map[int][]outcome{}
	for _, o := range all {
		groups[o.Attempt.StatusCode] = append(groups[o.Attempt.StatusCode], o)
	}
	return groups
}

// recordEach changes deliveries and logs the attempts of those whose lease held. Tokens differ
// between leases, so a row that matches a number and a token of the lists matches both of one.
const recordEach = `with done as (
		update deliveries set status = 'delivered', used = used + 1, faults = 0, due_at = null, token = 0, node = '',
			last_class = 'ok', last_code = $25, updated_at = $26 where id = any($1) and token = any($24) returning id
	)
	insert into attempts (delivery_id, number, cycle, node, started_at, ended_at, class, status_code, retry_after, effect, hint, local_info,
		dns, connect, tls, first_byte, total, url, request, proto, response, body, truncated)
	select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[],
		$13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::text[], $19::bytea[], $20::text[], $21::bytea[], $22::bytea[], $23::bigint[]) as t(id)
	where id = any(array(select id from done)) returning delivery_id`

// queueEasy has deliveries written that came to an end well, all with the same status code.
func queueEasy(b *pgx.Batch, results []outcome) {
	attempts := make([][]any, len(results))
	tokens := make([]int64, len(results))
	byID := make(map[int64]*store.Recorded, len(results))
	ended := int64(0)
	for i, r := range results {
		attempts[i], tokens[i] = attemptRow(&r.Attempt), r.Lease.Token
		byID[int64(r.Lease.ID)] = r.answer
		ended = max(ended, ms(r.Attempt.EndedAt))
	}
	args := append(columns(attempts), tokens, results[0].Attempt.StatusCode, ended)
	b.Queue(recordEach, args...).Query(func(rs pgx.Rows) error {
		var id int64
		_, err := pgx.ForEachRow(rs, []any{&id}, func() error {
			byID[id].Applied = true
			return nil
		})
		return err
	})
}

// columns turns rows of int, int64, string and []byte into one typed array a column.
func columns(rows [][]any) []any {
	cols := make([]any, len(rows[0]))
	for i, first := range rows[0] {
		switch first.(type) {
		case string:
			cols[i] = column[string](rows, i)
		case []byte:
			cols[i] = column[[]byte](rows, i)
		case int:
			cols[i] = column[int](rows, i)
		default:
			cols[i] = column[int64](rows, i)
		}
	}
	return cols
}

func column[T any](rows [][]any, i int) []T {
	col := make([]T, len(rows))
	for k, row := range rows {
		col[k] = row[i].(T)
	}
	return col
}
