package delivery_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// until is the end of the minute in which the windows of these tests are judged.
var until = time.Date(2026, 3, 8, 13, 0, 0, 0, time.UTC)

// ago is a minute that began so long before until.
func ago(d time.Duration, c delivery.Counts) delivery.Minute {
	return delivery.Minute{At: until.Add(-d), Counts: c}
}

// bad gives counts of which some speak for one kind of alert.
func bad(kind delivery.AlertKind, attempts, n int) delivery.Counts {
	c := delivery.Counts{Attempts: attempts}
	switch kind {
	case delivery.AlertFailing:
		c.Failed = n
	case delivery.AlertSlow:
		c.Slow = n
	case delivery.AlertRetries:
		c.Retries = n
	}
	return c
}

// changes gives what becomes of one kind, open or not.
func changes(w delivery.Window, kind delivery.AlertKind, isOpen bool) (opens, closes bool) {
	var open []delivery.AlertKind
	if isOpen {
		open = append(open, kind)
	}
	o, c := w.Changes(open)
	return slices.Contains(o, kind), slices.Contains(c, kind)
}

// earlier are the attempts of the window before its last quarter of an hour, recent those in it.
func windowOf(kind delivery.AlertKind, earlier, earlierBad, recent, recentBad int) delivery.Window {
	return delivery.NewWindow([]delivery.Minute{
		ago(30*time.Minute, bad(kind, earlier, earlierBad)),
		ago(time.Minute, bad(kind, recent, recentBad)),
	}, time.Time{}, until)
}

// TestTheRuleOverItsDomain asks for every window of up to 40 attempts before and 40 in the last quarter of an hour.
func TestTheRuleOverItsDomain(t *testing.T) {
	t.Parallel()
	steps := []int{0, 1, 2, 3, 5, 8, 10, 15, 19, 20, 21, 30, 40}
	for _, kind := range delivery.AlertKinds() {
		threshold := float64(kind.Threshold()) / 100
		for _, earlier := range steps {
			for earlierBad := range earlier + 1 {
				for _, recent := range steps {
					for recentBad := range recent + 1 {
						w := windowOf(kind, earlier, earlierBad, recent, recentBad)
						// What the text of the rule says, with other means. The recent part has the earlier
						// attempts, too, if it would have too few without.
						lately, latelyBad := recent, recentBad
						if recent < delivery.WatchAttempts {
							lately, latelyBad = recent+earlier, recentBad+earlierBad
						}
						all, allBad := earlier+recent, earlierBad+recentBad
						wantOpens := recentBad > 0 && all >= delivery.WatchAttempts && share(allBad, all) > threshold && share(latelyBad, lately) > threshold
						wantCloses := share(latelyBad, lately) <= threshold/2
						opens, never := changes(w, kind, false)
						no, closes := changes(w, kind, true)
						if opens != wantOpens || closes != wantCloses || never || no {
							t.Fatalf("%s, %d of %d and then %d of %d bad: opens %t, closes %t; want %t, %t", kind, earlierBad, earlier, recentBad, recent, opens, closes, wantOpens, wantCloses)
						}
						if opens && closes {
							t.Fatalf("%s, %d of %d and then %d of %d bad: it opens what it would close", kind, earlierBad, earlier, recentBad, recent)
						}
					}
				}
			}
		}
	}
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return math.Round(1e9*float64(n)/float64(of)) / 1e9
}

func TestOneFailureIsNoAlert(t *testing.T) {
	t.Parallel()
	for _, kind := range delivery.AlertKinds() {
		for attempts := range 1000 {
			if opens, _ := changes(windowOf(kind, 0, 0, attempts, min(1, attempts)), kind, false); opens {
				t.Errorf("%s: one of %d opens an alert", kind, attempts)
			}
		}
	}
}

func TestOneOnTheEdgeChangesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range delivery.AlertKinds() {
		for percent := kind.Threshold()/2 + 1; percent <= kind.Threshold(); percent++ {
			w := windowOf(kind, 300, 3*percent, 100, percent)
			if opens, _ := changes(w, kind, false); opens {
				t.Errorf("%s: %d %% opens it", kind, percent)
			}
			if _, closes := changes(w, kind, true); closes {
				t.Errorf("%s: %d %% closes it", kind, percent)
			}
		}
	}
}

func TestKindsDoNotMeddle(t *testing.T) {
	t.Parallel()
	all := delivery.Counts{Attempts: 100, Failed: 50, Retries: 50, Slow: 50}
	w := delivery.NewWindow([]delivery.Minute{ago(time.Minute, all)}, time.Time{}, until)
	opens, closes := w.Changes([]delivery.AlertKind{delivery.AlertSlow})
	if diff := cmp.Diff([]delivery.AlertKind{delivery.AlertFailing, delivery.AlertRetries}, opens); diff != "" || closes != nil {
		t.Errorf("opens (-want +got):\n%s\ncloses %v, want nothing", diff, closes)
	}
	well := delivery.NewWindow([]delivery.Minute{ago(time.Minute, delivery.Counts{Attempts: 100})}, time.Time{}, until)
	opens, closes = well.Changes(delivery.AlertKinds())
	if diff := cmp.Diff(delivery.AlertKinds(), closes); diff != "" || opens != nil {
		t.Errorf("closes (-want +got):\n%s\nopens %v, want nothing", diff, opens)
	}
}

