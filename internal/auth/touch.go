package auth

import (
	"context"
	"log/slog"
	"time"
)

// touchEvery is how often the use of keys is written down; LastUsedAt is to the minute.
const touchEvery = time.Minute

// Run writes down about once a minute which keys were used, and once more when ctx
// ends. It returns nil.
func (a *Authenticator) Run(ctx context.Context) error {
	tick := time.NewTicker(touchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.flush(ctx)
		case <-ctx.Done():
			// A short grace: the last minute is worth a write, not a slow exit.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			a.flush(last)
			return nil
		}
	}
}

// note remembers that a key was used.
func (a *Authenticator) note(keyID string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used[keyID] = now
}

// flush writes what was noted. What cannot be written is dropped: it is a
// convenience for people, and the next use notes it again.
func (a *Authenticator) flush(ctx context.Context) {
	a.mu.Lock()
	used := a.used
	a.used = make(map[string]time.Time, len(used))
	a.mu.Unlock()
	for id, at := range used {
		if err := a.keys.TouchKey(ctx, id, at); err != nil {
			a.logger.Warn("note use of key", slog.String("key_id", id), slog.Any("error", err))
			return
		}
	}
}
