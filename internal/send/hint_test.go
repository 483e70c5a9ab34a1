package send

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

const htmlWords = "HTML page"

func TestHintsForAnswers(t *testing.T) {
	t.Parallel()
	html := http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	loginPage := []byte(`<form><input TYPE="password"></form>`)
	tests := []struct {
		name   string
		code   int
		header http.Header
		body   []byte
		want   string // "" = no hint
	}{
		{"success", 200, http.Header{}, nil, ""},
		{"success with a page", 200, html, []byte("<p>thanks</p>"), ""},
		{"a login page", 200, html, loginPage, "login page"},
		{"a login page in plain text", 200, http.Header{"Content-Type": {"text/plain"}}, loginPage, ""},
		{"redirect", 301, http.Header{"Location": {"https://new.example/in"}}, nil, "Update the URL to https://new.example/in"},
		{"redirect to a secret", 302, http.Header{"Location": {"https://new.example/in?token=s3cret"}}, nil, "Update the URL to https://new.example/in"},
		{"redirect with control characters", 307, http.Header{"Location": {"https://new.example/\x1b[31m\u202eevil"}}, nil, "https://new.example/[31mevil"},
		{"redirect nowhere", 308, http.Header{}, nil, "never followed"},
		{"bad request", 400, http.Header{}, nil, "JSON in UTF-8"},
		{"unauthorized", 401, http.Header{}, nil, "raw body"},
		{"forbidden", 403, http.Header{}, nil, "secret check"},
		{"not found", 404, http.Header{}, nil, "path"},
		{"method", 405, http.Header{}, nil, "accept POST"},
		{"not acceptable", 406, http.Header{}, nil, "application/json"},
		{"request timeout", 408, http.Header{}, nil, "gave up waiting"},
		{"conflict", 409, http.Header{}, nil, "answer 2xx"},
		{"gone", 410, http.Header{}, nil, "delete the endpoint"},
		{"too large", 413, http.Header{}, nil, "limit"},
		{"media type", 415, http.Header{}, nil, "application/json"},
		{"invalid content", 422, http.Header{}, nil, "JSON in UTF-8"},
		{"too many", 429, http.Header{}, nil, "rate_limit"},
		{"headers too large", 431, http.Header{}, nil, "custom headers"},
		{"any other 4xx", 418, http.Header{}, nil, "own log"},
		{"error", 500, http.Header{}, nil, "own log"},
		{"a method it does not know", 501, http.Header{}, nil, "accept POST"},
		{"bad gateway", 502, http.Header{}, nil, "proxy"},
		{"unavailable", 503, http.Header{}, nil, "It may be restarting, overloaded"},
		{"gateway timeout", 504, http.Header{}, nil, "proxy"},
		{"a code of somebody's own", 599, http.Header{}, nil, "own log"},
		{"a code out of range", 999, http.Header{}, nil, "status 999"},
		{"the code 0", 0, http.Header{}, nil, "status 0"},
		{"a page", 404, html, nil, htmlWords},
		{"a page without a type", 500, http.Header{}, []byte("<!DOCTYPE html><p>Oops"), htmlWords},
	}
	for _, tt := range tests {
		r := report{class: delivery.ClassOf(tt.code), code: tt.code, host: example, port: "443", header: tt.header, body: tt.body}
		got := r.hint()
		if !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if strings.Contains(got, htmlWords) != (tt.want == htmlWords) {
			t.Errorf("%s: %q speaks of a page or not", tt.name, got)
		}
		if strings.Contains(got, "s3cret") {
			t.Errorf("%s: %q tells a secret", tt.name, got)
		}
	}
}

