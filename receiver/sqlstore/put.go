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

// maxRows is how many rows a statement inserts: both databases have a limit of
// parameters, and a statement is prepared anew for each number of rows.
const maxRows = 128

// Put is part of [receiver.Store].
func (s *Store) Put(ctx context.Context, items []receiver.Item) ([]bool, error) {
	fresh := make([]bool, len(items))
	if len(items) == 0 {
		return fresh, nil
	}
	if len(items) <= maxRows {
		return fresh, s.write(func() error { return s.insert(ctx, s.db, items, fresh) })
	}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		for from := 0; from < len(items); from += maxRows {
			to := min(from+maxRows, len(items))
			if err := s.insert(ctx, tx, items[from:to], fresh[from:to]); err != nil {
				return err
			}
		}
		return nil
	})
	return fresh, err
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// insert keeps the items that are not known, and says which those are.
func (s *Store) insert(ctx context.Context, db querier, items []receiver.Item, fresh []bool) error {
	statement := "insert into receiver_inbox (lane, id, type, delivery_id, body, received_at, status, due_at) values " +
		placeholders(len(items), 5, "{now}, 'waiting', {now}") +
		" on conflict (lane, id) do nothing returning lane, id"
	args := make([]any, 0, 5*len(items))
	places := make(map[receiver.Key]int, len(items))
	for i, item := range items {
		args = append(args, item.Lane, item.ID, item.Type, item.DeliveryID, notNil(item.Body))
		if _, twice := places[item.Key()]; !twice {
			places[item.Key()] = i
		}
	}
	rows, err := db.QueryContext(ctx, s.text(statement), args...)
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

// notNil keeps an empty body from being null.
func notNil(body []byte) []byte {
	if body == nil {
		return []byte{}
	}
	return body
}

// begin takes what nobody has under a lease. What is failed begins anew.
const begin = `update receiver_inbox set
		status = 'working', due_at = {now} + $3, ended_at = null, token = $4,
		tries = case status when 'failed' then 1 else tries + 1 end,
		failures = case status when 'failed' then 0 else failures end,
		lost = case status when 'failed' then 0 when 'working' then lost + 1 else lost end,
		unsure = unsure or status = 'working'
	where lane = $1 and id = $2 and (status in ('waiting', 'failed') or (status = 'working' and due_at <= {now}))
	returning `

// Begin is part of [receiver.Store].
func (s *Store) Begin(ctx context.Context, item receiver.Item, lease time.Duration) (receiver.Item, receiver.Standing, error) {
	found, standing := item, receiver.Busy
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.insert(ctx, tx, []receiver.Item{item}, make([]bool, 1)); err != nil {
			return err
		}
		row := tx.QueryRowContext(ctx, s.text(begin+columnsWith("body")), item.Lane, item.ID, lease.Milliseconds(), rand.Text())
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
