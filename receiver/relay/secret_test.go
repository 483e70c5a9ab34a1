package relay

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestASecretNeverPrints(t *testing.T) {
	t.Parallel()
	const text = "hunter2"
	s := NewSecret(text)
	holder := struct {
		Secret Secret
		inner  *Secret
		list   []Secret
	}{s, &s, []Secret{s}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("it is", "secret", s, "holder", holder)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("it is", "secret", s, "holder", holder)
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		shown += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, &s) + fmt.Sprintf(verb, holder)
	}
	for _, form := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%d", []byte(text))} {
		if strings.Contains(shown, form) {
			t.Errorf("%q is in what was printed: %s", form, shown)
		}
	}
	if s.Reveal() != text {
		t.Errorf("Reveal = %q", s.Reveal())
	}
}

func TestSecretsAreCompared(t *testing.T) {
	t.Parallel()
	if a := NewSecret("a"); !a.Equal(NewSecret("a")) || a.Equal(NewSecret("b")) || a.Equal(Secret{}) || !(Secret{}).Equal(NewSecret("")) {
		t.Error("secrets are not compared by their text")
	}
	if !NewSecret("").IsZero() || NewSecret("a").IsZero() || (Secret{}).Reveal() != "" {
		t.Error("the zero Secret is not the empty one")
	}
}
