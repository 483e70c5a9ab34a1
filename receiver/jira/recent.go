package jira

import (
	"context"
	"sync"
	"time"
)

const (
	// maxRecent bounds the memory of issues that were just made, and recentFor is how
	// long one is remembered: the search learns of an issue within seconds, sometimes
	// minutes.
	maxRecent = 1000
	recentFor = time.Hour
)

// recent remembers which issue a label got last, for as long as the search may not know.
type recent struct {
	mu    sync.Mutex
	made  map[string]made
	order []string // of made, the oldest first
	now   func() time.Time
}

type made struct {
	id int64
	at time.Time
}

func (r *recent) put(label string, id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.made[label]; !known {
		r.order = append(r.order, label)
	}
	r.made[label] = made{id, r.now()}
	if len(r.order) > maxRecent {
		delete(r.made, r.order[0])
		r.order = r.order[1:]
	}
}

func (r *recent) get(label string) (int64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, known := r.made[label]
	return one.id, known && r.now().Sub(one.at) < recentFor
}

// turns lets one event of a label be told at a time: two at once would find no issue
// both, and make two.
type turns struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the turn ends
}

// take waits for a turn and gives what ends it.
func (t *turns) take(ctx context.Context, label string) (end func(), err error) {
	for {
		t.mu.Lock()
		other, taken := t.held[label]
		if !taken {
			own := make(chan struct{})
			t.held[label] = own
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.held, label)
				t.mu.Unlock()
				close(own)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
