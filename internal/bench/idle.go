package main

import (
	"context"
	"errors"
	"time"
)

const (
	// idlePromise is the part of a core that a program with nothing to do may use, in per cent.
	idlePromise = 0.5

	// idleSettle lets a program that has just started come to rest: it makes what it
	// prepares at the start, and looks at what is due once.
	idleSettle = 5 * time.Second
)

// idleUse is what nothing to do costs, in per cent of a core, and the share of the
// machine that others used meanwhile.
type idleUse struct{ program, database, others float64 }

// measureIdle says what a program costs that has one endpoint and nothing to do.
func measureIdle(ctx context.Context, b *bench, database string) (found []finding, err error) {
	var all fleet
	defer func() { err = errors.Join(err, all.end()) }()
	s, err := all.add(ctx, b, database)
	if err != nil {
		return nil, err
	}
	if err := s.subscribe(ctx, "http://"+b.receiverAddress+"/", []string{singleType}); err != nil {
		return nil, err
	}
	if err := b.warmUp(ctx, s, row{load: b.lightLoad(time.Second), warmUp: 2 * lightRate}); err != nil {
		return nil, err
	}
	used, err := b.idle(ctx, s)
	if err != nil {
		return nil, err
	}
	f := newFinding(database, idle, "alone", "nothing to do")
	f.Figures = []figure{promised("program %", used.program, idlePromise, 2), plain("with db %", used.program+used.database, 2)}
	f.OtherLoad = used.others
	return []finding{f}, nil
}

// idle watches a program that does nothing.
func (b *bench) idle(ctx context.Context, s *subject) (idleUse, error) {
	if err := pause(ctx, idleSettle); err != nil {
		return idleUse{}, err
	}
	before, err := b.read(s)
	if err != nil {
		return idleUse{}, err
	}
	if err := pause(ctx, b.opts.idle); err != nil {
		return idleUse{}, err
	}
	after, err := b.read(s)
	return newIdleUse(before, after), err
}

// newIdleUse compares CPU time to the time that has passed.
func newIdleUse(before, after reading) idleUse {
	took := after.at.Sub(before.at).Seconds()
	return idleUse{
		program:  ratio(100*(after.program-before.program).Seconds(), took),
		database: ratio(100*(after.database-before.database).Seconds(), took),
		others:   strangers(before, after),
	}
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
