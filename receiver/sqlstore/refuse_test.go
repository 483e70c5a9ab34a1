package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

// database opens a database by its driver.
func database(t *testing.T, driver, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// with adds an option to the sessions of a PostgreSQL address.
func with(t *testing.T, address, option string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("options", "-c"+option)
	u.RawQuery = query.Encode()
	return u.String()
}

func TestADatabaseThatCouldLoseWhatItKeepsIsRefused(t *testing.T) {
	t.Parallel()
	file := func() string { return "file:" + filepath.Join(t.TempDir(), "a.db") }
	tests := []struct {
		name, driver, address, want string
	}{
		{"never syncs", "sqlite", file() + "?_pragma=journal_mode(wal)&_pragma=synchronous(off)", "synchronous=FULL"},
		{"syncs at checkpoints", "sqlite", file() + "?_pragma=journal_mode(wal)&_pragma=synchronous(normal)", "synchronous=FULL"},
		{"journal in memory", "sqlite", file() + "?_pragma=journal_mode(memory)", "journal_mode=WAL"},
		{"no journal", "sqlite", file() + "?_pragma=journal_mode(off)", "journal_mode=WAL"},
		{"in memory", "sqlite", ":memory:", "memstore"},
		{"a file without a name", "sqlite", "", "memstore"},
		{"commits later", "pgx", with(t, pgtest.URL(t), "synchronous_commit=off"), "set synchronous_commit"},
	}
	for _, tt := range tests {
		_, err := sqlstore.New(t.Context(), database(t, tt.driver, tt.address))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that names %s", tt.name, err, tt.want)
		}
	}
	for _, safe := range []string{"", "?_pragma=journal_mode(delete)&_pragma=synchronous(extra)"} {
		store, err := sqlstore.New(t.Context(), database(t, "sqlite", file()+safe))
		if err != nil {
			t.Errorf("%s is refused: %v", safe, err)
			continue
		}
		store.Close()
	}
}

func TestProcessesThatStartAtOnceMakeTheTablesOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	deferred := "file:" + filepath.Join(t.TempDir(), "b.db") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)"
	address := pgtest.URL(t)
	tests := []struct {
		name, driver, address string
		open                  func() (*sqlstore.Store, error)
	}{
		{"SQLite", "sqlite", "file:" + path, func() (*sqlstore.Store, error) { return sqlstore.OpenSQLite(t.Context(), path) }},
		{"SQLite whose transactions begin without a lock", "sqlite", deferred, func() (*sqlstore.Store, error) {
			return sqlstore.New(t.Context(), database(t, "sqlite", deferred))
		}},
		{"PostgreSQL", "pgx", address, func() (*sqlstore.Store, error) { return sqlstore.OpenPostgres(t.Context(), address) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					store, err := tt.open()
					if err != nil {
						t.Errorf("open: %v", err)
						return
					}
					defer store.Close()
					if _, err := store.Put(t.Context(), []receiver.Item{{ID: "e1", Type: "t"}}); err != nil {
						t.Errorf("Put: %v", err)
					}
				})
			}
			all.Wait()
			var versions, events int
			if err := database(t, tt.driver, tt.address).QueryRowContext(t.Context(),
				"select (select count(*) from receiver_inbox_version), (select count(*) from receiver_inbox)").Scan(&versions, &events); err != nil {
				t.Fatal(err)
			}
			if versions != 1 || events != 1 {
				t.Errorf("%d versions and %d events, want one each", versions, events)
			}
		})
	}
}

// oneOfEach opens a database of each kind, the same one every time.
func oneOfEach(t *testing.T) []func() (*sqlstore.Store, error) {
	t.Helper()
	path, address := filepath.Join(t.TempDir(), "a.db"), pgtest.URL(t)
	return []func() (*sqlstore.Store, error){
		func() (*sqlstore.Store, error) { return sqlstore.OpenSQLite(t.Context(), path) },
		func() (*sqlstore.Store, error) { return sqlstore.OpenPostgres(t.Context(), address) },
	}
}

