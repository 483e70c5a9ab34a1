package catalog

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrBusy says that too many wait for a turn to check something large. Nothing is wrong with it; try again.
var ErrBusy = errors.New("too many large events are being checked at this moment")

// What needs a turn is what takes more than 10 ms or several megabytes, so that all others go on beside it.
const (
	freeWork   = maxWork / 100
	freeChecks = 5_000
	// maxTurns is how many are checked at once. One may take 100 MB and a second.
	maxTurns = 2
	// maxWaitingTurns is how many wait for their turn, at most about ten seconds.
	maxWaitingTurns = 16
)

// Turns bounds how many do at once what takes much time or memory, and how many wait for that.
type Turns struct {
	running chan struct{}
	waiting atomic.Int32
	most    int32
}

// ofTheProcess are the turns of all validators, since they share the memory of one process.
var ofTheProcess = NewTurns(maxTurns, maxWaitingTurns)

// NewTurns lets n at once have a turn and as many as waiting wait.
func NewTurns(n, waiting int) *Turns {
	return &Turns{running: make(chan struct{}, n), most: int32(waiting)}
}

// Take waits for a turn until ctx ends. It is [ErrBusy] when too many wait already. After nil, Give must follow.
func (t *Turns) Take(ctx context.Context) error {
	select {
	case t.running <- struct{}{}:
		return nil
	default:
	}
	defer t.waiting.Add(-1)
	if t.waiting.Add(1) > t.most {
		return ErrBusy
	}
	select {
	case t.running <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Give gives a turn back.
func (t *Turns) Give() { <-t.running }
