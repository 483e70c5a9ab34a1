package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
)

// isolationPromise is how many times its p99 alone the healthy endpoint's p99 may
// be beside one that is not well.
const isolationPromise = 2

// neighbour is a program with the healthy endpoint and, beside it, one that is not well
// and gets the same events.
type neighbour struct {
	name, title string
	*subject
	beside string // the URL of the other endpoint; empty = there is none
	wait   int    // how many deliveries wait for it, all of them due

	// disables is how many endpoints share what waits, for later. In each round one is disabled.
	disables  int
	toDisable []string

	p50, p99, longest []float64 // in ms, by round
}

// measureIsolation compares how long an event takes to the healthy endpoint alone
// and beside each of the others. They take turns, so that a busy moment of the
// machine meets all of them, and of each the median of the rounds counts.
func measureIsolation(ctx context.Context, b *bench, database string) (found []finding, err error) {
	refused, err := refusingAddress(ctx)
	if err != nil {
		return nil, err
	}
	var hangs string
	if err := b.receiver.ask("hang", struct{}{}, &hangs); err != nil {
		return nil, err
	}
	var all fleet
	// Connections that hang are ended first, or their program would wait for them.
	defer func() { err = errors.Join(err, b.receiver.ask("hang up", struct{}{}, nil), all.end()) }()
	neighbours := []*neighbour{
		{name: "alone", title: "alone"},
		{name: "hanging", title: "beside an endpoint that never answers", beside: "http://" + hangs},
		{name: "dead", title: fmt.Sprintf("beside %s due for a dead endpoint", thousands(float64(b.opts.dead))), beside: "http://" + refused, wait: b.opts.dead},
		{name: "disabled", title: fmt.Sprintf("while one with %s waiting is disabled", thousands(float64(b.opts.dead/b.opts.rounds))), beside: "http://" + refused, wait: b.opts.dead, disables: b.opts.rounds},
	}
	for _, n := range neighbours {
		found = append(found, newFinding(database, isolation, n.name, "healthy endpoint "+n.title))
		if n.subject, err = all.add(ctx, b, database); err != nil {
			return nil, err
		}
		if err := n.prepare(ctx, b); err != nil {
			return nil, err
		}
	}
	before, err := b.read(neighbours[0].subject)
	if err != nil {
		return nil, err
	}
	for range b.opts.rounds {
		for i, n := range neighbours {
			if err := n.round(ctx, b, &found[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", n.name, err)
			}
		}
	}
	after, err := b.read(neighbours[0].subject)
	if err != nil {
		return nil, err
	}
	for i, n := range neighbours {
		found[i].Figures = n.figures(neighbours[0])
		found[i].OtherLoad = strangers(before, after)
	}
	return found, nil
}

// load is what one turn publishes.
func (b *bench) lightLoad(takes time.Duration) load {
	return light(sqlite, takes).load
}

// prepare makes the endpoints, and what waits for the one that is not well.
func (n *neighbour) prepare(ctx context.Context, b *bench) error {
	if err := n.subscribe(ctx, "http://"+b.receiverAddress+"/", []string{singleType}); err != nil {
		return err
	}
	if err := n.prepareBeside(ctx); err != nil {
		return err
	}
	return b.warmUp(ctx, n.subject, row{load: b.lightLoad(time.Second), warmUp: 2 * lightRate})
}

// prepareBeside makes the endpoints that are not well, if there are any.
func (n *neighbour) prepareBeside(ctx context.Context) error {
	if n.beside == "" {
		return nil
	}
	others := backlog{rows: n.wait, due: now}
	endpoint := client.NewEndpoint{URL: n.beside, Events: []string{singleType}}
	if n.disables > 0 {
		others.due, endpoint.Events = later, []string{otherType}
	}
	for range max(n.disables, 1) {
		other, err := n.api.CreateEndpoint(ctx, endpoint)
		if err != nil {
			return fmt.Errorf("make an endpoint that is not well: %w", err)
		}
		others.endpoints = append(others.endpoints, other.ID)
	}
	if n.disables > 0 {
		n.toDisable = others.endpoints
	}
	if n.wait == 0 {
		return nil
	}
	return n.fill(ctx, others)
}

// round publishes for a while to one of them.
func (n *neighbour) round(ctx context.Context, b *bench, f *finding) error {
	if len(n.toDisable) > 0 {
		if _, err := n.api.DisableEndpoint(ctx, n.toDisable[0], client.Disable{}); err != nil {
			return fmt.Errorf("disable an endpoint: %w", err)
		}
		n.toDisable = n.toDisable[1:]
	}
	_, came, err := b.publish(ctx, n.subject, b.lightLoad(b.opts.turn))
	if err != nil {
		return err
	}
	f.count(came)
	n.p50 = append(n.p50, milliseconds(came.P50))
	n.p99 = append(n.p99, milliseconds(came.P99))
	n.longest = append(n.longest, milliseconds(came.Max))
	return nil
}

// figures compares the rounds to those of the healthy endpoint alone.
func (n *neighbour) figures(alone *neighbour) []figure {
	return []figure{
		plain("p50 ms", median(n.p50), 2), plain("p99 ms", median(n.p99), 2), plain("max ms", median(n.longest), 1),
		promised("p99 to alone", ratio(median(n.p99), median(alone.p99)), isolationPromise, 2),
	}
}

// refusingAddress gives an address of this machine at which nobody listens.
func refusingAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find an address that refuses: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}
