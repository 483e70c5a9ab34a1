package manage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

func TestAnEndpointIsReadAsItWasMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	made := must(w.CreateEndpoint(t.Context(), w.user, manage.CreateEndpoint{
		URL:         "https://EXAMPLE.com:443/hooks?a=b",
		Events:      []string{"scan.*", "endpoint.disabled"},
		Description: "Slack\nsecond line",
		Headers:     []delivery.Header{{Name: "X-Team", Value: "blue"}},
		RateLimit:   5,
		Concurrency: 3,
	}))(t)
	secret, err := webhook.ParseSecret(made.Secret)
	check(t, err)

	e := made.Endpoint
	if e.URL != "https://example.com/hooks?a=b" {
		t.Errorf("the URL is %s, want its normal form", e.URL)
	}
	if e.State != delivery.Enabled || e.AccountID != w.user.AccountID || !strings.HasPrefix(e.ID, "ep_") {
		t.Errorf("got %+v, want an enabled endpoint of the caller's account", e)
	}
	if len(e.Secrets) != 1 || e.Secrets[0].Role != store.Current || e.Secrets[0].Fingerprint != secret.Fingerprint() {
		t.Errorf("the secrets are %+v, want the one that was shown", e.Secrets)
	}
	got := must(w.Endpoint(t.Context(), w.user, e.ID))(t)
	if diff := cmp.Diff(e, got); diff != "" {
		t.Errorf("read again (-made +read):\n%s", diff)
	}
	// What the dispatcher will sign with is what was shown.
	rows := must(w.db.Secrets(t.Context(), w.user.AccountID, e.ID, time.Now()))(t)
	opened := must(w.box.Open("endpoint-secret", w.user.AccountID, rows[0].ID, rows[0].Sealed))(t)
	if string(opened) != made.Secret {
		t.Error("the sealed secret is not the one that was shown")
	}
}

func TestAllMistakesOfAnEndpointAreSaidAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, err := w.CreateEndpoint(t.Context(), w.user, manage.CreateEndpoint{
		URL:         "http://localhost/",
		Events:      []string{"scan.completed", "scan.complete"},
		Description: strings.Repeat("ü", 501),
		Headers:     []delivery.Header{{Name: "X-A", Value: "1"}, {Name: "Host", Value: "x"}},
		RateLimit:   delivery.MaxRateLimit + 1,
		Concurrency: -1,
	})
	want := []string{"url", "events[1]", "description", "headers[1].name", "rate_limit", "concurrency"}
	if diff := cmp.Diff(want, invalid(t, err)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	_, err = w.CreateEndpoint(t.Context(), w.user, manage.CreateEndpoint{})
	if diff := cmp.Diff([]string{"url", "events"}, invalid(t, err)); diff != "" {
		t.Errorf("of nothing (-want +got):\n%s", diff)
	}
}

func TestTheBoundsOfAnEndpoint(t *testing.T) {
	t.Parallel()
	base := manage.CreateEndpoint{URL: "https://example.com/", Events: []string{"*"}}
	tests := []struct {
		name   string
		change func(*manage.CreateEndpoint)
		want   string // the field that is wrong; "" = none
	}{
		{"the highest rate", func(e *manage.CreateEndpoint) { e.RateLimit = delivery.MaxRateLimit }, ""},
		{"a negative rate", func(e *manage.CreateEndpoint) { e.RateLimit = -1 }, "rate_limit"},
		{"the highest concurrency", func(e *manage.CreateEndpoint) { e.Concurrency = delivery.MaxConcurrency }, ""},
		{"too high a concurrency", func(e *manage.CreateEndpoint) { e.Concurrency = delivery.MaxConcurrency + 1 }, "concurrency"},
		{"the longest description", func(e *manage.CreateEndpoint) { e.Description = strings.Repeat("ü", 500) }, ""},
		{"a description with a zero byte", func(e *manage.CreateEndpoint) { e.Description = "a\x00" }, "description"},
		{"a description that is no text", func(e *manage.CreateEndpoint) { e.Description = "a\xff" }, "description"},
		{"an address of the network behind us", func(e *manage.CreateEndpoint) { e.URL = "https://169.254.169.254/" }, "url"},
	}
	w := newWorld(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := base
			tt.change(&in)
			_, err := w.CreateEndpoint(t.Context(), w.user, in)
			if tt.want == "" {
				check(t, err)
				return
			}
			if diff := cmp.Diff([]string{tt.want}, invalid(t, err)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAnAccountHasOnlySoManyEndpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *manage.Config) { c.Limits.Endpoints = 2 })
	w.endpoint(w.user)
	e := w.endpoint(w.user)
	in := manage.CreateEndpoint{URL: "https://example.com/", Events: []string{"*"}}
	if _, err := w.CreateEndpoint(t.Context(), w.user, in); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the third: got %v, want a conflict", err)
	}
	must(w.DeleteEndpoint(t.Context(), w.user, manage.DeleteEndpoint{ID: e.ID}))(t)
	w.endpoint(w.user)
}

