package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/webhook"
)

func forwarderTo(t *testing.T, url string) (*forwarder, webhook.Secret) {
	t.Helper()
	secret := webhook.NewSecret()
	f, err := newForwarder(url, secret)
	if err != nil {
		t.Fatal(err)
	}
	return f, secret
}

func TestForwardedEventsAreSignedAsTheRealThing(t *testing.T) {
	t.Parallel()
	got := make(chan arrival, 2)
	rc := &receiver{seen: func(a arrival) { got <- a }, answer: func(int, *arrival) (int, string) { return http.StatusAccepted, "" }}
	server := httptest.NewServer(rc)
	defer server.Close()
	f, secret := forwarderTo(t, server.URL+"/hooks")
	rc.setSecrets(secret)
	event := happened("a", "scan.completed", 0)
	event.CreatedAt = event.CreatedAt.UTC()
	body, err := event.MarshalBody()
	if err != nil {
		t.Fatal(err)
	}
	for _, number := range []string{"1", "2"} {
		if done := f.send(t.Context(), event, body); done.Status != http.StatusAccepted || done.Error != "" {
			t.Errorf("sent: %+v", done)
		}
		if a := <-got; !a.verified() || a.Body != string(body) || a.Path != "/hooks" || a.Delivery != number || a.Attempt != "1" {
			t.Errorf("arrived: %+v", a)
		}
	}
}

func TestForwardingGoesNowhereElse(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	f, _ := forwarderTo(t, server.URL)
	if done := f.send(t.Context(), happened("a", "scan.completed", 0), []byte("{}")); done.Status != http.StatusTemporaryRedirect {
		t.Errorf("sent: %+v", done)
	}
	f.url = elsewhere.URL
	done := f.send(t.Context(), happened("a", "scan.completed", 0), []byte("{}"))
	if done.Status != 0 || !strings.Contains(done.Error, " is not "+strings.TrimPrefix(server.URL, "http://")) {
		t.Errorf("sent to another address: %+v", done)
	}
}

func TestForwardTargets(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"localhost:3000/hooks": "http://localhost:3000/hooks", "127.0.0.1:3000": "http://127.0.0.1:3000", "https://app.test": "https://app.test",
		"http://[::1]:3000/x": "http://[::1]:3000/x", "ftp://x": "", "": "", "http://": "", "/hooks": "",
	} {
		f, err := newForwarder(target, webhook.NewSecret())
		if want == "" && err == nil || want != "" && (err != nil || f.url != want) {
			t.Errorf("newForwarder(%q) = %+v, %v; want %q", target, f, err, want)
		}
	}
}
