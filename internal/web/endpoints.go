package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// endpointRow is an endpoint as tables and pages show it.
type endpointRow struct {
	manage.Endpoint
	most int // failures in a row that disable it; 0 = none do
}

// Label is what people call it.
func (e endpointRow) Label() string {
	if e.Description != "" {
		return e.Description
	}
	return e.URL
}

// Badge gives its state as a word and a tone.
func (e endpointRow) Badge() badge {
	switch {
	case e.State == delivery.Disabled && e.DisabledReason == delivery.ByHand:
		return badge{"Paused", "quiet"}
	case e.State == delivery.Disabled:
		return badge{"Disabled", "bad"}
	case e.Endpoint.Health.Failures > 0 && e.most > 0:
		return badge{fmt.Sprintf("Failing %d/%d", e.Endpoint.Health.Failures, e.most), "warn"}
	case e.Endpoint.Health.Failures > 0:
		return badge{fmt.Sprintf("Failing %d", e.Endpoint.Health.Failures), "warn"}
	}
	return badge{"Active", "good"}
}

// OpenAlerts gives a badge for each alert that is open. How bad it was then, or is now, is on the endpoint's page: beside
// the numbers of the day it would contradict them.
func (e endpointRow) OpenAlerts() []badge {
	var all []badge
	for _, a := range e.Alerts {
		all = append(all, badge{nameOf(a.Kind), "warn"})
	}
	return all
}

// Why says in plain words why nothing is sent; "" when something is.
func (e endpointRow) Why() string {
	switch {
	case e.State != delivery.Disabled:
		return ""
	case e.DisabledReason == delivery.ByFailures:
		return fmt.Sprintf("%d attempts in a row failed", e.Endpoint.Health.Failures)
	case e.DisabledReason == delivery.ByGone:
		return "it answered 410 Gone"
	}
	return "by hand"
}

// Spark draws its day.
func (e endpointRow) Spark() spark { return sparkOf(e.Hours) }

// Capped reports that a list counted no further: more may be held.
func (e endpointRow) Capped() bool { return e.Held >= store.ListCountLimit }

// OnlySends reports that all there is for it is being sent just now.
func (e endpointRow) OnlySends() bool { return e.Waiting > 0 && e.NextDue.IsZero() }

// ByHand reports that a person disabled it.
func (e endpointRow) ByHand() bool { return e.DisabledReason == delivery.ByHand }

// Narrowed reports whether a filter beside the endpoint is set.
func (e endpointView) Narrowed() bool {
	return e.Get("status") != "" || e.Get("type") != "" || e.Get("cause") != ""
}

// Refresh says when the page looks again; "" = nothing waits for the endpoint, or a filter is set: to find what
// few match takes up to a second each time.
func (e endpointView) Refresh() string {
	if e.Waiting == 0 || e.Narrowed() {
		return ""
	}
	return refresh(e.NextDue, e.OnlySends())
}

// Used is when a secret signed last: all live ones sign every request. Zero = no request is known that it signed.
func (e endpointView) Used(secret manage.Secret) (last time.Time) {
	sent := append([]time.Time{e.LastSuccessAt, e.Endpoint.Health.CountedUntil}, e.signed...)
	if !e.ByHand() {
		sent = append(sent, e.DisabledAt) // the end of the attempt that did it
	}
	for _, at := range sent {
		if at.After(secret.CreatedAt) && (secret.ExpiresAt.IsZero() || at.Before(secret.ExpiresAt)) && at.After(last) {
			last = at
		}
	}
	return last
}

// Receives reports whether it is enabled.
func (e endpointRow) Receives() bool { return e.State == delivery.Enabled }

type badge struct{ Text, Tone string }

func (s *Server) row(e manage.Endpoint) endpointRow { return endpointRow{e, s.Policy.DisableAfter} }

// listView is a page of a list.
type listView[Row any] struct {
	Rows []Row
	More string // address of the next page; "" = this is the last
}

// more gives the address of the next page, with the filters of this one.
func more(v *visit, next string) string {
	if next == "" {
		return ""
	}
	query := v.r.URL.Query()
	query.Del("done")
	query.Del("once")
	query.Set("cursor", next)
	return address(v.r.URL.Path, query)
}

