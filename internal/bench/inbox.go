package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/compliancelayer/compliancelayer/webhook"
)

const (
	// inboxPromise is how many events a second the receiver kit takes in on two cores,
	// which the publishers and its handlers share.
	inboxPromise = 5_000
	// inboxRate is the rate at which answers take at most answerPromise ms for 99 of 100.
	inboxRate     = 500
	answerPromise = 20
)

// intake is one way to send to the kit, or to the bare receiver, with its figures by round.
type intake struct {
	name, title string
	load        load
	to          *subject

	accepted, p50, p99, handled, cpu []float64
}

// measureInbox says how many events the receiver kit takes in, and how quickly it answers.
// The bare client's turns come between those of the others, so that a busy moment of the
// machine meets all alike.
func measureInbox(ctx context.Context, b *bench, database string) (found []finding, err error) {
	s, err := b.newKit(ctx, database)
	defer func() { err = errors.Join(err, s.end()) }()
	if err != nil {
		return nil, err
	}
	signed := load{Via: viaSigned, Events: b.opts.events, Types: eventTypes(1)}
	bare := signed
	bare.Via, bare.Connections = viaNetHTTP, ceilingConnections
	intakes := []*intake{{name: "ceiling", title: "net/http client alone, the ceiling", load: bare, to: &subject{address: b.receiverAddress}}}
	for _, connections := range []int{64, 256} {
		signed.Connections = connections
		intakes = append(intakes, &intake{name: fmt.Sprint(connections), title: fmt.Sprintf("receiver kit, %d connections", connections), load: signed, to: s})
	}
	signed.Connections, signed.Rate, signed.Events = ceilingConnections, inboxRate, int(b.opts.turn.Seconds()*inboxRate)
	intakes = append(intakes, &intake{name: "light", title: fmt.Sprintf("receiver kit, %d events/s", inboxRate), load: signed, to: s})

	for _, in := range intakes {
		found = append(found, newFinding(database, inbox, in.name, in.title))
		if err := b.warmUp(ctx, in.to, row{load: in.load, warmUp: max(in.load.Events/5, 1)}); err != nil {
			return nil, err
		}
	}
	if err := b.profile(s, "profile", database+"-"+inbox+".cpu.pprof"); err != nil {
		return nil, err
	}
	for range b.opts.rounds {
		for i, in := range intakes {
			if err := in.round(ctx, b, &found[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", in.title, err)
			}
		}
	}
	for i, in := range intakes {
		found[i].Figures = in.figures(intakes[0])
		found[i].OtherLoad /= float64(b.opts.rounds)
	}
	return found, b.profile(s, "write profile", database+"-"+inbox+".heap.pprof")
}

// newKit starts a receiver that is made of the kit.
func (b *bench) newKit(ctx context.Context, database string) (s *subject, err error) {
	s = &subject{key: webhook.NewSecret().Reveal()}
	if s.db, err = b.databases.create(ctx, database, alone); err != nil {
		return s, err
	}
	if s.program, err = startChild(ctx, "kit", s.db.dir); err != nil {
		return s, err
	}
	s.counts = s.program
	return s, s.program.ask("serve", kitSettings{Path: filepath.Join(s.db.dir, "inbox.db"), Secret: s.key}, &s.address)
}

// round sends for a while.
func (in *intake) round(ctx context.Context, b *bench, f *finding) error {
	before, err := b.read(in.to)
	if err != nil {
		return err
	}
	sent, came, err := b.publish(ctx, in.to, in.load)
	if err != nil {
		return err
	}
	after, err := b.read(in.to)
	if err != nil {
		return err
	}
	f.count(came)
	f.OtherLoad += strangers(before, after)
	in.accepted = append(in.accepted, perSecond(in.load.Events, sent.Ended.Sub(sent.Began)))
	in.p50 = append(in.p50, milliseconds(sent.P50))
	in.p99 = append(in.p99, milliseconds(sent.P99))
	in.handled = append(in.handled, milliseconds(came.P99))
	spent := after.program - before.program
	if in.load.Via == viaNetHTTP {
		spent = after.publisher - before.publisher
	}
	in.cpu = append(in.cpu, perThousand(spent, in.load.Events))
	return nil
}

// figures compares the rounds to those of the bare client.
func (in *intake) figures(bare *intake) []figure {
	accepted, p99 := plain("accepted /s", median(in.accepted), 0), plain("answer p99 ms", median(in.p99), 2)
	switch {
	case in.load.Rate > 0:
		p99 = promised(p99.Name, p99.Value, answerPromise, 2)
	case in.load.Via == viaSigned:
		accepted = reached(accepted.Name, accepted.Value, inboxPromise, 0)
	}
	return []figure{
		accepted, plain("of the ceiling", ratio(median(in.accepted), median(bare.accepted)), 3),
		plain("answer p50 ms", median(in.p50), 2), p99,
		plain("handled p99 ms", median(in.handled), 2), plain("CPU s per 1000", median(in.cpu), 3),
	}
}
