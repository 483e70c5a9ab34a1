package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func claimChecks() []check {
	return []check{
		{"the oldest due come first, at most as many as asked for", claimOldestFirst},
		{"a lease has everything that an attempt needs", claimLease},
		{"the bodies of the leases fit into the bytes asked for, and one is given whatever its length", claimWithinBytes},
		{"nothing is given before its time", claimNotEarly},
		{"every endpoint wanted gives, whatever the backlog of another", claimFair},
		{"an endpoint that does not exist gives nothing and disturbs nobody", claimUnknownEndpoint},
		{"attempts are numbered 1, 2, 3 without gaps, over cycles too", claimNumbers},
		{"failures on our side use no step and are counted in a row", claimFaults},
		{"tokens are never given twice", claimTokens},
		{"8 claimers of 1000 rows never hold the same one", claimTogether},
		{"what waits for a disabled endpoint becomes held", claimDisabled},
		{"what waits for a deleted endpoint is discarded", claimDeleted},
	}
}

func claimOldestFirst(w *world) {
	endpoint := w.newEndpoint()
	ids := make(map[int]delivery.ID)
	for _, minute := range []int{4, 1, 5, 3, 2} {
		ids[minute] = w.publishOne(at(time.Duration(minute)*time.Minute), pendingTo(endpoint))
	}
	for _, tt := range []struct {
		most int
		want []delivery.ID
		next time.Time
	}{
		{3, []delivery.ID{ids[1], ids[2], ids[3]}, at(4 * time.Minute)},
		{1, []delivery.ID{ids[4]}, at(5 * time.Minute)},
	} {
		got := w.claimed(endpoint, at(10*time.Minute), tt.most)
		var order []delivery.ID
		for _, l := range got.Leases {
			order = append(order, l.ID)
		}
		w.equal(fmt.Sprintf("leases when %d are asked for", tt.most), order, tt.want)
		if !got.NextDue.Equal(tt.next) || got.State != delivery.Enabled || got.Expired != 0 {
			w.t.Errorf("the answer beside the leases: got %+v, want enabled, none expired and more due at %s", got, tt.next)
		}
	}
}

func claimLease(w *world) {
	endpoint := w.newEndpoint()
	e := eventAt(at(0), pendingTo(endpoint))
	e.Body = []byte(" {\"a\" : 1.50,\n\t\"b\":\"\\u00e9 \xc3\xa9 \xff \x00\"}\r\n")
	w.publish(e)
	want := delivery.Lease{
		ID: e.Deliveries[0].ID, AccountID: w.account, EndpointID: endpoint,
		EventID: e.ID, EventType: e.Type, Body: e.Body,
		Until: at(41 * time.Second), Attempt: 1, Cycle: delivery.Automatic,
	}
	got := w.claimOne(endpoint, at(time.Second))
	w.equal("lease", got, want, cmpopts.IgnoreFields(delivery.Lease{}, "Token"))

	d := w.delivery(got.ID)
	if d.Status != delivery.Sending || d.Attempts != 1 || !d.DueAt.Equal(want.Until) {
		w.t.Errorf("the claimed delivery on disk: got %+v, want sending attempt 1 until %s", d, want.Until)
	}
}

func claimWithinBytes(w *world) {
	endpoints := w.newEndpoints(2)
	for second := range 4 {
		e := eventAt(at(time.Duration(second)*time.Second), pendingTo(endpoints[0]), pendingTo(endpoints[1]))
		e.Body = bytes.Repeat([]byte("x"), 1000)
		w.publish(e)
	}
	now := at(time.Minute)
	for _, tt := range []struct{ bytes, want int }{{999, 1}, {2500, 2}, {0, 1}} { // 0 gives all that is left
		answers, err := w.s.Claim(w.ctx(), store.Claim{Node: nodeA, Now: now, Until: now.Add(time.Minute), Wants: []store.Want{
			{EndpointID: endpoints[0], Max: 10, Bytes: tt.bytes}, {EndpointID: endpoints[1], Max: 10, Bytes: tt.bytes},
		}})
		w.must("claim", err)
		for _, got := range answers {
			if len(got.Leases) != tt.want {
				w.t.Errorf("%d bytes of bodies of 1000: got %d leases, want %d", tt.bytes, len(got.Leases), tt.want)
			}
			if cut := tt.bytes > 0; cut && got.NextDue.After(now) {
				w.t.Errorf("what was left behind is due at %s, want at once", got.NextDue)
			}
		}
	}
}

