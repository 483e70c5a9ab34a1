package delivery_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

var start = time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC)

// outcome is an attempt that took a second.
func outcome(class delivery.Class, code int) delivery.Outcome {
	return delivery.Outcome{StartedAt: start, EndedAt: start.Add(time.Second), Class: class, StatusCode: code}
}

// The whole domain of the rules: every class × every cycle × every place in the schedule.
func TestDecideOverItsWholeDomain(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	for _, class := range delivery.Classes() {
		for _, cycle := range []delivery.Cycle{delivery.Automatic, delivery.Manual, delivery.Test} {
			for used := range len(p.Schedule) {
				l := delivery.Lease{ID: 1, Attempt: used + 1, Used: used, Cycle: cycle}
				got := delivery.Decide(p, l, outcome(class, 0), 0)
				want := expected(p, class, cycle, used)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("Decide(%s, %s, %d steps used) differs (-want +got):\n%s", class, cycle, used, diff)
				}
			}
		}
	}
}

// expected says in other words what contract section 2 asks for.
func expected(p delivery.Policy, class delivery.Class, cycle delivery.Cycle, used int) delivery.Change {
	ended := start.Add(time.Second)
	switch {
	case cycle == delivery.Test && class == delivery.OK:
		return delivery.Change{Status: delivery.Delivered, Used: 1, Effect: delivery.NoEffect}
	case cycle == delivery.Test:
		return delivery.Change{Status: delivery.Discarded, Used: 1, Effect: delivery.NoEffect, Discard: "a test is sent once and never retried"}
	case class == delivery.OK:
		return delivery.Change{Status: delivery.Delivered, Used: used + 1, Effect: delivery.Success}
	case class == delivery.Interrupted || class == delivery.Unknown:
		return delivery.Change{Status: delivery.Retrying, DueAt: ended, Used: used, Faults: 1, Effect: delivery.NoEffect}
	case class == delivery.LocalNetwork || class == delivery.LocalFault:
		return delivery.Change{Status: delivery.Retrying, DueAt: ended.Add(time.Second), Used: used, Faults: 1, Effect: delivery.NoEffect}
	}
	c := delivery.Change{Status: delivery.Failed, Used: used + 1, Effect: delivery.Failure}
	if cycle == delivery.Manual {
		c.Effect = delivery.Narrows
	}
	if used+1 < len(p.Schedule) {
		c.Status, c.DueAt = delivery.Retrying, ended.Add(p.Schedule[used+1])
	}
	return c
}

func TestSixAttemptsWithTheExactScheduleThenDeadLetter(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	now := start
	var waits []time.Duration
	l := delivery.Lease{Attempt: 1, Cycle: delivery.Automatic}
	for {
		o := delivery.Outcome{StartedAt: now, EndedAt: now.Add(2 * time.Second), Class: delivery.ServerError, StatusCode: 500}
		c := delivery.Decide(p, l, o, 0)
		if c.Status == delivery.Failed {
			break
		}
		waits = append(waits, c.DueAt.Sub(o.EndedAt)) // counted from the end of the one before
		now = c.DueAt
		l.Attempt, l.Used = l.Attempt+1, c.Used
	}
	want := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour}
	if diff := cmp.Diff(want, waits); diff != "" || l.Attempt != 6 {
		t.Errorf("%d attempts with waits (-want +got):\n%s\nwant 6 attempts", l.Attempt, diff)
	}
}

func TestSuccessIsAny2xxAndNothingElse(t *testing.T) {
	t.Parallel()
	for code := range 1000 {
		class := delivery.ClassOf(code)
		if got, want := class == delivery.OK, code >= 200 && code <= 299; got != want {
			t.Errorf("ClassOf(%d) = %s", code, class)
		}
		if class.Ours() {
			t.Errorf("ClassOf(%d) = %s blames us", code, class)
		}
	}
}

func TestEvery4xxIsRetried(t *testing.T) {
	t.Parallel()
	for code := 400; code < 500; code++ {
		c := delivery.Decide(delivery.DefaultPolicy(), delivery.Lease{Cycle: delivery.Automatic}, outcome(delivery.ClassOf(code), code), 0)
		if c.Status != delivery.Retrying || c.Gone {
			t.Errorf("Decide after %d = %+v, want retrying", code, c)
		}
	}
}

func TestJitterOnlyLengthensByATenthAndAtMostAMinute(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	for used := range len(p.Schedule) - 1 {
		base := p.Schedule[used+1]
		most := min(base/10, time.Minute)
		for _, chance := range []float64{0, 0.25, 0.5, 0.999999} {
			o := outcome(delivery.ServerError, 500)
			c := delivery.Decide(p, delivery.Lease{Used: used, Cycle: delivery.Automatic}, o, chance)
			wait := c.DueAt.Sub(o.EndedAt)
			if wait < base || wait > base+most {
				t.Errorf("step %d, chance %v: wait %s, want between %s and %s", used+1, chance, wait, base, base+most)
			}
			if chance > 0.9 && wait < base+most*9/10 {
				t.Errorf("step %d, chance %v: wait %s does not use the jitter of %s", used+1, chance, wait, most)
			}
		}
	}
}

