package delivery

import (
	"fmt"
	"time"
)

// Fixed bounds of contract section 2.
const (
	// MaxRetryAfter is the most that a receiver's Retry-After can delay the next attempt.
	MaxRetryAfter = 24 * time.Hour
	// NarrowAfter consecutive failures give the endpoint one attempt at a time.
	NarrowAfter = 3
	// LeaseSlack is added to the delivery timeout to give the length of a lease:
	// the time a node may take to start the request and to record its outcome.
	LeaseSlack = 10 * time.Second

	// An attempt that failed on our side is made again after 1 s, 2 s, 4 s ...: soon
	// enough to recover unseen. Such attempts have no end, and each is a row of the log.
	// So the longest pause is that of a network which comes back by itself, or
	// of a fault that somebody has to mend.
	faultFirst     = time.Second
	networkLongest = 5 * time.Minute
	faultLongest   = time.Hour
)

// Policy holds the settings that the rules depend on.
type Policy struct {
	Schedule       Schedule
	Timeout        time.Duration // of one attempt, DNS to response body
	DisableAfter   int           // consecutive failed attempts that disable an endpoint; 0 = never
	DisableOnGone  bool          // 410 disables the endpoint
	SpacingFirst   time.Duration // pause after the failure that narrows a lane; doubles with each further failure
	SpacingLongest time.Duration // the longest such pause
}

// DefaultPolicy gives the settings of contract sections 2 and 5.
func DefaultPolicy() Policy {
	return Policy{
		Schedule:       DefaultSchedule(),
		Timeout:        30 * time.Second,
		DisableAfter:   10,
		SpacingFirst:   time.Second,
		SpacingLongest: 30 * time.Second,
	}
}

// Validate reports the first setting that makes no sense.
func (p Policy) Validate() error {
	if err := p.Schedule.Validate(); err != nil {
		return err
	}
	if p.Timeout < 100*time.Millisecond || p.Timeout > 5*time.Minute {
		return fmt.Errorf("delivery timeout: %s is not between 100ms and 5m", p.Timeout)
	}
	if p.DisableAfter < 0 || p.DisableAfter > 1_000_000 {
		return fmt.Errorf("disable after: %d is not between 0 (never) and 1000000", p.DisableAfter)
	}
	if p.SpacingFirst < time.Millisecond || p.SpacingLongest < p.SpacingFirst || p.SpacingLongest > time.Hour {
		return fmt.Errorf("endpoint backoff: %s,%s must be a first and a longest pause between 1ms and 1h, the first not above the longest", p.SpacingFirst, p.SpacingLongest)
	}
	return nil
}

// Lease gives how long a claim is good for.
func (p Policy) Lease() time.Duration { return p.Timeout + LeaseSlack }

// LongestWait gives the longest that a delivery waits for its next attempt.
func (p Policy) LongestWait() time.Duration {
	longest := max(MaxRetryAfter, faultLongest)
	for used := range p.Schedule {
		longest = max(longest, p.Schedule.wait(used, 1, 0))
	}
	return longest
}

// LongestRest gives the longest that a narrow endpoint rests, as seen from the end of
// an attempt: others that ended later, within its lease, may be counted already.
func (p Policy) LongestRest() time.Duration { return p.Lease() + p.SpacingLongest }

// warnsAt reports whether the count of failures calls for a warning: at half and
// at four fifths of the way to being disabled, which is 5 and 8 of 10.
func (p Policy) warnsAt(failures int) bool {
	if p.DisableAfter < 2 {
		return false
	}
	return failures == (p.DisableAfter+1)/2 || failures == (4*p.DisableAfter+4)/5
}

// spacing gives the pause after a failure that makes `streak` failures in a row.
func (p Policy) spacing(streak int) time.Duration {
	return doubled(p.SpacingFirst, p.SpacingLongest, streak-NarrowAfter)
}

// doubled gives first doubled n times, at most longest.
func doubled(first, longest time.Duration, n int) time.Duration {
	d := first
	for range n {
		if d >= longest {
			break
		}
		d *= 2
	}
	return min(d, longest)
}
