package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// someone is a store in which every token is a session of one role and account.
type someone struct {
	auth.Members
	role    auth.Role
	account string
}

func (s someone) SessionByHash(_ context.Context, hash [32]byte, now time.Time) (store.Session, error) {
	return store.Session{ID: "ses_1", Hash: hash, AccountID: s.account, UserID: "usr_1", Role: string(s.role), SeenAt: now, ExpiresAt: now.Add(time.Hour)}, nil
}

// forbidden lists what each role is kept from, by the beginnings of patterns. What is not listed it may do.
var forbidden = []struct {
	role    auth.Role
	account string
	from    []string
}{
	{auth.Owner, store.DefaultAccount, nil},
	{auth.Administrator, store.DefaultAccount, nil},
	{auth.Owner, "acc_customer", []string{"GET /settings/accounts", "POST /settings/accounts"}},
	{auth.Administrator, "acc_customer", []string{"GET /settings/accounts", "POST /settings/accounts"}},
	{auth.Developer, store.DefaultAccount, []string{"GET /settings/accounts", "POST /settings/accounts", "POST /settings/members", "POST /settings/invites", "POST /settings/notifications", "POST /settings/notifications/remove"}},
	{auth.Viewer, store.DefaultAccount, []string{
		"GET /settings/accounts", "POST /settings/accounts", "POST /settings/members", "POST /settings/invites", "GET /settings/keys", "POST /settings/keys", "POST /settings/notifications",
		"GET /endpoints/new", "GET /endpoints/{id}/settings", "GET /endpoints/{id}/new-secret", "POST /endpoints/new", "POST /endpoints/{id}/settings", "POST /endpoints/{id}/test", "POST /endpoints/{id}/disable",
		"POST /endpoints/{id}/enable", "POST /endpoints/{id}/delete", "POST /endpoints/{id}/secret/prepare", "POST /endpoints/{id}/secret/promote", "POST /endpoints/{id}/secret/rotate",
		"POST /deliveries", "POST /dead-letters", "POST /jobs", "POST /endpoints/check-url", "POST /endpoints/{id}/recover", "POST /event-types",
	}},
	{"nothing", store.DefaultAccount, []string{"GET /", "POST /"}},
}

var wildcard = regexp.MustCompile(`\{[^}]*\}`)

// TestWhatEachRoleIsKeptFrom goes over the whole route table.
func TestWhatEachRoleIsKeptFrom(t *testing.T) {
	t.Parallel()
	for _, tt := range forbidden {
		s, err := New(Config{SignIns: auth.NewSignIns(someone{role: tt.role, account: tt.account}, nil), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		for _, rt := range s.routes {
			if rt.needs == open {
				continue
			}
			kept := false
			for _, from := range tt.from {
				kept = kept || strings.HasPrefix(rt.pattern, from)
			}
			if got := visited(s, rt, true).Code == http.StatusForbidden; got != kept {
				t.Errorf("%s of %s at %s: kept from it: %t, want %t", tt.role, tt.account, rt.pattern, got, kept)
			}
		}
	}
}

func TestNobodyGetsAnywhereWithoutSigningIn(t *testing.T) {
	t.Parallel()
	s, err := New(Config{SignIns: auth.NewSignIns(someone{}, nil), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	openTo := 0
	for _, rt := range s.routes {
		if rt.needs == open {
			openTo++
			continue
		}
		if rec := visited(s, rt, false); rec.Code != http.StatusSeeOther || !strings.HasPrefix(rec.Header().Get("Location"), "/sign-in") {
			t.Errorf("%s answers %d to nobody", rt.pattern, rec.Code)
		}
	}
	// Three of them are the single sign-on's: who begins it or comes back from it is not signed in yet.
	if openTo != 13 {
		t.Errorf("%d routes are open to anybody, want 13: look at each new one", openTo)
	}
}

// visited makes a request to a route. What comes behind the gate has no store here, and answers 500 or less.
func visited(s *Server, rt route, signedIn bool) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(rt.pattern, " ")
	path = wildcard.ReplaceAllStringFunc(path, func(name string) string {
		if name == "{$}" {
			return ""
		}
		return "1"
	})
	req := httptest.NewRequest(method, path, nil)
	if signedIn {
		req.AddCookie(&http.Cookie{Name: sessionCookie, Value: "token"})
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, req)
	return rec
}
