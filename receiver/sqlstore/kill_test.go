package sqlstore_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

// leaseOfTest does not run out within a test.
const leaseOfTest = time.Hour

// envVictim is the database of a process that is to be killed.
const envVictim = "SQLSTORE_VICTIM_DATABASE"

// each runs a test on both databases, by a path or an address.
func each(t *testing.T, run func(t *testing.T, place string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		run(t, filepath.Join(t.TempDir(), "a.db"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		run(t, pgtest.URL(t))
	})
}

func openAny(ctx context.Context, place string) (*sqlstore.Store, error) {
	if strings.HasPrefix(place, "postgres") {
		return sqlstore.OpenPostgres(ctx, place)
	}
	return sqlstore.OpenSQLite(ctx, place)
}

// handle opens a database as a process of its own would.
func handle(t *testing.T, place string) *sqlstore.Store {
	t.Helper()
	store, err := openAny(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// beside opens a database without the store.
func beside(t *testing.T, place string) *sql.DB {
	t.Helper()
	if strings.HasPrefix(place, "postgres") {
		return database(t, "pgx", place)
	}
	return database(t, "sqlite", "file:"+place+"?_pragma=busy_timeout(10000)&_txlock=immediate")
}

// What one handle does another sees at once, and while one is in a handler's transaction
// the other reads.
func TestTwoHandlesSeeTheSame(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, place string) {
		one, two := handle(t, place), handle(t, place)
		if _, err := one.Put(t.Context(), []receiver.Item{{ID: "e1"}, {ID: "e2"}}); err != nil {
			t.Fatal(err)
		}
		fresh, err := two.Put(t.Context(), []receiver.Item{{ID: "e2"}, {ID: "e3"}})
		if err != nil || fresh[0] || !fresh[1] {
			t.Errorf("Put by the other: %v, %v", fresh, err)
		}
		claimed, _, err := two.Claim(t.Context(), "", 1, leaseOfTest)
		if err != nil || len(claimed) != 1 || claimed[0].ID != "e1" {
			t.Fatalf("Claim by the other: %v, %v", claimed, err)
		}
		err = two.EndInTx(t.Context(), receiver.End{Key: claimed[0].Key(), Token: claimed[0].Token, To: receiver.Done}, func(receiver.Tx) error {
			if items, _, err := one.List(t.Context(), receiver.Filter{IDs: []string{"e1"}}, receiver.Page{}); err != nil || len(items) != 1 || items[0].Status != receiver.Working {
				t.Errorf("List before the commit: %v, %v; want it worked on", items, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if items, _, err := one.List(t.Context(), receiver.Filter{IDs: []string{"e1"}}, receiver.Page{}); err != nil || len(items) != 1 || items[0].Status != receiver.Done {
			t.Errorf("List after the commit: %v, %v; want it done", items, err)
		}
	})
}

// A process that is killed between its change and the commit leaves neither the change
// nor the mark.
func TestAKillWithinATransactionLeavesNeitherEffectNorMark(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, place string) {
		store, db := handle(t, place), beside(t, place)
		if _, err := db.ExecContext(t.Context(), "create table effects (id text not null)"); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Put(t.Context(), []receiver.Item{{ID: "e1"}}); err != nil {
			t.Fatal(err)
		}
		kill(t, place)
		items, _, err := store.List(t.Context(), receiver.Filter{}, receiver.Page{})
		if err != nil || len(items) != 1 || items[0].Status != receiver.Working {
			t.Fatalf("List: %+v, %v; want the event still under its lease", items, err)
		}
		if _, err := db.ExecContext(t.Context(), "update receiver_inbox set due_at = due_at - $1", (2 * leaseOfTest).Milliseconds()); err != nil {
			t.Fatal(err)
		}
		claimed, _, err := store.Claim(t.Context(), "", 1, leaseOfTest)
		if err != nil || len(claimed) != 1 || claimed[0].Lost != 1 || !claimed[0].Unsure {
			t.Fatalf("Claim: %+v, %v; want the event that was lost", claimed, err)
		}
		if err := store.EndInTx(t.Context(), receiver.End{Key: claimed[0].Key(), Token: claimed[0].Token, To: receiver.Done}, haveEffect(t.Context())); err != nil {
			t.Fatal(err)
		}
		var effects int
		if err := db.QueryRowContext(t.Context(), "select count(*) from effects").Scan(&effects); err != nil || effects != 1 {
			t.Errorf("%d effects, %v; want 1", effects, err)
		}
	})
}

// kill runs the victim until it is within its transaction, and kills it.
func kill(t *testing.T, place string) {
	t.Helper()
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$") //nolint:gosec // this binary
	victim.Env = append(os.Environ(), envVictim+"="+place)
	victim.Stderr = os.Stderr
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = victim.Process.Kill() // it waits to be killed
	_ = victim.Wait()
	if err != nil || line != "changed\n" {
		t.Fatalf("the victim said %q, %v", line, err)
	}
}

// beVictim claims an event, makes its change, and waits before the commit.
func beVictim(place string) error {
	ctx := context.Background()
	store, err := openAny(ctx, place)
	if err != nil {
		return err
	}
	claimed, _, err := store.Claim(ctx, "", 1, leaseOfTest)
	if err != nil || len(claimed) != 1 {
		return fmt.Errorf("claimed %d, %w", len(claimed), err)
	}
	return store.EndInTx(ctx, receiver.End{Key: claimed[0].Key(), Token: claimed[0].Token, To: receiver.Done}, func(tx receiver.Tx) error {
		if err := haveEffect(ctx)(tx); err != nil {
			return err
		}
		fmt.Println("changed")
		select {}
	})
}

func haveEffect(ctx context.Context) func(receiver.Tx) error {
	return func(tx receiver.Tx) error {
		_, err := tx.ExecContext(ctx, "insert into effects (id) values ('e1')")
		return err
	}
}
