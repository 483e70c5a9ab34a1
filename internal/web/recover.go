package web

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// recoverView is the page that leads from a disabled endpoint back to one that receives.
type recoverView struct {
	endpointRow
	Form
	Failed []failure // what led to it, the first first
	Test   *testView // that the address asks for; nil = none
	Job    *jobView  // that sends what was held
}

// Arrived reports that the test did.
func (v recoverView) Arrived() bool { return v.Test != nil && v.Test.Attempt.Class == delivery.OK }

// failure is an attempt that failed before an endpoint was disabled.
type failure struct {
	delivery.Attempt
	EventType string
}

// maxFailures bounds what the page shows of what led to a disabling, and looks through for it.
const maxFailures = 10

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
		if view.Failed, err = s.failures(v, e); err != nil {
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

// failures finds the attempts since the last success that led to an endpoint's disabling, the first first.
func (s *Server) failures(v *visit, e manage.Endpoint) ([]failure, error) {
	ctx := v.r.Context()
	recent, err := s.Manager.ListDeliveries(ctx, v.caller, manage.ListDeliveries{
		Filter: store.DeliveryFilter{EndpointID: e.ID, NoTests: true, Statuses: []delivery.Status{delivery.Failed, delivery.Held, delivery.Retrying}, To: e.DisabledAt.Add(1)},
		Page:   manage.Page{Limit: 2 * maxFailures},
	})
	if err != nil {
		return nil, err
	}
	var all []failure
	for _, one := range recent.Rows {
		if one.Attempts == 0 {
			continue
		}
		d, err := s.Manager.Delivery(ctx, v.caller, one.ID)
		if err != nil {
			return nil, err
		}
		for _, a := range d.Attempts {
			if a.Effect == delivery.Failure && a.StartedAt.After(e.LastSuccessAt) {
				all = append(all, failure{a, d.EventType})
			}
		}
	}
	slices.SortFunc(all, func(a, b failure) int { return a.StartedAt.Compare(b.StartedAt) })
	return all[:min(len(all), maxFailures)], nil
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
