package web

import (
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// sending is the form that sends many deliveries: of the dead letter queue, or held.
type sending struct {
	Form
	Path  string       // where it is sent
	Count *manage.Bulk // of what was asked for and not begun; nil = nothing was counted yet
}

// Held reports whether it sends what is held.
func (f sending) Held() bool { return f.Path == heldPath }

// heldPath is where the form is sent that sends what is held.
const heldPath = "/deliveries/held/send"

// countThenSend counts first. The button under the count sends what matches when it is pressed, be it more or less by then. again shows
// the page of the form, with the count or with what is wrong.
func (s *Server) countThenSend(v *visit, status delivery.Status, again func(Form, *manage.Bulk) error) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	in := manage.RetryDeliveries{Filter: f.deliveries(), PerSecond: f.pace(), DryRun: f.Get("sure") != "yes"}
	in.Filter.Statuses = []delivery.Status{status}
	if !f.right() {
		return again(f, nil)
	}
	done, err := s.Manager.RetryDeliveries(v.r.Context(), v.caller, in)
	if f.takes(err) {
		return again(f, nil)
	}
	if err != nil {
		return err
	}
	if done.Job == nil {
		return again(f, &done)
	}
	return v.see("/jobs/" + done.Job.ID)
}

// jobView is a bulk change and how far it is.
type jobView struct {
	store.Job
	May  bool // whoever looks may stop it
	Held int  // of its endpoint, when it sends what is held: those that still are
}

// Share is how far it is, from 0 to 100.
func (j jobView) Share() int {
	if j.Total == 0 || j.State == store.JobDone {
		return 100
	}
	return min(100, 100*(j.Done+j.Skipped)/j.Total)
}

// Left is how many it has not come to.
func (j jobView) Left() int { return max(0, j.Total-j.Done-j.Skipped) }

// Running reports that it goes on.
func (j jobView) Running() bool { return j.State == store.JobRunning }

// Log is the address of the list in which stands what came of it, as far as its filter still finds that: what is sent again has
// another status then, and another cause.
func (j jobView) Log() string {
	f := Form{Values: url.Values{}}
	set := func(name, value string) {
		if value != "" {
			f.Set(name, value)
		}
	}
	set("endpoint", j.Filter.EndpointID)
	set("event", j.Filter.EventID)
	if len(j.Filter.Types) == 1 { // the list takes one
		set("type", j.Filter.Types[0])
	}
	if j.Kind == store.JobDiscard {
		set("status", string(delivery.Discarded))
		set("cause", string(j.Filter.Class))
	}
	for name, at := range map[string]time.Time{"from": j.Filter.From, "to": j.Filter.To} {
		if !at.IsZero() {
			f.Set(name, at.UTC().Format("2006-01-02T15:04:05"))
		}
	}
	return f.At("/deliveries")
}

// OfHeld reports that it sends what is held.
func (j jobView) OfHeld() bool {
	return j.Kind == store.JobRelease || j.Kind == store.JobRetry && slices.Contains(j.Filter.Statuses, delivery.Held)
}

// Title is what its page is called.
func (j jobView) Title() string {
	switch {
	case j.Kind == store.JobDiscard:
		return "Discarding"
	case j.OfHeld():
		return "Sending what was held"
	}
	return "Retrying dead letters"
}

// job reads a bulk change. What is held is read after it, so that the two agree once it has ended.
func (s *Server) job(v *visit, id string) (jobView, error) {
	ctx := v.r.Context()
	j, err := s.Manager.Job(ctx, v.caller, id)
	if err != nil {
		return jobView{}, err
	}
	view := jobView{Job: j, May: v.caller.Can(auth.Manage)}
	if endpoint := j.Filter.EndpointID; view.OfHeld() && endpoint != "" {
		e, err := s.Manager.Endpoint(ctx, v.caller, endpoint)
		if err != nil && !errors.Is(err, store.ErrNotFound) { // it was deleted meanwhile, and nothing is held for it
			return jobView{}, err
		}
		view.Held = e.Held
	}
	return view, nil
}

func (s *Server) showJob(v *visit) error {
	j, err := s.job(v, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.show(v, "job", j.Title(), j)
}

// showProgress answers the piece of a page that says how far a job is.
func (s *Server) showProgress(v *visit) error {
	j, err := s.job(v, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.piece(v, "job", "progress", j)
}

func (s *Server) doCancelJob(v *visit) error {
	j, err := s.Manager.CancelJob(v.r.Context(), v.caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.see("/jobs/" + j.ID + "?done=cancelled")
}
