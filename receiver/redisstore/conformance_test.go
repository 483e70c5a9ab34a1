package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/compliancelayer/compliancelayer/internal/redistest"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/redisstore"
	"github.com/compliancelayer/compliancelayer/receiver/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	address := redistest.URL(t)
	beside := connect(t, address)
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		prefix := "test:" + rand.Text()
		s, err := redisstore.Open(t.Context(), address, redisstore.Config{Prefix: prefix})
		return subject(t, s, err, beside, prefix)
	})
}

// A cluster's client finds the node of a step by its key. (That all keys are in one
// slot, a cluster of one node does not tell: see the next test.)
func TestConformanceInACluster(t *testing.T) {
	t.Parallel()
	server := redistest.New(t, "--cluster-enabled", "yes")
	beside := connect(t, server.URL())
	becomeCluster(t, beside)
	socket := strings.TrimPrefix(server.URL(), "unix://")
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{socket},
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{{Start: 0, End: 16383, Nodes: []redis.ClusterNode{{Addr: socket}}}}, nil
		},
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	})
	t.Cleanup(func() { client.Close() })
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		prefix := "test:" + rand.Text()
		s, err := redisstore.New(t.Context(), client, redisstore.Config{Prefix: prefix})
		return subject(t, s, err, beside, prefix)
	})
}

func TestAllKeysAreUnderOneHashTag(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	s, beside := open(t, server.URL()), connect(t, server.URL())
	for _, to := range []receiver.Status{receiver.Waiting, receiver.Done, receiver.Failed} {
		item, _, err := s.Begin(t.Context(), receiver.Item{Lane: "a}{b", ID: "{" + string(to) + "}"}, time.Hour)
		if err != nil {
			t.Fatalf("Begin: %v", err)
		}
		if _, err := s.Record(t.Context(), []receiver.End{{Key: item.Key(), Token: item.Token, To: to}}); err != nil {
			t.Fatalf("Record: %v", err)
		}
	}
	// The number, the names, the lanes, three items, their statuses, what is due, and
	// two kinds of what has ended.
	keys := keysLike(t, beside, "")
	if len(keys) != 12 {
		t.Errorf("%d keys, want 12: %q", len(keys), keys)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, "{"+redisstore.DefaultPrefix+"}") {
			t.Errorf("the key %q is under another tag", key)
		}
	}
}

// becomeCluster gives a server all slots, and returns when it takes commands for them.
func becomeCluster(t *testing.T, server *redis.Client) {
	t.Helper()
	if err := server.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatalf("take all slots: %v", err)
	}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		info, err := server.ClusterInfo(t.Context()).Result()
		if err != nil {
			t.Fatalf("look at the cluster: %v", err)
		}
		if strings.Contains(info, "cluster_state:ok") {
			return
		}
		<-again.C
	}
}

// subject is a store whose times a second connection makes older.
func subject(t *testing.T, s *redisstore.Store, err error, beside *redis.Client, prefix string) storetest.Subject {
	t.Helper()
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		removeKeys(t, beside, prefix)
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return storetest.Subject{Store: s, Pass: func(d time.Duration) { makeOlder(t, beside, prefix, d) }}
}

// connect gives a client of its own.
func connect(t *testing.T, address string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(address)
	if err != nil {
		t.Fatalf("the address of the Redis: %v", err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

// keysLike lists the keys whose names have a beginning.
func keysLike(t *testing.T, client *redis.Client, beginning string) []string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // it is used when the test has ended, too
	var keys []string
	for scan := client.Scan(ctx, 0, beginning+"*", 1000).Iterator(); ; {
		if !scan.Next(ctx) {
			if err := scan.Err(); err != nil {
				t.Fatalf("list the keys: %v", err)
			}
			slices.Sort(keys)
			return slices.Compact(keys) // a scan may give one twice
		}
		keys = append(keys, scan.Val())
	}
}

func removeKeys(t *testing.T, client *redis.Client, prefix string) {
	t.Helper()
	for _, key := range keysLike(t, client, "{"+prefix+"}") {
		if err := client.Unlink(context.WithoutCancel(t.Context()), key).Err(); err != nil {
			t.Fatalf("remove %s: %v", key, err)
		}
	}
}

// older makes all times of an item, or of a sorted set by time, older by ARGV[1].
const older = `
if redis.call('TYPE', KEYS[1]).ok == 'hash' then
	for _, field in ipairs({'received', 'due', 'set', 'ended'}) do
		local at = tonumber(redis.call('HGET', KEYS[1], field))
		if at > 0 then redis.call('HSET', KEYS[1], field, string.format('%.0f', at - ARGV[1])) end
	end
	return
end
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], -ARGV[1], member) end`

func makeOlder(t *testing.T, client *redis.Client, prefix string, by time.Duration) {
	t.Helper()
	for _, kind := range []string{"item", "due", "ended"} {
		for _, key := range keysLike(t, client, "{"+prefix+"}:"+kind+":") {
			if err := client.Eval(t.Context(), older, []string{key}, by.Milliseconds()).Err(); err != nil && !errors.Is(err, redis.Nil) {
				t.Fatalf("make %s older: %v", key, err)
			}
		}
	}
}
