package manage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// Key is an API key as it may be shown.
type Key struct {
	ID         string
	AccountID  string
	Name       string
	Prefix     string // the first characters of its text
	Scopes     []string
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero = never
	RevokedAt  time.Time // zero = not
	LastUsedAt time.Time // to the minute; zero = never
	Revocable  bool      // whoever asks may revoke it, if it is none that they use
}

// CreateKey is what a key is made of.
type CreateKey struct {
	Name      string    // 1 to 100 characters
	Scopes    []string  // at least one, none that the caller lacks
	ExpiresAt time.Time // zero = never
	AccountID string    // "" = the caller's own; another takes the admin scope
}

// CreatedKey is a key that was just made.
type CreatedKey struct {
	Key
	Text string // cl_...; shown here and never again
}

// ListKeys asks for keys.
type ListKeys struct {
	AccountID string // "" = the caller's own; another takes the admin scope
	Page      Page
}

// RevokeKey ends a key.
type RevokeKey struct {
	ID        string
	AccountID string // "" = the caller's own; another takes the admin scope
}

// CreateKey makes a key and answers its text, once. It can do no more than the
// caller can, and not for longer; the admin scope stays within the default account.
func (m *Manager) CreateKey(ctx context.Context, caller auth.Caller, in CreateKey) (CreatedKey, error) {
	accountID, scope := keysOf(caller, in.AccountID)
	return change(ctx, m, caller, scope, "key.create", func(ctx context.Context) (CreatedKey, deed, error) {
		scopes, err := m.checkKey(ctx, caller, accountID, in)
		if err != nil {
			return CreatedKey{}, deed{}, err
		}
		text, row := auth.NewKey(accountID, in.Name, scopes, in.ExpiresAt, now())
		if err := m.db.CreateKey(ctx, row); err != nil {
			return CreatedKey{}, deed{}, err
		}
		return CreatedKey{Key: shownKey(caller, row), Text: text}, keyDeed(accountID, row.ID, fmt.Sprintf("%q in %s: %s", row.Name, accountID, scopes)), nil
	})
}

// keysOf gives the account whose keys are meant, and the scope that takes: one's own
// need manage, those of other accounts admin.
func keysOf(caller auth.Caller, accountID string) (string, auth.Scope) {
	if accountID == "" || accountID == caller.AccountID {
		return caller.AccountID, auth.Manage
	}
	return accountID, auth.Admin
}

// checkKey checks what a new key is to be.
func (m *Manager) checkKey(ctx context.Context, caller auth.Caller, accountID string, in CreateKey) (auth.Scopes, error) {
	var wrong mistakes
	wrong.text("name", in.Name, 1, maxName)
	if !in.ExpiresAt.IsZero() && !in.ExpiresAt.After(now()) {
		wrong.add("expires_at", "is over already; leave it out for a key that never expires")
	}
	if end := caller.ExpiresAt; !end.IsZero() && (in.ExpiresAt.IsZero() || in.ExpiresAt.After(end)) {
		wrong.add("expires_at", "the key that you use ends at %s, and none that it makes can last longer", end.UTC().Format(time.RFC3339))
	}
	scopes := wrong.scopes(caller, accountID, in.Scopes)
	if err := m.accountExists(ctx, accountID); err != nil {
		if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		wrong.add("account_id", "there is no such account")
	}
	return scopes, wrong.err()
}

// scopes checks the scopes of a new key.
func (m *mistakes) scopes(caller auth.Caller, accountID string, names []string) auth.Scopes {
	if len(names) == 0 {
		m.add("scopes", "is empty; give at least one of %s", auth.AllScopes())
	}
	for i, name := range names {
		field := fmt.Sprintf("scopes[%d]", i)
		parsed, err := auth.ParseScopes([]string{name})
		switch {
		case err != nil:
			m.add(field, "%s", err)
		case !caller.Can(parsed[0]):
			m.add(field, "the key that you use lacks %s itself and cannot give it", name)
		case parsed[0] == auth.Manage && !caller.Gives(auth.Manage):
			m.add(field, "a key with manage changes who is told of failures, which your role does not; ask an owner or an admin of the account for it")
		case !caller.Gives(parsed[0]):
			m.add(field, "only an owner makes keys that may everything: such a key makes owners")
		case parsed[0] == auth.Admin && accountID != store.DefaultAccount:
			m.add(field, "admin reaches every account, so only keys of the account %s may have it; use manage", store.DefaultAccount)
		}
	}
	scopes, err := auth.ParseScopes(names)
	if err != nil {
		return nil
	}
	return scopes
}

