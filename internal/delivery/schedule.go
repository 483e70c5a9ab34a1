package delivery

import (
	"fmt"
	"strings"
	"time"
)

// Limits of a schedule. Fifty steps of a week are far beyond what a receiver
// can use; a bound keeps attempt numbers and due times sane.
const (
	MaxSteps = 50
	MaxDelay = 7 * 24 * time.Hour
	minDelay = time.Millisecond
)

// Schedule lists the delay before each attempt, counted from the end of the one
// before. Its length is the number of attempts; the first delay is always 0.
type Schedule []time.Duration

// DefaultSchedule is the schedule of contract section 2: at once, then after
// 1 m, 5 m, 15 m, 1 h and 2 h.
func DefaultSchedule() Schedule {
	return Schedule{0, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour}
}

// Validate reports what makes s unusable: no step, too many, a first step that
// is not 0s, or a later one that is not between a millisecond and a week.
func (s Schedule) Validate() error {
	if len(s) == 0 {
		return fmt.Errorf("retry schedule: it is empty; write at least 0s, the first attempt")
	}
	if len(s) > MaxSteps {
		return fmt.Errorf("retry schedule: it has %d steps; the most is %d", len(s), MaxSteps)
	}
	if s[0] != 0 {
		return fmt.Errorf("retry schedule: the first step is %s; it must be 0s, because the first attempt is made at once", s[0])
	}
	for i, d := range s[1:] {
		if d < minDelay || d > MaxDelay {
			return fmt.Errorf("retry schedule: step %d is %s; it must be between %s and %s", i+2, d, minDelay, MaxDelay)
		}
	}
	return nil
}

// String writes s as steps with commas between them, such as "0s,1m0s".
func (s Schedule) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = d.String()
	}
	return strings.Join(parts, ",")
}

// Jitter only lengthens a delay: by up to a tenth, at most a minute (contract section 2).
const (
	jitterShare = 0.10
	jitterMost  = time.Minute
)

// mostJitter is the most that chance adds to a delay.
func mostJitter(delay time.Duration) time.Duration {
	return min(time.Duration(float64(delay)*jitterShare), jitterMost)
}

// wait gives the delay before the attempt that follows `used` counted attempts.
// chance in [0,1) places it between no jitter and all of it; retryAfter, already
// bounded, can only make it longer.
func (s Schedule) wait(used int, chance float64, retryAfter time.Duration) time.Duration {
	base := s[used]
	return max(base+time.Duration(float64(mostJitter(base))*chance), retryAfter)
}