func TestAnEndpointMadeDisabledIsDisabledByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	made := must(w.CreateEndpoint(t.Context(), w.user, manage.CreateEndpoint{URL: "https://example.com/", Events: []string{"*"}, Disabled: true}))(t)
	got := must(w.Endpoint(t.Context(), w.user, made.Endpoint.ID))(t)
	if got.State != delivery.Disabled || got.DisabledReason != delivery.ByHand || !got.DisabledAt.Equal(got.CreatedAt) {
		t.Errorf("got %s by %q at %s, want disabled by hand when it was made", got.State, got.DisabledReason, got.DisabledAt)
	}
}

func TestUpdatingChangesOnlyWhatWasSent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		update manage.UpdateEndpoint
		want   func(*manage.Endpoint)
	}{
		{"nothing", manage.UpdateEndpoint{}, func(*manage.Endpoint) {}},
		{"the url", manage.UpdateEndpoint{URL: pointer("https://example.org")}, func(e *manage.Endpoint) { e.URL = "https://example.org" }},
		{"the events", manage.UpdateEndpoint{Events: &[]string{"scan.completed"}}, func(e *manage.Endpoint) { e.Events = []string{"scan.completed"} }},
		{"the description to nothing", manage.UpdateEndpoint{Description: pointer("")}, func(e *manage.Endpoint) { e.Description = "" }},
		{"the headers to none", manage.UpdateEndpoint{Headers: &[]delivery.Header{}}, func(e *manage.Endpoint) { e.Headers = []delivery.Header{} }},
		{"the rate", manage.UpdateEndpoint{RateLimit: pointer(0)}, func(e *manage.Endpoint) { e.RateLimit = 0 }},
		{"the concurrency", manage.UpdateEndpoint{Concurrency: pointer(9)}, func(e *manage.Endpoint) { e.Concurrency = 9 }},
		{"to disabled", manage.UpdateEndpoint{Enabled: pointer(false)}, func(e *manage.Endpoint) {
			e.State, e.DisabledReason = delivery.Disabled, delivery.ByHand
		}},
	}
	w := newWorld(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			made := must(w.CreateEndpoint(t.Context(), w.user, manage.CreateEndpoint{
				URL: "https://example.com/", Events: []string{"*"}, Description: "d", Headers: []delivery.Header{{Name: "X-A", Value: "1"}}, RateLimit: 5, Concurrency: 3,
			}))(t)
			tt.update.ID = made.Endpoint.ID
			got := must(w.UpdateEndpoint(t.Context(), w.user, tt.update))(t)
			want := made.Endpoint
			tt.want(&want)
			want.UpdatedAt, want.DisabledAt = got.UpdatedAt, got.DisabledAt
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.DisabledAt.IsZero() != (got.State == delivery.Enabled) {
				t.Errorf("%s since %s", got.State, got.DisabledAt)
			}
		})
	}
}

func TestAMistakeInAnUpdateChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	_, err := w.UpdateEndpoint(t.Context(), w.user, manage.UpdateEndpoint{ID: e.ID, Description: pointer("new"), RateLimit: pointer(-1), Enabled: pointer(false)})
	if diff := cmp.Diff([]string{"rate_limit"}, invalid(t, err)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(e, must(w.Endpoint(t.Context(), w.user, e.ID))(t)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}

func TestAnUpdateMovesTheTimeOfTheLastChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	before := time.Now().Truncate(time.Millisecond)
	got := must(w.UpdateEndpoint(t.Context(), w.user, manage.UpdateEndpoint{ID: e.ID, Description: pointer("new")}))(t)
	if got.UpdatedAt.Before(before) || !got.CreatedAt.Equal(e.CreatedAt) {
		t.Errorf("made %s, changed %s, want the change after %s", got.CreatedAt, got.UpdatedAt, before)
	}
}

func TestDeletingSaysHowManyItGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	held := w.publish(e, 3, "")
	w.publish(e, 2, delivery.ServerError) // failed: they stay as they are

	dry := must(w.DeleteEndpoint(t.Context(), w.user, manage.DeleteEndpoint{ID: e.ID, DryRun: true}))(t)
	if diff := cmp.Diff(manage.DeletedEndpoint{Discarded: 3, DryRun: true}, dry); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	must(w.Endpoint(t.Context(), w.user, e.ID))(t)
	real := must(w.DeleteEndpoint(t.Context(), w.user, manage.DeleteEndpoint{ID: e.ID}))(t)
	if diff := cmp.Diff(manage.DeletedEndpoint{Discarded: 3}, real); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := w.status(w.user.AccountID, held[0]); got != delivery.Discarded {
		t.Errorf("a held delivery is %s, want discarded", got)
	}
	for _, dryRun := range []bool{true, false} {
		if _, err := w.DeleteEndpoint(t.Context(), w.user, manage.DeleteEndpoint{ID: e.ID, DryRun: dryRun}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("again (dry run %t): got %v, want ErrNotFound", dryRun, err)
		}
	}
}

func TestListsArePagedAndTheirLengthIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var want []string
	for range 5 {
		want = append(want, w.endpoint(w.user).ID)
	}
	got := map[string]bool{}
	page := manage.Page{Limit: 2}
	for range 3 {
		list := must(w.ListEndpoints(t.Context(), w.user, page))(t)
		for _, e := range list.Rows {
			got[e.ID] = true
		}
		page.Cursor = list.Next
	}
	if page.Cursor != "" || len(got) != len(want) {
		t.Errorf("three pages of two gave %d of %d and the cursor %q", len(got), len(want), page.Cursor)
	}
	for _, limit := range []int{-1, manage.MaxLimit + 1} {
		_, err := w.ListEndpoints(t.Context(), w.user, manage.Page{Limit: limit})
		if diff := cmp.Diff([]string{"limit"}, invalid(t, err)); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
		_, err = w.ListJobs(t.Context(), w.user, manage.Page{Limit: limit})
		if diff := cmp.Diff([]string{"limit"}, invalid(t, err)); diff != "" {
			t.Errorf("limit %d of jobs (-want +got):\n%s", limit, diff)
		}
	}
	must(w.ListEndpoints(t.Context(), w.user, manage.Page{Limit: manage.MaxLimit}))(t)
}

func TestTheDayOfAnEndpointCountsItsOwnAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e, other := w.endpoint(w.user), w.endpoint(w.user)
	minute := time.Now().UTC().Truncate(time.Minute)
	stat := func(e manage.Endpoint, at time.Time, succeeded, failed int) store.Stat {
		return store.Stat{AccountID: e.AccountID, EndpointID: e.ID, Minute: at, Succeeded: succeeded, Failed: failed}
	}
	check(t, w.db.WriteStats(t.Context(), []store.Stat{
		stat(e, minute, 3, 1),
		stat(e, minute.Add(-23*time.Hour), 4, 0),
		stat(e, minute.Add(-25*time.Hour), 100, 0),
		stat(other, minute, 0, 50),
	}))
	for i, got := range []manage.Summary{
		must(w.Endpoint(t.Context(), w.user, e.ID))(t).Day,
		must(w.ListEndpoints(t.Context(), w.user, manage.Page{}))(t).Rows[1].Day,
		must(w.Stats(t.Context(), w.user, manage.GetStats{EndpointID: e.ID}))(t).Summary,
	} {
		// Of endpoints made within one millisecond the order is by id.
		if i == 1 && got.Failed == 50 {
			got = must(w.ListEndpoints(t.Context(), w.user, manage.Page{}))(t).Rows[0].Day
		}
		if got.Attempts != 8 || got.Failed != 1 || got.SuccessRate != 0.875 {
			t.Errorf("reading %d: got %+v, want 7 of 8", i+1, got)
		}
	}
	all := must(w.Stats(t.Context(), w.user, manage.GetStats{Window: time.Hour}))(t)
	if all.Attempts != 54 || len(all.Series) != 60 || all.Series[59].Failed != 51 {
		t.Errorf("of the account over an hour: %d attempts in %d points ending with %+v, want 54 in 60 ending with 51 failures", all.Attempts, len(all.Series), all.Series[len(all.Series)-1])
	}
}

