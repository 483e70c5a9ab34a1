package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// EnvURL names an environment variable: the URL of an existing server that
// tests may create and drop databases on, instead of a private one. [New] and
// [Start] do not look at it: they are for those who stop and restart a server.
const EnvURL = "COMPLIANCELAYER_TEST_POSTGRES"

// cleanupLimit bounds the removal of one database after its test.
const cleanupLimit = 30 * time.Second

// shared is the one cluster that the tests of this binary share. It is a
// variable of the package because "one per process" is just what it means.
var shared sharedCluster

// sharedCluster is a cluster that starts when it is first asked for.
type sharedCluster struct {
	mu      sync.Mutex
	asked   bool
	cluster *Cluster
	err     error
}

// get starts the cluster at the first call and remembers how that went.
func (s *sharedCluster) get() (*Cluster, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked {
		s.asked = true
		s.cluster, s.err = Start(context.Background(), Config{Dir: Memory()})
	}
	return s.cluster, s.err
}

// stop ends the cluster if it was ever started.
func (s *sharedCluster) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster == nil {
		return nil
	}
	return s.cluster.Stop()
}

// Run runs the tests of m and then stops the shared server. Call it from
// TestMain as os.Exit(pgtest.Run(m)). Without it the server is stopped all the
// same, a moment after the tests have ended instead of before.
func Run(m *testing.M) int {
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintf(os.Stderr, "stop the shared PostgreSQL: %v\n", err)
		return max(code, 1)
	}
	return code
}

// URL returns the address of a new, empty database on the server that the tests
// of this binary share. The database is removed at the end of the test. The
// test fails, with advice, when there is no PostgreSQL.
func URL(t testing.TB) string {
	t.Helper()
	admin, err := sharedURL()
	if err != nil {
		t.Fatalf("this test needs PostgreSQL: %v", err)
	}
	address, err := createDatabase(t.Context(), admin)
	if err != nil {
		t.Fatalf("make a database for this test: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupLimit)
		defer cancel()
		if err := dropDatabase(ctx, admin, address); err != nil {
			t.Errorf("remove the database of this test: %v", err)
		}
	})
	return address
}

// sharedURL returns the address of a database from which others are created.
func sharedURL() (string, error) {
	if external := os.Getenv(EnvURL); external != "" {
		return external, nil
	}
	cluster, err := shared.get()
	if err != nil {
		return "", err
	}
	return cluster.URL("postgres"), nil
}

// New starts a cluster that belongs to this test alone, on disk, which may stop and
// restart it, and stops it at the end of the test. It takes about a second; a
// test that only needs a database uses [URL].
func New(t testing.TB) *Cluster {
	t.Helper()
	cluster, err := Start(t.Context(), Config{})
	if err != nil {
		t.Fatalf("this test needs its own PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Errorf("stop the PostgreSQL of this test: %v", err)
		}
	})
	return cluster
}

// createDatabase makes an empty database with a name of its own on the server
// of admin and returns its URL.
func createDatabase(ctx context.Context, admin string) (string, error) {
	address, err := url.Parse(admin)
	if err != nil {
		// The parser's error repeats the URL, password included.
		return "", errors.New("the PostgreSQL address is not a URL: want postgres://user:password@host:port/database")
	}
	name := "test_" + strings.ToLower(rand.Text())
	// template0, because PostgreSQL refuses to copy template1 while anybody has
	// a session there; it also allows the encoding to be set.
	statement := "create database " + name + " template template0 encoding 'UTF8'"
	if err := execute(ctx, admin, statement); err != nil {
		return "", fmt.Errorf("create database: %w", err)
	}
	address.Path = "/" + name
	return address.String(), nil
}

// dropDatabase removes the database that address names, and throws out the
// sessions that a test left open in it.
func dropDatabase(ctx context.Context, admin, address string) error {
	parsed, err := url.Parse(address)
	if err != nil {
		return errors.New("drop database: its address is not a URL")
	}
	name := strings.TrimPrefix(parsed.Path, "/")
	if err := execute(ctx, admin, "drop database "+name+" with (force)"); err != nil {
		return fmt.Errorf("drop database: %w", err)
	}
	return nil
}

// execute runs one statement in a session of its own.
func execute(ctx context.Context, address, statement string) (err error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
