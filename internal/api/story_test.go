package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// TestEveryCallSucceedsAsDocumented makes every call of the table once, through the
// client and the validating transport, and notices a call that it forgot.
func TestEveryCallSucceedsAsDocumented(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.storyOfTheServer(t) // first: it makes the first key
	w.storyOfEvents(t)
	w.storyOfTypes(t)
	w.storyOfEndpoints(t)
	w.storyOfSecrets(t)
	w.storyOfDeliveries(t)
	w.storyOfNotifications(t)
	w.storyOfAccounts(t)
	for i := range w.routes {
		rt := &w.routes[i]
		if status := w.seen[rt.pattern()]; rt.described() && (status < 200 || status > 299) {
			t.Errorf("%s: no call was answered with success (last status %d)", rt.pattern(), status)
		}
	}
}

func (w *world) storyOfEvents(t *testing.T) {
	c, ctx := w.user(), t.Context()
	e := w.endpoint(c)
	in := client.NewEvent{Type: "domain.added", Data: json.RawMessage(`{"domain":"example.com","added_at":"2026-03-08T12:34:56.789Z","n":1.50}`), IdempotencyKey: "a-key"}
	first := must(c.Publish(ctx, in))(t)
	if len(first.Deliveries) != 1 || first.Deliveries[0].EndpointID != e.ID || first.Replayed {
		t.Errorf("first answer %+v: want one delivery to %s and not replayed", first, e.ID)
	}
	again := must(c.Publish(ctx, in))(t)
	want := first
	want.Replayed = true
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("the second answer is not the first with Replayed (-want +got):\n%s", diff)
	}
	in.Data = json.RawMessage(`{"domain":"example.org","added_at":"2026-03-08T12:34:56.789Z"}`)
	if _, err := c.Publish(ctx, in); refused(t, err).Code != client.CodeConflict {
		t.Errorf("other content under the same key: got %v, want a conflict", err)
	}
	batch := client.NewEvents{Events: []client.NewEvent{{Type: "domain.added", Data: in.Data}, {Type: "domain.removed", Data: json.RawMessage(`{"domain":"example.org","removed_at":"2026-03-08T12:34:56.789Z"}`)}}, IdempotencyKey: "b"}
	accepted := must(c.PublishBatch(ctx, batch))(t)
	if len(accepted.Events) != 2 || accepted.Events[1].Type != "domain.removed" || accepted.Events[0].Replayed {
		t.Errorf("batch answer %+v: want two new events in order", accepted)
	}
	if accepted = must(c.PublishBatch(ctx, batch))(t); !accepted.Events[0].Replayed || !accepted.Events[1].Replayed {
		t.Errorf("the same batch again: got %+v, want both replayed", accepted)
	}
	list := must(c.Events(ctx, client.EventQuery{Type: "domain.added", PageQuery: client.PageQuery{Limit: 1}}))(t)
	if len(list.Data) != 1 || list.NextCursor == nil {
		t.Errorf("page of one: got %d events and cursor %v", len(list.Data), list.NextCursor)
	}
	got := must(c.Event(ctx, first.ID))(t)
	if string(got.Data) != `{"domain":"example.com","added_at":"2026-03-08T12:34:56.789Z","n":1.50}` {
		t.Errorf("data of the event: got %s, want it as it was published", got.Data)
	}
}

func (w *world) storyOfNotifications(t *testing.T) {
	c, ctx := w.user(), t.Context()
	if got := must(c.NotificationAddresses(ctx))(t); len(got.Data) != 0 || len(got.Told) != 0 || got.SendsMail {
		t.Errorf("at first %+v: want nobody to be told", got)
	}
	made := must(c.AddNotificationAddress(ctx, " On+Call/night@Example.com"))(t)
	if made.Email != "on+call/night@example.com" || made.AddedBy == "" {
		t.Errorf("added %+v", made)
	}
	if _, err := c.AddNotificationAddress(ctx, made.Email); refused(t, err).Code != client.CodeConflict {
		t.Errorf("added twice: %v, want a conflict", err)
	}
	if _, err := c.AddNotificationAddress(ctx, "nobody\r\nBcc: eve@example.com"); refused(t, err).Fields[0].Name != "email" {
		t.Errorf("no address: %v, want what is wrong with the email", err)
	}
	if got := must(c.NotificationAddresses(ctx))(t); len(got.Data) != 1 || len(got.Told) != 1 || got.Told[0] != made.Email {
		t.Errorf("then %+v: want that %s is told", got, made.Email)
	}
	check(t, c.RemoveNotificationAddress(ctx, made.Email))
	if err := c.RemoveNotificationAddress(ctx, made.Email); refused(t, err).Code != client.CodeNotFound {
		t.Errorf("removed twice: %v, want that it is not found", err)
	}
}

