package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

const (
	issuerURL    = "https://issuer.example.com"
	nextPassword = "a completely different sentence"
)

// linked links an identity to a member.
func linked(t *testing.T, s *counted, u store.User, subject string) {
	t.Helper()
	if _, err := s.LinkIdentity(t.Context(), store.Identity{Issuer: issuerURL, Subject: subject, UserID: u.ID, AccountID: u.AccountID, CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

// trail lists the audit of the default account, newest first.
func trail(t *testing.T, s *counted) []store.AuditEntry {
	t.Helper()
	rows, _, err := s.ListAudit(t.Context(), store.DefaultAccount, store.AuditFilter{}, store.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestAMemberSignsInByTheirIdentityAlone(t *testing.T) {
	t.Parallel()
	s := open(t)
	signIns := auth.NewSignIns(s, nil)
	u := member(t, s, signIns, "zoe@example.com", auth.Viewer)
	linked(t, s, u, "sub-zoe")
	token, err := signIns.ByIdentity(t.Context(), issuerURL, "sub-zoe", visitor)
	if err != nil {
		t.Fatal(err)
	}
	caller, session, err := signIns.BySession(t.Context(), token)
	if err != nil || caller.Actor != u.ID {
		t.Fatalf("the caller is %+v, %v", caller, err)
	}
	if got := trail(t, s)[0]; got.Actor != u.ID || got.Action != "session.sign_in" || got.Object != session.ID || got.Detail != "by single sign-on from 192.0.2.1" {
		t.Errorf("the audit has %+v", got)
	}
	for _, other := range [][2]string{{issuerURL, "zoe@example.com"}, {issuerURL, "SUB-ZOE"}, {issuerURL + "/", "sub-zoe"}, {"", ""}} {
		if _, err := signIns.ByIdentity(t.Context(), other[0], other[1], visitor); !errors.Is(err, auth.ErrUnknownIdentity) {
			t.Errorf("%v: %v, want ErrUnknownIdentity", other, err)
		}
	}
}

func TestUnknownIdentitiesLockThemselvesAndTheirNetwork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		signIns := auth.NewSignIns(s, nil)
		u := member(t, s, signIns, "zoe@example.com", auth.Viewer)
		linked(t, s, u, "sub-zoe")
		var locked *auth.LockedError
		for n := range 5 {
			if _, err := signIns.ByIdentity(t.Context(), issuerURL, "sub-eve", auth.Visitor{From: "10.0.0.1:1"}); !errors.Is(err, auth.ErrUnknownIdentity) {
				t.Fatalf("time %d: %v", n, err)
			}
		}
		if _, err := signIns.ByIdentity(t.Context(), issuerURL, "sub-eve", auth.Visitor{From: "10.0.0.1:1"}); !errors.As(err, &locked) || locked.For != time.Minute {
			t.Errorf("the same again: %v, want it locked", err)
		}
		if err := signIns.Locked(auth.Visitor{From: "10.0.0.1:1"}); err != nil {
			t.Errorf("a proxy is locked: %v", err)
		}
		for n := range 20 {
			if _, err := signIns.ByIdentity(t.Context(), issuerURL, fmt.Sprintf("sub-%d", n), visitor); !errors.Is(err, auth.ErrUnknownIdentity) {
				t.Fatalf("identity %d: %v", n, err)
			}
		}
		if _, err := signIns.ByIdentity(t.Context(), issuerURL, "sub-zoe", visitor); !errors.As(err, &locked) {
			t.Errorf("a known one from that network: %v, want it locked", err)
		}
		if _, err := signIns.ByIdentity(t.Context(), issuerURL, "sub-zoe", auth.Visitor{From: "198.51.100.1:1"}); err != nil {
			t.Errorf("from another network: %v", err)
		}
	})
}

func TestAMemberWithoutAPasswordIsAnsweredAsAWrongOne(t *testing.T) {
	t.Parallel()
	s := open(t)
	signIns := auth.NewSignIns(s, nil)
	u := member(t, s, signIns, "zoe@example.com", auth.Viewer)
	if _, err := s.UpdateUser(t.Context(), u.AccountID, u.ID, func(u *store.User) error { u.Role, u.Password = "owner", ""; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, guess := range []string{"", rightPassword} {
		if _, err := signIns.ByPassword(t.Context(), u.Email, guess, visitor); !errors.Is(err, auth.ErrWrongPassword) {
			t.Errorf("%q: %v, want ErrWrongPassword", guess, err)
		}
	}
}

// changes puts a change between what SignIn has seen and what it writes.
type changes struct {
	*counted
	before func()
}

func (c changes) SignIn(ctx context.Context, n store.Session, still func(store.User) error) error {
	c.before()
	return c.counted.SignIn(ctx, n, still)
}

func TestAPasswordThatIsChangedMeanwhileLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s := open(t)
	signIns := auth.NewSignIns(s, nil)
	u := member(t, s, signIns, "zoe@example.com", auth.Owner)
	late := auth.NewSignIns(changes{s, func() {
		if _, err := signIns.ChangePassword(t.Context(), store.Session{AccountID: u.AccountID, UserID: u.ID}, rightPassword, nextPassword, visitor); err != nil {
			t.Fatal(err)
		}
	}}, nil)
	if _, err := late.ByPassword(t.Context(), u.Email, rightPassword, visitor); !errors.Is(err, auth.ErrWrongPassword) {
		t.Errorf("got %v, want ErrWrongPassword", err)
	}
	rows, _, err := s.ListSessions(t.Context(), u.AccountID, u.ID, time.Now(), store.Page{Limit: 10})
	if err != nil || len(rows) != 1 {
		t.Errorf("sessions %+v, %v, want that of the change alone", rows, err)
	}
}

func TestAChangedPasswordEndsTheOtherSessions(t *testing.T) {
	t.Parallel()
	s := open(t)
	signIns := auth.NewSignIns(s, nil)
	u := member(t, s, signIns, "zoe@example.com", auth.Owner)
	var tokens []string
	for range 2 {
		token, err := signIns.ByPassword(t.Context(), u.Email, rightPassword, visitor)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	_, session, err := signIns.BySession(t.Context(), tokens[0])
	if err != nil {
		t.Fatal(err)
	}
	for present, want := range map[string]error{"wrong": auth.ErrWrongPassword, "": auth.ErrWrongPassword} {
		if _, err := signIns.ChangePassword(t.Context(), session, present, nextPassword, visitor); !errors.Is(err, want) {
			t.Errorf("with %q: %v, want %v", present, err, want)
		}
	}
	if _, err := signIns.ChangePassword(t.Context(), session, rightPassword, "short", visitor); !errors.Is(err, auth.ErrShortPassword) {
		t.Errorf("to a short one: %v", err)
	}
	if _, err := signIns.ChangePassword(t.Context(), store.Session{AccountID: u.AccountID}, rightPassword, nextPassword, visitor); !errors.Is(err, auth.ErrNoMember) {
		t.Errorf("by link: %v", err)
	}
	token, err := signIns.ChangePassword(t.Context(), session, rightPassword, nextPassword, visitor)
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range tokens {
		if _, _, err := signIns.BySession(t.Context(), old); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("an old session: %v, want ErrNoSession", err)
		}
	}
	if caller, _, err := signIns.BySession(t.Context(), token); err != nil || caller.Actor != u.ID {
		t.Errorf("the new session is of %+v, %v", caller, err)
	}
}

func TestWrongPresentPasswordsAreHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		signIns := auth.NewSignIns(s, nil)
		u := member(t, s, signIns, "zoe@example.com", auth.Owner)
		session := store.Session{AccountID: u.AccountID, UserID: u.ID}
		var locked *auth.LockedError
		for range 5 {
			_, _ = signIns.ChangePassword(t.Context(), session, "wrong", nextPassword, visitor)
		}
		if _, err := signIns.ChangePassword(t.Context(), session, rightPassword, nextPassword, visitor); !errors.As(err, &locked) {
			t.Errorf("got %v, want it locked", err)
		}
		time.Sleep(time.Minute)
		if _, err := signIns.ChangePassword(t.Context(), session, rightPassword, nextPassword, visitor); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	})
}

