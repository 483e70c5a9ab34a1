package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func statChecks() []check {
	return []check{
		{"counts of the same minute add up", statAddUp},
		{"counts that are written again take the place of what their writer wrote", statAgain},
		{"counts added at the same time are all counted", statAtOnce},
		{"an account's counts are the sum of its endpoints', minute by minute", statSums},
		{"the minutes of a step are one row, which begins with the step", statSteps},
		{"the counts of several endpoints are those of each", statOfSeveral},
		{"the last success of an endpoint is the latest one told", statLastSuccess},
		{"only the minutes asked for are given, oldest first", statWindow},
	}
}

// start is the beginning of the first minute that the checks count.
func start() time.Time { return at(0).Truncate(time.Minute) }

// statOf describes the counts of an endpoint's minute, each n times something of its own.
func statOf(account, endpointID string, m, n int) store.Stat {
	s := store.Stat{
		AccountID: account, EndpointID: endpointID, Minute: start().Add(time.Duration(m) * time.Minute),
		Succeeded: n, Failed: 2 * n, Retries: 3 * n, Delivered: 4 * n, Dead: 5 * n,
	}
	for i := range s.Latency {
		s.Latency[i] = (i + 1) * n
	}
	return s
}

func statOfSeveral(w *world) {
	var want []store.Stat
	ids := w.newEndpoints(4)
	slices.Sort(ids)
	for i, id := range ids {
		for m := range 6 {
			w.addStats(statOf(w.account, id, m, i+m+1))
		}
		if i != 2 { // is not asked for
			want = append(want, w.steps(id, 1, 6, 2*time.Minute)...)
		}
	}
	asked := []string{ids[0], ids[1], ids[3]}
	got, err := w.s.StatsOf(w.ctx(), w.account, asked, minuteOf(1), minuteOf(6), 2*time.Minute)
	w.must("read stats of several", err)
	w.equal("stats of several", got, want)
	got, err = w.s.StatsOf(w.ctx(), w.account, nil, minuteOf(1), minuteOf(6), time.Minute)
	w.must("read stats of none", err)
	w.equal("stats of none", len(got), 0)
}

// addStats writes counts, each as a writer of its own.
func (w *world) addStats(stats ...store.Stat) {
	w.t.Helper()
	for i := range stats {
		stats[i].Writer = uuid.NewString()
	}
	w.must("add stats", w.s.WriteStats(w.ctx(), stats))
}

// stats reads the counts of an endpoint, or of all, of the minutes from one to another.
func (w *world) stats(endpointID string, from, to int) []store.Stat {
	w.t.Helper()
	return w.steps(endpointID, from, to, time.Minute)
}

// steps reads them in steps of several minutes.
func (w *world) steps(endpointID string, from, to int, step time.Duration) []store.Stat {
	w.t.Helper()
	stats, err := w.s.Stats(w.ctx(), w.account, endpointID, minuteOf(from), minuteOf(to), step)
	w.must("read stats", err)
	return stats
}

func minuteOf(m int) time.Time { return start().Add(time.Duration(m) * time.Minute) }

func statAddUp(w *world) {
	id := w.newEndpoint()
	w.addStats(statOf(w.account, id, 0, 1), statOf(w.account, id, 1, 10))
	w.addStats(statOf(w.account, id, 0, 2))
	w.addStats(statOf(w.account, id, 0, 4), statOf(w.account, id, 0, 8))
	w.equal("stats", w.stats(id, 0, 2), []store.Stat{statOf(w.account, id, 0, 15), statOf(w.account, id, 1, 10)})
}

func statAgain(w *world) {
	id := w.newEndpoint()
	one, other := statOf(w.account, id, 0, 1), statOf(w.account, id, 0, 10)
	one.Writer, other.Writer = "one", "other"
	for range 2 { // as when only the answer was lost
		w.must("write stats", w.s.WriteStats(w.ctx(), []store.Stat{one, other}))
	}
	w.equal("stats", w.stats(id, 0, 1), []store.Stat{statOf(w.account, id, 0, 11)})
	more := statOf(w.account, id, 0, 3)
	more.Writer = "one"
	w.must("write stats", w.s.WriteStats(w.ctx(), []store.Stat{more}))
	w.equal("stats after more of one", w.stats(id, 0, 1), []store.Stat{statOf(w.account, id, 0, 13)})
}

