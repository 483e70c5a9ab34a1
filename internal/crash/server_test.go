package crash_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

func TestTheDatabaseServerCrashesUnderLoad(t *testing.T) {
	t.Parallel()
	const crashes = 3
	crashServer(t, crashes)
}

func crashServer(t *testing.T, crashes int) {
	cluster := pgtest.New(t)
	database, err := cluster.CreateDatabase(t.Context())
	if err != nil {
		t.Fatalf("make a database: %v", err)
	}
	w := newWorld(t, database, newReceiver(t, "steady", nil), newReceiver(t, "shaky", shaky))
	c := start(t, w.settings)
	w.setUp(c.api)
	quiet := w.load(c.api)
	for range crashes {
		pause(t.Context(), 300*time.Millisecond)
		if err := cluster.Down(pgtest.Immediate); err != nil {
			t.Fatalf("stop the server: %v", err)
		}
		before := w.crowd.refusals()
		for w.crowd.refusals() == before { // nothing is acknowledged meanwhile
			pause(t.Context(), w.crowd.upTo(500*time.Millisecond))
		}
		if err := cluster.Up(t.Context()); err != nil {
			t.Fatalf("start the server again: %v", err)
		}
	}
	pause(t.Context(), 300*time.Millisecond)
	quiet()
	w.crowd.settle(t.Context(), c.api)
	w.finish(c.api, finishLimit)
	c.stop(t)
	a := w.settleAccounts(t)
	t.Logf("the server crashed %d times, %d calls were refused meanwhile; %d attempts are unknown", crashes, w.crowd.refusals(), a.byClass[string(delivery.Unknown)])

	u, err := url.Parse(database)
	if err != nil {
		t.Fatalf("read the address of the database: %v", err)
	}
	if password, _ := u.User.Password(); password == "" || c.says(t, password) {
		t.Error("the database's password is in the log, or there is none to look for")
	}
	if !c.says(t, `"level":"ERROR"`) {
		t.Error("the process logs no error although its database was away")
	}
	a.evidence(w, "immediate", 1, crashes, "PostgreSQL crashed under load (immediate mode) and started again")
}

func TestTheDatabaseServerIsAwayForLongerThanALease(t *testing.T) {
	t.Parallel()
	cluster := pgtest.New(t)
	database, err := cluster.CreateDatabase(t.Context())
	if err != nil {
		t.Fatalf("make a database: %v", err)
	}
	w := newWorld(t, database, newReceiver(t, "steady", nil))
	c := start(t, w.settings)
	w.setUp(c.api)
	w.publishGated(c.api)
	if err := cluster.Down(pgtest.Immediate); err != nil {
		t.Fatalf("stop the server: %v", err)
	}
	w.receivers[0].openGate() // an outcome that cannot be written before its lease ends
	// The pause between two tries to write it is at most five seconds.
	pause(t.Context(), w.lease()+10*time.Second)
	if err := cluster.Up(t.Context()); err != nil {
		t.Fatalf("start the server again: %v", err)
	}
	_ = w.crowd.post(t.Context(), c.api, w.crowd.events(1)) // what is not accepted is tried again
	w.crowd.settle(t.Context(), c.api)
	w.finish(c.api, finishLimit)
	c.stop(t)
	w.settleAccounts(t).evidence(w, "away", 9, 1, "PostgreSQL away for longer than a lease, with an outcome to be recorded")
}
