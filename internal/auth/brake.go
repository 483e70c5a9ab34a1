package auth

import (
	"maps"
	"sync"
	"time"
)

// Limits of wrong passwords. A lock is never for good: whoever tries wrong ones on purpose must not keep a
// member out for longer.
const (
	wrongPerPair    = 5  // of one address, from one network
	wrongPerName    = 50 // of one address, from anywhere
	wrongPerNetwork = 20 // from one network
	firstLock       = time.Minute
	longestLock     = 15 * time.Minute
)

// brake locks a name after so many failures in a row, for longer each time. It lives in memory and on one
// node; to lose it is to be one round too kind.
type brake struct {
	most int

	mu     sync.Mutex
	byName map[string]slowed
}

type slowed struct {
	failures int // since the last lock
	locks    int
	until    time.Time // of the last lock
	at       time.Time // of the last failure
}

func newBrake(most int) *brake { return &brake{most: most, byName: map[string]slowed{}} }

// locked says for how long a name is locked.
func (b *brake) locked(name string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, b.byName[name].until.Sub(now))
}

// failed counts a failure.
func (b *brake) failed(name string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, known := b.byName[name]
	if !known && len(b.byName) >= maxBuckets {
		b.forget(now)
	}
	if now.Sub(s.at) > longestLock {
		s = slowed{}
	}
	s.at = now
	if s.failures++; s.failures >= b.most {
		s.failures = 0
		s.until = now.Add(min(firstLock<<min(s.locks, 10), longestLock))
		s.locks++
	}
	b.byName[name] = s
}

// succeeded forgets a name's failures.
func (b *brake) succeeded(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.byName, name)
}

// forget makes room: what is old first, then what is not locked, else all.
func (b *brake) forget(now time.Time) {
	for name, s := range b.byName {
		if now.Sub(s.at) > longestLock {
			delete(b.byName, name)
		}
	}
	if len(b.byName) >= maxBuckets {
		maps.DeleteFunc(b.byName, func(_ string, s slowed) bool { return !s.until.After(now) })
	}
	if len(b.byName) >= maxBuckets {
		clear(b.byName)
	}
}
