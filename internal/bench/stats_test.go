package main

import (
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	tests := []struct {
		name   string
		sorted []time.Duration
		p      float64
		want   time.Duration
	}{
		{"of nothing", nil, 50, 0},
		{"of one value", []time.Duration{7}, 99, 7},
		{"the median of an even number is the lower of the two", []time.Duration{1, 2, 3, 4}, 50, 2},
		{"the median of an odd number is the middle", []time.Duration{1, 2, 3}, 50, 2},
		{"99 of a hundred", hundred, 99, 99},
		{"a bit more than 99 of a hundred is the last", hundred, 99.1, 100},
		{"all", hundred, 100, 100},
		{"none is still a value", hundred, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := percentile(tt.sorted, tt.p); got != tt.want {
				t.Errorf("percentile(%d values, %v) = %d, want %d", len(tt.sorted), tt.p, got, tt.want)
			}
		})
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	if got := perSecond(3000, 2*time.Second); got != 1500 {
		t.Errorf("perSecond(3000, 2s) = %v, want 1500", got)
	}
	if got := perSecond(1, 0); got != 0 {
		t.Errorf("perSecond in no time = %v, want 0", got)
	}
	if got := perThousand(time.Second, 4000); got != 0.25 {
		t.Errorf("perThousand(1s, 4000) = %v, want 0.25", got)
	}
	if got := perThousand(time.Second, 0); got != 0 {
		t.Errorf("perThousand of nothing = %v, want 0", got)
	}
	if got := milliseconds(1500 * time.Microsecond); got != 1.5 {
		t.Errorf("milliseconds(1.5ms) = %v, want 1.5", got)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"of nothing", nil, 0}, {"of one", []float64{7}, 7}, {"the middle, whatever the order", []float64{9, 1, 5}, 5}, {"of an even number the lower", []float64{4, 1, 3, 2}, 2},
	} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("%s: median(%v) = %v, want %v", tt.name, tt.values, got, tt.want)
		}
	}
	if got := ratio(3, 2); got != 1.5 {
		t.Errorf("ratio(3, 2) = %v", got)
	}
	if got := ratio(3, 0); got != 0 {
		t.Errorf("ratio to nothing = %v, want 0", got)
	}
}
