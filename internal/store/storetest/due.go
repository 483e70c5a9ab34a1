package storetest

import (
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func dueChecks() []check {
	return []check{
		{"an endpoint is named once, with its earliest due time", dueEarliest},
		{"the end of a lease is a due time", dueLeaseEnd},
		{"an endpoint with nothing that waits or is sent is left out", dueNothing},
		{"long backlogs are skipped and pages go on after the last id", duePages},
	}
}

// due reads the whole list in pages and gives what it says about the given
// endpoints, in its order.
func (w *world) due(limit int, endpointIDs ...string) []store.Due {
	w.t.Helper()
	var own []store.Due
	after := ""
	for {
		page, err := w.s.Due(w.ctx(), after, limit)
		w.must("read due", err)
		if len(page) > limit {
			w.t.Fatalf("a page of %d has %d rows", limit, len(page))
		}
		for _, d := range page {
			if d.EndpointID <= after {
				w.t.Fatalf("%s follows %s", d.EndpointID, after)
			}
			after = d.EndpointID
			if slices.Contains(endpointIDs, d.EndpointID) {
				own = append(own, d)
			}
		}
		if len(page) == 0 {
			return own
		}
	}
}

func dueEarliest(w *world) {
	endpoint := w.newEndpoint()
	for _, after := range []time.Duration{3 * time.Minute, time.Minute, 2 * time.Minute} {
		w.publishOne(at(after), pendingTo(endpoint))
	}
	w.equal("due", w.due(1000, endpoint), []store.Due{{EndpointID: endpoint, DueAt: at(time.Minute)}})

	l := w.claimOne(endpoint, at(time.Minute))
	w.end(rules(), l, delivery.OK, at(time.Minute))
	w.equal("due after the first has ended", w.due(1000, endpoint), []store.Due{{EndpointID: endpoint, DueAt: at(2 * time.Minute)}})
}

func dueLeaseEnd(w *world) {
	endpoint := w.newEndpoint()
	w.lease(endpoint)
	w.publishOne(leaseEnd().Add(time.Minute), pendingTo(endpoint))
	w.equal("due", w.due(1000, endpoint), []store.Due{{EndpointID: endpoint, DueAt: leaseEnd()}})
}

func dueNothing(w *world) {
	endpoint := w.newEndpoint()
	for _, status := range []delivery.Status{delivery.Delivered, delivery.Failed, delivery.Held, delivery.Discarded} {
		w.inStatus(endpoint, status)
	}
	w.equal("due", w.due(1000, endpoint, w.newEndpoint()), []store.Due(nil))
}

func duePages(w *world) {
	endpoints := w.newEndpoints(9)
	slices.Sort(endpoints)
	w.backlog(2000, func() store.NewDelivery { return pendingTo(endpoints[4]) })
	var want []store.Due
	for i, id := range endpoints {
		if i != 4 {
			w.publishOne(at(0), pendingTo(id))
		}
		want = append(want, store.Due{EndpointID: id, DueAt: at(0)})
	}
	for _, limit := range []int{1, 2, 1000} {
		w.equal("due", w.due(limit, endpoints...), want)
	}
}
