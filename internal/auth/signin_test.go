package auth_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const rightPassword = "correct horse battery staple"

// member adds a member of the default account with the right password.
func member(t *testing.T, s *counted, signIns *auth.SignIns, email string, role auth.Role) store.User {
	t.Helper()
	phc, err := signIns.HashPassword(t.Context(), rightPassword)
	if err != nil {
		t.Fatal(err)
	}
	i := store.Invite{ID: "inv_" + email, Hash: auth.Hash(email), AccountID: store.DefaultAccount, Email: email, Role: string(role), CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	if err := s.CreateInvite(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	u, err := s.AcceptInvite(t.Context(), i.Hash, store.User{ID: "usr_" + email, Name: "Zoë", Password: phc, CreatedAt: time.Now()}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

var visitor = auth.Visitor{From: "192.0.2.1:1234", Agent: "Browser/1"}

func TestAMemberSignsInAndIsKnownByTheirSession(t *testing.T) {
	t.Parallel()
	s := open(t)
	signIns := auth.NewSignIns(s, nil)
	u := member(t, s, signIns, "zoe@example.com", auth.Developer)
	token, err := signIns.ByPassword(t.Context(), " Zoe@Example.com ", rightPassword, visitor)
	if err != nil {
		t.Fatal(err)
	}
	caller, session, err := signIns.BySession(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if caller.Actor != u.ID || caller.Role != auth.Developer || !caller.Can(auth.Manage) || caller.Can(auth.People) || caller.Can(auth.Admin) {
		t.Errorf("the caller is %+v", caller)
	}
	if session.Address != "192.0.2.1" || session.Agent != "Browser/1" || session.Email != "zoe@example.com" {
		t.Errorf("the session is %+v", session)
	}
	for name, other := range map[string]string{"none": "", "another": token[:len(token)-1] + "_", "far too long": strings.Repeat("a", 10_000)} {
		if _, _, err := signIns.BySession(t.Context(), other); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("a token that is %s: %v, want ErrNoSession", name, err)
		}
	}
	if got, err := s.User(t.Context(), u.AccountID, u.ID); err != nil || got.SignedInAt.IsZero() {
		t.Errorf("the member signed in at %v, %v", got.SignedInAt, err)
	}
}

func TestAWrongPasswordAndAnUnknownAddressAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	s := open(t)
	signIns := auth.NewSignIns(s, nil)
	member(t, s, signIns, "zoe@example.com", auth.Viewer)
	for _, email := range []string{"zoe@example.com", "nobody@example.com", ""} {
		if _, err := signIns.ByPassword(t.Context(), email, "another one", visitor); !errors.Is(err, auth.ErrWrongPassword) {
			t.Errorf("%q: %v, want ErrWrongPassword", email, err)
		}
	}
}

// Five wrong passwords from one network lock the address there; the member, who is elsewhere, gets in. Only when very many
// networks try is it locked for all.
func TestWrongPasswordsLockOutWhoTriesThemAndNotTheMember(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		signIns := auth.NewSignIns(s, nil)
		member(t, s, signIns, "zoe@example.com", auth.Viewer)
		try := func(password, from string) error {
			_, err := signIns.ByPassword(t.Context(), "zoe@example.com", password, auth.Visitor{From: from})
			return err
		}
		var locked *auth.LockedError
		for network := range 9 {
			from := fmt.Sprintf("192.0.2.%d:1", network)
			for range 5 {
				if err := try("wrong", from); !errors.Is(err, auth.ErrWrongPassword) {
					t.Fatal(err)
				}
			}
			if err := try(rightPassword, from); !errors.As(err, &locked) {
				t.Errorf("the right password from network %d, which is locked: %v", network, err)
			}
		}
		for n := range 5 {
			if err := try("wrong", fmt.Sprintf("192.0.3.%d:1", n)); !errors.Is(err, auth.ErrWrongPassword) {
				t.Fatal(err)
			}
		}
		if err := try(rightPassword, "198.51.100.1:1"); !errors.As(err, &locked) {
			t.Errorf("after fifty from everywhere: %v, want it locked", err)
		}
		time.Sleep(time.Minute)
		if err := try(rightPassword, "198.51.100.1:1"); err != nil {
			t.Errorf("the member after that: %v", err)
		}
		for range 5 {
			_ = try("wrong", "192.0.2.1:1")
		}
		if err := try(rightPassword, "198.51.100.1:1"); err != nil {
			t.Errorf("the member, while somebody else is locked: %v", err)
		}
	})
}

func TestWrongPasswordsLockAnAddressForLongerEachTimeAndNeverForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		signIns := auth.NewSignIns(s, nil)
		member(t, s, signIns, "zoe@example.com", auth.Viewer)
		try := func(password, from string) error {
			_, err := signIns.ByPassword(t.Context(), "zoe@example.com", password, auth.Visitor{From: from})
			return err
		}
		for round, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
			for n := range 5 {
				if err := try("wrong", "10.0.0.1:1"); !errors.Is(err, auth.ErrWrongPassword) {
					t.Fatalf("round %d, wrong password %d: %v", round, n, err)
				}
			}
			locked := (*auth.LockedError)(nil)
			if err := try(rightPassword, "10.0.0.1:1"); !errors.As(err, &locked) || locked.For != want {
				t.Errorf("round %d: the right password while it is locked: %v, want %s", round, err, want)
			}
			time.Sleep(want)
		}
		if err := try(rightPassword, "10.0.0.1:1"); err != nil {
			t.Errorf("the right password after the lock: %v", err)
		}
	})
}