func (w *world) storyOfTypes(t *testing.T) {
	c, ctx := w.user(), t.Context()
	made := must(c.CreateEventType(ctx, client.NewEventType{Name: "order.shipped", Schema: json.RawMessage(`{"type":"object"}`), Sample: json.RawMessage(`{"a":1}`)}))(t)
	if made.BuiltIn || made.CreatedAt == nil {
		t.Errorf("new type %+v: want one of the account's own", made)
	}
	changed := must(c.UpdateEventType(ctx, "order.shipped", client.EventTypePatch{Schema: json.RawMessage(`null`)}))(t)
	if changed.Schema != nil || string(changed.Sample) != `{"a":1}` {
		t.Errorf("after a schema of null: schema %s, sample %s; want none and the old one", changed.Schema, changed.Sample)
	}
	if types := must(c.EventTypes(ctx))(t); len(types) < 9 {
		t.Errorf("catalogue: got %d types, want the built-in ones and one more", len(types))
	}
	if got := must(c.EventType(ctx, "scan.completed"))(t); !got.BuiltIn || got.Sample == nil {
		t.Errorf("scan.completed: got %+v, want a built-in type with a sample", got)
	}
	check(t, c.DeleteEventType(ctx, "order.shipped"))
}

func (w *world) storyOfEndpoints(t *testing.T) {
	c, ctx := w.user(), t.Context()
	e := must(c.CreateEndpoint(ctx, client.NewEndpoint{URL: "https://example.com/x", Events: []string{"scan.*"}, Enabled: pointer(false), RateLimit: 5}))(t)
	if e.Secret == "" || e.Enabled || e.State != client.StateDisabled || e.DisabledReason != "manual" || e.StatusText == "" || len(e.Secrets) != 1 {
		t.Errorf("new disabled endpoint: got %+v", e)
	}
	if e = must(c.Endpoint(ctx, e.ID))(t); e.Secret != "" {
		t.Error("reading an endpoint shows its secret")
	}
	if e = must(c.UpdateEndpoint(ctx, e.ID, client.EndpointPatch{Description: pointer("words"), RateLimit: pointer(0)}))(t); e.Description != "words" || e.RateLimit != 0 || e.URL != "https://example.com/x" {
		t.Errorf("changed endpoint: got %+v", e)
	}
	if on := must(c.EnableEndpoint(ctx, e.ID, client.Enable{Held: "keep"}))(t); !on.Endpoint.Enabled || on.Job != nil || on.Endpoint.SinceEnabled == nil || on.Endpoint.SinceEnabled.Of != 0 {
		t.Errorf("enabled endpoint: got %+v", on)
	}
	test := must(c.TestEndpoint(ctx, e.ID, client.TestEndpoint{}))(t)
	if !test.Succeeded || test.Attempt.Request == nil || !strings.Contains(test.Attempt.Request.Body, `"test":true`) {
		t.Errorf("test: got %+v, want success with the body that was sent", test)
	}
	if off := must(c.DisableEndpoint(ctx, e.ID, client.Disable{Reason: "maintenance"}))(t); off.Enabled || off.SinceEnabled != nil {
		t.Errorf("disabled endpoint: got %+v", off)
	}
	found := 0
	page := client.PageQuery{Limit: 1}
	for got, err := range client.All(ctx, &page, func(ctx context.Context) (client.Page[client.Endpoint], error) {
		return c.Endpoints(ctx, page)
	}) {
		check(t, err)
		if got.ID == e.ID {
			found++
		}
	}
	if found != 1 {
		t.Errorf("the list has the endpoint %d times, want once", found)
	}
	if gone := must(c.DeleteEndpoint(ctx, e.ID, true))(t); !gone.DryRun {
		t.Errorf("dry run: got %+v", gone)
	}
	if gone := must(c.DeleteEndpoint(ctx, e.ID, false))(t); gone.DryRun || gone.ID != e.ID {
		t.Errorf("deleted: got %+v", gone)
	}
	if _, err := c.Endpoint(ctx, e.ID); refused(t, err).Code != client.CodeNotFound {
		t.Errorf("a deleted endpoint: got %v, want not found", err)
	}
}

