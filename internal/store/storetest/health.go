package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func healthChecks() []check {
	return []check{
		{"failures one after the other count, in the answer and on disk", healthCounts},
		{"failures that overlap in time count once", healthOverlaps},
		{"a success sets the counts to 0", healthReset},
		{"a success between failures of one batch sets the counts to 0", healthMixed},
		{"tests and failures on our side do not count", healthUntouched},
		{"manual attempts narrow and never disable", healthManual},
		{"failures recorded at the same time are all counted", healthAtOnce},
		{"the warnings and the disabling are written once each, outcomes recorded one by one", healthNoticesOneByOne},
		{"the warnings and the disabling are written once each, outcomes recorded in one call", healthNoticesTogether},
		{"an endpoint that an outcome disables holds what waits", healthDisabling},
		{"410 disables when the policy says so", healthGone},
		{"a dead letter is told once", healthDeadLetter},
		{"news of news that could go round is told quietly", healthQuiet},
	}
}

// minute gives the start of the i-th of attempts that do not overlap.
func minute(i int) time.Time { return at(time.Duration(i) * time.Minute) }

func healthCounts(w *world) {
	endpoint := w.newEndpoint()
	p := rules()
	var want delivery.Health
	for i := range 6 {
		r := result(p, w.lease(endpoint), outcome(delivery.ServerError, minute(i)))
		want, _ = want.After(p, r.Change, r.Attempt.Outcome)
		w.equal("health in the answer", w.record(p, r)[0].Health, want)
		w.equal("health on disk", w.endpoint(endpoint).Health, want)
	}
	if want.Failures != 6 || want.Streak != 6 {
		w.t.Errorf("six failures count as %+v", want)
	}
}

func healthOverlaps(w *world) {
	endpoint := w.newEndpoint()
	var results []store.Result
	for range 8 {
		results = append(results, result(rules(), w.lease(endpoint), outcome(delivery.ServerError, at(0))))
	}
	w.record(rules(), results[:4]...)
	for _, r := range results[4:] {
		w.record(rules(), r)
	}
	if h := w.endpoint(endpoint).Health; h.Failures != 1 || h.Streak != 1 {
		w.t.Errorf("eight failures at the same time count as %+v, want one", h)
	}
}

func healthReset(w *world) {
	endpoint := w.newEndpoint()
	for i := range 4 {
		w.end(rules(), w.lease(endpoint), delivery.ServerError, minute(i))
	}
	got := w.end(rules(), w.lease(endpoint), delivery.OK, minute(5))
	w.equal("health in the answer", got.Health, delivery.Health{})
	w.equal("health on disk", w.endpoint(endpoint).Health, delivery.Health{})
}

func healthUntouched(w *world) {
	endpoint := w.newEndpoint()
	w.end(rules(), w.lease(endpoint), delivery.ServerError, minute(0))
	want := w.endpoint(endpoint).Health
	for i, class := range []delivery.Class{delivery.ServerError, delivery.OK} {
		l := w.leased(delivery.Test, "scan.completed", endpoint)[0]
		w.end(rules(), l, class, minute(i+1))
	}
	for i, class := range []delivery.Class{delivery.Interrupted, delivery.Unknown, delivery.LocalNetwork, delivery.LocalFault} {
		w.end(rules(), w.lease(endpoint), class, minute(i+3))
	}
	w.equal("health", w.endpoint(endpoint).Health, want)
}

func healthManual(w *world) {
	endpoint := w.newEndpoint()
	for i := range 15 {
		l := w.leased(delivery.Manual, "scan.completed", endpoint)[0]
		w.end(rules(), l, delivery.ServerError, minute(i))
	}
	got := w.endpoint(endpoint)
	if got.State != delivery.Enabled || got.Health.Failures != 0 || got.Health.Streak != 15 {
		w.t.Errorf("after 15 failed manual attempts: got %s with %+v, want enabled, a streak of 15 and no failures", got.State, got.Health)
	}
}

func healthAtOnce(w *world) {
	endpoint := w.newEndpoint()
	p := rules()
	p.DisableAfter = 1000
	results := make([]store.Result, 20)
	for i := range results {
		// Zero length: they count in whatever order they are recorded.
		o := outcome(delivery.ServerError, at(0))
		o.EndedAt = o.StartedAt
		results[i] = result(p, w.lease(endpoint), o)
	}
	w.atOnce(len(results), func(i int) error {
		_, err := w.s.Record(w.ctx(), p, results[i:i+1])
		return err
	})
	if h := w.endpoint(endpoint).Health; h.Failures != 20 {
		w.t.Errorf("20 failures recorded at the same time count as %d", h.Failures)
	}
}

