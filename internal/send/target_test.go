package send

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/webhook"
)

func TestTargetRefusesHeaders(t *testing.T) {
	t.Parallel()
	_, p := newSender(t, setup{})
	names := []string{
		"", "A b", "A:b", "A\r\nB", "Ä",
		"Host", "content-length", "CONTENT-TYPE", "Content-Encoding", "Transfer-Encoding", "User-agent", "Connection", "Keep-Alive",
		"TE", "Trailer", "Upgrade", "Expect", "Accept-Encoding", "Idempotency-Key", "x-idempotency-key",
		"Proxy-Authorization", "Webhook-Id", "webhook-signature", "X-ComplianceLayer-Event", "x-compliancelayer-anything",
	}
	secrets := []webhook.Secret{webhook.NewSecret()}
	for _, name := range names {
		if _, err := NewTarget(p, "https://"+example, []delivery.Header{{Name: name, Value: "x"}}, secrets); !errors.Is(err, ErrBadHeader) {
			t.Errorf("header %q: error %v, want ErrBadHeader", name, err)
		}
	}
	for _, value := range []string{"s3cret\r\nX-Injected: 1", "s3cret\n", "s3cret\x00", "s3cret\x7f"} {
		_, err := NewTarget(p, "https://"+example, []delivery.Header{{Name: "X-Team", Value: value}}, secrets)
		if !errors.Is(err, ErrBadHeader) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("value %q: error %v, want ErrBadHeader without the value", value, err)
		}
	}
}

func TestTargetNeedsASecret(t *testing.T) {
	t.Parallel()
	_, p := newSender(t, setup{})
	for name, secrets := range map[string][]webhook.Secret{
		"none": nil, "an empty one": {{}}, "an empty one beside a good one": {webhook.NewSecret(), {}},
	} {
		if _, err := NewTarget(p, "https://"+example, nil, secrets); !errors.Is(err, ErrNoSecret) {
			t.Errorf("%s: error %v, want ErrNoSecret", name, err)
		}
	}
}

func TestTargetRefusesURL(t *testing.T) {
	t.Parallel()
	_, p := newSender(t, setup{})
	_, err := NewTarget(p, "ftp://"+example, nil, []webhook.Secret{webhook.NewSecret()})
	var refusal *egress.Error
	if !errors.As(err, &refusal) || refusal.Code != egress.CodeScheme {
		t.Errorf("error %v, want a refusal of the scheme", err)
	}
}

func TestHeadersOfRecordAndWire(t *testing.T) {
	t.Parallel()
	_, p := newSender(t, setup{})
	tests := []struct {
		name, value, shown string
	}{
		{"Authorization", "Bearer abc", mask},
		{"Cookie", "a=b", mask},
		{"X-Auth", "abc", mask},
		{"x-access-token", "abc", mask},
		{"X-Client-Secret", "abc", mask},
		{"My-Password", "abc", mask},
		{"X-API-Key", "abc", mask},
		{"X_Api_Key", "abc", mask},
		{"ApiKey", "abc", mask},
		{"X-Team", "blue", "blue"},
		{"X-Padded", " \tblue ", "blue"},
		{"X-Foreign", "grün", "grün"},
	}
	for _, tt := range tests {
		target := newTarget(t, p, "https://"+example, delivery.Header{Name: tt.name, Value: tt.value})
		if !has(target.record(nil, 0), tt.name, tt.shown) {
			t.Errorf("%s: %q is recorded as %v, want %q", tt.name, tt.value, target.record(nil, 0), tt.shown)
		}
		if got := target.header(nil)[tt.name]; len(got) != 1 || got[0] != strings.Trim(tt.value, " \t") {
			t.Errorf("%s: %q is sent as %q", tt.name, tt.value, got)
		}
	}
}

func TestRepeatedCustomHeader(t *testing.T) {
	t.Parallel()
	_, p := newSender(t, setup{})
	target := newTarget(t, p, "https://"+example, delivery.Header{Name: "X-A", Value: "2"}, delivery.Header{Name: "X-A", Value: "1"})
	if got := strings.Join(target.header(nil)["X-A"], ","); got != "2,1" {
		t.Errorf("sent %q, want both values in order", got)
	}
}

// TestTargetIsNotChangedBySending: one target serves many attempts at once.
func TestTargetIsNotChangedBySending(t *testing.T) {
	t.Parallel()
	_, p := newSender(t, setup{})
	target := newTarget(t, p, "https://"+example, delivery.Header{Name: "X-Team", Value: "blue"})
	first := target.header([]webhook.Header{{Name: "X-First", Value: "1"}})
	second := target.header([]webhook.Header{{Name: "X-Second", Value: "2"}})
	if len(first) != 2 || len(second) != 2 || len(target.custom) != 1 {
		t.Errorf("headers %v and %v of a target with %v", first, second, target.custom)
	}
	if len(target.template.Header) != 0 || target.template.Method != http.MethodPost {
		t.Errorf("template %s with %v", target.template.Method, target.template.Header)
	}
}
