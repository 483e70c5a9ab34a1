package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// patience bounds what a test waits for; it is never used up unless it fails.
const patience = time.Minute

// with gives a database URL a parameter of the session.
func with(t *testing.T, address, name, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// statements runs SQL in a session of its own.
func statements(t *testing.T, address string, all ...string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	must(t, err)
	for _, one := range all {
		_, err := c.Exec(t.Context(), one)
		must(t, err)
	}
	must(t, c.Close(t.Context()))
}

// tables counts the tables of a database.
func tables(t *testing.T, address string) (n int) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	must(t, err)
	must(t, c.QueryRow(t.Context(), "select count(*) from pg_tables where schemaname = 'public'").Scan(&n))
	must(t, c.Close(t.Context()))
	return n
}

func TestAServerThatWouldLoseAcceptedEventsIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"fsync", "full_page_writes"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := pgtest.New(t)
			statements(t, cluster.URL("postgres"), "alter system set "+name+" = off")
			must(t, cluster.Down(pgtest.Fast))
			must(t, cluster.Up(t.Context()))
			_, err := Open(t.Context(), Config{Database: cluster.URL("postgres")})
			if err == nil || !strings.Contains(err.Error(), name+" = off") {
				t.Errorf("open: %v, want it refused by name", err)
			}
		})
	}
	address := pgtest.URL(t)
	for value, refused := range map[string]bool{"off": true, "local": false, "on": false} {
		s, err := Open(t.Context(), Config{Database: with(t, address, "synchronous_commit", value)})
		if err == nil {
			must(t, s.Close())
		}
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "synchronous_commit") {
			t.Errorf("synchronous_commit = %s: %v, want it refused by name: %t", value, err, refused)
		}
	}
}

// A server says its version in a setting that nobody can change. A function of
// that name which is found first says another.
func TestAnOldServerIsRefusedBeforeItIsTouched(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	statements(t, address, "create schema old", `create function old.current_setting(name text) returns text language sql as
		$$ select case when name = 'server_version_num' then '130022' else pg_catalog.current_setting(name) end $$`)
	_, err := Open(t.Context(), Config{Database: with(t, address, "search_path", "old,pg_catalog,public")})
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL 13") || !strings.Contains(err.Error(), "14") {
		t.Errorf("open: %v, want it to name the version that is there and the one that is needed", err)
	}
	if n := tables(t, address); n != 0 {
		t.Errorf("%d tables were made", n)
	}
}

func TestADatabaseOfANewerReleaseIsRefusedAndLeftAsItIs(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	s, err := Open(t.Context(), Config{Database: address})
	must(t, err)
	e := someEvent(100)
	must(t, accept(t.Context(), s, e))
	must(t, s.Close())
	statements(t, address, "insert into goose_db_version (version_id, is_applied) values (9999, true)")
	before := tables(t, address)
	for range 2 { // the second open finds no lock left
		if _, err := Open(t.Context(), Config{Database: address}); !errors.Is(err, store.ErrNewer) {
			t.Fatalf("open: %v, want ErrNewer", err)
		}
	}
	statements(t, address, "delete from goose_db_version where version_id = 9999")
	again := opened(t, Config{Database: address})
	if diff := cmp.Diff(map[string][]byte{e.ID: e.Body}, kept(t, again)); diff != "" || tables(t, address) != before {
		t.Errorf("%d tables, had %d; events (-want +got):\n%s", tables(t, address), before, diff)
	}
}

func TestNodesThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(migrations, "migrations/postgres/*.sql")
	must(t, err)
	address := pgtest.URL(t)
	var told atomic.Int64
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			s, err := Open(t.Context(), Config{Database: address, Progress: func(int64, string) { told.Add(1) }})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			t.Cleanup(func() { _ = s.Close() }) // all stay open until then: none keeps the lock
			if err := accept(t.Context(), s, someEvent(100+i)); err != nil {
				t.Errorf("publish: %v", err)
			}
		})
	}
	all.Wait()
	if n := int(told.Load()); n != len(files) {
		t.Errorf("%d migrations were made, want each of the %d once", n, len(files))
	}
	s := opened(t, Config{Database: address, Progress: func(_ int64, name string) { t.Errorf("migrated %s again", name) }})
	if n := len(kept(t, s)); n != 4 {
		t.Errorf("%d events, want one of each node", n)
	}
}