func TestRetryAfterOnlyLengthensUpTo24Hours(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		code int
		ask  time.Duration
		want time.Duration
	}{
		{"longer on 429", 429, 10 * time.Minute, 10 * time.Minute},
		{"longer on 503", 503, 10 * time.Minute, 10 * time.Minute},
		{"shorter changes nothing", 429, time.Second, time.Minute},
		{"absurd is capped", 429, 1000 * time.Hour, 24 * time.Hour},
		{"negative changes nothing", 503, -time.Hour, time.Minute},
		{"other codes may not ask", 500, 10 * time.Minute, time.Minute},
	}
	for _, tt := range tests {
		o := outcome(delivery.ClassOf(tt.code), tt.code)
		o.RetryAfter = tt.ask
		c := delivery.Decide(delivery.DefaultPolicy(), delivery.Lease{Cycle: delivery.Automatic}, o, 0)
		if got := c.DueAt.Sub(o.EndedAt); got != tt.want {
			t.Errorf("%s: Retry-After %s on %d waits %s, want %s", tt.name, tt.ask, tt.code, got, tt.want)
		}
	}
}

func TestAManualRetryIsANewCycleWhoseNumbersGoOn(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	l := delivery.Lease{Attempt: 7, Used: 0, Cycle: delivery.Manual} // after six that failed
	c := delivery.Decide(p, l, outcome(delivery.ServerError, 500), 0)
	if c.Status != delivery.Retrying || c.Used != 1 {
		t.Errorf("first manual attempt failed: %+v, want retrying with one step used", c)
	}
}

// Every status code × every cycle × both settings.
func TestGoneDisablesOnlyWhereThatIsSetAndNobodyAskedForTheAttempt(t *testing.T) {
	t.Parallel()
	p := delivery.DefaultPolicy()
	for code := range 1000 {
		for _, cycle := range []delivery.Cycle{delivery.Automatic, delivery.Manual, delivery.Test} {
			for _, set := range []bool{false, true} {
				p.DisableOnGone = set
				o := outcome(delivery.ClassOf(code), code)
				c := delivery.Decide(p, delivery.Lease{Cycle: cycle}, o, 0)
				_, notice := delivery.Health{}.After(p, c, o)
				want := code == 410 && set && cycle == delivery.Automatic
				if c.Gone != want || (notice == delivery.DisabledIt) != want {
					t.Errorf("%d to a %s attempt with DisableOnGone %t: Gone %t, notice %q", code, cycle, set, c.Gone, notice)
				}
			}
		}
	}
}

func TestFaultsOnOurSideWaitLongerEachTimeSoThatTheLogDoesNotFill(t *testing.T) {
	t.Parallel()
	for class, longest := range map[delivery.Class]time.Duration{delivery.LocalNetwork: 5 * time.Minute, delivery.LocalFault: time.Hour} {
		for faults := range 100 {
			want := longest
			if faults < 12 {
				want = min(time.Second<<faults, longest)
			}
			o := outcome(class, 0)
			c := delivery.Decide(delivery.DefaultPolicy(), delivery.Lease{Used: 2, Faults: faults, Cycle: delivery.Automatic}, o, 0)
			if got := c.DueAt.Sub(o.EndedAt); got != want || c.Used != 2 || c.Faults != faults+1 {
				t.Errorf("%s %d: wait %s, used %d, faults %d; want %s, 2, %d", class, faults+1, got, c.Used, c.Faults, want, faults+1)
			}
		}
	}
}

// Every change × every state of the endpoint.
func TestNothingWaitsForAnEndpointThatDoesNotReceive(t *testing.T) {
	t.Parallel()
	for _, status := range delivery.Statuses() {
		for _, state := range []delivery.State{delivery.Enabled, delivery.Disabled, delivery.Deleted} {
			c := delivery.Change{Status: status}
			if status.Waiting() {
				c.DueAt = start
			}
			got := c.For(state)
			want := c
			if status.Waiting() && state == delivery.Disabled {
				want = delivery.Change{Status: delivery.Held}
			}
			if status.Waiting() && state == delivery.Deleted {
				want = delivery.Change{Status: delivery.Discarded, Discard: "its endpoint was deleted"}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s for a %s endpoint (-want +got):\n%s", status, state, diff)
			}
		}
	}
}

func TestStatusesKnowWhereTheyStand(t *testing.T) {
	t.Parallel()
	for _, s := range delivery.Statuses() {
		if !s.Valid() {
			t.Errorf("%s is not valid", s)
		}
		if s.Waiting() && s.Ended() {
			t.Errorf("%s both waits and has ended", s)
		}
	}
	if delivery.Status("lost").Valid() {
		t.Error("a status that does not exist is valid")
	}
}

func TestParseIDReadsWhatStringGives(t *testing.T) {
	t.Parallel()
	if id, err := delivery.ParseID(delivery.ID(12345).String()); err != nil || id != 12345 {
		t.Errorf("ParseID = %d, %v", id, err)
	}
	for _, text := range []string{"", "0", "-1", "1.5", "x", "99999999999999999999"} {
		if id, err := delivery.ParseID(text); err == nil {
			t.Errorf("ParseID(%q) = %d, want an error", text, id)
		}
	}
}

func ExampleSchedule_String() {
	fmt.Println(delivery.Schedule{0, time.Minute, 5 * time.Minute})
	// Output: 0s,1m0s,5m0s
}
