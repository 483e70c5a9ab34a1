package storetest

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

func recordChecks() []check {
	return []check{
		{"a token that does not hold is lost, and its end is not written", recordLost},
		{"of mixed ends each is written whose token holds", recordMixed},
		{"a token is good for one end", recordOnce},
		{"a token holds for its own item only", recordOwn},
		{"a lease that ran out still holds while nobody took over", recordLate},
		{"leases that ran out although the handler went on are taken off lost", recordOverran},
		{"record of nothing does nothing", recordNothing},
		{"record that is called off writes none", recordCalledOff},
		{"ends of hundreds are written", recordMany},
	}
}

func recordOverran(w *world) {
	for _, to := range []receiver.Status{receiver.Waiting, receiver.Failed} {
		id := string(to)
		w.put(event(id))
		w.claimOne(id)
		for range 2 {
			w.pass(2 * lease)
			w.claimOne(id)
		}
		w.pass(2 * lease)
		last := end(w.claimOne(id), to)
		last.Overran = 2
		w.record(last)
		if got := w.get(id); got.Lost != 1 {
			w.t.Errorf("%s: lost %d times, want 1", id, got.Lost)
		}
		w.record(end(w.begin(event(id), receiver.Begun), receiver.Done))
	}
}

func recordLost(w *world) {
	w.put(event("a"))
	item := w.claimOne("a")
	wrong := end(item, receiver.Done)
	wrong.Token += "x"
	none := end(item, receiver.Done)
	none.Token = ""
	unknown := end(item, receiver.Done)
	unknown.Key.ID = "b"
	for i, lost := range w.tryRecord(wrong, none, unknown) {
		if !lost {
			w.t.Errorf("end %d was written", i)
		}
	}
	w.wantState("after ends of others", w.get("a"), state{Status: receiver.Working, Tries: 1})
	w.record(end(item, receiver.Done))

	w.put(event("c"))
	waiting := end(event("c"), receiver.Done)
	if lost := w.tryRecord(waiting); !lost[0] { // nobody has it, and "" is nobody's token
		w.t.Error("the end of an item without a lease was written")
	}
	w.wantState("never leased", w.get("c"), state{Status: receiver.Waiting})
}

func recordMixed(w *world) {
	w.put(event("done"), event("failed"), event("waits"), event("forgotten"), event("taken"), in("lane", "done"))
	items := w.claim("", 10)
	other := w.claim("lane", 10)[0]
	failed, waits, taken := end(items[1], receiver.Failed), after(items[2], time.Hour), end(items[4], receiver.Done)
	failed.Counts, failed.Error, failed.Unsure = true, "broken", true
	waits.Counts, waits.Error = true, "not now"
	taken.Token = "of somebody else"
	lost := w.tryRecord(end(items[0], receiver.Done), taken, failed, waits, end(items[3], ""), end(other, receiver.Done))
	for i, got := range lost {
		if got != (i == 1) {
			w.t.Errorf("end %d: lost is %t", i, got)
		}
	}
	w.wantState("done", w.list(receiver.Filter{Lanes: []string{""}, IDs: []string{"done"}})[0], state{Status: receiver.Done, Tries: 1})
	w.wantState("failed", w.get("failed"), state{Status: receiver.Failed, Tries: 1, Failures: 1, Unsure: true, Error: "broken"})
	w.wantState("waits", w.get("waits"), state{Status: receiver.Waiting, Tries: 1, Failures: 1, Error: "not now"})
	w.wantState("taken", w.get("taken"), state{Status: receiver.Working, Tries: 1})
	w.wantState("of the other lane", w.list(receiver.Filter{Lanes: []string{"lane"}})[0], state{Status: receiver.Done, Tries: 1})
	w.wantIDs("forgotten", w.list(receiver.Filter{IDs: []string{"forgotten"}}))
}

