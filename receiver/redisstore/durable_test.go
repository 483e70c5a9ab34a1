package redisstore_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/redistest"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/redisstore"
)

func open(t *testing.T, address string) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), address, redisstore.Config{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// answered is what a server has answered, by item.
type answered struct {
	mu     sync.Mutex
	count  int
	status map[string]receiver.Status // "" for an item that was forgotten
	leased map[string]receiver.Item
	asked  map[string]bool // an end was asked for, and not answered yet
	enough chan struct{}   // is closed when count has come to zero
}

// note runs fn, and counts one answer.
func (a *answered) note(fn func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fn()
	if a.count--; a.count == 0 {
		close(a.enough)
	}
}

// work puts, claims and ends items until the server is away.
func (a *answered) work(t *testing.T, s *redisstore.Store, name string) {
	ctx := t.Context()
	for n := 0; ; n++ {
		items := []receiver.Item{{ID: fmt.Sprintf("%s-%d-a", name, n), Body: []byte("a")}, {ID: fmt.Sprintf("%s-%d-b", name, n), Body: []byte("b")}}
		if _, err := s.Put(ctx, items); err != nil {
			return
		}
		a.note(func() { a.status[items[0].ID], a.status[items[1].ID] = receiver.Waiting, receiver.Waiting })
		claimed, _, err := s.Claim(ctx, "", 2, time.Hour)
		if err != nil {
			return
		}
		a.note(func() {
			for _, item := range claimed {
				a.status[item.ID], a.leased[item.ID] = receiver.Working, item
			}
		})
		for _, item := range claimed {
			to := []receiver.Status{receiver.Done, receiver.Failed, "", receiver.Working}[rand.IntN(4)]
			if to == receiver.Working {
				continue // it stays leased
			}
			a.mu.Lock()
			a.asked[item.ID] = true
			a.mu.Unlock()
			lost, err := s.Record(ctx, []receiver.End{{Key: item.Key(), Token: item.Token, To: to}})
			if err != nil {
				return
			}
			if lost[0] {
				t.Errorf("the lease of %s is lost", item.ID)
			}
			a.note(func() {
				a.status[item.ID] = to
				delete(a.leased, item.ID)
				delete(a.asked, item.ID)
			})
		}
	}
}

// judge holds what the server knows after a crash against what it had answered. What
// it was asked and did not answer may have happened: a claim of what was waiting, or an
// end.
func (a *answered) judge(t *testing.T, s *redisstore.Store) {
	t.Helper()
	for id, want := range a.status {
		items, _, err := s.List(t.Context(), receiver.Filter{IDs: []string{id}}, receiver.Page{})
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		var got receiver.Status
		if len(items) > 0 {
			got = items[0].Status
		}
		if got != want && !a.asked[id] && (want != receiver.Waiting || got != receiver.Working) {
			t.Errorf("%s is %q after the crash, and %q was answered", id, got, want)
		}
	}
	for id, item := range a.leased {
		if a.asked[id] {
			continue
		}
		lost, err := s.Record(t.Context(), []receiver.End{{Key: item.Key(), Token: item.Token, To: receiver.Done}})
		if err != nil || lost[0] {
			t.Errorf("the lease of %s did not outlive the crash: lost %v, error %v", id, lost, err)
		}
	}
}

func TestNothingThatWasAnsweredIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	s := open(t, server.URL())
	for round := range 6 {
		a := &answered{
			count: 100 + rand.IntN(400), status: map[string]receiver.Status{}, leased: map[string]receiver.Item{},
			asked: map[string]bool{}, enough: make(chan struct{}),
		}
		var workers sync.WaitGroup
		for worker := range 6 {
			workers.Go(func() { a.work(t, s, fmt.Sprintf("%d-%d", round, worker)) })
		}
		<-a.enough
		server.Kill()
		workers.Wait()
		if err := server.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A connection of its own: for a moment the other goes on saying what it found.
		s = open(t, server.URL())
		a.judge(t, s)
		// What is left over would be claimed by the workers of the next round.
		for items := []receiver.Item{{}}; len(items) > 0; {
			var err error
			if items, _, err = s.Claim(t.Context(), "", 500, time.Hour); err != nil {
				t.Fatalf("Claim: %v", err)
			}
		}
	}
}

