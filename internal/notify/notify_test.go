package notify_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const account = store.DefaultAccount

// watchers adds endpoints that subscribe to operational events by name, and
// others that must not hear of them.
func (w *world) watchers() {
	w.t.Helper()
	w.endpoint(account, "ep_bad", "domain.added")
	w.endpoint(account, "ep_all", "*")
	w.endpoint(account, "ep_scan", "scan.*")
	w.endpoint(account, "ep_warned", "endpoint.warning")
	w.endpoint(account, "ep_watch", "endpoint.warning", "endpoint.disabled", "delivery.failed")
	w.must(w.db.CreateAccount(w.t.Context(), store.Account{ID: "acc_2", Name: "two", CreatedAt: time.Now()}))
	w.endpoint("acc_2", "ep_other", "endpoint.warning", "endpoint.disabled", "delivery.failed")
}

func TestAFailingEndpointIsToldOfAtFiveEightAndTen(t *testing.T) {
	within(t, func(w *world) {
		w.watchers()
		w.start()
		w.fail("ep_bad", "domain.added", 4)
		w.notifier.Wake()
		synctest.Wait()
		if got := w.told(account); len(got) != 0 {
			t.Fatalf("after 4 failures: %s", types(got))
		}
		w.fail("ep_bad", "domain.added", 6)
		disabledAt := time.Now().Add(time.Millisecond).UTC() // the end of the last attempt
		w.notifier.Wake()
		synctest.Wait()
		got := w.told(account)
		want := "endpoint.warning to [ep_warned ep_watch], endpoint.warning to [ep_warned ep_watch], endpoint.disabled to [ep_watch]"
		if types(got) != want {
			t.Fatalf("told:\n%s\nwant:\n%s", types(got), want)
		}
		last := func(id string) map[string]any {
			return map[string]any{"delivery_id": id, "attempt": 1.0, "status_code": 503.0, "error_class": "server_error", "hint": "receiver.example answered 503."}
		}
		common := func(more map[string]any) map[string]any {
			more["endpoint_id"], more["url"], more["description"] = "ep_bad", "https://receiver.example/hooks/ep_bad", "Ticket system"
			return more
		}
		wants := []map[string]any{
			common(map[string]any{"consecutive_failures": 5.0, "disable_after": 10.0, "last_attempt": last("5")}),
			common(map[string]any{"consecutive_failures": 8.0, "disable_after": 10.0, "last_attempt": last("8")}),
			common(map[string]any{
				"consecutive_failures": 10.0, "reason": "consecutive_failures", "held_count": 10.0,
				"disabled_at": disabledAt.Format("2006-01-02T15:04:05.000Z"), "last_attempt": last("10"),
			}),
		}
		for i, want := range wants {
			if diff := cmp.Diff(want, got[i].data); diff != "" {
				t.Errorf("data of %s (-want +got):\n%s", got[i].eventType, diff)
			}
		}
		if other := w.told("acc_2"); len(other) != 0 {
			t.Errorf("another account was told: %s", types(other))
		}
		if rows := w.notices(); len(rows) != 0 {
			t.Errorf("%d notices are left", len(rows))
		}
	})
}

func TestADeadLetterIsToldOf(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule = delivery.Schedule{0}
		w.watchers()
		w.start()
		w.fail("ep_bad", "domain.added", 1)
		w.notifier.Wake()
		synctest.Wait()
		got := w.told(account)
		if want := "delivery.failed to [ep_watch]"; types(got) != want {
			t.Fatalf("told %q, want %q", types(got), want)
		}
		d, err := w.db.Delivery(w.t.Context(), account, 1)
		w.must(err)
		want := map[string]any{
			"delivery_id": "1", "event_id": d.EventID, "event_type": "domain.added", "endpoint_id": "ep_bad",
			"url": "https://receiver.example/hooks/ep_bad", "attempts": 1.0,
			"last_attempt": map[string]any{"delivery_id": "1", "attempt": 1.0, "status_code": 503.0, "error_class": "server_error", "hint": "receiver.example answered 503."},
		}
		if diff := cmp.Diff(want, got[0].data); diff != "" {
			t.Errorf("data (-want +got):\n%s", diff)
		}
	})
}

func TestAnEndpointThatIsGoneIsToldWithThatReason(t *testing.T) {
	within(t, func(w *world) {
		w.policy.DisableOnGone = true
		w.watchers()
		w.start()
		l := w.lease("ep_bad", "domain.added")
		a := failed(l)
		a.Class, a.StatusCode = delivery.ClientError, 410
		_, err := w.db.Record(w.t.Context(), w.policy, []store.Result{{Lease: l, Attempt: a, Change: delivery.Decide(w.policy, l, a.Outcome, 0)}})
		w.must(err)
		w.notifier.Wake()
		synctest.Wait()
		got := w.told(account)
		if types(got) != "endpoint.disabled to [ep_watch]" || got[0].data["reason"] != "gone" {
			t.Errorf("told %q with %v, want the reason gone", types(got), got)
		}
	})
}

