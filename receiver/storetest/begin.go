package storetest

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

func beginChecks() []check {
	return []check{
		{"begin keeps and leases what is not known", beginNew},
		{"begin leases what waits, whatever its due time", beginWaiting},
		{"begin of what somebody has is busy", beginBusy},
		{"begin of what is done is ended", beginEnded},
		{"begin of what failed begins anew", beginFailed},
		{"begin takes over after a lease, and not before", beginTakeover},
		{"begin gives what was kept first", beginKept},
		{"what is begun is not claimed, and what is claimed not begun", beginAndClaim},
		{"begin that is called off leases nothing", beginCalledOff},
	}
}

func beginNew(w *world) {
	got := w.begin(event("a"), receiver.Begun)
	w.wantSame("begun", got, event("a"))
	w.wantState("begun", got, state{Status: receiver.Working, Tries: 1})
	w.wantFresh(w.put(event("a")), false)
	w.record(end(got, receiver.Done))
}

func beginWaiting(w *world) {
	w.put(event("a"))
	later := end(w.claimOne("a"), receiver.Waiting)
	later.Delay, later.Counts, later.Unsure, later.Error = 24*time.Hour, true, true, "not now"
	w.record(later)
	w.wantState("begun before its time", w.begin(event("a"), receiver.Begun),
		state{Status: receiver.Working, Tries: 2, Failures: 1, Unsure: true, Error: "not now"})
}

func beginBusy(w *world) {
	first := w.begin(event("a"), receiver.Begun)
	got := w.begin(event("a"), receiver.Busy)
	w.wantSame("busy", got, event("a"))
	w.wantState("busy", got, state{Status: receiver.Working, Tries: 1})
	w.record(end(first, receiver.Done)) // the first still has it
}

func beginEnded(w *world) {
	w.finished(event("a"), receiver.Done)
	w.wantState("ended", w.begin(event("a"), receiver.Ended), state{Status: receiver.Done, Tries: 1})
	w.pass(1000 * time.Hour)
	w.begin(event("a"), receiver.Ended)
}

func beginFailed(w *world) {
	w.put(event("a"))
	w.claimOne("a")
	w.pass(2 * lease)
	failed := end(w.claimOne("a"), receiver.Failed)
	failed.Counts, failed.Error = true, "broken"
	w.record(failed)
	w.wantState("failed", w.get("a"), state{Status: receiver.Failed, Tries: 2, Failures: 1, Lost: 1, Error: "broken"})

	got := w.begin(event("a"), receiver.Begun)
	if got.Status != receiver.Working || got.Tries != 1 || got.Failures != 0 || got.Lost != 0 || !got.EndedAt.IsZero() {
		w.t.Errorf("begun anew: got %+v", stateOf(got))
	}
	w.record(end(got, receiver.Done))
}

func beginTakeover(w *world) {
	first := w.begin(event("a"), receiver.Begun)
	w.pass(lease - slack)
	w.begin(event("a"), receiver.Busy)
	w.pass(2 * slack)
	second := w.begin(event("a"), receiver.Begun)
	w.wantState("taken over", second, state{Status: receiver.Working, Tries: 2, Lost: 1, Unsure: true})
	if second.Token == first.Token {
		w.t.Errorf("both leases have the token %q", first.Token)
	}
	if lost := w.tryRecord(end(first, receiver.Done)); !lost[0] {
		w.t.Error("the first lease still holds")
	}
	w.record(end(second, receiver.Done))
}

func beginKept(w *world) {
	w.put(event("a"))
	other := event("a")
	other.Type, other.Body, other.DeliveryID = "other", []byte("other"), 99
	w.wantSame("begun", w.begin(other, receiver.Begun), event("a"))
}

func beginAndClaim(w *world) {
	w.begin(event("a"), receiver.Begun)
	w.wantIDs("claimed", w.claim("", 10))
	w.put(event("b"))
	w.wantIDs("claimed", w.claim("", 10), "b")
	w.begin(event("b"), receiver.Busy)
	w.pass(2 * lease)
	w.wantIDs("claimed after the leases", w.claim("", 10), "a", "b")
}

func beginCalledOff(w *world) {
	ctx, cancel := context.WithCancel(w.ctx())
	cancel()
	if _, _, err := w.s.Begin(ctx, event("a"), lease); err == nil {
		w.t.Error("Begin with a context that has ended: no error")
	}
	w.begin(event("a"), receiver.Begun)
}
