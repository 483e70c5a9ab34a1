package sqlstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// opened opens a database and closes it at the end of the test, if it is still open.
func opened(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a test may have closed it
	return s
}

func openedFile(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	return opened(t, Config{Database: path}), path
}

// someEvent is an event that no endpoint wants, with a body of so many bytes.
func someEvent(size int) store.NewEvent {
	id := uuid.NewString()
	body := bytes.Repeat([]byte("x"), size)
	copy(body, id)
	return store.NewEvent{ID: id, Type: "domain.added", CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Body: body, Hash: sha256.Sum256(body)}
}

// accept publishes an event of its own.
func accept(ctx context.Context, s *Store, e store.NewEvent) error {
	_, err := s.Publish(ctx, &store.Batch{AccountID: store.DefaultAccount, Events: []store.NewEvent{e}})
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// addEndpoint adds an enabled endpoint.
func addEndpoint(t *testing.T, s *Store, id string) {
	t.Helper()
	must(t, createEndpoint(t.Context(), s, id))
}

func createEndpoint(ctx context.Context, s *Store, id string) error {
	now := time.Now()
	e := delivery.Endpoint{ID: id, AccountID: store.DefaultAccount, URL: "https://receiver.example/" + id, Events: []string{"*"}, State: delivery.Enabled, CreatedAt: now, UpdatedAt: now}
	return s.CreateEndpoint(ctx, e, store.Secret{ID: "sec_" + id, Role: store.Current, Sealed: []byte("sealed"), CreatedAt: now}, 1000)
}

// kept reads the ids of all events on disk, with their bodies.
func kept(t *testing.T, s *Store) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	page := store.Page{Limit: 1000}
	for {
		events, next, err := s.ListEvents(t.Context(), store.DefaultAccount, store.EventFilter{}, page)
		must(t, err)
		for _, e := range events {
			full, err := s.Event(t.Context(), store.DefaultAccount, e.ID)
			must(t, err)
			all[e.ID] = full.Body
		}
		if page.Cursor = next; next == "" {
			return all
		}
	}
}

// wantIntact opens a file aside from the store and lets SQLite check it.
func wantIntact(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, "ro"))
	must(t, err)
	defer db.Close()
	var verdict string
	must(t, db.QueryRowContext(t.Context(), "pragma integrity_check").Scan(&verdict))
	if verdict != "ok" {
		t.Errorf("integrity_check of %s: %s", path, verdict)
	}
}

func TestASQLiteFileIsServedOnce(t *testing.T) {
	t.Parallel()
	s, path := openedFile(t)
	for range 2 {
		if other, err := Open(t.Context(), Config{Database: path}); !errors.Is(err, store.ErrInUse) {
			t.Fatalf("second open: %v, %v; want ErrInUse", other, err)
		}
	}
	must(t, accept(t.Context(), s, someEvent(100))) // the first is none the worse
	must(t, s.Close())
	again := opened(t, Config{Database: path})
	if n := len(kept(t, again)); n != 1 {
		t.Errorf("%d events after it was closed and opened, want 1", n)
	}
}

