package redisstore_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/compliancelayer/compliancelayer/internal/redistest"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/redisstore"
)

// line stands between a client and a server. It loses an answer when it is told to.
type line struct {
	listener net.Listener
	server   string
	lose     atomic.Bool // the next answer; then the connection breaks
	lost     atomic.Int32
	all      sync.WaitGroup
}

func newLine(t *testing.T, server *redistest.Server) *line {
	t.Helper()
	dir, err := os.MkdirTemp("", "line-") // short, as the path of a socket must be
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, server: strings.TrimPrefix(server.URL(), "unix://")}
	l.all.Go(l.accept)
	t.Cleanup(func() {
		listener.Close()
		l.all.Wait()
		os.RemoveAll(dir)
	})
	return l
}

func (l *line) url() string { return "unix://" + l.listener.Addr().String() }

func (l *line) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("unix", l.server)
		if err != nil {
			near.Close()
			continue
		}
		l.all.Go(func() { // what is asked
			io.Copy(far, near)
			far.Close()
		})
		l.all.Go(func() { // what is answered
			defer near.Close()
			defer far.Close()
			buffer := make([]byte, 64<<10)
			for {
				n, err := far.Read(buffer)
				if err != nil {
					return
				}
				if l.lose.CompareAndSwap(true, false) {
					l.lost.Add(1)
					return
				}
				near.Write(buffer[:n])
			}
		})
	}
}

func TestALostAnswerIsAnErrorAndNothingIsDoneTwice(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	l := newLine(t, server)
	far, near := open(t, l.url()), open(t, server.URL())
	admin := connect(t, server.URL())
	items := []receiver.Item{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}}

	// losing runs fn while its answer is lost, over a connection that is there.
	losing := func(what string, fn func() error) {
		t.Helper()
		if _, err := far.Depths(t.Context()); err != nil {
			t.Fatalf("before %s: %v", what, err)
		}
		before := l.lost.Load()
		l.lose.Store(true)
		if err := fn(); err == nil || l.lost.Load() != before+1 {
			t.Errorf("%s whose answer is lost: error %v, want one after one answer lost", what, err)
		}
	}
	// Each kind of step must be known to the server, or NOSCRIPT is what is lost.
	if _, err := near.Put(t.Context(), items[:0:0]); err != nil {
		t.Fatal(err)
	}
	warm(t, near)

	losing("Put", func() error { _, err := far.Put(t.Context(), items); return err })
	fresh, err := far.Put(t.Context(), items)
	if err != nil || fresh[0] || fresh[3] {
		t.Errorf("Put again: new %v, error %v; want none, because the first was kept", fresh, err)
	}

	losing("Claim", func() error { _, _, err := far.Claim(t.Context(), "", 2, time.Hour); return err })
	rest, _, err := near.Claim(t.Context(), "", 10, time.Hour)
	if err != nil || len(rest) != 2 || rest[0].ID != "c" || rest[1].ID != "d" {
		t.Fatalf("Claim of the rest: %+v, error %v; want c and d", rest, err)
	}
	losing("Record", func() error {
		_, err := far.Record(t.Context(), []receiver.End{{Key: rest[0].Key(), Token: rest[0].Token, To: receiver.Done}})
		return err
	})
	if got, standing, err := near.Begin(t.Context(), items[2], time.Hour); standing != receiver.Ended || got.Tries != 1 {
		t.Errorf("Begin of what was ended: %q, %+v, %v", standing, got, err)
	}
	losing("Begin", func() error { _, _, err := far.Begin(t.Context(), receiver.Item{ID: "e"}, time.Hour); return err })
	if _, standing, err := near.Begin(t.Context(), receiver.Item{ID: "e"}, time.Hour); standing != receiver.Busy {
		t.Errorf("Begin of what was begun: %q, %v; want busy until the lease ends", standing, err)
	}

	makeOlder(t, admin, redisstore.DefaultPrefix, 2*time.Hour)
	again, _, err := near.Claim(t.Context(), "", 10, time.Hour)
	if err != nil || len(again) != 4 {
		t.Fatalf("Claim after the leases: %+v, error %v; want a, b, d, e", again, err)
	}
	for _, item := range again {
		if item.Tries != 2 || item.Lost != 1 || !item.Unsure {
			t.Errorf("%s has %d tries, %d lost, unsure %t; want 2, 1 and true", item.ID, item.Tries, item.Lost, item.Unsure)
		}
	}
}

// warm runs each step that changes something once, on nothing that stays.
func warm(t *testing.T, s *redisstore.Store) {
	t.Helper()
	item, standing, err := s.Begin(t.Context(), receiver.Item{ID: "warm"}, time.Hour)
	if err != nil || standing != receiver.Begun {
		t.Fatalf("Begin: %q, %v", standing, err)
	}
	if _, err := s.Put(t.Context(), []receiver.Item{item}); err != nil {
		t.Fatalf("Put: %v", err)
	}
	if _, _, err := s.Claim(t.Context(), "", 1, time.Hour); err != nil {
		t.Fatalf("Claim: %v", err)
	}
	if _, err := s.Record(t.Context(), []receiver.End{{Key: item.Key(), Token: item.Token}}); err != nil {
		t.Fatalf("Record: %v", err)
	}
}

