package auth_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

// counted is a real store that counts how often a key is read.
type counted struct {
	*sqlstore.Store
	reads atomic.Int64
}

func (c *counted) KeyByHash(ctx context.Context, hash [32]byte) (store.Key, error) {
	c.reads.Add(1)
	return c.Store.KeyByHash(ctx, hash)
}

// open makes an empty database that is closed when the test, or its bubble, ends.
func open(t *testing.T) *counted {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &counted{Store: s}
}

// addKey stores a key and gives its text.
func addKey(t *testing.T, s *counted, expires time.Time, scopes ...auth.Scope) (string, store.Key) {
	t.Helper()
	text, key := auth.NewKey(store.DefaultAccount, "test", scopes, expires, time.Now())
	if err := s.CreateKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	return text, key
}

func TestAKeyBecomesItsCaller(t *testing.T) {
	t.Parallel()
	s := open(t)
	text, key := addKey(t, s, time.Time{}, auth.Publish, auth.Read)
	a := auth.NewAuthenticator(s, nil)
	for _, header := range []string{"Bearer " + text, "bearer " + text, "BEARER   " + text + " "} {
		got, err := a.Authenticate(t.Context(), header, "")
		if err != nil {
			t.Fatalf("%q: %v", header, err)
		}
		want := auth.Caller{AccountID: store.DefaultAccount, KeyID: key.ID, Actor: key.ID, Scopes: auth.Scopes{auth.Publish, auth.Read}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", header, diff)
		}
	}
}

func TestHeadersThatAreNoKey(t *testing.T) {
	t.Parallel()
	s := open(t)
	text, _ := addKey(t, s, time.Time{}, auth.Read)
	a := auth.NewAuthenticator(s, nil)
	tests := []struct {
		name   string
		header string
		want   error
	}{
		{"no header", "", auth.ErrNoKey},
		{"the key alone", text, auth.ErrBadHeader},
		{"another scheme", "Basic " + text, auth.ErrBadHeader},
		{"no key after the scheme", "Bearer ", auth.ErrBadHeader},
		{"a key of somebody else's", "Bearer sk_live_123", auth.ErrBadHeader},
		{"far too long", "Bearer cl_" + strings.Repeat("a", 600), auth.ErrBadHeader},
		{"a key that does not exist", "Bearer cl_aaaaaaaa_" + strings.Repeat("a", 52), auth.ErrUnknownKey},
		{"a key without its last character", "Bearer " + text[:len(text)-1], auth.ErrUnknownKey},
		{"a key in capitals", "Bearer cl_" + strings.ToUpper(text[3:]), auth.ErrUnknownKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := a.Authenticate(t.Context(), tt.header, "")
			if !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
			if strings.Contains(err.Error(), text[3:11]) {
				t.Errorf("the error quotes the key: %v", err)
			}
			if diff := cmp.Diff(auth.Caller{}, got); diff != "" {
				t.Errorf("a caller beside an error:\n%s", diff)
			}
		})
	}
}

func TestAKeyWorksUntilItExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		text, _ := addKey(t, s, time.Now().Add(500*time.Millisecond), auth.Read)
		a := auth.NewAuthenticator(s, nil)
		if _, err := a.Authenticate(t.Context(), "Bearer "+text, ""); err != nil {
			t.Fatal(err)
		}
		// Still in the cache, which must not make it live longer.
		time.Sleep(500 * time.Millisecond)
		if _, err := a.Authenticate(t.Context(), "Bearer "+text, ""); !errors.Is(err, auth.ErrExpired) {
			t.Errorf("at its end: got %v, want ErrExpired", err)
		}
	})
}

func TestARevokedKeyEndsWithinASecondWithoutANote(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		text, key := addKey(t, s, time.Time{}, auth.Read)
		a := auth.NewAuthenticator(s, nil)
		try := func() error {
			_, err := a.Authenticate(t.Context(), "Bearer "+text, "")
			return err
		}
		if err := try(); err != nil {
			t.Fatal(err)
		}
		if err := s.RevokeKey(t.Context(), key.AccountID, key.ID, "", time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(999 * time.Millisecond)
		if err := try(); err != nil {
			t.Errorf("within the second: %v", err)
		}
		if got := s.reads.Load(); got != 1 {
			t.Errorf("read %d times within the second, want once", got)
		}
		time.Sleep(time.Millisecond)
		if err := try(); !errors.Is(err, auth.ErrRevoked) {
			t.Errorf("after a second: got %v, want ErrRevoked", err)
		}
	})
}

