package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

// A handler whose transaction takes its time on SQLite kept everybody waiting, whatever
// they had time for.
func TestCallsEndWithTheirContextWhileAHandlerHasTheTransaction(t *testing.T) {
	t.Parallel()
	store, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	item, _, err := store.Begin(t.Context(), receiver.Item{ID: "e1", Type: "t", Body: []byte("{}")}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	in, release, out := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		out <- store.EndInTx(context.WithoutCancel(t.Context()), receiver.End{Key: item.Key(), Token: item.Token, To: receiver.Done}, func(receiver.Tx) error {
			close(in)
			<-release
			return nil
		})
	}()
	<-in
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := store.Put(ctx, []receiver.Item{{ID: "e2", Type: "t", Body: []byte("{}")}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put beside the transaction: %v, want it to end with its context", err)
	}
	close(release)
	if err := <-out; err != nil {
		t.Errorf("the handler's transaction: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestABrokenAddressDoesNotShowItsPassword(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"postgres://user:sec:ret%zz@host/db", "postgres://user:sec@ret%zz@host/db", "postgres://user:secret@host:notaport/db",
		"host=h password='sec ret sslmode=", "postgres://user:secret@127.0.0.1:1/db?sslmode=disable",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := sqlstore.OpenPostgres(ctx, address)
		cancel()
		if err == nil || strings.Contains(err.Error(), "sec") || strings.Contains(err.Error(), "ret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A program with one connection, as many have for SQLite.
func TestADatabaseWithOneConnectionIsEnough(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "a.db")+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	store, err := sqlstore.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := store.Put(ctx, []receiver.Item{{ID: "e1", Type: "t"}}); err != nil {
		t.Fatalf("Put: %v", err)
	}
	item, standing, err := store.Begin(ctx, receiver.Item{ID: "e2", Type: "t"}, time.Minute)
	if err != nil || standing != receiver.Begun {
		t.Fatalf("Begin: %s, %v", standing, err)
	}
	if err := store.EndInTx(ctx, receiver.End{Key: item.Key(), Token: item.Token, To: receiver.Done}, func(receiver.Tx) error { return nil }); err != nil {
		t.Errorf("EndInTx: %v", err)
	}
	claimed, _, err := store.Claim(ctx, "", 10, time.Minute)
	if err != nil || len(claimed) != 1 {
		t.Fatalf("Claim: %d, %v", len(claimed), err)
	}
	if lost, err := store.Record(ctx, []receiver.End{{Key: claimed[0].Key(), Token: claimed[0].Token, To: receiver.Done}}); err != nil || lost[0] {
		t.Errorf("Record: %v, %v", lost, err)
	}
}
