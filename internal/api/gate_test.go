package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, sane := range []string{"abc-123", "4bf92f3577b34da6.a:3", strings.Repeat("x", 128)} {
		if res, _ := w.do(http.MethodGet, "/healthz", "", "", "X-Request-Id", sane); res.Header.Get("X-Request-Id") != sane {
			t.Errorf("X-Request-Id %q came back as %q", sane, res.Header.Get("X-Request-Id"))
		}
	}
	made := regexp.MustCompile(`^req_[0-9a-f]{24}$`)
	for _, odd := range []string{"", "a b", `a"b`, "é", strings.Repeat("x", 129), "a\tb"} {
		if res, _ := w.do(http.MethodGet, "/healthz", "", "", "X-Request-Id", odd); !made.MatchString(res.Header.Get("X-Request-Id")) {
			t.Errorf("X-Request-Id %q came back as %q, want one of ours", odd, res.Header.Get("X-Request-Id"))
		}
	}
}

func TestWhatNoRouteMatchesIsAnsweredInJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	tests := []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/v1", 404, "not_found", ""},
		{"GET", "/v1/nothing", 404, "not_found", ""},
		{"GET", "/v1/endpoints/", 404, "not_found", ""},
		{"GET", "/v1//endpoints", 404, "not_found", ""},
		{"GET", "/v1/../docs", 404, "not_found", ""},
		{"GET", "/v1/endpoints/a/b/c/d", 404, "not_found", ""},
		{"PUT", "/v1/endpoints/ep_1", 405, "method_not_allowed", "GET, HEAD, PATCH, DELETE"},
		{"DELETE", "/v1/events", 405, "method_not_allowed", "GET, HEAD, POST"},
		{"GET", "/v1/deliveries/1/retry", 405, "method_not_allowed", "POST"},
		{"OPTIONS", "/v1/setup", 405, "method_not_allowed", "POST"},
		{"BREW-COFFEE", "/v1/me", 405, "method_not_allowed", "GET, HEAD"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tt.method, "http://x"+tt.path, nil)
			rec := httptest.NewRecorder()
			w.ServeHTTP(rec, r)
			var e client.Error
			check(t, json.Unmarshal(rec.Body.Bytes(), &e))
			if rec.Code != tt.status || e.Status != tt.status || e.Code != tt.code || rec.Header().Get("Allow") != tt.allow {
				t.Errorf("got %d %+v, Allow %q; want %d %s, Allow %q", rec.Code, e, rec.Header().Get("Allow"), tt.status, tt.code, tt.allow)
			}
		})
	}
}

func TestTooManyHeadersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
	for i := range maxHeaderLines - 1 { // and Host
		r.Header.Add("X-"+strconv.Itoa(i/2), "1") // two lines of each name
	}
	rec := httptest.NewRecorder()
	if w.ServeHTTP(rec, r); rec.Code != http.StatusOK {
		t.Errorf("%d headers: got %d, want 200", len(r.Header), rec.Code)
	}
	r.Header.Set("X-One-More", "1")
	rec = httptest.NewRecorder()
	if w.ServeHTTP(rec, r); rec.Code != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d headers: got %d, want 431", len(r.Header), rec.Code)
	}
}

// 16 KiB were promised, and 20,000 bytes were taken.
func TestLongHeadersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
	_, size := headSize(r)
	const name = "X-Long"
	for extra, want := range map[int]int{0: http.StatusOK, 1: http.StatusRequestHeaderFieldsTooLarge} {
		r.Header.Set(name, strings.Repeat("a", maxHeaderBytes-size-len(name)-len(": \r\n")+extra))
		rec := httptest.NewRecorder()
		if w.ServeHTTP(rec, r); rec.Code != want {
			t.Errorf("%d bytes over the limit: got %d, want %d", extra, rec.Code, want)
		}
		var e client.Error
		if err := json.Unmarshal(rec.Body.Bytes(), &e); want != http.StatusOK && (err != nil || e.Code != client.CodeInvalidRequest) {
			t.Errorf("%d bytes over the limit: answered %s", extra, rec.Body)
		}
	}
}

func TestTwoAuthorizationHeadersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := httptest.NewRequest(http.MethodGet, "/v1/me", nil)
	key := "Bearer " + w.key(w.other, auth.Read)
	r.Header["Authorization"] = []string{key, key}
	rec := httptest.NewRecorder()
	if w.ServeHTTP(rec, r); rec.Code != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", rec.Code)
	}
}

func TestAnswersAreNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	res, _ := w.do(http.MethodGet, "/healthz", "", "")
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v: want no-store and nosniff", res.Header)
	}
}

// failing is a publisher that fails with err, or panics when that is nil.
type failing struct{ err error }

func (f failing) Publish(context.Context, string, []publish.Input) ([]store.Published, error) {
	if f.err == nil {
		panic("planted panic with a secret")
	}
	return nil, f.err
}

