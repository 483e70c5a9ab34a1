package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

const selectType = `select account_id, name, description, schema, sample, created_at, updated_at from event_types`

func scanType(r scanner) (t store.EventType, err error) {
	var schema, sample []byte
	var created, updated int64
	err = r.Scan(&t.AccountID, &t.Name, &t.Description, &schema, &sample, &created, &updated)
	t.Schema, t.Sample = json.RawMessage(schema), json.RawMessage(sample)
	t.CreatedAt, t.UpdatedAt = at(created), at(updated)
	return t, err
}

// CreateType adds an account's own event type.
func (s *Store) CreateType(ctx context.Context, t store.EventType, most int) error {
	err := s.write(ctx, "create event type", func(ctx context.Context, c conn) error {
		if err := lockAccount(ctx, c, t.AccountID, s.engine.lockOwn()); err != nil {
			return err
		}
		var n int
		if err := c.row(ctx, `select count(*) from event_types where account_id = $1`, t.AccountID).Scan(&n); err != nil {
			return err
		}
		if n >= most {
			return fmt.Errorf("%w: the account has %d event types, which is the most it may have; delete one first", store.ErrLimit, n)
		}
		_, err := c.exec(ctx, `insert into event_types (account_id, name, description, schema, sample, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7)`,
			t.AccountID, t.Name, t.Description, []byte(t.Schema), []byte(t.Sample), ms(t.CreatedAt), ms(t.UpdatedAt))
		if err != nil {
			return err
		}
		return bump(ctx, c, t.AccountID)
	})
	if isUnique(err) {
		return store.Conflictf("event type %s exists already; change it with PATCH", t.Name)
	}
	return err
}

// Type reads one of an account's own event types.
func (s *Store) Type(ctx context.Context, accountID, name string) (store.EventType, error) {
	t, err := scanType(s.reads.row(ctx, selectType+` where account_id = $1 and name = $2`, accountID, name))
	return t, reading("read event type", err)
}

// ListTypes reads all of an account's own event types, by name.
func (s *Store) ListTypes(ctx context.Context, accountID string) ([]store.EventType, error) {
	return listTypes(ctx, s.reads, accountID)
}

func listTypes(ctx context.Context, c conn, accountID string) ([]store.EventType, error) {
	rs, err := c.query(ctx, selectType+` where account_id = $1 order by name`, accountID)
	all, err := collect(rs, err, scanType)
	return all, reading("list event types", err)
}

// UpdateType changes one.
func (s *Store) UpdateType(ctx context.Context, accountID, name string, change func(*store.EventType) error) (store.EventType, error) {
	var t store.EventType
	err := s.write(ctx, "update event type", func(ctx context.Context, c conn) (err error) {
		if t, err = scanType(c.row(ctx, selectType+` where account_id = $1 and name = $2`+s.engine.lockOwn(), accountID, name)); err != nil {
			return err
		}
		created := t.CreatedAt
		if err := change(&t); err != nil {
			return err
		}
		t.AccountID, t.Name, t.CreatedAt = accountID, name, created
		_, err = c.exec(ctx, `update event_types set description = $1, schema = $2, sample = $3, updated_at = $4 where account_id = $5 and name = $6`,
			t.Description, []byte(t.Schema), []byte(t.Sample), ms(t.UpdatedAt), accountID, name)
		if err != nil {
			return err
		}
		return bump(ctx, c, accountID)
	})
	return t, err
}

// DeleteType removes one; events of it stay.
func (s *Store) DeleteType(ctx context.Context, accountID, name string) error {
	return s.write(ctx, "delete event type", func(ctx context.Context, c conn) error {
		n, err := c.exec(ctx, `delete from event_types where account_id = $1 and name = $2`, accountID, name)
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrNotFound
		}
		return bump(ctx, c, accountID)
	})
}
