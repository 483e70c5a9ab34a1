package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// serve makes a client of a server that answers with handler.
func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := New(Config{Server: server.URL + "/prefix/", APIKey: "cl_key"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answering makes a client of a server that always gives the same answer.
func answering(t *testing.T, status int, body string) *Client {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func TestNewRefusesWhatIsNoServer(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "hooks.example.com", "ftp://hooks.example.com", "https://", "https://u:p@x", "https://x?a=b", "https://x#a", "http://a b"} {
		if _, err := New(Config{Server: bad}); err == nil {
			t.Errorf("New(%q): no error", bad)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("New(%q): the error shows the password: %v", bad, err)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got, body = r, string(text)
		w.Header().Set("Idempotent-Replayed", "true")
		_, _ = io.WriteString(w, `{"id":"e1"}`)
	})
	out, err := c.Publish(t.Context(), NewEvent{Type: "a.b", Data: json.RawMessage(`{"n":1}`), IdempotencyKey: "k"})
	if err != nil || !out.Replayed || out.ID != "e1" {
		t.Errorf("Publish = %+v, %v; want e1, replayed", out, err)
	}
	if got.Method != "POST" || got.URL.Path != "/prefix/v1/events" || body != `{"type":"a.b","data":{"n":1}}` {
		t.Errorf("sent %s %s %s", got.Method, got.URL.Path, body)
	}
	want := map[string]string{
		"Authorization": "Bearer cl_key", "Content-Type": "application/json", "Accept": "application/json",
		"User-Agent": userAgent, "Idempotency-Key": "k",
	}
	for name, value := range want {
		if got.Header.Get(name) != value {
			t.Errorf("header %s: %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if _, err := c.Endpoint(t.Context(), "a/b?c"); err != nil || got.URL.EscapedPath() != "/prefix/v1/endpoints/a%2Fb%3Fc" {
		t.Errorf("sent %s, %v; want the id escaped", got.URL.EscapedPath(), err)
	}
	if got.Header.Get("Content-Type") != "" {
		t.Error("a request without a body has a Content-Type")
	}
	if err := c.RevokeKey(t.Context(), "acc_2", "key_1"); err != nil || got.URL.RawQuery != "account_id=acc_2" {
		t.Errorf("RevokeKey sent %s, %v", got.URL, err)
	}
	if _, err := c.DeleteEndpoint(t.Context(), "ep_1", true); err != nil || got.URL.RawQuery != "dry_run=true" {
		t.Errorf("DeleteEndpoint sent %s, %v", got.URL, err)
	}
}

func TestQueryHasOnlyWhatIsSet(t *testing.T) {
	t.Parallel()
	q := queryOf(DeliveryQuery{
		EndpointID: "ep_1", Status: []string{"failed", "held"}, From: At(time.Date(2026, 3, 8, 12, 0, 0, 5e6, time.FixedZone("", 3600))),
		PageQuery: PageQuery{Limit: 7},
	})
	want := url.Values{"endpoint_id": {"ep_1"}, "status": {"failed,held"}, "from": {"2026-03-08T11:00:00.005Z"}, "limit": {"7"}}
	if diff := cmp.Diff(want, q); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if q := queryOf(EventQuery{Unmatched: true}); q.Encode() != "unmatched=true" {
		t.Errorf("query %s, want unmatched=true", q.Encode())
	}
}

func TestErrorIsRead(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(422)
		_, _ = io.WriteString(w, `{"error":"validation_failed","message":"It is wrong.","status":422,"request_id":"req_1","fields":[{"field":"url","message":"is bad"}]}`)
	})
	_, err := c.Me(t.Context())
	var got *Error
	if !errors.As(err, &got) {
		t.Fatalf("got %v, want an *Error", err)
	}
	want := &Error{Code: CodeValidation, Message: "It is wrong.", Status: 422, RequestID: "req_1", Fields: []Field{{"url", "is bad"}}, RetryAfter: 7 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if text := got.Error(); text != "It is wrong.\n  url: is bad (validation_failed, status 422, request req_1)" {
		t.Errorf("text %q", text)
	}
}

func TestAnswersOfSomebodyElse(t *testing.T) {
	t.Parallel()
	var e *Error
	if _, err := answering(t, 502, "<html>Bad gateway").Me(t.Context()); !errors.As(err, &e) || e.Code != CodeUnexpected || e.Status != 502 {
		t.Errorf("a proxy's page: got %v", err)
	}
	if _, err := answering(t, 200, "<html>Welcome").Me(t.Context()); err == nil || errors.As(err, &e) && e.Status == 200 {
		t.Errorf("a page with 200: got %v, want that it is not what the API promises", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/prefix/v1/me" {
			t.Errorf("%s was followed with %s", r.URL, r.Header.Get("Authorization"))
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	var e *Error
	if _, err := c.Me(t.Context()); !errors.As(err, &e) || e.Status != http.StatusTemporaryRedirect {
		t.Errorf("got %v, want an *Error of 307", err)
	}
}

func TestFailedCallDoesNotShowTheAddress(t *testing.T) {
	t.Parallel()
	c := answering(t, 200, "{}")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Events(ctx, EventQuery{Type: "planted"})
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), "GET /v1/events") {
		t.Errorf("got %v, want the call and the cause without the query", err)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	if _, err := readAll(zeros{}); err == nil {
		t.Error("an endless answer was read")
	}
}

func TestAllGoesThroughThePages(t *testing.T) {
	t.Parallel()
	pages := map[string]Page[int]{
		"": {Data: []int{1, 2}, NextCursor: text("b")}, "b": {NextCursor: text("c")}, "c": {Data: []int{3}},
	}
	var q PageQuery
	list := func(context.Context) (Page[int], error) { return pages[q.Cursor], nil }
	var got []int
	for n, err := range All(t.Context(), &q, list) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
	}
	if diff := cmp.Diff([]int{1, 2, 3}, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	q = PageQuery{}
	for n := range All(t.Context(), &q, list) {
		if n == 1 {
			break
		}
	}
	if q.Cursor != "" {
		t.Error("a loop that was left went on to the next page")
	}
}

func TestAllEndsAtAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	calls := 0
	for _, err := range All(t.Context(), &PageQuery{}, func(context.Context) (Page[int], error) {
		calls++
		return Page[int]{}, broken
	}) {
		if !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls, want one", calls)
	}
}

func TestAllNoticesAListThatDoesNotTurnThePage(t *testing.T) {
	t.Parallel()
	var last error
	for _, err := range All(t.Context(), &PageQuery{}, func(context.Context) (Page[int], error) {
		return Page[int]{Data: []int{1}, NextCursor: text("b")}, nil
	}) {
		last = err
	}
	if !errors.Is(last, errSamePage) {
		t.Errorf("got %v, want errSamePage", last)
	}
}

func TestTimeOnTheWire(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 8, 13, 34, 56, 789_999_999, time.FixedZone("", 3600))
	out, err := json.Marshal([]any{At(at), Time{}, AtOrNil(time.Time{}), AtOrNil(at), At(at.Truncate(time.Second))})
	want := `["2026-03-08T12:34:56.789Z",null,null,"2026-03-08T12:34:56.789Z","2026-03-08T12:34:56.000Z"]`
	if err != nil || string(out) != want {
		t.Errorf("got %s, %v; want %s", out, err, want)
	}
	var back []Time
	if err := json.Unmarshal([]byte(`["2026-03-08T13:34:56.5+01:00",null]`), &back); err != nil || !back[0].Equal(time.Date(2026, 3, 8, 12, 34, 56, 5e8, time.UTC)) || !back[1].IsZero() {
		t.Errorf("read back %v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`["yesterday"]`), &back); err == nil {
		t.Error("yesterday was read as a time")
	}
	if got := (Time{}).String(); got != "" {
		t.Errorf("the zero time as text: %q", got)
	}
}

func text(s string) *string { return &s }
