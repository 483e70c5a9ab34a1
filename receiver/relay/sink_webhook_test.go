package relay

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/memstore"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// webhookEnd is an end that posts to a server, whose address and header are secrets.
func webhookEnd(t *testing.T, secret webhook.Secret, serve http.HandlerFunc) sink {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	s, err := newWebhookSink(&Webhook{
		URL: NewSecret(server.URL + "/hooks/url-token"), Secret: secret, Headers: map[string]Secret{"X-Token": NewSecret("header token")},
	}, server.Client(), ample)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Either signature alone must do, and the body must be the same to the byte.
func TestAnotherReceiverTakesWhatAWebhookRoutePosts(t *testing.T) {
	t.Parallel()
	secret := mustSecret(t, otherSecret)
	for name, without := range map[string][]string{
		"both": nil, "the standard one": {webhook.SignatureHeader}, "the simple one": {webhook.StandardSignatureHeader, webhook.IDHeader, webhook.TimestampHeader},
	} {
		store := memstore.New(time.Now)
		there, err := receiver.New(receiver.Config{Secrets: []webhook.Secret{secret}, Store: store, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		var header http.Header
		s := webhookEnd(t, secret, func(w http.ResponseWriter, r *http.Request) {
			header = r.Header.Clone()
			for _, one := range without {
				r.Header.Del(one)
			}
			there.ServeHTTP(w, r)
		})
		event := anEvent("a")
		for range 2 { // a copy is known there
			if err := s.Handle(t.Context(), event); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		items, _, err := store.List(t.Context(), receiver.Filter{IDs: []string{"a"}}, receiver.Page{})
		if err != nil || len(items) != 1 || string(items[0].Body) != string(event.Body) || items[0].DeliveryID != event.DeliveryID {
			t.Errorf("%s: there are %d: %+v, %v, want the one with the same body", name, len(items), items, err)
		}
		for name, want := range map[string]string{
			"X-Token": "header token", "Content-Type": webhook.ContentType, webhook.IDHeader: "a", webhook.EventHeader: event.Type,
			webhook.DeliveryHeader: "7", webhook.AttemptHeader: "2",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
}

func TestAWebhookRouteWithoutASecretDoesNotSign(t *testing.T) {
	t.Parallel()
	var header http.Header
	s := webhookEnd(t, webhook.Secret{}, func(_ http.ResponseWriter, r *http.Request) { header = r.Header.Clone() })
	if err := s.Handle(t.Context(), anEvent("a")); err != nil {
		t.Fatal(err)
	}
	if header.Get(webhook.SignatureHeader) != "" || header.Get(webhook.StandardSignatureHeader) != "" || header.Get(webhook.IDHeader) != "a" {
		t.Errorf("got %v, want ids and no signature", header)
	}
}

func TestWhatTheAnswerToAWebhookRouteMeans(t *testing.T) {
	t.Parallel()
	for status := 200; status < 600; status++ {
		s := webhookEnd(t, mustSecret(t, otherSecret), func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "no: %s %s", r.URL.Path, r.Header.Get("X-Token"))
		})
		err := s.Handle(t.Context(), anEvent("a"))
		f := failureIn(err)
		var ok bool
		switch {
		case status < 300:
			ok = err == nil
		case status < 400 || status == 401 || status == 403 || status == 408 || status == 425 || status == 429 || status >= 500:
			ok = f != nil && f.Unavailable && !f.Unsure
		default: // an attempt
			ok = err != nil && f == nil
		}
		if !ok {
			t.Errorf("%d gives %#v", status, err)
		}
		noSecrets(t, err)
	}
}

func noSecrets(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, secret := range []string{"header token", otherSecret, strings.TrimPrefix(otherSecret, "whsec_"), "url-token"} {
		if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, secret) {
			t.Errorf("the error has a secret in it: %s", text)
		}
	}
}

func TestAWebhookThatIsAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, url := range map[string]string{"refused": gone.URL, "broken off": server.URL} {
		s, err := newWebhookSink(&Webhook{URL: NewSecret(url + "/url-token")}, &http.Client{}, ample)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Handle(t.Context(), receiver.Event[json.RawMessage]{ID: "a", Type: "x", Body: []byte("{}")})
		if f := failureIn(err); f == nil || !f.Unavailable {
			t.Errorf("%s gives %#v, want that it is unavailable", name, err)
		}
		noSecrets(t, err)
	}
}

// What the other side says becomes an error, which is logged and kept in the inbox.
func TestNoPartOfAWebhooksSecretsIsInAnError(t *testing.T) {
	t.Parallel()
	const token = "hunter2-hunter2-hunter2"
	for name, test := range map[string]struct{ path, header, answer string }{
		"escaped":         {"/hooks/" + token, "", `{"error":"no route","path":"\/hooks\/` + token + `"}`},
		"one segment":     {"/hooks/" + token, "", `{"error":"the hook ` + token + ` is not known"}`},
		"query, one name": {"/in?key=" + token, "", `{"error":"bad key ` + token + `"}`},
		"a bearer's":      {"/", "Bearer " + token, `{"error":"the token ` + token + ` has expired"}`},
		"a pair's":        {"/", "session=" + token + "; a=b", `{"error":"the token ` + token + ` has expired"}`},
		"in quotes":       {"/", `Token token="` + token + `"`, `{"error":"the token ` + token + ` has expired"}`},
		"of odd signs":    {"/", "Bearer a!b@c#d$e", `{"error":"the token a!b@c#d$e has expired"}`},
		"before a colon":  {"/", token + ":user", `{"error":"the token ` + token + ` has expired"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNotFound)
				_, _ = w.Write([]byte(test.answer))
			}))
			defer server.Close()
			s, err := newWebhookSink(&Webhook{
				URL: NewSecret(server.URL + test.path), Headers: map[string]Secret{"Authorization": NewSecret(test.header)},
			}, server.Client(), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			err = s.Handle(t.Context(), receiver.Event[json.RawMessage]{ID: "x", Type: "a.b", Body: []byte("{}")})
			if err == nil || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "a!b@c#d$e") {
				t.Errorf("the error has the token: %v", err)
			}
		})
	}
}