func (w *world) storyOfSecrets(t *testing.T) {
	c, ctx := w.user(), t.Context()
	e := w.endpoint(c)
	next := must(c.PrepareSecret(ctx, e.ID))(t)
	if next.Role != "next" || next.Secret == "" {
		t.Errorf("prepared: got %+v", next)
	}
	if now := must(c.PromoteSecret(ctx, e.ID, client.Overlap{Overlap: "2d"}))(t); now.Role != "current" || now.Fingerprint != next.Fingerprint {
		t.Errorf("promoted: got %+v, want the prepared one", now)
	}
	for _, s := range must(c.Endpoint(ctx, e.ID))(t).Secrets {
		if s.Role != "old" {
			continue
		}
		if left := time.Until(s.ExpiresAt.Time); left < 47*time.Hour || left > 48*time.Hour {
			t.Errorf("an overlap of 2d ends in %s", left)
		}
	}
	if made := must(c.RotateSecret(ctx, e.ID, client.Overlap{Overlap: "0s"}))(t); made.Role != "current" || made.Secret == next.Secret {
		t.Errorf("rotated: got %+v", made)
	}
	if found := must(c.CheckSecret(ctx, e.ID, client.CheckSecret{Secret: next.Secret}))(t); found.Match || found.Message == "" {
		t.Errorf("checking a replaced secret: got %+v", found)
	}
	if found := must(c.CheckSecret(ctx, e.ID, client.CheckSecret{BodyBase64: "e30=", Signature: "sha1"}))(t); found.Match {
		t.Errorf("checking a wrong signature: got %+v", found)
	}
}

func (w *world) storyOfDeliveries(t *testing.T) {
	c, ctx := w.user(), t.Context()
	e := w.endpoint(c)
	failed := w.deliveries(w.other, e.ID, 3, delivery.ServerError)
	id := number(failed[0].Deliveries[0].ID)

	list := must(c.Deliveries(ctx, client.DeliveryQuery{EndpointID: e.ID, Status: []string{"failed"}, From: client.At(moment().Add(-time.Hour))}))(t)
	if len(list.Data) != 3 || list.Data[0].LastClass != "server_error" || list.NextCursor != nil {
		t.Errorf("failed deliveries: got %+v, want three", list)
	}
	one := must(c.Delivery(ctx, id))(t)
	if len(one.AttemptLog) != 1 || one.AttemptLog[0].Request != nil || one.Attempts != 1 {
		t.Errorf("delivery: got %+v, want one attempt without bodies", one)
	}
	whole := must(c.Attempt(ctx, id, 1))(t)
	if whole.Total != 42.5 || whole.Request.Body == "" || whole.Response.BodyBase64 != "//4=" || !whole.Response.Truncated {
		t.Errorf("attempt: got %+v with request %+v and response %+v", whole, whole.Request, whole.Response)
	}
	if dead := must(c.DeadLetters(ctx, client.DeadLetterQuery{EndpointID: e.ID}))(t); len(dead.Data) != 3 {
		t.Errorf("dead letters: got %d, want 3", len(dead.Data))
	}
	if d := must(c.RetryDelivery(ctx, id))(t); d.Cycle != "manual" || d.Status == client.StatusFailed {
		t.Errorf("retried: got %+v", d)
	}
	if d := must(c.DiscardDelivery(ctx, number(failed[1].Deliveries[0].ID), client.Discard{Reason: "by hand"}))(t); d.Status != client.StatusDiscarded || d.DiscardReason != "by hand" {
		t.Errorf("discarded: got %+v", d)
	}
	filter := client.DeliveryFilter{EndpointID: e.ID, Status: []string{"failed"}}
	if dry := must(c.RetryDeliveries(ctx, client.BulkRetry{Filter: filter, DryRun: true}))(t); dry.Count != 1 || dry.Job != nil {
		t.Errorf("dry run of a bulk retry: got %+v, want one and no job", dry)
	}
	bulk := must(c.RetryDeliveries(ctx, client.BulkRetry{Filter: filter, PerSecond: 7}))(t)
	job := must(c.Job(ctx, bulk.Job.ID))(t)
	if job.PerSecond != 7 || job.Filter.EndpointID != e.ID || job.State != "running" {
		t.Errorf("job: got %+v", job)
	}
	if jobs := must(c.Jobs(ctx, client.PageQuery{}))(t); len(jobs.Data) != 1 {
		t.Errorf("jobs: got %d, want one", len(jobs.Data))
	}
	if job = must(c.CancelJob(ctx, job.ID))(t); job.State != "cancelled" {
		t.Errorf("cancelled job: got %+v", job)
	}
	giveUp := client.BulkDiscard{Filter: filter, Reason: "the receiver is gone", DryRun: true}
	if dry := must(c.DiscardDeliveries(ctx, giveUp))(t); dry.Count != 1 || dry.Job != nil {
		t.Errorf("dry run of a bulk discard: got %+v, want one and no job", dry)
	}
	giveUp.DryRun = false
	bulk = must(c.DiscardDeliveries(ctx, giveUp))(t)
	if job = must(c.Job(ctx, bulk.Job.ID))(t); job.Kind != "discard" || job.Reason != "the receiver is gone" || job.Total != 1 || job.Filter.EndpointID != e.ID {
		t.Errorf("job that discards: got %+v", job)
	}
	now := moment()
	if replay := must(c.Replay(ctx, e.ID, client.Replay{From: client.At(now.Add(-time.Hour)), To: client.At(now.Add(time.Hour)), Status: []string{"discarded"}, DryRun: true}))(t); replay.Count != 1 {
		t.Errorf("replay: got %+v, want one", replay)
	}
	check(t, w.db.WriteStats(ctx, []store.Stat{{AccountID: w.other, EndpointID: e.ID, Minute: now.Truncate(time.Minute), Succeeded: 3, Failed: 1, Latency: [15]int{0, 4}}}))
	stats := must(c.Stats(ctx, client.StatsQuery{EndpointID: e.ID, Window: "1h"}))(t)
	a := store.Alert{ID: "alt_1", AccountID: w.other, EndpointID: e.ID, Kind: delivery.AlertFailing, Threshold: 10, Opened: delivery.Reading{Attempts: 40, Failed: 8, Bad: 6, Span: time.Hour}, OpenedAt: now}
	if opened := must(w.db.OpenAlert(ctx, a))(t); !opened {
		t.Error("the alert was not opened")
	}
	alerts := must(c.Alerts(ctx, client.AlertQuery{EndpointID: e.ID, Open: true}))(t)
	want := []client.Alert{{ID: "alt_1", EndpointID: e.ID, Kind: "failing", Open: true, Value: 0.15, Threshold: 0.1, WindowS: 3600, Attempts: 40, Failed: 8, OpenedAt: client.At(now)}}
	if diff := cmp.Diff(want, alerts.Data); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, must(c.Endpoint(ctx, e.ID))(t).Alerts); diff != "" {
		t.Errorf("alerts of the endpoint (-want +got):\n%s", diff)
	}
	if stats.Window != "1h" || stats.Attempts != 4 || *stats.SuccessRate != 0.75 || len(stats.Series) < 60 || stats.StepS != 60 {
		t.Errorf("stats: got %+v", stats)
	}
}