func TestWrongPasswordsForManyAddressesLockTheNetworkTheyComeFrom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		signIns := auth.NewSignIns(s, nil)
		member(t, s, signIns, "zoe@example.com", auth.Viewer)
		for n := range 20 {
			if _, err := signIns.ByPassword(t.Context(), fmt.Sprintf("%d@example.com", n), "wrong", visitor); !errors.Is(err, auth.ErrWrongPassword) {
				t.Fatal(err)
			}
		}
		locked := (*auth.LockedError)(nil)
		if _, err := signIns.ByPassword(t.Context(), "zoe@example.com", rightPassword, visitor); !errors.As(err, &locked) {
			t.Errorf("from the same network: %v, want it locked", err)
		}
		if _, err := signIns.ByPassword(t.Context(), "zoe@example.com", rightPassword, auth.Visitor{From: "198.51.100.1:1"}); err != nil {
			t.Errorf("from another network: %v", err)
		}
	})
}

func TestWrongPasswordsThroughAProxyLockNobodyElseOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		signIns := auth.NewSignIns(s, nil)
		member(t, s, signIns, "zoe@example.com", auth.Viewer)
		for _, proxy := range []string{"127.0.0.1:1", "10.0.0.7:1", "[fd00::1]:1", "[::ffff:192.168.1.1]:1"} {
			for n := range 25 {
				if _, err := signIns.ByPassword(t.Context(), fmt.Sprintf("%d@example.com", n), "wrong", auth.Visitor{From: proxy}); !errors.Is(err, auth.ErrWrongPassword) {
					break // that address is locked by now
				}
			}
			if _, err := signIns.ByPassword(t.Context(), "zoe@example.com", rightPassword, auth.Visitor{From: proxy}); err != nil {
				t.Errorf("through the proxy at %s: %v", proxy, err)
			}
		}
	})
}

func TestAFloodOfPasswordsIsTurnedAwayAtOnce(t *testing.T) {
	t.Parallel()
	signIns := auth.NewSignIns(open(t), nil)
	var running sync.WaitGroup
	busy := make(chan bool, 100)
	for range cap(busy) {
		running.Go(func() {
			_, err := signIns.HashPassword(t.Context(), rightPassword)
			busy <- errors.Is(err, auth.ErrBusy)
		})
	}
	running.Wait()
	close(busy)
	turned := 0
	for b := range busy {
		if b {
			turned++
		}
	}
	if turned == 0 || turned == cap(busy) {
		t.Errorf("%d of %d were turned away", turned, cap(busy))
	}
}