func TestWindowsOfStats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, window := range []time.Duration{-time.Hour, time.Second, manage.MinWindow - 1, manage.MaxWindow + 1} {
		_, err := w.Stats(t.Context(), w.user, manage.GetStats{Window: window})
		if diff := cmp.Diff([]string{"window"}, invalid(t, err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", window, diff)
		}
	}
	for _, window := range []time.Duration{0, manage.MinWindow, manage.MaxWindow} {
		must(w.Stats(t.Context(), w.user, manage.GetStats{Window: window}))(t)
	}
	if _, err := w.Stats(t.Context(), w.user, manage.GetStats{EndpointID: "ep_none"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of an unknown endpoint: got %v, want ErrNotFound", err)
	}
}

func TestTestingAnEndpoint(t *testing.T) {
	t.Parallel()
	for _, disabled := range []bool{false, true} {
		t.Run(fmt.Sprintf("disabled %t", disabled), func(t *testing.T) {
			t.Parallel()
			var s *sender
			w := newWorld(t, func(c *manage.Config) { s = c.Sender.(*sender) })
			made := must(w.CreateEndpoint(t.Context(), w.user, manage.CreateEndpoint{URL: "https://example.com/", Events: []string{"domain.added"}, Disabled: disabled}))(t)
			bystander := w.endpoint(w.user, "*")

			got := must(w.TestEndpoint(t.Context(), w.user, manage.TestEndpoint{ID: made.Endpoint.ID}))(t)
			if got.Type != "scan.completed" || got.Attempt.StatusCode != 204 || got.Attempt.LocalInfo != "" {
				t.Errorf("got %+v, want the attempt of a scan.completed without what only operators may see", got)
			}
			l := s.leases[0]
			event, err := webhook.ParseEvent(l.Body)
			check(t, err)
			if event.ID != got.EventID || !strings.Contains(string(event.Data), `"test":true`) {
				t.Errorf("sent %s, want the test event %s", l.Body, got.EventID)
			}
			if l.Cycle != delivery.Test || l.Attempt != 1 || l.Token == 0 || time.Until(l.Until) > w.policy.Lease() || time.Until(l.Until) < w.policy.Timeout {
				t.Errorf("the lease is %+v, want the first attempt of a test with a lease of %s", l, w.policy.Lease())
			}
			if got := w.status(w.user.AccountID, l.ID); got != delivery.Delivered {
				t.Errorf("the delivery is %s, want delivered", got)
			}
			f := store.DeliveryFilter{EndpointID: bystander.ID}
			if list := must(w.ListDeliveries(t.Context(), w.user, manage.ListDeliveries{Filter: f}))(t); len(list.Rows) != 0 {
				t.Errorf("the test went to another endpoint too: %+v", list.Rows)
			}
			again := must(w.TestEndpoint(t.Context(), w.user, manage.TestEndpoint{ID: made.Endpoint.ID, Type: "domain.added"}))(t)
			if again.EventID == got.EventID || again.Type != "domain.added" {
				t.Errorf("the second test is %+v, want a domain.added with an id of its own", again)
			}
		})
	}
}

func TestTestingWithAnUnknownType(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	e := w.endpoint(w.user)
	_, err := w.TestEndpoint(t.Context(), w.user, manage.TestEndpoint{ID: e.ID, Type: "scan.complete"})
	if diff := cmp.Diff([]string{"type"}, invalid(t, err)); diff != "" || !strings.Contains(err.Error(), "scan.completed?") {
		t.Errorf("got %v, want a suggestion for type", err)
	}
	must(w.CreateType(t.Context(), w.user, manage.CreateType{Name: "invoice.paid", Sample: []byte(`{"total":5}`)}))(t)
	got := must(w.TestEndpoint(t.Context(), w.user, manage.TestEndpoint{ID: e.ID, Type: "invoice.paid"}))(t)
	body := must(w.Event(t.Context(), w.user, got.EventID))(t).Body
	if !strings.HasSuffix(string(body), `"data":{"test":true,"total":5}}`) {
		t.Errorf("sent %s, want the sample with test in front", body)
	}
}

func TestATestThatBeganIsMadeAlthoughTheCallerLeaves(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	w := newWorld(t, func(c *manage.Config) { c.Store = leavingBeforeTest{c.Store, leave} })
	e := w.endpoint(w.user)
	got := must(w.TestEndpoint(ctx, w.user, manage.TestEndpoint{ID: e.ID}))(t)
	if d := w.status(w.user.AccountID, got.Attempt.DeliveryID); d != delivery.Delivered {
		t.Errorf("the delivery is %s, want delivered", d)
	}
}

// leavingBeforeTest ends the caller's context when everything was checked.
type leavingBeforeTest struct {
	manage.Store
	leave func()
}

func (l leavingBeforeTest) Clock(ctx context.Context) (time.Time, error) {
	defer l.leave()
	return l.Store.Clock(ctx)
}
