package webhooktest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// at is when everything in these tests happens.
func at() time.Time { return time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC) }

// arrived is a request as the receiver saw it.
type arrived struct {
	Method string
	Header http.Header
	Body   string
}

// receiver records what arrives and answers with the next of its statuses, then 200.
func receiver(t *testing.T, statuses ...int) (*httptest.Server, *[]arrived) {
	t.Helper()
	var list []arrived
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the body: %v", err)
		}
		list = append(list, arrived{r.Method, r.Header.Clone(), string(body)})
		w.Header().Set("Location", "/elsewhere")
		if n := len(list); n <= len(statuses) {
			w.WriteHeader(statuses[n-1])
		}
		_, _ = io.WriteString(w, "answer "+strconv.Itoa(len(list)))
	}))
	t.Cleanup(server.Close)
	return server, &list
}

func newSender(server *httptest.Server) *webhooktest.Sender {
	return &webhooktest.Sender{
		URL:    server.URL + "/hook",
		Secret: webhook.NewSecret(),
		Client: server.Client(),
		Now:    at,
	}
}

func event() webhook.Event {
	return webhook.Event{ID: "0195", Type: "scan.completed", CreatedAt: at(), Data: []byte(`{ "score": 85 }`)}
}

const body = `{"id":"0195","type":"scan.completed","created_at":"2026-03-08T12:34:56.000Z","data":{"score":85}}`

func TestSendLooksLikeTheServer(t *testing.T) {
	t.Parallel()
	server, list := receiver(t)
	sender := newSender(server)
	sender.Others = []webhook.Secret{webhook.NewSecret()}
	if _, err := sender.Send(t.Context(), event()); err != nil {
		t.Fatal(err)
	}
	got := (*list)[0]
	got.Header.Del("Content-Length")
	got.Header.Del("Accept-Encoding")
	want := arrived{
		Method: "POST",
		Body:   body,
		Header: http.Header{
			"Content-Type":                {"application/json"},
			"User-Agent":                  {"ComplianceLayer-Webhooks/1.0"},
			"X-Compliancelayer-Signature": {webhook.Sign(sender.Secret, []byte(body))},
			"X-Compliancelayer-Event":     {"scan.completed"},
			"X-Compliancelayer-Delivery":  {"1"},
			"X-Compliancelayer-Attempt":   {"1"},
			"Webhook-Id":                  {"0195"},
			"Webhook-Timestamp":           {"1772973296"},
			"Webhook-Signature": {webhook.SignStandard(sender.Secret, "0195", at(), []byte(body)) + " " +
				webhook.SignStandard(sender.Others[0], "0195", at(), []byte(body))},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what arrived (-want +got):\n%s", diff)
	}
}

func TestDeliveriesRetriesAndRepeats(t *testing.T) {
	t.Parallel()
	server, list := receiver(t, 500, 302)
	sender := newSender(server)
	now := at()
	sender.Now = func() time.Time { now = now.Add(time.Minute); return now }
	ctx := t.Context()

	first, err := sender.Send(ctx, event())
	if err != nil || first.Status != 500 || string(first.Answer) != "answer 1" || first.Header.Get("Location") == "" {
		t.Fatalf("Send = %d %q %v, %v, want the answer 500", first.Status, first.Answer, first.Header, err)
	}
	retried, err := sender.Retry(ctx, first)
	if err != nil || retried.Status != 302 || string(retried.Answer) != "answer 2" {
		t.Fatalf("Retry = %d %q, %v, want the answer 302, not followed", retried.Status, retried.Answer, err)
	}
	repeated, err := sender.Repeat(ctx, retried)
	if err != nil || repeated.Status != 200 || string(repeated.Answer) != "answer 3" {
		t.Fatalf("Repeat = %d %q, %v, want the answer 200", repeated.Status, repeated.Answer, err)
	}
	if _, err := sender.Send(ctx, event()); err != nil {
		t.Fatal(err)
	}

	type numbers struct{ delivery, attempt, timestamp string }
	var got []numbers
	for i, a := range *list {
		got = append(got, numbers{a.Header.Get(webhook.DeliveryHeader), a.Header.Get(webhook.AttemptHeader), a.Header.Get(webhook.TimestampHeader)})
		seconds, err := strconv.ParseInt(got[i].timestamp, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := webhook.Verify(a.Header, []byte(a.Body), time.Unix(seconds, 0), time.Second, sender.Secret); err != nil || a.Body != body {
			t.Errorf("request %d with body %q: %v", i+1, a.Body, err)
		}
	}
	want := []numbers{
		{"1", "1", "1772973356"},
		{"1", "2", "1772973416"},
		{"1", "2", "1772973416"},
		{"2", "1", "1772973476"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(numbers{})); diff != "" {
		t.Errorf("delivery, attempt and timestamp (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff((*list)[1], (*list)[2]); diff != "" {
		t.Errorf("the repeated request differs from the one before:\n%s", diff)
	}
}

func TestAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
	}))
	defer server.Close()
	sent, err := newSender(server).Send(t.Context(), event())
	if err != nil || len(sent.Answer) != 64<<10 {
		t.Errorf("Send kept %d bytes of the answer, %v, want 65536", len(sent.Answer), err)
	}
}

func TestAnAttemptWithoutAnAnswerCanBeRetried(t *testing.T) {
	t.Parallel()
	server, list := receiver(t)
	sender := newSender(server)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	sent, err := sender.Send(cancelled, event())
	if !errors.Is(err, context.Canceled) || sent.Status != 0 {
		t.Fatalf("Send with a cancelled context = %d, %v, want no answer and the reason", sent.Status, err)
	}
	retried, err := sender.Retry(t.Context(), sent)
	if err != nil || retried.Attempt != 2 || retried.DeliveryID != 1 || len(*list) != 1 {
		t.Errorf("Retry = delivery %d attempt %d, %v, %d requests arrived, want delivery 1 attempt 2", retried.DeliveryID, retried.Attempt, err, len(*list))
	}
}

