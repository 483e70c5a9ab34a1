package publish_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// The bytes of contract section 1: the keys in their order, the time in UTC cut
// to milliseconds, data as it was sent but for white space.
func TestTheBodyIsMadeOnceToTheByte(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	data := "{ \"z\" : 1.0e+2,\n\t\"domain\": \"ex\\u0061mple.com\", \"big\":12345678901234567890, \"html\":\"<&>\u2028\u00e9\\/\", \"a\" : [ ] }"
	done := w.publish(publish.Input{ID: strings.ToUpper(someID), Type: "domain.added", Data: json.RawMessage(data)})

	want := `{"id":"01890a5d-ac96-774b-bcce-b302099a8057","type":"domain.added","created_at":"2026-03-08T12:34:56.789Z",` +
		`"data":{"z":1.0e+2,"domain":"ex\u0061mple.com","big":12345678901234567890,"html":"<&>` + "\u2028\u00e9" + `\/","a":[]}}`
	kept, err := w.db.Event(t.Context(), store.DefaultAccount, someID)
	w.must(err)
	if diff := cmp.Diff(want, string(kept.Body)); diff != "" {
		t.Errorf("body on disk (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, string(w.lanes.handed[0].Body)); diff != "" {
		t.Errorf("body handed over (-want +got):\n%s", diff)
	}
	at := time.Date(2026, time.March, 8, 12, 34, 56, 789_000_000, time.UTC)
	if got := done[0].CreatedAt; got != at || !kept.CreatedAt.Equal(at) {
		t.Errorf("created at %s, on disk %s, want %s", got, kept.CreatedAt, at)
	}
}

func TestAnEventWithoutAnIDGetsASortableOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	done := w.publish(added("a.example"), added("b.example"))
	for _, d := range done {
		id, err := uuid.Parse(d.EventID)
		if err != nil || id.Version() != 7 || id.String() != d.EventID {
			t.Errorf("made id %q, want a UUID of version 7 in lower case", d.EventID)
		}
	}
	if done[0].EventID == done[1].EventID {
		t.Error("both events have one id")
	}
}

func TestEveryBuiltInSampleIsAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*", "endpoint.*", "delivery.*")
	for _, typ := range catalog.Builtin() {
		if !typ.Operational {
			w.publish(sample(typ.Name))
			continue
		}
		w.must(w.PublishOwn(t.Context(), store.DefaultAccount, "ep_failing", sample(typ.Name)))
	}
	if got, want := len(w.deliveries()), len(catalog.Builtin()); got != want {
		t.Errorf("%d deliveries, want one of each of the %d types", got, want)
	}
}

func TestAnEventGoesToWhoeverWantsItsType(t *testing.T) {
	t.Parallel()
	patterns := map[string][]string{
		"ep_all":         {"*"},
		"ep_disabled":    {"endpoint.disabled"},
		"ep_everything":  {"*", "endpoint.disabled", "endpoint.warning", "delivery.failed"},
		"ep_exact":       {"scan.completed"},
		"ep_operational": {"endpoint.*"},
		"ep_own":         {"scan.deep.*"},
		"ep_scan":        {"scan.*"},
		"ep_several":     {"domain.added", "scan.*", "scan.completed"},
	}
	tests := []struct {
		eventType string
		want      []string
	}{
		{"scan.completed", []string{"ep_all", "ep_everything", "ep_exact", "ep_scan", "ep_several"}},
		{"scan.deep.ended", []string{"ep_all", "ep_everything", "ep_own", "ep_scan", "ep_several"}},
		{"scanner.found", []string{"ep_all", "ep_everything"}},
		{"domain.added", []string{"ep_all", "ep_everything", "ep_several"}},
		{"endpoint.disabled", []string{"ep_disabled", "ep_everything", "ep_operational"}},
		{"endpoint.warning", []string{"ep_everything", "ep_operational"}},
		{"delivery.failed", []string{"ep_everything"}},
	}
	w := newWorld(t, nil)
	for id, events := range patterns {
		w.endpoint(id, events...)
	}
	w.eventType("scan.deep.ended", "")
	w.eventType("scanner.found", "")
	for _, tt := range tests {
		in := sample(tt.eventType)
		if in.Data == nil {
			in.Data = json.RawMessage(`{}`)
		}
		if catalog.IsOperational(tt.eventType) {
			w.must(w.PublishOwn(t.Context(), store.DefaultAccount, "ep_failing", in))
		} else {
			w.publish(in)
		}
	}
	got := map[string][]string{}
	for _, d := range w.deliveries() {
		got[d.EventType] = append(got[d.EventType], d.EndpointID)
	}
	for _, tt := range tests {
		slices.Sort(got[tt.eventType])
		if diff := cmp.Diff(tt.want, got[tt.eventType]); diff != "" {
			t.Errorf("endpoints of %s (-want +got):\n%s", tt.eventType, diff)
		}
	}
}

