package dispatch

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/seal"
	"github.com/compliancelayer/compliancelayer/internal/send"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Wire makes one attempt. send.Sender does it for real; a test may stand in for
// the network. unsent says that not a byte of the request has left.
type Wire interface {
	Send(ctx context.Context, t *send.Target, l delivery.Lease) (a delivery.Attempt, unsent bool)
	// Refuse gives the attempt of a delivery whose endpoint cannot be sent to as it is.
	Refuse(l delivery.Lease, url string, err error) delivery.Attempt
}

// Queue is what the dispatcher needs of the store.
type Queue interface {
	store.Queue
	ClaimJobs(ctx context.Context, node string, now, until time.Time, limit int) ([]store.Job, error)
	AdvanceJob(ctx context.Context, j store.Job, n int, now, until time.Time) (store.Job, []string, error)
}

// Config says what a Dispatcher works with. All of it is required but Slots and Observe.
type Config struct {
	Queue       Queue
	Wire        Wire
	Egress      *egress.Policy
	Box         *seal.Box
	Policy      delivery.Policy
	Node        string        // names this process among those that share the database
	Concurrency int           // attempts at once of an endpoint that sets none of its own
	Slots       int           // attempts at once of all endpoints together; 0 = DefaultSlots
	ScanEvery   time.Duration // how often the due times on disk are read again, to find what other nodes left
	Log         *slog.Logger
	// Observe hears of every attempt after its outcome is on disk. It must not block.
	Observe func(r store.Result, done store.Recorded)
}

// DefaultSlots is how many attempts a node makes at once. One that waits for its
// receiver costs a file descriptor and about 60 KB: with these, a quarter of a gigabyte.
const DefaultSlots = 4096

// Bounds of what one node holds in memory.
const (
	maxBodies     = 64 << 20 // bytes of event bodies in leases
	maxClaim      = 256      // deliveries of one claim
	maxClaimLanes = 32       // endpoints of one claim
	maxUnrecorded = 4096     // outcomes on their way to disk
	maxAnswers    = 32 << 20 // bytes of receivers' answers in outcomes on their way to disk; beyond it they are cut
	maxIdle       = 128      // workers kept for the next attempt
)

// Dispatcher is one node's loop.
type Dispatcher struct {
	cfg       Config
	log       *slog.Logger
	clock     atomic.Pointer[clock]
	mend      time.Duration // times on disk that lie this far ahead are to be mended; 0 = none. The feeder's own, as the next
	mendSince time.Time
	nodes     atomic.Int64 // how many share the work
	answers   atomic.Int64 // bytes of receivers' answers in outcomes that are not recorded

	mu       sync.Mutex
	lanes    map[string]*lane
	agenda   agenda          // when to look at which endpoint again
	ready    map[string]bool // endpoints with due work on disk
	asked    map[string]bool // of them, those that a claim under way asks for
	slots    bound           // attempts on the wire, and promised to events that are being committed
	memory   bound           // bytes of bodies in leases
	short    bool            // an endpoint with due work got nothing because a bound is reached
	draining bool
	stalled  bool // the store does not take outcomes: claim nothing more

	wake     chan struct{} // the feeder has something to do
	wakeJobs chan struct{}
	work     chan task // to an idle worker
	idle     atomic.Int64
	outcomes chan store.Result
	stats    *tally

	attempts  sync.WaitGroup // on the wire
	workers   sync.WaitGroup
	aside     sync.WaitGroup // returns and settlements on their way
	wireCtx   context.Context
	cutWire   context.CancelFunc
	finalStop chan struct{} // closed when all outcomes are recorded
}

// New makes a Dispatcher; Run starts it.
func New(cfg Config) *Dispatcher {
	d := &Dispatcher{
		cfg:       cfg,
		log:       cfg.Log,
		lanes:     map[string]*lane{},
		ready:     map[string]bool{},
		asked:     map[string]bool{},
		slots:     bound{most: cmp.Or(cfg.Slots, DefaultSlots)},
		memory:    bound{most: maxBodies},
		wake:      make(chan struct{}, 1),
		wakeJobs:  make(chan struct{}, 1),
		work:      make(chan task),
		outcomes:  make(chan store.Result, maxUnrecorded),
		stats:     newTally(),
		finalStop: make(chan struct{}),
		mend:      cfg.Policy.LongestWait(), // the clock may have been put back while nobody looked
	}
	now := time.Now()
	d.mendSince = now
	d.clock.Store(&clock{now, now})
	d.nodes.Store(1)
	d.wireCtx, d.cutWire = context.WithCancel(context.Background())
	return d
}

// drainSlack is added to the delivery timeout to give how long a shutdown waits
// for the attempts that are on the wire.
const drainSlack = 2 * time.Second

// Run claims and sends until ctx ends, then drains: it gives back what has not
// left, waits for what is on the wire, records every outcome and returns when
// all of its goroutines have ended.
func (d *Dispatcher) Run(ctx context.Context) error {
	var loops, recorder, flusher sync.WaitGroup
	recorder.Go(d.record)
	loops.Go(func() { d.feed(ctx) })
	loops.Go(func() { d.advanceJobs(ctx) })
	flusher.Go(d.flushStats)
	<-ctx.Done()
	d.drain()
	failpoint.Hit("stop: attempts on the wire")
	loops.Wait()
	d.waitForWire()
	failpoint.Hit("stop: attempts ended, outcomes not all recorded")
	close(d.outcomes)
	close(d.work)
	recorder.Wait() // the last outcomes are to be counted, too, and may empty a lane
	d.aside.Wait()
	close(d.finalStop)
	flusher.Wait()
	d.workers.Wait()
	d.leave()
	return nil
}

