package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// setup is POST /v1/setup.
func (s *Server) setup(ctx context.Context, _ auth.Caller, in bodyOf[client.Setup]) (client.CreatedKey, error) {
	return s.firstKey(ctx, in.Body.Token)
}

// maxToken is longer than any token; what is longer is not even hashed.
const maxToken = 256

// firstKey makes the first admin key for whoever has the token of the set-up link.
func (s *Server) firstKey(ctx context.Context, token string) (client.CreatedKey, error) {
	token = strings.TrimSpace(token)
	if token == "" || len(token) > maxToken {
		return client.CreatedKey{}, errSetupLink
	}
	if done, err := s.isSetUp(ctx); err != nil || done {
		return client.CreatedKey{}, cmp.Or(err, error(errSetupDone))
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	text, key := auth.NewKey(store.DefaultAccount, "set-up", auth.Scopes{auth.Admin}, time.Time{}, now)
	err := s.Accounts.SetUp(ctx, auth.Hash(token), key, now)
	switch {
	case errors.Is(err, store.ErrConflict):
		return client.CreatedKey{}, errSetupDone
	case errors.Is(err, store.ErrNotFound):
		return client.CreatedKey{}, errSetupLink
	case err != nil:
		return client.CreatedKey{}, fmt.Errorf("set up: %w", err)
	}
	s.auditSetup(ctx, key, now)
	return client.CreatedKey{
		Text: text,
		Key: keyTo(manage.Key{
			ID: key.ID, AccountID: key.AccountID, Name: key.Name, Prefix: key.Prefix, Scopes: key.Scopes, CreatedAt: now,
		}),
	}, nil
}

// auditSetup writes down that the first key was made. The key is made already and is
// shown once, so a failure is logged and not returned.
func (s *Server) auditSetup(ctx context.Context, key store.Key, now time.Time) {
	err := s.Accounts.AddAudit(context.WithoutCancel(ctx), store.AuditEntry{
		AccountID: key.AccountID, Actor: "setup", Action: "key.create", Object: key.ID, Detail: "first admin key", At: now,
	})
	if err != nil {
		s.Logger.ErrorContext(ctx, "audit row not written", slog.String("account_id", key.AccountID), slog.String("action", "key.create"), slog.Any("error", err))
	}
}

var (
	errSetupLink = forbidden("This set-up link is too old, was replaced by a newer one, or is not one of this server. " +
		"Until the first key is made the server prints a new one each time that it starts, and only the newest is good: restart it and use that one.")
	errSetupDone = forbidden("This server is set up: its first member or API key was made, and no set-up link makes another. With that key, or in the dashboard, make more: compliancelayer keys create NAME --scopes manage. " +
		"If it is lost, put COMPLIANCELAYER_API_KEY into the environment of the server and restart it: that admin key is made then.")
)

// isSetUp reports whether there is, or was, a key. It stays so, so that the database is not
// asked again by whoever calls.
func (s *Server) isSetUp(ctx context.Context) (bool, error) {
	if s.setUp.Load() {
		return true, nil
	}
	keys, _, err := s.Accounts.ListKeys(ctx, store.DefaultAccount, store.Page{Limit: 1})
	if err != nil {
		return false, err
	}
	if len(keys) > 0 {
		s.setUp.Store(true)
	}
	return len(keys) > 0, nil
}

// setPageHeaders are those of a page that fetches nothing but its own style sheet.
func setPageHeaders(header http.Header) {
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Frame-Options", "DENY")
}