func TestAnEventThatNobodyWantsIsKeptAndAnOwnOneIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	w.must(w.PublishOwn(t.Context(), store.DefaultAccount, "ep_failing", sample(catalog.EndpointDisabled)))
	if n := len(w.events()); n != 0 {
		t.Errorf("%d operational events kept that nobody subscribes to", n)
	}
	w.endpoint("ep_2", "endpoint.disabled") // the account was remembered without it
	w.must(w.PublishOwn(t.Context(), store.DefaultAccount, "ep_failing", sample(catalog.EndpointDisabled)))
	if n := len(w.deliveries()); n != 1 {
		t.Errorf("%d deliveries of the operational event, want 1", n)
	}

	other := newWorld(t, nil)
	done := other.publish(added("example.com"))
	if n := len(other.events()); n != 1 || len(done[0].Deliveries) != 0 {
		t.Errorf("%d events, %d deliveries; want an event without", n, len(done[0].Deliveries))
	}
}

func TestAnOwnEventGoesToAllButTheEndpointThatItIsAbout(t *testing.T) {
	t.Parallel()
	for _, eventType := range []string{catalog.EndpointWarning, catalog.EndpointDisabled, catalog.DeliveryFailed} {
		w := newWorld(t, nil)
		w.endpoint("ep_failing", "*", eventType)
		w.must(w.PublishOwn(t.Context(), store.DefaultAccount, "ep_failing", sample(eventType)))
		if n := len(w.events()); n != 0 {
			t.Errorf("%s: %d events kept for the endpoint that they are about alone", eventType, n)
		}
		w.endpoint("ep_other", eventType)
		w.must(w.PublishOwn(t.Context(), store.DefaultAccount, "ep_failing", sample(eventType)))
		if got := w.deliveries(); len(got) != 1 || got[0].EndpointID != "ep_other" {
			t.Errorf("%s went to %v, want ep_other alone", eventType, got)
		}
	}
}

func TestAnOwnEventIsCheckedLikeAnyOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_1", "endpoint.disabled")
	in := sample(catalog.EndpointDisabled)
	in.Data = json.RawMessage(`{"endpoint_id":"ep_1"}`)
	if err := w.PublishOwn(t.Context(), store.DefaultAccount, "ep_failing", in); err == nil {
		t.Error("data that breaks the schema of endpoint.disabled was accepted")
	}
}

func TestADisabledEndpointsDeliveriesAreHeldWithoutAReservation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_on", "*")
	w.endpointIn("ep_off", delivery.Disabled, "*")
	w.publish(added("example.com"))
	status := map[string]delivery.Status{}
	for _, d := range w.deliveries() {
		status[d.EndpointID] = d.Status
		if d.Status == delivery.Held && (!d.DueAt.IsZero() || d.Attempts != 0 || d.Cycle != delivery.Automatic) {
			t.Errorf("held delivery = %+v, want it to wait for nothing", d)
		}
	}
	if diff := cmp.Diff(map[string]delivery.Status{"ep_on": delivery.Sending, "ep_off": delivery.Held}, status); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"ep_on": 1}, w.lanes.reserved); diff != "" {
		t.Errorf("reservations (-want +got):\n%s", diff)
	}
	if len(w.lanes.woken) != 0 {
		t.Errorf("woken: %v, want nobody", w.lanes.woken)
	}
}

