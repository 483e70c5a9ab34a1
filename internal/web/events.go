package web

import (
	"net/http"

	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// eventsView is the log of events.
type eventsView struct {
	listView[store.Event]
	Form
	Types []manage.EventType
}

func (s *Server) showEvents(v *visit) error {
	f := Form{Values: v.r.URL.Query(), Wrong: map[string]string{}}
	view := eventsView{Form: f}
	var err error
	if view.Types, err = s.Manager.EventTypes(v.r.Context(), v.caller, struct{}{}); err != nil {
		return err
	}
	filter := store.EventFilter{Type: f.Get("type"), From: f.time("from"), To: f.time("to"), Unmatched: f.Get("unmatched") != ""}
	if f.right() {
		found, err := s.Manager.ListEvents(v.r.Context(), v.caller, manage.ListEvents{Filter: filter, Page: pageOf(v)})
		if err != nil && !view.takes(err) {
			return err
		}
		view.Rows, view.More = found.Rows, more(v, found.Next)
	}
	status := http.StatusOK
	if !view.right() {
		status = http.StatusUnprocessableEntity
	}
	return s.render(v, status, "events", "Events", view)
}

// eventView is the page of an event.
type eventView struct {
	store.Event
	Deliveries []deliveryRow
}

func (s *Server) showEvent(v *visit) error {
	e, err := s.Manager.Event(v.r.Context(), v.caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	view := eventView{Event: e}
	var filters deliveriesView
	names, err := s.names(v, &filters)
	if err != nil {
		return err
	}
	found, err := s.Manager.ListDeliveries(v.r.Context(), v.caller, manage.ListDeliveries{Filter: store.DeliveryFilter{EventID: e.ID}, Page: manage.Page{Limit: manage.MaxLimit}})
	if err != nil {
		return err
	}
	for _, d := range found.Rows {
		view.Deliveries = append(view.Deliveries, deliveryRow{d, names[d.EndpointID]})
	}
	return s.show(v, "event", "Event", view)
}

func (s *Server) showTypes(v *visit) error {
	types, err := s.Manager.EventTypes(v.r.Context(), v.caller, struct{}{})
	if err != nil {
		return err
	}
	return s.show(v, "types", "Event types", types)
}

func (s *Server) showType(v *visit) error {
	t, err := s.Manager.EventType(v.r.Context(), v.caller, v.r.PathValue("name"))
	if err != nil {
		return err
	}
	return s.show(v, "type", t.Name, t)
}
