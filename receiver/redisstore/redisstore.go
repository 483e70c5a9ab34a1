// Package redisstore keeps a receiver's events in Redis, for programs that have a Redis
// and no database.
//
// What it says is kept is in the file of the Redis server, if that is set to keep what
// it answers; [New] looks, and refuses one that does not. A Redis with replicas that
// take over may still lose its last moments: replicas follow behind. Where that must
// not be, sqlstore on PostgreSQL is the better choice.
//
// All of an inbox is under one hash tag, so it is in one piece in a cluster, too. Each
// step is a script, which nothing comes between; time is the Redis server's. Nothing is
// sent twice by itself: when an answer is lost, the call fails, and what it may have
// leased comes back when the lease runs out. It was tested on Redis 7.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// DefaultPrefix is what the names of keys begin with.
const DefaultPrefix = "compliancelayer:inbox"

// Config says how events are kept. Its zero value is fit for use.
type Config struct {
	// Prefix is what the names of all keys begin with, in braces; "" is
	// [DefaultPrefix]. Receivers with the same prefix share an inbox.
	Prefix string

	// AcceptLoss takes a Redis that is not set, or not known, to keep what it answers.
	// Then events that were answered with 200 may be lost: those of the last second or
	// more when it stops, any when it is full and evicts. And what was done may be
	// forgotten, so that an event is handled twice.
	AcceptLoss bool
}

// Store is a [receiver.Store] in Redis.
type Store struct {
	client redis.UniversalClient
	key    string // the hash tag that all keys begin with
	owned  bool
}

// Open connects to a Redis at an address such as redis://user:password@host:6379/0,
// rediss://host:6379 (with TLS) or unix:///run/redis.sock.
func Open(ctx context.Context, address string, cfg Config) (*Store, error) {
	options, err := redis.ParseURL(address)
	if err != nil { // which may quote the address, password and all
		return nil, errors.New("redisstore: the Redis address is not as it should be: redis://user:password@host:port/number, rediss:// for TLS, or unix://path")
	}
	options.ContextTimeoutEnabled = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := redis.NewClient(options) // the operator's own server, as a database is: it is not egress's to judge
	s, err := New(ctx, client, cfg)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	s.owned = true
	return s, nil
}

// New makes a store on a Redis that the program is connected to: a server, or a
// cluster. It fails when the server could lose what it answers, and says which of its
// settings is the reason, unless cfg accepts that.
func New(ctx context.Context, client redis.UniversalClient, cfg Config) (*Store, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = DefaultPrefix
	}
	if strings.ContainsAny(cfg.Prefix, "{}") {
		return nil, fmt.Errorf("redisstore: the prefix %q has a brace: the store puts it in braces itself", cfg.Prefix)
	}
	if _, ok := client.(*redis.Ring); ok {
		return nil, errors.New("redisstore: a Ring moves keys to another server when one is away, and events with them: use a server or a cluster")
	}
	if !cfg.AcceptLoss {
		if err := checkDurable(ctx, client); err != nil {
			return nil, err
		}
	}
	return &Store{client: client, key: "{" + cfg.Prefix + "}"}, nil
}

// Close closes the connections, if the store has made them.
func (s *Store) Close() error {
	if !s.owned {
		return nil
	}
	return s.client.Close()
}

// command is a Redis command that is sent once. The client would send one again whose
// answer is lost: a claim would then lease twice as much, and an end be written by
// nobody.
type command struct{ *redis.Cmd }

// NoRetry is part of [redis.Cmder].
func (command) NoRetry() bool { return true }

// call runs a script and gives its answer, which is always a list.
func (s *Store) call(ctx context.Context, sc *script, args ...any) ([]any, error) {
	if err := ctx.Err(); err != nil { // the client looks at it only if it was told to
		return nil, err
	}
	answer := s.command(ctx, "evalsha", sc.hash, args)
	err := s.client.Process(ctx, answer)
	if redis.HasErrorPrefix(err, "NOSCRIPT") { // so it has not run
		answer = s.command(ctx, "eval", sc.text, args)
		err = s.client.Process(ctx, answer)
	}
	if err != nil {
		return nil, err
	}
	return answer.Slice()
}

func (s *Store) command(ctx context.Context, verb, script string, args []any) command {
	return command{redis.NewCmd(ctx, append([]any{verb, script, 1, s.key}, args...)...)}
}

// together runs a script once for each part, all in one transaction, and gives the
// answers one after the other. A script holds up the server for as long as it runs, so
// much work comes in parts.
func (s *Store) together(ctx context.Context, sc *script, parts [][]any) ([]any, error) {
	if len(parts) == 1 {
		return s.call(ctx, sc, parts[0]...)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var answers []command
	_, err := s.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, args := range parts {
			// The text, because a script that is not known would leave a gap.
			answer := s.command(ctx, "eval", sc.text, args)
			answers = append(answers, answer)
			if err := pipe.Process(ctx, answer); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []any
	for _, answer := range answers {
		part, err := answer.Slice()
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}
