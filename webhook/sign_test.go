package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// vector is one line of testdata/vectors.json. They were computed with OpenSSL 3.0,
// independently of this code:
//
//	printf %s "$body" | openssl dgst -sha256 -hmac "$secret" -r          # simple
//
//	key=$(printf %s "${secret#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
//	printf %s "$id.$timestamp.$body" |
//	  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary |
//	  openssl base64 -A                                                  # standard, after "v1,"
//
//	printf %s "$secret" | openssl dgst -sha256 -r | cut -c 1-12          # fingerprint
type vector struct {
	Name, Secret, Fingerprint, ID, Body, Simple, Standard string
	Timestamp                                             int64
}

func vectors(tb testing.TB) []vector {
	tb.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		tb.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(text, &list); err != nil {
		tb.Fatal(err)
	}
	if len(list) < 5 {
		tb.Fatalf("testdata/vectors.json has %d vectors, want all 5", len(list))
	}
	return list
}

func mustSecret(tb testing.TB, text string) webhook.Secret {
	tb.Helper()
	secret, err := webhook.ParseSecret(text)
	if err != nil {
		tb.Fatal(err)
	}
	return secret
}

func mustSigner(tb testing.TB, secret webhook.Secret) *webhook.Signer {
	tb.Helper()
	signer, err := webhook.NewSigner(secret)
	if err != nil {
		tb.Fatal(err)
	}
	return signer
}

func TestSignaturesAgreeWithOpenSSL(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			secret, body, at := mustSecret(t, v.Secret), []byte(v.Body), time.Unix(v.Timestamp, 999_999_999)
			if got := webhook.Sign(secret, body); got != v.Simple {
				t.Errorf("Sign = %q, want %q", got, v.Simple)
			}
			if got := webhook.SignStandard(secret, v.ID, at, body); got != v.Standard {
				t.Errorf("SignStandard = %q, want %q", got, v.Standard)
			}
			if got := secret.Fingerprint(); got != v.Fingerprint {
				t.Errorf("Fingerprint = %q, want %q", got, v.Fingerprint)
			}
			signer := mustSigner(t, secret)
			// Twice, because the second use takes a state that was used before.
			for range 2 {
				if got := string(signer.AppendSign([]byte("before "), body)); got != "before "+v.Simple {
					t.Errorf("AppendSign = %q, want %q after what was there", got, v.Simple)
				}
				if got := string(signer.AppendStandard([]byte("before "), v.ID, at, body)); got != "before "+v.Standard {
					t.Errorf("AppendStandard = %q, want %q after what was there", got, v.Standard)
				}
			}
		})
	}
}

func TestSignerUsedByManyGoroutines(t *testing.T) {
	t.Parallel()
	v := vectors(t)[0]
	signer := mustSigner(t, mustSecret(t, v.Secret))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got := signer.Sign([]byte(v.Body)); got != v.Simple {
					t.Errorf("Sign = %q, want %q", got, v.Simple)
				}
				if got := signer.SignStandard(v.ID, time.Unix(v.Timestamp, 0), []byte(v.Body)); got != v.Standard {
					t.Errorf("SignStandard = %q, want %q", got, v.Standard)
				}
			}
		})
	}
	wg.Wait()
}

func TestEmptySecretSignsNothing(t *testing.T) {
	t.Parallel()
	var none webhook.Secret
	if got := webhook.Sign(none, []byte("{}")); got != "" {
		t.Errorf("Sign with an empty secret = %q, want nothing", got)
	}
	if got := webhook.SignStandard(none, "1", time.Unix(1, 0), []byte("{}")); got != "" {
		t.Errorf("SignStandard with an empty secret = %q, want nothing", got)
	}
	if signer, err := webhook.NewSigner(none); err == nil {
		t.Errorf("NewSigner with an empty secret = %v, want an error", signer)
	}
}

func TestStandardLibraryAcceptsOurSignature(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		theirs, err := standardwebhooks.NewWebhook(v.Secret)
		if err != nil {
			t.Fatal(err)
		}
		// Their Verify reads the clock.
		at := time.Now()
		headers := http.Header{}
		headers.Set(webhook.IDHeader, v.ID)
		headers.Set(webhook.TimestampHeader, strconv.FormatInt(at.Unix(), 10))
		headers.Set(webhook.StandardSignatureHeader, webhook.SignStandard(mustSecret(t, v.Secret), v.ID, at, []byte(v.Body)))
		if err := theirs.Verify([]byte(v.Body), headers); err != nil {
			t.Errorf("%s: their Verify of our signature: %v", v.Name, err)
		}
		if err := theirs.Verify([]byte(v.Body+" "), headers); err == nil {
			t.Errorf("%s: their Verify accepted a changed body", v.Name)
		}
	}
}

