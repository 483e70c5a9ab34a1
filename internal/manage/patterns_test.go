package manage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	names := []string{"scan.completed", "alert.triggered", "domain.added", "domain.removed", "endpoint.disabled", "invoice.paid"}
	var many []string
	for i := range maxPatterns + 1 {
		many = append(many, fmt.Sprintf("scan.completed%d", i))
	}
	tests := []struct {
		name   string
		events []string
		want   []string // "field: part of the message"
	}{
		{"names, a prefix and everything", []string{"scan.completed", "domain.*", "*"}, nil},
		{"a type of the account's own", []string{"invoice.paid"}, nil},
		{"an operational type by name", []string{"endpoint.disabled"}, nil},
		{"none", nil, []string{"events: is empty"}},
		{"too many", many, []string{"events: the most is 100"}},
		{"a slip of the finger", []string{"scan.complete"}, []string{"events[0]: did you mean scan.completed?"}},
		{"capitals", []string{"Scan.Completed"}, []string{"events[0]: did you mean scan.completed?"}},
		{"nothing like it", []string{"weather.changed"}, []string{"events[0]: GET /v1/event-types"}},
		{"a prefix with a slip", []string{"scans.*"}, []string{"events[0]: did you mean scan.*?"}},
		{"a prefix of nothing", []string{"weather.*"}, []string{"events[0]: no event type begins with weather."}},
		{"a star in the middle", []string{"scan.*.done"}, []string{"events[0]: *"}},
		{"the same twice", []string{"scan.*", "*", "scan.*"}, []string{"events[2]: twice"}},
		{"all mistakes at once", []string{"scan.complete", "*", "", "domain.addedd"}, []string{"events[0]: scan.completed", "events[2]: empty", "events[3]: domain.added?"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var wrong mistakes
			wrong.events(tt.events, names)
			if len(wrong.fields) != len(tt.want) {
				t.Fatalf("%q: got %d mistakes, want %d: %+v", tt.events, len(wrong.fields), len(tt.want), wrong.fields)
			}
			for i, want := range tt.want {
				field, part, _ := strings.Cut(want, ": ")
				if got := wrong.fields[i]; got.Name != field || !strings.Contains(got.Message, part) {
					t.Errorf("%q: got %+v, want %s with %q in it", tt.events, got, field, part)
				}
			}
		})
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	got := prefixes([]string{"scan.completed", "domain.added", "domain.removed"})
	if diff := cmp.Diff([]string{"scan.*", "domain.*"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