func statAtOnce(w *world) {
	one, two := w.newEndpoint(), w.newEndpoint()
	w.atOnce(8, func(i int) error {
		stats := []store.Stat{statOf(w.account, one, 0, i), statOf(w.account, two, 0, i)}
		stats[0].Writer, stats[1].Writer = fmt.Sprint(i), fmt.Sprint(i)
		if i%2 == 0 {
			stats[0], stats[1] = stats[1], stats[0]
		}
		for range 10 {
			if err := w.s.WriteStats(w.ctx(), stats); err != nil {
				return err
			}
		}
		return nil
	})
	for _, id := range []string{one, two} {
		w.equal("stats", w.stats(id, 0, 1), []store.Stat{statOf(w.account, id, 0, 28)})
	}
}

func statSums(w *world) {
	one, two := w.newEndpoint(), w.newEndpoint()
	w.addStats(statOf(w.account, one, 0, 1), statOf(w.account, two, 0, 2), statOf(w.account, two, 2, 5))
	other := newWorld(w.t, w.s)
	other.addStats(statOf(other.account, other.newEndpoint(), 0, 100))
	w.equal("stats of the account", w.stats("", 0, 3), []store.Stat{statOf(w.account, "", 0, 3), statOf(w.account, "", 2, 5)},
		cmpopts.IgnoreFields(store.Stat{}, "AccountID", "EndpointID"))
}

func statSteps(w *world) {
	one, two := w.newEndpoint(), w.newEndpoint()
	for m := range 10 { // the second step, of minutes 4 to 6, is empty
		if m < 4 || m > 6 {
			w.addStats(statOf(w.account, one, m, 1), statOf(w.account, two, m, 10))
		}
	}
	w.equal("stats of an endpoint", w.steps(one, 1, 9, 3*time.Minute), []store.Stat{statOf(w.account, one, 1, 3), statOf(w.account, one, 7, 2)})
	w.equal("stats of the account", w.steps("", 1, 9, 3*time.Minute), []store.Stat{statOf(w.account, "", 1, 33), statOf(w.account, "", 7, 22)})
	w.equal("stats in one step", w.steps(one, 0, 10, 24*time.Hour), []store.Stat{statOf(w.account, one, 0, 7)})
}

func statWindow(w *world) {
	id := w.newEndpoint()
	for _, m := range []int{5, 1, 3, 0, 4, 2} {
		w.addStats(statOf(w.account, id, m, m+1))
	}
	var want []store.Stat
	for m := 1; m < 4; m++ {
		want = append(want, statOf(w.account, id, m, m+1))
	}
	w.equal("stats of minutes 1 to 4", w.stats(id, 1, 4), want)
	w.equal("stats of no minute", w.stats(id, 100, 200), []store.Stat(nil))
}

func statLastSuccess(w *world) {
	id := w.newEndpoint()
	if last := w.endpoint(id).LastSuccessAt; !last.IsZero() {
		w.t.Errorf("the last success before any is %s", last)
	}
	for i, tt := range []struct{ told, want time.Time }{
		{at(time.Minute), at(time.Minute)},
		{time.Time{}, at(time.Minute)},
		{at(3 * time.Minute), at(3 * time.Minute)},
		{at(2 * time.Minute), at(3 * time.Minute)}, // told late, by another node
	} {
		s := statOf(w.account, id, i, 1)
		s.LastSuccessAt = tt.told
		w.addStats(s)
		if got := w.endpoint(id).LastSuccessAt; !got.Equal(tt.want) {
			w.t.Errorf("the last success after %s was told: got %s, want %s", tt.told, got, tt.want)
		}
	}
}
