package manage

import (
	"context"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// maxIssuer is the longest URL of an issuer that can be set, and more than any has.
const maxIssuer = 2048

// Profile is what a member sees of themselves.
type Profile struct {
	store.User
	Identities []store.Identity
}

// Profile reads the caller's own profile. store.ErrNotFound when the caller is no member, but a key or a visitor by link; so
// it is with the operations below.
func (m *Manager) Profile(ctx context.Context, caller auth.Caller, _ struct{}) (Profile, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (Profile, error) {
		u, err := m.db.User(ctx, caller.AccountID, caller.Actor)
		if err != nil {
			return Profile{}, err
		}
		identities, err := m.db.ListIdentities(ctx, u.AccountID, u.ID)
		if err != nil {
			return Profile{}, err
		}
		return Profile{User: u, Identities: identities}, nil
	})
}

// Rename gives the caller another name. *Invalid.
func (m *Manager) Rename(ctx context.Context, caller auth.Caller, name string) (store.User, error) {
	return change(ctx, m, caller, auth.Read, "member.rename", func(ctx context.Context) (store.User, deed, error) {
		var wrong mistakes
		wrong.text("name", name, 1, maxName)
		if err := wrong.err(); err != nil {
			return store.User{}, deed{}, err
		}
		before := ""
		u, err := m.db.UpdateUser(ctx, caller.AccountID, caller.Actor, func(u *store.User) error {
			before, u.Name = u.Name, strings.TrimSpace(name)
			return nil
		})
		if err != nil || u.Name == before {
			return u, deed{}, err
		}
		return u, memberDeed(u, before+" → "+u.Name), nil
	})
}

// LinkIdentity makes an identity a way in for the caller, whose it must be proven to be. *store.Conflict when it is another
// member's, or they have another one of that issuer. The answer is empty.
func (m *Manager) LinkIdentity(ctx context.Context, caller auth.Caller, i store.Identity) (struct{}, error) {
	return change(ctx, m, caller, auth.Read, "member.link", func(ctx context.Context) (struct{}, deed, error) {
		i.AccountID, i.UserID, i.CreatedAt = caller.AccountID, caller.Actor, now()
		added, err := m.db.LinkIdentity(ctx, i)
		if err != nil || !added {
			return struct{}{}, deed{}, err
		}
		return struct{}{}, deed{object: i.UserID, detail: "single sign-on of " + i.Issuer + fromCaller(caller)}, nil
	})
}

// UnlinkIdentity takes the caller's identity of an issuer away. *store.Conflict when they have no password. The answer
// is empty.
func (m *Manager) UnlinkIdentity(ctx context.Context, caller auth.Caller, issuer string) (struct{}, error) {
	return change(ctx, m, caller, auth.Read, "member.unlink", func(ctx context.Context) (struct{}, deed, error) {
		var wrong mistakes
		if wrong.text("issuer", issuer, 1, maxIssuer); wrong.err() != nil {
			return struct{}{}, deed{}, store.ErrNotFound
		}
		if err := m.db.UnlinkIdentity(ctx, caller.AccountID, caller.Actor, issuer); err != nil {
			return struct{}{}, deed{}, err
		}
		return struct{}{}, deed{object: caller.Actor, detail: "single sign-on of " + issuer + fromCaller(caller)}, nil
	})
}
