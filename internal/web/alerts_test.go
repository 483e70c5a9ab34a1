package web

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// A tile said "7.3 % of 355, more than 10.0 % of the attempts", and "26.3 % of 38, no alert; one opens above 10.0 %".
func TestATileSaysOfWhatItsNumberIs(t *testing.T) {
	t.Parallel()
	e := endpointRow{}
	e.State = delivery.Enabled
	day := manage.Stats{Summary: manage.Summary{Attempts: 40, Failed: 10, Slow: 2, Retries: 4}}
	want := []alert{
		{Name: "Failing attempts", Now: "25.0 % of 40", Of: "failed, in 24 h"},
		{Name: "Slow answers", Now: "5.0 % of 40", Of: "took longer than 10 s, in 24 h"},
		{Name: "Repeated attempts", Now: "10.0 % of 40", Of: "were made because one before had failed, in 24 h"},
		{Name: "Disabled", Now: "no"},
	}
	if diff := cmp.Diff(want, alertsOf(e, day)); diff != "" {
		t.Errorf("without an alert (-want +got):\n%s", diff)
	}

	since := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	e.Alerts = []store.Alert{{Kind: delivery.AlertFailing, Threshold: 10, OpenedAt: since, Opened: delivery.Reading{Attempts: 88, Bad: 34}}}
	e.Lately = map[delivery.AlertKind]delivery.Reading{delivery.AlertFailing: {Attempts: 355, Bad: 26, Span: 15 * time.Minute}}
	want[0] = alert{Name: "Failing attempts", Now: "7.3 % of 355", Of: "failed, in 15 min", Closes: "5.0 %", Bad: true, Since: since}
	if diff := cmp.Diff(want, alertsOf(e, day)); diff != "" {
		t.Errorf("with an alert (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]badge{{"Failing attempts", "warn"}}, e.OpenAlerts()); diff != "" {
		t.Errorf("in the list, beside the numbers of the day (-want +got):\n%s", diff)
	}
}

// The cards said "0.0 % of 0" and "95 % within 0 ms".
func TestWithoutAttemptsNoNumberIsShown(t *testing.T) {
	t.Parallel()
	for _, one := range alertsOf(endpointRow{}, manage.Stats{Summary: manage.Summary{SuccessRate: 1}})[:3] {
		if one.Now != "no attempts" || one.Of != "in 24 h" {
			t.Errorf("%s: %q, %q; want no attempts, in 24 h", one.Name, one.Now, one.Of)
		}
	}
	if got := within(0); got != "no attempts" {
		t.Errorf("the time they took is %q, want no attempts", got)
	}
}

func TestTheRuleOfTheWatchIsToldInFourSentences(t *testing.T) {
	t.Parallel()
	got := judging()
	for _, part := range []string{"20 attempts or more", "last 15 min", "more than 10 % failed", "more than 5 % took longer than 10 s", "more than 20 % were made because", "at most half", "enabled"} {
		if !strings.Contains(got, part) {
			t.Errorf("it says nothing of %q: %s", part, got)
		}
	}
	if n := strings.Count(got, ". ") + 1; n != 4 {
		t.Errorf("%d sentences, want 4: %s", n, got)
	}
}