func TestNothingSecretIsTold(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule = delivery.Schedule{0} // so that each failure is a dead letter besides
		w.watchers()
		w.start()
		w.fail("ep_bad", "domain.added", 10)
		w.notifier.Wake()
		synctest.Wait()
		all := w.told(account)
		if len(all) != 13 {
			t.Fatalf("told %d events, want ten dead letters, two warnings and the end: %s", len(all), types(all))
		}
		for _, canary := range canaries {
			for _, e := range all {
				if strings.Contains(e.body, canary) {
					t.Errorf("%s tells %s: %s", e.eventType, canary, e.body)
				}
			}
			if strings.Contains(w.log.String(), canary) {
				t.Errorf("the log tells %s:\n%s", canary, w.log.String())
			}
		}
	})
}

func TestWhatNobodyWantsToHearIsNotKept(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule = delivery.Schedule{0}
		w.endpoint(account, "ep_bad", "domain.added")
		w.endpoint(account, "ep_all", "*")
		w.start()
		w.fail("ep_bad", "domain.added", 10)
		w.notifier.Wake()
		synctest.Wait()
		if got := w.told(account); len(got) != 0 {
			t.Errorf("kept: %s", types(got))
		}
		if rows := w.notices(); len(rows) != 0 {
			t.Errorf("%d notices are left", len(rows))
		}
		for _, line := range []string{"endpoint disabled", "endpoint is failing", "delivery failed for good"} {
			if !strings.Contains(w.log.String(), line) {
				t.Errorf("the log does not say %q", line)
			}
		}
	})
}

func TestTheEndOfAnEndpointIsToldAlthoughNewsBroughtIt(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule = delivery.Schedule{0}
		w.watchers()
		w.endpoint(account, "ep_third", "endpoint.warning", "endpoint.disabled", "delivery.failed")
		w.fail("ep_watch", "delivery.failed", 10) // news of another endpoint; ep_watch subscribes to that of its own, too
		w.start()
		want := "endpoint.warning to [ep_third ep_warned], endpoint.warning to [ep_third ep_warned], endpoint.disabled to [ep_third]"
		if got := types(w.told(account)); got != want {
			t.Errorf("told:\n%s\nwant:\n%s", got, want)
		}
		if rows := w.notices(); len(rows) != 0 {
			t.Errorf("%d notices are left", len(rows))
		}
		if n := strings.Count(w.log.String(), "it is in the dead letter queue"); n != 10 {
			t.Errorf("%d dead letters logged, want each of ten", n)
		}
	})
}

// faulty is a store that fails a few times.
type faulty struct {
	store.Store
	deletes   int // failures of DeleteNotice left
	endpoints int // failures of Endpoint left
	attempts  int // attempts left that retention has removed
}

func (f *faulty) DeleteNotice(ctx context.Context, id string, mails ...store.Mail) error {
	if f.deletes > 0 {
		f.deletes--
		return store.ErrUnavailable
	}
	return f.Store.DeleteNotice(ctx, id, mails...)
}

func (f *faulty) Endpoint(ctx context.Context, accountID, id string) (store.EndpointView, error) {
	if f.endpoints > 0 {
		f.endpoints--
		return store.EndpointView{}, store.ErrUnavailable
	}
	return f.Store.Endpoint(ctx, accountID, id)
}

func (f *faulty) Attempt(ctx context.Context, accountID string, id delivery.ID, number int) (delivery.Attempt, error) {
	if f.attempts > 0 {
		f.attempts--
		return delivery.Attempt{}, store.ErrNotFound
	}
	return f.Store.Attempt(ctx, accountID, id, number)
}

