package delivery_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

var (
	failure = delivery.Change{Effect: delivery.Failure}
	manual  = delivery.Change{Effect: delivery.Narrows}
	success = delivery.Change{Effect: delivery.Success}
	nothing = delivery.Change{Effect: delivery.NoEffect}
)

// span is an attempt from one second to another.
func span(from, to int) delivery.Outcome {
	return delivery.Outcome{StartedAt: start.Add(time.Duration(from) * time.Second), EndedAt: start.Add(time.Duration(to) * time.Second)}
}

func TestTenConsecutiveFailuresWarnAtFiveAndEightAndDisableAtTen(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	var h delivery.Health
	var notices []delivery.Notice
	for i := range 10 {
		var n delivery.Notice
		h, n = h.After(p, failure, span(100*i, 100*i+1))
		notices = append(notices, n)
	}
	want := []delivery.Notice{"", "", "", "", delivery.Warning, "", "", delivery.Warning, "", delivery.DisabledIt}
	if diff := cmp.Diff(want, notices); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
}

func TestAnySuccessSetsTheCountToZero(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	var h delivery.Health
	for i := range 9 {
		h, _ = h.After(p, failure, span(100*i, 100*i+1))
	}
	h, _ = h.After(p, success, span(0, 2000)) // also one that began long before
	if h != (delivery.Health{}) {
		t.Errorf("health after a success = %+v, want none of it left", h)
	}
}

func TestFailuresThatOverlapInTimeCountOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spans [][2]int
		want  int
	}{
		{"32 at once, as when a receiver restarts under load", repeat(32, 0, 3), 1},
		{"one after the other", [][2]int{{0, 1}, {1, 2}, {2, 3}}, 3},
		{"a chain of overlaps", [][2]int{{0, 10}, {5, 15}, {12, 20}, {19, 25}}, 2},
		{"one long one around many", [][2]int{{1, 2}, {3, 4}, {5, 6}, {0, 30}}, 3},
		{"ends told late", [][2]int{{10, 20}, {0, 5}}, 1},
	}
	for _, tt := range tests {
		var h delivery.Health
		for _, s := range tt.spans {
			h, _ = h.After(delivery.DefaultPolicy(), failure, span(s[0], s[1]))
		}
		if h.Failures != tt.want {
			t.Errorf("%s: %d failures counted, want %d", tt.name, h.Failures, tt.want)
		}
	}
}

func repeat(n, from, to int) [][2]int {
	var all [][2]int
	for range n {
		all = append(all, [2]int{from, to})
	}
	return all
}

func TestTestsAndManualRetriesNeverCount(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	var h delivery.Health
	for i := range 100 {
		for _, c := range []delivery.Change{nothing, manual} {
			var n delivery.Notice
			if h, n = h.After(p, c, span(10*i, 10*i+1)); n != delivery.NoNotice || h.Failures != 0 {
				t.Fatalf("attempt %d with effect %s: %d failures, notice %q", i, c.Effect, h.Failures, n)
			}
		}
	}
}

func TestAfterThreeFailuresOneAttemptAtATimeSpacedOneToThirtySeconds(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	p.DisableAfter = 0
	var h delivery.Health
	want := []time.Duration{0, 0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second}
	for i, pause := range want {
		o := span(100*i, 100*i+5)
		h, _ = h.After(p, failure, o)
		if narrow := pause > 0; h.Narrow() != narrow {
			t.Fatalf("after %d failures narrow = %v, want %v", i+1, h.Narrow(), narrow)
		}
		if pause > 0 && !h.NextAt.Equal(o.EndedAt.Add(pause)) {
			t.Errorf("after %d failures the next attempt waits %s, want %s", i+1, h.NextAt.Sub(o.EndedAt), pause)
		}
	}
}

func TestManualFailuresNarrowTheLane(t *testing.T) {
	t.Parallel()
	var h delivery.Health
	for i := range 3 {
		h, _ = h.After(delivery.DefaultPolicy(), manual, span(10*i, 10*i+1))
	}
	if !h.Narrow() {
		t.Error("three failed manual attempts do not narrow the lane: a bulk retry would hammer the receiver")
	}
}

