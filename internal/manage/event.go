package manage

import (
	"context"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// ListEvents asks for events.
type ListEvents struct {
	Filter store.EventFilter
	Page   Page
}

// Event reads an accepted event.
func (m *Manager) Event(ctx context.Context, caller auth.Caller, id string) (store.Event, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (store.Event, error) {
		if err := known(id); err != nil {
			return store.Event{}, err
		}
		return m.db.Event(ctx, caller.AccountID, id)
	})
}

// ListEvents pages through events, newest first, also those that matched no endpoint.
func (m *Manager) ListEvents(ctx context.Context, caller auth.Caller, in ListEvents) (List[store.Event], error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (List[store.Event], error) {
		var wrong mistakes
		wrong.id("type", in.Filter.Type)
		wrong.span(in.Filter.From, in.Filter.To)
		page := wrong.page(in.Page)
		if err := wrong.err(); err != nil {
			return List[store.Event]{}, err
		}
		rows, next, err := m.db.ListEvents(ctx, caller.AccountID, in.Filter, page)
		if err != nil {
			return List[store.Event]{}, err
		}
		return List[store.Event]{Rows: rows, Next: next}, nil
	})
}