func TestACrashBeforeTheNoticeIsRemovedTellsNothingTwice(t *testing.T) {
	tests := []struct {
		name      string
		meanwhile func(w *world) // before it is told again
	}{
		{"nothing has changed", func(*world) {}},
		{"more is held, so the event would read otherwise", func(w *world) {
			_, err := publish.New(publish.Config{Store: w.db, Lanes: parked{}}).
				Publish(w.t.Context(), account, []publish.Input{{Type: "domain.added", Data: []byte(`{"domain":"example.com"}`)}})
			w.must(err)
		}},
		{"somebody else subscribes", func(w *world) { w.endpoint(account, "ep_late", "endpoint.disabled") }},
		{"nobody subscribes any more", func(w *world) {
			_, err := w.db.DeleteEndpoint(w.t.Context(), account, "ep_watch", time.Now())
			w.must(err)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			within(t, func(w *world) {
				w.policy.DisableAfter = 1
				w.endpoint(account, "ep_bad", "domain.added")
				w.endpoint(account, "ep_watch", "endpoint.disabled")
				w.fail("ep_bad", "domain.added", 1)
				w.store = &faulty{Store: w.db, deletes: 1}
				w.start()
				first := w.told(account)
				if len(first) != 1 || len(w.notices()) != 1 || first[0].id != w.notices()[0].ID {
					t.Fatalf("told %s with %d notices left, want one event with the id of the notice that is left", types(first), len(w.notices()))
				}
				tt.meanwhile(w)
				time.Sleep(every)
				synctest.Wait()
				if diff := cmp.Diff(first, w.told(account), cmp.AllowUnexported(told{})); diff != "" {
					t.Errorf("events after it was told again (-first +now):\n%s", diff)
				}
				if rows := w.notices(); len(rows) != 0 {
					t.Errorf("%d notices are left", len(rows))
				}
			})
		})
	}
}

func TestANoticeOfWhatWasDeletedIsDropped(t *testing.T) {
	tests := []struct {
		name   string
		remove func(w *world)
	}{
		{"the endpoint", func(w *world) {
			_, err := w.db.DeleteEndpoint(w.t.Context(), account, "ep_bad", time.Now())
			w.must(err)
		}},
		{"the account", func(w *world) {
			w.must(w.db.DeleteAccount(w.t.Context(), "acc_2", time.Now()))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			within(t, func(w *world) {
				w.policy.Schedule = delivery.Schedule{0}
				w.watchers()
				w.endpoint("acc_2", "ep_two", "domain.added")
				w.fail("ep_bad", "domain.added", 1)
				w.failIn("acc_2", "ep_two")
				if n := len(w.notices()); n != 2 {
					t.Fatalf("%d notices, want 2", n)
				}
				tt.remove(w)
				w.start()
				if rows := w.notices(); len(rows) != 0 {
					t.Errorf("%d notices are left: %+v", len(rows), rows)
				}
				if n := len(w.told(account)) + len(w.told("acc_2")); n != 1 {
					t.Errorf("%d events, want only that of what is left", n)
				}
			})
		})
	}
}

// failIn lets one event of another account fail for good.
func (w *world) failIn(accountID, endpoint string) {
	w.t.Helper()
	l := delivery.Lease{
		AccountID: accountID, EndpointID: endpoint, EventID: "01890a5d-ac96-774b-bcce-b302099a8057", EventType: "domain.added",
		Token: 7, Until: time.Now().Add(time.Minute), Attempt: 1, Cycle: delivery.Automatic,
	}
	done, err := w.db.Publish(w.t.Context(), &store.Batch{AccountID: accountID, Events: []store.NewEvent{{
		ID: l.EventID, Type: l.EventType, CreatedAt: time.Now(), Body: []byte("{}"),
		Deliveries: []store.NewDelivery{{EndpointID: endpoint, Status: delivery.Sending, Cycle: l.Cycle, Token: l.Token, Until: l.Until, Node: "node-1"}},
	}}})
	w.must(err)
	l.ID = done[0].Deliveries[0].ID
	a := failed(l)
	_, err = w.db.Record(w.t.Context(), w.policy, []store.Result{{Lease: l, Attempt: a, Change: delivery.Decide(w.policy, l, a.Outcome, 0)}})
	w.must(err)
}

func TestAnAttemptThatRetentionRemovedIsLeftOut(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule = delivery.Schedule{0}
		w.watchers()
		w.fail("ep_bad", "domain.added", 1)
		w.store = &faulty{Store: w.db, attempts: 1}
		w.start()
		got := w.told(account)
		if types(got) != "delivery.failed to [ep_watch]" || got[0].data["last_attempt"] != nil {
			t.Errorf("told %q with %v, want it without last_attempt", types(got), got)
		}
	})
}

