package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValidPattern(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern string
		want    string // part of the error, "" for none
	}{
		{"*", ""},
		{"scan.*", ""},
		{"scan.completed", ""},
		{"endpoint.*", ""},
		{"endpoint.disabled", ""},
		{"order.line.*", ""},
		{"a.b.c.d.*", ""},
		{"not.yet_registered", ""},
		{"", "the pattern is empty"},
		{"scan", "did you mean scan.*?"},
		{"**", "may stand only alone"},
		{"*.completed", "may stand only alone"},
		{"scan*", "may stand only alone"},
		{"scan.*.x", "may stand only alone"},
		{"scan.*.*", "may stand only alone"},
		{".*", "no word before the dot"},
		{"a.b.c.d.e.*", "can match nothing"},
		{"a.b.c.d.e.f", "at most 5"},
		{"Scan.*", "contains 'S'"},
		{"scan..*", "empty word"},
		{"scan completed", "contains ' '"},
		{strings.Repeat("a", 200) + ".*", "at most 128"},
		{strings.Repeat("a", 200), "at most 128"},
	}
	for _, tt := range tests {
		err := ValidPattern(tt.pattern)
		if tt.want == "" && err != nil {
			t.Errorf("ValidPattern(%q) = %v, want nil", tt.pattern, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("ValidPattern(%q) = %v, want an error with %q", tt.pattern, err, tt.want)
		}
	}
}

// Every pattern against every name: whatever is not listed must not match.
func TestMatchOverTheWholeTable(t *testing.T) {
	t.Parallel()
	names := []string{
		"scan.completed", "alert.triggered", "score.changed", "domain.added", "domain.removed",
		"endpoint.disabled", "endpoint.warning", "endpoint.alert", "delivery.failed",
		"scan.page.completed", "scanner.started", "order.line.paid", "order.lines",
	}
	plain := slices.DeleteFunc(slices.Clone(names), IsOperational)
	tests := map[string][]string{
		"*":                 plain,
		"scan.*":            {"scan.completed", "scan.page.completed"},
		"scan.page.*":       {"scan.page.completed"},
		"scan.completed.*":  nil,
		"order.line.*":      {"order.line.paid"},
		"domain.*":          {"domain.added", "domain.removed"},
		"domain.added":      {"domain.added"},
		"endpoint.*":        {"endpoint.disabled", "endpoint.warning", "endpoint.alert"},
		"endpoint.disabled": {"endpoint.disabled"},
		"delivery.*":        {"delivery.failed"},
		"delivery.failed":   {"delivery.failed"},
		"scan.complete":     nil,
		"scan.completedx":   nil,
		"not.known":         nil,
		// Not valid, and so never stored; they must still not match by accident.
		"":         nil,
		"scan":     nil,
		"scan*":    nil,
		"scan.**":  nil,
		".*":       nil,
		"*.failed": nil,
	}
	for pattern, want := range tests {
		m := NewMatcher([]string{pattern})
		var got, matched, any []string
		for _, name := range names {
			if Match(pattern, name) {
				got = append(got, name)
			}
			if m.Match(name) {
				matched = append(matched, name)
			}
			if MatchAny([]string{pattern}, Type{Name: name}) {
				any = append(any, name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Match(%q) (-want +got):\n%s", pattern, diff)
		}
		if diff := cmp.Diff(want, matched); diff != "" {
			t.Errorf("Matcher of %q (-want +got):\n%s", pattern, diff)
		}
		if diff := cmp.Diff(want, any); diff != "" {
			t.Errorf("MatchAny(%q) (-want +got):\n%s", pattern, diff)
		}
	}
}

func TestSeveralPatternsMatchWhatOneOfThemMatches(t *testing.T) {
	t.Parallel()
	patterns := []string{"*", "endpoint.disabled", "delivery.*"}
	m := NewMatcher(patterns)
	tests := map[string]bool{
		"scan.completed": true, "order.paid": true, "endpoint.disabled": true, "endpoint.warning": false, "delivery.failed": true,
	}
	for name, want := range tests {
		if got := m.Match(name); got != want {
			t.Errorf("Matcher of %q matches %s: %t, want %t", patterns, name, got, want)
		}
		if got := MatchAny(patterns, Type{Name: name}); got != want {
			t.Errorf("MatchAny(%q, %s) = %t, want %t", patterns, name, got, want)
		}
	}
	if (Matcher{}).Match("scan.completed") || NewMatcher(nil).Match("scan.completed") || MatchAny(nil, Type{Name: "scan.completed"}) {
		t.Error("no patterns match scan.completed, want no match")
	}
}
