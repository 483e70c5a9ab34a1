package sqlstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

const (
	// roomSettled is how long after the last refusal a write that succeeds means that
	// there is room again: small ones may still fit where large ones do not.
	roomSettled = 10 * time.Second
	// roomPause is how long after a refusal nobody looks for room: readiness can be
	// asked for by anybody, as often as they like.
	roomPause = time.Second
	// roomProbe is what is written to look for room: a good-sized event.
	roomProbe = 64 << 10
)

// room knows whether what is written finds room, and tells the log of each change.
type room struct {
	log            *slog.Logger
	settled, pause time.Duration

	mu      sync.Mutex
	none    bool
	refused time.Time // last
}

func newRoom(log *slog.Logger) *room { return &room{log: log, settled: roomSettled, pause: roomPause} }

// note takes down how a write ended.
func (r *room) note(err error, now time.Time) {
	full := errors.Is(err, store.ErrFull)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case full:
		if !r.none {
			r.log.Error("storage is full", slog.Any("error", err), slog.String("effect", "nothing is accepted, and outcomes are kept back; nothing that was accepted is lost"),
				slog.String("do", "make room where the database is; it goes on by itself"))
		}
		r.none, r.refused = true, now
	case err == nil && r.none && now.Sub(r.refused) >= r.settled:
		r.none = false
		r.log.Info("storage has room again")
	}
}

// isFull reports whether writes are refused, and whether it is time to look again.
func (r *room) isFull(now time.Time) (full, look bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.none, r.none && now.Sub(r.refused) >= r.pause
}

// Ping reports whether the database answers and takes what is written.
func (s *Store) Ping(ctx context.Context) error {
	full, look := s.room.isFull(time.Now())
	if look {
		if err := s.lookForRoom(ctx); err != nil {
			return err
		}
		full, _ = s.room.isFull(time.Now())
	}
	if full {
		return fmt.Errorf("%w: it was a moment ago", store.ErrFull)
	}
	return translate(s.engine.ping(ctx))
}

// lookForRoom writes something and removes it again. Its success is noted like any other.
func (s *Store) lookForRoom(ctx context.Context) error {
	probe := make([]byte, roomProbe)
	_, _ = rand.Read(probe) // never fails; zeros would be compressed
	err := s.write(ctx, "look for room", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `insert into facts (name, value) values ('room', $1) on conflict (name) do update set value = excluded.value`, probe)
		return err
	})
	if err != nil {
		return err
	}
	return s.write(ctx, "look for room", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `delete from facts where name = 'room'`)
		return err
	})
}
