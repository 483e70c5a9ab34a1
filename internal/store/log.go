package store

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// Log reads events, deliveries and attempts. Lists are newest first and paged
// by cursor; each filter combination walks an index. Where a filter compares what no index
// holds and little matches, a page is answered after a second as far as it is, perhaps
// empty, and its cursor goes on from there: only "" is the end. A malformed cursor is a *Conflict.
type Log interface {
	Event(ctx context.Context, accountID, id string) (Event, error)
	ListEvents(ctx context.Context, accountID string, f EventFilter, page Page) ([]Event, string, error)
	Delivery(ctx context.Context, accountID string, id delivery.ID) (delivery.Delivery, error)
	ListDeliveries(ctx context.Context, accountID string, f DeliveryFilter, page Page) ([]delivery.Delivery, string, error)
	// Neighbours finds the deliveries of the same endpoint before and after one, as lists
	// have them; 0 = there is none.
	Neighbours(ctx context.Context, accountID string, id delivery.ID) (older, newer delivery.ID, err error)
	// CountDeliveries counts what f matches.
	CountDeliveries(ctx context.Context, accountID string, f DeliveryFilter) (int, error)
	// CountDeadLetters counts failed deliveries by endpoint and cause, most first: the newest, as many as most.
	CountDeadLetters(ctx context.Context, accountID string, most int) ([]CauseCount, error)
	// Attempts reads a delivery's attempts in order, without response bodies.
	Attempts(ctx context.Context, accountID string, id delivery.ID) ([]delivery.Attempt, error)
	Attempt(ctx context.Context, accountID string, id delivery.ID, number int) (delivery.Attempt, error)
	// Stats sums the per-minute counts of an endpoint, or of all of an account's
	// ("" = all), from one time to another, in steps that begin at the first, oldest first. Minute is the
	// start of the step. Steps without counts are left out, so there are never more rows than
	// steps, however many endpoints and minutes were counted.
	Stats(ctx context.Context, accountID, endpointID string, from, to time.Time, step time.Duration) ([]Stat, error)
	// StatsOf gives the same of each of several endpoints, in one look: a page of a list needs it.
	// The rows of one endpoint stand together, oldest first.
	StatsOf(ctx context.Context, accountID string, endpointIDs []string, from, to time.Time, step time.Duration) ([]Stat, error)
}

// Deliveries changes deliveries on a person's behalf.
type Deliveries interface {
	// Retry begins a Manual cycle of a delivery, due now. ErrDisabled when its
	// endpoint does not receive, *Conflict while an attempt is on its way, and for tests.
	Retry(ctx context.Context, accountID string, id delivery.ID, now time.Time) (delivery.Delivery, error)
	// Discard gives up a delivery that waits, is held or failed. *Conflict otherwise.
	Discard(ctx context.Context, accountID string, id delivery.ID, reason string, now time.Time) (delivery.Delivery, error)
}

// Jobs are long changes of many deliveries, made in small paced steps that
// survive a crash.
type Jobs interface {
	// CreateJob adds a job; Total is counted by the caller.
	CreateJob(ctx context.Context, j Job) error
	Job(ctx context.Context, accountID, id string) (Job, error)
	ListJobs(ctx context.Context, accountID string, page Page) ([]Job, string, error)
	// CancelJob stops a job; what it has moved stays moved.
	CancelJob(ctx context.Context, accountID, id string, now time.Time) (Job, error)
	// ClaimJobs leases running jobs that no live node works on, of the kinds that this release knows.
	ClaimJobs(ctx context.Context, node string, now, until time.Time, limit int) ([]Job, error)
	// AdvanceJob moves at most n further deliveries, extends the lease and writes the
	// progress, in one transaction, while the job's token holds and its cursor is j's, else
	// ErrLeaseLost. It looks at a bounded number, so it may move none before the end. It answers the
	// job after the step and which endpoints got work; at its end State is JobDone. When an endpoint
	// turns out to be disabled its deliveries are skipped and counted in Skipped, unless they are
	// discarded: that goes by the rule of Discard, and the state of the endpoint does not matter.
	AdvanceJob(ctx context.Context, j Job, n int, now, until time.Time) (Job, []string, error)
}

