package main

import (
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// FuzzSpan: a span that is read is not negative, and is read again from how it is written.
func FuzzSpan(f *testing.F) {
	for _, seed := range []string{"30d", "1d12h", "90s", "-1h", "1d-1h", "36500d", "36500d2000000h", "36500d2562047h", "d", "0.5ns", "1dd", "+1d", "1h1h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseSpan(text)
		if err != nil {
			return
		}
		if again, err := parseSpan(d.String()); d < 0 || err != nil || again != d {
			t.Fatalf("parseSpan(%q) = %s, which is read as %s, %v", text, d, again, err)
		}
	})
}

// FuzzSchedule: a schedule that is accepted is one, and is read again from how it is written.
func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"0s,1m,5m", "0s", "", ",", "0s, 1d", "1m", "0s,0s", "0s,8d", "0s,-1m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, again schedule
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(s.steps.String())); err != nil || again.steps.String() != s.steps.String() || len(s.steps) > delivery.MaxSteps || s.steps[0] != 0 {
			t.Fatalf("%q is read as %s, and that as %s, %v", text, s.steps, again.steps, err)
		}
	})
}
