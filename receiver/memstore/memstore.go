// Package memstore keeps a receiver's events in memory: for tests and for trying
// things out, NOT for events that matter. Whatever it holds is gone when the process
// ends, so a receiver that answers 200 on its word loses events; sqlstore is as short
// to write and loses nothing. New logs a warning that says so.
package memstore

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// Store is a [receiver.Store] in memory.
type Store struct {
	now func() time.Time

	mu    sync.Mutex
	seq   int
	items map[receiver.Key]*row
}

// row is an item with its place in the order of arrival.
type row struct {
	receiver.Item
	seq int
	set time.Time // when DueAt was
}

// New makes an empty store. Now is its clock; nil is the machine's. It warns, in the
// default log, that what it keeps is lost when the process ends.
func New(now func() time.Time) *Store {
	slog.Warn("events are kept in memory only: all are lost when this process ends")
	if now == nil {
		now = time.Now
	}
	return &Store{now: now, items: map[receiver.Key]*row{}}
}

// Put is part of [receiver.Store].
func (s *Store) Put(ctx context.Context, items []receiver.Item) ([]bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := make([]bool, len(items))
	for i, item := range items {
		if s.items[item.Key()] == nil {
			s.add(item)
			fresh[i] = true
		}
	}
	return fresh, nil
}

// add keeps an item that is not known.
func (s *Store) add(item receiver.Item) *row {
	now := s.now()
	s.seq++
	r := &row{seq: s.seq, set: now, Item: receiver.Item{
		Lane: item.Lane, ID: item.ID, Type: item.Type, DeliveryID: item.DeliveryID, Body: slices.Clone(item.Body),
		ReceivedAt: now, Status: receiver.Waiting, DueAt: now,
	}}
	s.items[item.Key()] = r
	return r
}

// lease gives an item to somebody.
func (r *row) lease(token int, now time.Time, lease time.Duration) receiver.Item {
	if r.Status == receiver.Working {
		r.Lost++
		r.Unsure = true
	}
	r.Status, r.DueAt, r.EndedAt, r.set = receiver.Working, now.Add(lease), time.Time{}, now
	r.Tries++
	r.Token = strconv.Itoa(token)
	return r.out()
}

func (r *row) out() receiver.Item {
	item := r.Item
	item.Body = slices.Clone(item.Body)
	return item
}

// begin resets the counts of an item, for a new start.
func (r *row) begin(now time.Time) {
	r.Status, r.DueAt, r.EndedAt, r.Token, r.set = receiver.Waiting, now, time.Time{}, "", now
	r.Tries, r.Failures, r.Lost = 0, 0, 0
}

