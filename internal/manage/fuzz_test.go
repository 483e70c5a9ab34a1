package manage

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/send"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// FuzzHeaders: a header that is saved can be sent, arrives as it was saved, and brings no
// other header with it.
func FuzzHeaders(f *testing.F) {
	for _, seed := range [][2]string{
		{"X-Token", "abc"}, {"x-a", ""}, {"Authorization", "Bearer é"}, {"Host", "a"}, {"Te", "trailers"}, {"X", "a\r\nB: c"}, {"X", "\x00"}, {"X ", "a"}, {"Webhook-Id", "a"},
		{"X", " a"}, {"X", "\u00a0a"}, {"X", "\u0085"}, {"Accept", "*/*"}, {"Range", "bytes=0-1"}, {"X", "\xff"}, {"Cookie", "a=b; c=d"}, {"Upgrade-Insecure-Requests", "1"}, {"Trailer", "a"}, {"Date", "a"},
	} {
		f.Add(seed[0], seed[1])
	}
	policy, err := egress.NewPolicy(egress.Config{})
	if err != nil {
		f.Fatal(err)
	}
	secret := webhook.NewSecret()
	f.Fuzz(func(t *testing.T, name, value string) {
		var wrong mistakes
		headers := []delivery.Header{{Name: name, Value: value}}
		if wrong.headers(headers); wrong.err() != nil {
			return
		}
		if _, err := send.NewTarget(policy, "https://example.com/", headers, []webhook.Secret{secret}); err != nil {
			t.Fatalf("%q: %q is saved and cannot be sent: %v", name, value, err)
		}
		var wire bytes.Buffer
		wire.WriteString("POST / HTTP/1.1\r\nHost: example.com\r\n")
		if err := (http.Header{name: {value}}).Write(&wire); err != nil {
			t.Fatal(err)
		}
		wire.WriteString("\r\n")
		got, err := http.ReadRequest(bufio.NewReader(&wire))
		if err != nil {
			t.Fatalf("%q: %q makes a request that cannot be read: %v", name, value, err)
		}
		if arrived := got.Header.Values(name); len(got.Header) != 1 || len(arrived) != 1 || arrived[0] != value {
			t.Fatalf("%q: %q arrives as %q", name, value, got.Header)
		}
	})
}

// FuzzText: what is accepted of what people write can be shown anywhere.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"words", "", " ", "a\x00", "\xff", "a\nb\tc", "\u0085", strings.Repeat("é", 101)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var wrong mistakes
		if wrong.text("name", text, 1, maxName); wrong.err() != nil {
			return
		}
		if len(text) > 4*maxName || strings.TrimSpace(text) == "" || strings.ContainsAny(text, "\x00\x1b\x7f\r") || strings.ToValidUTF8(text, "") != text {
			t.Fatalf("%q was accepted", text)
		}
	})
}