func TestAServerThatCouldLoseEventsIsRefused(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	admin := connect(t, server.URL())
	tests := []struct{ setting, value, good string }{
		{"appendonly", "no", "yes"},
		{"appendfsync", "everysec", "always"},
		{"appendfsync", "no", "always"},
		{"no-appendfsync-on-rewrite", "yes", "no"},
		{"maxmemory-policy", "allkeys-lru", "noeviction"},
		{"maxmemory-policy", "volatile-ttl", "noeviction"},
	}
	for _, tt := range tests {
		if err := admin.ConfigSet(t.Context(), tt.setting, tt.value).Err(); err != nil {
			t.Fatalf("set %s: %v", tt.setting, err)
		}
		_, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{})
		if want := tt.setting + " is " + tt.value + " and should be " + tt.good; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open: error %v, want one with %q", err, want)
		}
		s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{AcceptLoss: true})
		if err != nil {
			t.Errorf("Open with %s %s, which is accepted: %v", tt.setting, tt.value, err)
		} else if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := admin.ConfigSet(t.Context(), tt.setting, tt.good).Err(); err != nil {
			t.Fatalf("set %s: %v", tt.setting, err)
		}
	}
	open(t, server.URL()) // all is as it should be again
}

func TestAServerThatDoesNotTellItsSettingsIsRefused(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	admin := connect(t, server.URL())
	if err := admin.Do(t.Context(), "acl", "setuser", "small", "on", ">s3cret", "~*", "&*", "+@all", "-config").Err(); err != nil {
		t.Fatalf("make a user: %v", err)
	}
	address, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword("small", "s3cret")
	_, err = redisstore.Open(t.Context(), address.String(), redisstore.Config{})
	if err == nil || !strings.Contains(err.Error(), "CONFIG GET is refused") || !strings.Contains(err.Error(), "AcceptLoss") {
		t.Errorf("Open: error %v, want one that says what to do", err)
	}
	s, err := redisstore.Open(t.Context(), address.String(), redisstore.Config{AcceptLoss: true})
	if err != nil {
		t.Fatalf("Open, when that is accepted: %v", err)
	}
	defer s.Close()
	if _, err := s.Put(t.Context(), []receiver.Item{{ID: "a"}}); err != nil {
		t.Errorf("Put: %v", err)
	}
}

func TestAReplicaIsRefused(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	if err := connect(t, server.URL()).Do(t.Context(), "replicaof", "127.0.0.1", "1").Err(); err != nil {
		t.Fatalf("make it a replica: %v", err)
	}
	if _, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{}); err == nil || !strings.Contains(err.Error(), "replica") {
		t.Errorf("Open: error %v, want one that says it is a replica", err)
	}
}

func TestOpenDoesNotRepeatThePassword(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"redis://user:s3cret@host with spaces", "http://user:s3cret@host", "redis://user:s3cret@127.0.0.1:1/0"} {
		_, err := redisstore.Open(t.Context(), address, redisstore.Config{})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Open: error %v, want one without the password", err)
		}
	}
}

func TestAFullServerKeepsAllOrNothing(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	admin, s := connect(t, server.URL()), open(t, server.URL())
	set := func(bytes string) {
		t.Helper()
		if err := admin.ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatalf("set maxmemory: %v", err)
		}
	}
	for _, n := range []int{3, 1200} { // in one part, and in several
		items := make([]receiver.Item, n)
		for i := range items {
			items[i].ID = fmt.Sprint(i)
		}
		set("1")
		if _, err := s.Put(t.Context(), items); err == nil {
			t.Errorf("Put of %d to a full server: no error", n)
		}
		set("0")
		kept, _, err := s.List(t.Context(), receiver.Filter{}, receiver.Page{})
		if err != nil || len(kept) > 0 {
			t.Errorf("a full server kept %d of %d, error %v", len(kept), n, err)
		}
	}
}

func TestAPrefixWithABraceIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := redisstore.New(t.Context(), nil, redisstore.Config{Prefix: "a}b"}); err == nil || !strings.Contains(err.Error(), "brace") {
		t.Errorf("New: error %v, want one that names the brace", err)
	}
}