// TestEveryFailureHasAHint goes over all classes and phases without an answer.
func TestEveryFailureHasAHint(t *testing.T) {
	t.Parallel()
	secretError := &net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 443}, Err: errors.New("s3cret")}
	seen := map[string]delivery.Class{}
	for _, class := range delivery.Classes() {
		switch class {
		case delivery.OK, delivery.Redirect, delivery.ClientError, delivery.RateLimited, delivery.ServerError, delivery.BadStatus:
			continue // these have an answer
		}
		r := report{class: class, err: secretError, elapsed: 30 * time.Second, host: example, port: "8443"}
		got := r.hint()
		if !strings.HasSuffix(got, ".") || len(got) > 300 {
			t.Errorf("%s: %q is no hint", class, got)
		}
		if strings.Contains(got, "10.1.2.3") || strings.Contains(got, "s3cret") {
			t.Errorf("%s: %q repeats the error", class, got)
		}
		if before, ok := seen[got]; ok {
			t.Errorf("%s and %s have the same hint %q", before, class, got)
		}
		seen[got] = class
		if timeout := strings.HasSuffix(string(class), "_timeout"); timeout && !strings.Contains(got, "30 s") {
			t.Errorf("%s: %q does not say after how long", class, got)
		}
	}
}

func TestHintQuotedThePasswordOfARedirect(t *testing.T) {
	t.Parallel()
	const generic = "Use the URL that answers by itself."
	tests := []struct{ location, want string }{
		{"https://bot:hunter2@sso.example/cb#access_token=s3cret", "Update the URL to https://sso.example/cb"},
		{"https://hunter2@sso.example:8443/cb?hunter2", "Update the URL to https://sso.example:8443/cb"},
		{"https://" + strings.Repeat("hunter2", 50) + "@sso.example/cb", "Update the URL to https://sso.example/cb"},
		{"//bot:hunter2@sso.example/cb", generic},
		{"///bot:hunter2@sso.example/cb", generic},
		{"/\\bot:hunter2@sso.example/cb", generic},
		{"https:///bot:hunter2@sso.example/cb", generic},
		{"https:bot:hunter2@sso.example/cb", generic},
		{"https:\\\\bot:hunter2@sso.example/cb", generic},
		{"https://bot:hunter2\\@sso.example/cb", generic},
		{"hunter2@sso.example", generic},
		{"bot:hunter2@sso.example", generic},
		{"javascript:hunter2", generic},
		{"?hunter2", generic},
		{"#hunter2", generic},
		{"https://%zz/hunter2", generic},
		{"/login?hunter2", "Update the URL to /login"},
	}
	for _, tt := range tests {
		got := report{class: delivery.Redirect, code: 302, header: http.Header{"Location": {tt.location}}}.hint()
		if !strings.HasSuffix(got, tt.want) || strings.Contains(got, "hunter2") || strings.Contains(got, "s3cret") {
			t.Errorf("Location %q: hint %q, want it to end with %q", tt.location, got, tt.want)
		}
	}
}

func TestHintForAReceiverThatOnlyHasIPv6(t *testing.T) {
	t.Parallel()
	err := &net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 443}, Err: syscall.ENETUNREACH}
	got := report{class: delivery.Unreachable, err: err, host: example}.hint()
	if !strings.Contains(got, "IPv4") || strings.Contains(got, "2001:") {
		t.Errorf("hint %q", got)
	}
}

func TestSpoken(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		150 * time.Millisecond:   "150 ms",
		time.Second:              "1 s",
		2540 * time.Millisecond:  "2.5 s",
		30002 * time.Millisecond: "30 s",
	} {
		if got := spoken(d); got != want {
			t.Errorf("spoken(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"plain", "abc", "abc"},
		{"exactly as long as allowed", "abcdefghij", "abcdefghij"},
		{"too long", "abcdefghijk", "abcdefghij…"},
		{"too long and not ASCII", strings.Repeat("ü", 50), strings.Repeat("ü", 10) + "…"},
		{"too long and four bytes each", strings.Repeat("😀", 50), strings.Repeat("😀", 10) + "…"},
		{"control and direction characters", "a\x1b\x00\u202e\u200bb", "ab"},
		{"line breaks", "a\nb\tc", "a b c"},
		{"not UTF-8", "a\xff\xfeb", "ab"},
		{"nothing", "\x00", "(nothing readable)"},
	}
	for _, tt := range tests {
		if got := clean(tt.in, 10); got != tt.want || !utf8.ValidString(got) {
			t.Errorf("%s: clean(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}