func recordOnce(w *world) {
	for _, to := range []receiver.Status{receiver.Waiting, receiver.Done, receiver.Failed, ""} {
		id := "ended as " + string(to)
		item := w.begin(event(id), receiver.Begun)
		w.record(end(item, to))
		if lost := w.tryRecord(end(item, receiver.Failed)); !lost[0] {
			w.t.Errorf("%s: it was ended twice by one token", id)
		}
	}
	w.wantIDs("failed", w.list(receiver.Filter{Statuses: []receiver.Status{receiver.Failed}}), "ended as failed")
}

func recordOwn(w *world) {
	w.put(in("", "a"), in("", "b"), in("lane", "a"))
	a, b := w.claim("", 1)[0], w.claim("", 1)[0]
	other := w.claim("lane", 1)[0]
	crossed := []receiver.End{end(a, receiver.Done), end(b, receiver.Done), end(other, receiver.Done)}
	crossed[0].Token, crossed[1].Token, crossed[2].Token = b.Token, other.Token, a.Token
	for i, lost := range w.tryRecord(crossed...) {
		if !lost {
			w.t.Errorf("the token of %v ended %v", crossed[(i+1)%3].Key, crossed[i].Key)
		}
	}
}

func recordLate(w *world) {
	item := w.begin(event("a"), receiver.Begun)
	w.pass(3 * lease)
	w.record(end(item, receiver.Done))
	w.wantState("late", w.get("a"), state{Status: receiver.Done, Tries: 1})
}

func recordNothing(w *world) {
	if lost := w.tryRecord(); len(lost) > 0 {
		w.t.Errorf("lost: %v", lost)
	}
}

func recordCalledOff(w *world) {
	w.put(events(2)...)
	items := w.claim("", 2)
	ctx, cancel := context.WithCancel(w.ctx())
	cancel()
	if _, err := w.s.Record(ctx, []receiver.End{end(items[0], receiver.Done), end(items[1], "")}); err == nil {
		w.t.Error("Record with a context that has ended: no error")
	}
	w.record(end(items[0], receiver.Done), end(items[1], receiver.Done))
}

func recordMany(w *world) {
	const n = 600
	w.put(events(n)...)
	var ends []receiver.End
	for len(ends) < n {
		items := w.claim("", n) // which may be given in parts
		if len(items) == 0 {
			w.t.Fatalf("claimed %d, want %d", len(ends), n)
		}
		for _, item := range items {
			ends = append(ends, end(item, receiver.Done))
		}
	}
	w.record(ends...)
	depths, err := w.s.Depths(w.ctx())
	if err != nil || len(depths) != 0 {
		w.t.Errorf("Depths = %+v, %v; want nothing", depths, err)
	}
}

func endChecks() []check {
	return []check{
		{"an item that waits is due after its delay", endDelay},
		{"an item with no delay comes behind those that have been due longer", endNoDelay},
		{"an item that is put back keeps its place", endBack},
		{"an item that is put back is before those that failed later", endBackDelayed},
		{"only an end that counts is a failure", endCounts},
		{"what the last try said replaces what the one before said", endLast},
		{"an end is written whatever bytes its error has", endBytes},
		{"a forgotten item is as if it had never come", endForget},
		{"what is done is not claimed again", endDone},
	}
}

func endDelay(w *world) {
	w.put(event("a"))
	item := w.claimOne("a")
	w.pass(30 * time.Minute)
	w.record(after(item, 2*time.Hour))
	got := w.get("a")
	if wait := got.DueAt.Sub(got.ReceivedAt); wait < 150*time.Minute-slack || wait > 150*time.Minute+slack {
		w.t.Errorf("due %s after it came, want 2h30m", wait)
	}
	w.wantIDs("before", w.claim("", 1))
	w.pass(2*time.Hour + time.Minute)
	w.claimOne("a")
}

func endNoDelay(w *world) {
	w.putApart(event("a"), event("b"), event("c"))
	w.record(after(w.claim("", 1)[0], 0))
	w.wantIDs("next", w.claim("", 1), "b")
	w.pass(time.Minute)
	w.wantIDs("then", w.claim("", 1), "c")
	w.wantIDs("last", w.claim("", 1), "a")
}

