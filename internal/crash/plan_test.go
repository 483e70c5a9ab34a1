//go:build failpoints

package crash_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// plan decides where the next process dies: at every place in turn, in another order
// each time, and not always at the first visit.
type plan struct {
	rng   *rand.Rand
	all   []string
	queue []string
	died  map[string]int
	quick map[string]bool // places that are visited all the time
	tries map[string]int  // of places where none has died yet
}

func newPlan(seed uint64, all []string) *plan {
	return &plan{rng: rand.New(rand.NewPCG(seed, 4)), all: all, died: map[string]int{}, quick: map[string]bool{}, tries: map[string]int{}}
}

// mostTries is how often a process may live on although it was to die at a place where
// none has died yet.
const mostTries = 8

// next gives a place and a visit.
func (p *plan) next() (place string, visit int) {
	if len(p.queue) == 0 {
		p.queue = append(p.queue, p.all...)
		p.rng.Shuffle(len(p.queue), func(i, k int) { p.queue[i], p.queue[k] = p.queue[k], p.queue[i] })
	}
	place, p.queue = p.queue[0], p.queue[1:]
	once := strings.HasPrefix(place, stopping) || strings.HasPrefix(place, "start: ") // a process comes there once
	if p.quick[place] && !once {
		return place, 1 + p.rng.IntN(1<<p.rng.IntN(4))
	}
	return place, 1
}

// patience gives how long the next process may live.
func (p *plan) patience(place string) time.Duration {
	if p.tries[place] < mostTries/2 {
		return patience
	}
	return 5 * patience
}

// note takes down whether the process died there, and after how long.
func (p *plan) note(place string, died bool, after time.Duration) {
	if !died {
		p.tries[place]++
		p.quick[place] = false
		return
	}
	p.died[place]++
	p.quick[place] = after < 100*time.Millisecond
}

// kills counts all of them.
func (p *plan) kills() (n int) {
	for _, times := range p.died {
		n += times
	}
	return n
}

// missing gives the places where none has died.
func (p *plan) missing() (never []string) {
	for _, place := range p.all {
		if p.died[place] == 0 {
			never = append(never, place)
		}
	}
	return never
}

// goesOn reports whether there is more to kill: until there were so many, and one at every place.
func (p *plan) goesOn(kills int) bool {
	if p.kills() < kills {
		return true
	}
	p.queue = nil
	for _, place := range p.missing() {
		if p.tries[place] < mostTries {
			p.queue = append(p.queue, place)
		}
	}
	return len(p.queue) > 0
}

// report prints how many died where, and fails for places where none did.
func (p *plan) report(t testing.TB) {
	t.Helper()
	var lines strings.Builder
	for _, place := range p.all {
		fmt.Fprintf(&lines, "%5d  %s\n", p.died[place], place)
	}
	t.Logf("killed %d times at %d places:\n%s", p.kills(), len(p.all), lines.String())
	for _, place := range p.missing() {
		t.Errorf("no process died at the place %q, in %d tries", place, p.tries[place])
	}
}
