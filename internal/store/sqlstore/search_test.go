package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/longlog"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// TestAPageOfASearchEndsThoughNothingMatches walks a list of 1000 rows, of which every 400th matches, in
// steps of ten that take 40 ms each: one page is far from enough.
func TestAPageOfASearchEndsThoughNothingMatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := search[int64]{patience: fullEffort().patience, at: func(n int64) position { return position{at: n} }}
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
			if took := time.Since(began); took > list.patience+60*time.Millisecond {
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

// disturbed is a connection before each of whose statements others have changed the log.
type disturbed struct {
	conn
	others func()
}

func (d disturbed) query(ctx context.Context, query string, args ...any) (rows, error) {
	d.others()
	return d.conn.query(ctx, query, args...)
}

func (d disturbed) row(ctx context.Context, query string, args ...any) scanner {
	d.others()
	return d.conn.row(ctx, query, args...)
}

// TestAListThatIsReadToTheEndMissesNothingWhileTheLogChanges reads lists in steps of a few rows, each a page of its own. Before
// every statement of theirs, so also between the two of a step, events are accepted, rows are deleted and others move from one status
// to the next. What was there all the while comes exactly once, and nothing comes twice.
func TestAListThatIsReadToTheEndMissesNothingWhileTheLogChanges(t *testing.T) {
	t.Parallel()
	lists := map[string]func(*Store) lister{
		"a type":            deliveriesBy(store.DeliveryFilter{Types: []string{"alert.triggered"}}),
		"a type, by status": deliveriesBy(store.DeliveryFilter{Types: []string{"alert.triggered"}, Statuses: []delivery.Status{delivery.Failed, delivery.Held}}),
		"of an endpoint":    deliveriesBy(store.DeliveryFilter{EndpointID: longlog.Endpoint(3), Statuses: []delivery.Status{delivery.Delivered, delivery.Failed, delivery.Held}}),
		"a cause":           deliveriesBy(store.DeliveryFilter{Class: delivery.ServerError}),
		"all":               deliveriesBy(store.DeliveryFilter{}),
		"statuses":          deliveriesBy(store.DeliveryFilter{Statuses: []delivery.Status{delivery.Failed, delivery.Held}}),
		"events of a type":  eventsBy(store.EventFilter{Type: "alert.triggered"}),
	}
	for name, database := range map[string]func() string{
		"SQLite":     func() string { return t.TempDir() + "/test.db" },
		"PostgreSQL": func() string { return pgtest.URL(t) },
	} {
		for what, list := range lists {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				url := database()
				s := opened(t, Config{Database: url})
				longlog.Fill(t, url, 2000)
				readsAllOf(t, s, list(s))
			})
		}
	}
}

// lister reads a page of a list: what its rows are called.
type lister func(context.Context, store.Page) (names []string, next string, err error)

func deliveriesBy(f store.DeliveryFilter) func(*Store) lister {
	return func(s *Store) lister {
		return func(ctx context.Context, p store.Page) (names []string, next string, err error) {
			found, next, err := s.ListDeliveries(ctx, store.DefaultAccount, f, p)
			for _, d := range found {
				names = append(names, d.ID.String())
			}
			return names, next, err
		}
	}
}

func eventsBy(f store.EventFilter) func(*Store) lister {
	return func(s *Store) lister {
		return func(ctx context.Context, p store.Page) (names []string, next string, err error) {
			found, next, err := s.ListEvents(ctx, store.DefaultAccount, f, p)
			for _, e := range found {
				names = append(names, e.ID)
			}
			return names, next, err
		}
	}
}

func readsAllOf(t *testing.T, s *Store, list lister) {
	t.Helper()
	before, next, err := list(t.Context(), store.Page{Limit: 10_000})
	must(t, err)
	if len(before) < 20 || next != "" {
		t.Fatalf("the list has %d rows and goes on at %q; the test needs some, on one page", len(before), next)
	}
	reads := s.reads
	s.effort, s.reads = effort{step: 9}, disturbed{reads, changes(t, s)}
	seen, pages := map[string]int{}, 0
	for p := (store.Page{Limit: 5}); ; p.Cursor = next {
		var names []string
		names, next, err = list(t.Context(), p)
		must(t, err)
		for _, name := range names {
			seen[name]++
		}
		pages++
		if next == "" {
			break
		}
	}
	s.effort, s.reads = fullEffort(), reads
	after, _, err := list(t.Context(), store.Page{Limit: 10_000})
	must(t, err)
	left := map[string]bool{}
	for _, name := range after {
		left[name] = true
	}
	stayed := 0
	for _, name := range before {
		if !left[name] {
			continue
		}
		stayed++
		if seen[name] != 1 {
			t.Errorf("%s was there all the while, and came %d times", name, seen[name])
		}
	}
	for name, times := range seen {
		if times > 1 {
			t.Errorf("%s came %d times", name, times)
		}
	}
	if stayed == 0 || stayed == len(before) || len(after) == stayed || pages < 10 {
		t.Errorf("of %d rows %d stayed, %d were there at the end, on %d pages: the log did not change as the test means it", len(before), stayed, len(after), pages)
	}
}

// changes gives what happens to a log each time: an event is accepted, a few rows of the log are deleted, wherever they are, and what
// failed is held and the other way round.
func changes(t *testing.T, s *Store) func() {
	t.Helper()
	times := 0
	return func() {
		times++
		e := someEvent(10)
		e.Type = "alert.triggered"
		for _, status := range []delivery.Status{delivery.Held, delivery.Sending} {
			e.Deliveries = append(e.Deliveries, store.NewDelivery{EndpointID: longlog.Endpoint(3), Status: status, Cycle: delivery.Automatic})
		}
		must(t, accept(t.Context(), s, e))
		must(t, s.write(t.Context(), "change the log", func(ctx context.Context, c conn) error {
			number := fmt.Sprint(" % 1000 = ", times*11%1000)
			for _, change := range []string{
				`delete from deliveries where id` + number,
				`delete from events where deliveries = 0 or seq` + number,
				`update deliveries set status = case status when 'failed' then 'held' else 'failed' end, last_class = 'server_error'
					where status in ('failed', 'held') and id % 2 = ` + strconv.Itoa(times%2),
			} {
				if _, err := c.exec(ctx, change); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}