func TestTablesOfANewerReleaseAreRefused(t *testing.T) {
	t.Parallel()
	for _, open := range oneOfEach(t) {
		store, err := open()
		if err != nil {
			t.Fatal(err)
		}
		item, _, err := store.Begin(t.Context(), receiver.Item{ID: "e1"}, leaseOfTest)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.EndInTx(t.Context(), receiver.End{Key: item.Key(), Token: item.Token, To: receiver.Done}, func(tx receiver.Tx) error {
			_, err := tx.ExecContext(t.Context(), "update receiver_inbox_version set version = version + 1")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		store.Close()
		if _, err := open(); err == nil || !strings.Contains(err.Error(), "newer release") {
			t.Errorf("open: %v, want that a newer release is needed", err)
		}
	}
}

// Processes that start at once change the tables once, and lose nothing that is there.
func TestTablesOfAnOlderReleaseAreChanged(t *testing.T) {
	t.Parallel()
	for _, open := range oneOfEach(t) {
		store, err := open()
		if err != nil {
			t.Fatal(err)
		}
		fill(t, store, 0, 1)
		item, _, err := store.Begin(t.Context(), receiver.Item{ID: "mark"}, leaseOfTest)
		if err != nil {
			t.Fatal(err)
		}
		older := []string{"alter table receiver_inbox drop column set_at", "update receiver_inbox_version set version = 1"}
		if err := store.EndInTx(t.Context(), receiver.End{Key: item.Key(), Token: item.Token}, func(tx receiver.Tx) error {
			for _, statement := range older {
				if _, err := tx.ExecContext(t.Context(), statement); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		store.Close()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				again, err := open()
				if err != nil {
					t.Errorf("open: %v", err)
					return
				}
				again.Close()
			})
		}
		all.Wait()
		again, err := open()
		if err != nil {
			t.Fatal(err)
		}
		fill(t, again, 1, 2)
		if items, _, err := again.Claim(t.Context(), "", 10, leaseOfTest); err != nil || len(items) != 2 {
			t.Errorf("claimed %d, %v; want the old event and the new one", len(items), err)
		}
		again.Close()
	}
}

// Who runs the receiver need not be who may make tables.
func TestARoleThatMayNotMakeTablesIsEnoughOnceTheyAreThere(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	store, err := sqlstore.OpenPostgres(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
	db := database(t, "pgx", address)
	role := "reader_" + strings.ToLower(filepath.Base(t.TempDir()))
	t.Cleanup(func() {
		_, err := db.ExecContext(context.Background(), "drop owned by "+role+"; drop role "+role)
		if err != nil {
			t.Errorf("drop the role: %v", err)
		}
	})
	for _, statement := range []string{
		"revoke create on schema public from public", "create role " + role,
		"grant select, insert, update, delete on receiver_inbox to " + role, "grant select on receiver_inbox_version to " + role,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	limited, err := sqlstore.OpenPostgres(t.Context(), with(t, address, "role="+role))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer limited.Close()
	if _, err := limited.Put(t.Context(), []receiver.Item{{ID: "e1"}}); err != nil {
		t.Errorf("Put: %v", err)
	}
}

func TestAFileThatIsNoDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	text := filepath.Join(folder, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{text, folder} {
		if _, err := sqlstore.OpenSQLite(t.Context(), path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want an error that names it", path, err)
		}
	}
}

// A file that somebody else writes to for long is an error after the busy timeout, and
// nothing else.
func TestAFileThatIsBusyIsAnError(t *testing.T) {
	t.Parallel()
	address := "file:" + filepath.Join(t.TempDir(), "a.db") + "?_pragma=busy_timeout(20)&_pragma=journal_mode(wal)&_txlock=immediate"
	store, err := sqlstore.New(t.Context(), database(t, "sqlite", address))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Put(t.Context(), []receiver.Item{{ID: "e1"}}); err != nil {
		t.Fatal(err)
	}
	tx, err := database(t, "sqlite", address).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]func() error{
		"Put": func() error { _, err := store.Put(t.Context(), []receiver.Item{{ID: "e2"}}); return err },
		"Begin": func() error {
			_, _, err := store.Begin(t.Context(), receiver.Item{ID: "e2"}, leaseOfTest)
			return err
		},
		"Claim":   func() error { _, _, err := store.Claim(t.Context(), "", 1, leaseOfTest); return err },
		"Record":  func() error { _, err := store.Record(t.Context(), []receiver.End{{To: receiver.Done}}); return err },
		"EndInTx": func() error { return store.EndInTx(t.Context(), receiver.End{To: receiver.Done}, nil) },
		"Rerun":   func() error { _, err := store.Rerun(t.Context(), receiver.Filter{}); return err },
		"Purge":   func() error { _, err := store.Purge(t.Context(), 1, 1, 1); return err },
	}
	for name, call := range calls {
		if err := call(); err == nil || !strings.Contains(err.Error(), "database is locked") {
			t.Errorf("%s beside another's transaction: %v, want that the database is locked", name, err)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for name, call := range calls {
		if err := call(); err != nil && !errors.Is(err, receiver.ErrLeaseLost) {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
}