func claimNotEarly(w *world) {
	endpoint := w.newEndpoint()
	w.publishOne(at(time.Minute), pendingTo(endpoint))
	got := w.claimed(endpoint, at(time.Minute-time.Millisecond), 10)
	if len(got.Leases) > 0 {
		w.t.Errorf("claimed %+v a millisecond early", got.Leases)
	}
	w.claimOne(endpoint, at(time.Minute))
}

func claimFair(w *world) {
	endpoints := w.newEndpoints(5)
	w.backlog(2000, func() store.NewDelivery { return pendingTo(endpoints[0]) })
	wants := []store.Want{{EndpointID: endpoints[0], Max: 10}}
	for _, id := range endpoints[1:] {
		for range 3 {
			w.publishOne(at(time.Second), pendingTo(id)) // later than the backlog
		}
		wants = append(wants, store.Want{EndpointID: id, Max: 2})
	}
	answers, err := w.s.Claim(w.ctx(), store.Claim{Node: nodeA, Now: at(time.Minute), Until: at(2 * time.Minute), Wants: wants})
	w.must("claim", err)
	got := make(map[string]int)
	for _, a := range answers {
		got[a.EndpointID] += len(a.Leases)
		for _, l := range a.Leases {
			if l.EndpointID != a.EndpointID {
				w.t.Errorf("the answer of %s has a lease of %s", a.EndpointID, l.EndpointID)
			}
		}
	}
	for _, want := range wants {
		if got[want.EndpointID] != want.Max {
			w.t.Errorf("%s gave %d leases, want %d", want.EndpointID, got[want.EndpointID], want.Max)
		}
	}
}

func claimUnknownEndpoint(w *world) {
	endpoint := w.newEndpoint()
	w.publishOne(at(0), pendingTo(endpoint))
	answers, err := w.s.Claim(w.ctx(), store.Claim{Node: nodeA, Now: at(0), Until: leaseEnd(), Wants: []store.Want{
		{EndpointID: newID("ep_"), Max: 5}, {EndpointID: endpoint, Max: 5},
	}})
	w.must("claim", err)
	given := 0
	for _, a := range answers {
		given += len(a.Leases)
	}
	if given != 1 {
		w.t.Errorf("got %d leases, want the one of the endpoint that exists", given)
	}
}

func claimNumbers(w *world) {
	endpoint := w.newEndpoint()
	id := w.publishOne(at(0), pendingTo(endpoint))
	p := rules()
	for number := 1; number <= len(p.Schedule); number++ {
		now := w.delivery(id).DueAt
		l := w.claimOne(endpoint, now)
		if l.Attempt != number || l.Used != number-1 || l.Faults != 0 || l.Again() != (number > 1) {
			w.t.Fatalf("attempt %d: got lease %+v", number, l)
		}
		planned := time.Time{} // the first is wanted by nobody
		if number > 1 {
			planned = now
		}
		if !l.PlannedAt.Equal(planned) {
			w.t.Errorf("attempt %d was planned at %s, want %s", number, l.PlannedAt, planned)
		}
		w.end(p, l, delivery.ServerError, now)
	}
	w.wantStatus(id, delivery.Failed)

	now := at(24 * time.Hour)
	_, err := w.s.Retry(w.ctx(), w.account, id, now)
	w.must("retry", err)
	l := w.claimOne(endpoint, now)
	if l.Attempt != 7 || l.Used != 0 || l.Cycle != delivery.Manual || l.Again() || !l.PlannedAt.IsZero() {
		w.t.Errorf("the first attempt after a retry: got lease %+v, want attempt 7 of a manual cycle with no step used", l)
	}
	w.end(p, l, delivery.OK, now)
	for i, a := range w.attempts(id) {
		if a.Number != i+1 {
			w.t.Errorf("attempt %d of the log has number %d", i+1, a.Number)
		}
		if first := i == 0 || i == 6; a.PlannedAt.IsZero() != first {
			w.t.Errorf("attempt %d of the log was planned at %s", i+1, a.PlannedAt)
		}
	}
	if n := len(w.attempts(id)); n != 7 {
		w.t.Errorf("the log has %d attempts, want 7", n)
	}
}