func TestAnOverlappingFailureNeverBringsTheNextAttemptForward(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	h := delivery.Health{Streak: 5, CountedUntil: start.Add(30 * time.Second), NextAt: start.Add(time.Minute)}
	h, _ = h.After(p, failure, span(0, 1))
	if !h.NextAt.Equal(start.Add(time.Minute)) {
		t.Errorf("next attempt at %s, want %s", h.NextAt, start.Add(time.Minute))
	}
}

func TestWarningsScaleWithTheThreshold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		after int
		want  []int
	}{{0, nil}, {1, nil}, {3, []int{2}}, {10, []int{5, 8}}, {100, []int{50, 80}}}
	for _, tt := range tests {
		p := delivery.DefaultPolicy()
		p.DisableAfter = tt.after
		var h delivery.Health
		var got []int
		for i := range max(tt.after, 20) {
			var n delivery.Notice
			if h, n = h.After(p, failure, span(10*i, 10*i+1)); n == delivery.Warning {
				got = append(got, i+1)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("disabled after %d: warnings at (-want +got):\n%s", tt.after, diff)
		}
	}
}

func TestNewsOfNewsIsToldAsLongAsItCannotGoRound(t *testing.T) {
	t.Parallel()
	all := []delivery.Notice{delivery.NoNotice, delivery.Warning, delivery.DeadLettered, delivery.DisabledIt}
	type link struct{ news, notice delivery.Notice }
	quiet := map[link]bool{
		{delivery.Warning, delivery.Warning}:           true,
		{delivery.Warning, delivery.DeadLettered}:      true,
		{delivery.DeadLettered, delivery.DeadLettered}: true,
		{delivery.DisabledIt, delivery.DeadLettered}:   true,
	}
	for _, news := range all {
		for _, notice := range all[1:] {
			if got, want := notice.Quiet(news), quiet[link{news, notice}]; got != want {
				t.Errorf("%q caused by a delivery that brought %q: quiet %t, want %t", notice, news, got, want)
			}
		}
	}
	// A chain without a disabling ends: after a dead letter a warning, after a warning nothing.
	for chain, left := []delivery.Notice{delivery.NoNotice}, 4; len(chain) > 0; left-- {
		if left == 0 {
			t.Fatalf("still told after three: %q", chain)
		}
		var next []delivery.Notice
		for _, news := range chain {
			for _, notice := range []delivery.Notice{delivery.Warning, delivery.DeadLettered} {
				if !notice.Quiet(news) {
					next = append(next, notice)
				}
			}
		}
		chain = next
	}
}

// Every combination of times around each bound.
func TestWhatLiesTooFarAheadIsNotBelieved(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	lease, rest := 40*time.Second, 70*time.Second
	for _, counted := range []time.Duration{-time.Hour, 0, lease, lease + 1, 24 * time.Hour} {
		for _, next := range []time.Duration{-time.Hour, 0, rest, rest + 1, 24 * time.Hour} {
			h := delivery.Health{Failures: 4, Streak: 4, CountedUntil: start.Add(counted), NextAt: start.Add(next)}
			want := h
			if counted > lease {
				want.CountedUntil = time.Time{}
			}
			if next > rest {
				want.NextAt = time.Time{}
			}
			if diff := cmp.Diff(want, h.Believable(p, start)); diff != "" {
				t.Errorf("counted until %s, next at %s from now (-want +got):\n%s", counted, next, diff)
			}
		}
	}
}

func TestAClockThatWasPutBackStopsNoCount(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	h, notice := delivery.Health{}, delivery.NoNotice
	for i := range 10 {
		o := span(100*i, 100*i+1)
		if i < 5 { // before
			o = span(86_400+100*i, 86_400+100*i+1)
		}
		h, notice = h.After(p, failure, o)
	}
	if notice != delivery.DisabledIt || h.NextAt.After(start.Add(1000*time.Second)) {
		t.Errorf("after ten failures: %+v, %q; want it disabled, and no rest of a day", h, notice)
	}
}
