package storetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func upkeepChecks() []check {
	return []check{
		{"an open store answers", upkeepPing},
		{"a value is kept once, and the kept one is answered", valueOnce},
		{"many who keep a value at once get the same answer", valueAtOnce},
		{"a value that was never kept is not found", valueMissing},
		{"a backup is a new file, or an error that says what to use instead", upkeepBackup},
	}
}

// depthChecks are alone: the counts are of every account.
func depthChecks() []check {
	return []check{
		{"the counts equal a recount", depthRecount},
		{"what waits for its endpoint is due and not late", depthLate},
	}
}

// nodeChecks are alone: nodes belong to no account.
func nodeChecks() []check {
	return []check{
		{"a node that lives is counted once, a silent one no more", nodeBeat},
		{"a node that leaves is counted no more", nodeLeave},
		{"the clock goes forward", nodeClock},
	}
}

func upkeepPing(w *world) { w.must("ping", w.s.Ping(w.ctx())) }

func valueOnce(w *world) {
	name := newID("check.")
	want := []byte("first \x00\xff")
	for _, value := range [][]byte{want, []byte("second")} {
		got, err := w.s.SetValueOnce(w.ctx(), name, value)
		w.must("set value", err)
		w.equal("answer", got, want)
	}
	got, err := w.s.Value(w.ctx(), name)
	w.must("read value", err)
	w.equal("value", got, want)
}

func valueAtOnce(w *world) {
	name := newID("check.")
	var mu sync.Mutex
	answers := make(map[string]int)
	w.atOnce(20, func(i int) error {
		got, err := w.s.SetValueOnce(w.ctx(), name, fmt.Appendf(nil, "value %d", i))
		mu.Lock()
		defer mu.Unlock()
		answers[string(got)]++
		return err
	})
	kept, err := w.s.Value(w.ctx(), name)
	w.must("read value", err)
	if len(answers) != 1 || answers[string(kept)] != 20 {
		w.t.Errorf("20 calls at once got the answers %v, and %q is kept", answers, kept)
	}
}

func valueMissing(w *world) {
	_, err := w.s.Value(w.ctx(), newID("check."))
	w.wantError("read no value", err, store.ErrNotFound)
}

func upkeepBackup(w *world) {
	w.inStatus(w.newEndpoint(), delivery.Pending)
	path := filepath.Join(w.t.TempDir(), "backup.db")
	var done, total int64
	err := w.s.Backup(w.ctx(), path, func(d, n int64) { done, total = d, n })
	info, statErr := os.Stat(path)
	if err != nil {
		if !strings.Contains(err.Error(), "pg_dump") || statErr == nil {
			w.t.Errorf("backup: got error %v and file %v, want an error that names pg_dump and no file", err, info)
		}
		return
	}
	w.must("look at the backup", statErr)
	if info.Size() == 0 || done == 0 || done != total {
		w.t.Errorf("the backup has %d bytes, and its progress ended at %d of %d", info.Size(), done, total)
	}
	if err := w.s.Backup(w.ctx(), path, nil); err == nil {
		w.t.Errorf("a backup replaced a file that was there")
	}
}

// depth reads the counts at a time that lies before those of all other checks,
// so that only the check's own deliveries are due by then.
func (w *world) depth(now time.Time) store.Depth {
	w.t.Helper()
	d, err := w.s.Depth(w.ctx(), now)
	w.must("read depth", err)
	return d
}

func depthRecount(w *world) {
	early := time.Date(2012, time.May, 1, 0, 0, 0, 0, time.UTC)
	now := early.Add(10 * time.Minute)
	before := w.depth(now)

	endpoints := w.newEndpoints(2)
	disabled, deleted := w.newEndpoint(), w.newEndpoint()
	narrow, _ := w.narrowed() // with three that wait, and three that wait again
	w.publishOne(early, pendingTo(endpoints[0]))
	w.publishOne(now, pendingTo(endpoints[0]))
	w.publishOne(now.Add(time.Millisecond), pendingTo(endpoints[1]))
	for _, status := range []delivery.Status{delivery.Sending, delivery.Sending, delivery.Held, delivery.Failed, delivery.Delivered, delivery.Discarded} {
		w.inStatus(endpoints[1], status)
	}
	w.inStatus(disabled, delivery.Pending)
	w.setState(disabled, delivery.Disabled)
	w.inStatus(deleted, delivery.Pending)
	w.setState(deleted, delivery.Deleted)

	got := w.depth(now)
	want := store.Depth{
		Waiting: before.Waiting + 3 + 6, Due: before.Due + 2, Oldest: 10 * time.Minute, Late: 10 * time.Minute,
		Sending: before.Sending + 2, Held: before.Held + 2, Failed: before.Failed + 1,
		Enabled: before.Enabled + 3, Narrow: before.Narrow + 1, Disabled: before.Disabled + 1,
	}
	w.equal("depth", got, want)

	w.setState(narrow, delivery.Disabled)
	got = w.depth(now)
	want.Waiting, want.Held = want.Waiting-6, want.Held+6
	want.Enabled, want.Narrow, want.Disabled = want.Enabled-1, want.Narrow-1, want.Disabled+1
	w.equal("depth after the narrow endpoint was disabled", got, want)
}