func TestAPortalLinkLetsInOnceIntoItsAccountOnly(t *testing.T) {
	t.Parallel()
	s := open(t)
	signIns := auth.NewSignIns(s, nil)
	if err := s.CreateAccount(t.Context(), store.Account{ID: "acc_customer", Name: "customer", CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for account, want := range map[string]auth.Scopes{
		"acc_customer":       {auth.Publish, auth.Read, auth.Manage, auth.People},
		store.DefaultAccount: {auth.Publish, auth.Read, auth.Manage, auth.People, auth.Admin},
	} {
		link, row := auth.NewLink(auth.Portal, account, time.Hour, time.Now())
		if err := s.CreateLink(t.Context(), row); err != nil {
			t.Fatal(err)
		}
		token, got, err := signIns.ByPortalLink(t.Context(), link, visitor)
		if err != nil || got != account {
			t.Fatalf("account %q, %v", got, err)
		}
		caller, _, err := signIns.BySession(t.Context(), token)
		if err != nil || caller.AccountID != account || caller.Scopes.String() != want.String() {
			t.Errorf("the caller is %+v, %v", caller, err)
		}
		if _, _, err := signIns.ByPortalLink(t.Context(), link, visitor); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the second time: %v, want ErrNotFound", err)
		}
	}
}

func TestASessionThatIsUsedGoesOnForThirtyDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		signIns := auth.NewSignIns(s, nil)
		member(t, s, signIns, "zoe@example.com", auth.Viewer)
		token, err := signIns.ByPassword(t.Context(), "zoe@example.com", rightPassword, visitor)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			time.Sleep(10 * 24 * time.Hour)
			if _, _, err := signIns.BySession(t.Context(), token); err != nil {
				t.Fatalf("after ten days more: %v", err)
			}
		}
		time.Sleep(10*24*time.Hour - time.Minute)
		if _, _, err := signIns.BySession(t.Context(), token); err != nil {
			t.Errorf("a minute before it is thirty days old: %v", err)
		}
		time.Sleep(time.Minute)
		if _, _, err := signIns.BySession(t.Context(), token); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("thirty days old and in use: %v, want ErrNoSession", err)
		}

		token, err = signIns.ByPassword(t.Context(), "zoe@example.com", rightPassword, visitor)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(14 * 24 * time.Hour)
		if _, _, err := signIns.BySession(t.Context(), token); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("two weeks unused: %v, want ErrNoSession", err)
		}

		token, err = signIns.ByPassword(t.Context(), "zoe@example.com", rightPassword, visitor)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * 24 * time.Hour)
		if _, _, err := signIns.Watching(t.Context(), token); err != nil {
			t.Errorf("ten days unused, with a page open: %v", err)
		}
		time.Sleep(4 * 24 * time.Hour)
		if _, _, err := signIns.Watching(t.Context(), token); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("two weeks unused, with a page open: %v, want ErrNoSession", err)
		}
	})
}

func TestPasswordsThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		password string
		want     error
	}{
		{"", auth.ErrShortPassword},
		{"short", auth.ErrShortPassword},
		{"elf zeichen", auth.ErrShortPassword},
		{strings.Repeat("lang und länger ", 9), auth.ErrLongPassword},
		{"aaaaaaaaaaaaaaaa", auth.ErrCommonPassword},
		{"123456789012", auth.ErrCommonPassword},
		{"abcdefghijklmnop", auth.ErrCommonPassword},
		{"Password1234", auth.ErrCommonPassword},
		{"passwordpassword!", auth.ErrCommonPassword},
		{"zoe@example.com1", auth.ErrCommonPassword},
		{"admin-admin-admin", auth.ErrCommonPassword},
		{rightPassword, nil},
		{"zwölf Zeichen", nil},
		{"vK3#pQ9!xW2m", nil},
	}
	for _, tt := range tests {
		if got := auth.CheckPassword(tt.password, "zoe@example.com"); !errors.Is(got, tt.want) {
			t.Errorf("%q: %v, want %v", tt.password, got, tt.want)
		}
	}
}