// TestErrorsMapToAnswers goes through everything that an operation may fail with.
func TestErrorsMapToAnswers(t *testing.T) {
	t.Parallel()
	wrapped := func(err error) error { return fmt.Errorf("publish: %w", err) }
	tests := []struct {
		name   string
		err    error
		status int
		code   string
		retry  string
	}{
		{"invalid input", &manage.Invalid{Fields: []manage.Field{{Name: "url", Message: "is bad"}}}, 422, client.CodeValidation, ""},
		{"an invalid event", &publish.Invalid{Fields: []publish.Field{{Name: "data", Message: "is bad"}}}, 422, client.CodeValidation, ""},
		{"a lacking scope", &manage.Forbidden{Scope: auth.Admin}, 403, client.CodeForbidden, ""},
		{"guesses", auth.ErrGuessing, 429, client.CodeRateLimit, "1"},
		{"no key", auth.ErrNoKey, 401, client.CodeUnauthorized, ""},
		{"a bad header", auth.ErrBadHeader, 401, client.CodeUnauthorized, ""},
		{"an unknown key", auth.ErrUnknownKey, 401, client.CodeUnauthorized, ""},
		{"a revoked key", auth.ErrRevoked, 401, client.CodeUnauthorized, ""},
		{"an expired key", auth.ErrExpired, 401, client.CodeUnauthorized, ""},
		{"not found", store.ErrNotFound, 404, client.CodeNotFound, ""},
		{"a conflict in words", store.Conflictf("it is so"), 409, client.CodeConflict, ""},
		{"a conflict", store.ErrConflict, 409, client.CodeConflict, ""},
		{"a disabled endpoint", store.ErrDisabled, 409, client.CodeConflict, ""},
		{"a limit", store.ErrLimit, 409, client.CodeConflict, ""},
		{"too busy", publish.ErrBusy, 503, client.CodeUnavailable, "1"},
		{"a full disk", store.ErrFull, 503, client.CodeStorageFull, "30"},
		{"a filter that looks through too much", fmt.Errorf("count deliveries: %w", store.ErrSlow), 503, client.CodeUnavailable, "5"},
		{"no database", store.ErrUnavailable, 503, client.CodeUnavailable, "2"},
		{"stale subscriptions", store.ErrStale, 503, client.CodeUnavailable, "2"},
		{"a closed store", store.ErrClosed, 503, client.CodeUnavailable, "2"},
		{"a caller that left", context.Canceled, 503, client.CodeUnavailable, "1"},
		{"no time left", context.DeadlineExceeded, 503, client.CodeUnavailable, "1"},
		{"a body over its limit", &http.MaxBytesError{Limit: 5}, 413, client.CodeTooLarge, ""},
		{"anything else", errors.New("dial tcp 10.0.0.1: planted inside"), 500, client.CodeInternal, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			w := newWorld(t, func(c *Config) {
				c.Publisher = failing{wrapped(tt.err)}
				c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			})
			res, body := w.do(http.MethodPost, "/v1/events", w.key(w.other, auth.Publish), `{"type":"domain.added","data":1}`)
			var e client.Error
			check(t, json.Unmarshal([]byte(body), &e))
			if res.StatusCode != tt.status || e.Code != tt.code || res.Header.Get("Retry-After") != tt.retry {
				t.Errorf("got %d %s, Retry-After %q; want %d %s, %q", res.StatusCode, e.Code, res.Header.Get("Retry-After"), tt.status, tt.code, tt.retry)
			}
			if !strings.HasSuffix(e.Message, ".") || strings.Contains(body, "planted") {
				t.Errorf("%s: want a sentence, and nothing of the inside", body)
			}
			if logged := strings.Contains(log.String(), "planted inside") && strings.Contains(log.String(), e.RequestID); logged != (tt.status == 500) {
				t.Errorf("the log has the cause and the request id: %t; status %d", logged, tt.status)
			}
		})
	}
}

