package sqlstore_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
	"github.com/compliancelayer/compliancelayer/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func open(t *testing.T, database string) store.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestSQLiteKeepsTheContract(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "test.db"))
	storetest.Run(t, func(*testing.T) store.Store { return s })
}

func TestPostgresKeepsTheContract(t *testing.T) {
	t.Parallel()
	url := sync.OnceValue(func() string { return pgtest.URL(t) })
	s := open(t, url())
	storetest.Run(t, func(*testing.T) store.Store { return s })
}