func TestAFileOfANewerReleaseIsRefusedAndLeftAsItIs(t *testing.T) {
	t.Parallel()
	s, path := openedFile(t)
	must(t, accept(t.Context(), s, someEvent(100)))
	must(t, s.Close())
	raise(t, "sqlite", dsn(path, "rw"))
	before, err := os.ReadFile(path)
	must(t, err)
	for range 2 { // the second open finds no lock left
		if _, err := Open(t.Context(), Config{Database: path}); !errors.Is(err, store.ErrNewer) {
			t.Fatalf("open: %v, want ErrNewer", err)
		}
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

// raise makes a database look as if a later release had migrated it.
func raise(t *testing.T, driver, name string) {
	t.Helper()
	db, err := sql.Open(driver, name)
	must(t, err)
	_, err = db.ExecContext(t.Context(), "insert into goose_db_version (version_id, is_applied) values (9999, true)")
	must(t, errors.Join(err, db.Close()))
}

func TestAReadOnlyOpenLooksAtAServedFile(t *testing.T) {
	t.Parallel()
	s, path := openedFile(t)
	first := someEvent(100)
	must(t, accept(t.Context(), s, first))
	look := opened(t, Config{Database: path, ReadOnly: true})
	second := someEvent(100)
	must(t, accept(t.Context(), s, second)) // after it was opened
	if diff := cmp.Diff(map[string][]byte{first.ID: first.Body, second.ID: second.Body}, kept(t, look)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if err := createEndpoint(t.Context(), look, "ep_1"); err == nil {
		t.Error("an endpoint was written through it")
	}
	must(t, look.Close())
	must(t, accept(t.Context(), s, someEvent(100)))
	if _, err := Open(t.Context(), Config{Database: path}); !errors.Is(err, store.ErrInUse) {
		t.Errorf("open: %v, want the lock of the first still held", err)
	}
}

func TestAReadOnlyStorePublishesAndRecordsNothing(t *testing.T) {
	t.Parallel()
	_, path := openedFile(t)
	look := opened(t, Config{Database: path, ReadOnly: true})
	wantError := func(what string, call func() error) {
		t.Helper()
		defer func() {
			if r := recover(); r != nil {
				t.Errorf("%s panics: %v", what, r)
			}
		}()
		if err := call(); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	wantError("publish", func() error { return accept(t.Context(), look, someEvent(10)) })
	wantError("record", func() error {
		_, err := look.Record(t.Context(), delivery.DefaultPolicy(), []store.Result{{Lease: delivery.Lease{ID: 1, EndpointID: "ep_1"}}})
		return err
	})
	wantError("delete notice", func() error { return look.DeleteNotice(t.Context(), "x") })
}

func TestAReadOnlyOpenMakesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Open(t.Context(), Config{Database: filepath.Join(dir, "none.db"), ReadOnly: true}); err == nil {
		t.Error("a file that is not there was opened")
	}
	if names := files(t, dir); len(names) != 0 {
		t.Errorf("it left %v", names)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestAPathMayHaveAnyCharacters(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "what?.db", "c#.db", "100%.db", "%20%3F.db", "a&mode=ro.db", "ü+;'\".db", "no extension"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "in "+name)
			path := filepath.Join(dir, name)
			s, err := Open(t.Context(), Config{Database: path})
			must(t, err)
			e := someEvent(100)
			must(t, accept(t.Context(), s, e))
			look := opened(t, Config{Database: path, ReadOnly: true})
			if diff := cmp.Diff(map[string][]byte{e.ID: e.Body}, kept(t, look)); diff != "" {
				t.Errorf("events read through another opening (-want +got):\n%s", diff)
			}
			must(t, look.Close())
			must(t, s.Backup(t.Context(), path+".copy", nil))
			must(t, s.Close())
			aside := func(file string) bool { return file == name+"-wal" || file == name+"-shm" } // SQLite's own
			if diff := cmp.Diff([]string{name, name + ".copy", name + ".lock"}, slices.DeleteFunc(files(t, dir), aside)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestABackupWhileWritingIsConsistent(t *testing.T) {
	t.Parallel()
	s, path := openedFile(t)
	addEndpoint(t, s, "ep_1")
	before := write(t, s, 300)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	written := make(chan bool, 1)
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				if err := accept(t.Context(), s, delivered("ep_1", 2000)); err != nil {
					t.Errorf("publish beside the backup: %v", err)
				}
				select {
				case written <- true:
				default:
				}
			}
		})
	}
	<-written
	dest := filepath.Join(filepath.Dir(path), "copy.db")
	var done, total []int64
	must(t, s.Backup(t.Context(), dest, func(d, n int64) { done, total = append(done, d), append(total, n) }))
	stop()
	writers.Wait()

	wantIntact(t, dest)
	if !slices.IsSorted(done) || len(done) == 0 || done[len(done)-1] != total[len(total)-1] {
		t.Errorf("progress told %v of %v", done, total)
	}
	if info, err := os.Stat(dest); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy is %v, %v; want it readable by its owner alone", info.Mode(), err)
	}
	copied := opened(t, Config{Database: dest})
	events := kept(t, copied)
	for _, id := range before {
		if events[id] == nil {
			t.Errorf("event %s, accepted before the backup began, is not in the copy", id)
		}
	}
	deliveries, err := copied.CountDeliveries(t.Context(), store.DefaultAccount, store.DeliveryFilter{})
	must(t, err)
	if deliveries != len(events) {
		t.Errorf("the copy has %d events and %d deliveries: it is not of one moment", len(events), deliveries)
	}
	must(t, accept(t.Context(), copied, someEvent(100)))
}

// delivered is an event with a delivery that waits.
func delivered(endpoint string, size int) store.NewEvent {
	e := someEvent(size)
	e.Deliveries = []store.NewDelivery{{EndpointID: endpoint, Status: delivery.Pending, Cycle: delivery.Automatic}}
	return e
}

// write accepts n events for ep_1 and gives their ids.
func write(t *testing.T, s *Store, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		e := delivered("ep_1", 2000)
		must(t, accept(t.Context(), s, e))
		ids[i] = e.ID
	}
	return ids
}

