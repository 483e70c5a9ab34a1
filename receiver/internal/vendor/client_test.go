package vendor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/receiver"
)

const token = "xoxb-very/secret"

// clients are those of net/http and of egress: hooks and errors of both must be read.
func clients(t *testing.T) map[string]*http.Client {
	t.Helper()
	policy, err := egress.NewPolicy(egress.Config{Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := egress.NewClient(egress.ClientConfig{Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return map[string]*http.Client{"net/http": {Transport: &http.Transport{}}, "egress": client.Plain(time.Minute, MaxAnswer)}
}

func failed(t *testing.T, err error) receiver.Failure {
	t.Helper()
	f, ok := errors.AsType[*receiver.Failure](err)
	if !ok {
		t.Fatalf("the error is %v, want a *receiver.Failure", err)
	}
	return *f
}

func TestEveryStatusHasAMeaning(t *testing.T) {
	t.Parallel()
	c, err := New(Config{Name: "Vendor", Denied: "set the token"})
	if err != nil {
		t.Fatal(err)
	}
	for status := 200; status < 600; status++ {
		for _, repeats := range []bool{false, true} {
			err := c.judge(Answer{Status: status, Header: http.Header{"Retry-After": {"7"}}, Body: []byte("why")}, nil, repeats)
			if status < 300 {
				if err != nil {
					t.Errorf("%d gives %v, want no error", status, err)
				}
				continue
			}
			got := failed(t, err)
			if text := got.Error(); !strings.Contains(text, fmt.Sprint(status)) || !strings.Contains(text, "why") {
				t.Errorf("%d says %q, want its number and the vendor's words", status, text)
			}
			got.Err = nil
			want := receiver.Failure{Permanent: true}
			switch {
			case status == 429:
				want = receiver.Failure{Unavailable: true, After: 7 * time.Second}
			case status < 400, slices.Contains([]int{401, 403, 425}, status):
				want = receiver.Failure{Unavailable: true, Answered: true, After: 7 * time.Second}
			case status == 408 || status >= 500:
				want = receiver.Failure{Unavailable: true, Answered: true, Unsure: true, After: 7 * time.Second}
			}
			want.Unsure = want.Unsure && !repeats
			if got != want {
				t.Errorf("%d (repeats: %v) gives %+v, want %+v", status, repeats, got, want)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)
	tests := map[string]time.Duration{
		"": 0, "30": 30 * time.Second, " 1.5 ": 1500 * time.Millisecond, "-5": 0, "soon": 0, "NaN": 0, "Inf": maxAfter, "1e300": maxAfter, "999999999": maxAfter,
		"Sun, 08 Mar 2026 12:02:00 GMT": 2 * time.Minute,
		"Sun, 08 Mar 2026 11:00:00 GMT": 0,
		"Sun, 08 Mar 2099 12:00:00 GMT": maxAfter,
	}
	for text, want := range tests {
		if got := retryAfter(text, now); got != want {
			t.Errorf("Retry-After: %q gives %v, want %v", text, got, want)
		}
	}
}

func TestARequestIsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.URL, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), body)
	}))
	t.Cleanup(server.Close)
	for name, client := range clients(t) {
		c, err := New(Config{Name: "Vendor", HTTP: client})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := c.Send(t.Context(), Request{URL: server.URL + "/a?b=c", Header: http.Header{"Authorization": {"Bearer x"}}, Body: map[string]int{"n": 1}})
		want := `POST /a?b=c Bearer x application/json; charset=utf-8 {"n":1}`
		if err != nil || answer.Status != http.StatusCreated || string(answer.Body) != want {
			t.Errorf("%s: got %d %q, %v, want %q", name, answer.Status, answer.Body, err, want)
		}
	}
}

// hijacked answers with raw bytes and ends the connection.
func hijacked(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	}
}

func TestWhatBreaksIsToldApart(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		handler http.HandlerFunc
		want    receiver.Failure
	}{
		"ended without an answer": {hijacked(""), receiver.Failure{Unavailable: true, Unsure: true}},
		"ended within its head":   {hijacked("HTTP/1.1 200 O"), receiver.Failure{Unavailable: true, Unsure: true, Answered: true}},
		"ended within its body":   {hijacked("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), receiver.Failure{Unavailable: true, Unsure: true, Answered: true}},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", MaxAnswer+1))
		}, receiver.Failure{Unavailable: true, Unsure: true, Answered: true}},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, receiver.Failure{Unavailable: true, Answered: true}},
	}
	for name, tt := range tests {
		server := httptest.NewServer(tt.handler)
		t.Cleanup(server.Close)
		for of, client := range clients(t) {
			c, err := New(Config{Name: "Vendor", HTTP: client})
			if err != nil {
				t.Fatal(err)
			}
			for _, repeats := range []bool{false, true} {
				_, err = c.Send(t.Context(), Request{URL: server.URL + "/hidden", Body: 1, Repeats: repeats})
				got := failed(t, err)
				if text := got.Error(); strings.Contains(text, "hidden") || !strings.HasPrefix(text, "Vendor: ") {
					t.Errorf("%s, %s: the error is %q, want the vendor's name and no URL", name, of, text)
				}
				if hint := strings.Contains(got.Error(), "answered 302: it redirects"); hint != (name == "redirect") {
					t.Errorf("%s, %s: the error is %q", name, of, got.Err)
				}
				got.Err = nil
				want := tt.want
				want.Unsure = want.Unsure && !repeats
				if got != want {
					t.Errorf("%s, %s, repeats %v: got %+v, want %+v", name, of, repeats, got, want)
				}
			}
		}
	}
}