func TestAReservationIsHandedOverAfterTheCommitWithWhatIsOnDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	w.lanes.seen = func(l delivery.Lease) {
		d, err := w.db.Delivery(t.Context(), store.DefaultAccount, l.ID)
		if err != nil || d.Status != delivery.Sending || d.Attempts != 1 {
			t.Errorf("delivery %d is handed over as %+v, %v; want it on disk as sending", l.ID, d, err)
		}
	}
	done := w.publish(added("a.example"), added("b.example"))
	events := w.events()
	slices.SortFunc(events, func(a, b store.Event) int { return strings.Compare(a.ID, b.ID) })
	var want []delivery.Lease
	for i, p := range done {
		want = append(want, delivery.Lease{
			ID: p.Deliveries[0].ID, AccountID: store.DefaultAccount, EndpointID: "ep_1", EventID: p.EventID, EventType: "domain.added",
			Body: events[i].Body, Token: int64(i + 1), Until: moment().Add(40 * time.Second), Attempt: 1, Cycle: delivery.Automatic,
		})
	}
	if diff := cmp.Diff(want, w.lanes.handed); diff != "" {
		t.Errorf("leases (-want +got):\n%s", diff)
	}
}

func TestALaneWithoutRoomIsWokenAfterTheCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	w.endpoint("ep_2", "*")
	w.lanes.place = func(id string) delivery.Status {
		if id == "ep_2" {
			return delivery.Pending
		}
		return delivery.Sending
	}
	w.publish(added("example.com"))
	if diff := cmp.Diff(map[string]int{"ep_2": 1}, w.lanes.woken); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
	if _, handed, released := w.lanes.count(); handed != 1 || released != 0 {
		t.Errorf("%d handed over, %d released; want 1 and 0", handed, released)
	}
	for _, d := range w.deliveries() {
		if d.EndpointID == "ep_2" && (d.Status != delivery.Pending || d.Attempts != 0 || !d.DueAt.Equal(moment().Truncate(time.Millisecond))) {
			t.Errorf("delivery = %+v, want it pending and due", d)
		}
	}
}

func TestTheAnswersKeepTheOrderOfTheBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	in := make([]publish.Input, publish.MaxBatch)
	for i := range in {
		in[i] = added(fmt.Sprintf("d%d.example", i))
		in[i].ID = uuid.NewString()
	}
	for i, p := range w.publish(in...) {
		if p.EventID != in[i].ID || len(p.Deliveries) != 1 {
			t.Fatalf("answer %d is %+v, want event %s with one delivery", i, p, in[i].ID)
		}
	}
}

func TestTheLanesAreAskedForTheEndpointsOfTheCallOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_added", "domain.added")
	w.endpoint("ep_removed", "domain.removed")
	removed := added("example.com")
	removed.Type = "domain.removed"
	w.publish(removed)
	w.publish(removed, added("a.example"), removed, added("b.example"))
	w.publish(removed) // what is remembered of a type was not added to
	want := [][]string{{"ep_removed"}, {"ep_removed", "ep_added"}, {"ep_removed"}}
	if diff := cmp.Diff(want, w.lanes.admitted); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

func TestACallWithoutEventsAcceptsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.endpoint("ep_1", "*")
	done, err := w.Publish(t.Context(), store.DefaultAccount, nil)
	if err != nil || len(done) != 0 {
		t.Errorf("got %v, %v; want an empty answer", done, err)
	}
}
