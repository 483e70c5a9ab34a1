package receiver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/memstore"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

type scanEvent = receiver.Event[receiver.ScanCompleted]

type rawEvent = receiver.Event[json.RawMessage]

func TestAnEventIsKeptAnsweredAndHandledOnceHoweverOftenItComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{})
		var got []scanEvent
		k.OnScanCompleted(func(_ context.Context, e scanEvent) error {
			got = append(got, e)
			return nil
		})
		event := webhooktest.NewEvent("scan.completed", scanData)
		k.want(k.send(event), http.StatusOK, "the first copy, before anything works the inbox off")
		if item := k.item(event.ID); item.Status != receiver.Waiting || len(got) != 0 {
			t.Errorf("before Run: the event is %s and was handled %d times; want it waiting", item.Status, len(got))
		}
		k.start()
		k.want(k.send(event), http.StatusOK, "a second copy")
		synctest.Wait()
		if len(got) != 1 {
			t.Fatalf("two copies were handled %d times, want once", len(got))
		}
		want := receiver.ScanCompleted{
			ScanID: 12345, JobID: 67890, Domain: "example.com", Score: 85, Grade: "B", IssuesCount: 8, CriticalIssues: 1,
			HighIssues: 2, MediumIssues: 3, LowIssues: 3, ScannedAt: time.Date(2026, 3, 8, 12, 34, 56, 789e6, time.UTC), ScanDurationMS: 2847,
		}
		if diff := cmp.Diff(want, got[0].Data); diff != "" {
			t.Errorf("data: %s", diff)
		}
		if e := got[0]; e.ID != event.ID || e.Try != 1 || e.Unsure || e.Test || e.DeliveryID != 1 || !e.CreatedAt.Equal(event.CreatedAt) || string(e.Raw) != scanData {
			t.Errorf("the event is %+v", e)
		}
		if item := k.item(event.ID); item.Status != receiver.Done {
			t.Errorf("afterwards the event is %s, want it done", item.Status)
		}
	})
}

func TestCopiesAreKnownForSevenDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{}).start()
		var seen calls
		k.OnOther(func(_ context.Context, e rawEvent) error { seen.add(e); return nil })
		event := webhooktest.NewEvent("backup.ended", `{}`)
		for _, days := range []int{0, 3, 6} {
			k.want(k.send(event), http.StatusOK, fmt.Sprintf("the copy of day %d", days))
			pass(3 * 24 * time.Hour)
		}
		if n := len(seen.all()); n != 1 {
			t.Errorf("three copies within seven days were handled %d times, want once", n)
		}
		k.want(k.send(event), http.StatusOK, "the copy of day 9")
		synctest.Wait()
		if n := len(seen.all()); n != 2 {
			t.Errorf("a copy after nine days: handled %d times in all, want twice: it is not known any more", n)
		}
	})
}

func TestAHandlerHasThreeAttemptsAndThenTheEventIsKeptAsFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{}).start()
		begin := time.Now()
		var at []time.Duration
		var broken atomic.Bool
		broken.Store(true)
		receiver.On(k.Receiver, "scan.completed", func(context.Context, rawEvent) error {
			at = append(at, time.Since(begin))
			if !broken.Load() {
				return nil
			}
			if len(at) == 2 {
				panic("a nil map")
			}
			return errors.New("the database is read-only")
		})
		event := webhooktest.NewEvent("scan.completed", scanData)
		k.want(k.send(event), http.StatusOK, "an event whose handler is broken")
		pass(time.Hour)
		if want := []time.Duration{0, 2 * time.Second, 6 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("tried at %v, want %v", at, want)
		}
		item := k.item(event.ID)
		if item.Status != receiver.Failed || item.Failures != 3 || !strings.Contains(item.Error, "read-only") {
			t.Errorf("after three attempts: %s, %d failures, %q; want it failed, with its error", item.Status, item.Failures, item.Error)
		}

		broken.Store(false)
		if n, err := k.store.Rerun(t.Context(), receiver.Filter{Statuses: []receiver.Status{receiver.Failed}}); n != 1 || err != nil {
			t.Errorf("Rerun: %d, %v; want 1", n, err)
		}
		pass(10 * time.Second)
		if item := k.item(event.ID); item.Status != receiver.Done {
			t.Errorf("run again: %s, want it done", item.Status)
		}
	})
}

func TestAPanicIsAnErrorThatCountsAndIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{Attempts: 1}).start()
		k.OnOther(func(context.Context, rawEvent) error { panic("out of ideas") })
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.send(event)
		synctest.Wait()
		if item := k.item(event.ID); item.Status != receiver.Failed || !strings.Contains(item.Error, "panicked: out of ideas") {
			t.Errorf("after a panic: %s, %q", item.Status, item.Error)
		}
	})
}

func TestWhatCannotHelpIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{}).start()
		var seen calls
		k.OnOther(func(_ context.Context, e rawEvent) error {
			seen.add(e)
			return fmt.Errorf("post: %w", receiver.Permanent(errors.New("no such project")))
		})
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.send(event)
		k.OnScanCompleted(func(context.Context, scanEvent) error { t.Error("data that does not fit was handled"); return nil })
		misfit := webhooktest.NewEvent("scan.completed", `{"domain":"example.com","score":"high"}`)
		k.send(misfit)
		pass(time.Hour)
		if item := k.item(event.ID); len(seen.all()) != 1 || item.Status != receiver.Failed {
			t.Errorf("a permanent failure: %d runs, %s; want one run, failed", len(seen.all()), item.Status)
		}
		if item := k.item(misfit.ID); item.Status != receiver.Failed || !strings.Contains(item.Error, "data.score") {
			t.Errorf("data that does not fit: %s, %q; want it failed, naming data.score", item.Status, item.Error)
		}
	})
}

func TestWhatIsUnavailableWaitsWithoutUsingUpAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{}).start()
		var away atomic.Bool
		away.Store(true)
		var seen calls
		k.OnOther(func(_ context.Context, e rawEvent) error {
			seen.add(e)
			if away.Load() {
				return receiver.Unavailable(errors.New("connection refused"), 0)
			}
			return nil
		})
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.send(event)
		pass(24 * time.Hour)
		item := k.item(event.ID)
		if item.Status == receiver.Failed || item.Failures != 0 {
			t.Errorf("after a day away: %s with %d failures, want it still waiting with none", item.Status, item.Failures)
		}
		if n := len(seen.all()); n > 24*60+10 {
			t.Errorf("it was tried %d times in a day, want about once a minute", n)
		}
		away.Store(false)
		pass(time.Minute)
		if item := k.item(event.ID); item.Status != receiver.Done {
			t.Errorf("back again: %s, want it done", item.Status)
		}
	})
}

func TestAnEventThatTheOtherSideNeverTakesStepsAsideAndFailsAloneInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got calls
		var poison atomic.Value
		refuse := func(_ context.Context, e rawEvent) error {
			if poison.CompareAndSwap(nil, e.ID); poison.Load() == e.ID {
				return &receiver.Failure{Err: errors.New("500"), Unavailable: true, Answered: true}
			}
			got.add(e)
			return nil
		}
		k := lanes(t, refuse, func(context.Context, rawEvent) error { return nil }).start()
		ids := k.publish(3)
		pass(30 * time.Minute)
		if !slices.Equal(got.ids(), ids[1:]) {
			t.Errorf("behind it: got %v, want %v", got.ids(), ids[1:])
		}
		for range 5 { // others go by, now and then
			ids = append(ids, k.publish(1)...)
			pass(5 * time.Minute)
		}
		items, _, err := k.store.List(t.Context(), receiver.Filter{Statuses: []receiver.Status{receiver.Failed}}, receiver.Page{})
		if err != nil || len(items) != 1 || items[0].ID != ids[0] || items[0].Failures != 3 {
			t.Errorf("failed: %+v, %v; want the first alone, after three attempts", items, err)
		}
	})
}

// A gateway that answers for a server that is away must not fail what waits.
func TestHoursOfTroubleThatIsAnsweredFailNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		var got calls
		answer := func(_ context.Context, e rawEvent) error {
			if away.Load() {
				return &receiver.Failure{Err: errors.New("502"), Unavailable: true, Answered: true}
			}
			got.add(e)
			return nil
		}
		k := lanes(t, answer, func(context.Context, rawEvent) error { return nil }).start()
		ids := k.publish(10)
		pass(6 * time.Hour)
		away.Store(false)
		pass(10 * time.Minute)
		if n := len(got.all()); n != len(ids) {
			t.Errorf("after six hours of 502, %d of %d events arrived", n, len(ids))
		}
	})
}

func TestWhatADeadProcessHadInHandIsRunAgainAndSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(nil)
		k := newKit(t, receiver.Config{Store: store})
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.send(event)
		// Another process claims it and is never heard of again.
		if claimed, _, err := store.Claim(t.Context(), "", 1, time.Minute); len(claimed) != 1 || err != nil {
			t.Fatalf("Claim: %d, %v", len(claimed), err)
		}
		var seen calls
		k.OnOther(func(_ context.Context, e rawEvent) error { seen.add(e); return nil })
		k.start()
		synctest.Wait()
		if n := len(seen.all()); n != 0 {
			t.Errorf("it was run %d times under somebody's lease, want never", n)
		}
		pass(2 * time.Minute)
		if all := seen.all(); len(all) != 1 || !all[0].Unsure || all[0].Try != 2 {
			t.Errorf("after the lease: %+v; want one run, unsure, the second try", all)
		}
	})
}

