package sqlstore

import (
	"context"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// leaseOf publishes an event that is sent at once by a process that is about to die.
func leaseOf(t *testing.T, s *Store, endpoint string) delivery.ID {
	t.Helper()
	e := delivered(endpoint, 100)
	d := &e.Deliveries[0]
	d.Status, d.Token, d.Node, d.Until = delivery.Sending, newToken(), "node-1", time.Now().Add(time.Hour)
	must(t, accept(t.Context(), s, e))
	return d.ID
}

func claimNow(t *testing.T, s *Store, endpoint string) store.Claimed {
	t.Helper()
	got, err := s.Claim(t.Context(), store.Claim{Node: "node-2", Now: time.Now(), Until: time.Now().Add(time.Hour), Wants: []store.Want{{EndpointID: endpoint, Max: 10}}})
	must(t, err)
	return got[0]
}

func TestWhatADeadProcessWasSendingIsDueWhenTheFileIsOpenedAgain(t *testing.T) {
	t.Parallel()
	s, path := openedFile(t)
	addEndpoint(t, s, "ep_1")
	addEndpoint(t, s, "ep_narrow")
	id := leaseOf(t, s, "ep_1")
	must(t, s.write(t.Context(), "narrow it", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, "update endpoints set failures = 3, streak = 3 where id = 'ep_narrow'")
		return err
	}))
	must(t, accept(t.Context(), s, delivered("ep_narrow", 100)))
	if n := len(claimNow(t, s, "ep_narrow").Leases); n != 1 {
		t.Fatalf("a narrow endpoint gave %d leases", n)
	}
	must(t, s.CreateJob(t.Context(), store.Job{ID: "job_1", AccountID: store.DefaultAccount, Kind: store.JobRetry, State: store.JobRunning, CreatedAt: time.Now()}))
	if jobs, err := s.ClaimJobs(t.Context(), "node-1", time.Now(), time.Now().Add(time.Hour), 10); err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	must(t, s.Close()) // which leaves leases as they are

	again := opened(t, Config{Database: path})
	for _, endpoint := range []string{"ep_1", "ep_narrow"} {
		got := claimNow(t, again, endpoint)
		if len(got.Leases) != 1 || got.Expired != 1 || got.Leases[0].Attempt != 2 {
			t.Errorf("%s gave %+v, want its delivery for the second attempt", endpoint, got)
		}
	}
	attempts, err := again.Attempts(t.Context(), store.DefaultAccount, id)
	if err != nil || len(attempts) != 1 || attempts[0].Class != delivery.Unknown {
		t.Errorf("attempts %+v, %v; want the first closed as unknown", attempts, err)
	}
	if jobs, err := again.ClaimJobs(t.Context(), "node-2", time.Now(), time.Now().Add(time.Hour), 10); err != nil || len(jobs) != 1 {
		t.Errorf("%d jobs, %v; want the one of the process before", len(jobs), err)
	}
}

func TestAReadOnlyOpenEndsNoLease(t *testing.T) {
	t.Parallel()
	s, path := openedFile(t)
	addEndpoint(t, s, "ep_1")
	leaseOf(t, s, "ep_1")
	opened(t, Config{Database: path, ReadOnly: true})
	if got := claimNow(t, s, "ep_1"); len(got.Leases) != 0 {
		t.Errorf("%+v was given although its lease runs", got.Leases)
	}
}

func TestANodeThatStartsEndsNoLeaseOfAnother(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	s := opened(t, Config{Database: address})
	addEndpoint(t, s, "ep_1")
	leaseOf(t, s, "ep_1")
	if got := claimNow(t, opened(t, Config{Database: address}), "ep_1"); len(got.Leases) != 0 {
		t.Errorf("%+v was given although its lease runs", got.Leases)
	}
}

// With 100,000 waiting each batch read them all, and everybody who published waited.
func TestEndedLeasesOfADisabledEndpointWereLookedForAmongAllThatWaits(t *testing.T) {
	t.Parallel()
	s, _ := openedFile(t)
	addEndpoint(t, s, "ep_1")
	id := leaseOf(t, s, "ep_1")
	for range 5 {
		must(t, accept(t.Context(), s, delivered("ep_1", 100)))
	}
	must(t, s.write(t.Context(), "disable it, and end the lease", func(ctx context.Context, c conn) error {
		if _, err := c.exec(ctx, "update endpoints set state = 'disabled' where id = 'ep_1'"); err != nil {
			return err
		}
		_, err := c.exec(ctx, "update deliveries set due_at = 1 where status = 'sending'")
		return err
	}))
	for _, want := range []struct {
		held   int
		status delivery.Status
	}{{3, delivery.Sending}, {3, delivery.Held}, {0, delivery.Held}} {
		n, err := s.Settle(t.Context(), "ep_1", time.Now(), 3)
		must(t, err)
		d, err := s.Delivery(t.Context(), store.DefaultAccount, id)
		must(t, err)
		if n != want.held || d.Status != want.status {
			t.Errorf("%d were held and the ended lease is %s, want %d and %s: it is looked for when nothing else waits", n, d.Status, want.held, want.status)
		}
	}
}

func TestAClaimThatWasNotCommittedGivesNoLeases(t *testing.T) {
	t.Parallel()
	s, _ := openedFile(t)
	addEndpoint(t, s, "ep_1")
	addEndpoint(t, s, "ep_2")
	must(t, accept(t.Context(), s, delivered("ep_1", 100)))
	must(t, s.write(t.Context(), "spoil the second endpoint", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `update endpoints set failures = 'many' where id = 'ep_2'`)
		return err
	}))
	got, err := s.Claim(t.Context(), store.Claim{
		Node: "node-1", Now: time.Now().Add(time.Second), Until: time.Now().Add(time.Minute),
		Wants: []store.Want{{EndpointID: "ep_1", Max: 1}, {EndpointID: "ep_2", Max: 1}},
	})
	if err == nil {
		t.Fatal("the claim went well: this test looks at nothing")
	}
	if len(got) != 0 {
		t.Errorf("a claim that was rolled back gives %+v, which would be sent and is not on disk", got)
	}
}
