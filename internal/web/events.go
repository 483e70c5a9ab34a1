package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/publish"
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

// typeView is the page of an event type.
type typeView struct {
	manage.EventType
	Form
}

func (s *Server) showType(v *visit) error {
	f := blank()
	return s.typePage(v, http.StatusOK, f)
}

func (s *Server) typePage(v *visit, status int, f Form) error {
	t, err := s.Manager.EventType(v.r.Context(), v.caller, v.r.PathValue("name"))
	if err != nil {
		return err
	}
	if !f.Has("data", f.Get("data")) {
		f.Set("data", body(t.Sample))
	}
	return s.render(v, status, "type", t.Name, typeView{t, f})
}

// doPublish publishes an event of a type, which a person may have changed from the sample.
func (s *Server) doPublish(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	event := publish.Input{Type: v.r.PathValue("name"), Data: json.RawMessage(f.Get("data"))}
	id, err := s.Manager.PublishByHand(v.r.Context(), v.caller, manage.ByHand{Type: event.Type, Publish: func(ctx context.Context) (string, error) {
		done, err := s.Publisher.Publish(ctx, v.caller.AccountID, []publish.Input{event})
		if err != nil {
			return "", err
		}
		return done[0].EventID, nil
	}})
	var invalid *publish.Invalid
	switch {
	case errors.As(err, &invalid):
		for _, one := range invalid.Fields {
			f.Wrong["data"] = strings.TrimSpace(f.Wrong["data"] + " " + sentence(fmt.Sprintf("%q: %s", strings.TrimPrefix(one.Name, "data."), one.Message)))
		}
		return s.typePage(v, http.StatusUnprocessableEntity, f)
	case err != nil:
		return err
	}
	return v.see("/events/" + id + "?done=published")
}

// showEventBody answers the exact bytes that every attempt sends, as a file.
func (s *Server) showEventBody(v *visit) error {
	e, err := s.Manager.Event(v.r.Context(), v.caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Set("Content-Disposition", `attachment; filename="event.json"`)
	_, _ = v.w.Write(e.Body) // the visitor has gone away; there is nobody to tell
	return nil
}
