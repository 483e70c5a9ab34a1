package dispatch

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAgendaGrowsWithNothingButEndpoints(t *testing.T) {
	t.Parallel()
	start := time.Date(2030, 3, 8, 12, 0, 0, 0, time.UTC)
	var a agenda
	for i := range 1000 { // a far time is noted, then a near one, which comes
		now := start.Add(time.Duration(i) * time.Second)
		for _, id := range []string{"ep_1", "ep_2"} {
			a.add(id, start.Add(time.Hour))
			a.add(id, now)
		}
		if n := len(a.due(now)); n != 2 {
			t.Fatalf("%d endpoints are due, want 2", n)
		}
	}
	a.add("ep_1", start.Add(time.Hour))
	if len(a.items) != 1 || len(a.of) != 1 {
		t.Errorf("%d entries of %d endpoints, want one of one", len(a.items), len(a.of))
	}
}

func TestAgendaGivesTheEarliestTimeOfEachEndpoint(t *testing.T) {
	t.Parallel()
	start := time.Date(2030, 3, 8, 12, 0, 0, 0, time.UTC)
	var a agenda
	want := map[string]time.Time{}
	for i := range 1000 { // times in no order
		id, at := fmt.Sprint("ep_", i%50), start.Add(time.Duration(i*7919%1000)*time.Second)
		a.add(id, at)
		if have, ok := want[id]; !ok || at.Before(have) {
			want[id] = at
		}
	}
	got := map[string]time.Time{}
	for last := start; ; {
		at, ok := a.next()
		if !ok {
			break
		}
		if at.Before(last) {
			t.Fatalf("%s comes after %s", at, last)
		}
		last = at
		for _, id := range a.due(at) {
			got[id] = at
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}
