package storetest

import (
	"bytes"
	"context"
	"strings"

	"github.com/compliancelayer/compliancelayer/receiver"
)

func putChecks() []check {
	return []check{
		{"put keeps items as waiting, due at once, and says that they are new", putKeeps},
		{"put of what is known changes nothing", putKnown},
		{"put of what was done or failed changes nothing", putEnded},
		{"an item that comes twice in a batch is kept once, as it came first", putTwice},
		{"the same id in two lanes is two items", putLanes},
		{"put of nothing does nothing", putNothing},
		{"put that is called off keeps none", putCalledOff},
		{"a batch of thousands is kept whole", putMany},
		{"a megabyte of any bytes comes back as it was", putBytes},
		{"an empty body is kept", putEmpty},
		{"names are any text", putNames},
		{"of an item that is put, its standing is not read", putStanding},
	}
}

func putKeeps(w *world) {
	w.wantFresh(w.put(event("a"), event("b")), true, true)
	for _, id := range []string{"a", "b"} {
		got := w.get(id)
		w.wantSame("what is kept", got, event(id))
		w.wantState("what is kept", got, state{Status: receiver.Waiting})
	}
	w.wantIDs("due at once", w.claim("", 10), "a", "b")
}

func putKnown(w *world) {
	w.put(event("a"))
	other := event("a")
	other.Type, other.Body, other.DeliveryID = "other", []byte("other"), 99
	w.wantFresh(w.put(event("b"), other), true, false)
	w.wantSame("a put again", w.get("a"), event("a"))

	leased := w.claim("", 1)[0]
	w.wantFresh(w.put(event("a")), false)
	w.wantState("a put while it is worked on", w.get("a"), state{Status: receiver.Working, Tries: 1})
	w.record(end(leased, receiver.Done))
}

func putEnded(w *world) {
	w.finished(event("done"), receiver.Done)
	w.finished(event("failed"), receiver.Failed)
	w.wantFresh(w.put(event("done"), event("failed")), false, false)
	w.wantState("done and put again", w.get("done"), state{Status: receiver.Done, Tries: 1})
	w.wantState("failed and put again", w.get("failed"), state{Status: receiver.Failed, Tries: 1, Failures: 1})
	w.wantIDs("due", w.claim("", 10))
}

func putTwice(w *world) {
	second := event("a")
	second.Body = []byte("second")
	w.wantFresh(w.put(event("a"), second, event("b"), event("b")), true, false, true, false)
	w.wantSame("what came twice", w.get("a"), event("a"))
	w.wantIDs("all", w.list(receiver.Filter{}), "a", "b")
}

func putLanes(w *world) {
	w.wantFresh(w.put(in("", "a"), in("one", "a"), in("two", "a"), in("one", "a")), true, true, true, false)
	for _, lane := range []string{"", "one", "two"} {
		items := w.claim(lane, 10)
		w.wantIDs("lane "+lane, items, "a")
		if len(items) == 1 && items[0].Lane != lane {
			w.t.Errorf("lane %q gives an item of lane %q", lane, items[0].Lane)
		}
	}
}

func putNothing(w *world) {
	w.wantFresh(w.put())
	w.wantIDs("all", w.list(receiver.Filter{}))
}

func putCalledOff(w *world) {
	ctx, cancel := context.WithCancel(w.ctx())
	cancel()
	if _, err := w.s.Put(ctx, events(3)); err == nil {
		w.t.Error("Put with a context that has ended: no error")
	}
	w.wantIDs("all", w.list(receiver.Filter{}))
}

func putMany(w *world) {
	const n = 2500
	all := events(n)
	w.put(all[n/2])
	for i, fresh := range w.put(all...) {
		if fresh != (i != n/2) {
			w.t.Fatalf("item %d of %d: new is %t", i, n, fresh)
		}
	}
	depths, err := w.s.Depths(w.ctx())
	if err != nil || len(depths) != 1 || depths[0].Count != n {
		w.t.Errorf("Depths = %+v, %v; want %d that wait", depths, err, n)
	}
}

func putBytes(w *world) {
	item := event("big")
	for i := range 1 << 20 {
		item.Body = append(item.Body, byte(i*i>>3))
	}
	want := bytes.Clone(item.Body)
	w.put(item)
	clear(item.Body) // it is the caller's again
	for _, got := range []receiver.Item{w.get("big"), w.claimOne("big")} {
		if !bytes.Equal(got.Body, want) {
			w.t.Errorf("%d bytes came back changed (%d of them)", len(want), len(got.Body))
		}
	}
}

func putEmpty(w *world) {
	item := event("empty")
	item.Body = nil
	w.put(item)
	w.wantSame("without a body", w.get("empty"), item)
	w.wantSame("without a body", w.claimOne("empty"), item)
}

func putNames(w *world) {
	names := []string{"a:b", "b", "ü", "{x}", "*", "'; drop", `"\`, "a b\n", "%d", strings.Repeat("long", 60), "10", "1", "01"}
	var items []receiver.Item
	for _, lane := range []string{"", "a", "a:", "1", "10"} {
		for _, id := range names {
			items = append(items, in(lane, id))
		}
	}
	for i, fresh := range w.put(items...) {
		if !fresh {
			w.t.Errorf("lane %q, id %q is taken for another", items[i].Lane, items[i].ID)
		}
	}
	for _, item := range items {
		got := w.list(receiver.Filter{Lanes: []string{item.Lane}, IDs: []string{item.ID}})
		if len(got) != 1 {
			w.t.Fatalf("lane %q, id %q is found %d times", item.Lane, item.ID, len(got))
		}
		w.wantSame("found by name", got[0], item)
	}
}

func putStanding(w *world) {
	item := event("a")
	item.Status, item.Tries, item.Failures, item.Lost, item.Unsure, item.Error, item.Token = receiver.Done, 1, 2, 3, true, "x", "y"
	w.put(item)
	w.wantState("put with a standing", w.get("a"), state{Status: receiver.Waiting})
	w.wantState("put with a standing", w.begin(event("b"), receiver.Begun), state{Status: receiver.Working, Tries: 1})
}
