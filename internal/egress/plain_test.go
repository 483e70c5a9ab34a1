package egress

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// plainFor gives a plain client in development mode, which may reach a server on loopback.
func plainFor(t *testing.T, timeout time.Duration, most int64) *http.Client {
	t.Helper()
	return newClient(t, ClientConfig{Policy: newPolicy(t, Config{Dev: true})}).Plain(timeout, most)
}

func ask(t *testing.T, c *http.Client, method, url, body string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err == nil {
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
	return resp, err
}

func TestAPlainClientGetsAnswersUpToItsBound(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil, func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, strings.Repeat("x", 10)+string(sent))
	})
	c := plainFor(t, time.Minute, 12)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		resp, err := ask(t, c, method, s.URL, "12")
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "xxxxxxxxxx12" {
			t.Errorf("%s answers %q, %v", method, body, err)
		}
		if resp, err := ask(t, c, method, s.URL, "123"); err == nil || !strings.Contains(err.Error(), "longer than 12 bytes") {
			t.Errorf("%s of one byte more: %v, %v", method, resp, err)
		}
	}
}

func TestAPlainClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	other := newServer(t, nil, func(http.ResponseWriter, *http.Request) {})
	s := newServer(t, nil, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	if resp, err := ask(t, plainFor(t, time.Minute, 1000), http.MethodGet, s.URL, ""); err != nil || resp.StatusCode != http.StatusFound {
		t.Errorf("got %v, %v, want the redirect itself", resp, err)
	}
	if n := other.requests.Load(); n != 0 {
		t.Errorf("it was followed %d times", n)
	}
}

func TestAPlainClientEndsWithItsTime(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]bool{"that never begins": false, "that never ends": true} {
		s := newServer(t, nil, func(w http.ResponseWriter, r *http.Request) {
			if begin {
				_, _ = io.WriteString(w, "{")
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		if resp, err := ask(t, plainFor(t, 50*time.Millisecond, 1000), http.MethodGet, s.URL, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an answer %s: %v, %v, want its deadline", name, resp, err)
		}
	}
}

func TestAPlainClientKeepsToThePolicy(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil, func(http.ResponseWriter, *http.Request) {})
	strict := newClient(t, ClientConfig{Policy: newPolicy(t, Config{})}).Plain(time.Minute, 1000)
	for name, url := range map[string]string{
		"http": s.URL, "a loopback address": "https://127.0.0.1:1/", "metadata": "https://169.254.169.254/", "a private address": "https://10.0.0.1/", "http to a public address": "http://192.88.99.1/",
		"a password": "https://zoe:secret@example.com/", "a local name": "https://issuer.internal/",
	} {
		var refused *Error
		if resp, err := ask(t, strict, http.MethodGet, url, ""); !errors.As(err, &refused) {
			t.Errorf("%s: %v, %v, want it refused", name, resp, err)
		}
	}
	if n := s.conns.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}