func endBack(w *world) {
	w.putApart(event("a"), event("b"), event("c"))
	for range 3 {
		items := w.claim("", 1)
		w.wantIDs("first", items, "a")
		back := end(items[0], receiver.Waiting)
		back.Back, back.Unsure, back.Error = true, true, "away"
		w.record(back)
		w.pass(time.Minute)
	}
	w.wantState("put back", w.get("a"), state{Status: receiver.Waiting, Tries: 3, Unsure: true, Error: "away"})
	w.wantIDs("all", w.claim("", 3), "a", "b", "c")
}

func endBackDelayed(w *world) {
	w.putApart(event("a"), event("b"))
	items := w.claim("", 2)
	w.record(after(items[0], time.Hour), after(items[1], 2*time.Hour))
	w.pass(90 * time.Minute)
	w.put(event("c"))
	a := w.claim("", 1)
	w.wantIDs("first", a, "a")
	back := end(a[0], receiver.Waiting)
	back.Back = true
	w.record(back)
	w.pass(time.Hour)
	w.wantIDs("it came first", w.claim("", 1), "a")
	w.wantIDs("it has been due longer", w.claim("", 1), "c")
	w.wantIDs("the rest", w.claim("", 1), "b")
}

func endCounts(w *world) {
	w.put(event("a"))
	want := 0
	for n, counts := range []bool{true, false, true} {
		item := w.claimOne("a")
		e := after(item, 0)
		e.Counts = counts
		w.record(e)
		if counts {
			want++
		}
		w.wantState("ended", w.get("a"), state{Status: receiver.Waiting, Tries: n + 1, Failures: want})
		w.pass(time.Minute)
	}
}

func endLast(w *world) {
	w.put(event("a"))
	first := after(w.claimOne("a"), 0)
	first.Error, first.Unsure = "first", true
	w.record(first)
	w.wantState("first", w.get("a"), state{Status: receiver.Waiting, Tries: 1, Error: "first", Unsure: true})
	w.pass(time.Minute)
	w.wantState("claimed", w.begin(event("a"), receiver.Begun), state{Status: receiver.Working, Tries: 2, Error: "first", Unsure: true})
	w.pass(2 * lease)
	second := end(w.claimOne("a"), receiver.Failed)
	second.Error = "zwölf %s 'second'\n"
	w.record(second)
	w.wantState("second", w.get("a"), state{Status: receiver.Failed, Tries: 3, Lost: 1, Error: second.Error})
}

func endBytes(w *world) {
	// What other programs answer is quoted in errors. How it is kept is the store's
	// choice, but one such end must not keep others from being written.
	w.put(event("a"), event("b"))
	items := w.claim("", 2)
	odd := end(items[0], receiver.Failed)
	odd.Counts, odd.Error = true, "odd \x00 \xff\xfe bytes"
	w.record(odd, end(items[1], receiver.Done))
	if got := w.get("a"); got.Status != receiver.Failed || got.Error == "" {
		w.t.Errorf("after an end with odd bytes: %+v", stateOf(got))
	}
	w.wantState("the other", w.get("b"), state{Status: receiver.Done, Tries: 1})
}

func endForget(w *world) {
	w.put(event("b"))
	w.record(end(w.begin(event("a"), receiver.Begun), ""))
	w.wantIDs("all", w.list(receiver.Filter{}), "b")
	w.wantFresh(w.put(event("a")), true)
	w.wantState("come again", w.get("a"), state{Status: receiver.Waiting})
	w.wantIDs("it is behind now", w.list(receiver.Filter{}), "b", "a")
}

func endDone(w *world) {
	w.finished(event("a"), receiver.Done)
	w.finished(event("b"), receiver.Failed)
	w.pass(100 * lease)
	w.wantIDs("claimed", w.claim("", 10))
}
