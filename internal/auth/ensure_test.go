package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestEnsureKeyMakesAnAdminKeyOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	a := auth.NewAuthenticator(s, nil)
	text := "cl_" + strings.Repeat("x", 29)

	for i, want := range []auth.Ensured{{Created: true}, {Created: false}} {
		got, err := a.EnsureKey(t.Context(), text)
		if err != nil {
			t.Fatalf("call %d: %v", i+1, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("call %d (-want +got):\n%s", i+1, diff)
		}
	}
	caller, err := a.Authenticate(t.Context(), "Bearer "+text, "")
	if err != nil {
		t.Fatal(err)
	}
	if caller.AccountID != store.DefaultAccount || !caller.Can(auth.Admin) {
		t.Errorf("the caller is %+v, want an admin of the default account", caller)
	}
}

func TestEnsureKeyOfTextsOfAllKinds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		text  string
		short bool
		want  error
	}{
		{"without cl_", "abcdefghijklmnopqrstuvwxyzabcdefghijkl", false, auth.ErrBadKey},
		{"empty", "", false, auth.ErrBadKey},
		{"seven characters", "cl_abcd", false, auth.ErrBadKey},
		{"white space in it", "cl_abcde fghij", false, auth.ErrBadKey},
		{"a line break after it", "cl_abcdefghij\n", false, auth.ErrBadKey},
		{"longer than a header may be", "cl_" + strings.Repeat("a", 300), false, auth.ErrBadKey},
		{"eight characters", "cl_abcde", true, nil},
		{"31 characters", "cl_" + strings.Repeat("a", 28), true, nil},
		{"32 characters", "cl_" + strings.Repeat("a", 29), false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			a := auth.NewAuthenticator(s, nil)
			got, err := a.EnsureKey(t.Context(), tt.text)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got error %v, want %v", err, tt.want)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(auth.Ensured{Created: true, Short: tt.short}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, err := a.Authenticate(t.Context(), "Bearer "+tt.text, ""); err != nil {
				t.Errorf("the key does not work: %v", err)
			}
			row, err := s.Store.KeyByHash(t.Context(), auth.Hash(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if len(row.Prefix) > 11 || len(row.Prefix) > len(tt.text)/2 {
				t.Errorf("%q is kept of %d characters: too much", row.Prefix, len(tt.text))
			}
		})
	}
}

func TestEnsureKeyNeverRevivesOrRaisesAKey(t *testing.T) {
	t.Parallel()
	const text = "cl_0123456789abcdef0123456789abcdef"
	now := time.Now()
	tests := []struct {
		name string
		key  store.Key
		end  bool
		want error
	}{
		{"a revoked one", store.Key{AccountID: store.DefaultAccount, Scopes: []string{"admin"}}, true, auth.ErrRevoked},
		{"an expired one", store.Key{AccountID: store.DefaultAccount, Scopes: []string{"admin"}, ExpiresAt: now.Add(-time.Hour)}, false, auth.ErrExpired},
		{"one with fewer scopes", store.Key{AccountID: store.DefaultAccount, Scopes: []string{"manage", "publish"}}, false, store.ErrConflict},
		{"one of another account", store.Key{AccountID: "acc_other", Scopes: []string{"admin"}}, false, store.ErrConflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			if err := s.CreateAccount(t.Context(), store.Account{ID: "acc_other", Name: "other", CreatedAt: now}); err != nil {
				t.Fatal(err)
			}
			tt.key.ID, tt.key.Hash, tt.key.CreatedAt = "key_1", auth.Hash(text), now
			if err := s.CreateKey(t.Context(), tt.key); err != nil {
				t.Fatal(err)
			}
			if tt.end {
				if err := s.RevokeKey(t.Context(), tt.key.AccountID, "key_1", "", now); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := auth.NewAuthenticator(s, nil).EnsureKey(t.Context(), text); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
