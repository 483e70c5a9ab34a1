package manage

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// GetStats asks for numbers.
type GetStats struct {
	EndpointID string        // "" = all of the account
	Window     time.Duration // 1 m to 30 d, until now; 0 = 24 h
}

// Summary is what attempts came to over a span of time.
type Summary struct {
	Attempts    int // Succeeded + Failed
	Succeeded   int
	Failed      int // failures on our side not counted
	Retries     int // attempts made because one before failed (delivery.Lease.Again)
	Delivered   int
	Dead        int           // deliveries that went to the dead letter queue
	SuccessRate float64       // 0 to 1; 1 when there were no attempts
	Slow        int           // attempts that took longer than delivery.SlowAfter
	P50         time.Duration // half of the attempts took at most so long: one of store.LatencyBounds, or Longer
	P95         time.Duration
	P99         time.Duration
}

// Stats are the numbers of a span of time.
type Stats struct {
	From, To time.Time // whole minutes; the last may not be over
	Summary
	Step   time.Duration // the width of a point
	Series []Point       // without gaps, oldest first, at most MaxPoints
}

// Point is one step of a series.
type Point struct {
	At        time.Time // its start
	Succeeded int
	Failed    int
	Retries   int
	Delivered int
	Dead      int
	P50       time.Duration // as in Summary; 0 when there were no attempts
	P95       time.Duration
}

// Bounds of Stats.
const (
	DefaultWindow = 24 * time.Hour
	MinWindow     = time.Minute
	MaxWindow     = 30 * 24 * time.Hour

	// MaxPoints bounds a series: a day by the minute, with a little room.
	MaxPoints = 1500
)

// Stats gives the numbers of an endpoint, or of all of an account's, over a window that ends
// with the current minute.
func (m *Manager) Stats(ctx context.Context, caller auth.Caller, in GetStats) (Stats, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (Stats, error) {
		var wrong mistakes
		window := cmp.Or(in.Window, DefaultWindow)
		if window < MinWindow || window > MaxWindow {
			wrong.add("window", "must be between 1m and 30d")
		}
		if err := wrong.err(); err != nil {
			return Stats{}, err
		}
		if in.EndpointID != "" {
			if _, err := m.stored(ctx, caller.AccountID, in.EndpointID); err != nil {
				return Stats{}, err
			}
		}
		at, err := m.clock(ctx) // minutes are counted by it
		if err != nil {
			return Stats{}, err
		}
		s := newSpan(at, window)
		rows, err := m.db.Stats(ctx, caller.AccountID, in.EndpointID, s.from, s.to, s.step)
		if err != nil {
			return Stats{}, err
		}
		return Stats{From: s.from, To: s.to, Summary: summarize(rows), Step: s.step, Series: s.series(rows)}, nil
	})
}

// days gives the numbers of the last 24 hours of several endpoints, and of each hour; of one without attempts no hours.
func (m *Manager) days(ctx context.Context, accountID string, endpointIDs []string, at time.Time) (map[string]Stats, error) {
	s := newSpan(at, DefaultWindow)
	s.step = time.Hour
	s.from = s.to.Add(-DefaultWindow)
	rows, err := m.db.StatsOf(ctx, accountID, endpointIDs, s.from, s.to, s.step)
	if err != nil {
		return nil, err
	}
	of := map[string][]store.Stat{}
	for _, row := range rows {
		of[row.EndpointID] = append(of[row.EndpointID], row)
	}
	days := map[string]Stats{}
	for _, id := range endpointIDs {
		day := Stats{From: s.from, To: s.to, Summary: summarize(of[id]), Step: s.step}
		if len(of[id]) > 0 {
			day.Series = s.series(of[id])
		}
		days[id] = day
	}
	return days, nil
}

// span is a window cut into steps.
type span struct {
	from, to time.Time
	step     time.Duration
}

// newSpan gives the window that ends with the minute of at. Its steps are the
// shortest round ones that make at most MaxPoints, and begin on round times.
func newSpan(at time.Time, window time.Duration) span {
	s := span{to: at.Truncate(time.Minute).Add(time.Minute)}
	for _, minutes := range []int{1, 2, 5, 10, 15, 30, 60} {
		s.step = time.Duration(minutes) * time.Minute
		s.from = s.to.Add(-window).Truncate(s.step)
		if s.points() <= MaxPoints {
			break
		}
	}
	return s
}

// points is how many steps the window has; the last may be cut short.
func (s span) points() int { return int((s.to.Sub(s.from) + s.step - 1) / s.step) }

// series puts the rows of steps in their places, without gaps.
func (s span) series(rows []store.Stat) []Point {
	points := make([]Point, s.points())
	for i := range points {
		at := s.from.Add(time.Duration(i) * s.step)
		var own []store.Stat
		if len(rows) > 0 && rows[0].Minute.Equal(at) {
			own, rows = rows[:1], rows[1:]
		}
		sum := summarize(own)
		points[i] = Point{
			At:        at,
			Succeeded: sum.Succeeded,
			Failed:    sum.Failed,
			Retries:   sum.Retries,
			Delivered: sum.Delivered,
			Dead:      sum.Dead,
			P50:       sum.P50,
			P95:       sum.P95,
		}
	}
	return points
}

// summarize adds up steps.
func summarize(rows []store.Stat) Summary {
	sum := Summary{SuccessRate: 1}
	var latency [len(store.LatencyBounds) + 1]int
	for _, row := range rows {
		sum.Succeeded += row.Succeeded
		sum.Failed += row.Failed
		sum.Retries += row.Retries
		sum.Delivered += row.Delivered
		sum.Dead += row.Dead
		for i, n := range row.Latency {
			latency[i] += n
			if i > 0 && store.LatencyBounds[i-1] >= delivery.SlowAfter {
				sum.Slow += n
			}
		}
	}
	sum.Attempts = sum.Succeeded + sum.Failed
	if sum.Attempts > 0 {
		sum.SuccessRate = float64(sum.Succeeded) / float64(sum.Attempts)
	}
	sum.P50 = percentile(latency[:], 0.50)
	sum.P95 = percentile(latency[:], 0.95)
	sum.P99 = percentile(latency[:], 0.99)
	return sum
}

// Longer stands for a time that is past all of store.LatencyBounds, of which nothing else is known.
const Longer = time.Duration(math.MaxInt64)

// Bound gives a percentile as a number that can be drawn and computed with: the last of store.LatencyBounds stands for Longer, too.
func Bound(d time.Duration) time.Duration {
	return min(d, store.LatencyBounds[len(store.LatencyBounds)-1])
}

// percentile gives the time within which a share of the attempts ended: the bound of the bucket in which it lies. Where in
// the bucket it lies is not known, and a guess would show times that no attempt took. Without attempts it is 0.
func percentile(counts []int, share float64) time.Duration {
	total := 0
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank, below := share*float64(total), 0.0
	for i, bound := range store.LatencyBounds {
		below += float64(counts[i])
		if counts[i] > 0 && below >= rank {
			return bound
		}
	}
	return Longer
}
