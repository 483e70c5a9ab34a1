package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// The ends of a try, each while its lease holds.
const (
	endWaiting = `update receiver_inbox set status = 'waiting', token = '',
			due_at = case when $4 and received_at < {now} then received_at when $4 then {now} else {now} + $5 end, set_at = {now},
			failures = failures + $6, lost = lost - $7, unsure = $8, error = $9
		where lane = $1 and id = $2 and token = $3 and status = 'working'`
	endForGood = `update receiver_inbox set status = $4, token = '', due_at = null, ended_at = {now},
			failures = failures + $5, lost = lost - $6, unsure = $7, error = $8
		where lane = $1 and id = $2 and token = $3 and status = 'working'`
	endForgotten = `delete from receiver_inbox where lane = $1 and id = $2 and token = $3 and status = 'working'`
)

// Record is part of [receiver.Store].
func (s *Store) Record(ctx context.Context, ends []receiver.End) ([]bool, error) {
	lost := make([]bool, len(ends))
	if len(ends) == 0 {
		return lost, nil
	}
	err := s.recordTogether(ctx, ends, lost)
	if errors.Is(err, errNotTogether) {
		err = s.recordEach(ctx, ends, lost)
	}
	if err != nil {
		return nil, err
	}
	return lost, nil
}

// recordEach writes one end after the other.
func (s *Store) recordEach(ctx context.Context, ends []receiver.End, lost []bool) error {
	if err := s.prepare(ctx, endWaiting, endForGood, endForgotten); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		for i, end := range ends {
			held, err := s.end(ctx, tx, end)
			if err != nil {
				return err
			}
			lost[i] = !held
		}
		return nil
	})
}

// end writes an end, and says whether its lease still held.
func (s *Store) end(ctx context.Context, tx *sql.Tx, end receiver.End) (held bool, err error) {
	statement, args := ending(end)
	prepared, err := s.in(ctx, tx, statement)
	if err != nil {
		return false, err
	}
	result, err := prepared.ExecContext(ctx, args...)
	if err != nil {
		return false, fmt.Errorf("write how an event ended: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("write how an event ended: %w", err)
	}
	return n == 1, nil
}

// ending gives the statement that writes an end.
func ending(end receiver.End) (statement string, args []any) {
	statement, args = endForGood, []any{end.Key.Lane, end.Key.ID, end.Token, string(end.To), count(end.Counts), end.Overran, end.Unsure, legible(end.Error)}
	switch end.To {
	case receiver.Waiting:
		statement = endWaiting
		args = []any{end.Key.Lane, end.Key.ID, end.Token, end.Back, end.Delay.Milliseconds(), count(end.Counts), end.Overran, end.Unsure, legible(end.Error)}
	case "":
		statement, args = endForgotten, args[:3]
	}
	return statement, args
}

// legible makes any bytes a text that PostgreSQL takes. Errors quote what others
// answer, and one that cannot be written would hold up all that are written with it.
func legible(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

func count(counts bool) int {
	if counts {
		return 1
	}
	return 0
}

// EndInTx is part of [receiver.TxStore].
func (s *Store) EndInTx(ctx context.Context, end receiver.End, fn func(receiver.Tx) error) error {
	if err := s.prepare(ctx, endWaiting, endForGood, endForgotten); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx *sql.Tx) error {
		held, err := s.end(ctx, tx, end)
		if err != nil {
			return err
		}
		if !held {
			return receiver.ErrLeaseLost
		}
		return fn(tx)
	})
}
