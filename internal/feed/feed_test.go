package feed

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

func newTestFeed(t *testing.T) *Feed {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(db, slog.New(slog.DiscardHandler))
}

func subscribe(ctx context.Context, t *testing.T, f *Feed, accountID string) <-chan Item {
	t.Helper()
	items, err := f.Subscribe(ctx, accountID)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func TestAReaderThatIsTooSlowIsCutAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	f := newTestFeed(t)
	ctx, cancel := context.WithCancel(t.Context())
	slow, quick := subscribe(ctx, t, f, store.DefaultAccount), subscribe(ctx, t, f, store.DefaultAccount)
	other := subscribe(ctx, t, f, "acc_2")
	const all = buffer + 10
	for i := range all {
		f.Accepted(store.DefaultAccount, &store.NewEvent{ID: strconv.Itoa(i)})
		if item := <-quick; item.EventID != strconv.Itoa(i) {
			t.Fatalf("the quick reader sees %q, want event %d", item.EventID, i)
		}
	}
	for i := range buffer {
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
	for name, c := range map[string]<-chan Item{"the quick reader": quick, "the reader of another account": other} {
		if _, more := <-c; more {
			t.Errorf("%s goes on after it left", name)
		}
	}
	f.Accepted(store.DefaultAccount, &store.NewEvent{ID: "after"}) // nobody is there, and nothing is sent on a closed channel
}

func TestAReaderThatLagsBehindByManyLargeEventsIsCut(t *testing.T) {
	t.Parallel()
	f := newTestFeed(t)
	slow, quick := subscribe(t.Context(), t, f, store.DefaultAccount), subscribe(t.Context(), t, f, store.DefaultAccount)
	const size, fit = 256 << 10, bufferBytes / (256 << 10)
	for range 2 * fit {
		f.Accepted(store.DefaultAccount, &store.NewEvent{Body: make([]byte, size)})
		if item, more := <-quick; !more || len(item.Body) != size {
			t.Fatal("the quick reader, which lags behind by nothing, was cut")
		}
	}
	held := 0
	for item := range slow {
		held += len(item.Body)
	}
	if held != bufferBytes {
		t.Errorf("%d bytes waited for the slow reader, want %d, and then its end", held, bufferBytes)
	}
}

func TestAnAccountCannotFollowStreamsWithoutEnd(t *testing.T) {
	t.Parallel()
	f := newTestFeed(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range most {
		subscribe(ctx, t, f, "acc_2")
	}
	if _, err := f.Subscribe(ctx, "acc_2"); !errors.Is(err, ErrReaders) {
		t.Errorf("one more: %v, want ErrReaders", err)
	}
	subscribe(ctx, t, f, store.DefaultAccount)
}