// TestGuessesFillNoAudit guesses for ten minutes.
func TestGuessesFillNoAudit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		signIns := auth.NewSignIns(s, nil)
		zoe, max := member(t, s, signIns, "zoe@example.com", auth.Owner), member(t, s, signIns, "max@example.com", auth.Viewer)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- signIns.Run(ctx) }()
		for n := range 20 {
			for _, email := range []string{zoe.Email, max.Email, fmt.Sprintf("nobody%d@example.com", n)} {
				_, _ = signIns.ByPassword(t.Context(), email, "planted-guess", auth.Visitor{From: fmt.Sprintf("192.0.2.%d:1", n)})
			}
			time.Sleep(30 * time.Second)
		}
		_, _ = signIns.ByPassword(t.Context(), max.Email, "planted-guess", visitor) // and at the very end
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		counts := map[string]int{}
		for _, row := range trail(t, s) {
			if row.Action != "session.refused" || row.Actor != "visitor" || !strings.HasPrefix(row.Detail, "wrong password from 192.0.2.") {
				t.Errorf("the audit has %+v", row)
			}
			counts[row.Object]++
		}
		// Where an address was locked for minutes, no password was looked at, and there is no row.
		for _, id := range []string{zoe.ID, max.ID} {
			if counts[id] < 2 || counts[id] > 11 {
				t.Errorf("%d rows of %s in ten minutes, want one a minute at most", counts[id], id)
			}
		}
		if len(counts) != 2 {
			t.Errorf("rows of %v, want the two members'", counts)
		}
	})
}

func TestWhoComesAndGoesIsWrittenDown(t *testing.T) {
	t.Parallel()
	s := open(t)
	signIns := auth.NewSignIns(s, nil)
	u := member(t, s, signIns, "zoe@example.com", auth.Owner)
	token, err := signIns.ByPassword(t.Context(), u.Email, rightPassword, auth.Visitor{From: "[2001:db8::1]:443"})
	if err != nil {
		t.Fatal(err)
	}
	_, session, err := signIns.BySession(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if err := signIns.SignOut(t.Context(), session, visitor); err != nil {
		t.Fatal(err)
	}
	if err := signIns.SignOut(t.Context(), session, visitor); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the second time: %v", err)
	}
	rows := trail(t, s)
	if len(rows) != 2 {
		t.Fatalf("the audit has %+v", rows)
	}
	for i, want := range []store.AuditEntry{
		{AccountID: u.AccountID, Actor: u.ID, Action: "session.sign_out", Object: session.ID, Detail: "from 192.0.2.1", At: rows[0].At},
		{AccountID: u.AccountID, Actor: u.ID, Action: "session.sign_in", Object: session.ID, Detail: "by password from 2001:db8::/64", At: rows[1].At},
	} {
		if rows[i] != want {
			t.Errorf("row %d is %+v, want %+v", i, rows[i], want)
		}
		if strings.Contains(rows[i].Detail, token) {
			t.Error("the audit has the token")
		}
	}
}
