package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// A receiver: read the raw body, verify it, and only then look at what it says.
func ExampleVerify() {
	secret, err := webhook.ParseSecret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		fmt.Println(err)
		return
	}
	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
			return
		}
		if _, err := webhook.Verify(r.Header, body, time.Now(), webhook.DefaultTolerance, secret); err != nil {
			http.Error(w, "invalid signature", http.StatusUnauthorized)
			return
		}
		event, err := webhook.ParseEvent(body)
		if err != nil {
			http.Error(w, "not an event", http.StatusBadRequest)
			return
		}
		fmt.Printf("%s: %s\n", event.Type, event.Data)
	}

	server := httptest.NewServer(http.HandlerFunc(receive))
	defer server.Close()
	sender := webhooktest.Sender{URL: server.URL, Secret: secret, Client: server.Client()}
	for _, secret := range []webhook.Secret{secret, webhook.NewSecret()} {
		sender.Secret = secret
		sent, err := sender.Send(context.Background(), webhooktest.NewEvent("scan.completed", `{"domain": "example.com", "score": 85}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(sent.Status)
	}
	// Output:
	// scan.completed: {"domain":"example.com","score":85}
	// 200
	// 401
}

// During a rotation a receiver accepts the old secret and the new one.
func ExampleVerifySimple() {
	oldSecret, newSecret := webhook.NewSecret(), webhook.NewSecret()
	body := []byte(`{"id":"0195"}`)

	index, err := webhook.VerifySimple(body, webhook.Sign(oldSecret, body), newSecret, oldSecret)
	fmt.Println(index, err)

	_, err = webhook.VerifySimple(body, webhook.Sign(oldSecret, body), newSecret)
	fmt.Println(errors.Is(err, webhook.ErrMismatch))
	// Output:
	// 1 <nil>
	// true
}

func ExampleEncodeBody() {
	at := time.Date(2026, 3, 8, 12, 34, 56, 789_000_000, time.UTC)
	body, err := webhook.EncodeBody("550e8400-e29b-41d4-a716-446655440000", "scan.completed", at, []byte(`{
		"domain": "example.com",
		"score":  85.0
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	os.Stdout.Write(body)
	// Output: {"id":"550e8400-e29b-41d4-a716-446655440000","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{"domain":"example.com","score":85.0}}
}

func ExampleParseEvent() {
	event, err := webhook.ParseEvent([]byte(`{"id":"0195","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{"score":85}}`))
	fmt.Println(event.ID, event.Type, event.CreatedAt, string(event.Data), err)
	// Output: 0195 scan.completed 2026-03-08 12:34:56.789 +0000 UTC {"score":85} <nil>
}

func ExampleSecret() {
	secret, err := webhook.ParseSecret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	fmt.Println(secret, secret.Fingerprint(), err)
	// Output: whsec_[redacted] 5036e1435aa9 <nil>
}

func ExampleSignStandard() {
	secret, err := webhook.ParseSecret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(webhook.SignStandard(secret, "evt-1", time.Unix(0, 0), nil))
	// Output: v1,Hh0ozaNXFhfFXIRWpwbFPO+4+GJSLsVsutHkeZ2dOzw=
}

func ExampleDiagnose() {
	secret := webhook.NewSecret()
	signature := webhook.Sign(secret, []byte(`{"score":85}`))
	fmt.Println(webhook.Diagnose(secret, []byte(`{ "score": 85 }`), signature))
	// Output: The signature was made with this secret, but it does not match as it stands. The body was parsed and written again (without white space) before it was signed or given here: sign the raw bytes as they arrived.
}
