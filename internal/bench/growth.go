package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
)

const (
	// growthPromise is how many times a figure beside a small backlog it may be beside a large one.
	growthPromise = 1.2

	startPromise  = 5.0   // seconds until the program is ready
	memoryPromise = 300.0 // MiB of the program

	// fewWaiting is the small backlog.
	fewWaiting = 1000

	// deadEndpoints have the backlogs, dueEndpoints of them what is due, and
	// finishedEndpoints what was delivered.
	deadEndpoints     = 50
	dueEndpoints      = 5
	finishedEndpoints = 10

	// leastDue is enough that in every round something is due for each of those endpoints, which
	// the claims then have to look at, however small the backlog.
	leastDue = dueEndpoints * 200

	// dueAtOnce is how many deliveries to the healthy endpoint are due when the program starts.
	dueAtOnce = 2000

	// growthPublishers publish single events.
	growthPublishers = 64
)

// size is a program whose database has grown to some size.
type size struct {
	name, title       string
	waiting, finished int
	*subject
	endpoints []string // the healthy one first

	// Of each round.
	delivered, cpu, databaseCPU, claims, startCPU, ready, first []float64
	startMiB, loadMiB                                           float64 // the most of all rounds
	idle                                                        float64 // per cent of a core, with all that waits in the future
}

