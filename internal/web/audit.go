package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// auditView is the page of who did what.
type auditView struct {
	listView[auditRow]
	Form           // the filters, as they stand in the address
	Actors []actor // that can be chosen
}

// actor is whoever may have done something.
type actor struct{ ID, Name string }

// Narrowed reports whether a filter is set.
func (v auditView) Narrowed() bool {
	return v.Get("actor") != "" || v.Get("action") != "" || v.Get("from") != "" || v.Get("to") != ""
}

// Only gives the address of the rows that have a value, too.
func (v auditView) Only(name, value string) string {
	query := url.Values{}
	for _, one := range []string{"actor", "action", "from", "to"} {
		if v.Get(one) != "" {
			query.Set(one, v.Get(one))
		}
	}
	query.Set(name, value)
	return address("/audit", query)
}

// auditRow is an entry with who did it.
type auditRow struct {
	store.AuditEntry
	Name string // of the member; "" = it was no member, or one who is gone
}

// theServer is what people call who does things by itself.
const theServer = "the server"

// Path is the page of what it was done to; "" = it has none.
func (r auditRow) Path() string {
	if r.Action == "event.publish" { // whose id may look like anything
		return "/events/" + url.PathEscape(r.Object)
	}
	kind, _, _ := strings.Cut(r.Object, "_")
	switch kind {
	case "ep":
		return "/endpoints/" + r.Object
	case "job":
		return "/jobs/" + r.Object
	}
	if _, err := delivery.ParseID(r.Object); err == nil {
		return "/deliveries/" + r.Object
	}
	return ""
}

func (s *Server) showAudit(v *visit) error {
	view := auditView{Form: Form{Values: v.r.URL.Query(), Wrong: map[string]string{}}}
	names, err := s.actorNames(v)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(names)) {
		view.Actors = append(view.Actors, actor{id, names[id]})
	}
	if id := view.Get("actor"); id != "" && names[id] == "" {
		view.Actors = append(view.Actors, actor{id, id})
	}
	filter := store.AuditFilter{Actor: view.Get("actor"), Action: strings.TrimSpace(view.Get("action")), From: view.time("from"), To: view.time("to")}
	if view.right() {
		found, err := s.Manager.ListAudit(v.r.Context(), v.caller, manage.ListAudit{Filter: filter, Page: pageOf(v)})
		if err != nil && !view.takes(err) {
			return err
		}
		view.More = more(v, found.Next)
		for _, entry := range found.Rows {
			view.Rows = append(view.Rows, auditRow{entry, names[entry.Actor]})
		}
	}
	status := http.StatusOK
	if !view.right() {
		status = http.StatusUnprocessableEntity
	}
	return s.render(v, status, "audit", "Audit", view)
}
