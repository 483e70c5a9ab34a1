package delivery_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

func TestScheduleRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	tests := []struct {
		name     string
		schedule delivery.Schedule
		want     string // in the error; "" = it is good
	}{
		{"the default", delivery.DefaultSchedule(), ""},
		{"a week", delivery.Schedule{0, 7 * day}, ""},
		{"fifty steps", append(delivery.Schedule{0}, slices.Repeat(delivery.Schedule{day}, 49)...), ""},
		{"empty", nil, "it is empty"},
		{"first attempt not at once", delivery.Schedule{time.Minute, 5 * time.Minute}, "must be 0s"},
		{"no wait at all", delivery.Schedule{0, 0}, "step 2"},
		{"negative", delivery.Schedule{0, -time.Minute}, "step 2"},
		{"over a week", delivery.Schedule{0, time.Minute, 7*day + 1}, "step 3"},
		{"too many", append(delivery.Schedule{0}, slices.Repeat(delivery.Schedule{day}, 50)...), "51 steps"},
	}
	for _, tt := range tests {
		err := tt.schedule.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v: %v; want an error with %q", tt.name, tt.schedule, err, tt.want)
		}
	}
}

func TestPolicyRefusesSettingsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	if err := delivery.DefaultPolicy().Validate(); err != nil {
		t.Fatalf("default policy: %v", err)
	}
	tests := []struct {
		name   string
		change func(*delivery.Policy)
		want   string
	}{
		{"no schedule", func(p *delivery.Policy) { p.Schedule = nil }, "retry schedule"},
		{"no timeout", func(p *delivery.Policy) { p.Timeout = 0 }, "delivery timeout"},
		{"timeout of an hour", func(p *delivery.Policy) { p.Timeout = time.Hour }, "delivery timeout"},
		{"negative threshold", func(p *delivery.Policy) { p.DisableAfter = -1 }, "disable after"},
		{"first pause above the longest", func(p *delivery.Policy) { p.SpacingFirst = time.Minute }, "endpoint backoff"},
		{"no pause", func(p *delivery.Policy) { p.SpacingFirst = 0 }, "endpoint backoff"},
	}
	for _, tt := range tests {
		p := delivery.DefaultPolicy()
		tt.change(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Validate = %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

func TestNothingWaitsLongerThanTheLongestWait(t *testing.T) {
	t.Parallel()
	for _, schedule := range []delivery.Schedule{delivery.DefaultSchedule(), {0}, {0, delivery.MaxDelay, time.Second}} {
		p := delivery.DefaultPolicy()
		p.Schedule = schedule
		for _, class := range delivery.Classes() {
			for used := range schedule {
				for _, faults := range []int{0, 1000} {
					o := outcome(class, 503)
					o.RetryAfter = 1000 * time.Hour
					c := delivery.Decide(p, delivery.Lease{Used: used, Faults: faults, Cycle: delivery.Automatic}, o, 0.999999)
					if wait := c.DueAt.Sub(o.EndedAt); !c.DueAt.IsZero() && wait > p.LongestWait() {
						t.Errorf("%s after %d steps of %s waits %s, longer than %s", class, used, schedule, wait, p.LongestWait())
					}
				}
			}
		}
		if p.LongestWait() > delivery.MaxDelay+time.Minute {
			t.Errorf("the longest wait of %s is %s", schedule, p.LongestWait())
		}
	}
}
