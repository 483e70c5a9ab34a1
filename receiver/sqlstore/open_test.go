package sqlstore_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

func TestAFileMayHaveAnyName(t *testing.T) {
	t.Chdir(t.TempDir()) // and so not parallel
	absolute := filepath.Join(t.TempDir(), "inbox.db")
	for _, path := range []string{
		"inbox.db", "./dotted.db", "with space.db", "what?.db", "a#b.db", "100%.db", "%41.db", "a&mode=memory.db",
		"ein+plus.db", "Eingänge.db", "file:x.db", ":memory:", absolute,
	} {
		store, err := sqlstore.OpenSQLite(t.Context(), path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		fill(t, store, 0, 1)
		if err := store.Close(); err != nil {
			t.Errorf("%s: close: %v", path, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Size() == 0 {
			t.Errorf("%s: the events are not in that file: %v", path, err)
			continue
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s: mode %o, want 600", path, got)
		}
		wantKept(t, path)
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 12 {
		t.Errorf("there are other files: %v", entries)
	}
}

// wantKept checks that a file holds one event, when it is opened again.
func wantKept(t *testing.T, path string) {
	t.Helper()
	store, err := sqlstore.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Errorf("%s: again: %v", path, err)
		return
	}
	defer store.Close()
	if items, _, err := store.List(t.Context(), receiver.Filter{}, receiver.Page{}); err != nil || len(items) != 1 {
		t.Errorf("%s: %d events, %v", path, len(items), err)
	}
}

// The files beside it hold the same events, as long as it is open.
func TestNobodyElseMayReadTheFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(folder, "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	fill(t, store, 0, 1)
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 3 {
		t.Fatalf("files %v, %v", entries, err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 600", entry.Name(), info.Mode(), err)
		}
	}
}

func TestAMissingFolderIsNamed(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "missing")
	_, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(folder, "a.db"))
	if err == nil || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "make it first") {
		t.Errorf("error %v, want one that names the folder", err)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("the folder was made")
	}
	if _, err := sqlstore.OpenSQLite(t.Context(), ""); err == nil {
		t.Error("an empty path was opened")
	}
}

func TestCloseLeavesTheCallersDatabaseOpen(t *testing.T) {
	t.Parallel()
	for name, address := range map[string][2]string{
		"SQLite":     {"sqlite", "file:" + filepath.Join(t.TempDir(), "a.db") + "?_txlock=immediate"},
		"PostgreSQL": {"pgx", pgtest.URL(t)},
	} {
		db, err := sql.Open(address[0], address[1])
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		store, err := sqlstore.New(t.Context(), db)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fill(t, store, 0, 3)
		if _, _, err := store.Claim(t.Context(), "", 1, time.Minute); err != nil {
			t.Errorf("%s: Claim: %v", name, err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
		if err := db.PingContext(t.Context()); err != nil {
			t.Errorf("%s: the database was closed with the store: %v", name, err)
		}
	}
}
