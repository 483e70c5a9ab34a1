package datadog

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTag(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, key, value, want string }{
		{"plain", "domain", "example.com", "domain:example.com"},
		{"capitals", "Domain", "Example.COM", "domain:example.com"},
		{"two in one", "domain", "a,severity:critical", "domain:a_severity:critical"},
		{"spaces", "domain", "a  b\n", "domain:a_b"},
		{"no value", "severity", "", "severity"},
		{"letters of others", "domain", "bücher.example", "domain:bücher.example"},
		{"no UTF-8", "domain", "a\xffb", "domain:a_b"},
		{"a digit first", "1st", "x", "st:x"},
		{"nothing left", "", "1", ""},
		{"too long", "k", strings.Repeat("ä", 300), "k:" + strings.Repeat("ä", 198)},
	}
	for _, tt := range tests {
		if got := tag(tt.key, tt.value); got != tt.want {
			t.Errorf("%s: tag(%q, %q) = %q, want %q", tt.name, tt.key, tt.value, got, tt.want)
		}
	}
}

func TestIDTagsDiffer(t *testing.T) {
	t.Parallel()
	if got, want := idTag("550e8400-e29b-41d4-a716-446655440000"), "compliancelayer_event:550e8400-e29b-41d4-a716-446655440000"; got != want {
		t.Errorf("the tag of a UUID is %q, want %q", got, want)
	}
	seen := map[string]string{}
	for _, id := range []string{"abc", "ABC", "a,b", "a_b", "a__b", "a_", "a:", "a", strings.Repeat("x", 255), strings.Repeat("x", 254), "", "sha256_x"} {
		got := idTag(id)
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q have the same tag %q", id, other, got)
		}
		if got != tagOf(got) {
			t.Errorf("the tag of %q is %q, which Datadog stores as %q", id, got, tagOf(got))
		}
		seen[got] = id
	}
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	if got, want := keyOf("Example.com", "score_drop"), "compliancelayer:example.com:score_drop"; got != want {
		t.Errorf("the key is %q, want %q", got, want)
	}
	long := strings.Repeat("a", 253)
	if got := keyOf(long, "score_drop"); utf8.RuneCountInString(got) > maxKey || got == keyOf(long, "critical_issue") {
		t.Errorf("the key of a long domain is %q, too long or that of another alert", got)
	}
}
