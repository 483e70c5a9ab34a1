package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
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

// TestAPageOfAnotherSiteLocksNobodyOut comes back many times with nothing that was begun, as the pictures of any page can
// make the browsers of an office do.
func TestAPageOfAnotherSiteLocksNobodyOut(t *testing.T) {
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
	for n := range 50 {
		if got := come("192.0.2.1:1234").Code; got != http.StatusBadRequest {
			t.Fatalf("time %d: %d", n, got)
		}
	}
	if _, err := s.SignIns.ByPassword(t.Context(), "zoe@example.com", "wrong", auth.Visitor{From: "192.0.2.1:1"}); !errors.Is(err, auth.ErrWrongPassword) {
		t.Errorf("a password from there: %v", err)
	}
}
