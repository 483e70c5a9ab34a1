package datadog

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHarmless(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value, want string }{
		{"plain", "Score decreased from 92 to 78 (-14 points), 100%", "Score decreased from 92 to 78 (-14 points), 100%"},
		{"a block of Markdown", "%%%\n[click](https://evil.example)", "%\u200b%\u200b%\n[click](https://evil.example)"},
		{"somebody to notify", "@all (@pagerduty-Prod)", "@\u200ball (@\u200bpagerduty-Prod)"},
		{"twice", "@@all", "@\u200b@\u200ball"},
		{"an address", "admin@example.com", "admin@example.com"},
		{"control characters", "a\x00\x1b[31mb\r\nc", "a[31mb\nc"},
		{"no UTF-8", "a\xff", "a\ufffd"},
	}
	for _, tt := range tests {
		if got := harmless(tt.value); got != tt.want {
			t.Errorf("%s: harmless(%q) = %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func FuzzHarmless(f *testing.F) {
	for _, seed := range []string{"%%%", "@a", "a@b", "%\r%%", "\x00%%%@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := harmless(value)
		if strings.Contains(got, "%%") || strings.HasPrefix(got, "@") && !strings.HasPrefix(got, "@"+apart) || strings.Contains(got, " @a") {
			t.Errorf("harmless(%q) = %q", value, got)
		}
		if !utf8.ValidString(got) {
			t.Errorf("harmless(%q) is no UTF-8", value)
		}
	})
}

func TestCut(t *testing.T) {
	t.Parallel()
	if got := cut(strings.Repeat("ä", 4000), maxText); utf8.RuneCountInString(got) != 4000 || strings.HasSuffix(got, "…") {
		t.Error("a text of the longest length was changed")
	}
	if got := cut(strings.Repeat("ä", 4001), maxText); utf8.RuneCountInString(got) != 4000 || !strings.HasSuffix(got, "ä…") {
		t.Errorf("a text that is too long ends in %q with %d characters", got[len(got)-8:], utf8.RuneCountInString(got))
	}
	if got := cut("%%% \n"+strings.Repeat("a", 5000)+"\n %%%", maxText); utf8.RuneCountInString(got) != 4000 || !strings.HasSuffix(got, "a…\n %%%") {
		t.Errorf("a block of Markdown that is too long ends in %q", got[len(got)-12:])
	}
}
