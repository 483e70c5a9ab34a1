package receiver

import (
	"sync"
	"time"
)

// sparing keeps what strangers can bring about from filling the log: it is told once a
// second, with the number of those that were not.
type sparing struct {
	mu     sync.Mutex
	next   time.Time
	silent int
}

// tell reports whether to tell of one more, and how many were passed over before.
func (s *sparing) tell(now time.Time) (silent int, tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A clock that was set back must not make it silent for long.
	if wait := s.next.Sub(now); wait > 0 && wait <= time.Second {
		s.silent++
		return 0, false
	}
	silent = s.silent
	s.next, s.silent = now.Add(time.Second), 0
	return silent, true
}