func TestPanicIsAnsweredWithoutDetails(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := newWorld(t, func(c *Config) {
		c.Publisher = failing{}
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	res, body := w.do(http.MethodPost, "/v1/events", w.key(w.other, auth.Publish), `{"type":"domain.added","data":1}`)
	if res.StatusCode != 500 || strings.Contains(body, "planted") || !strings.Contains(body, client.CodeInternal) {
		t.Errorf("got %d %s, want a 500 without details", res.StatusCode, body)
	}
	if !strings.Contains(log.String(), "planted panic") {
		t.Errorf("the log does not have the panic: %s", log.String())
	}
}

func TestPanicWithinAnAnswerBreaksTheConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "up 1\n")
			_ = http.NewResponseController(w).Flush()
			panic("planted")
		})
	})
	r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, w.web.URL+"/metrics", nil))(t)
	r.Header.Set("Authorization", "Bearer "+w.key(store.DefaultAccount, auth.Read))
	res := must(w.web.Client().Do(r))(t)
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); !errors.Is(err, io.ErrUnexpectedEOF) || string(body) != "up 1\n" {
		t.Errorf("got %q, %v; want the half and an unexpected end", body, err)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := must(New(Config{Auth: benchAuth{}, Publisher: benchPublished(), RequestRate: 3}))(t)
		call := func() *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "/v1/events", readerOf(benchBody))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer cl_x")
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, r)
			return rec
		}
		for left := 2; left >= 0; left-- {
			if rec := call(); rec.Code != 202 || rec.Header().Get("X-RateLimit-Remaining") != strconv.Itoa(left) || rec.Header().Get("X-RateLimit-Limit") != "3" {
				t.Errorf("got %d with headers %v, want %d left of 3", rec.Code, rec.Header(), left)
			}
		}
		rec := call()
		if rec.Code != 429 || rec.Header().Get("Retry-After") != "1" || !strings.Contains(rec.Body.String(), client.CodeRateLimit) {
			t.Errorf("the fourth: got %d %s, want 429", rec.Code, rec.Body)
		}
		if got, want := rec.Header().Get("X-RateLimit-Reset"), strconv.FormatInt(time.Now().Add(time.Second).Unix(), 10); got != want {
			t.Errorf("X-RateLimit-Reset %s, want %s, when the bucket is full", got, want)
		}
		time.Sleep(334 * time.Millisecond)
		if rec := call(); rec.Code != 202 {
			t.Errorf("after a third of a second: got %d, want 202", rec.Code)
		}
		if rec := call(); rec.Code != 429 {
			t.Errorf("and at once again: got %d, want 429", rec.Code)
		}
		time.Sleep(time.Hour)
		for i := range 4 {
			if rec, want := call(), map[bool]int{true: 202, false: 429}[i < 3]; rec.Code != want {
				t.Errorf("request %d after an hour: got %d, want %d: a bucket holds a second's worth", i+1, rec.Code, want)
			}
		}
	})
}

func TestManyKeysOfAnAccountShareItsRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.RequestRate = 3 })
	refused := 0
	for range 10 {
		res, _ := w.do(http.MethodGet, "/v1/me", w.key(w.other, auth.Read), "")
		if res.StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("ten requests with ten keys of an account that may make three a second: none was refused")
	}
	own := w.key(store.DefaultAccount, auth.Read)
	for range 10 {
		if res, body := w.do(http.MethodGet, "/v1/me", own, ""); res.StatusCode != http.StatusOK {
			t.Errorf("the default account: got %d %s, want no limit", res.StatusCode, body)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Ping = func(context.Context) error { return errors.New("dial tcp: planted") } })
	res, body := w.do(http.MethodGet, "/readyz", "", "")
	if res.StatusCode != 503 || !strings.Contains(body, "database") || strings.Contains(body, "planted") || res.Header.Get("Retry-After") == "" {
		t.Errorf("without a database: got %d %s, want a 503 that says so", res.StatusCode, body)
	}
	if res, _ := w.do(http.MethodGet, "/healthz", "", ""); res.StatusCode != 200 {
		t.Errorf("/healthz without a database: got %d, want 200", res.StatusCode)
	}
	close(w.drain)
	if _, body := w.do(http.MethodGet, "/readyz", "", ""); !strings.Contains(body, "shutting down") {
		t.Errorf("while draining: got %s", body)
	}
}

func TestAFullDatabaseIsNotReadyAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.Ping = func(context.Context) error { return fmt.Errorf("write: %w", store.ErrFull) }
	})
	res, body := w.do(http.MethodGet, "/readyz", "", "")
	if res.StatusCode != 503 || !strings.Contains(body, client.CodeStorageFull) || res.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %s, want a 503 that says so", res.StatusCode, body)
	}
}

func TestPingIsGivenLittleTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := must(New(Config{Ping: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, Logger: slog.New(slog.DiscardHandler)}))(t)
		start := time.Now()
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if took := time.Since(start); rec.Code != 503 || took != pingTime {
			t.Errorf("got %d after %s, want 503 after %s", rec.Code, took, pingTime)
		}
	})
}

// TestACallerWhoLeavesIsNoWarning: whoever hangs up could fill the log, and the operator's
// alert of answers with 5xx, with calls for help.
func TestACallerWhoLeavesIsNoWarning(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	counted := 0
	w := newWorld(t, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c.Observe = func(_ string, status int, _ time.Duration) { counted = status }
	})
	ctx, leave := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/events", nil)
	r.Header.Set("Authorization", "Bearer "+w.key(w.other, auth.Read))
	w.ServeHTTP(httptest.NewRecorder(), r) // so that the key is known
	leave()
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	if rec.Code != http.StatusServiceUnavailable || log.String() != "" {
		t.Errorf("got %d, and the log says %q; want 503 and nothing", rec.Code, log.String())
	}
	if counted != statusLeft {
		t.Errorf("counted as %d, want %d", counted, statusLeft)
	}
}