// Event is an accepted event.
type Event struct {
	ID         string
	AccountID  string
	Type       string
	CreatedAt  time.Time
	Body       []byte
	Deliveries int // how many endpoints it matched
}

// EventFilter narrows a list of events. Zero values do not filter; From is inclusive, To exclusive.
type EventFilter struct {
	Type      string
	From, To  time.Time
	Unmatched bool // only events that matched no endpoint
}

// DeliveryFilter narrows a list or a bulk change of deliveries. Zero values do
// not filter; From and To bound the creation time, From inclusive, To exclusive.
type DeliveryFilter struct {
	EndpointID string            `json:"endpoint_id,omitempty"`
	EventID    string            `json:"event_id,omitempty"`
	Statuses   []delivery.Status `json:"statuses,omitempty"`
	Types      []string          `json:"types,omitempty"`
	Class      delivery.Class    `json:"class,omitempty"` // of the last attempt
	From       time.Time         `json:"from,omitzero"`
	To         time.Time         `json:"to,omitzero"`
	NoTests    bool              `json:"no_tests,omitempty"` // leave out deliveries of the cycle Test, which cannot be retried
}

// CauseCount is a group of the dead letter queue.
type CauseCount struct {
	EndpointID string
	Class      delivery.Class
	Count      int
}

// JobKind says what a job does to each delivery it finds.
type JobKind string

// The kinds of job.
const (
	JobRetry   JobKind = "retry"   // begin a Manual cycle
	JobRelease JobKind = "release" // let a held delivery go on where it was
	JobDiscard JobKind = "discard" // give it up, for the job's Reason
)

// JobState says how far a job is.
type JobState string

// The states of a job.
const (
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobCancelled JobState = "cancelled"
)

// Job is a paced bulk change with its progress. It takes the deliveries that
// match Filter and existed when it was made, oldest first, whatever the clocks of
// the nodes that accepted them say. Of those that are accepted later it takes none where the
// clocks agree, and else at most what numbers the nodes had left of their blocks.
// It is done when it has passed over all of them.
type Job struct {
	ID        string
	AccountID string
	Kind      JobKind
	Filter    DeliveryFilter
	Reason    string // of JobDiscard
	PerSecond int
	Total     int // what matched when it was made
	Done      int // moved so far
	Skipped   int // passed over: no longer in a state, or with an endpoint, that allows it
	State     JobState
	Token     int64
	Cursor    string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// LatencyBounds are the upper bounds of Stat.Latency, the time from the start
// of an attempt to its end; the last count is of what took longer.
var LatencyBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second,
	2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// Stat counts one endpoint's attempts of one minute. The counts of a node that
// is killed may miss its last two seconds; deliveries and attempts never do.
type Stat struct {
	AccountID  string
	EndpointID string
	Minute     time.Time // its start
	Writer     string    // names who counts, and is one of several whose counts add up; only WriteStats reads it
	Succeeded  int
	Failed     int // attempts that failed, ours not counted
	Retries    int // attempts made because one before failed
	Delivered  int // deliveries that came to an end well
	Dead       int // deliveries that went to the dead letter queue
	Latency    [len(LatencyBounds) + 1]int

	Watched       delivery.Counts // of these attempts, what the health watch goes by; only WriteStats reads it, and Watched sums it
	LastSuccessAt time.Time       // of the endpoint; only WriteStats reads it
}

// Add adds the counts of another Stat; whose they are is left as it is.
func (s *Stat) Add(o Stat) {
	s.Succeeded += o.Succeeded
	s.Failed += o.Failed
	s.Retries += o.Retries
	s.Delivered += o.Delivered
	s.Dead += o.Dead
	for i, n := range o.Latency {
		s.Latency[i] += n
	}
}
