package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/seal"
)

func TestParse(t *testing.T) {
	t.Parallel()
	good := keyText(0xfb)
	tests := []struct {
		name, text string
		says       string // "" for a good one
	}{
		{"32 bytes", good, ""},
		{"line break after it", good + "\n", ""},
		{"white space around it", " \t" + good + "\r\n", ""},
		{"empty", "", "empty"},
		{"only white space", " \n", "empty"},
		{"31 bytes", base64.StdEncoding.EncodeToString(make([]byte, 31)), "31 bytes"},
		{"33 bytes", base64.StdEncoding.EncodeToString(make([]byte, 33)), "33 bytes"},
		{"without padding", strings.TrimRight(good, "="), "base64"},
		{"url alphabet", strings.ReplaceAll(good, "+", "-"), "base64"},
		{"stray bits at the end", strings.TrimSuffix(keyText(0), "A=") + "B=", "base64"},
		{"hexadecimal", strings.Repeat("fb", 32), "48 bytes"},
		{"two keys", good + " " + good, "base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key, err := seal.Parse(tt.text)
			if tt.says == "" {
				if err != nil || key.IsZero() {
					t.Fatalf("Parse: %v, want a key", err)
				}
				return
			}
			if !errors.Is(err, seal.ErrBadKey) || !strings.Contains(err.Error(), tt.says) || !key.IsZero() {
				t.Fatalf("Parse = %v, %v, want no key and ErrBadKey with %q", key, err, tt.says)
			}
			if len(tt.text) > 8 && strings.Contains(err.Error(), tt.text[:8]) {
				t.Errorf("the error %q quotes the key", err)
			}
		})
	}
}

func TestParsedKeyIsTheOneInTheText(t *testing.T) {
	t.Parallel()
	box, err := seal.NewBox(mustKey(t, " "+keyText(1)+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := box.Verify(mustBox(t, 1).Check()); err != nil {
		t.Errorf("the key in white space is another one: %v", err)
	}
}

// expectNoKey fails if a text shows the key of 32 bytes 0xfb in any of the usual forms.
func expectNoKey(t *testing.T, what, text string) {
	t.Helper()
	forms := []string{
		"fbfbfb", "FBFBFB", "fb fb", "FB FB", "251 251", "251, 251", "0xfb, 0xfb", "0XFB, 0XFB",
		keyText(0xfb)[:8], "\xfb\xfb", `\xfb\xfb`,
	}
	for _, form := range forms {
		if strings.Contains(text, form) {
			t.Errorf("%s shows the key as %q: %q", what, form, text)
		}
	}
}

func TestKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	key := mustKey(t, keyText(0xfb))
	values := map[string]any{
		"value":              key,
		"pointer":            &key,
		"slice":              []seal.Key{key},
		"exported field":     struct{ Key seal.Key }{key},
		"unexported field":   struct{ key seal.Key }{key},
		"pointer to a field": &struct{ key seal.Key }{key},
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d"} {
			expectNoKey(t, name+" with "+verb, fmt.Sprintf(verb, value))
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		expectNoKey(t, name+" as JSON", string(encoded))
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("json", "value", value)
		expectNoKey(t, name+" logged", logged.String())
	}
}

func TestKeyRedactsByEveryMethod(t *testing.T) {
	t.Parallel()
	key := mustKey(t, keyText(0xfb))
	asJSON, err := key.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	asText, err := key.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for method, got := range map[string]string{
		"String":      key.String(),
		"GoString":    key.GoString(),
		"Format":      fmt.Sprintf("%x", key),
		"LogValue":    key.LogValue().String(),
		"MarshalJSON": strings.Trim(string(asJSON), `"`),
		"MarshalText": string(asText),
	} {
		if got != "key[redacted]" {
			t.Errorf("%s = %q, want key[redacted]", method, got)
		}
	}
}