func healthNoticesOneByOne(w *world) {
	noticesOfDisabling(w, func(p delivery.Policy, results []store.Result) []store.Recorded {
		var recorded []store.Recorded
		for _, r := range results {
			recorded = append(recorded, w.record(p, r)...)
		}
		return recorded
	})
}

func healthNoticesTogether(w *world) {
	noticesOfDisabling(w, func(p delivery.Policy, results []store.Result) []store.Recorded {
		return w.record(p, results...)
	})
}

// noticesOfDisabling lets 12 attempts fail that were all on their way before
// the tenth disabled the endpoint.
func noticesOfDisabling(w *world, record func(delivery.Policy, []store.Result) []store.Recorded) {
	endpoint := w.newEndpoint()
	var results []store.Result
	for i := range 12 {
		results = append(results, result(rules(), w.lease(endpoint), outcome(delivery.ServerError, minute(i))))
	}
	want := map[int]delivery.Notice{4: delivery.Warning, 7: delivery.Warning, 9: delivery.DisabledIt}
	for i, got := range record(rules(), results) {
		if got.Notice != want[i] {
			w.t.Errorf("failure %d: got notice %q, want %q", i+1, got.Notice, want[i])
		}
		if wantState := map[bool]delivery.State{true: delivery.Enabled, false: delivery.Disabled}[i < 9]; got.State != wantState {
			w.t.Errorf("failure %d: the endpoint is %s, want %s", i+1, got.State, wantState)
		}
	}
	var rows []store.NoticeRow
	for _, i := range []int{4, 7, 9} {
		row := noticeOf(results[i], want[i])
		row.Failures = i + 1
		if want[i] == delivery.DisabledIt {
			row.Reason = delivery.ByFailures
		}
		rows = append(rows, row)
	}
	w.wantNotices(rows...)
}

// noticeOf gives the notice that a result is told in.
func noticeOf(r store.Result, kind delivery.Notice) store.NoticeRow {
	return store.NoticeRow{
		AccountID: r.Lease.AccountID, Kind: kind, EndpointID: r.Lease.EndpointID,
		DeliveryID: r.Lease.ID, Number: r.Lease.Attempt, CreatedAt: r.Attempt.EndedAt,
	}
}

// wantNotices compares the notices of the account, in their order, each with an
// id of its own. Which count a dead letter tells is nobody's concern.
func (w *world) wantNotices(want ...store.NoticeRow) {
	w.t.Helper()
	got := w.notices()
	ids := make(map[string]bool)
	for i := range got {
		if _, err := uuid.Parse(got[i].ID); err != nil || ids[got[i].ID] {
			w.t.Errorf("the id of notice %+v is not a UUID of its own", got[i])
		}
		ids[got[i].ID] = true
		got[i].ID = ""
		if got[i].Kind == delivery.DeadLettered {
			got[i].Failures = 0
		}
	}
	w.equal("notices", got, want)
}

func healthDisabling(w *world) {
	endpoint := w.newEndpoint()
	waiting := w.publishOne(at(0), pendingTo(endpoint))
	later := w.inStatus(endpoint, delivery.Retrying)
	p := rules()
	p.DisableAfter = 2
	l := w.lease(endpoint)
	o := outcome(delivery.ServerError, minute(1))
	got := w.record(p, result(p, l, o))[0]
	if got.State != delivery.Disabled || got.Notice != delivery.DisabledIt || got.Change.Status != w.delivery(l.ID).Status {
		w.t.Errorf("the answer: got %+v, want disabled, and the change as it was written", got)
	}
	for _, id := range []delivery.ID{waiting, later, l.ID} {
		w.wantStatus(id, delivery.Held)
		if due := w.delivery(id).DueAt; !due.IsZero() {
			w.t.Errorf("delivery %d is held and due at %s", id, due)
		}
	}
	view := w.endpoint(endpoint)
	if view.State != delivery.Disabled || view.DisabledReason != delivery.ByFailures || !view.DisabledAt.Equal(o.EndedAt) {
		w.t.Errorf("the endpoint: got %s by %q at %s, want disabled by failures at %s", view.State, view.DisabledReason, view.DisabledAt, o.EndedAt)
	}
	w.equal("the audit", w.audit(10), []store.AuditEntry{{
		AccountID: w.account, Actor: store.System, Action: store.DisabledEndpoint, Object: endpoint, At: o.EndedAt,
		Detail: fmt.Sprintf("enabled → disabled: failed attempts in a row: 2, the last with attempt 1 of delivery %d", l.ID),
	}})
	if id, number := store.DisabledBy(w.audit(10)[0].Detail); id != l.ID || number != 1 {
		w.t.Errorf("the audit is read as attempt %d of delivery %d, want attempt 1 of %d", number, id, l.ID)
	}
}