// Begin is part of [receiver.Store].
func (s *Store) Begin(ctx context.Context, item receiver.Item, lease time.Duration) (receiver.Item, receiver.Standing, error) {
	if err := ctx.Err(); err != nil {
		return item, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	r := s.items[item.Key()]
	switch {
	case r == nil:
		r = s.add(item)
	case r.Status == receiver.Done:
		return r.out(), receiver.Ended, nil
	case r.Status == receiver.Working && now.Before(r.DueAt):
		return r.out(), receiver.Busy, nil
	case r.Status == receiver.Failed:
		r.begin(now)
	}
	s.seq++
	return r.lease(s.seq, now, lease), receiver.Begun, nil
}

// Claim is part of [receiver.Store].
func (s *Store) Claim(ctx context.Context, lane string, most int, lease time.Duration) ([]receiver.Item, time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	due := s.choose(func(r *row) bool { return r.Lane == lane && !r.DueAt.IsZero() })
	slices.SortStableFunc(due, func(a, b *row) int { return cmp.Or(a.DueAt.Compare(b.DueAt), a.seq-b.seq) })
	var claimed []receiver.Item
	n := 0
	for n < min(most, len(due)) && !now.Before(due[n].DueAt) {
		n++
	}
	next := time.Duration(-1)
	if n > 0 {
		next = lease
	}
	if n < len(due) {
		next = max(0, due[n].DueAt.Sub(now))
		if n > 0 { // what is leased now is due when the lease runs out
			next = min(next, lease)
		}
	}
	due = due[:n]
	slices.SortFunc(due, func(a, b *row) int { return a.seq - b.seq })
	for _, r := range due {
		s.seq++
		claimed = append(claimed, r.lease(s.seq, now, lease))
	}
	return claimed, next, nil
}

// choose gives the rows that fit, in the order of their arrival.
func (s *Store) choose(fits func(*row) bool) []*row {
	var chosen []*row
	for _, r := range s.items {
		if fits(r) {
			chosen = append(chosen, r)
		}
	}
	slices.SortFunc(chosen, func(a, b *row) int { return a.seq - b.seq })
	return chosen
}

// Record is part of [receiver.Store].
func (s *Store) Record(ctx context.Context, ends []receiver.End) ([]bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := make([]bool, len(ends))
	for i, end := range ends {
		r := s.items[end.Key]
		if lost[i] = r == nil || r.Status != receiver.Working || r.Token != end.Token; !lost[i] {
			s.end(r, end)
		}
	}
	return lost, nil
}

func (s *Store) end(r *row, end receiver.End) {
	now := s.now()
	r.Status, r.Error, r.Unsure, r.Token = end.To, end.Error, end.Unsure, ""
	r.DueAt, r.EndedAt, r.set = time.Time{}, now, now
	r.Lost -= end.Overran
	if end.Counts {
		r.Failures++
	}
	switch end.To {
	case "":
		delete(s.items, end.Key)
	case receiver.Waiting:
		r.DueAt, r.EndedAt = now.Add(end.Delay), time.Time{}
		if end.Back {
			r.DueAt = now
			if r.ReceivedAt.Before(now) { // as it is, unless the clock was set back
				r.DueAt = r.ReceivedAt
			}
		}
	}
}

func fits(f receiver.Filter, r *row) bool {
	return (f.Lanes == nil || slices.Contains(f.Lanes, r.Lane)) &&
		(f.IDs == nil || slices.Contains(f.IDs, r.ID)) &&
		(f.Statuses == nil || slices.Contains(f.Statuses, r.Status))
}

// List is part of [receiver.Store].
func (s *Store) List(ctx context.Context, filter receiver.Filter, page receiver.Page) ([]receiver.Item, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	after := 0
	if page.After != "" {
		var err error
		if after, err = strconv.Atoi(page.After); err != nil {
			return nil, "", err
		}
	}
	if page.Limit <= 0 {
		page.Limit = 100
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var items []receiver.Item
	last := 0
	for _, r := range s.choose(func(r *row) bool { return r.seq > after && fits(filter, r) }) {
		if len(items) == min(page.Limit, 1000) {
			return items, strconv.Itoa(last), nil
		}
		item := r.out()
		if filter.IDs == nil {
			item.Body = nil
		}
		items, last = append(items, item), r.seq
	}
	return items, "", nil
}

// Rerun is part of [receiver.Store].
func (s *Store) Rerun(ctx context.Context, filter receiver.Filter) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	named := filter.IDs != nil && slices.Contains(filter.Statuses, receiver.Done)
	n := 0
	for _, r := range s.choose(func(r *row) bool { return fits(filter, r) }) {
		switch {
		case r.Status == receiver.Failed, r.Status == receiver.Done && named:
			r.begin(now)
		case r.Status == receiver.Waiting:
			if r.DueAt.After(now) {
				r.DueAt, r.set = now, now
			}
		default:
			continue
		}
		n++
	}
	return n, nil
}

// Purge is part of [receiver.Store].
func (s *Store) Purge(ctx context.Context, done, failed time.Duration, most int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	old := func(r *row, keep time.Duration) bool { return keep > 0 && now.Sub(r.EndedAt) > keep }
	gone := s.choose(func(r *row) bool {
		return (r.Status == receiver.Done && old(r, done)) || (r.Status == receiver.Failed && old(r, failed))
	})
	gone = gone[:min(len(gone), most)]
	for _, r := range gone {
		delete(s.items, r.Key())
	}
	for _, r := range s.items { // the clock was set back
		if future := r.set.Sub(now); future > 0 && r.DueAt.After(now) {
			r.set, r.DueAt = now, r.DueAt.Add(-future)
			if r.ReceivedAt.After(now) {
				r.ReceivedAt = now
			}
		}
	}
	return len(gone), nil
}

// Depths is part of [receiver.Store].
func (s *Store) Depths(ctx context.Context) ([]receiver.Depth, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	type place struct {
		lane   string
		status receiver.Status
	}
	counts := map[place]*receiver.Depth{}
	for _, r := range s.choose(func(r *row) bool { return r.Status != receiver.Done }) {
		at := place{r.Lane, r.Status}
		if counts[at] == nil {
			counts[at] = &receiver.Depth{Lane: r.Lane, Status: r.Status, Oldest: r.ReceivedAt}
		}
		counts[at].Count++
	}
	var depths []receiver.Depth
	for _, d := range counts {
		depths = append(depths, *d)
	}
	slices.SortFunc(depths, func(a, b receiver.Depth) int {
		return cmp.Or(cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.Status, b.Status))
	})
	return depths, nil
}