func (w *world) storyOfAccounts(t *testing.T) {
	c, ctx := w.admin(), t.Context()
	a := must(c.CreateAccount(ctx, client.NewAccount{Name: "Acme"}))(t)
	if got := must(c.Account(ctx, a.ID))(t); got.Name != "Acme" {
		t.Errorf("account: got %+v", got)
	}
	if list := must(c.Accounts(ctx, client.PageQuery{}))(t); len(list.Data) != 3 {
		t.Errorf("accounts: got %d, want 3", len(list.Data))
	}
	link := must(c.PortalLink(ctx, a.ID))(t)
	if !strings.HasPrefix(link.URL, "https://hooks.example.com/portal?token=") {
		t.Errorf("portal link: got %s", link.URL)
	}
	key := must(c.CreateKey(ctx, client.NewKey{Name: "k", Scopes: []string{"read"}, AccountID: a.ID, ExpiresAt: client.AtOrNil(moment().Add(time.Hour))}))(t)
	if me := must(w.client(key.Text).Me(ctx))(t); me.AccountID != a.ID || me.AccountName != "Acme" || me.KeyID != key.ID || me.Version != "1.2.3" {
		t.Errorf("me: got %+v", me)
	}
	if keys := must(c.Keys(ctx, client.KeyQuery{AccountID: a.ID}))(t); len(keys.Data) != 1 || keys.Data[0].ID != key.ID {
		t.Errorf("keys: got %+v", keys)
	}
	check(t, c.RevokeKey(ctx, a.ID, key.ID))
	check(t, c.DeleteAccount(ctx, a.ID))
	if audit := must(c.Audit(ctx, client.PageQuery{}))(t); len(audit.Data) == 0 || audit.Data[0].Action != "account.delete" {
		t.Errorf("audit: got %+v", audit)
	}
}

func (w *world) storyOfTheServer(t *testing.T) {
	token, link := auth.NewLink(auth.Setup, store.DefaultAccount, time.Hour, moment())
	check(t, w.db.OfferSetup(t.Context(), link))
	key := must(w.client("").Setup(t.Context(), client.Setup{Token: token}))(t)
	if me := must(w.client(key.Text).Me(t.Context()))(t); me.Scopes[0] != client.ScopeAdmin {
		t.Errorf("first key: got %+v", me)
	}
	check(t, w.client("").Ready(t.Context()))
	if res, _ := w.do(http.MethodGet, "/healthz", "", ""); res.StatusCode != http.StatusOK {
		t.Errorf("/healthz: got %d", res.StatusCode)
	}
	if res, body := w.do(http.MethodGet, "/metrics", key.Text, ""); res.StatusCode != http.StatusOK || body != "up 1\n" {
		t.Errorf("/metrics: got %d %q", res.StatusCode, body)
	}
	close(w.drain) // the stream ends at once
	for _, err := range w.client(key.Text).Stream(t.Context(), client.StreamOptions{}) {
		if err == nil || !strings.Contains(err.Error(), "shutting down") {
			t.Errorf("a stream of a server that shuts down: got %v", err)
		}
	}
}
