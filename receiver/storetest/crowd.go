package storetest

import (
	"sync"

	"github.com/compliancelayer/compliancelayer/receiver"
)

// crowd is how many do the same at once.
const crowd = 8

func crowdChecks() []check {
	return []check{
		{"many that claim at once get every item once", crowdClaims},
		{"of many that put the same items at once one is told that each is new", crowdPuts},
		{"of many that begin the same item at once one has it", crowdBegins},
		{"of many that take over the same item at once one has it", crowdTakesOver},
	}
}

// together runs fn by a crowd at once.
func together(fn func(int)) {
	var all sync.WaitGroup
	for i := range crowd {
		all.Go(func() { fn(i) })
	}
	all.Wait()
}

func crowdClaims(w *world) {
	const n = 400
	w.put(events(n)...)
	var mu sync.Mutex
	got := map[string]int{}
	together(func(int) {
		for {
			items, _, err := w.s.Claim(w.ctx(), "", 7, lease)
			if err != nil {
				w.t.Errorf("Claim: %v", err)
				return
			}
			if len(items) == 0 {
				return
			}
			var ends []receiver.End
			mu.Lock()
			for _, item := range items {
				got[item.ID]++
				ends = append(ends, end(item, receiver.Done))
			}
			mu.Unlock()
			lost, err := w.s.Record(w.ctx(), ends)
			if err != nil {
				w.t.Errorf("Record: %v", err)
				return
			}
			for i := range lost {
				if lost[i] {
					w.t.Errorf("the lease of %s is lost", ends[i].Key.ID)
				}
			}
		}
	})
	// A claim that finds nothing may have passed over what another was claiming, so
	// some can be left; none may come twice.
	for _, item := range w.claim("", n) {
		got[item.ID]++
	}
	for _, item := range events(n) {
		if got[item.ID] != 1 {
			w.t.Errorf("%s was claimed %d times", item.ID, got[item.ID])
		}
	}
}

func crowdPuts(w *world) {
	const n = 50
	var mu sync.Mutex
	fresh := make([]int, n)
	together(func(int) {
		news, err := w.s.Put(w.ctx(), events(n))
		if err != nil {
			w.t.Errorf("Put: %v", err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for i := range news {
			if news[i] {
				fresh[i]++
			}
		}
	})
	for i, times := range fresh {
		if times != 1 {
			w.t.Errorf("item %d was new %d times", i, times)
		}
	}
	if got := len(w.list(receiver.Filter{})); got != n {
		w.t.Errorf("%d items are kept, want %d", got, n)
	}
}

// beginTogether begins one item by a crowd, and gives the one that has it.
func (w *world) beginTogether() receiver.Item {
	w.t.Helper()
	var mu sync.Mutex
	var begun []receiver.Item
	together(func(int) {
		item, standing, err := w.s.Begin(w.ctx(), event("a"), lease)
		if err != nil || (standing != receiver.Begun && standing != receiver.Busy) {
			w.t.Errorf("Begin: %q, %v", standing, err)
			return
		}
		if standing == receiver.Begun {
			mu.Lock()
			begun = append(begun, item)
			mu.Unlock()
		}
	})
	if len(begun) != 1 {
		w.t.Fatalf("%d have the item, want 1", len(begun))
	}
	return begun[0]
}

func crowdBegins(w *world) {
	w.record(end(w.beginTogether(), receiver.Done))
}

func crowdTakesOver(w *world) {
	first := w.begin(event("a"), receiver.Begun)
	w.pass(2 * lease)
	second := w.beginTogether()
	w.wantState("taken over", second, state{Status: receiver.Working, Tries: 2, Lost: 1, Unsure: true})
	if lost := w.tryRecord(end(first, receiver.Done)); !lost[0] {
		w.t.Error("the first lease still holds")
	}
	w.record(end(second, receiver.Done))
}
