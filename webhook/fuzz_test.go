package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// hmacOf is the reference that the fuzz test compares with: nothing of this package.
func hmacOf(key []byte, message string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	return mac.Sum(nil)
}

// FuzzVerify holds that Verify never panics and accepts only what a reference made
// with crypto/hmac accepts too.
func FuzzVerify(f *testing.F) {
	r := genuine(f)
	text := r.secrets[1].Reveal()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	if err != nil {
		f.Fatal(err)
	}
	get := r.headers.Get
	f.Add(get(webhook.SignatureHeader), get(webhook.IDHeader), get(webhook.TimestampHeader), get(webhook.StandardSignatureHeader), r.body)
	f.Add(get(webhook.SignatureHeader), "", "", "", r.body)
	f.Add("", eventID, "1772973296", "v1a,x v1, v1,"+strings.Repeat("A", 44), []byte("{"))
	f.Add("", "a.b", "-1", "v1", []byte(nil))

	f.Fuzz(func(t *testing.T, simple, id, timestamp, standard string, body []byte) {
		headers := http.Header{}
		for name, value := range map[string]string{
			webhook.SignatureHeader: simple, webhook.IDHeader: id,
			webhook.TimestampHeader: timestamp, webhook.StandardSignatureHeader: standard,
		} {
			if value != "" {
				headers.Set(name, value)
			}
		}
		result, err := webhook.Verify(headers, body, r.now, 0, r.secrets...)
		if err != nil {
			return
		}
		want := hex.EncodeToString(hmacOf([]byte(text), string(body)))
		genuine := simple == want
		if result.Scheme == webhook.SchemeStandard {
			want = "v1," + base64.StdEncoding.EncodeToString(hmacOf(key, id+"."+timestamp+"."+string(body)))
			genuine = slices.Contains(strings.Fields(standard), want)
		}
		if !genuine || result.SecretIndex != 1 {
			t.Errorf("Verify accepted %q with body %q as %+v, the reference does not", headers, body, result)
		}
	})
}

// FuzzParseEvent holds that ParseEvent never panics, and that an event it reads can be
// written and read again without a change, to the byte and to the millisecond.
func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"id":"0195","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{"score":85.0}}`))
	f.Add([]byte(`{"data":[1, {"a":"\u00e9<"}],"id":"é","type":"","created_at":"0000-01-01T00:00:00+23:59"}`))
	f.Add([]byte("{\"id\":\"1\",\"id\":null}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		event, err := webhook.ParseEvent(body)
		if err != nil {
			return
		}
		if !json.Valid(event.Data) {
			t.Fatalf("the data %q is not JSON", event.Data)
		}
		first, err := event.MarshalBody()
		if err != nil {
			return // names that only a foreign sender uses
		}
		again, err := webhook.ParseEvent(first)
		if err != nil {
			t.Fatalf("ParseEvent of our own body %q: %v", first, err)
		}
		if again.ID != event.ID || again.Type != event.Type || !again.CreatedAt.Equal(event.CreatedAt.Truncate(time.Millisecond)) {
			t.Errorf("%+v became %+v", event, again)
		}
		second, err := again.MarshalBody()
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("the body %q became %q, %v", first, second, err)
		}
	})
}

// FuzzDiagnose holds that no input makes Diagnose panic, and that it says "matches"
// exactly when VerifySimple accepts.
func FuzzDiagnose(f *testing.F) {
	v := vectors(f)[0]
	secret := mustSecret(f, v.Secret)
	f.Add([]byte(v.Body), v.Simple, v.ID, "1772973296")
	f.Add([]byte(v.Body), v.Standard, v.ID, "1772973296")
	f.Add([]byte(`[1e400,-0,"\ud800\"\b",{"a":[]}]`), "sha256= v1,00", "", "")
	f.Fuzz(func(t *testing.T, body []byte, signature, id, timestamp string) {
		says := webhook.Diagnose(secret, body, signature)
		_, err := webhook.VerifySimple(body, signature, secret)
		if (says == "The signature matches.") != (err == nil) {
			t.Errorf("Diagnose(%q, %q) = %q, VerifySimple says %v", body, signature, says, err)
		}
		if webhook.DiagnoseStandard(secret, id, timestamp, body, signature) == "" {
			t.Errorf("DiagnoseStandard(%q, %q, %q, %q) says nothing", id, timestamp, body, signature)
		}
	})
}
