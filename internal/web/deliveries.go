package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// deliveryRow is a delivery as tables show it.
type deliveryRow struct {
	delivery.Delivery
	Endpoint string // what people call it
}

// deliveriesView is the log of deliveries.
type deliveriesView struct {
	listView[deliveryRow]
	Form      // the filters, as they stand in the address
	Endpoints []store.EndpointName
	Types     []manage.EventType
	Statuses  []delivery.Status
	Causes    []delivery.Class
	Live      bool         // what happens is shown as it happens
	Count     *manage.Bulk // of held ones that somebody asked to send, and did not send yet
	Unknown   string       // the number or id that was looked for and is nobody's
}

// Send is the form that sends what is held.
func (v deliveriesView) Send() sending { return sending{v.Form, heldPath, v.Count} }

// statuses are those that people can filter by.
var statuses = []delivery.Status{delivery.Pending, delivery.Sending, delivery.Retrying, delivery.Delivered, delivery.Failed, delivery.Held, delivery.Discarded}

func (s *Server) showDeliveries(v *visit) error {
	f := Form{Values: v.r.URL.Query(), Wrong: map[string]string{}}
	page, err := s.find(v, strings.TrimSpace(f.Get("id")))
	if page != "" {
		return v.see(page)
	}
	view := deliveriesView{Form: f, Live: f.Get("live") != ""}
	if errors.Is(err, store.ErrNotFound) {
		view.Unknown = strings.TrimSpace(f.Get("id"))
	} else if err != nil {
		return err
	}
	return s.deliveries(v, view)
}

// deliveries shows the log beside what was typed and counted.
func (s *Server) deliveries(v *visit, view deliveriesView) error {
	view.Statuses, view.Causes = statuses, delivery.Classes()
	names, err := s.names(v, &view)
	if err != nil {
		return err
	}
	filter := view.Form.deliveries()
	status := http.StatusOK
	if view.Unknown != "" {
		status = http.StatusNotFound
	}
	if view.Wrong["from"] == "" && view.Wrong["to"] == "" {
		found, err := s.Manager.ListDeliveries(v.r.Context(), v.caller, manage.ListDeliveries{Filter: filter, Page: pageOf(v)})
		if err != nil && !view.takes(err) {
			return err
		}
		view.More = view.older("/deliveries", found.Next)
		for _, d := range found.Rows {
			view.Rows = append(view.Rows, deliveryRow{d, names[d.EndpointID]})
		}
	}
	if !view.right() {
		status = http.StatusUnprocessableEntity
	}
	return s.render(v, status, "deliveries", "Deliveries", view)
}

// showHeld is the list of what is held, where the form is that sends it.
func (s *Server) showHeld(v *visit) error { return v.see("/deliveries?status=held") }

func (s *Server) doSendHeld(v *visit) error {
	return s.countThenSend(v, delivery.Held, func(f Form, counted *manage.Bulk) error {
		f.Set("status", string(delivery.Held))
		return s.deliveries(v, deliveriesView{Form: f, Count: counted})
	})
}

// find gives the page of the delivery with a number, or of the event with an id; "" = nothing was looked for.
// store.ErrNotFound when the account has neither.
func (s *Server) find(v *visit, text string) (page string, err error) {
	if text == "" {
		return "", nil
	}
	if id, err := delivery.ParseID(text); err == nil {
		if _, err := s.Manager.Delivery(v.r.Context(), v.caller, id); err != nil {
			return "", err
		}
		return "/deliveries/" + id.String(), nil
	}
	if _, err := s.Manager.Event(v.r.Context(), v.caller, text); err != nil {
		return "", err
	}
	return "/events/" + url.PathEscape(text), nil
}

// deliveries reads the filters of a list.
func (f *Form) deliveries() store.DeliveryFilter {
	filter := store.DeliveryFilter{EndpointID: f.Get("endpoint"), EventID: f.Get("event"), Class: delivery.Class(f.Get("cause")), From: f.time("from"), To: f.time("to")}
	if status := f.Get("status"); status != "" {
		filter.Statuses = []delivery.Status{delivery.Status(status)}
	}
	if t := f.Get("type"); t != "" {
		filter.Types = []string{t}
	}
	return filter
}

// filterNames are the filters of deliveries, as an address has them.
var filterNames = []string{"endpoint", "type", "status", "cause", "event", "from", "to"}

// Names lists them.
func (Form) Names() []string { return filterNames }

// Filtered reports whether a filter is set.
func (f Form) Filtered() bool { return f.At("") != "" }

