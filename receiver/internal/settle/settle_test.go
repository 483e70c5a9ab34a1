package settle

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

func TestWaits(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	w := New(30*time.Second, func() time.Time { return now })

	w.Begin("known")
	now = now.Add(10 * time.Second)
	for id, want := range map[string]time.Duration{"known": 20 * time.Second, "after a restart": 30 * time.Second} {
		failure, ok := errors.AsType[*receiver.Failure](w.Check(id))
		if !ok || !failure.Unavailable || failure.Answered || !failure.Unsure || failure.After != want {
			t.Errorf("%s: %+v, want to come again in %v, still unsure", id, failure, want)
		}
	}
	now = now.Add(20 * time.Second)
	if err := w.Check("known"); err != nil {
		t.Errorf("after its time: %v", err)
	}
	w.Begin("known") // posted again, and again without an answer
	if err := w.Check("known"); err == nil {
		t.Error("it does not wait after the second post")
	}
	w.End("known")
	w.End("after a restart")
	w.End("never heard of")
	if len(w.since) != 0 || len(w.order) != 0 {
		t.Errorf("%d and %d are left", len(w.since), len(w.order))
	}
}

func TestWaitsAreBounded(t *testing.T) {
	t.Parallel()
	w := New(time.Minute, time.Now)
	for i := range maxKnown + 5 {
		w.Begin(strconv.Itoa(i))
	}
	if len(w.since) != maxKnown || len(w.order) != maxKnown {
		t.Errorf("%d are remembered in an order of %d, want %d", len(w.since), len(w.order), maxKnown)
	}
}

func TestNoWait(t *testing.T) {
	t.Parallel()
	if err := New(-1, time.Now).Check("a"); err != nil {
		t.Errorf("without a wait: %v", err)
	}
}
