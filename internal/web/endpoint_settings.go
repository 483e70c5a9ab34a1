package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// endpointSettings is the view of the page that changes one.
type endpointSettings struct {
	Form
	endpointRow
	Types    []manage.EventType
	Dev      bool
	Conflict *editConflict // somebody else was there; nil = nobody
}

// editConflict is what others did to an endpoint while its settings were being changed.
type editConflict struct {
	Done  []auditRow // the latest first; none = the audit has it not
	Field []nowIs    // that are not as they were typed
}

// nowIs is what a field has by now.
type nowIs struct{ Name, Value string }

func (s *Server) showEndpointSettings(v *visit) error {
	opened := time.Now()
	e, err := s.Manager.Endpoint(v.r.Context(), v.caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	f := blank()
	f.Set("url", e.URL)
	f.Set("description", e.Description)
	f.Set("headers", shownHeaders(e.Headers))
	f.Values["events"] = e.Events
	if e.RateLimit > 0 {
		f.Set("rate_limit", fmt.Sprint(e.RateLimit))
	}
	if e.Concurrency > 0 {
		f.Set("concurrency", fmt.Sprint(e.Concurrency))
	}
	f.sees(e, opened)
	return s.askSettings(v, http.StatusOK, endpointSettings{Form: f, endpointRow: s.row(e)})
}

func (s *Server) askSettings(v *visit, status int, view endpointSettings) error {
	types, err := s.Manager.EventTypes(v.r.Context(), v.caller, struct{}{})
	if err != nil {
		return err
	}
	view.Types, view.Dev = types, s.Dev
	return s.render(v, status, "endpoint_settings", "Settings of "+view.Label(), view)
}

func (s *Server) doEndpointSettings(v *visit) error {
	opened := time.Now()
	f, err := readForm(v)
	if err != nil {
		return err
	}
	e, err := s.Manager.Endpoint(v.r.Context(), v.caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	headers := f.headers(e.Headers)
	if headers == nil {
		headers = []delivery.Header{}
	}
	in := manage.UpdateEndpoint{
		ID: e.ID, URL: pointer(strings.TrimSpace(f.Get("url"))), Events: pointer(f.Values["events"]), Description: pointer(f.Get("description")), Headers: &headers,
		RateLimit: pointer(f.number("rate_limit")), Concurrency: pointer(f.number("concurrency")), Seen: f.seen(),
	}
	if f.right() {
		_, err = s.Manager.UpdateEndpoint(v.r.Context(), v.caller, in)
		if errors.Is(err, manage.ErrChanged) {
			if e, err = s.Manager.Endpoint(v.r.Context(), v.caller, e.ID); err != nil {
				return err
			}
			conflict, err := s.conflictOf(v, e, f, in)
			if err != nil {
				return err
			}
			f.sees(e, opened)
			return s.askSettings(v, http.StatusConflict, endpointSettings{Form: f, endpointRow: s.row(e), Conflict: &conflict})
		}
		if err == nil {
			return v.see("/endpoints/" + e.ID + "?done=saved")
		}
		if !f.takes(err) {
			return err
		}
	}
	return s.askSettings(v, http.StatusUnprocessableEntity, endpointSettings{Form: f, endpointRow: s.row(e)})
}

// edits are the deeds that change what the page of the settings was opened with.
var edits = []string{"endpoint.update", "endpoint.disable", "endpoint.enable", store.DisabledEndpoint}

// conflictOf finds out who changed an endpoint since its page was opened, and which fields are not as they are typed.
func (s *Server) conflictOf(v *visit, e manage.Endpoint, f Form, typed manage.UpdateEndpoint) (c editConflict, err error) {
	opened := f.millis("opened")
	recent, err := s.Manager.ListAudit(v.r.Context(), v.caller, manage.ListAudit{Filter: store.AuditFilter{From: opened}, Page: manage.Page{Limit: manage.MaxLimit}})
	if err != nil {
		return c, err
	}
	names, err := s.actorNames(v)
	if err != nil {
		return c, err
	}
	for _, entry := range recent.Rows {
		if entry.Object == e.ID && slices.Contains(edits, entry.Action) {
			c.Done = append(c.Done, auditRow{entry, names[entry.Actor]})
		}
	}
	for _, one := range []struct {
		nowIs
		same bool
	}{
		{nowIs{"URL", e.URL}, e.URL == *typed.URL},
		{nowIs{"Description", e.Description}, e.Description == *typed.Description},
		{nowIs{"Events", strings.Join(e.Events, ", ")}, slices.Equal(slices.Sorted(slices.Values(e.Events)), slices.Sorted(slices.Values(*typed.Events)))},
		{nowIs{"Headers", shownHeaders(e.Headers)}, slices.Equal(e.Headers, *typed.Headers)},
		{nowIs{"Attempts a second", bounded(e.RateLimit)}, e.RateLimit == *typed.RateLimit},
		{nowIs{"Attempts at once", bounded(e.Concurrency)}, e.Concurrency == *typed.Concurrency},
	} {
		if !one.same {
			c.Field = append(c.Field, one.nowIs)
		}
	}
	return c, nil
}

// bounded writes a limit that may be left out.
func bounded(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// sees notes in the form which state of the endpoint its page has, and since when.
func (f Form) sees(e manage.Endpoint, opened time.Time) {
	f.Set("seen", strconv.FormatInt(e.UpdatedAt.UnixMilli(), 10))
	f.Set("opened", strconv.FormatInt(opened.UnixMilli(), 10))
}

// seen is when the endpoint was changed last, as the page had it; no endpoint was changed when none is said.
func (f Form) seen() time.Time { return f.millis("seen") }

// millis reads a time that a page of ours wrote; what is none is long ago.
func (f Form) millis(name string) time.Time {
	at, err := strconv.ParseInt(f.Get(name), 10, 64)
	if err != nil {
		return time.Unix(0, 0)
	}
	return time.UnixMilli(at)
}

func pointer[T any](v T) *T { return &v }
