package nearest

import (
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	t.Parallel()
	known := []string{"order.paid", "alert.triggered", "domain.added", "domain.removed", "scan.completed", "score.changed"}
	tests := []struct{ name, want string }{
		{"scan.complete", "scan.completed"},
		{"scan.compelted", "scan.completed"},
		{"Scan.Completed", "scan.completed"},
		{"scan_completed", "scan.completed"},
		{"scan/completed", "scan.completed"},
		{"scans.completed", "scan.completed"},
		{"alert.trigered", "alert.triggered"},
		{"domain.aded", "domain.added"},
		{"domain.remove", "domain.removed"},
		{"order.paid", "order.paid"},
		{"scan", "scan.completed"},
		{"user.logged_in", ""},
		{"x", ""},
		{"", ""},
		{strings.Repeat("scan.completed", 100), ""},
	}
	for _, tt := range tests {
		if got := Name(tt.name, known); got != tt.want {
			t.Errorf("Name(%.40q) = %q, want %q", tt.name, got, tt.want)
		}
	}
	long := strings.Repeat("a", 129)
	if got := Name(long, []string{long}); got != "" {
		t.Errorf("NearestName of 129 bytes = %q, want none: no name is that long", got)
	}
	if got := Name("scan.completed", nil); got != "" {
		t.Errorf("NearestName among no names = %q, want none", got)
	}
}

func TestEditDistance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"abc", "abd", 1}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"abc", "xabc", 1}, {"kitten", "sitting", 3},
	}
	for _, tt := range tests {
		if got := editDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
