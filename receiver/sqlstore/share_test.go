package sqlstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

// sharedFile makes this test binary a process that works a SQLite file off.
const sharedFile = "SQLSTORE_TEST_WORK_OFF"

func TestMain(m *testing.M) {
	if path := os.Getenv(sharedFile); path != "" {
		if err := workFileOff(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if place := os.Getenv(envVictim); place != "" {
		fmt.Fprintln(os.Stderr, beVictim(place))
		os.Exit(1)
	}
	os.Exit(pgtest.Run(m))
}

// workFileOff opens a file, waits for a line on standard input and prints the id of each
// event that it was given.
func workFileOff(path string) error {
	store, err := sqlstore.OpenSQLite(context.Background(), path)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	err = workOff(context.Background(), store, func(id string) { fmt.Println(id) })
	return errors.Join(err, store.Close())
}

// workOff claims and ends until there is nothing more.
func workOff(ctx context.Context, store *sqlstore.Store, took func(id string)) error {
	for {
		items, next, err := store.Claim(ctx, "", 7, time.Hour)
		if err != nil {
			return err
		}
		var ends []receiver.End
		for _, item := range items {
			took(item.ID)
			ends = append(ends, receiver.End{Key: item.Key(), Token: item.Token, To: receiver.Done})
		}
		lost, err := store.Record(ctx, ends)
		if err != nil {
			return err
		}
		for i := range lost {
			if lost[i] {
				return fmt.Errorf("the lease of %s was lost", items[i].ID)
			}
		}
		if len(items) == 0 && next != 0 {
			return nil
		}
	}
}

// tally counts who was given what.
type tally struct {
	mu    sync.Mutex
	times map[string]int
}

func (c *tally) add(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times[id]++
}

// wantOnce checks that each of the events was given to one, once.
func (c *tally) wantOnce(t *testing.T, events int) {
	t.Helper()
	if len(c.times) != events {
		t.Errorf("%d events were given out, want %d", len(c.times), events)
	}
	for id, times := range c.times {
		if times != 1 {
			t.Errorf("%s was given out %d times", id, times)
		}
	}
}

// fill puts events in, in batches.
func fill(t *testing.T, store *sqlstore.Store, from, to int) {
	t.Helper()
	var items []receiver.Item
	for i := from; i < to; i++ {
		items = append(items, receiver.Item{ID: fmt.Sprintf("e%d", i), Type: "scan.completed", Body: []byte("{}")})
	}
	if _, err := store.Put(t.Context(), items); err != nil {
		t.Errorf("Put: %v", err)
	}
}

func TestManyWorkOffDisjointEvents(t *testing.T) {
	t.Parallel()
	const workers, events = 32, 2000
	for name, open := range map[string]func(t *testing.T) (first, second *sqlstore.Store){"SQLite": twoOnSQLite, "PostgreSQL": twoOnPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := open(t)
			fill(t, first, 0, events)
			given := tally{times: map[string]int{}}
			var all sync.WaitGroup
			for i := range workers {
				store := first
				if i%2 == 1 {
					store = second
				}
				all.Go(func() {
					if err := workOff(t.Context(), store, given.add); err != nil {
						t.Errorf("worker %d: %v", i, err)
					}
				})
			}
			all.Wait()
			given.wantOnce(t, events)
		})
	}
}

func twoOnSQLite(t *testing.T) (first, second *sqlstore.Store) {
	path := filepath.Join(t.TempDir(), "a.db")
	open := func() (*sqlstore.Store, error) { return sqlstore.OpenSQLite(t.Context(), path) }
	return opened(t, open), opened(t, open)
}

func twoOnPostgres(t *testing.T) (first, second *sqlstore.Store) {
	address := pgtest.URL(t)
	open := func() (*sqlstore.Store, error) { return sqlstore.OpenPostgres(t.Context(), address) }
	return opened(t, open), opened(t, open)
}

func opened(t *testing.T, open func() (*sqlstore.Store, error)) *sqlstore.Store {
	t.Helper()
	store, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return store
}

func TestTwoHandlesOnOneFileKeepEachEventOnce(t *testing.T) {
	t.Parallel()
	const events, batch = 600, 20
	first, second := twoOnSQLite(t)
	fresh := make([]int, 2)
	var all sync.WaitGroup
	for who, store := range []*sqlstore.Store{first, second} {
		all.Go(func() {
			for from := 0; from < events; from += batch {
				var items []receiver.Item
				for i := range batch {
					items = append(items, receiver.Item{ID: fmt.Sprintf("e%d", from+i), Type: "scan.completed"})
				}
				news, err := store.Put(t.Context(), items)
				if err != nil {
					t.Errorf("handle %d: %v", who, err)
					return
				}
				for _, is := range news {
					if is {
						fresh[who]++
					}
				}
			}
		})
	}
	all.Wait()
	if fresh[0]+fresh[1] != events {
		t.Errorf("%d and %d of %d events were new", fresh[0], fresh[1], events)
	}
}

// A command line beside the receiver, or two receivers by mistake.
func TestTwoProcessesWorkOneFileOff(t *testing.T) {
	t.Parallel()
	const events = 1000
	path := filepath.Join(t.TempDir(), "a.db")
	store := opened(t, func() (*sqlstore.Store, error) { return sqlstore.OpenSQLite(t.Context(), path) })
	fill(t, store, 0, events)

	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), sharedFile+"="+path)
	var problems strings.Builder
	other.Stderr = &problems
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	given := tally{times: map[string]int{}}
	lines := bufio.NewScanner(out)
	lines.Scan() // ready
	if _, err := in.Write([]byte("go\n")); err != nil {
		t.Fatalf("%v\n%s", err, &problems)
	}
	var here sync.WaitGroup
	here.Go(func() {
		if err := workOff(t.Context(), store, given.add); err != nil {
			t.Errorf("here: %v", err)
		}
	})
	there := 0
	for lines.Scan() {
		given.add(lines.Text())
		there++
	}
	here.Wait()
	if err := other.Wait(); err != nil {
		t.Errorf("there: %v\n%s", err, &problems)
	}
	given.wantOnce(t, events)
	if there == 0 || there == events {
		t.Logf("only one of them worked: %d there", there)
	}
}
