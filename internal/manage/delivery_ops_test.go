package manage_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestADeliveryIsReadWithItsAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id := w.publish(w.endpoint(w.user), 1, delivery.ServerError)[0]
	ofAdmin := w.publish(w.endpoint(w.admin), 1, delivery.ServerError)[0]

	got := must(w.Delivery(t.Context(), w.user, id))(t)
	if got.Status != delivery.Failed || len(got.Attempts) != 1 || got.Attempts[0].Class != delivery.ServerError {
		t.Errorf("got %+v, want a failed delivery with its attempt", got)
	}
	attempt := must(w.Attempt(t.Context(), w.user, manage.GetAttempt{DeliveryID: id, Number: 1}))(t)
	if string(attempt.Body) != "{}" || attempt.Number != 1 {
		t.Errorf("got %+v, want the first attempt with the body of its event", attempt)
	}
	// What only operators may see tells about their network.
	if got.Attempts[0].LocalInfo+attempt.LocalInfo != "" {
		t.Errorf("an account sees %q", got.Attempts[0].LocalInfo+attempt.LocalInfo)
	}
	if got := must(w.Attempt(t.Context(), w.admin, manage.GetAttempt{DeliveryID: ofAdmin, Number: 1}))(t); got.LocalInfo == "" {
		t.Error("an operator does not see what is for operators")
	}
	for _, in := range []manage.GetAttempt{{DeliveryID: id, Number: 2}, {DeliveryID: id}, {DeliveryID: id + 1000, Number: 1}} {
		if _, err := w.Attempt(t.Context(), w.user, in); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%+v: got %v, want ErrNotFound", in, err)
		}
	}
}

func TestFiltersThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	now := time.Now()
	tests := []struct {
		name   string
		filter store.DeliveryFilter
		want   []string
	}{
		{"a status that there is not", store.DeliveryFilter{Statuses: []delivery.Status{"done"}}, []string{"status"}},
		{"a zero byte in the endpoint", store.DeliveryFilter{EndpointID: "ep_\x00"}, []string{"endpoint_id"}},
		{"a space in the event", store.DeliveryFilter{EventID: "a b"}, []string{"event_id"}},
		{"a type that is no text", store.DeliveryFilter{Types: []string{"scan.completed", "\xff"}}, []string{"types[1]"}},
		{"a class that there is not", store.DeliveryFilter{Class: "bad_luck"}, []string{"class"}},
		{"an end before its beginning", store.DeliveryFilter{From: now, To: now}, []string{"to"}},
		{"all at once", store.DeliveryFilter{EventID: " ", Class: "x", Statuses: []delivery.Status{"y"}}, []string{"event_id", "status", "class"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := w.ListDeliveries(t.Context(), w.user, manage.ListDeliveries{Filter: tt.filter})
			if diff := cmp.Diff(tt.want, invalid(t, err)); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
			_, err = w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{Filter: tt.filter})
			if diff := cmp.Diff(tt.want, invalid(t, err)); diff != "" {
				t.Errorf("retry (-want +got):\n%s", diff)
			}
			_, err = w.DiscardDeliveries(t.Context(), w.user, manage.DiscardDeliveries{Filter: tt.filter, Reason: "old"})
			if diff := cmp.Diff(tt.want, invalid(t, err)); diff != "" {
				t.Errorf("discard (-want +got):\n%s", diff)
			}
		})
	}
	_, err := w.ListEvents(t.Context(), w.user, manage.ListEvents{Filter: store.EventFilter{Type: "\x00", From: now, To: now}})
	if diff := cmp.Diff([]string{"type", "to"}, invalid(t, err)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestTheDeadLetterQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a, b := w.endpoint(w.user), w.endpoint(w.user)
	w.publish(a, 2, delivery.ServerError)
	w.publish(a, 1, delivery.DNSFailure)
	w.publish(b, 4, delivery.ServerError)
	w.publish(b, 1, delivery.OK)
	w.publish(b, 1, "")

	tests := []struct {
		name string
		in   manage.DeadLetters
		want int
	}{
		{"all", manage.DeadLetters{}, 7},
		{"of an endpoint", manage.DeadLetters{EndpointID: a.ID}, 3},
		{"of a cause", manage.DeadLetters{Class: delivery.ServerError}, 6},
		{"of a type", manage.DeadLetters{Type: "scan.completed"}, 7},
		{"of another type", manage.DeadLetters{Type: "domain.added"}, 0},
		{"of the future", manage.DeadLetters{From: time.Now().Add(time.Hour)}, 0},
		{"of the past", manage.DeadLetters{To: time.Now().Add(-time.Hour)}, 0},
	}
	for _, tt := range tests {
		if got := must(w.DeadLetters(t.Context(), w.user, tt.in))(t); len(got.Rows) != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, len(got.Rows), tt.want)
		}
	}
	want := []store.CauseCount{
		{EndpointID: b.ID, Class: delivery.ServerError, Count: 4},
		{EndpointID: a.ID, Class: delivery.ServerError, Count: 2},
		{EndpointID: a.ID, Class: delivery.DNSFailure, Count: 1},
	}
	if diff := cmp.Diff(want, must(w.DeadLetterCounts(t.Context(), w.user, 0))(t)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestRetryingOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	id := w.publish(e, 1, delivery.ServerError)[0]
	got := must(w.RetryDelivery(t.Context(), w.user, id))(t)
	if got.ID != id || !got.Status.Waiting() || got.Cycle != delivery.Manual || got.DueAt.After(time.Now()) {
		t.Errorf("got %+v, want the same delivery waiting in a manual cycle, due now", got)
	}
	failed := w.publish(e, 1, delivery.ServerError)[0]
	must(w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: e.ID}))(t)
	if _, err := w.RetryDelivery(t.Context(), w.user, failed); !errors.Is(err, store.ErrDisabled) {
		t.Errorf("of a disabled endpoint: got %v, want ErrDisabled", err)
	}
}

func TestDiscardingOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id := w.publish(w.endpoint(w.user), 1, delivery.ServerError)[0]
	for _, reason := range []string{"", " ", strings.Repeat("x", 501), "a\x00"} {
		_, err := w.DiscardDelivery(t.Context(), w.user, manage.DiscardDelivery{ID: id, Reason: reason})
		if diff := cmp.Diff([]string{"reason"}, invalid(t, err)); diff != "" {
			t.Errorf("reason %.10q (-want +got):\n%s", reason, diff)
		}
	}
	got := must(w.DiscardDelivery(t.Context(), w.user, manage.DiscardDelivery{ID: id, Reason: "too old"}))(t)
	if got.Status != delivery.Discarded || got.Discard != "too old" {
		t.Errorf("got %s because %q, want discarded because it is too old", got.Status, got.Discard)
	}
	if _, err := w.DiscardDelivery(t.Context(), w.user, manage.DiscardDelivery{ID: id, Reason: "again"}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("again: got %v, want a conflict", err)
	}
}

func TestRetryingMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a, b := w.endpoint(w.user), w.endpoint(w.user)
	w.publish(a, 3, delivery.ServerError)
	w.publish(b, 2, delivery.DNSFailure)
	delivered := w.publish(b, 4, delivery.OK)
	tests := []struct {
		name   string
		filter store.DeliveryFilter
		want   int
	}{
		{"without a filter what failed", store.DeliveryFilter{}, 5},
		{"what failed of an endpoint", store.DeliveryFilter{EndpointID: a.ID}, 3},
		{"what failed of a cause", store.DeliveryFilter{Class: delivery.DNSFailure}, 2},
		{"what was delivered", store.DeliveryFilter{Statuses: []delivery.Status{delivery.Delivered}}, 4},
		{"all that is over", store.DeliveryFilter{Statuses: []delivery.Status{delivery.Failed, delivery.Delivered, delivery.Discarded, delivery.Held}}, 9},
	}
	for _, tt := range tests {
		got := must(w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{Filter: tt.filter, DryRun: true}))(t)
		if diff := cmp.Diff(manage.Bulk{Count: tt.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if jobs := must(w.ListJobs(t.Context(), w.user, manage.Page{}))(t).Rows; len(jobs) != 0 {
		t.Errorf("counting made jobs: %+v", jobs)
	}

	got := must(w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{Filter: tests[3].filter, PerSecond: 9}))(t)
	if got.Count != 4 || got.Job == nil || got.Job.Total != 4 || got.Job.PerSecond != 9 || got.Job.Kind != store.JobRetry {
		t.Fatalf("got %+v, want a job that retries 4 at 9 a second", got)
	}
	w.run(got.Job.ID)
	if d := must(w.Delivery(t.Context(), w.user, delivered[0]))(t); d.Cycle != delivery.Manual || !d.Status.Waiting() {
		t.Errorf("a delivered one is %s in cycle %s, want waiting in a manual one", d.Status, d.Cycle)
	}
	if got := must(w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{Filter: tests[3].filter}))(t); got.Job != nil || got.Count != 0 {
		t.Errorf("with nothing left: got %+v, want no job", got)
	}
}

func TestDiscardingMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a, b := w.endpoint(w.user), w.endpoint(w.user)
	failed := w.publish(a, 3, delivery.ServerError)
	w.publish(b, 2, delivery.DNSFailure)
	delivered := w.publish(b, 4, delivery.OK)[0]
	must(w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: a.ID}))(t)
	tests := []struct {
		name   string
		filter store.DeliveryFilter
		want   int
	}{
		{"without a filter what failed", store.DeliveryFilter{}, 5},
		{"what failed of an endpoint that is disabled", store.DeliveryFilter{EndpointID: a.ID}, 3},
		{"what failed of a cause", store.DeliveryFilter{Class: delivery.DNSFailure}, 2},
		{"what is held", store.DeliveryFilter{Statuses: []delivery.Status{delivery.Held}}, 0},
		{"all that one could be", store.DeliveryFilter{Statuses: []delivery.Status{delivery.Failed, delivery.Held, delivery.Pending, delivery.Retrying}}, 5},
		{"of an endpoint that is not known", store.DeliveryFilter{EndpointID: "ep_none"}, 0},
	}
	for _, tt := range tests {
		got := must(w.DiscardDeliveries(t.Context(), w.user, manage.DiscardDeliveries{Filter: tt.filter, Reason: "x", DryRun: true}))(t)
		if diff := cmp.Diff(manage.Bulk{Count: tt.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if got := w.status(w.user.AccountID, failed[0]); got != delivery.Failed {
		t.Errorf("counting made one %s", got)
	}

	got := must(w.DiscardDeliveries(t.Context(), w.user, manage.DiscardDeliveries{Filter: store.DeliveryFilter{EndpointID: a.ID}, Reason: "sent by hand"}))(t)
	if got.Count != 3 || got.Job == nil || got.Job.Total != 3 || got.Job.Kind != store.JobDiscard || got.Job.Reason != "sent by hand" {
		t.Fatalf("got %+v, want a job that discards 3, which were sent by hand", got)
	}
	if job := must(w.Job(t.Context(), w.user, got.Job.ID))(t); job.Reason != "sent by hand" {
		t.Errorf("the job has the reason %q", job.Reason)
	}
	row := must(w.ListAudit(t.Context(), w.user, manage.ListAudit{Page: manage.Page{Limit: 1}}))(t).Rows[0]
	if want := "3 deliveries (failed) to " + a.ID + ": sent by hand"; row.Action != "deliveries.discard" || row.Object != got.Job.ID || row.Detail != want {
		t.Errorf("the audit says %+v, want %q of the job", row, want)
	}
	w.run(got.Job.ID)
	for _, id := range failed {
		if d := must(w.Delivery(t.Context(), w.user, id))(t); d.Status != delivery.Discarded || d.Discard != "sent by hand" {
			t.Errorf("delivery %d is %s because %q, want it discarded because it was sent by hand", id, d.Status, d.Discard)
		}
	}
	if got := w.status(w.user.AccountID, delivered); got != delivery.Delivered {
		t.Errorf("what was delivered is %s", got)
	}
	if got := must(w.DiscardDeliveries(t.Context(), w.user, manage.DiscardDeliveries{Filter: store.DeliveryFilter{EndpointID: a.ID}, Reason: "x"}))(t); got.Job != nil || got.Count != 0 {
		t.Errorf("with nothing left: got %+v, want no job", got)
	}
}

func TestWhatABulkDiscardRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id := w.publish(w.endpoint(w.user), 1, delivery.ServerError)[0]
	for _, reason := range []string{"", " ", strings.Repeat("x", 501), "a\x00"} {
		for _, dry := range []bool{false, true} {
			_, err := w.DiscardDeliveries(t.Context(), w.user, manage.DiscardDeliveries{Reason: reason, DryRun: dry})
			if diff := cmp.Diff([]string{"reason"}, invalid(t, err)); diff != "" {
				t.Errorf("reason %.10q (-want +got):\n%s", reason, diff)
			}
		}
	}
	for _, s := range []delivery.Status{delivery.Sending, delivery.Delivered, delivery.Discarded} {
		_, err := w.DiscardDeliveries(t.Context(), w.user, manage.DiscardDeliveries{Filter: store.DeliveryFilter{Statuses: []delivery.Status{s}}, Reason: "x"})
		if diff := cmp.Diff([]string{"status"}, invalid(t, err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s, diff)
		}
	}
	got := must(w.DiscardDeliveries(t.Context(), w.admin, manage.DiscardDeliveries{Reason: "x"}))(t)
	if got.Count != 0 || got.Job != nil || w.status(w.user.AccountID, id) != delivery.Failed {
		t.Errorf("of another account: got %+v, want none found", got)
	}
}

func TestWhatABulkRetryRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	for _, s := range []delivery.Status{delivery.Pending, delivery.Retrying, delivery.Sending} {
		_, err := w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{Filter: store.DeliveryFilter{Statuses: []delivery.Status{s}}, PerSecond: -1})
		if diff := cmp.Diff([]string{"status", "per_second"}, invalid(t, err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s, diff)
		}
	}
	if _, err := w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{Filter: store.DeliveryFilter{EndpointID: "ep_none"}}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown endpoint: got %v, want ErrNotFound", err)
	}
	must(w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: e.ID}))(t)
	if _, err := w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{Filter: store.DeliveryFilter{EndpointID: e.ID}}); !errors.Is(err, store.ErrDisabled) {
		t.Errorf("a disabled endpoint: got %v, want ErrDisabled", err)
	}
	span := manage.ReplayEndpoint{ID: e.ID, From: time.Now().Add(-time.Hour), To: time.Now()}
	if _, err := w.ReplayEndpoint(t.Context(), w.user, span); !errors.Is(err, store.ErrDisabled) {
		t.Errorf("replay of a disabled endpoint: got %v, want ErrDisabled", err)
	}
}

func TestReplayingAnEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e, other := w.endpoint(w.user), w.endpoint(w.user)
	w.publish(e, 2, delivery.ServerError)
	w.publish(e, 3, delivery.OK)
	w.publish(other, 5, delivery.ServerError)
	hour := manage.ReplayEndpoint{ID: e.ID, From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), DryRun: true}
	tests := []struct {
		name   string
		change func(*manage.ReplayEndpoint)
		want   int
	}{
		{"what failed", func(*manage.ReplayEndpoint) {}, 2},
		{"what was delivered too", func(in *manage.ReplayEndpoint) {
			in.Statuses = []delivery.Status{delivery.Failed, delivery.Delivered}
		}, 5},
		{"of another type", func(in *manage.ReplayEndpoint) { in.Types = []string{"domain.added"} }, 0},
		{"of the hour before", func(in *manage.ReplayEndpoint) { in.To, in.From = in.From, in.From.Add(-time.Hour) }, 0},
	}
	for _, tt := range tests {
		in := hour
		tt.change(&in)
		if got := must(w.ReplayEndpoint(t.Context(), w.user, in))(t); got.Count != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got.Count, tt.want)
		}
	}
	// Without an endpoint it would be a retry of everything.
	_, err := w.ReplayEndpoint(t.Context(), w.user, manage.ReplayEndpoint{})
	if diff := cmp.Diff([]string{"endpoint_id", "from", "to"}, invalid(t, err)); diff != "" {
		t.Errorf("of nothing (-want +got):\n%s", diff)
	}
}

func TestCancellingAJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.publish(w.endpoint(w.user), 1, delivery.ServerError)
	job := must(w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{}))(t).Job
	if got := must(w.CancelJob(t.Context(), w.user, job.ID))(t); got.State != store.JobCancelled {
		t.Errorf("the job is %s, want cancelled", got.State)
	}
	if _, err := w.CancelJob(t.Context(), w.user, job.ID); !errors.Is(err, store.ErrConflict) {
		t.Errorf("again: got %v, want a conflict", err)
	}
}

// behind is a store whose server's clock is two minutes behind that of this process.
type behind struct{ manage.Store }

func (b behind) Clock(ctx context.Context) (time.Time, error) {
	t, err := b.Store.Clock(ctx)
	return t.Add(-2 * time.Minute), err
}

