package storetest

import (
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
)

func rerunChecks() []check {
	return []check{
		{"rerun makes failed items wait, due at once, with counts of 0", rerunFailed},
		{"rerun makes what waits due at once", rerunWaiting},
		{"rerun leaves what is due already at its place", rerunPlace},
		{"rerun leaves what is worked on, its lease too", rerunWorking},
		{"rerun runs done items only by id and status", rerunDone},
		{"rerun changes what the filter chooses and nothing else", rerunFilter},
		{"rerun of hundreds changes all", rerunMany},
	}
}

func (w *world) rerun(filter receiver.Filter, want int) {
	w.t.Helper()
	if got, err := w.s.Rerun(w.ctx(), filter); err != nil || got != want {
		w.t.Errorf("Rerun of %+v = %d, %v; want %d", filter, got, err, want)
	}
}

func rerunFailed(w *world) {
	w.put(event("a"))
	w.claimOne("a")
	w.pass(2 * lease)
	failed := end(w.claimOne("a"), receiver.Failed)
	failed.Counts, failed.Unsure = true, true
	w.record(failed)
	w.rerun(receiver.Filter{}, 1)
	w.wantState("to be run again", w.get("a"), state{Status: receiver.Waiting, Unsure: true})
	w.wantState("run again", w.claimOne("a"), state{Status: receiver.Working, Tries: 1, Unsure: true})
}

func rerunWaiting(w *world) {
	w.put(event("a"))
	later := after(w.claimOne("a"), 100*time.Hour)
	later.Counts = true
	w.record(later)
	w.wantIDs("before", w.claim("", 1))
	w.rerun(receiver.Filter{Statuses: []receiver.Status{receiver.Waiting}}, 1)
	if got := w.claimOne("a"); got.Tries < 1 || got.Status != receiver.Working {
		w.t.Errorf("due at once: %+v", stateOf(got))
	}
}

func rerunPlace(w *world) {
	w.put(event("b"))
	w.pass(time.Minute)
	w.put(event("a"))
	w.pass(time.Minute)
	w.rerun(receiver.Filter{IDs: []string{"b"}}, 1)
	w.wantIDs("the first", w.claim("", 1), "b")
}

func rerunWorking(w *world) {
	item := w.begin(event("a"), receiver.Begun)
	w.rerun(receiver.Filter{IDs: []string{"a"}}, 0)
	w.rerun(receiver.Filter{Statuses: []receiver.Status{receiver.Working}}, 0)
	w.wantState("left alone", w.get("a"), state{Status: receiver.Working, Tries: 1})
	w.record(end(item, receiver.Done))
}

func rerunDone(w *world) {
	for _, id := range []string{"a", "b"} {
		w.finished(event(id), receiver.Done)
	}
	w.rerun(receiver.Filter{}, 0)
	w.rerun(receiver.Filter{IDs: []string{"a"}}, 0)
	w.rerun(receiver.Filter{Statuses: []receiver.Status{receiver.Done}}, 0)
	w.rerun(receiver.Filter{IDs: []string{"a"}, Statuses: []receiver.Status{receiver.Failed, receiver.Waiting}}, 0)
	w.wantState("still done", w.get("a"), state{Status: receiver.Done, Tries: 1})
	w.rerun(receiver.Filter{IDs: []string{"a"}, Statuses: []receiver.Status{receiver.Failed, receiver.Done}}, 1)
	w.wantState("to be run again", w.get("a"), state{Status: receiver.Waiting})
	w.claimOne("a")
}

func rerunFilter(w *world) {
	for _, lane := range []string{"one", "two"} {
		for _, id := range []string{"a", "b"} {
			w.finished(in(lane, id), receiver.Failed)
		}
	}
	w.rerun(receiver.Filter{Lanes: []string{"none"}}, 0)
	w.rerun(receiver.Filter{Lanes: []string{}}, 0)
	w.rerun(receiver.Filter{Lanes: []string{"one"}, IDs: []string{"a"}}, 1)
	w.wantIDs("one", w.claim("one", 10), "a")
	w.rerun(receiver.Filter{IDs: []string{"b"}}, 2)
	w.wantIDs("one", w.claim("one", 10), "b")
	w.wantIDs("two", w.claim("two", 10), "b")
	w.wantIDs("still failed", w.list(receiver.Filter{Statuses: []receiver.Status{receiver.Failed}}), "a")
}