func TestWeAcceptTheStandardLibrarysSignature(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC)
	for _, v := range vectors(t) {
		theirs, err := standardwebhooks.NewWebhook(v.Secret)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := theirs.Sign(v.ID, at, []byte(v.Body))
		if err != nil {
			t.Fatal(err)
		}
		headers := http.Header{}
		headers.Set(standardwebhooks.HeaderWebhookID, v.ID)
		headers.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
		headers.Set(standardwebhooks.HeaderWebhookSignature, signature)
		if _, err := webhook.Verify(headers, []byte(v.Body), at, 0, mustSecret(t, v.Secret)); err != nil {
			t.Errorf("%s: Verify of their signature: %v", v.Name, err)
		}
	}
}

func TestAttemptHeaders(t *testing.T) {
	t.Parallel()
	v, next := vectors(t)[0], webhook.NewSecret()
	at, body := time.Unix(v.Timestamp, 0), []byte(v.Body)
	attempt := webhook.Attempt{EventID: v.ID, EventType: "scan.completed", DeliveryID: 12345, Number: 3, At: at}
	current := mustSigner(t, mustSecret(t, v.Secret))

	want := []webhook.Header{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "User-Agent", Value: "ComplianceLayer-Webhooks/1.0"},
		{Name: "X-ComplianceLayer-Signature", Value: v.Simple},
		{Name: "X-ComplianceLayer-Event", Value: "scan.completed"},
		{Name: "X-ComplianceLayer-Delivery", Value: "12345"},
		{Name: "X-ComplianceLayer-Attempt", Value: "3"},
		{Name: "webhook-id", Value: v.ID},
		{Name: "webhook-timestamp", Value: "1772973296"},
		{Name: "webhook-signature", Value: v.Standard},
	}
	if diff := cmp.Diff(want, attempt.Headers(body, current)); diff != "" {
		t.Errorf("headers with one secret (-want +got):\n%s", diff)
	}
	// During a rotation only the list gets longer.
	want[8].Value = v.Standard + " " + webhook.SignStandard(next, v.ID, at, body)
	if diff := cmp.Diff(want, attempt.Headers(body, current, mustSigner(t, next))); diff != "" {
		t.Errorf("headers with two secrets (-want +got):\n%s", diff)
	}

	h := http.Header{"X-Compliancelayer-Attempt": {"1", "2"}, "Other": {"stays"}}
	webhook.SetHeaders(h, want)
	if got := h.Values(webhook.AttemptHeader); len(got) != 1 || got[0] != "3" {
		t.Errorf("SetHeaders left %s = %q, want only 3", webhook.AttemptHeader, got)
	}
	if h.Get("Other") != "stays" || len(h) != len(want)+1 {
		t.Errorf("SetHeaders gave %v, want the %d headers beside the one that was there", h, len(want))
	}
}

func TestSignerPrintsNoKey(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	signer := mustSigner(t, secret)
	signer.Sign([]byte("{}"))
	holder := struct{ inner *webhook.Signer }{signer}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		expectNoSecret(t, verb, fmt.Sprintf(verb, signer), secret)
		expectNoSecret(t, verb+" in a struct", fmt.Sprintf(verb, holder), secret)
	}
}

// benchBody is a body of 500 bytes.
func benchBody(tb testing.TB) []byte {
	tb.Helper()
	data := `{"domain":"example.com","filler":""}`
	body := func(filler int) []byte {
		text := strings.Replace(data, `""`, `"`+strings.Repeat("x", filler)+`"`, 1)
		b, err := webhook.EncodeBody("550e8400-e29b-41d4-a716-446655440000", "scan.completed", time.Unix(1772973296, 0), []byte(text))
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
	return body(500 - len(body(0)))
}

func BenchmarkSignBoth(b *testing.B) {
	body, at := benchBody(b), time.Unix(1772973296, 0)
	signer := mustSigner(b, webhook.NewSecret())
	buf := make([]byte, 0, 256)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		buf = signer.AppendSign(buf[:0], body)
		buf = signer.AppendStandard(buf, "550e8400-e29b-41d4-a716-446655440000", at, body)
	}
}

func BenchmarkHeaders(b *testing.B) {
	body := benchBody(b)
	attempt := webhook.Attempt{EventID: "550e8400-e29b-41d4-a716-446655440000", EventType: "scan.completed", DeliveryID: 12345, Number: 1, At: time.Unix(1772973296, 0)}
	signer := mustSigner(b, webhook.NewSecret())
	b.ReportAllocs()
	for b.Loop() {
		attempt.Headers(body, signer)
	}
}

func BenchmarkEncodeBody(b *testing.B) {
	at := time.Unix(1772973296, 0)
	event, err := webhook.ParseEvent(benchBody(b))
	if err != nil {
		b.Fatal(err)
	}
	data := bytes.Clone(event.Data)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := webhook.EncodeBody(event.ID, event.Type, at, data); err != nil {
			b.Fatal(err)
		}
	}
}