func claimFaults(w *world) {
	endpoint := w.newEndpoint()
	id := w.publishOne(at(0), pendingTo(endpoint))
	for i, tt := range []struct {
		class        delivery.Class
		used, faults int // as the lease of this attempt says
	}{
		{delivery.LocalFault, 0, 0},
		{delivery.LocalNetwork, 0, 1},
		{delivery.Interrupted, 0, 2},
		{delivery.ServerError, 0, 3},
		{delivery.LocalFault, 1, 0},
		{delivery.OK, 1, 1},
	} {
		now := w.delivery(id).DueAt
		l := w.claimOne(endpoint, now)
		if l.Attempt != i+1 || l.Used != tt.used || l.Faults != tt.faults {
			w.t.Errorf("attempt %d: got lease %+v, want %d used and %d faults", i+1, l, tt.used, tt.faults)
		}
		w.end(rules(), l, tt.class, now)
	}
}

func claimTokens(w *world) {
	endpoints := w.newEndpoints(2)
	w.backlog(500, func() store.NewDelivery { return pendingTo(endpoints[0]) })
	w.backlog(500, func() store.NewDelivery { return pendingTo(endpoints[1]) })
	seen := make(map[int64]bool)
	for _, id := range endpoints {
		for _, l := range w.claimed(id, at(0), 500).Leases {
			if seen[l.Token] || l.Token == 0 {
				w.t.Fatalf("token %d was given before, or is none", l.Token)
			}
			seen[l.Token] = true
		}
	}
	if len(seen) != 1000 {
		w.t.Errorf("got %d tokens, want 1000", len(seen))
	}
}

func claimTogether(w *world) {
	endpoints := w.newEndpoints(10)
	events := make([]store.NewEvent, 100)
	for i := range events {
		events[i] = eventAt(at(0))
		for _, id := range endpoints {
			events[i].Deliveries = append(events[i].Deliveries, pendingTo(id))
		}
	}
	w.publish(events...)
	var wants []store.Want
	for _, id := range endpoints {
		wants = append(wants, store.Want{EndpointID: id, Max: 7})
	}
	var mu sync.Mutex
	holders := make(map[delivery.ID]int)
	w.atOnce(8, func(claimer int) error {
		for range 10_000 {
			mu.Lock()
			left := 1000 - len(holders)
			mu.Unlock()
			if left == 0 {
				return nil
			}
			own := slices.Clone(wants)
			slices.Reverse(own[:claimer]) // not all in the same order
			answers, err := w.s.Claim(w.ctx(), store.Claim{Node: fmt.Sprintf("node-%d", claimer), Now: at(0), Until: leaseEnd(), Wants: own})
			if err != nil {
				return err
			}
			mu.Lock()
			for _, a := range answers {
				for _, l := range a.Leases {
					holders[l.ID]++
				}
			}
			mu.Unlock()
		}
		return fmt.Errorf("claimer %d: some of 1000 rows are never given", claimer)
	})
	for id, n := range holders {
		if n != 1 {
			w.t.Errorf("delivery %d has %d live leases", id, n)
		}
	}
}

func claimDisabled(w *world) {
	endpoint := w.newEndpoint()
	w.setState(endpoint, delivery.Disabled)
	// Published without a revision, as a test is: it may come after the disabling.
	id := w.publishOne(at(0), pendingTo(endpoint))
	if got := w.claimed(endpoint, at(0), 10); len(got.Leases) > 0 {
		w.t.Errorf("a disabled endpoint gave %+v", got.Leases)
	}
	w.wantStatus(id, delivery.Held)
	w.equal("due", w.due(1000, endpoint), []store.Due(nil))
}

func claimDeleted(w *world) {
	endpoint := w.newEndpoint()
	const n = 3000 // more than is discarded at once
	w.backlog(n, func() store.NewDelivery { return pendingTo(endpoint) })
	w.setState(endpoint, delivery.Deleted)
	for range 100 {
		if got := w.claimed(endpoint, at(0), 100); len(got.Leases) > 0 {
			w.t.Fatalf("a deleted endpoint gave %d leases", len(got.Leases))
		}
		if len(w.due(1000, endpoint)) == 0 {
			break
		}
	}
	if got := w.count(endpoint, delivery.Discarded); got != n {
		w.t.Errorf("%d deliveries are discarded, want %d", got, n)
	}
}
