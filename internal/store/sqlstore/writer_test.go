package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

var errPoison = errors.New("poison")

// books is a grouper that writes down what it commits. A group with poison in it fails.
type books struct {
	entered chan int // the size of a group that is about to be committed
	open    chan struct{}
	poison  *operation

	committed []*operation
	groups    []int
	forgotten int
}

func newBooks() *books { return &books{entered: make(chan int, 10_000), open: make(chan struct{})} }

func (b *books) commit(group []*operation) error {
	b.entered <- len(group)
	<-b.open
	if slices.Contains(group, b.poison) {
		return errPoison
	}
	b.groups = append(b.groups, len(group))
	b.committed = append(b.committed, group...)
	return nil
}

func (b *books) forget() { b.forgotten++ }

// queued gives w one operation that keeps it busy, and behind it those that wait.
// What it answers waits for their ends.
func queued(t *testing.T, w *writer, b *books, ops []*operation) (ends func() []error) {
	t.Helper()
	var all sync.WaitGroup
	all.Go(func() {
		if err := w.do(t.Context(), &operation{}); err != nil {
			t.Errorf("the first: %v", err)
		}
	})
	<-b.entered
	errs := make([]error, len(ops))
	for i, op := range ops {
		all.Go(func() { errs[i] = w.do(t.Context(), op) })
	}
	synctest.Wait()
	return func() []error {
		all.Wait()
		return errs
	}
}

func TestWhatWaitsIsCommittedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBooks()
		w := startWriter(b)
		ops := make([]*operation, maxGroup+10)
		for i := range ops {
			ops[i] = &operation{}
		}
		ends := queued(t, w, b, ops)
		close(b.open)
		for i, err := range ends() {
			if err != nil {
				t.Errorf("operation %d: %v", i, err)
			}
		}
		w.close()
		if diff := cmp.Diff([]int{1, maxGroup, 10}, b.groups); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
	})
}

func TestWhatWaitsIsCommittedInGroupsOfBoundedRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBooks()
		w := startWriter(b)
		large := store.NewEvent{Deliveries: make([]store.NewDelivery, 3999)} // 4000 rows with its own
		ops := make([]*operation, 9)
		for i := range ops {
			ops[i] = &operation{publish: &publishing{batch: &store.Batch{Events: []store.NewEvent{large}}}}
		}
		ends := queued(t, w, b, ops)
		close(b.open)
		ends()
		w.close()
		if diff := cmp.Diff([]int{1, 3, 3, 3}, b.groups); diff != "" { // 12,000 rows: the third passes 10,000
			t.Errorf("groups (-want +got):\n%s", diff)
		}
	})
}

// away is a grouper whose database is not there.
type away struct{ *books }

func (a away) commit(group []*operation) error {
	_ = a.books.commit(group)
	return fmt.Errorf("begin: %w", context.DeadlineExceeded)
}

func TestADatabaseThatIsAwayIsAskedOnceForAGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBooks()
		w := &writer{queue: make(chan *operation), grouper: away{b}, ended: make(chan struct{})}
		close(b.open)
		ops := make([]*operation, 10)
		for i := range ops {
			ops[i] = &operation{}
		}
		w.run(ops)
		for i, op := range ops {
			if !errors.Is(op.err, store.ErrUnavailable) {
				t.Errorf("operation %d: %v, want ErrUnavailable", i, op.err)
			}
		}
		if diff := cmp.Diff([]int{10}, b.groups); diff != "" || b.forgotten != 1 {
			t.Errorf("groups (-want +got):\n%s\nforgotten %d times, want once", diff, b.forgotten)
		}
	})
}

