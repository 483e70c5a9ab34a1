package storetest

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

func claimChecks() []check {
	return []check{
		{"claim leases what is due, with all that is known of it", claimLeases},
		{"claim takes what has been due longest", claimLongest},
		{"claim takes of the same moment what came first", claimFirst},
		{"claim gives items in the order in which they came", claimOrder},
		{"claim takes no more than it is asked for", claimMost},
		{"claim keeps to its lane", claimLane},
		{"claim leaves what is not due", claimNotDue},
		{"claim takes over after a lease, and not before", claimTakeover},
		{"each lease lost is counted", claimLostAgain},
		{"each lease has a token of its own", claimTokens},
		{"next is 0 when more is due", claimNextNow},
		{"next is negative when nothing is there or all has ended", claimNextNone},
		{"next is the time until the first item is due", claimNextWait},
		{"next counts the leases: what they hold is due when they run out", claimNextLease},
		{"claim that is called off leases nothing", claimCalledOff},
	}
}

func claimLeases(w *world) {
	w.put(event("a"))
	got := w.claimOne("a")
	w.wantSame("claimed", got, event("a"))
	w.wantState("claimed", got, state{Status: receiver.Working, Tries: 1})
	w.wantState("listed", w.get("a"), state{Status: receiver.Working, Tries: 1})
	if until := got.DueAt.Sub(got.ReceivedAt); until < lease || until > lease+slack {
		w.t.Errorf("the lease ends %s after the arrival, want %s", until, lease)
	}
}

// after ends a try: the next turn is in so long.
func after(item receiver.Item, delay time.Duration) receiver.End {
	e := end(item, receiver.Waiting)
	e.Delay = delay
	return e
}

func claimLongest(w *world) {
	w.putApart(event("a"), event("b"), event("c"))
	items := w.claim("", 3)
	w.record(after(items[0], 3*time.Hour), after(items[1], 2*time.Hour), after(items[2], time.Hour))
	w.pass(4 * time.Hour)
	w.wantIDs("first", w.claim("", 1), "c")
	w.wantIDs("second", w.claim("", 1), "b")
	w.wantIDs("third", w.claim("", 1), "a")
}

func claimFirst(w *world) {
	w.put(events(12)...) // of one moment; a string of a number sorts otherwise
	for _, want := range events(12) {
		w.wantIDs("one at a time", w.claim("", 1), want.ID)
	}
}

func claimOrder(w *world) {
	w.putApart(event("a"), event("b"), event("c"), event("d"))
	items := w.claim("", 4)
	w.record(after(items[0], 4*time.Hour), after(items[1], 3*time.Hour), after(items[2], 2*time.Hour), after(items[3], time.Hour))
	w.pass(5 * time.Hour)
	w.wantIDs("the three that are due longest", w.claim("", 3), "b", "c", "d")
}

func claimMost(w *world) {
	w.put(events(5)...)
	if got := len(w.claim("", 2)); got != 2 {
		w.t.Errorf("claimed %d, want 2", got)
	}
	if got := len(w.claim("", 10)); got != 3 {
		w.t.Errorf("claimed %d, want the 3 that are left", got)
	}
	if got := len(w.claim("", 10)); got != 0 {
		w.t.Errorf("claimed %d, want none", got)
	}
}

func claimLane(w *world) {
	w.put(in("one", "a"), in("two", "b"), in("one", "c"))
	w.wantIDs("no lane of that name", w.claim("", 10))
	w.wantIDs("two", w.claim("two", 10), "b")
	w.wantIDs("one", w.claim("one", 10), "a", "c")
	_, next := w.claimNext("", 10)
	if next >= 0 {
		w.t.Errorf("next of a lane without items is %s, want less than 0", next)
	}
}

func claimNotDue(w *world) {
	w.put(event("a"))
	w.record(after(w.claimOne("a"), time.Hour))
	w.wantIDs("before", w.claim("", 10))
	w.pass(time.Hour + time.Minute)
	w.wantState("after", w.claimOne("a"), state{Status: receiver.Working, Tries: 2})
}

func claimTakeover(w *world) {
	w.put(event("a"))
	first := w.claimOne("a")
	w.pass(lease - slack)
	w.wantIDs("while the lease holds", w.claim("", 10))
	w.pass(2 * slack)
	second := w.claimOne("a")
	w.wantSame("taken over", second, event("a"))
	w.wantState("taken over", second, state{Status: receiver.Working, Tries: 2, Lost: 1, Unsure: true})
	if lost := w.tryRecord(end(first, receiver.Failed)); !lost[0] {
		w.t.Error("the first lease still holds")
	}
	w.record(end(second, receiver.Done))
}

func claimLostAgain(w *world) {
	w.put(event("a"))
	for n := range 4 {
		w.wantState("again", w.claimOne("a"), state{Status: receiver.Working, Tries: n + 1, Lost: n, Unsure: n > 0})
		w.pass(2 * lease)
	}
}

func claimTokens(w *world) {
	w.put(events(20)...)
	tokens := map[string]bool{}
	for range 2 {
		for _, item := range append(w.claim("", 10), w.claim("", 10)...) {
			tokens[item.Token] = true
		}
		w.pass(2 * lease)
	}
	if len(tokens) != 40 {
		w.t.Errorf("40 leases have %d tokens", len(tokens))
	}
}

func claimNextNow(w *world) {
	w.put(events(3)...)
	if _, next := w.claimNext("", 2); next != 0 {
		w.t.Errorf("next is %s with one more due, want 0", next)
	}
}

func claimNextNone(w *world) {
	if _, next := w.claimNext("", 2); next >= 0 {
		w.t.Errorf("next of an empty store is %s, want less than 0", next)
	}
	w.finished(event("a"), receiver.Done)
	w.finished(event("b"), receiver.Failed)
	w.put(in("other", "c"))
	if _, next := w.claimNext("", 2); next >= 0 {
		w.t.Errorf("next when all has ended is %s, want less than 0", next)
	}
}

func claimNextWait(w *world) {
	w.put(event("a"), event("b"))
	items := w.claim("", 2)
	w.record(after(items[0], 9*time.Hour), after(items[1], 5*time.Hour))
	_, next := w.claimNext("", 2)
	w.wantNext(next, 5*time.Hour)
	w.pass(6 * time.Hour)
	w.wantIDs("due", w.claim("", 1), "b")
}

func claimNextLease(w *world) {
	w.put(event("a"), event("b"))
	items := w.claim("", 2)
	w.record(after(items[0], 9*time.Hour))
	_, next := w.claimNext("", 2)
	w.wantNext(next, lease) // that of b

	w.record(end(items[1], receiver.Done))
	w.put(event("c"))
	_, next = w.claimNext("", 2) // leases c, while a waits for longer
	w.wantNext(next, lease)
}

func claimCalledOff(w *world) {
	w.put(event("a"))
	ctx, cancel := context.WithCancel(w.ctx())
	cancel()
	if _, _, err := w.s.Claim(ctx, "", 1, lease); err == nil {
		w.t.Error("Claim with a context that has ended: no error")
	}
	w.wantState("not leased", w.claimOne("a"), state{Status: receiver.Working, Tries: 1})
}