func TestABackupOverwritesNothing(t *testing.T) {
	t.Parallel()
	s, path := openedFile(t)
	for _, dest := range []string{path, path + ".lock"} {
		before, err := os.ReadFile(dest)
		must(t, err)
		if err := s.Backup(t.Context(), dest, nil); !errors.Is(err, store.ErrConflict) {
			t.Errorf("backup to %s: %v, want a conflict", filepath.Base(dest), err)
		}
		after, err := os.ReadFile(dest)
		must(t, err)
		if !bytes.Equal(before, after) {
			t.Errorf("%s was changed", filepath.Base(dest))
		}
	}
	dest := filepath.Join(filepath.Dir(path), "copy.db")
	must(t, os.WriteFile(dest+".part", []byte("left by a backup that was cut off"), 0o600))
	must(t, s.Backup(t.Context(), dest, nil))
	wantIntact(t, dest)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Backup(ctx, dest+"2", nil); err == nil {
		t.Error("a backup that was cancelled is answered as done")
	}
	for _, name := range files(t, filepath.Dir(path)) {
		if filepath.Ext(name) == ".part" || name == "copy.db2" {
			t.Errorf("%s is left", name)
		}
	}
}

func TestASQLiteFileIsReadableByItsOwnerAlone(t *testing.T) {
	t.Parallel()
	s, path := openedFile(t)
	must(t, accept(t.Context(), s, someEvent(100)))
	for _, name := range files(t, filepath.Dir(path)) {
		info, err := os.Stat(filepath.Join(filepath.Dir(path), name))
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", name, info.Mode())
		}
	}
}

// A full disk is played by a bound on the pages of the file.
func TestAFullDatabaseAnswersErrFullLosesNothingAndGoesOnWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	s, path := openedFile(t)
	addEndpoint(t, s, "ep_1")
	acknowledged := map[string][]byte{}
	setPages(t, s, 40)
	var err error
	for len(acknowledged) < 10_000 {
		e := delivered("ep_1", 3000)
		if err = accept(t.Context(), s, e); err != nil {
			break
		}
		acknowledged[e.ID] = e.Body
	}
	if !errors.Is(err, store.ErrFull) || len(acknowledged) == 0 {
		t.Fatalf("after %d events: %v, want ErrFull after some", len(acknowledged), err)
	}
	fillTogether(t, s, acknowledged)
	if diff := cmp.Diff(acknowledged, kept(t, s)); diff != "" {
		t.Errorf("events while it is full (-acknowledged +on disk):\n%s", diff)
	}
	setPages(t, s, 100_000)
	for _, e := range []store.NewEvent{delivered("ep_1", 3000), delivered("ep_1", 3000)} {
		must(t, accept(t.Context(), s, e))
		acknowledged[e.ID] = e.Body
	}
	must(t, s.Close())
	wantIntact(t, path)
	again := opened(t, Config{Database: path})
	if diff := cmp.Diff(acknowledged, kept(t, again)); diff != "" {
		t.Errorf("events after it was opened again (-acknowledged +on disk):\n%s", diff)
	}
	if n, err := again.CountDeliveries(t.Context(), store.DefaultAccount, store.DeliveryFilter{}); err != nil || n != len(acknowledged) {
		t.Errorf("%d deliveries, %v; want one an event, %d", n, err, len(acknowledged))
	}
}