func pageOf(v *visit) manage.Page { return manage.Page{Cursor: v.r.URL.Query().Get("cursor")} }

// shownEndpoints is how many endpoints a page lists: the day of each is summed up of its minutes.
const shownEndpoints = 25

// endpointsView is the list of endpoints.
type endpointsView struct {
	listView[endpointRow]
	Self string // its address, by which it looks again
}

func (s *Server) showEndpoints(v *visit) error {
	page := pageOf(v)
	page.Limit = shownEndpoints
	found, err := s.Manager.ListEndpoints(v.r.Context(), v.caller, page)
	if err != nil {
		return err
	}
	view := endpointsView{listView[endpointRow]{More: more(v, found.Next)}, v.r.URL.RequestURI()}
	for _, e := range found.Rows {
		view.Rows = append(view.Rows, s.row(e))
	}
	return s.show(v, "endpoints", "Webhook endpoints", view)
}

// newEndpoint is the view of the page that adds one.
type newEndpoint struct {
	Form
	Types []manage.EventType
	Dev   bool
}

func (s *Server) showNewEndpoint(v *visit) error {
	return s.askEndpoint(v, http.StatusOK, blank())
}

func (s *Server) askEndpoint(v *visit, status int, f Form) error {
	types, err := s.Manager.EventTypes(v.r.Context(), v.caller, struct{}{})
	if err != nil {
		return err
	}
	return s.render(v, status, "endpoint_new", "Add webhook", newEndpoint{f, types, s.Dev})
}

// checkedURL is what is said beside a URL while it is typed.
type checkedURL struct {
	Wrong string // "" = an endpoint may have it
	Empty bool
}

// doCheckURL answers a piece of the page: what is wrong with the URL that is being typed.
func (s *Server) doCheckURL(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(f.Get("url"))
	view := checkedURL{Empty: text == ""}
	if !view.Empty {
		_, err = s.Manager.CheckURL(v.r.Context(), v.caller, text)
		if err != nil && !f.takes(err) {
			return err
		}
		view.Wrong = f.Wrong["url"]
	}
	return s.piece(v, "endpoint_new", "url-said", view)
}

func (s *Server) doNewEndpoint(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	in := manage.CreateEndpoint{URL: strings.TrimSpace(f.Get("url")), Events: f.Values["events"], Description: f.Get("description"), Headers: f.headers(nil)}
	if len(in.Events) == 0 {
		f.Wrong["events"] = "Choose at least one event."
	}
	if !f.right() {
		if _, err := s.Manager.CheckURL(v.r.Context(), v.caller, in.URL); err != nil && !f.takes(err) { // all that is wrong is said at once
			return err
		}
		return s.askEndpoint(v, http.StatusUnprocessableEntity, f)
	}
	made, err := s.Manager.CreateEndpoint(v.r.Context(), v.caller, in)
	if f.takes(err) {
		return s.askEndpoint(v, http.StatusUnprocessableEntity, f)
	}
	if err != nil {
		return err
	}
	return s.reveal(v, secretPath(made.Endpoint.ID), once{Text: made.Secret, Use: firstSecret}, func(o once) error { return s.secretPage(v, made.Endpoint, o) })
}

// headers reads lines of "Name: value". A masked value stands for the one of the same name that is stored.
func (f *Form) headers(stored []delivery.Header) []delivery.Header {
	var all []delivery.Header
	for line := range strings.Lines(f.Get("headers")) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			f.Wrong["headers"] = "Write one header a line, as Name: value."
			return nil
		}
		h := delivery.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)}
		if h.Value == mask {
			if h.Value = valueOf(stored, h.Name); h.Value == "" {
				f.Wrong["headers"] = "Write the value of " + h.Name + " again: what was hidden belongs to another name."
				return nil
			}
		}
		all = append(all, h)
	}
	return all
}

