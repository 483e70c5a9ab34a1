package manage_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// A developer made a key with manage, and with it took the owners from those who are told of failures.
func TestWhatKeysEachRoleMakesAndRevokes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	gives := map[auth.Role]auth.Scopes{
		auth.Owner: {auth.Publish, auth.Read, auth.Manage, auth.Admin}, auth.Administrator: {auth.Publish, auth.Read, auth.Manage},
		auth.Developer: {auth.Publish, auth.Read}, auth.Viewer: nil, "": {auth.Publish, auth.Read, auth.Manage, auth.Admin},
	}
	for role, want := range gives {
		caller := auth.Caller{AccountID: store.DefaultAccount, Actor: "usr_1", Role: role, Scopes: role.Scopes(store.DefaultAccount)}
		if role == "" {
			caller = w.admin
		}
		for _, scope := range auth.AllScopes() {
			_, err := w.CreateKey(ctx, caller, manage.CreateKey{Name: "key", Scopes: []string{string(scope)}})
			if made := err == nil; made != slices.Contains(want, scope) || caller.Gives(scope) != made && role != auth.Viewer {
				t.Errorf("%q makes a key with %s: %t, %v", role, scope, made, err)
			}
			if err != nil && !errors.Is(err, manage.ErrForbidden) && !errors.As(err, new(*manage.Invalid)) {
				t.Errorf("%q makes a key with %s: %v", role, scope, err)
			}
		}
		key := must(w.CreateKey(ctx, w.admin, manage.CreateKey{Name: "key", Scopes: []string{string(auth.Manage)}}))(t)
		revoke := slices.Contains(want, auth.Manage)
		if role.Scopes(store.DefaultAccount).Allow(auth.Manage) {
			i := slices.IndexFunc(must(w.ListKeys(ctx, caller, manage.ListKeys{Page: manage.Page{Limit: 100}}))(t).Rows, func(k manage.Key) bool { return k.ID == key.ID && k.Revocable })
			if shown := i >= 0; shown != revoke {
				t.Errorf("%q is shown a button to revoke a key with manage: %t", role, shown)
			}
		}
		if _, err := w.RevokeKey(ctx, caller, manage.RevokeKey{ID: key.ID}); (err == nil) != revoke || err != nil && !errors.Is(err, manage.ErrForbidden) {
			t.Errorf("%q revokes a key with manage: %v", role, err)
		}
	}
	developer := auth.Caller{AccountID: store.DefaultAccount, Actor: "usr_1", Role: auth.Developer, Scopes: auth.Developer.Scopes(store.DefaultAccount)}
	if _, err := w.AddRecipient(ctx, developer, "dev@example.com"); !errors.Is(err, manage.ErrForbidden) {
		t.Errorf("a developer adds an address: %v", err)
	}
	if _, err := w.TestMail(ctx, developer, struct{}{}); !errors.Is(err, manage.ErrForbidden) {
		t.Errorf("a developer sends test mails: %v", err)
	}
}