func TestWhatNeverLeftIsSure(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String() + "/hidden"
	_ = listener.Close()
	for name, client := range clients(t) {
		c, err := New(Config{Name: "Vendor", HTTP: client})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Send(t.Context(), Request{URL: nobody, Body: 1})
		got := failed(t, err)
		if !got.Unavailable || got.Unsure || got.Answered || strings.Contains(got.Error(), "hidden") {
			t.Errorf("%s: refused gives %+v, want it unavailable and sure", name, got)
		}
	}
	c, err := New(Config{Name: "Vendor"})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{nobody, "https://127.0.0.1/hidden", "https://10.0.0.1/hidden"} {
		_, err = c.Send(t.Context(), Request{URL: url, Body: 1})
		got := failed(t, err)
		if refused := new(*egress.Error); !errors.As(got.Err, refused) || !got.Unavailable || got.Unsure || strings.Contains(got.Error(), "hidden") {
			t.Errorf("without a client of the user's, %s gives %+v, want a refusal by egress", url, got)
		}
	}
	_, err = c.Send(t.Context(), Request{URL: "https://exa mple/" + token})
	if got := failed(t, err); !got.Permanent || strings.Contains(got.Error(), token) {
		t.Errorf("no URL gives %+v, want it permanent and not repeated", got)
	}
}

// silent takes a connection and says nothing until its context ends.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestASlowVendor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Config{Name: "Vendor", HTTP: &http.Client{Transport: silent{}}})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = c.Send(t.Context(), Request{URL: "https://example.com/hidden", Body: 1})
		got := failed(t, err)
		if took := time.Since(began); took != DefaultTimeout {
			t.Errorf("it took %v, want %v", took, DefaultTimeout)
		}
		if !got.Unavailable || !got.Unsure || got.Answered || got.Error() != "Vendor: no whole answer within 10s: context deadline exceeded" {
			t.Errorf("got %+v, want it unavailable and unsure, with the time", got)
		}

		stop := errors.New("the program ends")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(stop) })
		_, err = c.Send(ctx, Request{URL: "https://example.com", Body: 1})
		if got := failed(t, err); !errors.Is(err, stop) || !got.Unsure {
			t.Errorf("a caller that left gives %v, want its own reason", err)
		}
	})
}

func TestAConnectionThatNeverCameIsSure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		defer close(over)
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-over
			return nil, errors.New("it took too long")
		}}
		c, err := New(Config{Name: "Vendor", HTTP: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Send(t.Context(), Request{URL: "https://example.com", Body: 1})
		if got := failed(t, err); !got.Unavailable || got.Unsure || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %+v, want it unavailable and sure", got)
		}
	})
}

func TestErrorsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, "bad\x1b[31m\x00 token %s\r\nor xoxb-very%%2Fsecret \u202e%s", token, strings.Repeat("é", 2000))
	}))
	t.Cleanup(server.Close)
	c, err := New(Config{Name: "Vendor", HTTP: server.Client(), Secrets: []string{token, ""}})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Send(t.Context(), Request{URL: server.URL, Body: json.RawMessage(`{}`)})
	text := err.Error()
	if want := "Vendor: answered 400: bad[31m token *** or *** é"; !strings.HasPrefix(text, want) {
		t.Errorf("got %q, want it to begin with %q", text, want)
	}
	if len(text) > maxSaid+100 {
		t.Errorf("the error has %d bytes, want at most %d", len(text), maxSaid+100)
	}
	if answer.Status != http.StatusBadRequest || len(answer.Body) < 4000 {
		t.Errorf("the answer is %d with %d bytes, want it whole", answer.Status, len(answer.Body))
	}
	if _, err := c.Send(t.Context(), Request{URL: server.URL, Said: func([]byte) string { return "read out" }}); err == nil || err.Error() != "Vendor: answered 400: read out" {
		t.Errorf("got %v, want the vendor's words as they were read", err)
	}
}
