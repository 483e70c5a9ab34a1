package delivery

import (
	"fmt"
	"strconv"
	"time"
)

// ID numbers a delivery: one event for one endpoint. It is the value of
// X-ComplianceLayer-Delivery and stays the same on every retry and resend.
type ID int64

// String gives the number in decimal, as the API and the header show it.
func (id ID) String() string { return strconv.FormatInt(int64(id), 10) }

// ParseID reads a number as String gives it.
func ParseID(text string) (ID, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%.30q is not a delivery id; it is a decimal number such as 12345", text)
	}
	return ID(n), nil
}

// Lease is a claimed delivery: everything that an attempt needs. On disk the
// delivery is Sending with this attempt number and token before the request
// leaves, and an outcome is only written while the token still holds.
type Lease struct {
	ID         ID
	AccountID  string
	EndpointID string
	EventID    string
	EventType  string
	Body       []byte // the exact bytes to send

	Token     int64     // random; fences the outcome
	Until     time.Time // when any node may take the delivery over
	Attempt   int       // number of this attempt, 1, 2, 3 ...; goes on over cycles
	Used      int       // steps of the schedule used up in this cycle, before this attempt
	Resumed   int       // of these, those used up before it was held and let go
	Faults    int       // attempts in a row that failed on our side, before this one
	Cycle     Cycle
	PlannedAt time.Time // when the attempt was due by what the one before decided; zero = nothing was waited for, or nobody knows
}

// Again reports whether the attempt is made because one before it failed, in this cycle and since the delivery was
// let go. What was held for an endpoint, or is sent once more by hand, begins anew: its first attempt says
// nothing of how many it needs. Nor does an attempt that failed on our side.
func (l Lease) Again() bool { return l.Used > l.Resumed }

// Outcome is what happened on the wire, in the terms that the rules need.
type Outcome struct {
	StartedAt  time.Time
	EndedAt    time.Time
	Class      Class
	StatusCode int           // 0 when no response headers came
	RetryAfter time.Duration // what a 429 or 503 asked for; 0 when it did not
}

// Effect says what an outcome does to the count of its endpoint.
type Effect string

// The effects of an outcome on its endpoint's health.
const (
	NoEffect Effect = "none"    // tests, and failures on our side
	Success  Effect = "success" // sets the counts to 0
	Failure  Effect = "failure" // counts toward disabling and narrowing
	Narrows  Effect = "narrows" // a manual attempt failed: narrows the lane, never disables
)

// Change is what a delivery becomes after an attempt.
type Change struct {
	Status  Status
	DueAt   time.Time // of the next attempt; zero unless Retrying
	Used    int       // steps of the schedule used up in this cycle
	Faults  int       // failures on our side in a row
	Effect  Effect
	Gone    bool   // the endpoint is to be disabled with reason ByGone
	Discard string // why, when Status is Discarded
}

// Decide says what the outcome of a leased attempt means. chance in [0,1) places
// the next attempt within the jitter. It is a function of its arguments alone.
func Decide(p Policy, l Lease, o Outcome, chance float64) Change {
	if l.Cycle == Test {
		return decideTest(o)
	}
	if o.Class == OK {
		return Change{Status: Delivered, Used: l.Used + 1, Effect: Success}
	}
	if o.Class.Ours() {
		return Change{Status: Retrying, DueAt: o.EndedAt.Add(faultWait(l, o)), Used: l.Used, Faults: l.Faults + 1, Effect: NoEffect}
	}
	c := Change{
		Status: Failed,
		Used:   l.Used + 1,
		Effect: Failure,
		Gone:   p.DisableOnGone && o.StatusCode == 410 && l.Cycle == Automatic, // tests and manual retries never count
	}
	if l.Cycle == Manual {
		c.Effect = Narrows
	}
	if c.Used < len(p.Schedule) {
		c.Status = Retrying
		c.DueAt = o.EndedAt.Add(p.Schedule.wait(c.Used, chance, retryAfter(o)))
	}
	return c
}

// decideTest: a test is made once; it never waits, never reaches the dead letter
// queue and never counts.
func decideTest(o Outcome) Change {
	if o.Class == OK {
		return Change{Status: Delivered, Used: 1, Effect: NoEffect}
	}
	return Change{Status: Discarded, Used: 1, Effect: NoEffect, Discard: discardTest}
}

// faultWait gives the pause after a failure on our side. An attempt that a
// shutdown or a crash cut off is made again at once.
func faultWait(l Lease, o Outcome) time.Duration {
	if o.Class == Interrupted || o.Class == Unknown {
		return 0
	}
	if o.Class == LocalNetwork {
		return doubled(faultFirst, networkLongest, l.Faults)
	}
	return doubled(faultFirst, faultLongest, l.Faults)
}

// retryAfter bounds what the receiver asked for; only 429 and 503 may ask.
func retryAfter(o Outcome) time.Duration {
	if o.StatusCode != 429 && o.StatusCode != 503 {
		return 0
	}
	return min(max(o.RetryAfter, 0), MaxRetryAfter)
}

// For fits the change to the state in which the endpoint is when the outcome is
// written: nothing waits for an endpoint that does not receive.
func (c Change) For(state State) Change {
	if !c.Status.Waiting() || state == Enabled {
		return c
	}
	c.DueAt = time.Time{}
	c.Status = Held
	if state == Deleted {
		c.Status, c.Discard = Discarded, discardOwner
	}
	return c
}
