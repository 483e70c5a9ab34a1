package receiver

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
)

const (
	// maxGroup is how many calls share a commit. A batch of it is some hundred
	// kilobytes of ordinary events, and takes a few milliseconds.
	maxGroup = 256
	// maxQueue is how many calls may wait for a commit; more would be answered too
	// late to be of use.
	maxQueue = 8192
)

// errCrowded: more calls wait for the store than it can take in time.
var errCrowded = errors.New("too much is waiting for the store")

// group lets calls that come at the same time share one commit of the store. A batch is
// what has come while the one before was written, so that a lone call waits for nobody.
// There is no goroutine: the first caller of a batch commits it for all.
type group[In, Out any] struct {
	commit func([]In) ([]Out, error)

	mu      sync.Mutex
	waiting []*call[In, Out]
	leading bool
}

type call[In, Out any] struct {
	in   In
	out  Out
	err  error
	turn chan bool // true: it was committed; false: it is to commit the next batch
}

func newGroup[In, Out any](commit func([]In) ([]Out, error)) *group[In, Out] {
	return &group[In, Out]{commit: commit}
}

// do commits in, with others, and gives what came of it.
func (g *group[In, Out]) do(in In) (Out, error) {
	c := &call[In, Out]{in: in, turn: make(chan bool, 1)}
	g.mu.Lock()
	if len(g.waiting) >= maxQueue {
		g.mu.Unlock()
		return c.out, errCrowded
	}
	g.waiting = append(g.waiting, c)
	lead := !g.leading
	g.leading = true
	g.mu.Unlock()

	if lead || !<-c.turn {
		g.lead()
		<-c.turn
	}
	return c.out, c.err
}

// lead commits one batch, in which the caller's own call is the first, and passes on. When
// the commit fails, those that came before it began fail with it: a store that hangs must
// not keep them one after the other, until nobody waits for their answers any more.
func (g *group[In, Out]) lead() {
	// Those that are on their way join: often the first of many that come at once leads, and
	// would commit alone.
	runtime.Gosched()
	g.mu.Lock()
	n := min(len(g.waiting), maxGroup)
	batch, behind := g.waiting[:n:n], len(g.waiting)-n
	g.waiting = g.waiting[n:]
	g.mu.Unlock()

	ins := make([]In, n)
	for i, c := range batch {
		ins[i] = c.in
	}
	outs, err := g.guarded(ins)
	for i, c := range batch {
		if c.err = err; err == nil {
			c.out = outs[i]
		}
		c.turn <- true
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		for _, c := range g.waiting[:behind] {
			c.err = err
			c.turn <- true
		}
		g.waiting = g.waiting[behind:]
	}
	if len(g.waiting) == 0 {
		g.leading, g.waiting = false, nil
		return
	}
	g.waiting[0].turn <- false
}

// guarded makes an error of a commit that panics, so that nobody waits for it for ever.
func (g *group[In, Out]) guarded(ins []In) (outs []Out, err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("the store panicked: %v", what)
		}
	}()
	return g.commit(ins)
}
