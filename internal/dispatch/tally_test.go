package dispatch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestCountsAreWrittenAsTheyStandUntilTheirMinuteIsOver(t *testing.T) {
	t.Parallel()
	minute := time.Date(2030, 3, 8, 12, 34, 0, 0, time.UTC)
	failure := &store.Result{
		Lease:   delivery.Lease{AccountID: "acc_1", EndpointID: "ep_1"},
		Attempt: delivery.Attempt{Number: 1, Outcome: delivery.Outcome{StartedAt: minute, EndedAt: minute.Add(time.Second), Class: delivery.ServerError}},
	}
	tl := newTally()
	failed := func(want int) string { // adds one, and gives who writes that there are so many
		t.Helper()
		tl.add(failure, &store.Recorded{})
		all := tl.unwritten()
		wanted := []store.Stat{{AccountID: "acc_1", EndpointID: "ep_1", Minute: minute, Failed: want}}
		if diff := cmp.Diff(wanted, all, cmpopts.IgnoreFields(store.Stat{}, "Writer", "Latency", "Watched")); diff != "" {
			t.Fatalf("counts (-want +got):\n%s", diff)
		}
		return all[0].Writer
	}
	writer := failed(1)
	if again := failed(2); again != writer || writer == "" {
		t.Errorf("written by %q, then by %q", writer, again)
	}
	if all := tl.unwritten(); all != nil {
		t.Errorf("%+v is written again although nothing changed", all)
	}
	tl.notWritten([]store.Stat{{EndpointID: "ep_1", Minute: minute}})
	tl.drop(minute.Add(time.Hour)) // which it outlives
	if again := failed(3); again != writer {
		t.Errorf("written by %q, then by %q", writer, again)
	}
	tl.drop(minute.Add(59 * time.Second)) // which it outlives, too
	failed(4)
	tl.drop(minute.Add(time.Minute))
	if again := failed(1); again == writer {
		t.Error("what comes late would take the place of what is on disk")
	}
}

func TestCountsThatCannotBeWrittenAreBounded(t *testing.T) {
	t.Parallel()
	minute := time.Date(2030, 3, 8, 12, 34, 0, 0, time.UTC)
	tl := newTally()
	for i := range maxTally + 10 {
		tl.of("acc_1", "ep_1", minute.Add(time.Duration(i)*time.Minute))
	}
	if n := len(tl.stats); n != maxTally {
		t.Errorf("%d minutes are kept, want %d at the most", n, maxTally)
	}
}

// News of trouble is sent to endpoints, too. If its attempts counted, endpoints that hear of each
// other's alerts could keep each other's alive.
func TestTheWatchGoesByNoOperationalEvent(t *testing.T) {
	t.Parallel()
	minute := time.Date(2030, 3, 8, 12, 34, 0, 0, time.UTC)
	tl := newTally()
	for _, eventType := range []string{"scan.completed", "order.shipped", "endpoint.alert", "endpoint.warning", "endpoint.disabled", "delivery.failed"} {
		tl.add(&store.Result{
			Lease: delivery.Lease{AccountID: "acc_1", EndpointID: "ep_1", EventType: eventType, Used: 1},
			Attempt: delivery.Attempt{
				Number: 2, Cycle: delivery.Automatic,
				Outcome: delivery.Outcome{StartedAt: minute, EndedAt: minute.Add(20 * time.Second), Class: delivery.ServerError},
			},
		}, &store.Recorded{})
	}
	got := tl.unwritten()[0]
	if want := (delivery.Counts{Attempts: 2, Failed: 2, Retries: 2, Slow: 2}); got.Watched != want || got.Failed != 6 {
		t.Errorf("watched %+v of %d failures; want %+v of 6", got.Watched, got.Failed, want)
	}
}
