package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/api"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

func newTestFeed(t *testing.T) *feed {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: filepath.Join(t.TempDir(), "test.db")})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return newFeed(db, slog.New(slog.DiscardHandler))
}

func TestAReaderThatIsTooSlowIsCutAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	f := newTestFeed(t)
	ctx, cancel := context.WithCancel(t.Context())
	slow, quick := got(f.Subscribe(ctx, store.DefaultAccount))(t), got(f.Subscribe(ctx, store.DefaultAccount))(t)
	other := got(f.Subscribe(ctx, "acc_2"))(t)
	const all = feedBuffer + 10
	for i := range all {
		f.accepted(store.DefaultAccount, &store.NewEvent{ID: strconv.Itoa(i)})
		if item := <-quick; item.EventID != strconv.Itoa(i) {
			t.Fatalf("the quick reader sees %q, want event %d", item.EventID, i)
		}
	}
	for i := range feedBuffer {
		if item, more := <-slow; !more || item.EventID != strconv.Itoa(i) {
			t.Fatalf("the slow reader sees %q, %t; want event %d: nothing in between is left out", item.EventID, more, i)
		}
	}
	if item, more := <-slow; more {
		t.Errorf("the slow reader goes on with %q after something was left out", item.EventID)
	}
	if n := len(other); n != 0 {
		t.Errorf("another account sees %d items", n)
	}
	cancel()
	for name, c := range map[string]<-chan api.FeedItem{"the quick reader": quick, "the reader of another account": other} {
		if _, more := <-c; more {
			t.Errorf("%s goes on after it left", name)
		}
	}
	f.accepted(store.DefaultAccount, &store.NewEvent{ID: "after"}) // nobody is there, and nothing is sent on a closed channel
}

func TestAReaderThatLagsBehindByManyLargeEventsIsCut(t *testing.T) {
	t.Parallel()
	f := newTestFeed(t)
	slow, quick := got(f.Subscribe(t.Context(), store.DefaultAccount))(t), got(f.Subscribe(t.Context(), store.DefaultAccount))(t)
	const size, fit = 256 << 10, feedBytes / (256 << 10)
	for range 2 * fit {
		f.accepted(store.DefaultAccount, &store.NewEvent{Body: make([]byte, size)})
		if item, more := <-quick; !more || len(item.Body) != size {
			t.Fatal("the quick reader, which lags behind by nothing, was cut")
		}
	}
	held := 0
	for item := range slow {
		held += len(item.Body)
	}
	if held != feedBytes {
		t.Errorf("%d bytes waited for the slow reader, want %d, and then its end", held, feedBytes)
	}
}

func TestAnAccountCannotFollowStreamsWithoutEnd(t *testing.T) {
	t.Parallel()
	f := newTestFeed(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range feedMost {
		got(f.Subscribe(ctx, "acc_2"))(t)
	}
	if _, err := f.Subscribe(ctx, "acc_2"); !errors.Is(err, api.ErrStreams) {
		t.Errorf("one more: %v, want ErrStreams", err)
	}
	got(f.Subscribe(ctx, store.DefaultAccount))(t)
}