func TestForgettingMakesARevokedKeyEndAtOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		forget func(*auth.Authenticator, store.Key)
		want   error
	}{
		{"by its id", func(a *auth.Authenticator, k store.Key) { a.Forget(k.ID) }, auth.ErrRevoked},
		{"with all others", func(a *auth.Authenticator, _ store.Key) { a.ForgetAll() }, auth.ErrRevoked},
		{"another one only", func(a *auth.Authenticator, _ store.Key) { a.Forget("key_other") }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				text, key := addKey(t, s, time.Time{}, auth.Read)
				a := auth.NewAuthenticator(s, nil)
				if _, err := a.Authenticate(t.Context(), "Bearer "+text, ""); err != nil {
					t.Fatal(err)
				}
				if err := s.RevokeKey(t.Context(), key.AccountID, key.ID, "", time.Now()); err != nil {
					t.Fatal(err)
				}
				tt.forget(a, key)
				if _, err := a.Authenticate(t.Context(), "Bearer "+text, ""); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func TestAFloodOfWrongKeysDoesNotReachTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		text, key := addKey(t, s, time.Time{}, auth.Read)
		fresh, _ := addKey(t, s, time.Time{}, auth.Read)
		a := auth.NewAuthenticator(s, nil)
		try := func(text, from string) error {
			_, err := a.Authenticate(t.Context(), "Bearer "+text, from)
			return err
		}
		if err := try(text, "192.0.2.1:1"); err != nil {
			t.Fatal(err)
		}
		refused := 0
		for i := range 1000 {
			if err := try(fmt.Sprintf("cl_wrong%d", i), fmt.Sprintf("192.0.2.1:%d", i+1)); errors.Is(err, auth.ErrGuessing) {
				refused++
			} else if !errors.Is(err, auth.ErrUnknownKey) {
				t.Fatalf("a wrong key: %v", err)
			}
		}
		if reads := s.reads.Load(); reads > 60 || refused < 900 {
			t.Errorf("1000 wrong keys made %d reads, and %d were refused unread; want 60 at most", reads, refused)
		}
		if err := try(fresh, "192.0.2.1:1"); !errors.Is(err, auth.ErrGuessing) {
			t.Errorf("a key that was not seen yet, from the same address: %v, want ErrGuessing", err)
		}
		if err := try(fresh, "192.0.2.2:1"); err != nil {
			t.Errorf("from another address: %v", err)
		}
		for name, change := range map[string]func(){
			"forgotten": func() { a.Forget(key.ID) }, "forgotten with all": a.ForgetAll, "too old": func() { time.Sleep(time.Second) },
		} {
			change()
			for i := range 100 {
				_ = try(fmt.Sprintf("cl_again%d", i), "192.0.2.1:1")
			}
			if err := try(text, "192.0.2.1:1"); err != nil {
				t.Errorf("a key in use whose row is %s, amid the flood: %v", name, err)
			}
		}
	})
}

// lying answers every hash with the same row.
type lying struct{ *counted }

func (l lying) KeyByHash(ctx context.Context, _ [32]byte) (store.Key, error) {
	return store.Key{ID: "key_1", AccountID: store.DefaultAccount, Scopes: []string{"admin"}}, nil
}

func TestARowWithAnotherHashIsNotTheKey(t *testing.T) {
	t.Parallel()
	a := auth.NewAuthenticator(lying{open(t)}, nil)
	if _, err := a.Authenticate(t.Context(), "Bearer cl_aaaaaaaa", ""); !errors.Is(err, auth.ErrUnknownKey) {
		t.Errorf("got %v, want ErrUnknownKey", err)
	}
}

func TestTheUseOfAKeyIsWrittenDownAfterAMinuteAndAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		text, key := addKey(t, s, time.Time{}, auth.Read)
		a := auth.NewAuthenticator(s, nil)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()

		use := func() time.Time {
			if _, err := a.Authenticate(t.Context(), "Bearer "+text, ""); err != nil {
				t.Fatal(err)
			}
			return time.Now()
		}
		used := func() time.Time {
			k, err := s.Store.KeyByHash(t.Context(), key.Hash)
			if err != nil {
				t.Fatal(err)
			}
			return k.LastUsedAt
		}
		first := use()
		if got := used(); !got.IsZero() {
			t.Errorf("written down on the way of the request: %s", got)
		}
		time.Sleep(61 * time.Second)
		if got := used(); !got.Equal(first) {
			t.Errorf("after a minute: %s, want %s", got, first)
		}
		second := use()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := used(); !got.Equal(second) {
			t.Errorf("at the end: %s, want %s", got, second)
		}
	})
}

func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	a := auth.NewAuthenticator(echo{}, nil)
	for range 10_000 {
		text, _ := auth.NewKey("acc_1", "", nil, time.Time{}, time.Now())
		if _, err := a.Authenticate(t.Context(), "Bearer "+text, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.Cached(); got > 4096 {
		t.Errorf("%d keys in the cache, want at most 4096", got)
	}
}

// echo knows every key.
type echo struct{ auth.Keys }

func (echo) KeyByHash(_ context.Context, hash [32]byte) (store.Key, error) {
	return store.Key{ID: "key_1", AccountID: "acc_1", Hash: hash, Scopes: []string{"read"}}, nil
}
