package web

import (
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// An attempt that a failing endpoint's lowered pace held back was later than planned, and nothing said why.
func TestTheTimeLineSaysWhyAnAttemptWasLate(t *testing.T) {
	t.Parallel()
	s := &Server{Config: Config{Policy: delivery.DefaultPolicy()}}
	begin := time.Date(2026, time.November, 26, 12, 0, 0, 0, time.UTC)
	attempts := func(late ...time.Duration) (all []delivery.Attempt) {
		at := begin
		for i, by := range late {
			a := delivery.Attempt{Effect: delivery.Failure}
			if i > 0 {
				at = at.Add(s.Policy.Schedule[i])
				a.PlannedAt = at
			}
			at = at.Add(by)
			a.Number, a.Cycle, a.StartedAt, a.EndedAt, a.Class, a.StatusCode = i+1, delivery.Automatic, at, at.Add(time.Second), delivery.ServerError, 500
			all, at = append(all, a), a.EndedAt
		}
		return all
	}
	const certain, perhaps = "had failed 3 times in a row by then", "may have held it back"
	for _, tt := range []struct {
		name     string
		attempts []delivery.Attempt
		success  time.Time
		want     []string
	}{
		{"in time, but for a look", attempts(0, 2*time.Second, 3*time.Second, 3*time.Second), time.Time{}, []string{"", "", "", ""}},
		{"late after one failure", attempts(0, 20*time.Second), time.Time{}, []string{"", perhaps}},
		{"late after three failures", attempts(0, 0, 0, 2*time.Minute), time.Time{}, []string{"", "", "", certain}},
		{"late, with a success in between", attempts(0, 0, 0, 2*time.Minute), begin.Add(3 * time.Minute), []string{"", "", "", perhaps}},
	} {
		e := endpointRow{}
		e.LastSuccessAt = tt.success
		for i, row := range s.lineOf(tt.attempts, e) {
			if want := tt.want[i]; want == "" && row.Why != "" || !strings.Contains(row.Why, want) {
				t.Errorf("%s: of attempt %d it says %q, want %q", tt.name, row.Number, row.Why, want)
			}
		}
	}
}