// measureGrowth compares what a delivery costs, how long due work takes to be found,
// and how long a start takes, in databases of different sizes. They take turns. In each,
// the program is started on its database, with deliveries due; when they have
// come, events are published as fast as they go; then it is stopped.
func measureGrowth(ctx context.Context, b *bench, database string) (found []finding, err error) {
	var all fleet
	defer func() { err = errors.Join(err, all.end()) }()
	sizes := b.sizes()
	for _, s := range sizes {
		found = append(found, newFinding(database, growth, s.name, s.title))
		if s.subject, err = all.add(ctx, b, database); err != nil {
			return nil, err
		}
		if err := s.prepare(ctx, b); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	before, err := b.read(sizes[0].subject)
	if err != nil {
		return nil, err
	}
	for range b.opts.rounds {
		for i, s := range sizes {
			if err := s.round(ctx, b, &found[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	after, err := b.read(sizes[0].subject)
	if err != nil {
		return nil, err
	}
	for i, s := range sizes {
		found[i].Figures = s.figures(sizes[0])
		found[i].OtherLoad = strangers(before, after)
	}
	return found, nil
}

// sizes lists what is compared, the smallest first.
func (b *bench) sizes() []*size {
	few, many := thousands(fewWaiting), thousands(float64(b.opts.waiting))
	all := []*size{
		{name: "few", title: few + " waiting", waiting: fewWaiting},
		{name: "many", title: many + " waiting", waiting: b.opts.waiting},
	}
	if b.opts.finished > 0 {
		all = append(all, &size{name: "old", title: many + " waiting, " + thousands(float64(b.opts.finished)) + " delivered", waiting: b.opts.waiting, finished: b.opts.finished})
	}
	return all
}

// prepare fills the database: what waits lies in the future, for endpoints that are
// dead and for the healthy one. While it does, the program has nothing to do, which
// is measured; then a tenth as much is due for some of the dead ones, which the program
// finds out about before anything else is measured.
func (s *size) prepare(ctx context.Context, b *bench) error {
	if err := s.subscribe(ctx, "http://"+b.receiverAddress+"/", []string{singleType}); err != nil {
		return err
	}
	s.endpoints = []string{s.healthy}
	refused, err := refusingAddress(ctx)
	if err != nil {
		return err
	}
	for range deadEndpoints {
		dead, err := s.api.CreateEndpoint(ctx, client.NewEndpoint{URL: "http://" + refused, Events: []string{otherType}})
		if err != nil {
			return fmt.Errorf("make a dead endpoint: %w", err)
		}
		s.endpoints = append(s.endpoints, dead.ID)
	}
	old := backlog{endpoints: s.endpoints[:finishedEndpoints], rows: s.finished, due: never}
	if err := s.fill(ctx, old, backlog{endpoints: s.endpoints, rows: s.waiting, due: later}); err != nil {
		return err
	}
	used, err := b.idle(ctx, s.subject)
	if err != nil {
		return err
	}
	s.idle = used.program + used.database
	if err := s.fill(ctx, backlog{endpoints: s.endpoints[1 : 1+dueEndpoints], rows: max(s.waiting/10, leastDue), due: now}); err != nil {
		return err
	}
	if err := pause(ctx, idleSettle); err != nil {
		return err
	}
	return s.stop()
}

// round starts the program, publishes, and stops it.
func (s *size) round(ctx context.Context, b *bench, f *finding) error {
	if err := s.begin(ctx, b, f); err != nil {
		return err
	}
	l := load{Via: viaProgram, Events: max(b.opts.events/2, 1), Types: []string{singleType}, Connections: growthPublishers}
	if err := b.profile(s.subject, "profile", f.Name+".cpu.pprof"); err != nil {
		return err
	}
	before, err := b.read(s.subject)
	if err != nil {
		return err
	}
	sent, came, err := b.publish(ctx, s.subject, l)
	if err != nil {
		return err
	}
	after, err := b.read(s.subject)
	if err != nil {
		return err
	}
	if err := b.profile(s.subject, "write profile", f.Name+".heap.pprof"); err != nil {
		return err
	}
	f.count(came)
	done := newResult(row{load: l}, sent, came, before, after)
	s.delivered, s.cpu, s.databaseCPU = append(s.delivered, done.DeliveredPerS), append(s.cpu, done.CPU), append(s.databaseCPU, done.DatabaseCPU)
	if err := s.notePeak(&s.loadMiB); err != nil {
		return err
	}
	return s.stop()
}

// begin starts the program with deliveries due, and waits for them.
func (s *size) begin(ctx context.Context, b *bench, f *finding) error {
	b.runs++
	if err := b.receiver.ask("expect", expectation{Run: b.runs, Events: dueAtOnce}, nil); err != nil {
		return err
	}
	if err := s.db.seed(ctx, backlog{endpoints: s.endpoints[:1], rows: dueAtOnce, due: now, counted: b.runs}); err != nil {
		return fmt.Errorf("make deliveries due: %w", err)
	}
	before, err := b.read(s.subject)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := s.run(ctx); err != nil {
		return err
	}
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	s.ready = append(s.ready, time.Since(began).Seconds())
	if err := b.receiver.ask("wait", arrivalLimit, nil); err != nil {
		return err
	}
	if err := s.settle(ctx, began); err != nil {
		return err
	}
	var came arrivals
	if err := b.receiver.ask("count", struct{}{}, &came); err != nil {
		return err
	}
	after, err := b.read(s.subject)
	if err != nil {
		return err
	}
	f.count(came)
	s.startCPU = append(s.startCPU, (after.program + after.database - before.database).Seconds()) // the program began with none
	s.first = append(s.first, came.First.Sub(began).Seconds())
	s.claims = append(s.claims, came.Last.Sub(came.First).Seconds())
	return s.notePeak(&s.startMiB)
}

// notePeak keeps the most MiB that the program has had in memory.
func (s *size) notePeak(most *float64) error {
	bytes, err := peakMemory(s.program.pid())
	*most = max(*most, float64(bytes)/(1<<20))
	return err
}

// figures compares the size to the smallest.
func (s *size) figures(few *size) []figure {
	return []figure{
		plain("delivered /s", median(s.delivered), 0),
		plain("CPU s per 1000", median(s.cpu), 3), plain("in database", median(s.databaseCPU), 3),
		promised("CPU to few", ratio(median(s.cpu), median(few.cpu)), growthPromise, 2),
		plain("2,000 due, s", median(s.claims), 2),
		promised("due to few", ratio(median(s.claims), median(few.claims)), growthPromise, 2),
		plain("their CPU s", median(s.startCPU), 2),
		promised("ready, s", median(s.ready), startPromise, 2), plain("first sent, s", median(s.first), 2),
		promised("start MiB", s.startMiB, memoryPromise, 0), promised("load MiB", s.loadMiB, memoryPromise, 0),
		plain("idle CPU %", s.idle, 2),
	}
}
