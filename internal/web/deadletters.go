package web

import (
	"net/http"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// deadLettersView is the dead letter queue.
type deadLettersView struct {
	listView[deliveryRow]
	Form
	Groups     []deadGroup
	Fewer      int // groups that are not shown: they have the fewest deliveries
	Total      int // counted, up to store.CountLimit
	Endpoints  []store.EndpointName
	Types      []manage.EventType
	Causes     []delivery.Class
	Count      *manage.Bulk // of a retry that was asked for and not begun
	Discarding *manage.Bulk // of a discard, the same
}

// Capped reports that there may be more than were counted.
func (v deadLettersView) Capped() bool { return v.Total >= store.CountLimit }

// shownGroups bounds the table of groups: an account may have a thousand of them.
const shownGroups = 30

// deadGroup are those of one endpoint and cause.
type deadGroup struct {
	store.CauseCount
	Endpoint string
}

func (s *Server) showDeadLetters(v *visit) error {
	return s.deadLetters(v, deadLettersView{Form: Form{Values: v.r.URL.Query(), Wrong: map[string]string{}}})
}

// deadLetters shows the queue beside what was typed and counted.
func (s *Server) deadLetters(v *visit, view deadLettersView) error {
	ctx := v.r.Context()
	view.Causes = delivery.Classes()
	groups, err := s.Manager.DeadLetterCounts(ctx, v.caller, store.CountLimit)
	if err != nil {
		return err
	}
	var filters deliveriesView
	names, err := s.names(v, &filters)
	if err != nil {
		return err
	}
	view.Endpoints, view.Types = filters.Endpoints, filters.Types
	for _, g := range groups {
		view.Total += g.Count
		if len(view.Groups) < shownGroups {
			view.Groups = append(view.Groups, deadGroup{g, names[g.EndpointID]})
		}
	}
	view.Fewer = len(groups) - len(view.Groups)
	if filter := view.dead(); view.Wrong["from"] == "" && view.Wrong["to"] == "" {
		found, err := s.Manager.ListDeliveries(ctx, v.caller, manage.ListDeliveries{Filter: filter, Page: pageOf(v)})
		if err != nil && !view.takes(err) {
			return err
		}
		view.More = view.older("/dead-letters", found.Next)
		for _, d := range found.Rows {
			view.Rows = append(view.Rows, deliveryRow{d, names[d.EndpointID]})
		}
	}
	status := http.StatusOK
	if !view.right() {
		status = http.StatusUnprocessableEntity
	}
	return s.render(v, status, "deadletters", "Dead letters", view)
}

// dead reads the filters of the queue.
func (f *Form) dead() store.DeliveryFilter {
	filter := f.deliveries()
	filter.Statuses = []delivery.Status{delivery.Failed}
	return filter
}

// Send is the form that sends them again.
func (v deadLettersView) Send() sending { return sending{v.Form, "/dead-letters/retry", v.Count} }

func (s *Server) doRetryDeadLetters(v *visit) error {
	return s.countThenSend(v, delivery.Failed, func(f Form, counted *manage.Bulk) error {
		return s.deadLetters(v, deadLettersView{Form: f, Count: counted})
	})
}

// doDiscardDeadLetters counts first. The button under the count discards what matches when it is pressed: what has failed
// in between is among it, and what somebody has sent again is not.
func (s *Server) doDiscardDeadLetters(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	in := manage.DiscardDeliveries{Filter: f.dead(), Reason: f.Get("reason"), DryRun: f.Get("sure") != "yes"}
	if !f.right() {
		return s.deadLetters(v, deadLettersView{Form: f})
	}
	done, err := s.Manager.DiscardDeliveries(v.r.Context(), v.caller, in)
	if f.takes(err) {
		return s.deadLetters(v, deadLettersView{Form: f})
	}
	if err != nil {
		return err
	}
	if done.Job == nil {
		return s.deadLetters(v, deadLettersView{Form: f, Discarding: &done})
	}
	return v.see("/jobs/" + done.Job.ID + "?done=discarding")
}
