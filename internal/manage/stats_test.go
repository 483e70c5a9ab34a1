package manage

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	counts := func(pairs ...int) []int {
		c := make([]int, len(store.LatencyBounds)+1)
		for i := 0; i < len(pairs); i += 2 {
			c[pairs[i]] = pairs[i+1]
		}
		return c
	}
	last := len(store.LatencyBounds)
	tests := []struct {
		name   string
		counts []int
		share  float64
		want   time.Duration
	}{
		{"nothing counted", counts(), 0.99, 0},
		{"the first bucket", counts(0, 10), 0.5, time.Millisecond},
		{"anywhere in a bucket from 10 ms to 20 ms", counts(4, 10), 0.01, 20 * time.Millisecond},
		{"the end of a bucket", counts(4, 10), 1, 20 * time.Millisecond},
		{"the second of two buckets with a gap between", counts(0, 50, 6, 50), 0.75, 100 * time.Millisecond},
		{"exactly at the border of two buckets", counts(0, 50, 6, 50), 0.50, time.Millisecond},
		{"three of 12 s are no 28.9 s", counts(13, 3), 0.95, 30 * time.Second},
		{"the bucket without an end has no bound", counts(0, 1, last, 99), 0.99, Longer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := percentile(tt.counts, tt.share); got != tt.want {
				t.Errorf("percentile(%v, %v) = %s, want %s", tt.counts, tt.share, got, tt.want)
			}
		})
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	a := store.Stat{Succeeded: 3, Failed: 1, Retries: 2, Delivered: 3, Dead: 1}
	a.Latency[4] = 4
	b := store.Stat{Succeeded: 6, Retries: 1, Delivered: 6}
	b.Latency[4] = 6
	want := Summary{
		Attempts: 10, Succeeded: 9, Failed: 1, Retries: 3, Delivered: 9, Dead: 1, SuccessRate: 0.9,
		P50: 20 * time.Millisecond, P95: 20 * time.Millisecond, P99: 20 * time.Millisecond,
	}
	if diff := cmp.Diff(want, summarize([]store.Stat{a, b})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(Summary{SuccessRate: 1}, summarize(nil)); diff != "" {
		t.Errorf("of nothing (-want +got):\n%s", diff)
	}
}

func TestSlowAttemptsAreThoseThatTookLongerThanTenSeconds(t *testing.T) {
	t.Parallel()
	var row store.Stat
	for i := range row.Latency {
		row.Latency[i] = 1
	}
	if got := summarize([]store.Stat{row}).Slow; got != 2 {
		t.Errorf("%d of one in each bucket are slow, want 2: up to 30 s, and longer", got)
	}
	if !slices.Contains(store.LatencyBounds[:], delivery.SlowAfter) {
		t.Errorf("%s, after which an attempt is slow, lies within a bucket", delivery.SlowAfter)
	}
}

func TestEveryWindowEndsWithTheCurrentMinuteAndHasFewPoints(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 8, 12, 34, 56, 789e6, time.UTC)
	end := time.Date(2026, 3, 8, 12, 35, 0, 0, time.UTC)
	for window := MinWindow; window <= MaxWindow; window += 7 * time.Minute {
		s := newSpan(at, window)
		if !s.to.Equal(end) {
			t.Fatalf("%s: ends at %s, want %s", window, s.to, end)
		}
		if n := s.points(); n < 1 || n > MaxPoints {
			t.Fatalf("%s: %d points of %s, want 1 to %d", window, n, s.step, MaxPoints)
		}
		if length := s.to.Sub(s.from); length < window || length >= window+s.step {
			t.Fatalf("%s: covers %s in steps of %s", window, length, s.step)
		}
		if !s.from.Truncate(s.step).Equal(s.from) {
			t.Fatalf("%s: begins at %s, which is no multiple of %s", window, s.from, s.step)
		}
	}
}

func TestTheStepsOfUsualWindows(t *testing.T) {
	t.Parallel()
	tests := []struct {
		window time.Duration
		step   time.Duration
		points int
	}{
		{time.Minute, time.Minute, 1},
		{time.Hour, time.Minute, 60},
		{24 * time.Hour, time.Minute, 1440},
		{7 * 24 * time.Hour, 10 * time.Minute, 1009},
		{30 * 24 * time.Hour, 30 * time.Minute, 1441},
	}
	at := time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC)
	for _, tt := range tests {
		s := newSpan(at, tt.window)
		if s.step != tt.step || s.points() != tt.points {
			t.Errorf("%s: %d points of %s, want %d of %s", tt.window, s.points(), s.step, tt.points, tt.step)
		}
	}
}

func TestASeriesHasNoGaps(t *testing.T) {
	t.Parallel()
	s := span{
		from: time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC),
		to:   time.Date(2026, 3, 8, 12, 7, 0, 0, time.UTC),
		step: 2 * time.Minute,
	}
	minute := func(n int) time.Time { return s.from.Add(time.Duration(n) * time.Minute) }
	rows := []store.Stat{
		{Minute: minute(0), Succeeded: 1, Failed: 2},
		{Minute: minute(6), Dead: 3, Retries: 4, Delivered: 5},
	}
	want := []Point{
		{At: minute(0), Succeeded: 1, Failed: 2},
		{At: minute(2)},
		{At: minute(4)},
		{At: minute(6), Dead: 3, Retries: 4, Delivered: 5},
	}
	if diff := cmp.Diff(want, s.series(rows)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
