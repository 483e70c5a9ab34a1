package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/issuer"
	"github.com/compliancelayer/compliancelayer/internal/seal"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// nobody is a store without members.
type nobody struct{ auth.Members }

func (nobody) UserByEmail(context.Context, string) (store.User, error) {
	return store.User{}, store.ErrNotFound
}

// TestSingleSignOnsThatFailLockTheirNetwork comes back twenty times with nothing that was begun.
func TestSingleSignOnsThatFailLockTheirNetwork(t *testing.T) {
	t.Parallel()
	key, err := seal.Parse(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.NewBox(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		SignIns: auth.NewSignIns(nobody{}, nil), Issuer: issuer.New(issuer.Config{URL: "https://issuer.example.com", Name: "Example ID", Box: box}), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	come := func(from string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, CallbackPath+"?code=1&state=2", nil)
		req.RemoteAddr = from
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		return rec
	}
	for n := range 20 {
		if got := come("192.0.2.1:1234").Code; got != http.StatusBadRequest {
			t.Fatalf("time %d: %d", n, got)
		}
	}
	if got := come("192.0.2.1:99"); got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") == "" {
		t.Errorf("after that: %d, %v, want it locked", got.Code, got.Header())
	}
	if got := come("192.0.2.2:1234").Code; got != http.StatusBadRequest {
		t.Errorf("from another network: %d", got)
	}
	// Passwords from there are locked, too.
	if _, err := s.SignIns.ByPassword(t.Context(), "zoe@example.com", "wrong", auth.Visitor{From: "192.0.2.1:1"}); err == nil || err.Error() != "too many sign-ins failed: try again in 1m0s" {
		t.Errorf("a password from there: %v", err)
	}
}
