package api

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// pageTo renders a page of a list.
func pageTo[Row, Wire any](l manage.List[Row], render func(Row) Wire) client.Page[Wire] {
	return client.Page[Wire]{Data: each(l.Rows, render), NextCursor: cursorTo(l.Next)}
}

// each renders every row; no rows are an empty list and not null.
func each[Row, Wire any](rows []Row, render func(Row) Wire) []Wire {
	all := make([]Wire, len(rows))
	for i, row := range rows {
		all[i] = render(row)
	}
	return all
}

func cursorTo(next string) *string {
	if next == "" {
		return nil
	}
	return &next
}

func endpointTo(e manage.Endpoint) client.Endpoint {
	return client.Endpoint{
		ID: e.ID, URL: e.URL, Description: e.Description, Events: textsTo(e.Events),
		Enabled: e.State == delivery.Enabled, State: string(e.State), StatusText: statusText(e),
		DisabledReason: string(e.DisabledReason), DisabledAt: client.AtOrNil(e.DisabledAt),
		ConsecutiveFailures: e.Endpoint.Health.Failures, Narrow: e.State == delivery.Enabled && e.Endpoint.Health.Narrow(),
		Headers: maskedHeaders(e.Headers), RateLimit: e.RateLimit, Concurrency: e.Concurrency,
		WaitingCount: e.Waiting, HeldCount: e.Held, FailedCount: e.Failed,
		NextAttemptAt: client.AtOrNil(e.NextDue), LastSuccessAt: client.AtOrNil(e.LastSuccessAt),
		Health: healthTo("24h", e.Day), Alerts: each(e.Alerts, alertTo), SinceEnabled: sinceEnabledTo(e.SinceEnabled), Secrets: each(e.Secrets, secretTo),
		CreatedAt: client.At(e.CreatedAt), UpdatedAt: client.At(e.UpdatedAt),
	}
}

// statusText says in plain words what is the matter with an endpoint; "" = nothing.
func statusText(e manage.Endpoint) string {
	switch {
	case e.State == delivery.Enabled && e.Endpoint.Health.Narrow():
		return "It fails again and again, so it gets one attempt at a time, with pauses, until one succeeds. Look at its last attempts."
	case e.State == delivery.Enabled:
		return ""
	case e.DisabledReason == delivery.ByFailures:
		return "It was disabled because too many attempts in a row failed. Repair the receiver, send a test, then enable it; what is held can then be sent."
	case e.DisabledReason == delivery.ByGone:
		return "It was disabled because it answered 410 Gone. If that was a mistake, send a test, then enable it."
	}
	return "It was disabled by hand. What is for it is held until it is enabled."
}

func healthTo(window string, s manage.Summary) client.Health {
	h := client.Health{
		Window: window, Attempts: s.Attempts, Succeeded: s.Succeeded, Failed: s.Failed,
		Delivered: s.Delivered, Dead: s.Dead,
	}
	if s.Attempts > 0 {
		h.SuccessRate = &s.SuccessRate
		h.P50, h.P95, h.P99 = latencyTo(s.P50), latencyTo(s.P95), latencyTo(s.P99)
	}
	return h
}

func latencyTo(d time.Duration) *float64 {
	ms := milliseconds(manage.Bound(d))
	return &ms
}

// milliseconds gives d in milliseconds, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func secretTo(s manage.Secret) client.SecretInfo {
	return client.SecretInfo{
		Fingerprint: s.Fingerprint, Role: string(s.Role),
		CreatedAt: client.At(s.CreatedAt), ExpiresAt: client.AtOrNil(s.ExpiresAt),
	}
}

func newSecretTo(s manage.NewSecret) client.NewSecret {
	return client.NewSecret{SecretInfo: secretTo(s.Secret), Secret: s.Text}
}

func deliveryTo(d delivery.Delivery) client.Delivery {
	out := client.Delivery{
		ID: idTo(d.ID), EventID: d.EventID, EventType: d.EventType, EndpointID: d.EndpointID,
		Status: string(d.Status), Cycle: string(d.Cycle), Attempts: d.Attempts,
		LastClass: string(d.LastClass), LastStatusCode: d.LastCode, DiscardReason: d.Discard,
		CreatedAt: client.At(d.CreatedAt), UpdatedAt: client.At(d.UpdatedAt),
	}
	if d.Status.Waiting() { // while it is sent, the due time is the end of the lease
		out.NextAttemptAt = client.AtOrNil(d.DueAt)
	}
	return out
}

