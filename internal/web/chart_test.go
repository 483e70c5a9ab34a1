package web

import (
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// Attempts of 12 s were shown as 28.9 s, and those of 1 ms as 9 ms.
func TestHowLongAttemptsTookIsSaidAsABound(t *testing.T) {
	t.Parallel()
	tests := []struct {
		p95    time.Duration
		want   string
		height float64 // of the bar, in seconds that a full one stands for
		slow   bool
	}{
		{10 * time.Millisecond, "10 ms or less", 0.01, false},
		{10 * time.Second, "10 s or less", 10, false},
		{30 * time.Second, "30 s or less", 30, true},
		{manage.Longer, "more than 30 s", 30, true},
	}
	for _, tt := range tests {
		at := time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)
		got := slownessOf(manage.Stats{Series: []manage.Point{{At: at, Succeeded: 3, P95: time.Millisecond}, {At: at.Add(time.Minute), Succeeded: 3, P95: tt.p95}}})
		if len(got.Bars) != 2 || got.Most != tt.want || got.Bars[1].Title != "09:31, 95 of 100: "+tt.want {
			t.Errorf("%s: got %+v, want %q", tt.p95, got, tt.want)
			continue
		}
		if bar := got.Bars[1]; (bar.Failed > 0) != tt.slow || bar.Ok+bar.Failed != chartHeight {
			t.Errorf("%s: drawn as %+v, want slow: %t and %d high", tt.p95, bar, tt.slow, chartHeight)
		}
		if bar, want := got.Bars[0], chartHeight*0.001/tt.height; bar.Ok < 0.99*want || bar.Ok > 1.01*want {
			t.Errorf("beside %s, 1 ms is %f high, want %f", tt.p95, bar.Ok, want)
		}
		hours := []manage.Point{{Succeeded: 3, P95: time.Millisecond}, {Succeeded: 3, P95: tt.p95}}
		if want := "6 attempts in 24 hours, 95 of 100 in the slowest hour: " + tt.want; sparkOf(hours).Says != want {
			t.Errorf("the small chart says %q, want %q", sparkOf(hours).Says, want)
		}
	}
}