func TestAPasswordIsInNoErrorOfOpening(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"postgres://user:hunter2@127.0.0.1:1/db?sslmode=disable&connect_timeout=5",
		"postgres://user:hunter2@127.0.0.1:port/db",
		"postgres://user:hunter2@[::1/db",
		"postgres://user:hunter2@127.0.0.1/db?sslmode=perhaps",
	} {
		_, err := Open(t.Context(), Config{Database: address})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want an error without the password", address, err)
		}
	}
}

func TestBackupOfPostgresNamesTheWayOut(t *testing.T) {
	t.Parallel()
	s := opened(t, Config{Database: pgtest.URL(t)})
	dest := filepath.Join(t.TempDir(), "copy")
	if err := s.Backup(t.Context(), dest, nil); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("backup: %v, want a conflict that names pg_dump", err)
	}
}

// calls are one of each kind of use: through the writer, in a transaction of its
// own, and reading.
func calls(s *Store) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"publish": func(ctx context.Context) error { return accept(ctx, s, someEvent(100)) },
		"record": func(ctx context.Context) error {
			_, err := s.Record(ctx, delivery.DefaultPolicy(), []store.Result{{Lease: delivery.Lease{ID: 1, EndpointID: "ep_1", Token: 1}, Attempt: delivery.Attempt{DeliveryID: 1, Number: 1}}})
			return err
		},
		"claim": func(ctx context.Context) error {
			_, err := s.Claim(ctx, store.Claim{Node: "node-1", Now: time.Now(), Until: time.Now().Add(time.Minute), Wants: []store.Want{{EndpointID: "ep_1", Max: 1}}})
			return err
		},
		"delete notice": func(ctx context.Context) error { return s.DeleteNotice(ctx, "x") },
		"read": func(ctx context.Context) error {
			_, err := s.Endpoint(ctx, store.DefaultAccount, "ep_1")
			return err
		},
		"list": func(ctx context.Context) error {
			_, _, err := s.ListEvents(ctx, store.DefaultAccount, store.EventFilter{}, store.Page{Limit: 1})
			return err
		},
		"subscriptions": func(ctx context.Context) error { _, err := s.Subscriptions(ctx, store.DefaultAccount); return err },
		"ping":          s.Ping,
	}
}

// sharedCalls need a server, which SQLite has none of.
func sharedCalls(s *Store) map[string]func(ctx context.Context) error {
	all := calls(s)
	all["clock"] = func(ctx context.Context) error { _, err := s.Clock(ctx); return err }
	all["announce"] = func(ctx context.Context) error {
		return s.Announce(ctx, store.Note{Kind: store.KeysChanged, ID: "x"})
	}
	return all
}

func TestAServerThatIsAwayIsUnavailableAndComesBackWithoutARestart(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgtest.Mode{pgtest.Fast, pgtest.Immediate} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			cluster := pgtest.New(t)
			address, err := cluster.CreateDatabase(t.Context())
			must(t, err)
			s := opened(t, Config{Database: address})
			addEndpoint(t, s, "ep_1")
			first := someEvent(100)
			must(t, accept(t.Context(), s, first))
			heard := listening(t, s)
			other := opened(t, Config{Database: address})
			announceUntil(t, other, heard)

			must(t, cluster.Down(mode))
			for range 2 { // connections of the pool that do not know yet, and none
				for name, call := range sharedCalls(s) {
					if err := call(t.Context()); !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("%s while the server is down: %v, want ErrUnavailable", name, err)
					}
				}
			}
			must(t, cluster.Up(t.Context()))
			for name, call := range sharedCalls(s) {
				recovers(t, name, call)
			}
			if body := kept(t, s)[first.ID]; string(body) != string(first.Body) {
				t.Errorf("the event accepted before is %q", body)
			}
			announceUntil(t, other, heard)
		})
	}
}

// recovers calls until there is no error.
func recovers(t *testing.T, name string, call func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := call(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s does not recover: %v", name, err)
		}
	}
}