func depthLate(w *world) {
	early := time.Date(2011, time.May, 1, 0, 0, 0, 0, time.UTC)
	now := early.Add(10 * time.Minute)
	busy := func(of int) func(string) {
		return func(id string) {
			for range of {
				w.lease(id)
			}
		}
	}
	narrow := func(id string) {
		for i := range delivery.NarrowAfter {
			w.end(rules(), w.lease(id), delivery.ServerError, at(time.Duration(i)*time.Second))
		}
	}
	tests := []struct {
		name   string
		change func(*delivery.Endpoint)
		then   func(id string)
		late   bool
	}{
		{"that could be sent to", func(*delivery.Endpoint) {}, func(string) {}, true},
		{"with little on its way", func(e *delivery.Endpoint) { e.Concurrency = 4 }, busy(1), true},
		{"with its most on their way", func(e *delivery.Endpoint) { e.Concurrency = 4 }, busy(4), false},
		{"with a server's most on their way", func(*delivery.Endpoint) {}, busy(delivery.DefaultConcurrency), false},
		{"with a rate limit", func(e *delivery.Endpoint) { e.RateLimit = 1 }, func(string) {}, false},
		{"that is narrow", func(*delivery.Endpoint) {}, narrow, false},
	}
	for _, tt := range tests {
		id := w.newEndpoint(tt.change)
		tt.then(id)
		d := w.publishOne(early, pendingTo(id))
		got := w.depth(now)
		if got.Oldest != 10*time.Minute || (got.Late == 10*time.Minute) != tt.late {
			w.t.Errorf("of an endpoint %s: got %s overdue and %s late, want late to be %v", tt.name, got.Oldest, got.Late, tt.late)
		}
		_, err := w.s.Discard(w.ctx(), w.account, d, "not wanted", at(0))
		w.must("discard", err)
	}
}

// A store that only one process can open may know without counting that one
// node lives; where nodes share a store, both are counted.
func nodeBeat(w *world) {
	beat := func(node string, now time.Time) int {
		n, err := w.s.Beat(w.ctx(), node, now)
		w.must("beat", err)
		return n
	}
	one, two := newID("node-"), newID("node-")
	first := beat(one, at(0))
	both := beat(two, at(0))
	if first < 1 || both != first+1 && both != 1 {
		w.t.Fatalf("one node beats: %d live; another one too: %d", first, both)
	}
	for _, tt := range []struct {
		node string
		now  time.Time
		want int
	}{
		{one, at(0), both},
		{two, at(time.Second), both},
		{two, at(24 * time.Hour), 1},
		{one, at(24 * time.Hour), min(both, 2)},
	} {
		if got := beat(tt.node, tt.now); got != tt.want {
			w.t.Errorf("%s at %s: got %d nodes, want %d", tt.node, tt.now, got, tt.want)
		}
	}
}

func nodeLeave(w *world) {
	one, two := newID("node-"), newID("node-")
	beat := func(node string) int {
		n, err := w.s.Beat(w.ctx(), node, at(48*time.Hour))
		w.must("beat", err)
		return n
	}
	alone := beat(one)
	beat(two)
	for range 2 { // who has left may say so again
		w.must("leave", w.s.Leave(w.ctx(), two))
	}
	if n := beat(one); n != alone {
		w.t.Errorf("%d nodes live after one has left, want %d", n, alone)
	}
}

func nodeClock(w *world) {
	var last time.Time
	for range 10 {
		now, err := w.s.Clock(w.ctx())
		w.must("read clock", err)
		if now.IsZero() || now.Before(last) {
			w.t.Errorf("the clock went from %s to %s", last, now)
		}
		last = now
	}
}
