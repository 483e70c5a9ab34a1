package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

const (
	// maxPart and maxPartBytes bound what one run of a script does: a few milliseconds,
	// in which the server answers nobody else.
	maxPart      = 500
	maxPartBytes = 8 << 20

	// A page of a list, as package receiver has it.
	defaultPage = 100
	maxPage     = 1000
)

// parts divides work into what single runs of a script do. Size gives the bytes of an
// element, write its arguments.
func parts[T any](all []T, size func(T) int, write func(T) []any) [][]any {
	var parts [][]any
	n, bytes := 0, 0
	for _, one := range all {
		if len(parts) == 0 || n == maxPart || bytes+size(one) > maxPartBytes {
			parts, n, bytes = append(parts, nil), 0, 0
		}
		last := len(parts) - 1
		parts[last] = append(parts[last], write(one)...)
		n, bytes = n+1, bytes+size(one)
	}
	return parts
}

// Put is part of [receiver.Store].
func (s *Store) Put(ctx context.Context, items []receiver.Item) ([]bool, error) {
	if len(items) == 0 {
		return []bool{}, nil
	}
	answer, err := s.together(ctx, put, parts(items, func(i receiver.Item) int { return len(i.Body) }, itemArgs))
	if err != nil {
		return nil, fmt.Errorf("keep events in Redis: %w", err)
	}
	return flags(answer, len(items))
}

// itemArgs are what is kept of an item.
func itemArgs(item receiver.Item) []any {
	return []any{item.Lane, item.ID, item.Type, item.DeliveryID, item.Body}
}

// Begin is part of [receiver.Store].
func (s *Store) Begin(ctx context.Context, item receiver.Item, lease time.Duration) (receiver.Item, receiver.Standing, error) {
	answer, err := s.call(ctx, begin, append(itemArgs(item), lease.Milliseconds(), rand.Text())...)
	if err != nil {
		return item, "", fmt.Errorf("begin an event in Redis: %w", err)
	}
	r := reader{words: answer}
	standing, found := receiver.Standing(r.text()), r.item()
	if r.err != nil {
		return item, "", r.err
	}
	return found, standing, nil
}

// Claim is part of [receiver.Store]. It takes less than most when the bodies are many
// megabytes together, or most is more than one run of a script should do.
func (s *Store) Claim(ctx context.Context, lane string, most int, lease time.Duration) ([]receiver.Item, time.Duration, error) {
	answer, err := s.call(ctx, claim, lane, min(max(most, 0), maxPart), lease.Milliseconds(), rand.Text())
	if err != nil {
		return nil, 0, fmt.Errorf("claim events in Redis: %w", err)
	}
	r := reader{words: answer}
	next := r.number()
	items := r.items()
	if r.err != nil {
		return nil, 0, r.err
	}
	if next < 0 {
		return items, -1, nil
	}
	return items, time.Duration(next) * time.Millisecond, nil
}

// Record is part of [receiver.Store].
func (s *Store) Record(ctx context.Context, ends []receiver.End) ([]bool, error) {
	if len(ends) == 0 {
		return []bool{}, nil
	}
	answer, err := s.together(ctx, record, parts(ends, func(e receiver.End) int { return len(e.Error) }, func(e receiver.End) []any {
		return []any{e.Key.Lane, e.Key.ID, e.Token, string(e.To), e.Delay.Milliseconds(), e.Back, e.Counts, e.Unsure, e.Error, e.Overran}
	}))
	if err != nil {
		return nil, fmt.Errorf("write how events ended to Redis: %w", err)
	}
	return flags(answer, len(ends))
}

// filterArgs writes a filter as the scripts read it.
func filterArgs(f receiver.Filter) []any {
	statuses := f.Statuses
	if statuses == nil {
		statuses = []receiver.Status{receiver.Waiting, receiver.Working, receiver.Done, receiver.Failed}
	}
	return slices.Concat(words(f.Lanes), words(f.IDs), words(statuses))
}

// from writes the place that a page begins behind: an item's number.
func from(after string) (string, error) {
	if after == "" {
		return "0", nil
	}
	n, err := strconv.ParseUint(after, 10, 63)
	if err != nil {
		return "", fmt.Errorf("list events: %q is not where a page ended", after)
	}
	return fmt.Sprintf("%016d", n), nil
}

// List is part of [receiver.Store].
func (s *Store) List(ctx context.Context, filter receiver.Filter, page receiver.Page) ([]receiver.Item, string, error) {
	after, err := from(page.After)
	if err != nil {
		return nil, "", err
	}
	limit := min(page.Limit, maxPage)
	if limit <= 0 {
		limit = defaultPage
	}
	answer, err := s.call(ctx, list, append([]any{after, limit, filter.IDs != nil}, filterArgs(filter)...)...)
	if err != nil {
		return nil, "", fmt.Errorf("list events in Redis: %w", err)
	}
	r := reader{words: answer}
	next, items := r.text(), r.items()
	if r.err != nil {
		return nil, "", r.err
	}
	return items, next, nil
}

// Rerun is part of [receiver.Store].
func (s *Store) Rerun(ctx context.Context, filter receiver.Filter) (int, error) {
	again := []receiver.Status{receiver.Failed, receiver.Waiting}
	if filter.IDs != nil && slices.Contains(filter.Statuses, receiver.Done) {
		again = append(again, receiver.Done)
	}
	if filter.Statuses != nil {
		again = slices.DeleteFunc(again, func(status receiver.Status) bool { return !slices.Contains(filter.Statuses, status) })
	}
	filter.Statuses = again
	changed := 0
	for after := "0"; after != ""; {
		answer, err := s.call(ctx, rerun, append([]any{after, maxPart}, filterArgs(filter)...)...)
		if err != nil {
			return changed, fmt.Errorf("run events in Redis again: %w", err)
		}
		r := reader{words: answer}
		after = r.text()
		changed += int(r.number())
		if r.err != nil {
			return changed, r.err
		}
	}
	return changed, nil
}

// Purge is part of [receiver.Store].
func (s *Store) Purge(ctx context.Context, done, failed time.Duration, most int) (int, error) {
	removed := 0
	for _, kind := range []struct {
		status receiver.Status
		keep   time.Duration
	}{{receiver.Done, done}, {receiver.Failed, failed}} {
		for kind.keep > 0 && removed < most {
			asked := min(maxPart, most-removed)
			answer, err := s.call(ctx, purge, string(kind.status), kind.keep.Milliseconds(), asked)
			if err != nil {
				return removed, fmt.Errorf("remove old events from Redis: %w", err)
			}
			r := reader{words: answer}
			n := int(r.number())
			removed += n
			if r.err != nil {
				return removed, r.err
			}
			if n < asked {
				break
			}
		}
	}
	if _, err := s.call(ctx, setback, maxPart); err != nil {
		return removed, fmt.Errorf("mend the times of events in Redis: %w", err)
	}
	return removed, nil
}

// Depths is part of [receiver.Store].
func (s *Store) Depths(ctx context.Context) ([]receiver.Depth, error) {
	answer, err := s.call(ctx, depths)
	if err != nil {
		return nil, fmt.Errorf("count events in Redis: %w", err)
	}
	r := reader{words: answer}
	var all []receiver.Depth
	for r.more() {
		all = append(all, receiver.Depth{Lane: r.text(), Status: receiver.Status(r.text()), Count: int(r.number()), Oldest: r.moment()})
	}
	return all, r.err
}
