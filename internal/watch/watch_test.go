package watch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
	"github.com/compliancelayer/compliancelayer/internal/watch"
)

// world is a Watcher on a real SQLite file in virtual time. What is counted the tests write
// themselves, as the dispatcher would.
type world struct {
	t      *testing.T
	db     *sqlstore.Store
	log    strings.Builder
	writes int

	mu     sync.Mutex
	shift  time.Duration // of the store's clock
	away   bool          // the store answers errors
	ill    string        // the endpoint whose alerts cannot be written
	asked  int           // calls of Troubled
	read   int           // calls of Watched
	given  int           // endpoints that they answered
	missed int
	woken  int
}

// locked does something with what the Watchers see or count.
func (w *world) locked(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

func (w *world) Clock(ctx context.Context) (time.Time, error) {
	now, err := w.db.Clock(ctx)
	w.locked(func() { now = now.Add(w.shift) })
	return now, err
}

func (w *world) Troubled(ctx context.Context, since, until time.Time) ([]string, error) {
	away := false
	w.locked(func() { w.asked, away = w.asked+1, w.away })
	if away {
		return nil, store.ErrUnavailable
	}
	return w.db.Troubled(ctx, since, until)
}

func (w *world) Watched(ctx context.Context, ids []string, from, until time.Time) ([]store.Watched, error) {
	found, err := w.db.Watched(ctx, ids, from, until)
	w.locked(func() { w.read, w.given = w.read+1, w.given+len(found) })
	return found, err
}

func (w *world) OpenAlert(ctx context.Context, a store.Alert) (bool, error) {
	ill := ""
	w.locked(func() { ill = w.ill })
	if a.EndpointID == ill {
		return false, errors.New("this row cannot be written")
	}
	return w.db.OpenAlert(ctx, a)
}

func (w *world) CloseAlert(ctx context.Context, a store.Alert) (bool, error) {
	return w.db.CloseAlert(ctx, a)
}

func within(t *testing.T, story func(w *world)) {
	t.Helper()
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) {
		db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: path})
		if err != nil {
			t.Fatal(err)
		}
		story(&world{t: t, db: db})
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

