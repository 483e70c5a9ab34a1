package sqlstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// claim leases what is due, by the index of what is due. PostgreSQL is led twice, because
// it keeps a plan for any arguments: the clock is read by a select of its own, since it
// would not look for its value in the index otherwise but read all that waits for a later
// turn; and what is due is looked for apart, since it may join a subquery with the whole
// table, or run it several times. The token is that of the call, with the row's number
// behind it, so that each lease has its own.
const claim = `with due as materialized (
		select seq from receiver_inbox where lane = $1 and due_at <= (select {now}) and due_at is not null
		order by due_at, seq limit $4{skip})
	update receiver_inbox set
		lost = case status when 'working' then lost + 1 else lost end,
		unsure = unsure or status = 'working',
		status = 'working', tries = tries + 1, due_at = {now} + $2, set_at = {now}, token = $3 || '.' || seq
	where seq in (select seq from due)
	returning `

// next is when another item of a lane is due, by its index.
const next = `select due_at - {now} from receiver_inbox where lane = $1 and due_at is not null order by due_at limit 1`

// place is an item in the order of arrival; RETURNING has none.
type place struct {
	item receiver.Item
	seq  int64
}

// Claim is part of [receiver.Store].
func (s *Store) Claim(ctx context.Context, lane string, most int, lease time.Duration) (claimed []receiver.Item, wait time.Duration, err error) {
	// To look first is a read, which waits for nobody and syncs nothing.
	wait, err = s.next(ctx, lane)
	if err != nil || wait != 0 {
		return nil, wait, err
	}
	err = s.write(ctx, func() error {
		if s.d.name == sqlite.name {
			// The file is here, so it does not take long; broken off after its commit, what
			// it claimed would be leased to nobody.
			ctx = context.WithoutCancel(ctx)
		}
		claimed, err = s.claim(ctx, lane, most, lease)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("claim events: %w", err)
	}
	wait, err = s.next(ctx, lane)
	if err != nil { // what is claimed is the caller's all the same
		return claimed, 0, nil
	}
	return claimed, wait, nil
}

func (s *Store) claim(ctx context.Context, lane string, most int, lease time.Duration) ([]receiver.Item, error) {
	statement, err := s.statement(ctx, claim+columnsWith("body")+", seq")
	if err != nil {
		return nil, err
	}
	rows, err := statement.QueryContext(ctx, lane, lease.Milliseconds(), rand.Text(), most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var places []place
	for rows.Next() {
		var p place
		if p.item, err = scan(rows, &p.seq); err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.seq, b.seq) })
	claimed := make([]receiver.Item, len(places))
	for i, p := range places {
		claimed[i] = p.item
	}
	return claimed, nil
}

func (s *Store) next(ctx context.Context, lane string) (time.Duration, error) {
	statement, err := s.statement(ctx, next)
	if err != nil {
		return 0, err
	}
	var millis int64
	err = statement.QueryRowContext(ctx, lane).Scan(&millis)
	if errors.Is(err, sql.ErrNoRows) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for what is due: %w", err)
	}
	return max(0, time.Duration(millis)*time.Millisecond), nil
}
