package sqlstore_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
	"github.com/compliancelayer/compliancelayer/receiver/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	databases := map[string]func(t *testing.T) storetest.Subject{"SQLite": onSQLite, "PostgreSQL": onPostgres}
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, open)
			storetest.RunTx(t, open)
		})
	}
}

func onSQLite(t *testing.T) storetest.Subject {
	path := filepath.Join(t.TempDir(), "inbox.db")
	store, err := sqlstore.OpenSQLite(t.Context(), path)
	return subject(t, store, err, "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
}

func onPostgres(t *testing.T) storetest.Subject {
	address := pgtest.URL(t)
	store, err := sqlstore.OpenPostgres(t.Context(), address)
	return subject(t, store, err, "pgx", address)
}

// subject is a store whose rows a second connection makes older.
func subject(t *testing.T, store *sqlstore.Store, err error, driver, address string) storetest.Subject {
	t.Helper()
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	beside, err := sql.Open(driver, address)
	if err != nil {
		t.Fatalf("open the database beside the store: %v", err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
		beside.Close()
	})
	return storetest.Subject{Store: store, Pass: func(d time.Duration) {
		const older = "update receiver_inbox set received_at = received_at - $1, due_at = due_at - $1, set_at = set_at - $1, ended_at = ended_at - $1"
		if _, err := beside.ExecContext(context.Background(), older, d.Milliseconds()); err != nil {
			t.Fatalf("make the rows older: %v", err)
		}
	}}
}