// ListKeys pages through keys, ended ones included.
func (m *Manager) ListKeys(ctx context.Context, caller auth.Caller, in ListKeys) (List[Key], error) {
	accountID, scope := keysOf(caller, in.AccountID)
	return look(ctx, caller, scope, func(ctx context.Context) (List[Key], error) {
		if err := m.accountExists(ctx, accountID); err != nil {
			return List[Key]{}, err
		}
		return list(in.Page, func(p store.Page) ([]Key, string, error) {
			rows, next, err := m.db.ListKeys(ctx, accountID, p)
			keys := make([]Key, len(rows))
			for i, row := range rows {
				keys[i] = shownKey(caller, row)
			}
			return keys, next, err
		})
	})
}

// RevokeKey ends a key for good, on this node at once and on others within a second.
// It takes every scope that the key has: who may not do a thing may keep nobody else from it. The
// key that asks cannot end itself, so that whoever does that by mistake is not locked out: the last
// admin key stays. The answer is empty.
func (m *Manager) RevokeKey(ctx context.Context, caller auth.Caller, in RevokeKey) (struct{}, error) {
	accountID, scope := keysOf(caller, in.AccountID)
	return change(ctx, m, caller, scope, "key.revoke", func(ctx context.Context) (struct{}, deed, error) {
		if err := known(in.ID); err != nil {
			return struct{}{}, deed{}, err
		}
		if in.ID == caller.KeyID {
			return struct{}{}, deed{}, store.Conflictf("this is the key that you are using: make another one and revoke this one with it")
		}
		key, err := m.db.Key(ctx, accountID, in.ID)
		if err != nil {
			return struct{}{}, deed{}, err
		}
		if err := holds(caller, key.Scopes); err != nil {
			return struct{}{}, deed{}, err
		}
		if err := m.db.RevokeKey(ctx, accountID, in.ID, caller.KeyID, now()); err != nil {
			return struct{}{}, deed{}, err
		}
		return struct{}{}, keyDeed(accountID, in.ID, "in "+accountID), nil
	})
}

// holds answers a *Forbidden with the first of the scopes that the caller lacks, or could not give.
func holds(caller auth.Caller, scopes []string) error {
	for _, name := range scopes {
		scope := auth.Scope(name)
		if !may(caller, scope) {
			return &Forbidden{Scope: scope, Has: caller.Scopes}
		}
		if scope == auth.Manage && !caller.Gives(scope) {
			return &Forbidden{Scope: auth.People, Has: caller.Scopes}
		}
	}
	return nil
}

// keyDeed is a deed done to a key.
func keyDeed(accountID, id, detail string) deed {
	return deed{
		object: id,
		detail: detail,
		notes:  []store.Note{{Kind: store.KeysChanged, AccountID: accountID, ID: id}},
	}
}

// shownKey leaves out the hash.
func shownKey(caller auth.Caller, row store.Key) Key {
	return Key{
		ID:         row.ID,
		AccountID:  row.AccountID,
		Name:       row.Name,
		Prefix:     row.Prefix,
		Scopes:     row.Scopes,
		CreatedAt:  row.CreatedAt,
		ExpiresAt:  row.ExpiresAt,
		RevokedAt:  row.RevokedAt,
		LastUsedAt: row.LastUsedAt,
		Revocable:  row.RevokedAt.IsZero() && holds(caller, row.Scopes) == nil,
	}
}
