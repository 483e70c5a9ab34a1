package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/compliancelayer/compliancelayer/internal/redistest"
	"github.com/compliancelayer/compliancelayer/receiver/redisstore"
	"github.com/compliancelayer/compliancelayer/receiver/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	address := redistest.URL(t)
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		prefix := "test:" + rand.Text()
		s, err := redisstore.Open(t.Context(), address, redisstore.Config{Prefix: prefix})
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		beside := connect(t, address)
		t.Cleanup(func() {
			removeKeys(t, beside, prefix)
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		return storetest.Subject{Store: s, Pass: func(d time.Duration) { makeOlder(t, beside, prefix, d) }}
	})
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
	for _, field in ipairs({'received', 'due', 'ended'}) do
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
