package sqlstore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

const selectEvent = `select account_id, id, type, created_at, body, deliveries, seq from events`

func scanEvent(r scanner) (e eventAt, err error) {
	var created int64
	err = r.Scan(&e.AccountID, &e.ID, &e.Type, &created, &e.Body, &e.Deliveries, &e.seq)
	e.CreatedAt = at(created)
	return e, err
}

// eventAt is an event with its place in the table.
type eventAt struct {
	store.Event
	seq int64
}

// Event reads one.
func (s *Store) Event(ctx context.Context, accountID, id string) (store.Event, error) {
	e, err := scanEvent(s.reads.row(ctx, selectEvent+` where account_id = $1 and id = $2`, accountID, strings.ToLower(id))) // index events_id
	return e.Event, reading("read event", err)
}

// ListEvents pages through an account's events (index events_log).
func (s *Store) ListEvents(ctx context.Context, accountID string, f store.EventFilter, page store.Page) ([]store.Event, string, error) {
	after, err := parsePosition(page.Cursor)
	if err != nil {
		return nil, "", err
	}
	walk := where{args: []any{accountID}, text: `account_id = $1`}
	if !f.From.IsZero() {
		walk.add(`created_at >= ?`, ms(f.From))
	}
	list := search[eventAt]{patience: s.effort.patience, at: func(e eventAt) position { return position{at: ms(e.CreatedAt), id: e.seq} }}
	list.reach = func(after position) (end position, goesOn bool, err error) {
		if f.Type == "" && !f.Unmatched {
			return position{}, false, nil
		}
		w := walk.with(`(created_at, seq) < (?, ?)`, after.at, after.id)
		err = s.reads.row(ctx, `select created_at, seq from events`+w.sql()+` order by created_at desc, seq desc limit 1 offset `+w.arg(s.effort.step-1), w.args...).Scan(&end.at, &end.id)
		if errors.Is(err, errNoRow) {
			return position{}, false, nil
		}
		return end, true, err
	}
	list.read = func(after, end position, most int) ([]eventAt, error) {
		w := walk.with(`(created_at, seq) < (?, ?) and (created_at, seq) >= (?, ?)`, after.at, after.id, end.at, end.id)
		if f.Type != "" {
			w.add(`type = ?`, f.Type)
		}
		if f.Unmatched {
			w.add(`deliveries = 0`)
		}
		rs, err := s.reads.query(ctx, selectEvent+w.sql()+` order by created_at desc, seq desc limit `+w.arg(most), w.args...)
		return collect(rs, err, scanEvent)
	}
	found, next, err := list.page(after.below(f.To), page.Limit)
	if err != nil {
		return nil, "", reading("list events", err)
	}
	events := make([]store.Event, len(found))
	for i, e := range found {
		events[i] = e.Event
	}
	return events, next, nil
}

// where gathers the conditions of a query with their arguments.
type where struct {
	text string
	args []any
}

// add adds a condition; each ? in it takes the next argument.
func (w *where) add(condition string, args ...any) {
	for _, a := range args {
		condition = strings.Replace(condition, "?", w.arg(a), 1)
	}
	w.text += " and " + condition
}

// with gives a copy with one condition more.
func (w where) with(condition string, args ...any) where {
	w.args = slices.Clone(w.args)
	w.add(condition, args...)
	return w
}

// arg adds an argument and gives its placeholder.
func (w *where) arg(a any) string {
	w.args = append(w.args, a)
	return "$" + strconv.Itoa(len(w.args))
}

// in adds a condition that a column is one of some values.
func (w *where) in(column string, values []string) {
	places := make([]string, len(values))
	for i, v := range values {
		places[i] = w.arg(v)
	}
	w.text += " and " + column + " in (" + strings.Join(places, ", ") + ")"
}

func (w *where) sql() string { return " where " + w.text }