// listening hears the notes that s is told.
func listening(t *testing.T, s *Store) <-chan store.Note {
	t.Helper()
	heard := make(chan store.Note, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := s.Listen(ctx, func(n store.Note) { heard <- n }); err != nil {
			t.Errorf("listen: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
	return heard
}

// announceUntil tells the others something new until one hears it.
func announceUntil(t *testing.T, s *Store, heard <-chan store.Note) {
	t.Helper()
	id := someEvent(0).ID
	limit := time.NewTimer(patience)
	defer limit.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if err := s.Announce(t.Context(), store.Note{Kind: store.WorkAdded, ID: id}); err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("announce: %v", err)
		}
		for more := true; more; {
			select {
			case n := <-heard:
				if n.ID == id && !n.Own {
					return
				}
			case <-again.C:
				more = false
			case <-limit.C:
				t.Fatal("nobody hears")
			}
		}
	}
}

func TestNothingAcknowledgedIsLostWhenTheServerCrashes(t *testing.T) {
	t.Parallel()
	cluster := pgtest.New(t)
	address, err := cluster.CreateDatabase(t.Context())
	must(t, err)
	s := opened(t, Config{Database: address})
	addEndpoint(t, s, "ep_1")
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	acknowledged := map[string][]byte{}
	var publishers sync.WaitGroup
	progress, up := make(chan bool), make(chan struct{})
	close(up) // until the server goes down
	for range 8 {
		publishers.Go(func() {
			for ctx.Err() == nil {
				e := delivered("ep_1", 500)
				err := accept(t.Context(), s, e)
				if err != nil {
					if !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("publish: %v, want ErrUnavailable", err)
					}
					mu.Lock()
					again := up
					mu.Unlock()
					<-again
					continue
				}
				mu.Lock()
				acknowledged[e.ID] = e.Body
				mu.Unlock()
				select {
				case progress <- true:
				case <-ctx.Done():
				}
			}
		})
	}
	accepts := func(n int) {
		t.Helper()
		limit := time.NewTimer(patience)
		defer limit.Stop()
		for range n {
			select {
			case <-progress:
			case <-limit.C:
				t.Fatal("no event is accepted any more")
			}
		}
	}
	for range 2 {
		accepts(200)
		mu.Lock()
		up = make(chan struct{})
		mu.Unlock()
		crashed := make(chan error, 1)
		go func() { crashed <- cluster.Down(pgtest.Immediate) }()
		for down := false; !down; { // while it goes down
			select {
			case <-progress:
			case err := <-crashed:
				must(t, err)
				down = true
			}
		}
		must(t, cluster.Up(t.Context()))
		close(up)
	}
	accepts(200)
	stop()
	publishers.Wait()
	onDisk := kept(t, s)
	for id, body := range acknowledged {
		if string(onDisk[id]) != string(body) {
			t.Errorf("event %s was acknowledged and is not on disk as it was sent", id)
		}
	}
	n, err := s.CountDeliveries(t.Context(), store.DefaultAccount, store.DeliveryFilter{})
	if err != nil || n != len(onDisk) {
		t.Errorf("%d deliveries of %d events, %v; want one each: an event is on disk whole or not at all", n, len(onDisk), err)
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	t.Parallel()
	databases := databases
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := opened(t, Config{Database: database(t)})
			addEndpoint(t, s, "ep_1")
			uses := calls(s)
			if name == "PostgreSQL" {
				uses = sharedCalls(s)
			}
			for what, call := range uses {
				if err := call(t.Context()); err != nil {
					t.Errorf("%s before the end: %v", what, err)
				}
			}
			must(t, s.Close())
			for what, call := range uses {
				if err := call(t.Context()); !errors.Is(err, store.ErrClosed) {
					t.Errorf("%s after the end: %v, want ErrClosed", what, err)
				}
			}
		})
	}
}

// The pool may be as small as a hosted database makes it.
func TestASmallPoolIsEnough(t *testing.T) {
	t.Parallel()
	for _, connections := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d connections", connections), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience/3)
			defer cancel()
			s, err := Open(ctx, Config{Database: with(t, pgtest.URL(t), "pool_max_conns", fmt.Sprint(connections))})
			must(t, err)
			must(t, accept(t.Context(), s, someEvent(100)))
			must(t, s.Close())
		})
	}
}
