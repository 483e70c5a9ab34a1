package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Lengths of a key that an operator chose.
const (
	shortestKey = 8  // below this a text is a mistake and not a key
	safeLength  = 32 // below this a key can be guessed by a patient attacker
)

// ErrBadKey means that a text that an operator chose is no key.
var ErrBadKey = errors.New("it must begin with cl_ and have at least 8 characters; for a good one run: echo cl_$(openssl rand -hex 24)")

// Ensured says what EnsureKey found.
type Ensured struct {
	Created bool // there was no such key
	Short   bool // it has fewer than 32 characters: warn, it may be guessed
}

// EnsureKey sees to it that the key of COMPLIANCELAYER_API_KEY exists, as an admin
// key of the default account. The text may be chosen freely as long as it begins with cl_
// and has 8 characters, else the error is ErrBadKey. A key that was revoked or has
// expired stays so: the errors are then ErrRevoked and ErrExpired. So does one with
// fewer scopes or in another account: *store.Conflict.
func (a *Authenticator) EnsureKey(ctx context.Context, text string) (Ensured, error) {
	if !strings.HasPrefix(text, keyPrefix) || len(text) < shortestKey || strings.ContainsAny(text, " \t\r\n") || len(text) > maxHeader/2 {
		return Ensured{}, ErrBadKey
	}
	short := len(text) < safeLength
	now := time.Now()
	err := a.keys.CreateKey(ctx, store.Key{
		ID:        newKeyID(),
		AccountID: store.DefaultAccount,
		Name:      "COMPLIANCELAYER_API_KEY",
		Prefix:    shown(text),
		Hash:      Hash(text),
		Scopes:    Scopes{Admin}.Strings(),
		CreatedAt: now,
	})
	if err == nil {
		return Ensured{Created: true, Short: short}, nil
	}
	if !errors.Is(err, store.ErrConflict) {
		return Ensured{}, fmt.Errorf("create key: %w", err)
	}
	return Ensured{Short: short}, a.checkAdmin(ctx, Hash(text), now)
}

// checkAdmin reports what keeps an existing key from being a live admin key.
func (a *Authenticator) checkAdmin(ctx context.Context, hash [32]byte, now time.Time) error {
	key, err := a.keys.KeyByHash(ctx, hash)
	if err != nil {
		return fmt.Errorf("read key: %w", err)
	}
	switch {
	case !key.RevokedAt.IsZero():
		return ErrRevoked
	case !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt):
		return ErrExpired
	case key.AccountID != store.DefaultAccount || !adminNames(key.Scopes):
		return store.Conflictf("this key exists already, but not as an admin key of the default account: choose another text")
	}
	return nil
}

// adminNames reports whether names of scopes allow everything.
func adminNames(names []string) bool {
	scopes, err := ParseScopes(names)
	return err == nil && scopes.Allow(Admin)
}

// shown is the part of a chosen key to recognise it by: never more than a
// quarter, because such a key may be short.
func shown(text string) string {
	return text[:min(shownLength, len(keyPrefix)+(len(text)-len(keyPrefix))/4)]
}
