package api

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
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
	errSetupDone = forbidden("This server is set up: its first API key was made, and no set-up link makes another. With that key, make more: compliancelayer keys create NAME --scopes manage. " +
		"If it is lost, put COMPLIANCELAYER_API_KEY into the environment of the server and restart it: that admin key is made then.")
)

var (
	//go:embed templates/setup.html
	setupSource string
	setupPage   = template.Must(template.New("setup").Parse(setupSource))
)

// setupView is what the set-up page shows.
type setupView struct {
	Token   string // of the link; "" = the page asks for it
	Key     string // just made; "" = not yet
	Problem string // why it was not made
	Done    bool   // there is no set-up any more
}

// showSetup is GET /setup: a form. A visit alone uses nothing up, so that a mail
// program that looks at links does no harm.
func (s *Server) showSetup(x *exchange, r *http.Request) error {
	done, err := s.isSetUp(r.Context())
	if err != nil {
		return err
	}
	if done {
		return s.writeSetup(x, http.StatusOK, setupView{Problem: errSetupDone.message, Done: true})
	}
	return s.writeSetup(x, http.StatusOK, setupView{Token: r.URL.Query().Get("token")})
}

// isSetUp reports whether there is, or was, a key. It stays so, so that the database is not
// asked again by whoever visits the page.
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

// doSetup is POST /setup: the form was sent; it works without script.
func (s *Server) doSetup(x *exchange, r *http.Request) error {
	r.Body = http.MaxBytesReader(nil, r.Body, maxSmall)
	if err := r.ParseForm(); err != nil {
		return broken(err)
	}
	made, err := s.firstKey(r.Context(), r.PostForm.Get("token"))
	if refused := (*problem)(nil); errors.As(err, &refused) {
		return s.writeSetup(x, refused.status, setupView{Problem: refused.message, Done: refused == errSetupDone})
	}
	if err != nil {
		return err
	}
	return s.writeSetup(x, http.StatusOK, setupView{Key: made.Text})
}

func (s *Server) writeSetup(x *exchange, status int, view setupView) error {
	return writePage(x, status, setupPage, view)
}

// writePage answers a page that fetches nothing but its own style sheet, and whose
// address, which may hold a token, is told to nobody.
func writePage(x *exchange, status int, page *template.Template, view any) error {
	var b strings.Builder
	if err := page.Execute(&b, view); err != nil {
		return fmt.Errorf("make page: %w", err)
	}
	header := x.Header()
	setPageHeaders(header)
	x.WriteHeader(status)
	_, _ = x.Write([]byte(b.String())) // the caller has gone away; there is nobody to tell
	return nil
}

func setPageHeaders(header http.Header) {
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Frame-Options", "DENY")
}
