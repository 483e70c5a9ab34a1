package web

import (
	"strconv"
	"sync"
	"time"
)

// cell keeps a value for a while, so that many who ask at once cost what one does.
type cell[T any] struct {
	mu    sync.Mutex
	value T
	until time.Time
}

func (c *cell[T]) get(lasts time.Duration, make func() T) T {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().After(c.until) {
		c.value, c.until = make(), time.Now().Add(lasts)
	}
	return c.value
}

// retryAfter writes a length of time as the header Retry-After has it, rounded up.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}