func TestAnEventThatEndsTheProcessEachTimeIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(nil)
		k := newKit(t, receiver.Config{Store: store})
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.send(event)
		for range 11 { // eleven processes die of it
			if claimed, _, err := store.Claim(t.Context(), "", 1, time.Second); len(claimed) != 1 || err != nil {
				t.Fatalf("Claim: %d, %v", len(claimed), err)
			}
			pass(2 * time.Second)
		}
		k.OnOther(func(context.Context, rawEvent) error { t.Error("it was run a twelfth time"); return nil })
		k.start()
		synctest.Wait()
		if item := k.item(event.ID); item.Status != receiver.Failed || !strings.Contains(item.Error, "the process ended") {
			t.Errorf("%s, %q; want it failed, with the reason", item.Status, item.Error)
		}
	})
}

func TestAHandlerThatGoesOnBeyondItsTimeIsNotRunBesideItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{Timeout: time.Minute}).start()
		var seen calls
		k.OnOther(func(_ context.Context, e rawEvent) error {
			seen.add(e)
			time.Sleep(10 * time.Minute) // it does not look at its context
			return nil
		})
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.send(event)
		pass(time.Hour)
		if n := len(seen.all()); n != 1 {
			t.Errorf("it was run %d times, want once", n)
		}
		if item := k.item(event.ID); item.Status != receiver.Done {
			t.Errorf("in the end it is %s, want it done", item.Status)
		}
	})
}

func TestAtTheEndHandlersMayGoOnForAWhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		work time.Duration
		want receiver.Status
	}{
		{"a handler that ends in time", 20 * time.Second, receiver.Done},
		{"a handler that does not", 50 * time.Second, receiver.Waiting},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, receiver.Config{Workers: 1}).start()
				k.OnOther(func(ctx context.Context, _ rawEvent) error {
					select {
					case <-time.After(tt.work):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				})
				running, next := webhooktest.NewEvent("backup.ended", `{}`), webhooktest.NewEvent("backup.ended", `{}`)
				k.send(running)
				k.send(next)
				synctest.Wait()
				k.halt()
				item := k.item(running.ID)
				if item.Status != tt.want || item.Failures != 0 || item.Unsure != (tt.want == receiver.Waiting) {
					t.Errorf("the event in hand: %s, %d failures, unsure %t; want it %s, without a failure", item.Status, item.Failures, item.Unsure, tt.want)
				}
				if item := k.item(next.ID); item.Status != receiver.Waiting || item.Unsure {
					t.Errorf("the event behind it: %s, unsure %t; want it waiting for the next start", item.Status, item.Unsure)
				}
			})
		})
	}
}

func TestTestsAndUnknownTypesBreakNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{Workers: 1}).start()
		k.OnScanCompleted(func(_ context.Context, e scanEvent) error {
			t.Errorf("a test or an unknown event was taken for a scan: %+v", e)
			return nil
		})
		test := webhooktest.NewEvent("scan.completed", `{"test":true,"domain":"example.com","score":85,"grade":"B","message":"This is a test webhook from ComplianceLayer"}`)
		k.want(k.send(test), http.StatusOK, "a test without a handler for tests")
		unknown := webhooktest.NewEvent("moon.rose", `[1,2]`)
		k.want(k.send(unknown), http.StatusOK, "an unknown type")
		synctest.Wait()
		if log := k.logs.String(); !strings.Contains(log, "type=scan.completed test=true") || !strings.Contains(log, "type=moon.rose test=false") {
			t.Errorf("the log tells neither: %s", log)
		}

		var got []receiver.Event[receiver.Test]
		k.OnTest(func(_ context.Context, e receiver.Event[receiver.Test]) error { got = append(got, e); return nil })
		for _, data := range []string{string(test.Data), `{"test":true}`, `{"test":true,"alert_id":456,"score":null,"old_value":92}`} {
			k.send(webhooktest.NewEvent("alert.triggered", data))
		}
		synctest.Wait()
		if len(got) != 3 || !got[0].Test || *got[0].Data.Score != 85 || got[1].Data.Score != nil {
			t.Errorf("tests: %+v; want all three, with what they have", got)
		}
	})
}

func TestTheMetricsTellWhatHappened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, receiver.Config{Attempts: 1}).start()
		k.OnOther(func(context.Context, rawEvent) error { return errors.New("broken") })
		event := webhooktest.NewEvent("backup.ended", `{}`)
		k.send(event)
		k.send(event)
		synctest.Wait()
		text := k.metrics()
		for _, want := range []string{
			`compliancelayer_receiver_requests_total{result="accepted"} 1`,
			`compliancelayer_receiver_requests_total{result="duplicate"} 1`,
			`compliancelayer_receiver_tries_total{end="error",lane=""} 1`,
			`compliancelayer_receiver_inbox_events{lane="",status="failed"} 1`,
			`compliancelayer_receiver_handler_seconds_count{lane=""} 1`,
		} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("the metrics lack %s:\n%s", want, text)
			}
		}
	})
}
