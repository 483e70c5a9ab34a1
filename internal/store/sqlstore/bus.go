package sqlstore

import (
	"context"
	"sync"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Announce tells the nodes what changed.
func (s *Store) Announce(ctx context.Context, notes ...store.Note) error {
	if len(notes) == 0 {
		return nil
	}
	return translate(s.engine.announce(ctx, notes))
}

// Listen hears what the nodes announce until ctx ends.
func (s *Store) Listen(ctx context.Context, hear func(store.Note)) error {
	return translate(s.engine.listen(ctx, hear))
}

// hub carries notes within this process.
type hub struct {
	mu   sync.Mutex
	next int
	ears map[int]func(store.Note)
}

func (h *hub) announce(notes []store.Note) {
	h.mu.Lock()
	ears := make([]func(store.Note), 0, len(h.ears))
	for _, hear := range h.ears {
		ears = append(ears, hear)
	}
	h.mu.Unlock()
	for _, n := range notes {
		n.Own = true
		for _, hear := range ears {
			hear(n)
		}
	}
}

func (h *hub) listen(ctx context.Context, hear func(store.Note)) error {
	h.mu.Lock()
	id := h.next
	h.next++
	if h.ears == nil {
		h.ears = map[int]func(store.Note){}
	}
	h.ears[id] = hear
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	delete(h.ears, id)
	h.mu.Unlock()
	return nil
}