// start runs a Watcher, as a node does, and gives what kills it.
func (w *world) start() (kill func()) {
	w.t.Helper()
	watcher := watch.New(watch.Config{
		Store: w, Wake: func() { w.locked(func() { w.woken++ }) }, Missed: func() { w.locked(func() { w.missed++ }) },
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := watcher.Run(ctx); err != nil {
			w.t.Errorf("run: %v", err)
		}
	})
	synctest.Wait()
	return func() {
		cancel()
		ended.Wait()
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) endpoint(id string) {
	w.t.Helper()
	now := time.Now()
	e := delivery.Endpoint{ID: id, AccountID: store.DefaultAccount, URL: "https://example.com/" + id, Events: []string{"*"}, State: delivery.Enabled, CreatedAt: now, UpdatedAt: now}
	w.must(w.db.CreateEndpoint(w.t.Context(), e, store.Secret{ID: "sec_" + id, Role: store.Current, Sealed: []byte("x"), CreatedAt: now}, 100_000))
}

// minutes lets n minutes pass, each with 20 attempts of which some failed.
func (w *world) minutes(n int, id string, failed int) {
	w.t.Helper()
	for range n {
		w.count(id, delivery.Counts{Attempts: 20, Failed: failed})
		time.Sleep(time.Minute)
		synctest.Wait()
	}
}

func (w *world) count(id string, c delivery.Counts) {
	w.t.Helper()
	w.writes++
	now := time.Now().Add(w.shift).Truncate(time.Minute)
	w.must(w.db.WriteStats(w.t.Context(), []store.Stat{{AccountID: store.DefaultAccount, EndpointID: id, Minute: now, Writer: fmt.Sprint(w.writes), Watched: c}}))
}

// want reports other alerts and notices than those wanted: "failing open" or "failing closed", oldest first.
func (w *world) want(notices int, alerts ...string) {
	w.t.Helper()
	all, _, err := w.db.ListAlerts(w.t.Context(), store.DefaultAccount, store.AlertFilter{}, store.Page{Limit: 100})
	w.must(err)
	var got []string
	for i := range all {
		a := all[len(all)-1-i]
		state := "closed"
		if a.ClosedAt.IsZero() {
			state = "open"
		}
		got = append(got, string(a.Kind)+" "+state)
	}
	if strings.Join(got, ", ") != strings.Join(alerts, ", ") {
		w.t.Errorf("alerts: %v, want %v", got, alerts)
	}
	rows, err := w.db.ListNotices(w.t.Context(), 100)
	w.must(err)
	if len(rows) != notices {
		w.t.Errorf("%d notices, want %d", len(rows), notices)
	}
}

func TestAnEndpointThatFailsIsToldOfOnceAndOnceThatItIsWell(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1")
		defer w.start()()
		w.minutes(10, "ep_1", 0)
		w.minutes(19, "ep_1", 3) // 15 %, but less than 10 % of the hour
		w.want(0)
		w.minutes(11, "ep_1", 3)
		w.want(1, "failing open")
		w.minutes(8, "ep_1", 0) // 7 % of the last 15 minutes
		w.want(1, "failing open")
		w.minutes(3, "ep_1", 0)
		w.want(2, "failing closed")
		w.minutes(60, "ep_1", 0)
		w.want(2, "failing closed")
		w.locked(func() {
			if w.woken != 2 {
				w.t.Errorf("whoever tells was woken %d times, want 2", w.woken)
			}
		})
		all, _, err := w.db.ListAlerts(w.t.Context(), store.DefaultAccount, store.AlertFilter{}, store.Page{Limit: 100})
		w.must(err)
		a := all[0]
		if v := a.Opened.Value(); v <= 0.1 || v > 0.15 || a.Opened.Span != time.Hour || a.Threshold != 10 {
			w.t.Errorf("opened by %+v over %d %%", a.Opened, a.Threshold)
		}
		if v := a.Closed.Value(); v > 0.05 || a.Closed.Attempts < 280 || a.Reason != delivery.ClosedWell || !a.ClosedAt.After(a.OpenedAt) {
			w.t.Errorf("closed by %+v, from %s to %s", a.Closed, a.OpenedAt, a.ClosedAt)
		}
	})
}

// Two nodes watch; one is killed while the endpoint fails, the other when it is well again, and one comes up.
func TestNodesThatWatchTogetherAndDieTellOnce(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1")
		kill, killOther := w.start(), w.start()
		w.minutes(5, "ep_1", 3)
		w.want(1, "failing open")
		kill()
		w.minutes(5, "ep_1", 3)
		killOther()
		w.minutes(40, "ep_1", 0)
		w.want(1, "failing open") // nobody looks
		defer w.start()()
		w.want(2, "failing closed")
	})
}

// Nobody looked while the endpoint failed; nothing is sent to it since.
func TestWhatFailedWhileNobodyLookedIsFound(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1")
		w.minutes(5, "ep_1", 20)
		time.Sleep(8 * time.Minute)
		defer w.start()()
		w.want(1, "failing open")
	})
}

func TestAnAlertEndsWhenNothingIsSentAnyMore(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1")
		defer w.start()()
		w.minutes(3, "ep_1", 20)
		w.want(1, "failing open")
		_, err := w.db.SetState(w.t.Context(), store.DefaultAccount, "ep_1", delivery.Disabled, delivery.ByFailures, time.Now())
		w.must(err)
		time.Sleep(50 * time.Minute)
		w.want(1, "failing open") // it is disabled, and what it was disabled for is in the window
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		w.want(2, "failing closed")
		all, _, err := w.db.ListAlerts(w.t.Context(), store.DefaultAccount, store.AlertFilter{}, store.Page{Limit: 1})
		w.must(err)
		if all[0].Closed.Attempts != 0 || all[0].Reason != delivery.ClosedNoAttempts {
			w.t.Errorf("closed by %+v as %s, want no attempts", all[0].Closed, all[0].Reason)
		}
	})
}

