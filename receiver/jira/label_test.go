package jira

import (
	"regexp"
	"strings"
	"testing"
)

func TestLabelOf(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, domain, want string }{
		{"a name", "example.com", "compliancelayer-domain-example.com"},
		{"the same in other letters", " Example.COM. ", "compliancelayer-domain-example.com"},
		{"spaces", "a b", "compliancelayer-domain-sha256_c8687a08aa5d6ed2044328fa6a697ab8"},
		{"what would end the query", `x" OR project = "HR`, "compliancelayer-domain-sha256_751927e9e0241d35f8efdc25c4e588b1"},
		{"none", "", "compliancelayer-domain-sha256_e3b0c44298fc1c149afbf4c8996fb924"},
		{"one that wants to pass for a hash", "sha256_c8687a08aa5d6ed2044328fa6a697ab8", ""},
		{"one that wants to pass for the label of tests", "../compliancelayer-test", ""},
	}
	labels := map[string]string{}
	for _, tt := range tests {
		got := labelOf(tt.domain)
		if tt.want != "" && got != tt.want {
			t.Errorf("%s: labelOf(%q) = %q, want %q", tt.name, tt.domain, got, tt.want)
		}
		if err := checkLabel(got); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if other, taken := labels[got]; taken && other != tt.name && tt.name != "the same in other letters" {
			t.Errorf("%s and %s have the same label %q", tt.name, other, got)
		}
		labels[got] = tt.name
	}
	if labels[testLabel] != "" {
		t.Errorf("%s has the label of tests", labels[testLabel])
	}
}

func TestQuoteCannotBeLeft(t *testing.T) {
	t.Parallel()
	whole := regexp.MustCompile(`^"(?:[^"\\\n\r]|\\.)*"$`)
	for _, text := range []string{`a`, `a"b`, `a\`, `a\"`, `\\"`, "a\nb", `" OR project = HR OR labels = "`, strings.Repeat(`\`, 7)} {
		if got := quote(text); !whole.MatchString(got) {
			t.Errorf("quote(%q) = %s, which is more than one value", text, got)
		}
	}
}

func TestCheckLabel(t *testing.T) {
	t.Parallel()
	for label, fine := range map[string]bool{"security": true, "": false, "a b": false, "a\tb": false, strings.Repeat("a", 255): true, strings.Repeat("a", 256): false} {
		if err := checkLabel(label); (err == nil) != fine {
			t.Errorf("checkLabel(%q) = %v, want fine = %v", label, err, fine)
		}
	}
}
