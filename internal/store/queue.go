package store

import (
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// Queue is what the dispatcher lives on. A delivery row is the queue item; its
// due time says when somebody must look at it again: the next attempt while it
// waits, the end of the lease while it is being sent.
type Queue interface {
	// Clock gives the time that leases are reckoned in: the database server's
	// where nodes share one, this process's where they cannot.
	Clock(ctx context.Context) (time.Time, error)

	// Due gives every endpoint that has a delivery with a due time, with the
	// earliest, in the order of endpoint ids, from after the given id. It costs
	// one index probe an endpoint, however long their backlogs are.
	Due(ctx context.Context, after string, limit int) ([]Due, error)

	// Claim leases due deliveries, oldest due first, at most Max for each
	// endpoint wanted, and no more than fit into its Bytes. A Sending delivery whose lease is over is claimed too, after its
	// attempt has been closed as Unknown. A narrow endpoint gives one, not before
	// Health.NextAt, and no other until its outcome is recorded or its
	// lease ends. What waits for an endpoint that does not receive is
	// held (or discarded, when deleted) instead. No two live leases ever exist for one
	// delivery, whatever nodes do. With an error no lease is given: nothing may be sent
	// under one that is not certain to be on disk.
	Claim(ctx context.Context, claim Claim) ([]Claimed, error)

	// Rewind mends what was written before the clock was put back: of the deliveries with
	// a due time after `beyond`, those last written after now wait, or are leased, for
	// as long from now as they were then. A node that was last seen after now says that the
	// clock was put back for certain: then all that is due later counts. Endpoints and jobs are rested, or leased, for no longer than the
	// policy allows. It answers how many rows it changed, and may be cut off and called again.
	Rewind(ctx context.Context, p delivery.Policy, now, beyond time.Time) (int, error)

	// Record writes outcomes, each only while the lease's token still holds:
	// the attempt, the delivery's change fitted to the endpoint's state, the endpoint's
	// health, and a notice for the people to be told. When the health disables
	// the endpoint, what waits for it is held, a batch at once and the rest by Settle. One answer
	// per result, in order; Applied is false when the lease was lost, and then
	// nothing of that result was written. An outcome that is on disk already, because
	// the answer to its commit was lost, is Applied and changes nothing again; what it
	// answers of the endpoint is how that stands now.
	Record(ctx context.Context, p delivery.Policy, results []Result) ([]Recorded, error)

	// Return gives back leases whose request never left: the delivery waits
	// again, due at once, and the attempt number is not used up. Leases that were
	// lost are passed over.
	Return(ctx context.Context, leases []delivery.Lease, now time.Time) error

	// Settle holds, or discards when deleted, at most limit deliveries that wait
	// for an endpoint that does not receive. It answers how many.
	Settle(ctx context.Context, endpointID string, now time.Time, limit int) (int, error)

	// Lane reads an endpoint with the secrets that are live at a time, whatever its account.
	Lane(ctx context.Context, endpointID string, now time.Time) (Lane, error)

	// Beat says that a node lives and answers how many do.
	Beat(ctx context.Context, node string, now time.Time) (int, error)

	// Leave says that a node sends nothing any more: Beat counts it no longer.
	Leave(ctx context.Context, node string) error

	// WriteStats keeps counts of endpoints' minutes, each in the place of what its writer has
	// kept of that minute before: what is written twice counts once.
	WriteStats(ctx context.Context, stats []Stat) error
}

// Due is an endpoint with work and the earliest time somebody must look at it.
type Due struct {
	EndpointID string
	DueAt      time.Time
}

// Claim asks for due work.
type Claim struct {
	Node  string
	Now   time.Time
	Until time.Time // the end of the leases
	Wants []Want
}

// Want is how much of one endpoint's work is asked for.
type Want struct {
	EndpointID string
	Max        int
	Bytes      int // bodies of the leases together; 0 = no limit. One is given whatever its length
}

// Claimed is what one endpoint gave.
type Claimed struct {
	EndpointID string
	Leases     []delivery.Lease
	State      delivery.State
	Health     delivery.Health
	NextDue    time.Time // the earliest due time left after this claim; zero = nothing is left
	Expired    int       // how many of Leases were taken over from a dead attempt
}

// Result is an attempt to record.
type Result struct {
	Lease   delivery.Lease
	Attempt delivery.Attempt
	Change  delivery.Change
}

// Recorded is what became of a Result.
type Recorded struct {
	Applied bool
	Change  delivery.Change // as written
	Health  delivery.Health // of the endpoint, after
	State   delivery.State  // of the endpoint, after
	Notice  delivery.Notice // Warning or DisabledIt, when this result caused it
}

// Lane is an endpoint as the dispatcher needs it.
type Lane struct {
	Endpoint delivery.Endpoint
	Secrets  []Secret // current first, then next, then old ones whose overlap runs
}