// What made somebody repair an endpoint is no alert of the repaired one.
func TestAnEndpointStartsAnewWhenItIsEnabled(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1")
		defer w.start()()
		w.minutes(3, "ep_1", 20)
		w.want(1, "failing open")
		for _, state := range []delivery.State{delivery.Disabled, delivery.Enabled} {
			_, err := w.db.SetState(w.t.Context(), store.DefaultAccount, "ep_1", state, delivery.ByHand, time.Now())
			w.must(err)
		}
		w.minutes(10, "ep_1", 0)
		w.want(2, "failing closed")
		w.minutes(10, "ep_1", 20)
		w.want(3, "failing closed", "failing open")
	})
}

func TestADeletedEndpointIsNotToldOf(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1")
		defer w.start()()
		w.minutes(3, "ep_1", 20)
		_, err := w.db.DeleteEndpoint(w.t.Context(), store.DefaultAccount, "ep_1", time.Now())
		w.must(err)
		w.want(1, "failing closed")
		w.minutes(90, "ep_1", 20) // of attempts that were under way
		w.want(1, "failing closed")
	})
}

// The database's clock is put back by half an hour: what is counted from then on is judged at once,
// and no alert ends before it began.
func TestAClockThatIsPutBackHidesNothing(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1")
		w.endpoint("ep_2")
		defer w.start()()
		w.minutes(40, "ep_1", 0)
		w.minutes(2, "ep_1", 20)
		w.minutes(3, "ep_1", 20)
		w.want(1, "failing open")
		w.locked(func() { w.shift = -30 * time.Minute })
		w.minutes(2, "ep_2", 20)
		w.want(3, "failing open", "failing closed") // as of now, ep_1 was always well
		w.minutes(60, "ep_2", 0)
		all, _, err := w.db.ListAlerts(w.t.Context(), store.DefaultAccount, store.AlertFilter{}, store.Page{Limit: 10})
		w.must(err)
		for _, a := range all {
			if !a.ClosedAt.IsZero() && a.ClosedAt.Before(a.OpenedAt) {
				w.t.Errorf("an alert lasted from %s to %s", a.OpenedAt, a.ClosedAt)
			}
		}
	})
}

// An endpoint that was enabled just before the clock was put back was enabled in the future: it is judged all the same.
func TestAnEndpointThatWasEnabledBeforeTheClockWasPutBackIsJudged(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1")
		defer w.start()()
		for _, state := range []delivery.State{delivery.Disabled, delivery.Enabled} {
			_, err := w.db.SetState(w.t.Context(), store.DefaultAccount, "ep_1", state, delivery.ByHand, time.Now())
			w.must(err)
		}
		w.locked(func() { w.shift = -3 * time.Hour })
		w.minutes(5, "ep_1", 20)
		w.want(1, "failing open")
	})
}

// What a watch that comes back says of trouble from before, by how long it was away.
func TestAfterAStopOnlyWhatGoesOnOpensAndOnlySilenceThatWasWatchedCloses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		stop    time.Duration
		known   bool     // the alert was opened before the stop
		atOnce  []string // what is open or closed at the first look
		later   []string // after 20 minutes without an attempt
		notices int      // at the end
	}{
		{"10 minutes, not told of yet: it is the last that is known", 10 * time.Minute, false, []string{"failing open"}, []string{"failing open"}, 1},
		{"30 minutes, not told of yet: it is over", 30 * time.Minute, false, nil, nil, 0},
		{"2 hours, not told of yet", 2 * time.Hour, false, nil, nil, 0},
		{"10 minutes", 10 * time.Minute, true, []string{"failing open"}, []string{"failing open"}, 1},
		{"2 hours", 2 * time.Hour, true, []string{"failing open"}, []string{"failing closed"}, 2},
		{"a day", 24 * time.Hour, true, []string{"failing open"}, []string{"failing closed"}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			within(t, func(w *world) {
				w.endpoint("ep_1")
				kill := func() {}
				if tt.known {
					kill = w.start()
				}
				w.minutes(3, "ep_1", 20)
				kill()
				time.Sleep(tt.stop)
				defer w.start()()
				w.want(len(tt.atOnce), tt.atOnce...)
				time.Sleep(20 * time.Minute)
				synctest.Wait()
				w.want(tt.notices, tt.later...)
			})
		})
	}
}

