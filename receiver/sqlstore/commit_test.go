package sqlstore_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

// A constraint that is checked in the end fails the commit itself, after the handler has
// ended well.
func TestACommitThatFailsLeavesNeitherTheEndNorTheEffect(t *testing.T) {
	t.Parallel()
	for name, address := range map[string][2]string{
		"SQLite":     {"sqlite", "file:" + filepath.Join(t.TempDir(), "a.db") + "?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)"},
		"PostgreSQL": {"pgx", pgtest.URL(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sql.Open(address[0], address[1])
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			for _, table := range []string{
				"create table shops (id integer primary key)",
				"create table scores (shop integer not null references shops (id) deferrable initially deferred)",
			} {
				if _, err := db.ExecContext(t.Context(), table); err != nil {
					t.Fatal(err)
				}
			}
			store, err := sqlstore.New(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { store.Close() })
			fill(t, store, 0, 1)
			items, _, err := store.Claim(t.Context(), "", 1, time.Minute)
			if err != nil || len(items) != 1 {
				t.Fatalf("Claim: %d, %v", len(items), err)
			}
			score := func(shop int) error {
				end := receiver.End{Key: items[0].Key(), Token: items[0].Token, To: receiver.Done}
				return store.EndInTx(t.Context(), end, func(tx receiver.Tx) error {
					_, err := tx.ExecContext(t.Context(), "insert into scores (shop) values ($1)", shop)
					return err
				})
			}
			if err := score(1); err == nil || errors.Is(err, receiver.ErrLeaseLost) {
				t.Errorf("a score of no shop was taken: %v", err)
			}
			wantState(t, db, store, receiver.Working, 0)
			if _, err := db.ExecContext(t.Context(), "insert into shops (id) values (1)"); err != nil {
				t.Fatal(err)
			}
			// The lease holds, and the connection is as good as before.
			if err := score(1); err != nil {
				t.Errorf("the same again, with its shop: %v", err)
			}
			wantState(t, db, store, receiver.Done, 1)
		})
	}
}

// wantState checks what a transaction has left.
func wantState(t *testing.T, db *sql.DB, store *sqlstore.Store, status receiver.Status, scores int) {
	t.Helper()
	items, _, err := store.List(t.Context(), receiver.Filter{}, receiver.Page{})
	if err != nil || len(items) != 1 || items[0].Status != status {
		t.Errorf("items %+v, %v; want one that is %s", items, err, status)
	}
	var got int
	if err := db.QueryRowContext(t.Context(), "select count(*) from scores").Scan(&got); err != nil || got != scores {
		t.Errorf("%d scores, %v; want %d", got, err, scores)
	}
}
