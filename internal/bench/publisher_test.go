package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// call is what a load told one connection to do.
type call struct {
	First, Count int
	At           time.Duration // since the load began
}

// calls lets one connection do all of a load.
func calls(ctx context.Context, l load, takes time.Duration) (got []call, err error) {
	began := time.Now()
	err = l.work(func(first, count int, sent time.Time) error {
		got = append(got, call{first, count, sent.Sub(began)})
		time.Sleep(takes)
		return nil
	}, l.pace(ctx, began))
	return got, err
}

func TestLoadsGiveEveryEventItsTurn(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	tests := []struct {
		name  string
		load  load
		takes time.Duration
		want  []call
	}{
		{"as fast as it goes", load{Events: 3}, 10 * ms, []call{{0, 1, 0}, {1, 1, 10 * ms}, {2, 1, 20 * ms}}},
		{"batches, of which the last is not full", load{Events: 5, Batch: 2}, 10 * ms, []call{{0, 2, 0}, {2, 2, 10 * ms}, {4, 1, 20 * ms}}},
		{"at a rate", load{Events: 3, Rate: 50}, 10 * ms, []call{{0, 1, 0}, {1, 1, 20 * ms}, {2, 1, 40 * ms}}},
		{"at a rate, with answers that come too late", load{Events: 3, Rate: 50}, 100 * ms, []call{{0, 1, 0}, {1, 1, 20 * ms}, {2, 1, 40 * ms}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got, err := calls(t.Context(), tt.load, tt.takes)
				if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
					t.Errorf("error %v; calls (-want +got):\n%s", err, diff)
				}
			})
		})
	}
}

func TestALoadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{0, 50} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			l := load{Events: 1000, Rate: rate}
			next := l.pace(ctx, time.Now())
			if _, _, ok := next(); !ok {
				t.Fatal("there was no first call")
			}
			cancel()
			if first, _, ok := next(); ok {
				t.Errorf("rate %d: call %d began after the end", rate, first)
			}
		})
	}
}
