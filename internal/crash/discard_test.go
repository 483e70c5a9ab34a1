//go:build failpoints

package crash_test

import (
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
)

// A bulk discard takes what it was to take, once, and nothing else, wherever the process died that was at it.
func TestKilledWhileItDiscardsItGoesOnAndCountsNothingTwice(t *testing.T) {
	t.Parallel()
	const events, reason = 250, "nobody reads these"
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, database(t), newReceiver(t, "steady", nil), newReceiver(t, "unwanted", nil))
			c := start(t, w.settings)
			w.setUp(c.api)
			steady, unwanted := w.receivers[0].id, w.receivers[1].id
			if _, err := c.api.DisableEndpoint(t.Context(), unwanted, client.Disable{}); err != nil {
				t.Fatal(err)
			}
			for range events {
				w.crowd.publishOne(t, c.api)
			}
			w.waitWhile(t.Context(), c.api, client.StatusPending, client.StatusSending, client.StatusRetrying)
			c.stop(t)

			// The first is asked for it and dies in the midst of the second step; the next ones find it half done.
			w.diesDiscarding(client.BulkDiscard{Filter: client.DeliveryFilter{EndpointID: unwanted, Status: []string{client.StatusHeld}}, Reason: reason})
			for _, place := range places(t) {
				if strings.HasPrefix(place, bulk) && !w.dies(w.settings, place, 1) {
					t.Errorf("no process died at the place %q", place)
				}
			}

			c = start(t, w.settings)
			j := w.onlyJob(c.api)
			for ; j.State == "running"; j = w.onlyJob(c.api) {
				pause(t.Context(), 50*time.Millisecond)
			}
			if j.State != "done" || j.Total != events || j.Done != events || j.Skipped != 0 {
				t.Errorf("the job ended as %+v, want %d done and none skipped", j, events)
			}
			c.stop(t)
			got := map[[2]string]int{}
			for _, d := range readRows(t, w.settings.Database).deliveries {
				got[[2]string{d.endpoint, d.status}]++
			}
			if len(got) != 2 || got[[2]string{unwanted, client.StatusDiscarded}] != events || got[[2]string{steady, client.StatusDelivered}] != events {
				t.Errorf("deliveries by endpoint and status: %v, want %d discarded of %s and all others delivered", got, events, unwanted)
			}
		})
	}
}

// bulk are the first words of the places of bulk changes.
const bulk = "bulk change: "

// diesDiscarding asks a process to discard in bulk, which dies when its second step has moved deliveries and not yet counted them.
func (w *world) diesDiscarding(in client.BulkDiscard) {
	w.t.Helper()
	s := w.settings
	s.Die = bulk + "deliveries moved, progress not written#2"
	c := launch(w.t, s)
	if !c.serves(w.t, s) {
		w.t.Fatalf("it does not serve:\n%s", c.tail())
	}
	if _, err := c.api.DiscardDeliveries(w.t.Context(), in); err != nil {
		w.t.Logf("it died before it answered: %v", err) // the job is written by then, or it would not have died
	}
	if !c.ends(startLimit) || !c.wasKilled() {
		w.t.Errorf("it did not die as it discarded:\n%s", c.tail())
	}
	c.kill()
}

// onlyJob reads the one job that there is.
func (w *world) onlyJob(api *client.Client) client.Job {
	w.t.Helper()
	page, err := api.Jobs(w.t.Context(), client.PageQuery{Limit: 2})
	if err != nil || len(page.Data) != 1 {
		w.t.Fatalf("jobs: %+v, %v; want one", page.Data, err)
	}
	return page.Data[0]
}
