package notify_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/seal"
	"github.com/compliancelayer/compliancelayer/internal/send"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// wire stands in for the network: it gives the status that an endpoint answers to an attempt.
type wire func(endpoint string, attempt int) int

func (x wire) Send(_ context.Context, _ *send.Target, l delivery.Lease) (delivery.Attempt, bool) {
	code := x(l.EndpointID, l.Attempt)
	a := delivery.Attempt{DeliveryID: l.ID, Number: l.Attempt, Cycle: l.Cycle}
	a.StartedAt = time.Now()
	a.EndedAt, a.StatusCode, a.Class = a.StartedAt.Add(time.Millisecond), code, delivery.ClassOf(code)
	return a, false
}

func (wire) Refuse(l delivery.Lease, _ string, _ error) delivery.Attempt {
	now := time.Now()
	return delivery.Attempt{DeliveryID: l.ID, Number: l.Attempt, Cycle: l.Cycle, Outcome: delivery.Outcome{StartedAt: now, EndedAt: now, Class: delivery.LocalFault}}
}

// dispatch runs a dispatcher, a publisher and the Notifier together, as the
// program does, and gives the publisher and what ends the dispatcher.
func (w *world) dispatch(answers wire) (p *publish.Publisher, stop func()) {
	w.t.Helper()
	key, err := seal.Parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	w.must(err)
	w.box, err = seal.NewBox(key)
	w.must(err)
	policy, err := egress.NewPolicy(egress.Config{Dev: true})
	w.must(err)
	disp := dispatch.New(dispatch.Config{
		Queue: w.db, Wire: answers, Egress: policy, Box: w.box, Policy: w.policy, Node: "node-1",
		Concurrency: 32, ScanEvery: 10 * time.Second, Log: slog.New(slog.DiscardHandler),
		Observe: func(_ store.Result, done store.Recorded) {
			if done.Notice != delivery.NoNotice || done.Change.Status == delivery.Failed {
				w.notifier.Wake()
			}
		},
	})
	p = publish.New(publish.Config{Store: w.db, Lanes: disp})
	w.publisher = p
	w.start()
	ctx, cancel := context.WithCancel(w.t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := disp.Run(ctx); err != nil {
			w.t.Errorf("run: %v", err)
		}
	})
	return p, func() {
		cancel()
		ended.Wait()
	}
}

// receiver adds an endpoint with a secret that can be opened.
func (w *world) receiver(id string, events ...string) {
	w.t.Helper()
	now := time.Now()
	e := delivery.Endpoint{ID: id, AccountID: account, URL: "http://127.0.0.1:8099/" + id, Events: events, State: delivery.Enabled, CreatedAt: now, UpdatedAt: now}
	sealed := w.box.Seal(dispatch.SecretPurpose, account, "sec_"+id, []byte(webhook.NewSecret().Reveal()))
	w.must(w.db.CreateEndpoint(w.t.Context(), e, store.Secret{ID: "sec_" + id, Role: store.Current, Sealed: sealed, CreatedAt: now}, 1000))
}

var operational = []string{"endpoint.disabled", "endpoint.warning", "delivery.failed"}

// troubled lets a few events fail for an endpoint, and three days pass.
func (w *world) troubled(p *publish.Publisher, events int) {
	w.t.Helper()
	for range events {
		_, err := p.Publish(w.t.Context(), account, []publish.Input{{ID: uuid.NewString(), Type: "domain.added", Data: []byte(`{"domain":"example.com"}`)}})
		w.must(err)
		time.Sleep(time.Second)
	}
	time.Sleep(3 * 24 * time.Hour)
}

// An endpoint fails until it is disabled. The one that is to hear of it fails, too,
// until it is disabled itself; and each would hear of the other. Both ends are told,
// to the one that is well, and then there is quiet.
func TestTwoFailingEndpointsThatHearOfEachOtherAreBothToldOfAndThenQuiet(t *testing.T) {
	within(t, func(w *world) {
		p, stop := w.dispatch(func(endpoint string, _ int) int {
			if endpoint == "ep_well" {
				return 200
			}
			return 500
		})
		w.receiver("ep_bad", append(operational, "domain.added")...)
		w.receiver("ep_watch", operational...)
		w.receiver("ep_well", operational...)
		w.troubled(p, 3)
		stop()

		for _, id := range []string{"ep_bad", "ep_watch"} {
			v, err := w.db.Endpoint(w.t.Context(), account, id)
			w.must(err)
			if v.State != delivery.Disabled || v.DisabledReason != delivery.ByFailures || v.Health.Failures != 10 {
				t.Fatalf("%s is %s (%s) after %d failures; want it disabled by ten, or this story shows nothing", id, v.State, v.DisabledReason, v.Health.Failures)
			}
		}
		all := w.told(account)
		ends := map[any]int{}
		for _, e := range all {
			if slices.Contains(e.to, e.data["endpoint_id"].(string)) {
				t.Errorf("%s about %v went to that one itself", e.eventType, e.data["endpoint_id"])
			}
			if !slices.Contains(e.to, "ep_well") {
				t.Errorf("%s went to %v, want ep_well to hear of it", e.eventType, e.to)
			}
			if e.eventType == "endpoint.disabled" {
				ends[e.data["endpoint_id"]]++
			}
		}
		if ends["ep_bad"] != 1 || ends["ep_watch"] != 1 {
			t.Errorf("disablings told: %v, want each once", ends)
		}
		if len(all) > 6 { // two warnings and the end of each
			t.Errorf("told %d times: %s", len(all), types(all))
		}
		if rows := w.notices(); len(rows) != 0 {
			t.Errorf("%d notices are left", len(rows))
		}
		delivered, err := w.db.CountDeliveries(w.t.Context(), account, store.DeliveryFilter{EndpointID: "ep_well", Statuses: []delivery.Status{delivery.Delivered}})
		if err != nil || delivered != len(all) {
			t.Errorf("%d of %d delivered to ep_well, %v", delivered, len(all), err)
		}
	})
}

// Each delivery fails five times, one after the other, which is worth a warning, and then succeeds, which
// sets the count to 0: these endpoints are never disabled, so that nothing but the
// rule ends their talk about each other.
func TestEndpointsThatWarnOfEachOtherOverAndOverFallSilent(t *testing.T) {
	within(t, func(w *world) {
		w.policy.Schedule = delivery.Schedule{0, time.Minute, time.Minute, time.Minute, time.Minute, time.Second}
		p, stop := w.dispatch(func(_ string, attempt int) int {
			if attempt < 6 {
				return 500
			}
			return 200
		})
		w.receiver("ep_1", append(operational, "domain.added")...)
		w.receiver("ep_2", operational...)
		w.troubled(p, 1)
		stop()
		all := w.told(account)
		if want := "endpoint.warning to [ep_2]"; types(all) != want {
			t.Errorf("told %d times: %s; want %s", len(all), types(all), want)
		}
		waiting, err := w.db.CountDeliveries(w.t.Context(), account, store.DeliveryFilter{Statuses: []delivery.Status{delivery.Pending, delivery.Retrying, delivery.Sending}})
		if err != nil || waiting != 0 {
			t.Errorf("%d deliveries are still on their way after three days, %v", waiting, err)
		}
	})
}
