package redisstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// durable are the settings with which a server has on disk what it answers, and keeps
// it.
var durable = []struct{ name, value, why string }{
	{"appendonly", "yes", "without it what came since the last snapshot is lost when the server stops"},
	{"appendfsync", "always", "else the server answers before what it was given is on disk"},
	{"no-appendfsync-on-rewrite", "no", "else the server does not sync while it rewrites its file"},
	{"maxmemory-policy", "noeviction", "else a server that is full throws events away"},
}

// checkDurable refuses a Redis that could lose what it answers.
func checkDurable(ctx context.Context, client redis.UniversalClient) error {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error { return checkServer(ctx, master) })
	}
	return checkServer(ctx, client)
}

func checkServer(ctx context.Context, client redis.Cmdable) error {
	info, err := client.Info(ctx, "replication").Result()
	if err != nil {
		return fmt.Errorf("redisstore: ask Redis whether it is a replica: %w", err)
	}
	if !strings.Contains(info, "role:master") {
		return fmt.Errorf("redisstore: this Redis is a replica (INFO replication): give the address of the one that it follows")
	}
	var wrong []string
	for _, setting := range durable {
		found, err := client.ConfigGet(ctx, setting.name).Result()
		if err != nil && !refused(err) {
			return fmt.Errorf("redisstore: ask Redis for its setting %s: %w", setting.name, err)
		}
		value, known := found[setting.name]
		if err != nil || !known {
			return fmt.Errorf("redisstore: this Redis does not tell its setting %s (CONFIG GET is refused, as services often do), "+
				"so it is not known whether it keeps what it answers: events that were answered with 200 could be lost; "+
				"if it has %s, or if that is acceptable, set Config.AcceptLoss", setting.name, wanted())
		}
		if value != setting.value {
			wrong = append(wrong, fmt.Sprintf("%s is %s and should be %s (%s)", setting.name, value, setting.value, setting.why))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("redisstore: this Redis could lose events that were answered with 200: %s; change that, or set Config.AcceptLoss if it is acceptable", strings.Join(wrong, "; "))
	}
	return nil
}

// refused reports whether an error says that the server does not take a command from
// us, unlike one that says that it is away.
func refused(err error) bool {
	for _, prefix := range []string{"NOPERM", "ERR"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

// wanted names all settings with their values.
func wanted() string {
	var all []string
	for _, setting := range durable {
		all = append(all, setting.name+" "+setting.value)
	}
	return strings.Join(all, ", ")
}
