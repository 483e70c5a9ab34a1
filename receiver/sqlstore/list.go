package sqlstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/compliancelayer/compliancelayer/receiver"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

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
	text, args := listed(filter, from, limit+1)
	rows, err := s.db.QueryContext(ctx, s.text(text), args...)
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

// listed selects the first items behind a place, of those that a filter chooses.
func listed(filter receiver.Filter, after int64, most int) (text string, args []any) {
	body := "null"
	if filter.IDs != nil {
		body = "body"
	}
	text, args = chosen(filter, after, most)
	return "with chosen as materialized (" + text + ") select " + columnsWith(body) +
		", seq from receiver_inbox where seq in (select seq from chosen) order by seq", args
}