// setPages allows the file so many pages beside those it has.
func setPages(t *testing.T, s *Store, more int) {
	t.Helper()
	must(t, s.write(t.Context(), "set pages", func(ctx context.Context, c conn) error {
		var pages int
		if err := c.row(ctx, "pragma page_count").Scan(&pages); err != nil {
			return err
		}
		_, err := c.exec(ctx, fmt.Sprintf("pragma max_page_count = %d", pages+more))
		return err
	}))
}

// fillTogether lets many publish at once into a database that is full: groups
// fail, and small events may still fit.
func fillTogether(t *testing.T, s *Store, acknowledged map[string][]byte) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	refused := 0
	for i := range 32 {
		all.Go(func() {
			e := delivered("ep_1", 40+i*300)
			err := accept(t.Context(), s, e)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				acknowledged[e.ID] = e.Body
			case errors.Is(err, store.ErrFull):
				refused++
			default:
				t.Errorf("publish into a full database: %v, want ErrFull", err)
			}
		})
	}
	all.Wait()
	if refused == 0 {
		t.Error("all were accepted: it was not full")
	}
}

func TestWhateverIsWrittenIntoAFullDatabaseAnswersErrFull(t *testing.T) {
	t.Parallel()
	s, _ := openedFile(t)
	addEndpoint(t, s, "ep_1")
	long := string(bytes.Repeat([]byte("x"), 100_000))
	setPages(t, s, 5)
	tests := []struct {
		name string
		call func() error
	}{
		{"publish", func() error { return accept(t.Context(), s, someEvent(100_000)) }},
		{"publish a batch", func() error {
			_, err := s.Publish(t.Context(), &store.Batch{AccountID: store.DefaultAccount, Events: []store.NewEvent{someEvent(10), someEvent(100_000)}})
			return err
		}},
		{"audit", func() error {
			return s.AddAudit(t.Context(), store.AuditEntry{AccountID: store.DefaultAccount, Detail: long, At: time.Now()})
		}},
		{"create account", func() error {
			return s.CreateAccount(t.Context(), store.Account{ID: "acc_2", Name: long, CreatedAt: time.Now()})
		}},
		{"update endpoint", func() error {
			_, err := s.UpdateEndpoint(t.Context(), store.DefaultAccount, "ep_1", func(e *delivery.Endpoint) error {
				e.Description = long
				return nil
			})
			return err
		}},
		{"create type", func() error {
			return s.CreateType(t.Context(), store.EventType{AccountID: store.DefaultAccount, Name: "a.b", Description: long, CreatedAt: time.Now()}, 10)
		}},
		{"keep a value", func() error { _, err := s.SetValueOnce(t.Context(), "x", []byte(long)); return err }},
	}
	for _, tt := range tests {
		if err := tt.call(); !errors.Is(err, store.ErrFull) {
			t.Errorf("%s: %v, want ErrFull", tt.name, err)
		}
	}
	if n := len(kept(t, s)); n != 0 {
		t.Errorf("%d events on disk of what was refused", n)
	}
	must(t, accept(t.Context(), s, someEvent(10))) // which fits; the failures left no transaction open
}

// A copy that fails half-way is played by a page in the middle that is not one.
func TestABackupThatFailsHalfWayLeavesNothing(t *testing.T) {
	t.Parallel()
	s, path := openedFile(t)
	addEndpoint(t, s, "ep_1")
	write(t, s, 300)
	must(t, s.Close())
	raw, err := os.ReadFile(path)
	must(t, err)
	for i := len(raw) / 2; i < len(raw)/2+8*4096; i++ {
		raw[i] = 0xff
	}
	must(t, os.WriteFile(path, raw, 0o600))
	sick := opened(t, Config{Database: path, ReadOnly: true})
	if err := sick.Backup(t.Context(), filepath.Join(filepath.Dir(path), "copy.db"), nil); err == nil {
		t.Fatal("a damaged database was copied")
	}
	must(t, sick.Close())
	for _, name := range files(t, filepath.Dir(path)) {
		if strings.HasPrefix(name, "copy") { // beside the file itself, a reader makes what SQLite shares with other readers
			t.Errorf("%s is left", name)
		}
	}
}