// The backlog of a long stop fails as it did before: that is one alert that goes on, and not one that ended and another.
func TestTroubleThatGoesOnAfterALongStopIsOneAlert(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1")
		kill := w.start()
		w.minutes(3, "ep_1", 20)
		kill()
		time.Sleep(2 * time.Hour)
		defer w.start()()
		time.Sleep(time.Minute)
		w.minutes(5, "ep_1", 20)
		w.want(1, "failing open")
		w.minutes(20, "ep_1", 0)
		w.want(2, "failing closed")
	})
}

// The machine slept: the process is the same, and looks go on two hours later.
func TestALongPauseBetweenLooksIsAStop(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1")
		defer w.start()()
		w.minutes(3, "ep_1", 20)
		w.locked(func() { w.shift = 2 * time.Hour })
		time.Sleep(10 * time.Minute)
		w.want(1, "failing open")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		w.want(2, "failing closed")
	})
}

func TestADatabaseThatWasAwayIsAskedAgainAndLoggedOnce(t *testing.T) {
	within(t, func(w *world) {
		w.endpoint("ep_1")
		defer w.start()()
		w.locked(func() { w.away = true })
		w.minutes(4, "ep_1", 20)
		time.Sleep(10 * time.Minute)
		w.locked(func() { w.away = false })
		time.Sleep(watch.Every)
		synctest.Wait()
		w.want(1, "failing open")
		if n := strings.Count(w.log.String(), "health not watched"); n != 1 {
			w.t.Errorf("logged %d times:\n%s", n, w.log.String())
		}
	})
}

func TestIdleEndpointsCostOneQuestionALook(t *testing.T) {
	within(t, func(w *world) {
		for i := range 100 {
			w.endpoint(fmt.Sprintf("ep_%d", i))
		}
		w.minutes(1, "ep_7", 0)
		defer w.start()()
		time.Sleep(time.Hour)
		synctest.Wait()
		w.locked(func() {
			if looks := int(time.Hour/watch.Every) + 1; w.asked != looks || w.read != 0 {
				w.t.Errorf("in %d looks it was asked %d times who has trouble, and %d times what they are judged by; want one each, and none", looks, w.asked, w.read)
			}
		})
	})
}

func TestEveryPageIsJudged(t *testing.T) {
	within(t, func(w *world) {
		const n = 250
		for i := range n {
			id := fmt.Sprintf("ep_%d", i)
			w.endpoint(id)
			w.count(id, delivery.Counts{Attempts: 40, Slow: 20})
		}
		defer w.start()()
		all, _, err := w.db.ListAlerts(w.t.Context(), store.DefaultAccount, store.AlertFilter{Open: true}, store.Page{Limit: 1000})
		if len(all) != n || err != nil {
			w.t.Errorf("%d alerts, %v; want %d", len(all), err, n)
		}
		w.locked(func() {
			if w.asked != 1 || w.read != 3 || w.given != n {
				w.t.Errorf("who has trouble was gathered %d times, and %d endpoints were read in %d pages; want once, and each once in 3", w.asked, w.given, w.read)
			}
		})
	})
}

// One that cannot be judged holds up no other, is logged and counted, and is found when it can be, however late.
func TestAnEndpointThatCannotBeJudgedHoldsUpNoOther(t *testing.T) {
	within(t, func(w *world) {
		for _, id := range []string{"ep_1", "ep_2", "ep_3"} {
			w.endpoint(id)
			w.count(id, delivery.Counts{Attempts: 40, Failed: 20})
		}
		w.locked(func() { w.ill = "ep_2" })
		defer w.start()()
		w.want(2, "failing open", "failing open")
		time.Sleep(12 * time.Minute)
		w.locked(func() {
			if looks := int(12*time.Minute/watch.Every) + 1; w.missed < looks-1 || !strings.Contains(w.log.String(), "endpoint_id=ep_2") {
				w.t.Errorf("missed %d times in %d looks; the log says:\n%s", w.missed, looks, w.log.String())
			}
			w.ill = ""
		})
		time.Sleep(watch.Every)
		synctest.Wait()
		w.want(3, "failing open", "failing open", "failing open")
	})
}
