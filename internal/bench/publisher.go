package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// exchangeLimit bounds one call of a publisher: far above what any call takes, so
// that a program that hangs ends the measurement instead of holding it.
const exchangeLimit = time.Minute

// The ways to publish.
const (
	viaProgram = "program" // lean client, POST /v1/events
	viaNothing = "nothing" // lean client, straight to the receiver: the harness alone
	viaNetHTTP = "nethttp" // net/http client, signed, straight to the receiver: the ceiling
	viaSigned  = "signed"  // lean client, signed, each event with an id of its own: to the receiver kit
)

// load is what to publish, and how.
type load struct {
	Via         string   `json:"via"`
	Address     string   `json:"address"` // host:port
	Key         string   `json:"key"`     // API key of the program; signing secret of the kit
	Run         int      `json:"run"`
	Events      int      `json:"events"`
	Types       []string `json:"types"`
	Connections int      `json:"connections"`
	Batch       int      `json:"batch"` // events in a call; 0 = single posts
	Rate        int      `json:"rate"`  // calls a second, whether the ones before are answered or not; 0 = as fast as it goes
}

// published says when a load began and when its last call was answered, and how long
// the answers took.
type published struct {
	Began time.Time     `json:"began"`
	Ended time.Time     `json:"ended"`
	P50   time.Duration `json:"p50"` // from the begin of a call to its answer
	P99   time.Duration `json:"p99"`
}

// post makes one publishing call with the events first, first+1 ... of the load.
type post func(first, count int, sent time.Time) error

// publisherRole offers a publisher's verbs to the process that started this one.
func publisherRole(ctx context.Context) (handlers, func() error, error) {
	bare, err := newBareClient()
	if err != nil {
		return nil, nil, err
	}
	publish := func(l load) (published, error) { return publish(ctx, l, bare) }
	return handlers{"publish": verb(publish)}, func() error { return nil }, nil
}

// publish makes all calls of a load. The first error ends it.
func publish(ctx context.Context, l load, bare *bareClient) (published, error) {
	posts, hangUp, err := connect(ctx, l, bare)
	if err != nil {
		return published{}, err
	}
	defer hangUp()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var result published
	result.Began = time.Now()
	next := l.pace(ctx, result.Began)
	var working sync.WaitGroup
	took := make([][]time.Duration, len(posts))
	for i, p := range posts {
		timed := func(first, count int, sent time.Time) error {
			err := p(first, count, sent)
			took[i] = append(took[i], time.Since(sent))
			return err
		}
		working.Go(func() {
			if err := l.work(timed, next); err != nil {
				cancel(err)
			}
		})
	}
	working.Wait()
	result.Ended = time.Now()
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	result.P50, result.P99 = percentile(all, 50), percentile(all, 99)
	return result, context.Cause(ctx)
}

// connect opens the connections of a load before its clock starts.
func connect(ctx context.Context, l load, bare *bareClient) (posts []post, hangUp func(), err error) {
	compose, err := newComposer(l.Types, l.Run, l.Batch, l.Via != viaProgram)
	if err != nil {
		return nil, nil, err
	}
	if l.Via == viaNetHTTP {
		for range l.Connections {
			posts = append(posts, bare.poster(ctx, l.Address, compose))
		}
		return posts, func() {}, nil
	}
	var conns []*leanClient
	hangUp = func() {
		for _, c := range conns {
			c.close()
		}
	}
	for range l.Connections {
		c, err := dialLean(ctx, l, compose)
		if err != nil {
			hangUp()
			return nil, nil, err
		}
		conns = append(conns, c)
		posts = append(posts, c.post)
	}
	return posts, hangUp, nil
}

// work makes calls on one connection until there are no more.
func (l load) work(p post, next turns) error {
	for {
		first, sent, ok := next()
		if !ok {
			return nil
		}
		count := min(max(l.Batch, 1), l.Events-first)
		if err := p(first, count, sent); err != nil {
			return fmt.Errorf("publish event %d: %w", first, err)
		}
	}
}

// turns gives the number of the next call's first event and when that call began;
// false when the load is done.
type turns func() (first int, sent time.Time, ok bool)

// pace hands out the calls of a load.
func (l load) pace(ctx context.Context, began time.Time) turns {
	step := max(l.Batch, 1)
	if l.Rate > 0 {
		return l.openLoop(ctx, began, step)
	}
	var given atomic.Int64
	return func() (int, time.Time, bool) {
		first := int(given.Add(int64(step))) - step
		return first, time.Now(), first < l.Events && ctx.Err() == nil
	}
}

// openLoop begins calls at fixed times. A call begins when its time has come, also
// when every connection is still busy: then its latency says so.
func (l load) openLoop(ctx context.Context, began time.Time, step int) turns {
	type call struct {
		first int
		sent  time.Time
	}
	calls := make(chan call, l.Events) // room for all, so that the clock never waits
	go func() {
		defer close(calls)
		for i := 0; i*step < l.Events; i++ {
			due := began.Add(time.Duration(i) * time.Second / time.Duration(l.Rate))
			select {
			case <-time.After(time.Until(due)):
				calls <- call{i * step, time.Now()}
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() (int, time.Time, bool) {
		c, ok := <-calls
		return c.first, c.sent, ok && ctx.Err() == nil
	}
}

// errRefused means that the other side did not answer 2xx.
var errRefused = errors.New("refused")

// refusal says what was answered instead of 2xx.
func refusal(status int, body []byte) error {
	return fmt.Errorf("%w with status %d: %s", errRefused, status, body[:min(len(body), 300)])
}
