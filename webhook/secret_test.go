package webhook_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// secretOf writes a key of n bytes as a secret.
func secretOf(n int) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, n))
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	good := secretOf(32)
	tests := []struct {
		name, text string
		says       string // "" for a good one
	}{
		{"32 bytes", good, ""},
		{"shortest", secretOf(24), ""},
		{"longest", secretOf(64), ""},
		{"empty", "", "begin with whsec_"},
		{"prefix alone", "whsec_", "0 bytes"},
		{"no prefix", strings.TrimPrefix(good, "whsec_"), "begin with whsec_"},
		{"prefix in upper case", "WHSEC_" + strings.TrimPrefix(good, "whsec_"), "begin with whsec_"},
		{"too short", secretOf(23), "23 bytes"},
		{"too long", secretOf(65), "65 bytes"},
		{"line break after it", good + "\n", "white space"},
		{"line break inside the base64", good[:20] + "\r\n" + good[20:], "white space"},
		{"space before it", " " + good, "white space"},
		{"not base64", "whsec_" + strings.Repeat("!", 44), "base64"},
		{"without padding", strings.TrimRight(good, "="), "base64"},
		{"url alphabet", strings.ReplaceAll(good, "+", "-"), "base64"},
		{"second spelling of the same bytes", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 31)) + "B=", "base64"},
		{"stray bits at the end", strings.TrimSuffix(secretOf(32), "s=") + "t=", "base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			secret, err := webhook.ParseSecret(tt.text)
			if tt.says == "" {
				if err != nil || secret.Reveal() != tt.text || secret.IsZero() {
					t.Fatalf("ParseSecret = %q, %v, want the same text", secret.Reveal(), err)
				}
				return
			}
			if !errors.Is(err, webhook.ErrBadSecret) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("ParseSecret error = %v, want ErrBadSecret with %q", err, tt.says)
			}
			if !secret.IsZero() {
				t.Errorf("ParseSecret gave a secret beside its error")
			}
			if len(tt.text) > 12 && strings.Contains(err.Error(), tt.text[8:12]) {
				t.Errorf("the error %q quotes the secret", err)
			}
		})
	}
}

func TestNewSecret(t *testing.T) {
	t.Parallel()
	a, b := webhook.NewSecret(), webhook.NewSecret()
	if a.Equal(b) {
		t.Error("two new secrets are the same")
	}
	parsed := mustSecret(t, a.Reveal())
	if !parsed.Equal(a) {
		t.Error("a parsed secret is not Equal to the one it came from")
	}
	if len(a.Reveal()) != len(secretOf(32)) {
		t.Errorf("a new secret has %d characters, want %d (32 bytes)", len(a.Reveal()), len(secretOf(32)))
	}
	if webhook.Sign(parsed, []byte("x")) != webhook.Sign(a, []byte("x")) {
		t.Error("a parsed secret signs differently from the one it came from")
	}
}

func TestEmptySecret(t *testing.T) {
	t.Parallel()
	var none webhook.Secret
	if !none.IsZero() || none.Reveal() != "" || none.Fingerprint() != "" {
		t.Errorf("the empty secret has the text %q and fingerprint %q, want none", none.Reveal(), none.Fingerprint())
	}
	if none.Equal(webhook.NewSecret()) {
		t.Error("the empty secret is Equal to a new one")
	}
	if got := fmt.Sprint(none); got != "whsec_[redacted]" {
		t.Errorf("the empty secret prints %q", got)
	}
}

// expectNoSecret fails if a text shows the secret in any of the usual forms.
func expectNoSecret(t *testing.T, what, text string, secret webhook.Secret) {
	t.Helper()
	whole := secret.Reveal()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(whole, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	textHex, keyHex := hex.EncodeToString([]byte(whole[6:16])), hex.EncodeToString(key[:6])
	forms := []string{
		whole[6:16], string(key[:8]),
		textHex, strings.ToUpper(textHex), keyHex, strings.ToUpper(keyHex),
		strings.Trim(fmt.Sprint([]byte(whole[6:16])), "[]"), strings.Trim(fmt.Sprint(key[:6]), "[]"),
		strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", key[:6]), "[]byte{"), "}"),
	}
	for _, form := range forms {
		if strings.Contains(text, form) {
			t.Errorf("%s shows the secret as %q: %s", what, form, text)
		}
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	values := map[string]any{
		"value":              secret,
		"pointer":            &secret,
		"slice":              []webhook.Secret{secret},
		"map":                map[string]webhook.Secret{"a": secret},
		"exported field":     struct{ Secret webhook.Secret }{secret},
		"unexported field":   struct{ secret webhook.Secret }{secret},
		"pointer to a field": &struct{ secret webhook.Secret }{secret},
		"field in a field": struct {
			in struct{ secret webhook.Secret }
		}{struct{ secret webhook.Secret }{secret}},
		"error about the secret": fmt.Errorf("secret %v: %w", secret, webhook.ErrBadSecret),
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%T %v"} {
			args := []any{value}
			if verb == "%T %v" {
				args = []any{value, value}
			}
			expectNoSecret(t, name+" with "+verb, fmt.Sprintf(verb, args...), secret)
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		expectNoSecret(t, name+" as JSON", string(encoded), secret)

		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("json", "value", value)
		expectNoSecret(t, name+" logged", logged.String(), secret)
	}
}

func TestSecretRedactsByEveryMethod(t *testing.T) {
	t.Parallel()
	const want = "whsec_[redacted]"
	secret := webhook.NewSecret()
	asJSON, err := secret.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	asText, err := secret.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for method, got := range map[string]string{
		"String":      secret.String(),
		"GoString":    secret.GoString(),
		"Format":      fmt.Sprintf("%x", secret),
		"LogValue":    secret.LogValue().String(),
		"MarshalJSON": strings.Trim(string(asJSON), `"`),
		"MarshalText": string(asText),
	} {
		if got != want {
			t.Errorf("%s = %q, want %q", method, got, want)
		}
	}
}