// An outage of ten minutes: the alert closes when a quarter of an hour is well, and what is still
// in the window of the hour opens it no more.
func TestAnOutageThatIsOverIsOver(t *testing.T) {
	t.Parallel()
	var minutes []delivery.Minute
	var seen []string
	start := until
	open := false
	for m := range 120 {
		at := start.Add(time.Duration(m) * time.Minute)
		c := delivery.Counts{Attempts: 10}
		if m >= 20 && m < 30 {
			c.Failed = 10
		}
		minutes = append(minutes, delivery.Minute{At: at, Counts: c})
		opens, closes := changes(delivery.NewWindow(minutes, time.Time{}, at.Add(time.Minute)), delivery.AlertFailing, open)
		if opens || closes {
			open = opens
			seen = append(seen, at.Sub(start).String())
		}
	}
	if diff := cmp.Diff([]string{"22m0s", "44m0s"}, seen); diff != "" {
		t.Errorf("opened and closed at (-want +got):\n%s", diff)
	}
}

func TestWhatIsInTheWindow(t *testing.T) {
	t.Parallel()
	ill := bad(delivery.AlertFailing, 30, 30)
	tests := []struct {
		name    string
		minutes []delivery.Minute
		since   time.Time
		opens   bool
		closes  bool
	}{
		{"nothing", nil, time.Time{}, false, true},
		{"the oldest minute: it has ended, and nothing says that it is well", []delivery.Minute{ago(time.Hour, ill)}, time.Time{}, false, false},
		{"the oldest minute, and one failure now", []delivery.Minute{ago(time.Hour, ill), ago(time.Minute, bad(delivery.AlertFailing, 1, 1))}, time.Time{}, true, false},
		{"the one before", []delivery.Minute{ago(time.Hour+time.Minute, ill)}, time.Time{}, false, true},
		{"a quarter of an hour ago", []delivery.Minute{ago(15*time.Minute, ill)}, time.Time{}, true, false},
		{"a minute longer ago", []delivery.Minute{ago(16*time.Minute, ill)}, time.Time{}, false, false},
		{"one to come, of a clock that was put back", []delivery.Minute{ago(0, ill)}, time.Time{}, false, true},
		{"what was before the endpoint was enabled", []delivery.Minute{ago(5*time.Minute, ill)}, until.Add(-5*time.Minute + time.Second), false, true},
		{"what came after it", []delivery.Minute{ago(5*time.Minute, ill)}, until.Add(-5 * time.Minute), true, false},
		{"an endpoint enabled by a clock that was put back since", []delivery.Minute{ago(5*time.Minute, ill)}, until.Add(time.Hour), true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := delivery.NewWindow(tt.minutes, tt.since, until)
			if opens, _ := changes(w, delivery.AlertFailing, false); opens != tt.opens {
				t.Errorf("opens: %t", opens)
			}
			if _, closes := changes(w, delivery.AlertFailing, true); closes != tt.closes {
				t.Errorf("closes: %t", closes)
			}
		})
	}
}

func TestReadings(t *testing.T) {
	t.Parallel()
	w := delivery.NewWindow([]delivery.Minute{
		ago(40*time.Minute, delivery.Counts{Attempts: 18, Failed: 3, Slow: 2}),
		ago(2*time.Minute, delivery.Counts{Attempts: 2, Failed: 1, Slow: 1}),
	}, time.Time{}, until)
	opening, closing := w.Opening(delivery.AlertSlow), w.Closing(delivery.AlertSlow)
	if want := (delivery.Reading{Attempts: 20, Failed: 4, Bad: 3, Span: time.Hour}); opening != want {
		t.Errorf("opening by %+v, want %+v", opening, want)
	}
	if want := (delivery.Reading{Attempts: 20, Failed: 4, Bad: 3, Span: 40 * time.Minute}); closing != want {
		t.Errorf("closing by %+v, want %+v: two attempts are too few", closing, want)
	}
	if v := opening.Value(); v != 0.15 {
		t.Errorf("value %v, want 0.15", v)
	}
	if v := (delivery.Reading{}).Value(); v != 0 {
		t.Errorf("value of nothing: %v", v)
	}
}

// TestWhatCounts goes over every class and cycle.
func TestWhatCounts(t *testing.T) {
	t.Parallel()
	for _, class := range delivery.Classes() {
		for _, cycle := range []delivery.Cycle{delivery.Automatic, delivery.Manual, delivery.Test} {
			for _, l := range []delivery.Lease{{Attempt: 1}, {Attempt: 2}, {Attempt: 2, Used: 1}, {Attempt: 3, Used: 2, Resumed: 2}, {Attempt: 4, Used: 3, Resumed: 2}} {
				for _, took := range []time.Duration{delivery.SlowAfter, delivery.SlowAfter + 1} {
					for _, operational := range []bool{false, true} {
						a := delivery.Attempt{Number: l.Attempt, Cycle: cycle, Outcome: delivery.Outcome{StartedAt: until, EndedAt: until.Add(took), Class: class}}
						var want delivery.Counts
						if cycle == delivery.Automatic && !class.Ours() && !operational {
							want.Attempts = 1
							if class != delivery.OK {
								want.Failed = 1
							}
							if l.Used > l.Resumed {
								want.Retries = 1
							}
							if took > delivery.SlowAfter {
								want.Slow = 1
							}
						}
						if got := delivery.CountsOf(l, a, operational); got != want {
							t.Errorf("%s, %s, attempt %d, %d steps used up and %d of them before it was let go, of %s, operational %t: %+v, want %+v", class, cycle, l.Attempt, l.Used, l.Resumed, took, operational, got, want)
						}
					}
				}
			}
		}
	}
}