func TestAPoisonousOperationFailsAlone(t *testing.T) {
	t.Parallel()
	for _, place := range []int{0, 3, 9} {
		t.Run(fmt.Sprintf("at place %d of 10", place), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBooks()
				w := startWriter(b)
				ops := make([]*operation, 10)
				for i := range ops {
					ops[i] = &operation{}
				}
				b.poison = ops[place]
				ends := queued(t, w, b, ops)
				close(b.open)
				for i, err := range ends() {
					if want := i == place; errors.Is(err, errPoison) != want {
						t.Errorf("operation %d: %v, want it poisoned: %t", i, err, want)
					}
				}
				w.close()
				times := map[*operation]int{}
				for _, op := range b.committed {
					times[op]++
				}
				for i, op := range ops {
					if want := 1; i != place && times[op] != want || i == place && times[op] != 0 {
						t.Errorf("operation %d was committed %d times", i, times[op])
					}
				}
				if b.forgotten != 2 {
					t.Errorf("what was learned was forgotten %d times, want after both commits that failed", b.forgotten)
				}
			})
		})
	}
}

func TestAWriterEndsWhatWasQueuedAndTakesNothingMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBooks()
		w := startWriter(b)
		ops := []*operation{{}, {}, {}}
		ends := queued(t, w, b, ops)
		var closing sync.WaitGroup
		closing.Go(w.close)
		synctest.Wait()
		if err := w.do(t.Context(), &operation{}); !errors.Is(err, store.ErrClosed) {
			t.Errorf("one that came when it was closing: %v, want ErrClosed", err)
		}
		close(b.open)
		for i, err := range ends() {
			if err != nil {
				t.Errorf("operation %d, which was queued before: %v", i, err)
			}
		}
		closing.Wait()
		if n := len(b.committed); n != 4 {
			t.Errorf("%d committed, want all 4 that were queued", n)
		}
		w.close() // once more does no harm
		if err := w.do(t.Context(), &operation{}); !errors.Is(err, store.ErrClosed) {
			t.Errorf("after the end: %v, want ErrClosed", err)
		}
	})
}

func TestAQueueThatIsFullIsWaitedForAsLongAsTheCallerLikes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBooks()
		w := startWriter(b)
		var all sync.WaitGroup
		all.Go(func() {
			if err := w.do(t.Context(), &operation{}); err != nil {
				t.Errorf("the first: %v", err)
			}
		})
		<-b.entered
		for range cap(w.queue) {
			all.Go(func() {
				if err := w.do(t.Context(), &operation{}); err != nil {
					t.Errorf("one that waits: %v", err)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		late := &operation{}
		all.Go(func() {
			if err := w.do(ctx, late); !errors.Is(err, context.Canceled) {
				t.Errorf("one that gave up: %v, want that it was cancelled", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(b.open)
		all.Wait()
		w.close()
		if slices.Contains(b.committed, late) {
			t.Error("what was answered as cancelled was committed")
		}
	})
}

// The same on both databases: an event without a body breaks the table's rules, which
// fails its transaction.
func TestAPoisonousEventFailsAloneInTheDatabase(t *testing.T) {
	t.Parallel()
	databases := databases
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := opened(t, Config{Database: database(t)})
			addEndpoint(t, s, "ep_1")
			want := map[string][]byte{}
			for _, place := range []int{0, 3, 9} {
				group := make([]*operation, 10)
				for i := range group {
					e := delivered("ep_1", 100)
					if i == place {
						e.Body = nil
					}
					group[i] = &operation{publish: &publishing{batch: &store.Batch{AccountID: store.DefaultAccount, Events: []store.NewEvent{e}}}}
				}
				(&writer{grouper: s.writer.grouper}).run(group)
				for i, op := range group {
					e := op.publish.batch.Events[0]
					switch {
					case i == place:
						if op.err == nil {
							t.Errorf("the poison at place %d was accepted", i)
						}
					case op.err != nil || len(op.publish.answer) != 1:
						t.Errorf("place %d beside poison at %d: %v, %v", i, place, op.publish.answer, op.err)
					default:
						want[e.ID] = e.Body
					}
				}
			}
			if diff := cmp.Diff(want, kept(t, s)); diff != "" {
				t.Errorf("events on disk (-want +got):\n%s", diff)
			}
			if n, err := s.CountDeliveries(t.Context(), store.DefaultAccount, store.DeliveryFilter{}); err != nil || n != len(want) {
				t.Errorf("%d deliveries, %v; want one an event, %d", n, err, len(want))
			}
		})
	}
}
