package receiver_test

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/evidence"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// forgeries is how many requests are forged: few with the race detector, and what is
// promised in scripts/break.sh.
var forgeries = flag.Int("receiver.forgeries", 5000, "requests to forge")

// Requests that were signed and then changed, or that are too old, are all refused, and
// nothing of them is kept.
func TestForgeriesAreRefused(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	chance := rand.New(rand.NewPCG(20261127, 5)) //nolint:gosec // the same each time, so that a failure can be looked at
	secret := webhook.NewSecret()
	k := newKit(t, receiver.Config{Secrets: []webhook.Secret{webhook.NewSecret(), secret}})
	for i := range *forgeries {
		original := webhooktest.NewRequest(t, "/hooks", secret, webhooktest.NewEvent("scan.completed", scanData))
		name, forged := forge(t, secret, chance, original)
		answer := httptest.NewRecorder()
		k.ServeHTTP(answer, forged)
		if answer.Code != http.StatusUnauthorized && answer.Code != http.StatusRequestEntityTooLarge {
			t.Fatalf("forgery %d (%s) was answered %d %q, want 401:\n%v", i, name, answer.Code, answer.Body, forged.Header)
		}
	}
	items, _, err := k.store.List(t.Context(), receiver.Filter{}, receiver.Page{})
	if err != nil || len(items) != 0 {
		t.Errorf("%d forgeries were kept, %v", len(items), err)
	}
	evidence.Write(t, "kit-forged", evidence.Row{
		Promise: 13, Fault: "requests that were signed and then changed in one of thirteen ways, or signed long ago", Times: *forgeries,
		Of: *forgeries, What: "requests to refuse", Test: fmt.Sprintf("go test ./receiver -run TestForgeriesAreRefused -args -receiver.forgeries=%d", *forgeries),
		Seconds: time.Since(begin).Seconds(),
	})
}

// forge changes a signed request in a way that its signatures do not allow.
func forge(t *testing.T, secret webhook.Secret, chance *rand.Rand, req *http.Request) (name string, forged *http.Request) {
	t.Helper()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	standard, simple := webhook.StandardSignatureHeader, webhook.SignatureHeader
	only := func(keep, drop string) string { req.Header.Del(drop); return keep }
	ways := []struct {
		name string
		do   func()
	}{
		{"a bit of the body", func() {
			only(standard, simple)
			body[chance.IntN(len(body))] ^= 1 << chance.IntN(8)
		}},
		{"a bit of the body, by the simple signature", func() {
			only(simple, standard)
			body[chance.IntN(len(body))] ^= 1 << chance.IntN(8)
		}},
		{"a body that is cut", func() { body = body[:chance.IntN(len(body))] }},
		{"a body with more", func() { body = append(body, byte(chance.IntN(256))) }},
		{"a letter of the signature", func() { req.Header.Set(standard, another(chance, req.Header.Get(standard), "v1,")) }},
		{"a letter of the simple signature", func() { req.Header.Set(only(simple, standard), another(chance, req.Header.Get(simple), "")) }},
		{"a signature that is cut", func() {
			value := req.Header.Get(standard)
			req.Header.Set(standard, value[:chance.IntN(len(value)-1)+1])
		}},
		{"random bytes as a signature", func() {
			random := make([]byte, chance.IntN(64))
			for i := range random {
				random[i] = byte(chance.IntN(256))
			}
			req.Header.Set(standard, "v1,"+base64.StdEncoding.EncodeToString(random))
		}},
		{"another time", func() {
			at, _ := strconv.ParseInt(req.Header.Get(webhook.TimestampHeader), 10, 64)
			req.Header.Set(webhook.TimestampHeader, strconv.FormatInt(at+1+int64(chance.IntN(200)), 10))
		}},
		{"another id", func() { req.Header.Set(webhook.IDHeader, "0"+req.Header.Get(webhook.IDHeader)[1:]+"0") }},
		{"the simple signature as the other", func() { req.Header.Set(standard, "v1,"+req.Header.Get(simple)) }},
		{"another version", func() { req.Header.Set(standard, "v2"+req.Header.Get(standard)[2:]) }},
		{"too old", func() { *req = *old(t, secret, body, chance) }},
	}
	way := ways[chance.IntN(len(ways))]
	way.do()
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return way.name, req
}

// another changes one letter behind a prefix to one that means something else.
func another(chance *rand.Rand, value, prefix string) string {
	const letters = "0123456789abcdef"
	b := []byte(value)
	// The last letters of base64 may hold bits that no byte has.
	at := len(prefix) + chance.IntN(len(value)-len(prefix)-4)
	for old := b[at]; b[at] == old; {
		b[at] = letters[chance.IntN(len(letters))]
	}
	return string(b)
}

// old is a request that was signed rightly, more than five minutes ago.
func old(t *testing.T, secret webhook.Secret, body []byte, chance *rand.Rand) *http.Request {
	t.Helper()
	event, err := webhook.ParseEvent(body)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := webhook.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(""))
	at := time.Now().Add(-time.Duration(301+chance.IntN(1e6)) * time.Second)
	webhook.SetHeaders(req.Header, webhook.Attempt{EventID: event.ID, EventType: event.Type, DeliveryID: 1, Number: 1, At: at}.Headers(body, signer))
	return req
}
