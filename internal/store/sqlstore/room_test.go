package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestAFullDatabaseIsNotReadyAndTellsTheLogOnce(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	s := opened(t, Config{Database: filepath.Join(t.TempDir(), "test.db"), Log: slog.New(slog.NewTextHandler(&lines, nil))})
	must(t, s.Ping(t.Context()))
	s.room.settled, s.room.pause = 0, 0
	setPages(t, s, 5)
	for range 3 {
		if err := accept(t.Context(), s, someEvent(100_000)); !errors.Is(err, store.ErrFull) {
			t.Fatalf("publish: %v, want ErrFull", err)
		}
		if err := s.Ping(t.Context()); !errors.Is(err, store.ErrFull) {
			t.Errorf("ping: %v, want ErrFull", err)
		}
	}
	if n := bytes.Count(lines.Bytes(), []byte(`msg="storage is full"`)); n != 1 || !bytes.Contains(lines.Bytes(), []byte("level=ERROR")) {
		t.Errorf("the log has it %d times, want once, as an error:\n%s", n, lines.Bytes())
	}
	must(t, s.write(t.Context(), "make room", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, "pragma max_page_count = 100000")
		return err
	}))
	must(t, s.Ping(t.Context()))
	if !bytes.Contains(lines.Bytes(), []byte("storage has room again")) {
		t.Errorf("the log does not say that there is room:\n%s", lines.Bytes())
	}
	if _, err := s.Value(t.Context(), "room"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what was written to look for room: %v, want it gone", err)
	}
}

func TestASmallWriteThatFitsDoesNotMeanThatThereIsRoom(t *testing.T) {
	t.Parallel()
	r := newRoom(slog.New(slog.DiscardHandler))
	start := time.Date(2026, time.March, 8, 12, 0, 0, 0, time.UTC)
	full := fmt.Errorf("publish: %w", store.ErrFull)
	steps := []struct {
		after time.Duration
		err   error
		full  bool
		look  bool
	}{
		{0, nil, false, false},
		{1 * time.Second, full, true, false},
		{1500 * time.Millisecond, nil, true, false},
		{2 * time.Second, nil, true, true},
		{9 * time.Second, full, true, false},
		{18 * time.Second, nil, true, true},
		{19 * time.Second, store.ErrUnavailable, true, true},
		{19 * time.Second, nil, false, false},
	}
	for _, step := range steps {
		at := start.Add(step.after)
		r.note(step.err, at)
		if full, look := r.isFull(at); full != step.full || look != step.look {
			t.Errorf("after %s: full %t, look %t; want %t, %t", step.after, full, look, step.full, step.look)
		}
	}
}