func TestARetryOnANodeWhoseClockIsAheadIsDueAtOnceByTheClockOfTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *manage.Config) { c.Store = behind{c.Store} })
	e := w.endpoint(w.user)
	ids := w.publish(e, 3, delivery.ServerError)
	theirs := func() time.Time { return must(behind{w.db}.Clock(t.Context()))(t) }
	if d := must(w.RetryDelivery(t.Context(), w.user, ids[0]))(t); d.DueAt.After(theirs()) {
		t.Errorf("due at %s, and it is %s by the clock of the store", d.DueAt, theirs())
	}
	if d := must(w.DiscardDelivery(t.Context(), w.user, manage.DiscardDelivery{ID: ids[1], Reason: "not wanted"}))(t); d.UpdatedAt.After(theirs()) {
		t.Errorf("discarded at %s, and it is %s by the clock of the store", d.UpdatedAt, theirs())
	}
	bulk := must(w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{}))(t)
	if bulk.Job == nil || bulk.Job.CreatedAt.After(theirs()) {
		t.Fatalf("the job is %+v, and it is %s by the clock of the store", bulk.Job, theirs())
	}
	w.run(bulk.Job.ID) // what it takes was created later than the job, by this clock
	if s := w.status(w.user.AccountID, ids[2]); s != delivery.Retrying {
		t.Errorf("the delivery is %s, want it retried by the job", s)
	}
}

// A test was written by this process's clock and leased by the store's: when that was put back, what was left of it was not mended.
func TestATestIsWrittenByTheClockOfTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *manage.Config) { c.Store = behind{c.Store} })
	done := must(w.TestEndpoint(t.Context(), w.user, manage.TestEndpoint{ID: w.endpoint(w.user).ID}))(t)
	d := must(w.Delivery(t.Context(), w.user, done.Attempt.DeliveryID))(t)
	if theirs := must(behind{w.db}.Clock(t.Context()))(t); d.CreatedAt.After(theirs) {
		t.Errorf("created at %s, and it is %s by the clock of the store", d.CreatedAt, theirs)
	}
}

// A dry run counted tests, which the job then passed over.
func TestABulkRetryDoesNotCountTests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	w.publish(e, 2, delivery.OK)
	test := must(w.TestEndpoint(t.Context(), w.user, manage.TestEndpoint{ID: e.ID}))(t)
	delivered := []delivery.Status{delivery.Delivered}
	span := manage.ReplayEndpoint{ID: e.ID, From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Statuses: delivered, DryRun: true}
	if got := must(w.ReplayEndpoint(t.Context(), w.user, span))(t); got.Count != 2 || got.Skipped != 0 {
		t.Errorf("replay counts %+v, want 2", got)
	}
	got := must(w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{Filter: store.DeliveryFilter{Statuses: delivered}}))(t)
	if got.Count != 2 || got.Skipped != 0 || got.Job == nil {
		t.Fatalf("got %+v, want a job of 2", got)
	}
	w.run(got.Job.ID)
	if job := must(w.Job(t.Context(), w.user, got.Job.ID))(t); job.Done != 2 || job.Skipped != 0 {
		t.Errorf("the job: %+v, want 2 done, none skipped", job)
	}
	if s := w.status(w.user.AccountID, test.Attempt.DeliveryID); s != delivery.Delivered {
		t.Errorf("the test is %s", s)
	}
}

func TestABulkRetrySaysHowManyItPassesOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	well, off, gone := w.endpoint(w.user), w.endpoint(w.user), w.endpoint(w.user)
	w.publish(well, 1, delivery.ServerError)
	w.publish(off, 2, delivery.ServerError)
	w.publish(gone, 4, delivery.ServerError)
	must(w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: off.ID}))(t)
	must(w.DeleteEndpoint(t.Context(), w.user, manage.DeleteEndpoint{ID: gone.ID}))(t)
	for _, dry := range []bool{true, false} {
		got := must(w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{DryRun: dry}))(t)
		if got.Count != 7 || got.Skipped != 6 || (got.Job == nil) != dry {
			t.Errorf("dry run %t: got %d, %d of them skipped, job %v; want 7 and 6", dry, got.Count, got.Skipped, got.Job)
		}
	}
	must(w.DisableEndpoint(t.Context(), w.user, manage.DisableEndpoint{ID: well.ID}))(t)
	if got := must(w.RetryDeliveries(t.Context(), w.user, manage.RetryDeliveries{}))(t); got.Count != 7 || got.Skipped != 7 || got.Job != nil {
		t.Errorf("nothing can be moved: got %+v, want no job", got)
	}
	in := manage.RetryDeliveries{Filter: store.DeliveryFilter{EndpointID: off.ID}, DryRun: true}
	if _, err := w.RetryDeliveries(t.Context(), w.user, in); !errors.Is(err, store.ErrDisabled) {
		t.Errorf("of the disabled one: got %v, want ErrDisabled", err)
	}
}
