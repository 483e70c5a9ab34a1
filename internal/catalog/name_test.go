package catalog

import (
	"strings"
	"testing"
)

func TestValidName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want string // part of the error, "" for none
	}{
		{"order.paid", ""},
		{"a.b.c.d.e", ""},
		{"v2.order_line.paid_3", ""},
		{"a." + strings.Repeat("b", 126), ""},
		{"scan.started", ""},
		{"endpoints.added", ""},
		{"delivery_x.failed", ""},
		{"", "the name is empty"},
		{"order", "one word"},
		{"a.b.c.d.e.f", "at most 5"},
		{"a." + strings.Repeat("b", 127), "at most 128"},
		{"Order.paid", `contains 'O'`},
		{"order-line.paid", `contains '-'`},
		{"order.päid", `contains 'ä'`},
		{"order.*", `contains '*'`},
		{"order paid", `contains ' '`},
		{".paid", "empty word"},
		{"order.", "empty word"},
		{"order..paid", "empty word"},
		{"scan.completed", "built-in"},
		{"endpoint.disabled", "built-in"},
		{"endpoint.added", "kept for operational"},
		{"delivery.late.again", "kept for operational"},
	}
	for _, tt := range tests {
		err := ValidName(tt.name)
		if tt.want == "" && err != nil {
			t.Errorf("ValidName(%q) = %v, want nil", tt.name, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("ValidName(%q) = %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

func TestNearestName(t *testing.T) {
	t.Parallel()
	known := []string{"order.paid"}
	for _, typ := range Builtin() {
		known = append(known, typ.Name)
	}
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
		if got := NearestName(tt.name, known); got != tt.want {
			t.Errorf("NearestName(%.40q) = %q, want %q", tt.name, got, tt.want)
		}
	}
	long := strings.Repeat("a", 129)
	if got := NearestName(long, []string{long}); got != "" {
		t.Errorf("NearestName of 129 bytes = %q, want none: no name is that long", got)
	}
	if got := NearestName("scan.completed", nil); got != "" {
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
