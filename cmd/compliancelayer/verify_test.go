package main

import (
	"testing"
	"time"
)

// A request of three years ago was said to be made "26569h42m1s from now".
func TestATimeIsSaidToBeAgo(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]string{
		6 * time.Minute:                       "6m0s ago",
		90*time.Second + 400*time.Millisecond: "1m30s ago",
		47 * time.Hour:                        "47h0m0s ago",
		26569*time.Hour + 42*time.Minute:      "1107 days ago",
		-10 * time.Minute:                     "10m0s in the future",
		-72 * time.Hour:                       "3 days in the future",
	} {
		if got := relative(age); got != want {
			t.Errorf("relative(%s) = %q, want %q", age, got, want)
		}
	}
}
