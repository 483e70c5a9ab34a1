package web

import (
	"errors"
	"net/url"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// testView is how a test ended.
type testView struct {
	Attempt    delivery.Attempt
	DeliveryID string
}

// test sends a test to the endpoint in the address and leads to a page that shows how it ended, so that a reload of
// that shows it again and sends nothing.
func (s *Server) test(v *visit, page string) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	done, err := s.Manager.TestEndpoint(v.r.Context(), v.caller, manage.TestEndpoint{ID: v.r.PathValue("id"), Type: f.Get("type")})
	if err != nil {
		return err
	}
	return v.see(address("/endpoints/"+url.PathEscape(v.r.PathValue("id"))+page, url.Values{"test": {done.Attempt.DeliveryID.String()}}))
}

func (s *Server) doTest(v *visit) error { return s.test(v, "") }

// doRecoverTest sends a test from the page that leads back to work, and stays on it.
func (s *Server) doRecoverTest(v *visit) error { return s.test(v, "/recover") }

// tested reads the test of an endpoint that the address asks for; nil = it asks for none that the log still has.
func (s *Server) tested(v *visit, endpointID string) (*testView, error) {
	id, err := delivery.ParseID(v.r.URL.Query().Get("test"))
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // nothing is asked for, or nothing that is a delivery
	}
	d, err := s.Manager.Delivery(v.r.Context(), v.caller, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (d.EndpointID != endpointID || d.Cycle != delivery.Test || len(d.Attempts) == 0) {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, err
	}
	a, err := s.Manager.Attempt(v.r.Context(), v.caller, manage.GetAttempt{DeliveryID: id, Number: d.Attempts[len(d.Attempts)-1].Number})
	if err != nil {
		return nil, err
	}
	return &testView{a.Attempt, id.String()}, nil
}