func idTo(id delivery.ID) string { return strconv.FormatInt(int64(id), 10) }

// attemptTo renders an attempt without what was sent and what came back.
func attemptTo(a delivery.Attempt) client.Attempt {
	return client.Attempt{
		DeliveryID: idTo(a.DeliveryID), Number: a.Number, Cycle: string(a.Cycle), Node: a.Node,
		StartedAt: client.At(a.StartedAt), EndedAt: client.AtOrNil(a.EndedAt),
		StatusCode: a.StatusCode, ErrorClass: string(a.Class), Hint: a.Hint,
		RetryAfterS: a.RetryAfter.Seconds(),
		DNS:         milliseconds(a.Timing.DNS), Connect: milliseconds(a.Timing.Connect), TLS: milliseconds(a.Timing.TLS),
		TTFB: milliseconds(a.Timing.FirstByte), Total: milliseconds(a.Timing.Total),
	}
}

// wholeAttemptTo renders an attempt with both sides of it. A header of the endpoint's
// own that looks secret is masked here too.
func wholeAttemptTo(a delivery.Attempt, body []byte) client.Attempt {
	out := attemptTo(a)
	request := &client.AttemptRequest{URL: a.Request.URL, Headers: maskedHeaders(a.Request.Header)}
	request.Body, request.BodyBase64 = bodyTo(body)
	out.Request = request
	if a.Response.Proto != "" {
		response := &client.AttemptResponse{
			Proto: a.Response.Proto, Headers: each(a.Response.Header, headerTo), Truncated: a.Response.Truncated,
		}
		response.Body, response.BodyBase64 = bodyTo(a.Response.Body)
		out.Response = response
	}
	return out
}

// bodyTo gives a body as text or, when it is not valid UTF-8, in base64.
func bodyTo(body []byte) (text, encoded string) {
	if utf8.Valid(body) {
		return string(body), ""
	}
	return "", base64.StdEncoding.EncodeToString(body)
}

func jobTo(j store.Job) client.Job {
	return client.Job{
		ID: j.ID, Kind: string(j.Kind), Reason: j.Reason, PerSecond: j.PerSecond, Total: j.Total, Done: j.Done, Skipped: j.Skipped,
		State: string(j.State), CreatedAt: client.At(j.CreatedAt), UpdatedAt: client.At(j.UpdatedAt),
		Filter: client.DeliveryFilter{
			EndpointID: j.Filter.EndpointID, EventID: j.Filter.EventID, Types: j.Filter.Types,
			Status: statusesTo(j.Filter.Statuses), Class: string(j.Filter.Class),
			From: client.AtOrNil(j.Filter.From), To: client.AtOrNil(j.Filter.To),
		},
	}
}

// jobToOrNil renders a job that may not be there.
func jobToOrNil(j *store.Job) *client.Job {
	if j == nil {
		return nil
	}
	out := jobTo(*j)
	return &out
}

func statusesTo(statuses []delivery.Status) []string {
	var all []string
	for _, s := range statuses {
		all = append(all, string(s))
	}
	return all
}

func keyTo(k manage.Key) client.Key {
	return client.Key{
		ID: k.ID, AccountID: k.AccountID, Name: k.Name, Prefix: k.Prefix, Scopes: textsTo(k.Scopes),
		CreatedAt: client.At(k.CreatedAt), ExpiresAt: client.AtOrNil(k.ExpiresAt),
		RevokedAt: client.AtOrNil(k.RevokedAt), LastUsedAt: client.AtOrNil(k.LastUsedAt),
	}
}

func accountTo(a store.Account) client.Account {
	return client.Account{ID: a.ID, Name: a.Name, CreatedAt: client.AtOrNil(a.CreatedAt)}
}

func auditTo(e store.AuditEntry) client.AuditEntry {
	return client.AuditEntry{At: client.At(e.At), Actor: e.Actor, Action: e.Action, Object: e.Object, Detail: e.Detail}
}

func typeTo(t manage.EventType) client.EventType {
	return client.EventType{
		Name: t.Name, Description: t.Description, Schema: t.Schema, Sample: t.Sample,
		BuiltIn: t.BuiltIn, Operational: t.Operational,
		CreatedAt: client.AtOrNil(t.CreatedAt), UpdatedAt: client.AtOrNil(t.UpdatedAt),
	}
}

// textsTo makes an empty list of none.
func textsTo(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}
