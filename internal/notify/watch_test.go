package notify_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/watch"
)

// watch runs the health watch beside the rest, and gives what ends it.
func (w *world) watch() (stop func()) {
	w.t.Helper()
	watcher := watch.New(watch.Config{Store: w.db, Wake: w.notifier.Wake, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(w.t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := watcher.Run(ctx); err != nil {
			w.t.Errorf("watch: %v", err)
		}
	})
	return func() {
		cancel()
		ended.Wait()
	}
}

// traffic publishes so many events a minute, for so many minutes.
func (w *world) traffic(p *publish.Publisher, minutes, each int) {
	w.t.Helper()
	for range minutes * each {
		_, err := p.Publish(w.t.Context(), account, []publish.Input{{ID: uuid.NewString(), Type: "domain.added", Data: []byte(`{"domain":"example.com"}`)}})
		w.must(err)
		time.Sleep(time.Minute / time.Duration(each))
		synctest.Wait()
	}
}

// alertTimes gives the alerts told, as "failing opened".
func alertTimes(all []told) (names []string) {
	for _, e := range all {
		if e.eventType == "endpoint.alert" {
			names = append(names, fmt.Sprintf("%v %v to %v", e.data["alert"], e.data["state"], e.to))
		}
	}
	return names
}

// One attempt in seven fails for half an hour. It is told once, to those who subscribe and not to the
// endpoint itself, and once that it is well again, although the nodes die in between.
func TestAnEndpointThatFailsNowAndThenIsToldOfAndThatItIsWellAgain(t *testing.T) {
	within(t, func(w *world) {
		var mu sync.Mutex
		ill, attempts := true, 0
		p, stop := w.dispatch(func(endpoint string, _ int) int {
			mu.Lock()
			defer mu.Unlock()
			if endpoint != "ep_bad" {
				return 200
			}
			if attempts++; ill && attempts%7 == 0 {
				return 500
			}
			return 200
		})
		w.receiver("ep_bad", "domain.added", "endpoint.alert")
		w.receiver("ep_watch", "endpoint.alert")
		w.receiver("ep_all", "*")
		unwatch := w.watch()
		w.traffic(p, 30, 10)
		unwatch() // it dies, and another goes on
		opened := alertTimes(w.told(account))
		if diff := cmp.Diff([]string{"failing opened to [ep_watch]"}, opened); diff != "" {
			w.t.Fatalf("told after half an hour (-want +got):\n%s", diff)
		}
		mu.Lock()
		ill = false
		mu.Unlock()
		unwatch = w.watch()
		w.traffic(p, 60, 10)
		unwatch()
		stop()
		all := w.told(account)
		if diff := cmp.Diff([]string{"failing opened to [ep_watch]", "failing closed to [ep_watch]"}, alertTimes(all)); diff != "" {
			w.t.Fatalf("told (-want +got):\n%s", diff)
		}
		open, end := all[0].data, all[len(all)-1].data
		if open["url"] != "http://127.0.0.1:8099/ep_bad" || open["threshold"] != 0.1 || open["window_seconds"] != 3600.0 || open["closed_at"] != nil {
			w.t.Errorf("opened: %v", open)
		}
		if value := open["value"].(float64); value <= 0.1 || value > 0.16 || open["attempts"].(float64) < delivery.WatchAttempts || open["failed"].(float64) == 0 {
			w.t.Errorf("opened: %v", open)
		}
		if end["alert_id"] != open["alert_id"] || end["opened_at"] != open["opened_at"] || end["closed_at"] == nil || end["value"].(float64) > 0.05 {
			w.t.Errorf("opened: %v, closed: %v", open, end)
		}
		if rows := w.notices(); len(rows) != 0 {
			w.t.Errorf("%d notices are left", len(rows))
		}
	})
}

// Twelve endpoints each fail every first attempt, of events and of news alike, and hear of each
// other's alerts: 22 of them come to each when the alerts open, and 22 when they close. If those
// counted, they would be the next alerts.
func TestEndpointsThatHearOfEachOthersAlertsFallSilent(t *testing.T) {
	within(t, func(w *world) {
		w.policy.DisableAfter = 0
		p, stop := w.dispatch(func(_ string, attempt int) int {
			if attempt == 1 {
				return 500
			}
			return 200
		})
		const n = 12
		for i := range n {
			w.receiver(fmt.Sprintf("ep_%d", i), "domain.added", "endpoint.alert")
		}
		w.receiver("ep_news", "endpoint.alert") // gets nothing but news, and fails like the others
		unwatch := w.watch()
		w.traffic(p, 30, 1)
		time.Sleep(12 * time.Hour)
		unwatch()
		stop()
		alerts, _, err := w.db.ListAlerts(w.t.Context(), account, store.AlertFilter{}, store.Page{Limit: 1000})
		w.must(err)
		if len(alerts) != 2*n {
			w.t.Errorf("%d alerts in half a day, want two for each of the %d endpoints that get events", len(alerts), n)
		}
		for _, a := range alerts {
			if a.EndpointID == "ep_news" || a.ClosedAt.IsZero() {
				w.t.Errorf("alert %+v; want none of ep_news, and all closed", a)
			}
		}
		if told := alertTimes(w.told(account)); len(told) != 4*n {
			w.t.Errorf("told %d times, want %d", len(told), 4*n)
		}
	})
}

// A dead letter of an alert is told to nobody, as that of any news.
func TestAnAlertThatCannotBeDeliveredMakesNoNews(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule = delivery.Schedule{0}
		w.watchers()
		w.start()
		w.fail("ep_all", "endpoint.alert", 1)
		w.notifier.Wake()
		synctest.Wait()
		if got := w.told(account); len(got) != 0 {
			w.t.Errorf("told %s", types(got))
		}
		if rows := w.notices(); len(rows) != 0 {
			w.t.Errorf("%d notices are left", len(rows))
		}
	})
}