func TestSendRefuses(t *testing.T) {
	t.Parallel()
	server, list := receiver(t)
	tests := []struct {
		name   string
		change func(*webhooktest.Sender, *webhook.Event)
		want   error
		says   string
	}{
		{"no secret", func(s *webhooktest.Sender, _ *webhook.Event) { s.Secret = webhook.Secret{} }, webhook.ErrBadSecret, "sign"},
		{"empty other secret", func(s *webhooktest.Sender, _ *webhook.Event) { s.Others = make([]webhook.Secret, 1) }, webhook.ErrBadSecret, "sign"},
		{"data that is not JSON", func(_ *webhooktest.Sender, e *webhook.Event) { e.Data = nil }, webhook.ErrBadEvent, "make the body"},
		{"no client", func(s *webhooktest.Sender, _ *webhook.Event) { s.Client = nil }, nil, "no Client"},
		{"address that is none", func(s *webhooktest.Sender, _ *webhook.Event) { s.URL = "http://a b" }, nil, "make the request"},
	}
	for _, tt := range tests {
		sender, e := newSender(server), event()
		tt.change(sender, &e)
		_, err := sender.Send(t.Context(), e)
		if err == nil || !strings.Contains(err.Error(), tt.says) || (tt.want != nil && !errors.Is(err, tt.want)) {
			t.Errorf("%s: Send error = %v, want %v with %q", tt.name, err, tt.want, tt.says)
		}
	}
	if len(*list) != 0 {
		t.Errorf("%d requests arrived, want none", len(*list))
	}
}

func TestRetryWithoutASecretIsRefused(t *testing.T) {
	t.Parallel()
	server, list := receiver(t)
	sender := newSender(server)
	first, err := sender.Send(t.Context(), event())
	if err != nil {
		t.Fatal(err)
	}
	sender.Secret = webhook.Secret{}
	if _, err := sender.Retry(t.Context(), first); !errors.Is(err, webhook.ErrBadSecret) || len(*list) != 1 {
		t.Errorf("Retry without a secret: %v, %d requests arrived, want ErrBadSecret and only the first", err, len(*list))
	}
}

func TestAnAnswerThatBreaksOffIsAnError(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "only the start")
	}))
	defer server.Close()
	sent, err := newSender(server).Send(t.Context(), event())
	if !errors.Is(err, io.ErrUnexpectedEOF) || sent.Status != 0 || sent.Attempt != 1 {
		t.Errorf("Send = status %d attempt %d, %v, want an attempt without an answer", sent.Status, sent.Attempt, err)
	}
}

// failing is a test that notes its failure instead of failing.
type failing struct {
	testing.TB
	fatal string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestNewRequestFailsTheTest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, url string
		event     webhook.Event
		says      string
	}{
		{"not an event", "/", webhook.Event{}, "make the body"},
		{"address that is none", "http://a b", event(), "invalid character"},
	}
	for _, tt := range tests {
		inner := &failing{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			webhooktest.NewRequest(inner, tt.url, webhook.NewSecret(), tt.event)
		}()
		<-done
		if !strings.Contains(inner.fatal, tt.says) {
			t.Errorf("%s: NewRequest failed its test with %q, want %q", tt.name, inner.fatal, tt.says)
		}
	}
}

func TestNewRequestFitsAHandler(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	req := webhooktest.NewRequest(t, "/hooks/compliancelayer?x=1", secret, event())
	var result webhook.Result
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil || string(got) != body || r.URL.Path != "/hooks/compliancelayer" {
			t.Errorf("the handler got %s %q, %v", r.URL, got, err)
		}
		if result, err = webhook.Verify(r.Header, got, time.Now(), time.Minute, secret); err != nil {
			t.Errorf("Verify: %v", err)
		}
	})
	handler.ServeHTTP(httptest.NewRecorder(), req)
	if result.Scheme != webhook.SchemeStandard {
		t.Errorf("the request was verified by the scheme %q, want standard", result.Scheme)
	}
	if req.Header.Get(webhook.DeliveryHeader) != "1" || req.Header.Get(webhook.AttemptHeader) != "1" {
		t.Errorf("the request is delivery %s attempt %s, want 1 and 1", req.Header.Get(webhook.DeliveryHeader), req.Header.Get(webhook.AttemptHeader))
	}
}

func TestNewEvent(t *testing.T) {
	t.Parallel()
	before := time.Now().Truncate(time.Millisecond)
	a, b := webhooktest.NewEvent("a.b", `{"x":1}`), webhooktest.NewEvent("a.b", `{"x":1}`)
	if a.Type != "a.b" || string(a.Data) != `{"x":1}` {
		t.Errorf("NewEvent = %+v, want the type and data given", a)
	}
	if a.ID == b.ID {
		t.Errorf("two events have the same id %s", a.ID)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(a.ID) {
		t.Errorf("the id %s is not a UUID of version 7", a.ID)
	}
	millis, err := strconv.ParseInt(a.ID[:8]+a.ID[9:13], 16, 64)
	if err != nil || millis != a.CreatedAt.UnixMilli() {
		t.Errorf("the id %s holds the time %d, %v, want that of the event, %d", a.ID, millis, err, a.CreatedAt.UnixMilli())
	}
	if a.CreatedAt.Before(before) || a.CreatedAt.After(time.Now()) || a.CreatedAt.Nanosecond()%1e6 != 0 || a.CreatedAt.Location() != time.UTC {
		t.Errorf("the event was created at %v, want now in UTC to the millisecond", a.CreatedAt)
	}
}