// drain stops the lanes and gives back what waits in them.
func (d *Dispatcher) drain() {
	d.mu.Lock()
	d.draining = true
	var back []delivery.Lease
	for _, l := range d.lanes {
		back = append(back, d.emptyLane(l)...)
	}
	d.mu.Unlock()
	d.giveBack(back)
}

func (d *Dispatcher) waitForWire() {
	done := make(chan struct{})
	go func() {
		d.attempts.Wait()
		close(done)
	}()
	limit := time.NewTimer(d.cfg.Policy.Timeout + drainSlack)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		d.cutWire() // the rest comes back as Interrupted
		<-done
	}
	d.cutWire()
}

// Node names this process.
func (d *Dispatcher) Node() string { return d.cfg.Node }

// LeaseUntil gives the end of a lease that begins now.
func (d *Dispatcher) LeaseUntil() time.Time { return d.Now().Add(d.cfg.Policy.Lease()) }

// NewToken draws a lease token.
func NewToken() int64 { return rand.Int64() | 1 } // never 0, which means no lease

// SendNow makes the one attempt of a leased test, records it and answers with
// it. It asks no lane: a test works on a disabled endpoint, too. When ctx ends, the attempt
// ends as interrupted, and is recorded as any other. A shutdown waits for it.
func (d *Dispatcher) SendNow(ctx context.Context, l delivery.Lease) (delivery.Attempt, error) {
	if !d.begin() {
		return delivery.Attempt{}, fmt.Errorf("%w: this node is stopping", store.ErrUnavailable)
	}
	defer d.attempts.Done()
	info, err := d.cfg.Queue.Lane(context.WithoutCancel(ctx), l.EndpointID, d.Now())
	if err != nil {
		return delivery.Attempt{}, err
	}
	wire, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.wireCtx, cancel)()
	a, _ := d.send(wire, d.prepare(info), l)
	r := d.judge(l, a)
	done, err := d.cfg.Queue.Record(context.WithoutCancel(ctx), d.cfg.Policy, []store.Result{r})
	if err != nil {
		d.recordLater(r, err)
		return r.Attempt, err
	}
	if !done[0].Applied {
		return r.Attempt, store.ErrLeaseLost
	}
	d.observe(r, done[0])
	return r.Attempt, nil
}

// recordLater gives an outcome that the store did not take to the loop that goes on offering
// them: a test that has ended must not look as if it was being sent. When that has too many already,
// the lease ends by itself.
func (d *Dispatcher) recordLater(r store.Result, err error) {
	if !passing(err) {
		return
	}
	r = d.held(r)
	select {
	case d.outcomes <- r:
	default:
		d.settled(r)
	}
}

// begin counts an attempt that no lane knows of, unless a shutdown has begun.
func (d *Dispatcher) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.draining {
		d.attempts.Add(1)
	}
	return !d.draining
}

// send makes the attempt, or gives the one that could not be made.
func (d *Dispatcher) send(ctx context.Context, t prepared, l delivery.Lease) (a delivery.Attempt, unsent bool) {
	if t.err != nil {
		return d.cfg.Wire.Refuse(l, t.url, t.err), false
	}
	return d.cfg.Wire.Send(ctx, t.target, l)
}

// judge asks the rules what an attempt means.
func (d *Dispatcher) judge(l delivery.Lease, a delivery.Attempt) store.Result {
	// What is written is reckoned in the time that the nodes agree on, also when this
	// process's clock was set meanwhile: due times, and the times that health is counted by.
	took := a.EndedAt.Sub(a.StartedAt)
	a.EndedAt = d.Now().Add(-time.Since(a.EndedAt))
	a.StartedAt = a.EndedAt.Add(-took)
	c := delivery.Decide(d.cfg.Policy, l, a.Outcome, rand.Float64())
	a.Effect = c.Effect
	l.Body = nil // nobody needs it any more, and outcomes may have to wait for the store
	return store.Result{Lease: l, Attempt: a, Change: c}
}

// What is kept of an answer while many wait for the store. Receivers choose how long they are.
const (
	cutBody    = 1 << 10 // bytes
	cutHeaders = 20      // lines
	cutLine    = 100     // bytes
)

func answerSize(a *delivery.Attempt) int64 {
	n := len(a.Response.Body)
	for _, h := range a.Response.Header {
		n += len(h.Name) + len(h.Value)
	}
	return int64(n)
}

// cutAnswer keeps the beginning of an answer, in memory of its own.
func cutAnswer(a *delivery.Attempt) {
	r := &a.Response
	if len(r.Body) > cutBody {
		r.Body, r.Truncated = bytes.Clone(r.Body[:cutBody]), true
	}
	header := make([]delivery.Header, min(len(r.Header), cutHeaders))
	for i := range header {
		h := r.Header[i]
		header[i] = delivery.Header{Name: strings.Clone(h.Name[:min(len(h.Name), cutLine)]), Value: strings.Clone(h.Value[:min(len(h.Value), cutLine)])}
	}
	r.Header = header
}

// held counts the answer of an outcome that is about to wait for the store, and cuts it when too much waits.
func (d *Dispatcher) held(r store.Result) store.Result {
	size := answerSize(&r.Attempt)
	if d.answers.Add(size) > maxAnswers {
		cutAnswer(&r.Attempt)
		d.answers.Add(answerSize(&r.Attempt) - size)
	}
	return r
}

// settled is called when outcomes are recorded or given up.
func (d *Dispatcher) settled(batch ...store.Result) {
	for i := range batch {
		d.answers.Add(-answerSize(&batch[i].Attempt))
	}
}

func (d *Dispatcher) observe(r store.Result, done store.Recorded) {
	if d.cfg.Observe != nil {
		d.cfg.Observe(r, done)
	}
}

// signal wakes whoever reads a channel of one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