func TestStepsThatTheServerHasForgottenAreSentAgain(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	admin, s := connect(t, server.URL()), open(t, server.URL())
	for range 2 {
		warm(t, s)
		if err := admin.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatalf("forget the scripts: %v", err)
		}
	}
	if n := admin.DBSize(t.Context()).Val(); n != 2 { // the number and the names of lanes
		t.Errorf("%d keys are left of what was forgotten, want 2: %q", n, keysLike(t, admin, ""))
	}
}

// A program may bring a client of its own, whatever its settings are.
func TestAClientOfTheProgramIsUsedAndLeftOpen(t *testing.T) {
	t.Parallel()
	client := connect(t, redistest.New(t).URL())
	s, err := redisstore.New(t.Context(), redis.UniversalClient(client), redisstore.Config{})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	warm(t, s)
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the program's client after Close: %v", err)
	}
}

// evicting gives a store that bears a server that throws away what it was given.
func evicting(t *testing.T) (*redistest.Server, *redisstore.Store) {
	t.Helper()
	server := redistest.New(t)
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{AcceptLoss: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return server, s
}

// A server that evicts is one that [redisstore.Config.AcceptLoss] takes. What it threw away is
// lost; what lies beside that is not.
func TestAnEvictedEventStopsNothingElse(t *testing.T) {
	t.Parallel()
	server, s := evicting(t)
	put(t, s, "a")
	put(t, s, "b")
	evicted := "{" + redisstore.DefaultPrefix + "}:item:0000000000000001"
	if n, err := connect(t, server.URL()).Del(t.Context(), evicted).Result(); err != nil || n != 1 {
		t.Fatalf("evict: %d, %v", n, err)
	}
	wantClaimed(t, s, "b")
	if depths, err := s.Depths(t.Context()); err != nil || len(depths) != 1 || depths[0].Count != 1 {
		t.Errorf("Depths = %+v, %v; want the one", depths, err)
	}
	if fresh := put(t, s, "a"); !fresh {
		t.Error("what was thrown away is taken for known when it comes again")
	}
	wantClaimed(t, s, "a")
}

// The names of all events are one key. Without it, only copies are not known any more.
func TestEvictedNamesStopNoEvent(t *testing.T) {
	t.Parallel()
	server, s := evicting(t)
	for _, id := range []string{"a", "b", "c"} {
		put(t, s, id)
	}
	evicted := "{" + redisstore.DefaultPrefix + "}:names"
	if n, err := connect(t, server.URL()).Del(t.Context(), evicted).Result(); err != nil || n != 1 {
		t.Fatalf("evict: %d, %v", n, err)
	}
	if fresh := put(t, s, "b"); !fresh {
		t.Error("b is known, without a name")
	}
	wantClaimed(t, s, "a", "c", "b") // b is the one that came again
	if fresh := put(t, s, "a"); fresh {
		t.Error("a is not known again after it was seen")
	}
}

// Items of releases that did not write when they became due go on.
func TestAnItemWithoutTheTimeOfItsLeaseIsPurgedAround(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	s := open(t, server.URL())
	put(t, s, "a")
	wantClaimed(t, s, "a")
	older := "{" + redisstore.DefaultPrefix + "}:item:0000000000000001"
	if n, err := connect(t, server.URL()).HDel(t.Context(), older, "set").Result(); err != nil || n != 1 {
		t.Fatalf("make it older: %d, %v", n, err)
	}
	if _, err := s.Purge(t.Context(), time.Hour, time.Hour, 100); err != nil {
		t.Error(err)
	}
}

// Scripts have no way back: one that breaks off, as while a slot of a cluster moves, must not
// leave a name behind by which the next copy is taken for known.
func TestAStepThatBreaksOffLeavesNothingThatIsTakenForKept(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	beside := connect(t, server.URL())
	for n, key := range []string{":lanes", ":waiting:", ":due:", ":names"} {
		key = "{" + redisstore.DefaultPrefix + "}" + key
		there, err := beside.Exists(t.Context(), key).Result()
		if err == nil && there == 1 {
			err = beside.Rename(t.Context(), key, "aside").Err()
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := beside.Set(t.Context(), key, "no list of anything", 0).Err(); err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint(n)
		if _, err := s.Put(t.Context(), []receiver.Item{{ID: id, Type: "t", Body: []byte("{}")}}); err == nil {
			t.Errorf("with %s broken an event is kept", key)
		}
		if err = beside.Del(t.Context(), key).Err(); err == nil && there == 1 {
			err = beside.Rename(t.Context(), "aside", key).Err()
		}
		if err != nil {
			t.Fatal(err)
		}
		if fresh := put(t, s, id); !fresh {
			t.Errorf("with %s whole again the event is taken for known", key)
		}
		wantClaimed(t, s, id)
	}
}

// put keeps an event, and tells whether it is new.
func put(t *testing.T, s *redisstore.Store, id string) bool {
	t.Helper()
	fresh, err := s.Put(t.Context(), []receiver.Item{{ID: id, Type: "t", Body: []byte("{}")}})
	if err != nil {
		t.Fatal(err)
	}
	return fresh[0]
}

// wantClaimed claims all, which must be these.
func wantClaimed(t *testing.T, s *redisstore.Store, want ...string) {
	t.Helper()
	items, _, err := s.Claim(t.Context(), "", 100, time.Minute)
	var got []string
	for _, item := range items {
		got = append(got, item.ID)
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("claimed %q, %v; want %q", got, err, want)
	}
}
