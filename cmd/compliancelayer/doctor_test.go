package main

import (
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/app"
)

func TestDoctorJudgesTheTables(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		found app.Schema
		want  health
		says  string
	}{
		{"as it should be", app.Schema{Version: 3, Newest: 3}, healthOK, "up to date"},
		{"an empty database", app.Schema{Newest: 3}, healthOK, "when the server starts"},
		{"of an older release", app.Schema{Version: 1, Newest: 3}, healthOK, "from version 1 to 3"},
		{"of a newer release", app.Schema{Version: 4, Newest: 3}, healthFail, "version 4"},
		{"without an index", app.Schema{Version: 3, Newest: 3, Missing: []string{"deliveries_due"}}, healthFail, "deliveries_due"},
		{"of an older release and without a table", app.Schema{Version: 1, Newest: 3, Missing: []string{"events"}}, healthFail, "events"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := judge(tt.found)
			if got.Health != tt.want || !strings.Contains(got.Message, tt.says) {
				t.Errorf("judge(%+v) = %+v, want %s that says %q", tt.found, got, tt.want, tt.says)
			}
		})
	}
}
