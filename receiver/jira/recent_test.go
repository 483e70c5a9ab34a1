package jira

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestRecent(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	r := &recent{made: map[string]made{}, now: func() time.Time { return now }}
	r.put("a", 1)
	r.put("a", 2)
	if id, known := r.get("a"); id != 2 || !known {
		t.Errorf("a has %d, %v, want 2", id, known)
	}
	if _, known := r.get("b"); known {
		t.Error("b is known")
	}
	now = now.Add(recentFor)
	if _, known := r.get("a"); known {
		t.Error("a is known for ever")
	}
	for i := range maxRecent + 5 {
		r.put("label"+strconv.Itoa(i), int64(i))
	}
	if len(r.made) != maxRecent || len(r.order) != maxRecent {
		t.Errorf("%d labels are remembered in an order of %d, want %d", len(r.made), len(r.order), maxRecent)
	}
	if _, known := r.get("label0"); known {
		t.Error("the oldest was kept instead of the newest")
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := &turns{held: map[string]chan struct{}{}}
		end, err := turns.take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		other, err := turns.take(t.Context(), "b")
		if err != nil {
			t.Fatalf("another label waits: %v", err)
		}
		other()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := turns.take(short, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a turn that is taken gives %v, want the end of the context", err)
		}
		got := make(chan func())
		go func() {
			next, _ := turns.take(t.Context(), "a")
			got <- next
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("two have the turn")
		default:
		}
		end()
		(<-got)()
		if len(turns.held) != 0 {
			t.Errorf("%d turns are left", len(turns.held))
		}
	})
}