// At gives the address of a page of ours under the same filters, with more settings written as name=value.
func (f Form) At(path string, more ...string) string {
	kept := url.Values{}
	for _, name := range filterNames {
		if f.Get(name) != "" {
			kept.Set(name, f.Get(name))
		}
	}
	for _, one := range more {
		name, value, _ := strings.Cut(one, "=")
		kept.Set(name, value)
	}
	return address(path, kept)
}

// older gives the address of the next page of a list under the same filters.
func (f Form) older(path, next string) string {
	if next == "" {
		return ""
	}
	more := []string{"cursor=" + next}
	if f.Get("live") != "" {
		more = append(more, "live=1")
	}
	return f.At(path, more...)
}

// names reads what the filters offer, and what endpoints are called.
func (s *Server) names(v *visit, view *deliveriesView) (map[string]string, error) {
	var err error
	if view.Endpoints, err = s.Manager.EndpointNames(v.r.Context(), v.caller, struct{}{}); err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, e := range view.Endpoints {
		names[e.ID] = e.Label()
	}
	view.Types, err = s.Manager.EventTypes(v.r.Context(), v.caller, struct{}{})
	return names, err
}

// time reads a time as the browser's field for it writes one, in UTC; "" = zero.
func (f Form) time(name string) time.Time {
	text := f.Get(name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	f.Wrong[name] = "Write a date and a time, such as 2026-11-26T22:15, in UTC."
	return time.Time{}
}

// deliveryView is the page of a delivery.
type deliveryView struct {
	manage.Delivery
	manage.Neighbours
	Endpoint endpointRow
	Gone     bool // the endpoint was deleted
	Line     []attemptRow
	Shown    *manage.Attempt
	Tab      string // what is shown of it: request, response or signature
	Signed   signed
	Event    store.Event
	Steps    int  // of the schedule
	CanRetry bool // it has ended or is held, and its endpoint receives
	CanEnd   bool // it waits, is held or has failed
	Curl     string
}

// attemptRow is an attempt on the time line.
type attemptRow struct {
	delivery.Attempt
	Phases []phase
	Why    string // it began so much later than planned; "" = a look at what is due explains it
}

// Late is how long after the planned time it began.
func (a attemptRow) Late() time.Duration { return a.StartedAt.Sub(a.PlannedAt) }

// NextNumber is that of the attempt that it waits for.
func (v deliveryView) NextNumber() int { return v.Delivery.Delivery.Attempts + 1 }

// Self is the address of the page as it is shown, which stays with its attempt when another comes.
func (v deliveryView) Self() string {
	if v.Shown == nil {
		return "/deliveries/" + v.Delivery.Delivery.ID.String()
	}
	return fmt.Sprintf("/deliveries/%s?attempt=%d&tab=%s", v.Delivery.Delivery.ID, v.Shown.Number, v.Tab)
}

// Refresh says when the page looks again; "" = nothing will happen by itself.
func (v deliveryView) Refresh() string {
	if status := v.Delivery.Delivery.Status; status.Waiting() || status == delivery.Sending {
		return refresh(v.DueAt, status == delivery.Sending)
	}
	return ""
}

// tabs are what a page shows of an attempt.
var tabs = []string{"response", "request", "signature"}

// Tabs lists them.
func (deliveryView) Tabs() []string { return tabs }

func (s *Server) showDelivery(v *visit) error {
	ctx := v.r.Context()
	id, err := delivery.ParseID(v.r.PathValue("id"))
	if err != nil {
		return store.ErrNotFound
	}
	d, err := s.Manager.Delivery(ctx, v.caller, id)
	if err != nil {
		return err
	}
	view := deliveryView{Delivery: d, Steps: len(s.Policy.Schedule), Tab: v.r.URL.Query().Get("tab")}
	if !slices.Contains(tabs, view.Tab) {
		view.Tab = tabs[0]
	}
	if view.Event, err = s.Manager.Event(ctx, v.caller, d.EventID); err != nil {
		return err
	}
	if view.Neighbours, err = s.Manager.Neighbours(ctx, v.caller, id); err != nil {
		return err
	}
	e, err := s.Manager.Endpoint(ctx, v.caller, d.EndpointID)
	view.Endpoint, view.Gone = s.row(e), err != nil
	view.Line = s.lineOf(d.Attempts, view.Endpoint)
	if number := shownNumber(v, d); number > 0 {
		a, err := s.Manager.Attempt(ctx, v.caller, manage.GetAttempt{DeliveryID: id, Number: number})
		if err != nil {
			return err
		}
		view.Shown, view.Curl, view.Signed = &a, curl(a), signedOf(a)
	}
	test := d.Cycle == delivery.Test
	view.CanRetry = !test && !view.Gone && view.Endpoint.Receives() && (d.Status.Ended() || d.Status == delivery.Held || d.Status.Waiting())
	view.CanEnd = !test && (d.Status.Waiting() || d.Status == delivery.Held || d.Status == delivery.Failed)
	return s.show(v, "delivery", "Delivery "+id.String(), view)
}

// lookEvery is how late a node may find what is due that another one left, with a second for claiming it.
const lookEvery = 3 * time.Second

// lineOf lays attempts out on the time line, with why one began later than its schedule explains.
func (s *Server) lineOf(attempts []delivery.Attempt, e endpointRow) []attemptRow {
	var line []attemptRow
	well := e.LastSuccessAt // since when nothing but failures is known of the endpoint
	if e.EnabledAt.After(well) {
		well = e.EnabledAt
	}
	failed := 0
	for _, a := range attempts {
		row := attemptRow{Attempt: a, Phases: phasesOf(a.Timing)}
		if !row.PlannedAt.IsZero() && row.Late() > lookEvery {
			row.Why = s.whyLate(failed >= delivery.NarrowAfter)
		}
		line = append(line, row)
		if a.StartedAt.After(well) && (a.Effect == delivery.Failure || a.Effect == delivery.Narrows) {
			failed++
		}
	}
	return line
}

// whyLate says what held an attempt back: for certain when its own delivery had failed often enough to narrow the endpoint's
// lane, else what it may have been.
func (s *Server) whyLate(narrow bool) string {
	pace := fmt.Sprintf("one attempt at a time, with pauses of up to %s", short(s.Policy.SpacingLongest))
	if narrow {
		return fmt.Sprintf("Later than the schedule alone: the endpoint had failed %d times in a row by then, so it got %s.", delivery.NarrowAfter, pace)
	}
	return fmt.Sprintf("Later than the schedule alone. An endpoint that failed %d times in a row gets ", delivery.NarrowAfter) + pace + "; its rate limit, its attempts at once or a stop of this server may have held it back, too."
}

// Narrow reports that the endpoint gets one attempt at a time because it fails.
func (v deliveryView) Narrow() bool {
	return v.Endpoint.Receives() && v.Endpoint.Endpoint.Health.Narrow()
}

// signed is how an attempt was signed.
type signed struct {
	Simple    string // the value of X-ComplianceLayer-Signature
	ID, Time  string // of Standard Webhooks
	Signature string // the value of webhook-signature
	Size      int    // of the body, in bytes
}

func signedOf(a manage.Attempt) signed {
	out := signed{Size: len(a.Body)}
	for name, to := range map[string]*string{"X-ComplianceLayer-Signature": &out.Simple, "webhook-id": &out.ID, "webhook-timestamp": &out.Time, "webhook-signature": &out.Signature} {
		*to = valueOf(a.Request.Header, name)
	}
	return out
}

// shownNumber is the attempt that the address asks for, else the last that has ended; 0 = there is none.
func shownNumber(v *visit, d manage.Delivery) int {
	last := 0
	for _, a := range d.Attempts {
		if v.r.URL.Query().Get("attempt") == delivery.ID(a.Number).String() {
			return a.Number
		}
		last = a.Number
	}
	return last
}

// curl writes the request as a command. What is hidden stays so.
func curl(a manage.Attempt) string {
	var b strings.Builder
	b.WriteString("curl -X POST " + quoted(a.Request.URL))
	for _, h := range a.Request.Header {
		if strings.EqualFold(h.Name, "Content-Length") || strings.EqualFold(h.Name, "Host") {
			continue
		}
		b.WriteString(" \\\n  -H " + quoted(h.Name+": "+masked(h)))
	}
	b.WriteString(" \\\n  -d " + quoted(string(a.Body)))
	return b.String()
}

// quoted writes a text as one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (s *Server) doRetry(v *visit) error {
	id, err := delivery.ParseID(v.r.PathValue("id"))
	if err != nil {
		return store.ErrNotFound
	}
	if _, err := s.Manager.RetryDelivery(v.r.Context(), v.caller, id); err != nil {
		return err
	}
	return v.see("/deliveries/" + id.String() + "?done=retried")
}

func (s *Server) doDiscard(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	id, err := delivery.ParseID(v.r.PathValue("id"))
	if err != nil {
		return store.ErrNotFound
	}
	if _, err := s.Manager.DiscardDelivery(v.r.Context(), v.caller, manage.DiscardDelivery{ID: id, Reason: f.Get("reason")}); err != nil {
		return err
	}
	return v.see("/deliveries/" + id.String() + "?done=discarded")
}
