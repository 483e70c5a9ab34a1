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

// What is written in bulk is one statement, which asks what must be known, writes and commits
// in one round trip: a second one costs both sides more than the rows of a usual group.
// It is the common case alone: events that are new, and outcomes of healthy endpoints that are
// delivered; everything else is left to runRows.

// eventColumns and deliveryColumns are rows turned into arrays.
type eventColumns struct {
	seq, created, first, count, revision []int64
	account, id, kind                    []string
	body, hash                           [][]byte
	key                                  []*string
}

type deliveryColumns struct {
	id, seq, attempts, token, created []int64
	due                               []*int64
	account, endpoint, status, cycle  []string
	node                              []string
}

// publishEach writes the events whose account has the revision that they were matched with (0: any),
// keeps that from changing until the commit, and answers what the accounts have.
const publishEach = `with known as materialized (
		select id, revision from accounts where id = any($1) and deleted_at = 0 order by id` + forShare + `
	), fresh as (
		insert into events (seq, account_id, id, type, created_at, body, hash, idem_key, first_delivery, deliveries)
		select a, b, c, d, e, f, g, h, i, j from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[], $8::bytea[], $9::text[],
			$10::bigint[], $11::bigint[], $12::bigint[]) as t(a, b, c, d, e, f, g, h, i, j, revision)
		where (b, revision) in (select id, revision from known) or revision = 0 and b in (select id from known)
		returning seq
	), queued as (
		insert into deliveries (id, account_id, event_seq, endpoint_id, status, cycle, attempts, due_at, token, node, created_at, updated_at)
		select a, b, c, d, e, f, g, h, i, j, k, k from unnest($13::bigint[], $14::text[], $15::bigint[], $16::text[], $17::text[], $18::text[], $19::bigint[], $20::bigint[],
			$21::bigint[], $22::text[], $23::bigint[]) as t(a, b, c, d, e, f, g, h, i, j, k)
		where c = any(array(select seq from fresh))
	)
	select id, revision from known`

func (w *pgWriter) publishBulk(ctx context.Context, c *pgx.Conn, group []*operation) error {
	var ev eventColumns
	var de deliveryColumns
	for _, op := range group {
		err := w.numbers.owned(ctx, pgConn{c}, op.publish.batch)
		if errors.Is(err, store.ErrNotFound) {
			return errLookCloser // it may be that of an account that has changed since
		}
		if err != nil {
			return err
		}
		w.gather(op, &ev, &de)
	}
	known := revisions{}
	var all pgx.Batch
	all.Queue(publishEach, accountsOf(group), ev.seq, ev.account, ev.id, ev.kind, ev.created, ev.body, ev.hash, ev.key, ev.first, ev.count, ev.revision,
		de.id, de.account, de.seq, de.endpoint, de.status, de.cycle, de.attempts, de.due, de.token, de.node, de.created).Query(known.read)
	failpoint.Hit("writer: before the commit")
	sent := c.SendBatch(ctx, &all)
	// All is on its way, and how much of it is on disk only the server knows.
	failpoint.Hit("publish: event written, its deliveries not")
	failpoint.Hit("publish: written, not committed")
	err := sent.Close()
	if isUnique(err) {
		return errLookCloser // an id or a key was used before
	}
	if err != nil {
		return err
	}
	for _, op := range group {
		if op.err = known.check(op.publish.batch); op.err != nil {
			op.publish.answer = nil
		}
	}
	return nil
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
		ev.add(seq, b, one)
		for k := range one.Deliveries {
			de.add(seq, b.AccountID, one, &one.Deliveries[k])
		}
		op.publish.answer[i] = accepted(one)
	}
}

func (v *eventColumns) add(seq int64, b *store.Batch, e *store.NewEvent) {
	var key *string
	if e.Key != "" {
		key = &e.Key
	}
	v.seq = append(v.seq, seq)
	v.revision = append(v.revision, b.Revision)
	v.account = append(v.account, b.AccountID)
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

// recordBulk writes those outcomes that change nothing but their delivery in one statement for each status
// code, which is one for nearly all of them, and then the others row by row. Each part is whole by
// itself: should the second fail, all are offered again, and those of the first answered the same way.
func (w *pgWriter) recordBulk(ctx context.Context, c *pgx.Conn, group []*operation) error {
	easy := easyOutcomes(group)
	if len(easy) > 0 {
		var all pgx.Batch
		for _, same := range byCode(easy) {
			queueEasy(&all, same)
		}
		failpoint.Hit("writer: before the commit")
		sent := c.SendBatch(ctx, &all)
		// All is on its way, and how much of it is on disk only the server knows.
		failpoint.Hit("outcome: delivery changed, attempt not logged")
		failpoint.Hit("outcome: written, not committed")
		if err := sent.Close(); err != nil {
			return err
		}
	}
	if allApplied(group) {
		return nil
	}
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		l := newLedger(ctx, pgConn{tx}, w.lockOwn())
		if err := l.record(group...); err != nil {
			return err
		}
		return l.close()
	})
}

