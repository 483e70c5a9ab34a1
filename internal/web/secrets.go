package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// madeSecret is the view of the one page that shows a secret.
type madeSecret struct {
	Endpoint endpointRow
	Secret   string
	Snippets []snippet
	Fresh    bool // the endpoint is new, too
	Prepared bool // it does not sign alone yet
	Replaced bool // the one before it signs no more
}

func (s *Server) doPrepare(v *visit) error {
	return s.showSecret(v, madeSecret{Prepared: true}, func() (manage.NewSecret, error) {
		return s.Manager.PrepareSecret(v.r.Context(), v.caller, v.r.PathValue("id"))
	})
}

func (s *Server) doRotate(v *visit) error {
	overlap, err := overlapOf(v)
	if err != nil {
		return err
	}
	return s.showSecret(v, madeSecret{Replaced: overlap != nil && *overlap == 0}, func() (manage.NewSecret, error) {
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

// showSecret makes a secret and shows it. What else the page needs is read first: a secret that was made and not shown
// would be lost.
func (s *Server) showSecret(v *visit, view madeSecret, make func() (manage.NewSecret, error)) error {
	e, err := s.Manager.Endpoint(v.r.Context(), v.caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	made, err := make()
	if err != nil {
		return err
	}
	view.Endpoint, view.Secret, view.Snippets = s.row(e), made.Text, s.snippets
	return s.show(v, "secret", "Your signing secret", view)
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