func TestANoticeWaitsWhileTheDatabaseIsAway(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule = delivery.Schedule{0}
		w.watchers()
		w.fail("ep_bad", "domain.added", 2)
		w.store = &faulty{Store: w.db, endpoints: 4} // both notices, in two rounds
		w.start()
		for range 2 {
			if n := len(w.notices()); n != 2 || len(w.told(account)) != 0 {
				t.Fatalf("%d notices left and %d told, want all to stay", n, len(w.told(account)))
			}
			time.Sleep(every)
			synctest.Wait()
		}
		time.Sleep(every)
		synctest.Wait()
		if n := len(w.notices()); n != 0 || len(w.told(account)) != 2 {
			t.Errorf("%d notices left and %d told, want both told", n, len(w.told(account)))
		}
		if !strings.Contains(w.log.String(), "notices not told") {
			t.Error("the log does not say that they wait")
		}
	})
}

// busy is a publisher that takes nothing for a while.
type busy struct {
	times int
	err   error
	calls int
}

func (b *busy) PublishOwn(context.Context, string, string, publish.Input) error {
	b.calls++
	if b.times--; b.times >= 0 {
		return b.err
	}
	return nil
}

func TestOnlyARefusalThatWouldRepeatGivesANoticeUp(t *testing.T) {
	tests := []struct {
		name  string
		err   error
		calls int // of the publisher, in two rounds
	}{
		{"accepted", nil, 1},
		{"busy", publish.ErrBusy, 2},
		{"full", store.ErrFull, 2},
		{"unavailable", store.ErrUnavailable, 2},
		{"a conflict", &store.Conflict{Message: "known"}, 1},
		{"the account is gone", store.ErrNotFound, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			within(t, func(w *world) {
				w.policy.Schedule = delivery.Schedule{0}
				w.watchers()
				w.fail("ep_bad", "domain.added", 1)
				b := &busy{times: 1, err: tt.err}
				w.publisher = b
				w.start()
				if left := len(w.notices()); left != tt.calls-1 {
					t.Errorf("%d notices left after the first round, want %d", left, tt.calls-1)
				}
				time.Sleep(every)
				synctest.Wait()
				if b.calls != tt.calls || len(w.notices()) != 0 {
					t.Errorf("%d calls and %d notices left, want %d and none", b.calls, len(w.notices()), tt.calls)
				}
			})
		})
	}
}

func TestAnInvalidEventOfOursIsToldWithoutWhatIsWrong(t *testing.T) {
	within(t, func(w *world) {
		w.policy.DisableAfter = 1
		w.watchers()
		l := w.lease("ep_bad", "domain.added")
		a := failed(l)
		a.Number = 0 // less than a schema of ours allows
		_, err := w.db.Record(w.t.Context(), w.policy, []store.Result{{Lease: l, Attempt: a, Change: delivery.Decide(w.policy, l, a.Outcome, 0)}})
		w.must(err)
		w.start()
		got := w.told(account)
		if types(got) != "endpoint.disabled to [ep_watch]" || got[0].data["endpoint_id"] != "ep_bad" || got[0].data["last_attempt"] != nil {
			t.Errorf("told %q with %v, want it without last_attempt", types(got), got)
		}
		if log := w.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "data.last_attempt.attempt") {
			t.Errorf("the log does not say what is wrong:\n%s", log)
		}
	})
}

func TestAnEventOfOursThatStaysInvalidIsGivenUpLoudly(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule = delivery.Schedule{0}
		w.watchers()
		w.fail("ep_bad", "domain.added", 1)
		b := &busy{times: 2, err: &publish.Invalid{Fields: []publish.Field{{Name: "data.url", Message: "is missing"}}}}
		w.publisher = b
		w.start()
		if b.calls != 2 || len(w.notices()) != 0 {
			t.Errorf("%d calls and %d notices left, want 2 and none", b.calls, len(w.notices()))
		}
		if n := strings.Count(w.log.String(), "level=ERROR"); n != 2 || !strings.Contains(w.log.String(), "data.url: is missing") {
			t.Errorf("%d errors logged, want both refusals with the field:\n%s", n, w.log.String())
		}
	})
}

func TestALongListIsToldInOneRound(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule, w.policy.DisableAfter = delivery.Schedule{0}, 0
		w.watchers()
		w.fail("ep_bad", "domain.added", 250)
		w.start()
		if n := len(w.told(account)); n != 250 || len(w.notices()) != 0 {
			t.Errorf("%d told and %d left, want 250 and none", n, len(w.notices()))
		}
	})
}

func TestANoticeThatAnotherNodeLeftIsFoundWithoutAWake(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule = delivery.Schedule{0}
		w.watchers()
		w.start()
		w.fail("ep_bad", "domain.added", 1)
		synctest.Wait()
		if n := len(w.told(account)); n != 0 {
			t.Fatalf("%d told already", n)
		}
		time.Sleep(every)
		synctest.Wait()
		if n := len(w.told(account)); n != 1 {
			t.Errorf("%d told after a round, want 1", n)
		}
	})
}