func rerunMany(w *world) {
	const n = 600
	w.put(events(n)...)
	left := n
	for left > 0 {
		items := w.claim("", n)
		if len(items) == 0 {
			w.t.Fatalf("%d are not claimed", left)
		}
		var ends []receiver.End
		for _, item := range items {
			ends = append(ends, end(item, receiver.Failed))
		}
		w.record(ends...)
		left -= len(items)
	}
	w.rerun(receiver.Filter{}, n)
	depths, err := w.s.Depths(w.ctx())
	if err != nil || len(depths) != 1 || depths[0].Status != receiver.Waiting || depths[0].Count != n {
		w.t.Errorf("Depths = %+v, %v; want %d that wait", depths, err, n)
	}
}

func upkeepChecks() []check {
	return []check{
		{"purge removes what was done or failed long ago", purgeOld},
		{"purge keeps for ever what has 0", purgeNever},
		{"purge removes at most so many", purgeMost},
		{"purge leaves what is not at its end", purgeLive},
		{"what was purged is not known any more", purgeForgets},
		{"what came in the future, since the clock was set back, is due at the next purge", purgeFuture},
		{"what was leased or made to wait in the future waits as long from the next purge on", purgeAhead},
		{"what came in the future and is given back is due, since the clock was set back", givenBackAhead},
		{"depths counts what is not done, by lane and status", depthCounts},
		{"the oldest of a depth is the one that came first", depthOldest},
	}
}

func (w *world) purge(done, failed time.Duration, most, want int) {
	w.t.Helper()
	if got, err := w.s.Purge(w.ctx(), done, failed, most); err != nil || got != want {
		w.t.Errorf("Purge(%s, %s, %d) = %d, %v; want %d", done, failed, most, got, err, want)
	}
}

func purgeOld(w *world) {
	w.finished(event("done"), receiver.Done)
	w.finished(event("failed"), receiver.Failed)
	w.pass(2 * time.Hour)
	w.finished(event("done later"), receiver.Done)
	w.purge(3*time.Hour, 3*time.Hour, 100, 0)
	w.purge(time.Hour, 3*time.Hour, 100, 1)
	w.wantIDs("left", w.list(receiver.Filter{}), "failed", "done later")
	w.purge(time.Hour, time.Hour, 100, 1)
	w.wantIDs("left", w.list(receiver.Filter{}), "done later")
}

func purgeNever(w *world) {
	w.finished(event("done"), receiver.Done)
	w.finished(event("failed"), receiver.Failed)
	w.pass(10000 * time.Hour)
	w.purge(0, 0, 100, 0)
	w.purge(0, time.Hour, 100, 1)
	w.wantIDs("left", w.list(receiver.Filter{}), "done")
}

func purgeMost(w *world) {
	for _, item := range events(7) {
		w.finished(item, []receiver.Status{receiver.Done, receiver.Failed}[len(item.ID)%2])
	}
	w.finished(event("a failed one"), receiver.Failed)
	w.pass(2 * time.Hour)
	w.purge(time.Hour, time.Hour, 3, 3)
	w.purge(time.Hour, time.Hour, 100, 5)
	w.purge(time.Hour, time.Hour, 100, 0)
}

func purgeFuture(w *world) {
	w.put(event("delayed"))
	w.record(after(w.claimOne("delayed"), 10*lease))
	w.put(event("b"))
	w.put(event("a"))
	w.begin(event("worked on"), receiver.Begun)
	w.pass(-1000 * time.Hour)
	w.purge(time.Hour, time.Hour, 100, 0)
	for _, item := range w.claim("", 10) {
		w.record(end(item, receiver.Done))
	}
	w.wantIDs("done", w.list(receiver.Filter{Statuses: []receiver.Status{receiver.Done}}), "b", "a")
	w.wantIDs("in hand", w.claim("", 10))
	w.pass(2 * lease)
	w.wantIDs("after its lease", w.claim("", 10), "worked on")
	w.pass(10 * lease)
	w.wantIDs("after its delay", w.claim("", 10), "delayed", "worked on")
}