func healthGone(w *world) {
	for _, tt := range []struct {
		name   string
		policy bool
		state  delivery.State
		reason delivery.Reason
	}{
		{"set", true, delivery.Disabled, delivery.ByGone},
		{"not set", false, delivery.Enabled, delivery.NotDisabled},
	} {
		w.t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, w.s)
			endpoint := w.newEndpoint()
			p := rules()
			p.DisableOnGone = tt.policy
			o := outcome(delivery.ClientError, at(0))
			o.StatusCode = 410
			w.record(p, result(p, w.lease(endpoint), o))
			if got := w.endpoint(endpoint); got.State != tt.state || got.DisabledReason != tt.reason {
				t.Errorf("the endpoint is %s by %q, want %s by %q", got.State, got.DisabledReason, tt.state, tt.reason)
			}
			if rows := w.audit(10); (len(rows) == 1 && strings.Contains(rows[0].Detail, "410 Gone")) != tt.policy {
				t.Errorf("the audit has %+v", rows)
			}
		})
	}
}

func healthDeadLetter(w *world) {
	for _, cycle := range []delivery.Cycle{delivery.Automatic, delivery.Manual} {
		w.t.Run(string(cycle), func(t *testing.T) {
			w := newWorld(t, w.s)
			l := w.leased(cycle, "scan.completed", w.newEndpoint())[0]
			r := result(lastStep(), l, outcome(delivery.ServerError, at(0)))
			if got := w.record(lastStep(), r)[0].Notice; got != delivery.NoNotice {
				t.Errorf("the answer's notice: got %q, want none: the endpoint is well", got)
			}
			w.wantNotices(noticeOf(r, delivery.DeadLettered))
		})
	}
}

// The event of a notice is itself delivered; news of its failure must not go round
// for ever. Which notices are quiet, delivery.Notice.Quiet says.
func healthQuiet(w *world) {
	for eventType, news := range map[string]delivery.Notice{
		"scan.completed": delivery.NoNotice, "endpoint.disabled": delivery.DisabledIt,
		"endpoint.warning": delivery.Warning, "endpoint.alert": delivery.AlertOpened, "delivery.failed": delivery.DeadLettered,
	} {
		w.t.Run(eventType, func(t *testing.T) {
			w := newWorld(t, w.s)
			endpoint := w.newEndpoint()
			for i := range 10 {
				l := w.leased(delivery.Automatic, eventType, endpoint)[0]
				w.end(lastStep(), l, delivery.ServerError, minute(i))
			}
			told := make(map[delivery.Notice]int)
			for _, row := range w.notices() {
				told[row.Kind]++
				if want := row.Kind.Quiet(news); row.Quiet != want {
					t.Errorf("notice %+v: want quiet %t", row, want)
				}
			}
			if told[delivery.Warning] != 2 || told[delivery.DisabledIt] != 1 {
				t.Errorf("notices: got %v, want two warnings and one disabling", told)
			}
		})
	}
}

func healthMixed(w *world) {
	endpoint := w.newEndpoint()
	var results []store.Result
	for i := range 24 {
		class := delivery.ServerError
		if i%2 == 1 {
			class = delivery.OK
		}
		results = append(results, result(rules(), w.lease(endpoint), outcome(class, minute(i))))
	}
	for i, r := range w.record(rules(), results...) {
		if want := 1 - i%2; r.Health.Failures != want || r.State != delivery.Enabled {
			w.t.Errorf("outcome %d: %d failures, %s, want %d, enabled", i, r.Health.Failures, r.State, want)
		}
	}
	if e := w.endpoint(endpoint); e.State != delivery.Enabled || e.Health.Failures != 0 || e.Health.Streak != 0 {
		w.t.Errorf("after failures and successes in turn: %s, health %+v", e.State, e.Health)
	}
}
