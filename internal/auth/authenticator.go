package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// What Authenticate refuses with; compare with errors.Is. The texts are plain
// sentences for the caller. Anything else is a fault of ours.
var (
	// ErrNoKey: there is no Authorization header.
	ErrNoKey = errors.New("an API key is missing: send the header Authorization: Bearer with your key, which begins with cl_")
	// ErrBadHeader: the header is there but is not a bearer key.
	ErrBadHeader = errors.New("the Authorization header is not an API key: send Authorization: Bearer with your key, which begins with cl_")
	// ErrUnknownKey: there is no such key.
	ErrUnknownKey = errors.New("this API key is not known here: check that it is copied whole and belongs to this server")
	// ErrGuessing: too many unknown keys came from this address.
	ErrGuessing = errors.New("too many API keys that were not seen before come from this address: wait a second")
	// ErrRevoked: the key was revoked.
	ErrRevoked = errors.New("this API key was revoked: use another one")
	// ErrExpired: the key's time is over.
	ErrExpired = errors.New("this API key has expired: make a new one")
)

const (
	// cacheFor is how long a row is trusted without reading it again, which
	// bounds how long a revoked key works on a node that missed the note.
	cacheFor = time.Second
	// cacheMost bounds the cache: far more keys than are used within a second.
	cacheMost = 4096
	// maxHeader is longer than any key; what is longer is not even hashed.
	maxHeader = 512
)

// Keys is what authenticating needs of the store.
type Keys interface {
	KeyByHash(ctx context.Context, hash [32]byte) (store.Key, error)
	CreateKey(ctx context.Context, k store.Key) error
	TouchKey(ctx context.Context, id string, now time.Time) error
}

// Authenticator turns an Authorization header into a Caller. It may be used by
// many goroutines.
type Authenticator struct {
	keys   Keys
	logger *slog.Logger

	guesses *Buckets // by address

	mu    sync.Mutex
	cache map[[32]byte]cached
	used  map[string]time.Time // by key id, since the last flush
}

// cached is a key's row and until when it may be trusted. A row that may not be trusted any
// more still says that there is such a key: reading it again is no guess.
type cached struct {
	key   store.Key
	until time.Time
}

// NewAuthenticator makes an Authenticator. A nil logger means slog.Default().
func NewAuthenticator(keys Keys, logger *slog.Logger) *Authenticator {
	if logger == nil {
		logger = slog.Default()
	}
	return &Authenticator{
		keys:    keys,
		logger:  logger,
		guesses: NewBuckets(guessesPerSecond),
		cache:   make(map[[32]byte]cached),
		used:    make(map[string]time.Time),
	}
}

// Authenticate says who sent the value of an Authorization header from a network address ("" =
// from within). Errors are ErrNoKey, ErrBadHeader, ErrUnknownKey, ErrGuessing, ErrRevoked and
// ErrExpired; others are the store's.
func (a *Authenticator) Authenticate(ctx context.Context, header, from string) (Caller, error) {
	text, err := bearer(header)
	if err != nil {
		return Caller{}, err
	}
	now := time.Now()
	key, err := a.key(ctx, Hash(text), from, now)
	if err != nil {
		return Caller{}, err
	}
	if !key.RevokedAt.IsZero() {
		return Caller{}, ErrRevoked
	}
	if !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt) {
		return Caller{}, ErrExpired
	}
	scopes, err := ParseScopes(key.Scopes)
	if err != nil {
		return Caller{}, fmt.Errorf("read key %s: %w", key.ID, err)
	}
	a.note(key.ID, now)
	return Caller{AccountID: key.AccountID, KeyID: key.ID, Actor: key.ID, Scopes: scopes, ExpiresAt: key.ExpiresAt}, nil
}

// bearer takes the key out of a header (RFC 6750 section 2.1; the scheme's case
// does not matter, RFC 9110 section 11.1).
func bearer(header string) (string, error) {
	if header == "" {
		return "", ErrNoKey
	}
	scheme, text, ok := strings.Cut(header, " ")
	text = strings.TrimSpace(text)
	if !ok || !strings.EqualFold(scheme, "bearer") || !strings.HasPrefix(text, keyPrefix) || len(header) > maxHeader {
		return "", ErrBadHeader
	}
	return text, nil
}

// key reads the row of a hash, from the cache while it may be trusted. Unknown
// keys are not cached: guesses must not push real keys out. A key that was not seen before may be
// a guess, so an address has a bounded number of those: a flood of wrong keys
// does not reach the database, and keys in use are not kept out by it.
func (a *Authenticator) key(ctx context.Context, hash [32]byte, from string, now time.Time) (store.Key, error) {
	a.mu.Lock()
	c, ok := a.cache[hash]
	a.mu.Unlock()
	if ok && now.Before(c.until) {
		return c.key, nil
	}
	if !ok && from != "" {
		if _, free := a.guesses.Take(network(from), now); !free {
			return store.Key{}, ErrGuessing
		}
	}
	key, err := a.keys.KeyByHash(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return store.Key{}, ErrUnknownKey
	}
	if err != nil {
		return store.Key{}, fmt.Errorf("read key: %w", err)
	}
	// The index found the row by comparing bytes; this says so in constant time,
	// and guards against a row that is not the one asked for.
	if subtle.ConstantTimeCompare(key.Hash[:], hash[:]) != 1 {
		return store.Key{}, ErrUnknownKey
	}
	// From the time before the read: a change that came after it is seen in time.
	a.remember(hash, cached{key: key, until: now.Add(cacheFor)})
	return key, nil
}

// remember keeps a row, and makes room first when there is none.
func (a *Authenticator) remember(hash [32]byte, c cached) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.cache) >= cacheMost {
		clear(a.cache)
	}
	a.cache[hash] = c
}

// Forget trusts a key's row no more, so that it is read again.
func (a *Authenticator) Forget(keyID string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for hash, c := range a.cache {
		if c.key.ID == keyID {
			a.cache[hash] = cached{key: c.key}
		}
	}
}

// ForgetAll does that with every key.
func (a *Authenticator) ForgetAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for hash, c := range a.cache {
		a.cache[hash] = cached{key: c.key}
	}
}
