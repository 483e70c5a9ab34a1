package sqlstore

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAPageOfASearchEndsThoughNothingMatches walks a list of 1000 rows, of which every 400th matches, in
// steps of ten that take 40 ms each: one page is far from enough.
func TestAPageOfASearchEndsThoughNothingMatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := search[int64]{at: func(n int64) position { return position{at: n} }}
		list.reach = func(after position) (position, bool, error) {
			end := min(after.at, 1001) - 10
			return position{at: max(end, 0)}, end > 0, nil
		}
		list.read = func(after, end position, most int) (found []int64, err error) {
			time.Sleep(40 * time.Millisecond)
			for n := min(after.at, 1001) - 1; n >= max(end.at, 1) && len(found) < most; n-- {
				if n%400 == 0 {
					found = append(found, n)
				}
			}
			return found, nil
		}
		var all []int64
		pages, after := 0, top()
		for {
			began := time.Now()
			found, next, err := list.page(after, 50)
			must(t, err)
			if took := time.Since(began); took > searchPatience+60*time.Millisecond {
				t.Errorf("a page took %s", took)
			}
			all, pages = append(all, found...), pages+1
			if next == "" {
				break
			}
			after, err = parsePosition(next)
			must(t, err)
		}
		if diff := cmp.Diff([]int64{800, 400}, all); diff != "" {
			t.Errorf("what was found (-want +got):\n%s", diff)
		}
		if pages < 3 {
			t.Errorf("the list ended after %d pages, want it to take several", pages)
		}
	})
}
