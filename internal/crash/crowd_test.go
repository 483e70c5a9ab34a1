package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/client"
)

// eventType is the type of what is published here.
const eventType = "load.tested"

// ack is an event as it was acknowledged.
type ack struct {
	event      client.AcceptedEvent
	data       string
	deliveries map[string]string // endpoint by delivery
}

// crowd plays the publishers. It remembers what was acknowledged, and which calls
// got no answer, to make them again later with the same id or key.
type crowd struct {
	mu       sync.Mutex
	rng      *rand.Rand
	made     int
	acks     map[string]ack // by event
	replayed int            // acknowledged again
	refused  int            // answered with 503
	unsure   [][]client.NewEvent
	problems []string
}

func newCrowd(seed uint64) *crowd {
	return &crowd{rng: rand.New(rand.NewPCG(seed, 1)), acks: map[string]ack{}}
}

// publishers is how many calls are open at once.
const publishers = 6

// publish publishes until ctx ends or the program is gone, with every api in turn. It
// closes underWay at the first answer, or when it ends.
func (c *crowd) publish(ctx context.Context, underWay chan<- struct{}, apis ...*client.Client) {
	var group sync.WaitGroup
	var once sync.Once
	first := func() { once.Do(func() { close(underWay) }) }
	defer first()
	for i := range publishers {
		group.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				switch err := c.post(ctx, apis[n%len(apis)], c.next()); {
				case err == nil:
					first()
				case errors.Is(err, errGone) && len(apis) == 1:
					return
				}
				pause(ctx, c.upTo(3*time.Millisecond))
			}
		})
	}
	group.Wait()
}

// settle makes the calls again whose answer never came, until each has one.
func (c *crowd) settle(ctx context.Context, api *client.Client) {
	ctx, cancel := context.WithTimeout(ctx, finishLimit)
	defer cancel()
	for ctx.Err() == nil {
		c.mu.Lock()
		left := len(c.unsure)
		c.mu.Unlock()
		if left == 0 {
			return
		}
		if err := c.post(ctx, api, c.takeUnsure()); err != nil {
			pause(ctx, 50*time.Millisecond)
		}
	}
	c.complain("calls without an answer were not answered when they were made again")
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// upTo draws a time.
func (c *crowd) upTo(most time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.rng.Int64N(int64(most)))
}

// next gives the events of one call: one that got no answer, a new single event, or a
// new batch.
func (c *crowd) next() []client.NewEvent {
	c.mu.Lock()
	again := len(c.unsure) > publishers || len(c.unsure) > 0 && c.rng.IntN(2) == 0
	size := 1
	if c.rng.IntN(6) == 0 {
		size = 2 + c.rng.IntN(6)
	}
	c.mu.Unlock()
	if again {
		return c.takeUnsure()
	}
	return c.events(size)
}

func (c *crowd) takeUnsure() []client.NewEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unsure) == 0 {
		return nil
	}
	first := c.unsure[0]
	c.unsure = c.unsure[1:]
	return first
}

// events makes new events: with an id, or all with a key.
func (c *crowd) events(n int) []client.NewEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	byKey := c.rng.IntN(2) == 0
	all := make([]client.NewEvent, n)
	for i := range all {
		c.made++
		// Number, escape and order of keys must come out as they went in.
		data := fmt.Sprintf(`{"z":1.50,"n":%d,"text":"\u00e9é\/","a":[12345678901234567890,{}]}`, c.made)
		all[i] = client.NewEvent{Type: eventType, Data: json.RawMessage(data)}
		if !byKey {
			all[i].ID = uuid.NewString()
		}
	}
	if byKey {
		all[0].IdempotencyKey = uuid.NewString()
	}
	return all
}

// errGone means that the program did not answer.
var errGone = errors.New("no answer")

// post makes a call. What got no answer, or "try again later", is kept for later.
func (c *crowd) post(ctx context.Context, api *client.Client, events []client.NewEvent) error {
	if len(events) == 0 {
		return nil
	}
	got, err := c.call(ctx, api, events)
	var answer *client.Error
	switch {
	case err == nil:
		c.acknowledge(events, got)
		return nil
	case errors.As(err, &answer) && answer.Status != 503:
		c.complain("publishing was answered with: " + answer.Error())
		return nil
	case !errors.As(err, &answer):
		err = errGone
	case answer.RetryAfter <= 0:
		c.complain("publishing was refused without a Retry-After: " + answer.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !errors.Is(err, errGone) {
		c.refused++
	}
	c.unsure = append(c.unsure, events)
	return err
}

func (c *crowd) call(ctx context.Context, api *client.Client, events []client.NewEvent) ([]client.AcceptedEvent, error) {
	if len(events) == 1 {
		one, err := api.Publish(ctx, events[0])
		return []client.AcceptedEvent{one}, err
	}
	all, err := api.PublishBatch(ctx, client.NewEvents{Events: events, IdempotencyKey: events[0].IdempotencyKey})
	return all.Events, err
}

// acknowledge remembers answers. A second one must be the first again.
func (c *crowd) acknowledge(events []client.NewEvent, got []client.AcceptedEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, e := range got {
		a := ack{event: e, data: string(events[i].Data), deliveries: map[string]string{}}
		for _, d := range e.Deliveries {
			a.deliveries[d.ID] = d.EndpointID
		}
		if e.Replayed {
			c.replayed++
		}
		first, known := c.acks[e.ID]
		if known && !maps.Equal(first.deliveries, a.deliveries) {
			c.problems = append(c.problems, "event "+e.ID+" was acknowledged twice with different deliveries")
		}
		c.acks[e.ID] = a
	}
}

func (c *crowd) complain(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.problems, text) {
		c.problems = append(c.problems, text)
	}
}

// refusals counts the calls that were answered with 503.
func (c *crowd) refusals() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// acknowledged gives what was acknowledged so far, by event.
func (c *crowd) acknowledged() map[string]ack {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.acks)
}

// publishOne publishes one event, which must be accepted.
func (c *crowd) publishOne(t testing.TB, api *client.Client) {
	t.Helper()
	if err := c.post(t.Context(), api, c.events(1)); err != nil {
		t.Fatalf("publish: %v", err)
	}
}
