package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// condition writes a filter, with its parameters behind those in args.
func condition(f receiver.Filter, args []any) (string, []any) {
	text := "true"
	add := func(column string, values []string) {
		var marks []string
		for _, v := range values {
			args = append(args, v)
			marks = append(marks, "$"+strconv.Itoa(len(args)))
		}
		text += " and " + column + " in (" + strings.Join(marks, ", ") + ")"
	}
	var statuses []string
	for _, status := range f.Statuses {
		statuses = append(statuses, string(status))
	}
	if slices.Equal(f.Statuses, []receiver.Status{receiver.Failed}) {
		// In words, because databases use the index of the failed only when they see
		// that it is these that are meant.
		text, statuses = "status = 'failed'", nil
	}
	for _, part := range []struct {
		column string
		values []string
		any    bool
	}{{"lane", f.Lanes, f.Lanes == nil}, {"id", f.IDs, f.IDs == nil}, {"status", statuses, statuses == nil && len(f.Statuses) != 0 || f.Statuses == nil}} {
		switch {
		case part.any:
		case len(part.values) == 0:
			text += " and false"
		default:
			add(part.column, part.values)
		}
	}
	return text, args
}

// list selects items that come after from. A list of the failed is read from their index,
// one by ids from that of the keys; others go along the table, for pages of it.
func list(filter receiver.Filter, from int64, limit int) (string, []any) {
	body := "null"
	if filter.IDs != nil {
		body = "body"
	}
	where, args := condition(filter, []any{from, limit})
	return "select " + columnsWith(body) + ", seq from receiver_inbox where seq > $1 and " + where + " order by seq limit $2", args
}

// List is part of [receiver.Store].
func (s *Store) List(ctx context.Context, filter receiver.Filter, page receiver.Page) (items []receiver.Item, after string, err error) {
	var from int64
	if page.After != "" {
		if from, err = strconv.ParseInt(page.After, 10, 64); err != nil {
			return nil, "", fmt.Errorf("list events: %q is not where a page ended", page.After)
		}
	}
	limit := min(page.Limit, maxPage)
	if limit <= 0 {
		limit = defaultPage
	}
	text, args := list(filter, from, limit+1)
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, "", fmt.Errorf("list events: %w", err)
	}
	defer rows.Close()
	var last int64
	for rows.Next() {
		if len(items) == limit {
			return items, strconv.FormatInt(last, 10), nil
		}
		item, err := scan(rows, &last)
		if err != nil {
			return nil, "", fmt.Errorf("list events: %w", err)
		}
		items = append(items, item)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("list events: %w", err)
	}
	return items, "", nil
}

// rerun makes items waiting.
func rerun(filter receiver.Filter) (string, []any) {
	again := "status in ('failed', 'waiting')"
	if filter.IDs != nil && slices.Contains(filter.Statuses, receiver.Done) {
		again = "status in ('failed', 'waiting', 'done')"
	}
	where, args := condition(filter, nil)
	return `update receiver_inbox set
			tries = case status when 'waiting' then tries else 0 end,
			failures = case status when 'waiting' then failures else 0 end,
			lost = case status when 'waiting' then lost else 0 end,
			status = 'waiting', due_at = {now}, ended_at = null
		where ` + again + " and " + where, args
}

// Rerun is part of [receiver.Store].
func (s *Store) Rerun(ctx context.Context, filter receiver.Filter) (int, error) {
	text, args := rerun(filter)
	return s.change(ctx, "run events again", text, args...)
}

// purge removes what ended longest ago, by its index.
const purge = `delete from receiver_inbox where seq in (
	select seq from receiver_inbox where status = $1 and ended_at is not null and ended_at < {now} - $2 order by ended_at limit $3)`

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
		n, err := s.change(ctx, "remove old events", purge,
			string(kind.status), kind.keep.Milliseconds(), most-removed)
		if err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, nil
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

// depths counts; each half is answered from an index of its own.
const depths = `select lane, status, count(*), min(received_at) from receiver_inbox where due_at is not null group by lane, status
	union all select lane, 'failed', count(*), min(received_at) from receiver_inbox where status = 'failed' group by lane
	order by 1, 2`

// Depths is part of [receiver.Store].
func (s *Store) Depths(ctx context.Context) (counted []receiver.Depth, err error) {
	rows, err := s.db.QueryContext(ctx, depths)
	if err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d receiver.Depth
		var status string
		var oldest int64
		if err := rows.Scan(&d.Lane, &status, &d.Count, &oldest); err != nil {
			return nil, fmt.Errorf("count events: %w", err)
		}
		d.Status, d.Oldest = receiver.Status(status), moment(oldest)
		counted = append(counted, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	return counted, nil
}
