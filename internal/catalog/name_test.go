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
