package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// secretUse is what a new secret is for.
type secretUse string

const (
	firstSecret    secretUse = "first"    // of a new endpoint
	preparedSecret secretUse = "prepared" // it signs beside the present one
	rotatedSecret  secretUse = "rotated"  // the one before signs beside it
	replacedSecret secretUse = "replaced" // the one before signs no more
)

// madeSecret is the view of the one page that shows a secret.
type madeSecret struct {
	Endpoint endpointRow
	once
	Snippets []snippet
}

// Fresh reports that the endpoint is new, too.
func (v madeSecret) Fresh() bool { return v.Use == firstSecret }

// Prepared reports that it does not sign alone yet.
func (v madeSecret) Prepared() bool { return v.Use == preparedSecret }

// Replaced reports that the one before it signs no more.
func (v madeSecret) Replaced() bool { return v.Use == replacedSecret }

// secretPath is the page that shows a new secret.
func secretPath(endpointID string) string {
	return "/endpoints/" + url.PathEscape(endpointID) + "/new-secret"
}

func (s *Server) showNewSecret(v *visit) error {
	e, err := s.Manager.Endpoint(v.r.Context(), v.caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	o, err := s.once(v)
	if err != nil {
		return err
	}
	o.Gone = o.Gone || o.Text == ""
	return s.secretPage(v, e, o)
}

func (s *Server) secretPage(v *visit, e manage.Endpoint, o once) error {
	return s.show(v, "secret", "Your signing secret", madeSecret{s.row(e), o, s.snippets})
}

func (s *Server) doPrepare(v *visit) error {
	return s.makeSecret(v, preparedSecret, func() (manage.NewSecret, error) {
		return s.Manager.PrepareSecret(v.r.Context(), v.caller, v.r.PathValue("id"))
	})
}

func (s *Server) doRotate(v *visit) error {
	if err := certain(v); err != nil {
		return err
	}
	overlap, err := overlapOf(v)
	if err != nil {
		return err
	}
	use := rotatedSecret
	if overlap != nil && *overlap == 0 {
		use = replacedSecret
	}
	return s.makeSecret(v, use, func() (manage.NewSecret, error) {
		return s.Manager.RotateSecret(v.r.Context(), v.caller, manage.RotateSecret{EndpointID: v.r.PathValue("id"), Overlap: overlap})
	})
}

// overlapOf reads how long the present secret is to go on.
func overlapOf(v *visit) (*time.Duration, error) {
	f, err := readForm(v)
	if err != nil {
		return nil, err
	}
	overlap := f.duration("overlap")
	if !f.right() {
		return nil, &manage.Invalid{Fields: []manage.Field{{Name: "overlap", Message: f.Wrong["overlap"]}}}
	}
	return overlap, nil
}

// makeSecret makes a secret and shows it. The endpoint is read first: a secret that was made and not shown would be lost.
func (s *Server) makeSecret(v *visit, use secretUse, make func() (manage.NewSecret, error)) error {
	e, err := s.Manager.Endpoint(v.r.Context(), v.caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	made, err := make()
	if err != nil {
		return err
	}
	return s.reveal(v, secretPath(e.ID), once{Text: made.Text, Use: use}, func(o once) error { return s.secretPage(v, e, o) })
}

func (s *Server) doPromote(v *visit) error {
	overlap, err := overlapOf(v)
	if err != nil {
		return err
	}
	id := v.r.PathValue("id")
	if _, err := s.Manager.PromoteSecret(v.r.Context(), v.caller, manage.PromoteSecret{EndpointID: id, Overlap: overlap}); err != nil {
		return err
	}
	return v.see("/endpoints/" + url.PathEscape(id) + "?done=promoted")
}

func (s *Server) doCheckSecret(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	in := manage.CheckSecret{EndpointID: v.r.PathValue("id"), Secret: strings.TrimSpace(f.Get("secret"))}
	if in.Secret == "" {
		in.Body, in.Signature = []byte(f.Get("body")), strings.TrimSpace(f.Get("signature"))
	}
	done, err := s.Manager.CheckSecret(v.r.Context(), v.caller, in)
	if f.takes(err) {
		return s.endpointPage(v, http.StatusUnprocessableEntity, func(view *endpointView) {
			view.CheckError = f.Problem
			for _, text := range f.Wrong {
				view.CheckError = text
			}
		})
	}
	if err != nil {
		return err
	}
	return s.endpointPage(v, http.StatusOK, func(view *endpointView) { view.Check = &done })
}
