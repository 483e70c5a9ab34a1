package main

import (
	"math"
	"slices"
	"time"
)

// percentile gives the smallest value that at least p per cent of the values do
// not exceed (the nearest rank), so it is always a value that was measured. The
// values must be sorted; of none it gives 0.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// perSecond gives a rate; of no time at all, 0.
func perSecond(count int, elapsed time.Duration) float64 {
	if elapsed <= 0 {
		return 0
	}
	return float64(count) / elapsed.Seconds()
}

// perThousand gives the seconds that a thousand of count cost.
func perThousand(spent time.Duration, count int) float64 {
	if count == 0 {
		return 0
	}
	return spent.Seconds() * 1000 / float64(count)
}

// milliseconds gives d as a number for people and for JSON.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// median gives the middle of some values, of an even number the lower of the two;
// of none it gives 0.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

// ratio compares a figure to another; to nothing, 0.
func ratio(value, to float64) float64 {
	if to == 0 {
		return 0
	}
	return value / to
}
