package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Limits of a call.
const (
	MaxBody  = 256 << 10 // bytes of an event as it is sent (contract section 4)
	MaxBatch = 1000      // events in one call (contract section 4)
	MaxKey   = 255       // bytes of an Idempotency-Key

	// maxWaiting and maxWaitingBytes bound the events that wait for their commit on
	// this node, and their data, so that publishers faster than the disk get ErrBusy
	// instead of eating memory: 20,000 of the largest events would be 5 GB.
	maxWaiting      = 20_000
	maxWaitingBytes = 64 << 20
	// maxWaitingDeliveries bounds their deliveries, which are what takes time to write: two of the largest calls, of
	// 1000 events for 100 endpoints each, take about three seconds, and everybody else waits behind them.
	maxWaitingDeliveries = 200_000
	// maxStale bounds how often a call is matched again because endpoints changed
	// while it was being committed.
	maxStale = 20
)

// Lanes places deliveries; the dispatcher is one.
type Lanes interface {
	// Now is the time that the nodes agree on.
	Now() time.Time
	// Admit may hold a call of so many events back for a moment while endpoints cannot keep up.
	// placed must be called when all of them have been reserved for.
	Admit(ctx context.Context, endpointIDs []string, events int) (placed func())
	// Reserve places a delivery that is about to be committed. Sending = leased to
	// this node: Hand or Release must follow. Pending = it waits on disk: Wake should follow.
	Reserve(endpointID string, size int) store.NewDelivery
	Hand(lease delivery.Lease)
	Release(endpointID string, size int)
	Wake(endpointID string)
}

// Config says what a Publisher works with.
type Config struct {
	Store store.Publisher
	Lanes Lanes
	// Observe, when set, hears of every event that was accepted, not of replays. It must not block.
	Observe func(accountID string, e *store.NewEvent)
}

// Publisher accepts events. It may be used by many goroutines at once.
type Publisher struct {
	cfg      Config
	builtin  func() (map[string]*catalog.Validator, error)
	schemas  *schemas
	accounts accounts
	waiting  waiting
}

// New makes a Publisher.
func New(cfg Config) *Publisher {
	return &Publisher{cfg: cfg, builtin: sync.OnceValues(compileBuiltin), schemas: newSchemas()}
}

// Input is an event as its publisher sent it.
type Input struct {
	ID   string // "" = one is made; else a UUID
	Type string
	Key  string // Idempotency-Key; "" = none
	Data json.RawMessage
}

// Publish accepts all events of a call in one transaction, or none, for all
// endpoints of the account that subscribe to them. When it returns they are on
// disk, each with its deliveries.
//
// Errors: *Invalid names what is wrong with which event; *store.Conflict an id or
// key that was used for something else; ErrBusy, store.ErrFull and
// store.ErrUnavailable ask to try again later.
func (p *Publisher) Publish(ctx context.Context, accountID string, in []Input) ([]store.Published, error) {
	return p.publish(ctx, accountID, in, "")
}

// PublishOwn accepts an operational event: one that this program made about an
// endpoint. It goes to the others that subscribe to it: that one would be told of its
// trouble by what troubles it. An event that nobody is to get is not kept.
func (p *Publisher) PublishOwn(ctx context.Context, accountID, about string, in Input) error {
	_, err := p.publish(ctx, accountID, []Input{in}, about)
	return err
}

func (p *Publisher) publish(ctx context.Context, accountID string, in []Input, about string) ([]store.Published, error) {
	defer p.waiting.leave(in)
	if !p.waiting.enter(in) {
		return nil, ErrBusy
	}
	// What is remembered of the account may be out of date: what is accepted with
	// it the commit checks; what is refused with it is looked at again.
	operational := about != ""
	fresh := operational
	for range maxStale {
		acc, remembered, err := p.account(ctx, accountID, fresh)
		if err != nil {
			return nil, err
		}
		fresh = true
		events, err := p.prepare(acc, in, operational)
		if err != nil && remembered && !errors.Is(err, ErrBusy) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if operational {
			if acc = acc.without(about); len(acc.subscribers(in[0].Type).all) == 0 {
				return nil, nil
			}
		}
		done, err := p.commit(ctx, acc, events)
		if !errors.Is(err, store.ErrStale) {
			return done, err
		}
	}
	return nil, fmt.Errorf("%w: the account's endpoints keep changing; try again", ErrBusy)
}

// commit matches, places and commits events whose bytes are made, and hands over
// what this node can begin with.
func (p *Publisher) commit(ctx context.Context, acc *account, events []store.NewEvent) ([]store.Published, error) {
	deliveries := 0
	for i := range events {
		deliveries += len(acc.subscribers(events[i].Type).all)
	}
	defer p.waiting.took(deliveries)
	if !p.waiting.place(deliveries) {
		return nil, ErrBusy
	}
	placed := p.cfg.Lanes.Admit(ctx, acc.receivers(events), len(events))
	for i := range events {
		p.match(acc, &events[i])
	}
	placed()
	done, err := p.cfg.Store.Publish(ctx, &store.Batch{AccountID: acc.id, Revision: acc.revision, Events: events})
	if err != nil {
		for i := range events {
			p.release(&events[i])
		}
		return nil, err
	}
	failpoint.Hit("publish: committed, not handed over")
	for i := range events {
		if done[i].Replayed {
			p.release(&events[i])
			continue
		}
		p.handOver(acc.id, &events[i])
	}
	failpoint.Hit("publish: handed over, not answered")
	return done, nil
}

// match finds the endpoints that want an event and places its deliveries.
func (p *Publisher) match(acc *account, e *store.NewEvent) {
	subscribers := acc.subscribers(e.Type).all
	e.Deliveries = make([]store.NewDelivery, len(subscribers))
	for i, s := range subscribers {
		if s.State != delivery.Enabled {
			e.Deliveries[i] = store.NewDelivery{EndpointID: s.EndpointID, Status: delivery.Held, Cycle: delivery.Automatic}
			continue
		}
		e.Deliveries[i] = p.cfg.Lanes.Reserve(s.EndpointID, len(e.Body))
	}
}

func (p *Publisher) release(e *store.NewEvent) {
	for _, d := range e.Deliveries {
		if d.Status == delivery.Sending {
			p.cfg.Lanes.Release(d.EndpointID, len(e.Body))
		}
	}
}

func (p *Publisher) handOver(accountID string, e *store.NewEvent) {
	for _, d := range e.Deliveries {
		switch d.Status {
		case delivery.Sending:
			p.cfg.Lanes.Hand(delivery.Lease{
				ID: d.ID, AccountID: accountID, EndpointID: d.EndpointID, EventID: e.ID, EventType: e.Type, Body: e.Body,
				Token: d.Token, Until: d.Until, Attempt: 1, Cycle: d.Cycle,
			})
		case delivery.Pending:
			p.cfg.Lanes.Wake(d.EndpointID)
		}
	}
	if p.cfg.Observe != nil {
		p.cfg.Observe(accountID, e)
	}
}
