package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// Items are run again in pieces, so that events can be kept in between: what is looked
// for at once is held in memory, what is changed at once is one transaction. A thousand
// rows take SQLite some ten milliseconds.
const (
	rerunLook  = 10_000
	rerunPiece = 1000
)

// rerun makes items of these numbers wait. One that is due already keeps its place.
func rerun(seqs []int64, statuses []receiver.Status) conditions {
	var c conditions
	marks := make([]string, len(seqs))
	for i, seq := range seqs {
		marks[i] = c.parameter(seq)
	}
	c.text = `update receiver_inbox set
		tries = case status when 'waiting' then tries else 0 end,
		failures = case status when 'waiting' then failures else 0 end,
		lost = case status when 'waiting' then lost else 0 end,
		due_at = case when status = 'waiting' and due_at < {now} then due_at else {now} end, set_at = {now},
		status = 'waiting', ended_at = null
	where true`
	c.oneOf("seq", marks)
	c.statuses(statuses) // again: it may have changed since it was looked for
	return c
}

// Rerun is part of [receiver.Store].
func (s *Store) Rerun(ctx context.Context, filter receiver.Filter) (int, error) {
	statuses := []receiver.Status{receiver.Waiting, receiver.Failed}
	if filter.IDs != nil && slices.Contains(filter.Statuses, receiver.Done) {
		statuses = append(statuses, receiver.Done)
	}
	if filter.Statuses != nil {
		statuses = only(filter.Statuses, statuses...)
	}
	filter.Statuses = statuses
	changed := 0
	for after, more := int64(0), true; more; {
		seqs, err := s.choose(ctx, filter, after, rerunLook)
		if err != nil {
			return changed, err
		}
		if more = len(seqs) == rerunLook; more {
			after = seqs[len(seqs)-1]
		}
		for piece := range slices.Chunk(seqs, rerunPiece) {
			c := rerun(piece, statuses)
			n, err := s.change(ctx, "run events again", c.text, c.args...)
			if err != nil {
				return changed, err
			}
			changed += n
		}
	}
	return changed, nil
}

// choose gives the numbers of items, in the order in which they came.
func (s *Store) choose(ctx context.Context, filter receiver.Filter, after int64, most int) (seqs []int64, err error) {
	text, args := chosen(filter, after, most)
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("look for events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, fmt.Errorf("look for events: %w", err)
		}
		seqs = append(seqs, seq)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look for events: %w", err)
	}
	return seqs, nil
}

// purge removes what ended long ago, by the index of what has ended, led as claim is.
const purge = `with old as materialized (
		select seq from receiver_inbox where status = $1 and ended_at is not null and ended_at < (select {now} - $2)
		order by ended_at limit $3{skip})
	delete from receiver_inbox where seq in (select seq from old)`

// setBack lets what was made to wait in the future, because the clock was set back since, be
// due as much earlier. It looks through all that waits for a later turn.
const setBack = `update receiver_inbox set due_at = due_at - set_at + {now}, set_at = {now},
		received_at = case when received_at > {now} then {now} else received_at end
	where seq in (
		select seq from receiver_inbox where due_at is not null and due_at > {now} and set_at > {now}
		order by +seq limit $1{skip})` // the plus keeps SQLite from walking the table in this order

// Purge is part of [receiver.Store].
func (s *Store) Purge(ctx context.Context, done, failed time.Duration, most int) (int, error) {
	removed := 0
	for _, kind := range []struct {
		status receiver.Status
		keep   time.Duration
	}{{receiver.Done, done}, {receiver.Failed, failed}} {
		if kind.keep <= 0 || removed >= most {
			continue
		}
		n, err := s.change(ctx, "remove old events", purge, string(kind.status), kind.keep.Milliseconds(), most-removed)
		if err != nil {
			return removed, err
		}
		removed += n
	}
	for {
		n, err := s.change(ctx, "mend the times of events", setBack, rerunPiece)
		if err != nil || n < rerunPiece {
			return removed, err
		}
	}
}

// change runs a statement and says how many rows it changed.
func (s *Store) change(ctx context.Context, what, statement string, args ...any) (changed int, err error) {
	err = s.write(ctx, func() error {
		result, err := s.db.ExecContext(ctx, s.text(statement), args...)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		n, err := result.RowsAffected()
		changed = int(n)
		return err
	})
	return changed, err
}

// depths counts by indexes that hold all it needs, lane by lane, so that nothing is
// sorted. What waits and what is worked on lie mixed.
const depths = `select lane,
		count(*) filter (where status = 'waiting'), coalesce(min(received_at) filter (where status = 'waiting'), 0),
		count(*) filter (where status = 'working'), coalesce(min(received_at) filter (where status = 'working'), 0),
		0, 0
	from receiver_inbox where due_at is not null group by lane
	union all
	select lane, 0, 0, 0, 0, count(*), min(received_at) from receiver_inbox where status = 'failed' group by lane`

// Depths is part of [receiver.Store].
func (s *Store) Depths(ctx context.Context) (all []receiver.Depth, err error) {
	rows, err := s.db.QueryContext(ctx, depths)
	if err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var lane string
		var counts [3]int
		var oldest [3]int64
		if err := rows.Scan(&lane, &counts[0], &oldest[0], &counts[1], &oldest[1], &counts[2], &oldest[2]); err != nil {
			return nil, fmt.Errorf("count events: %w", err)
		}
		for i, status := range []receiver.Status{receiver.Waiting, receiver.Working, receiver.Failed} {
			if counts[i] > 0 {
				all = append(all, receiver.Depth{Lane: lane, Status: status, Count: counts[i], Oldest: moment(oldest[i])})
			}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	slices.SortFunc(all, func(a, b receiver.Depth) int {
		return cmp.Or(cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.Status, b.Status))
	})
	return all, nil
}
