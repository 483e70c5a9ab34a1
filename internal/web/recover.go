package web

import (
	"net/http"
	"net/url"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// recoverView is the page that leads from a disabled endpoint back to one that receives.
type recoverView struct {
	endpointRow
	Form
	Failed []manage.Failure // what led to it, the first first
	Test   *testView        // that the address asks for; nil = none
	Job    *jobView         // that sends what was held
}

// Arrived reports that the test did.
func (v recoverView) Arrived() bool { return v.Test != nil && v.Test.Attempt.Class == delivery.OK }

func (s *Server) showRecover(v *visit) error {
	return s.recoverPage(v, http.StatusOK, recoverView{Form: blank()})
}

func (s *Server) recoverPage(v *visit, status int, view recoverView) error {
	ctx, id := v.r.Context(), v.r.PathValue("id")
	e, err := s.Manager.Endpoint(ctx, v.caller, id)
	if err != nil {
		return err
	}
	view.endpointRow = s.row(e)
	if view.Test, err = s.tested(v, id); err != nil {
		return err
	}
	if !view.Receives() {
		if view.Failed, err = s.Manager.Failures(ctx, v.caller, id); err != nil {
			return err
		}
	}
	if job := v.r.URL.Query().Get("job"); job != "" {
		j, err := s.job(v, job)
		if err != nil {
			return err
		}
		view.Job = &j
	}
	return s.render(v, status, "recover", "Back to work: "+view.Label(), view)
}

func (s *Server) doEnable(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	id := v.r.PathValue("id")
	in := manage.EnableEndpoint{ID: id, Held: manage.HeldChoice(f.Get("held")), PerSecond: f.pace()}
	if !f.right() {
		return s.recoverPage(v, http.StatusUnprocessableEntity, recoverView{Form: f})
	}
	done, err := s.Manager.EnableEndpoint(v.r.Context(), v.caller, in)
	if f.takes(err) {
		return s.recoverPage(v, http.StatusUnprocessableEntity, recoverView{Form: f})
	}
	if err != nil {
		return err
	}
	query := url.Values{"done": {"enabled"}}
	if done.Job != nil {
		query.Set("job", done.Job.ID)
	}
	return v.see(address("/endpoints/"+url.PathEscape(id)+"/recover", query))
}
