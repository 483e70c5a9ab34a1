package sqlstore

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// silencer stands between a store and its server. What it has connected when it is
// silenced stays open and hears nothing any more, as behind a firewall that forgot it;
// what is connected later works.
type silencer struct {
	net.Listener
	mu    sync.Mutex
	quiet chan struct{} // closed for the connections that were silenced
	ends  []net.Conn
}

// silenced gives the address of a database through a silencer.
func silenced(t *testing.T, address string) (*silencer, string) {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	server := u.Host
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	s := &silencer{Listener: l, quiet: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() { s.accept(&running, server) })
	t.Cleanup(func() { _ = l.Close(); s.cut(); running.Wait() })
	u.Host = l.Addr().String()
	return s, u.String()
}

func (s *silencer) accept(running *sync.WaitGroup, server string) {
	for {
		near, err := s.Accept()
		if err != nil {
			return
		}
		far, err := new(net.Dialer).DialContext(context.Background(), "tcp", server)
		if err != nil {
			_ = near.Close()
			continue
		}
		s.mu.Lock()
		quiet := s.quiet
		s.ends = append(s.ends, near, far)
		s.mu.Unlock()
		running.Go(func() { pass(far, near, quiet) })
		running.Go(func() { pass(near, far, quiet) })
	}
}

// pass copies until it is silenced, and swallows from then on.
func pass(to, from net.Conn, quiet <-chan struct{}) {
	defer to.Close()
	_, _ = io.Copy(writerFunc(func(p []byte) (int, error) {
		select {
		case <-quiet:
			return len(p), nil
		default:
			return to.Write(p)
		}
	}), from)
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func (s *silencer) silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.quiet)
	s.quiet = make(chan struct{})
}

// cut ends what was connected.
func (s *silencer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.ends {
		_ = c.Close()
	}
}

func TestConnectionsThatFellSilentHoldNobodyForEver(t *testing.T) {
	t.Parallel()
	server := pgtest.URL(t)
	addEndpoint(t, opened(t, Config{Database: server}), "ep_1")
	proxy, address := silenced(t, server)
	const soon = 300 * time.Millisecond
	s := opened(t, Config{Database: address, limits: limits{quick: soon, slow: soon, write: soon}})
	uses := sharedCalls(s)
	uses["due"] = func(ctx context.Context) error { _, err := s.Due(ctx, "", 10); return err }
	uses["lane"] = func(ctx context.Context) error { _, err := s.Lane(ctx, "ep_1", time.Now()); return err }
	uses["beat"] = func(ctx context.Context) error { _, err := s.Beat(ctx, "node-1", time.Now()); return err }
	delete(uses, "ping") // whoever asks for readiness has a limit of their own
	for name, call := range uses {
		t.Run(name, func(t *testing.T) {
			recovers(t, name, call) // from the one before
			proxy.silence()
			if err := call(t.Context()); err != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("a silent connection is %v, want ErrUnavailable", err)
			}
			recovers(t, name, call)
			proxy.cut() // the driver listens for last words on connections it has given up
		})
	}
	must(t, s.Close())
}

// occupy keeps all connections for what people ask for busy until the test ends.
func occupy(t *testing.T, s *Store) {
	t.Helper()
	connections := 0
	switch e := s.engine.(type) {
	case *pgEngine:
		connections = int(e.reading.Config().MaxConns)
	case *sqliteEngine:
		connections = e.readDB.Stats().MaxOpenConnections
	}
	for range connections {
		rs, err := s.reads.query(t.Context(), "select id from accounts")
		must(t, err)
		if !rs.Next() {
			t.Fatal("no account")
		}
		t.Cleanup(rs.Close)
	}
}

func TestSlowReadsLeaveDeliveryAndPublishingTheirConnections(t *testing.T) {
	t.Parallel()
	for name, s := range both(t, limits{}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addEndpoint(t, s, "ep_1")
			uses := calls(s)
			if name == "PostgreSQL" {
				uses = sharedCalls(s)
			}
			delete(uses, "read")
			delete(uses, "list")
			delete(uses, "ping")
			uses["due"] = func(ctx context.Context) error { _, err := s.Due(ctx, "", 10); return err }
			uses["lane"] = func(ctx context.Context) error { _, err := s.Lane(ctx, "ep_1", time.Now()); return err }
			uses["key"] = func(ctx context.Context) error {
				if _, err := s.KeyByHash(ctx, [32]byte{}); !errors.Is(err, store.ErrNotFound) {
					return err
				}
				return nil
			}
			occupy(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for what, call := range uses {
				if err := call(ctx); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func TestAReadThatLooksThroughTooMuchEndsAndSaysSo(t *testing.T) {
	t.Parallel()
	for name, s := range both(t, limits{slow: 50 * time.Millisecond}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endless := `with recursive n(x) as (select 1 union all select 1 from n) select count(*) from n`
			var n int
			if err := s.reads.row(t.Context(), endless).Scan(&n); !errors.Is(reading("count", err), store.ErrSlow) {
				t.Errorf("an endless count: %v, want ErrSlow", err)
			}
			rs, err := s.reads.query(t.Context(), `with recursive n(x) as (select 1 union all select 1 from n) select x from n`)
			if _, err := collect(rs, err, func(r scanner) (n int, err error) { return n, r.Scan(&n) }); !errors.Is(reading("list", err), store.ErrSlow) {
				t.Errorf("an endless list: %v, want ErrSlow", err)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.reads.row(ended, endless).Scan(&n); errors.Is(reading("count", err), store.ErrSlow) {
				t.Errorf("a caller who left: %v, which was not slow", err)
			}
			recovers(t, "the next read", func(ctx context.Context) error { _, err := s.Account(ctx, store.DefaultAccount); return err })
		})
	}
}

// both opens a store of each engine.
func both(t *testing.T, l limits) map[string]*Store {
	t.Helper()
	return map[string]*Store{
		"SQLite":     opened(t, Config{Database: filepath.Join(t.TempDir(), "test.db"), limits: l}),
		"PostgreSQL": opened(t, Config{Database: pgtest.URL(t), limits: l}),
	}
}