// outcome is a result with the place of its answer.
type outcome struct {
	*store.Result
	answer *store.Recorded
}

// easyOutcomes gives the outcomes that may change nothing but their delivery: successes. Not those of an
// endpoint of which the group has another outcome, too: each success may set the count of its failures back,
// so all of them are judged in their order. Nor two of one delivery, of which one lease was lost.
func easyOutcomes(group []*operation) []outcome {
	var all []outcome
	troubled := map[string]bool{}
	seen := map[delivery.ID]bool{}
	for _, op := range group {
		r := op.record
		r.begin()
		for i := range r.results {
			res := &r.results[i]
			if seen[res.Lease.ID] || res.Change.Status != delivery.Delivered || res.Change.Effect != delivery.Success {
				troubled[res.Lease.EndpointID] = true
			}
			seen[res.Lease.ID] = true
			all = append(all, outcome{res, &r.answer[i]})
		}
	}
	return slices.DeleteFunc(all, func(o outcome) bool { return troubled[o.Lease.EndpointID] })
}

func allApplied(group []*operation) bool {
	for _, op := range group {
		for i := range op.record.answer {
			if !op.record.answer[i].Applied {
				return false
			}
		}
	}
	return true
}

// byCode groups outcomes by status code, which is one for nearly all of them.
func byCode(all []outcome) map[int][]outcome {
	groups := map[int][]outcome{}
	for _, o := range all {
		groups[o.Attempt.StatusCode] = append(groups[o.Attempt.StatusCode], o)
	}
	return groups
}

// recordEach changes deliveries and logs the attempts of those whose lease held, to endpoints that a
// success would not change. It answers these, with the state of their endpoint. Tokens differ
// between leases, so a row that matches a number and a token of the lists matches both of one. The
// server is not to look for the rows by their endpoint, hence the || ”: one may have millions.
const recordEach = `with clean as (
		select id, state from endpoints where id = any($28) and failures = 0 and streak = 0 and probe_token = 0
	), done as (
		update deliveries set status = 'delivered', used = used + 1, faults = 0, due_at = null, token = 0, node = '',
			last_class = 'ok', last_code = $26, updated_at = $27
		where id = any($1) and token = any($25) and endpoint_id || '' = any(array(select id from clean)) returning id, endpoint_id
	), logged as (
		insert into attempts (delivery_id, number, cycle, node, started_at, ended_at, class, status_code, retry_after, effect, hint, local_info,
			dns, connect, tls, first_byte, total, url, request, proto, response, body, truncated, planned_at)
		select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[],
			$13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::text[], $19::bytea[], $20::text[], $21::bytea[], $22::bytea[], $23::bigint[], $24::bigint[]) as t(id)
		where id = any(array(select id from done))
	)
	select done.id, clean.state from done join clean on clean.id = done.endpoint_id`

// queueEasy has deliveries written that came to an end well, all with the same status code.
func queueEasy(b *pgx.Batch, results []outcome) {
	attempts := make([][]any, len(results))
	tokens := make([]int64, len(results))
	byID := make(map[int64]outcome, len(results))
	var endpoints []string
	ended := int64(0)
	for i, r := range results {
		attempts[i], tokens[i] = attemptRow(&r.Attempt), r.Lease.Token
		byID[int64(r.Lease.ID)] = r
		endpoints = append(endpoints, r.Lease.EndpointID)
		ended = max(ended, ms(r.Attempt.EndedAt))
	}
	slices.Sort(endpoints)
	args := append(columns(attempts), tokens, results[0].Attempt.StatusCode, ended, slices.Compact(endpoints))
	b.Queue(recordEach, args...).Query(func(rs pgx.Rows) error {
		var id int64
		var state delivery.State
		_, err := pgx.ForEachRow(rs, []any{&id, &state}, func() error {
			o := byID[id]
			*o.answer = store.Recorded{Applied: true, Change: o.Change, State: state}
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