func valueOf(headers []delivery.Header, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// shownHeaders writes headers as a form has them, hiding what looks secret.
func shownHeaders(headers []delivery.Header) string {
	var b strings.Builder
	for _, h := range headers {
		value := h.Value
		if h.Hidden() {
			value = mask
		}
		fmt.Fprintf(&b, "%s: %s\n", h.Name, value)
	}
	return b.String()
}

// endpointView is the view of an endpoint's page.
type endpointView struct {
	endpointRow
	Secrets    []manage.Secret
	Stats      manage.Stats
	Bars       chart
	Slowness   chart
	Alerts     []alert
	Form       // the filters of what is listed
	Recent     []deliveryRow
	Further    bool // there are more, or some that were not looked at
	Statuses   []delivery.Status
	Causes     []delivery.Class
	Test       *testView             // that the address asks for; nil = none
	Check      *manage.CheckedSecret // just made
	CheckError string
	Prepared   bool // a secret is prepared
	Types      []manage.EventType
	signed     []time.Time // when the latest of its deliveries ended
}

func (s *Server) showEndpoint(v *visit) error { return s.endpointPage(v, http.StatusOK, nil) }

// endpointPage answers the page of the endpoint in the address, with what change adds.
func (s *Server) endpointPage(v *visit, status int, change func(*endpointView)) error {
	ctx, id := v.r.Context(), v.r.PathValue("id")
	e, err := s.Manager.Endpoint(ctx, v.caller, id)
	if err != nil {
		return err
	}
	view := endpointView{endpointRow: s.row(e), Secrets: e.Secrets, Form: Form{Values: v.r.URL.Query(), Wrong: map[string]string{}}, Statuses: statuses, Causes: delivery.Classes()}
	if view.Stats, err = s.Manager.Stats(ctx, v.caller, manage.GetStats{EndpointID: id}); err != nil {
		return err
	}
	if view.signed, err = s.sentTo(v, id); err != nil {
		return err
	}
	if view.Test, err = s.tested(v, id); err != nil {
		return err
	}
	view.Set("endpoint", id)
	recent, err := s.Manager.ListDeliveries(ctx, v.caller, manage.ListDeliveries{Filter: view.deliveries(), Page: manage.Page{Limit: shownDeliveries}})
	if err != nil && !view.takes(err) {
		return err
	}
	view.Further = recent.Next != ""
	for _, d := range recent.Rows {
		view.Recent = append(view.Recent, deliveryRow{Delivery: d, Endpoint: view.Label()})
	}
	if view.Types, err = s.Manager.EventTypes(ctx, v.caller, struct{}{}); err != nil {
		return err
	}
	for _, secret := range e.Secrets {
		view.Prepared = view.Prepared || secret.Role == store.Next
	}
	view.Bars, view.Slowness, view.Alerts = barsOf(view.Stats), slownessOf(view.Stats), alertsOf(view.endpointRow, view.Stats)
	if change != nil {
		change(&view)
	}
	return s.render(v, status, "endpoint", view.Label(), view)
}

// sentTo gives when the latest deliveries of an endpoint came to their end: what else changes them is no attempt.
func (s *Server) sentTo(v *visit, id string) ([]time.Time, error) {
	latest, err := s.Manager.ListDeliveries(v.r.Context(), v.caller, manage.ListDeliveries{
		Filter: store.DeliveryFilter{EndpointID: id, Statuses: []delivery.Status{delivery.Delivered, delivery.Failed}}, Page: manage.Page{Limit: shownDeliveries},
	})
	var all []time.Time
	for _, d := range latest.Rows {
		all = append(all, d.UpdatedAt)
	}
	return all, err
}

// shownDeliveries is how many deliveries an endpoint's page lists.
const shownDeliveries = 10

func (s *Server) doDisable(v *visit) error {
	id := v.r.PathValue("id")
	if _, err := s.Manager.DisableEndpoint(v.r.Context(), v.caller, manage.DisableEndpoint{ID: id}); err != nil {
		return err
	}
	return v.see("/endpoints/" + url.PathEscape(id) + "?done=disabled")
}

func (s *Server) doDelete(v *visit) error {
	if err := certain(v); err != nil {
		return err
	}
	id := v.r.PathValue("id")
	if _, err := s.Manager.DeleteEndpoint(v.r.Context(), v.caller, manage.DeleteEndpoint{ID: id}); err != nil {
		return err
	}
	return v.see("/endpoints?done=deleted")
}
