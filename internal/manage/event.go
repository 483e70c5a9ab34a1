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

// ByHand is an event that a person publishes, and how: publishing is not this package's.
type ByHand struct {
	Type    string
	Publish func(context.Context) (eventID string, err error)
}

// PublishByHand publishes an event that a person has typed, and writes down that they did: programs publish by the
// thousand and leave no audit row. It answers the event's id. The errors are those of in.Publish.
func (m *Manager) PublishByHand(ctx context.Context, caller auth.Caller, in ByHand) (string, error) {
	return change(ctx, m, caller, auth.Publish, "event.publish", func(ctx context.Context) (string, deed, error) {
		id, err := in.Publish(ctx)
		return id, deed{object: id, detail: in.Type}, err
	})
}
