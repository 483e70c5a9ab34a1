package sqlstore

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// session is a client of the server beside the store, in a transaction.
func session(t *testing.T, address string, all ...string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	must(t, err)
	t.Cleanup(func() { _ = c.Close(context.Background()) }) // the test's context has ended by then
	for _, one := range append([]string{"begin"}, all...) {
		_, err := c.Exec(t.Context(), one)
		must(t, err)
	}
	return c
}

// untilBlocked waits until n clients of the database wait for a lock.
func untilBlocked(t *testing.T, c *pgx.Conn, n int) {
	t.Helper()
	for waiting := -1; waiting != n; {
		err := c.QueryRow(t.Context(), "select count(*) from pg_locks l join pg_stat_activity a using (pid) where not l.granted and a.datname = current_database()").Scan(&waiting)
		must(t, err)
		if t.Context().Err() != nil {
			return
		}
	}
}

func TestANodeThatIsHeldUpInTheMiddleOfPublishingLetsOthersTakeNumbers(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	one, two := opened(t, Config{Database: address}), opened(t, Config{Database: address})
	addEndpoint(t, one, "ep_1")
	e := delivered("ep_1", 100)
	other := session(t, address, "insert into events (seq, account_id, id, type, created_at, body, hash, first_delivery, deliveries) values (-1, '"+
		store.DefaultAccount+"', '"+e.ID+"', 'x', 0, '', '', 0, 0)")
	done := make(chan error, 1)
	go func() { done <- accept(t.Context(), one, e) }() // waits for what becomes of that id
	untilBlocked(t, other, 1)
	must(t, accept(t.Context(), two, delivered("ep_1", 100)))
	_, err := other.Exec(t.Context(), "rollback")
	must(t, err)
	must(t, <-done)
	must(t, accept(t.Context(), one, delivered("ep_1", 100)))
	if n := len(kept(t, two)); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

func TestOutcomesThatWaitForAnEndpointHoldNoAccount(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	s := opened(t, Config{Database: address})
	addEndpoint(t, s, "ep_1")
	w := newPgWriter(s.engine.(*pgEngine))
	outcome := store.Result{Lease: delivery.Lease{ID: 1, EndpointID: "ep_1", Token: 1}, Change: delivery.Change{Status: delivery.Retrying}}
	group := []*operation{
		{publish: &publishing{batch: &store.Batch{AccountID: store.DefaultAccount, Events: []store.NewEvent{someEvent(100)}}}},
		{record: &recording{policy: delivery.DefaultPolicy(), results: []store.Result{outcome}}},
	}
	other := session(t, address, "set local lock_timeout = '1s'", "select 1 from endpoints where id = 'ep_1' for update")
	done := make(chan error, 1)
	go func() { done <- w.transact(group, w.runRows) }()
	untilBlocked(t, other, 1)
	// As a change of the endpoint by hand does.
	_, err := other.Exec(t.Context(), "update accounts set revision = revision + 1 where id = '"+store.DefaultAccount+"'")
	must(t, err)
	_, err = other.Exec(t.Context(), "commit")
	must(t, err)
	must(t, <-done)
}