func purgeAhead(w *world) {
	w.put(event("worked on"))
	w.put(event("delayed"))
	w.pass(1000 * time.Hour) // the clock is ahead from here
	items := w.claim("", 2)
	w.record(after(items[1], 10*lease))
	w.pass(-1000 * time.Hour)
	w.purge(time.Hour, time.Hour, 100, 0)
	w.wantIDs("in hand", w.claim("", 10))
	w.pass(2 * lease)
	w.wantIDs("after its lease", w.claim("", 10), "worked on")
	w.pass(10 * lease)
	w.wantIDs("after its delay", w.claim("", 10), "worked on", "delayed")
}

func givenBackAhead(w *world) {
	w.pass(1000 * time.Hour) // the clock is ahead from here
	w.put(event("given back"))
	item := w.claimOne("given back")
	w.pass(-1000 * time.Hour)
	w.record(receiver.End{Key: item.Key(), Token: item.Token, To: receiver.Waiting, Back: true})
	w.wantIDs("due", w.claim("", 10), "given back")
}

func purgeLive(w *world) {
	w.put(event("waiting"))
	w.begin(event("working"), receiver.Begun)
	w.finished(event("again"), receiver.Failed)
	w.finished(event("anew"), receiver.Failed)
	w.rerun(receiver.Filter{IDs: []string{"again"}}, 1)
	w.begin(event("anew"), receiver.Begun)
	w.pass(10000 * time.Hour)
	w.purge(time.Hour, time.Hour, 100, 0)
	w.wantIDs("left", w.list(receiver.Filter{}), "waiting", "working", "again", "anew")
}

func purgeForgets(w *world) {
	w.finished(event("a"), receiver.Done)
	w.pass(2 * time.Hour)
	w.purge(time.Hour, 0, 100, 1)
	w.wantFresh(w.put(event("a")), true)
	w.wantState("come again", w.claimOne("a"), state{Status: receiver.Working, Tries: 1})
}

func (w *world) depths() map[receiver.Depth]bool {
	w.t.Helper()
	all, err := w.s.Depths(w.ctx())
	if err != nil {
		w.t.Fatalf("Depths: %v", err)
	}
	found := map[receiver.Depth]bool{}
	for _, d := range all {
		if d.Oldest.IsZero() || d.Count == 0 {
			w.t.Errorf("a depth without an item: %+v", d)
		}
		d.Oldest = time.Time{}
		found[d] = true
	}
	if len(found) != len(all) {
		w.t.Errorf("a depth comes twice: %+v", all)
	}
	return found
}

func depthCounts(w *world) {
	if got := w.depths(); len(got) != 0 {
		w.t.Errorf("depths of an empty store: %+v", got)
	}
	shelf(w)
	w.put(in("one", "waiting too"), in("", "waiting"))
	want := []receiver.Depth{
		{Lane: "", Status: receiver.Waiting, Count: 1},
		{Lane: "one", Status: receiver.Waiting, Count: 2}, {Lane: "one", Status: receiver.Working, Count: 1}, {Lane: "one", Status: receiver.Failed, Count: 1},
		{Lane: "two", Status: receiver.Waiting, Count: 1}, {Lane: "two", Status: receiver.Working, Count: 1}, {Lane: "two", Status: receiver.Failed, Count: 1},
	}
	got := w.depths()
	for _, d := range want {
		if !got[d] {
			w.t.Errorf("depths %+v lack %+v", got, d)
		}
	}
	if len(got) != len(want) {
		w.t.Errorf("depths: got %+v, want %+v", got, want)
	}
}

func depthOldest(w *world) {
	w.put(event("a"))
	w.pass(3 * time.Hour)
	w.put(event("b"))
	w.record(after(w.claim("", 1)[0], time.Hour)) // a is due later now, and still came first
	all, err := w.s.Depths(w.ctx())
	if err != nil || len(all) != 1 || all[0].Count != 2 || !all[0].Oldest.Equal(w.get("a").ReceivedAt) {
		w.t.Errorf("Depths = %+v, %v; want 2, the oldest as old as a (%s)", all, err, w.get("a").ReceivedAt)
	}
}
