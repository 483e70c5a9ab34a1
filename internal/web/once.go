package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// once is something that was just made and is shown once: a secret, a key, a link.
type once struct {
	Text string
	For  string // the account that a link is for
	Use  secretUse
	Gone bool // it was shown already
}

// reveal sends the browser on to the page that shows what was just made, so that a reload shows that page again and makes
// nothing a second time. It goes by the database, sealed, because another node may answer: never in an address
// or a cookie. If it cannot be kept, show shows it at once: a secret that was made and not shown would be lost.
func (s *Server) reveal(v *visit, path string, o once, show func(once) error) error {
	id, err := s.keep(v, o)
	if err != nil {
		s.Logger.WarnContext(v.r.Context(), "shown without a redirect", slog.String("request_id", v.id), slog.Any("error", err))
		return show(o)
	}
	return v.see(address(path, url.Values{"once": {id}}))
}

func (s *Server) keep(v *visit, o once) (id string, err error) {
	content, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	return s.Manager.KeepReveal(v.r.Context(), v.caller, manage.KeepReveal{SessionID: v.session.ID, Content: content})
}

// once gives what the address asks to show, the first time; zero = it asks for nothing.
func (s *Server) once(v *visit) (o once, err error) {
	id := v.r.URL.Query().Get("once")
	if id == "" || v.r.Method != http.MethodGet { // HEAD would use it up unseen
		return o, nil
	}
	content, err := s.Manager.TakeReveal(v.r.Context(), v.caller, manage.TakeReveal{SessionID: v.session.ID, ID: id})
	if errors.Is(err, store.ErrNotFound) {
		return once{Gone: true}, nil
	}
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(content, &o); err != nil {
		return o, fmt.Errorf("read what is shown once: %w", err)
	}
	return o, nil
}
