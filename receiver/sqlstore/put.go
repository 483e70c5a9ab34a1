package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// maxRows is how many rows a statement inserts at most. Those of fewer insert a power of
// two, so that there are few of them to prepare.
const maxRows = 128

// Put is part of [receiver.Store].
func (s *Store) Put(ctx context.Context, items []receiver.Item) ([]bool, error) {
	fresh := make([]bool, len(items))
	if len(items) == 0 {
		return fresh, nil
	}
	order, places := once(items)
	if err := s.prepare(ctx, s.insertions(len(order))...); err != nil {
		return nil, err
	}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.lockPuts(ctx, tx); err != nil {
			return err
		}
		for rows := maxRows; len(order) > 0; {
			if rows > len(order) {
				rows /= 2
				continue
			}
			if err := s.insert(ctx, tx, items, order[:rows], places, fresh); err != nil {
				return err
			}
			order = order[rows:]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return fresh, nil
}

// insertions are the statements that insert so many rows.
func (s *Store) insertions(rows int) (texts []string) {
	if s.d.name == postgres.name {
		texts = append(texts, lockPuts)
	}
	for size := maxRows; rows > 0; {
		if size > rows {
			size /= 2
			continue
		}
		texts = append(texts, s.d.insertion(size))
		if rows -= size; rows >= size { // more of the same size
			rows %= size
		}
	}
	return texts
}

// lockPuts waits for the lock of all batches. A process that hangs in its batch must not
// hold it for long: PostgreSQL ends a transaction that is idle for ten seconds.
const lockPuts = `select pg_advisory_xact_lock($1), set_config('idle_in_transaction_session_timeout', '10000', true)`

// lockPuts lets one batch at a time be inserted, over all processes: two that insert the
// same keys in other orders would wait for each other until PostgreSQL ends one of them,
// a second later. Batches are as large as what waits, so that little is lost by it.
func (s *Store) lockPuts(ctx context.Context, tx *sql.Tx) error {
	if s.d.name != postgres.name {
		return nil
	}
	statement, err := s.in(ctx, tx, lockPuts)
	if err != nil {
		return err
	}
	if _, err := statement.ExecContext(ctx, int64(putLock)); err != nil {
		return fmt.Errorf("wait for others that insert events: %w", err)
	}
	return nil
}

// once gives the places of items, each key once, and the place of each key.
func once(items []receiver.Item) (order []int, places map[receiver.Key]int) {
	places = make(map[receiver.Key]int, len(items))
	for i, item := range items {
		if _, twice := places[item.Key()]; !twice {
			places[item.Key()] = i
			order = append(order, i)
		}
	}
	return order, places
}

// insert keeps the items at these places that are not known, and says which those are.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, items []receiver.Item, order []int, places map[receiver.Key]int, fresh []bool) error {
	statement, err := s.in(ctx, tx, s.d.insertion(len(order)))
	if err != nil {
		return err
	}
	args := make([]any, 0, 5*len(order))
	for _, i := range order {
		item := items[i]
		args = append(args, item.Lane, item.ID, item.Type, item.DeliveryID, notNil(item.Body))
	}
	rows, err := statement.QueryContext(ctx, args...)
	if err != nil {
		return fmt.Errorf("insert events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key receiver.Key
		if err := rows.Scan(&key.Lane, &key.ID); err != nil {
			return fmt.Errorf("insert events: %w", err)
		}
		fresh[places[key]] = true
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("insert events: %w", err)
	}
	return nil
}

// insertion inserts so many rows.
func (d dialect) insertion(rows int) string {
	return "insert into receiver_inbox (lane, id, type, delivery_id, body, received_at, status, due_at, set_at) values " +
		d.placeholders(rows, 5, "{now}, 'waiting', {now}, {now}") +
		" on conflict (id, lane) do nothing returning lane, id"
}

// notNil keeps an empty body from being null.
func notNil(body []byte) []byte {
	if body == nil {
		return []byte{}
	}
	return body
}

// begin takes what nobody has under a lease. What is failed begins anew.
const begin = `update receiver_inbox set
		status = 'working', due_at = {now} + $3, set_at = {now}, ended_at = null, token = $4,
		tries = case status when 'failed' then 1 else tries + 1 end,
		failures = case status when 'failed' then 0 else failures end,
		lost = case status when 'failed' then 0 when 'working' then lost + 1 else lost end,
		unsure = unsure or status = 'working'
	where lane = $1 and id = $2 and (status in ('waiting', 'failed') or (status = 'working' and due_at <= {now}))
	returning `

// Begin is part of [receiver.Store].
func (s *Store) Begin(ctx context.Context, item receiver.Item, lease time.Duration) (receiver.Item, receiver.Standing, error) {
	found, standing := item, receiver.Busy
	if err := s.prepare(ctx, s.d.insertion(1), begin+columnsWith("body")); err != nil {
		return item, "", err
	}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.insert(ctx, tx, []receiver.Item{item}, []int{0}, map[receiver.Key]int{item.Key(): 0}, make([]bool, 1)); err != nil {
			return err
		}
		statement, err := s.in(ctx, tx, begin+columnsWith("body"))
		if err != nil {
			return err
		}
		row := statement.QueryRowContext(ctx, item.Lane, item.ID, lease.Milliseconds(), rand.Text())
		begun, err := scan(row)
		if err == nil {
			found, standing = begun, receiver.Begun
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("claim the event: %w", err)
		}
		found, err = scan(tx.QueryRowContext(ctx, "select "+columnsWith("body")+" from receiver_inbox where lane = $1 and id = $2", item.Lane, item.ID))
		if err != nil {
			return fmt.Errorf("look at the event: %w", err)
		}
		if found.Status == receiver.Done {
			standing = receiver.Ended
		}
		return nil
	})
	if err != nil {
		return item, "", err
	}
	return found, standing, nil
}
