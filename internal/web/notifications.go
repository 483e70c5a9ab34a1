package web

import (
	"net/http"

	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// shownMails is how many of the last mails the page lists.
const shownMails = 20

// notificationsView is the page of who is told by mail, and what they were.
type notificationsView struct {
	manage.Recipients
	Form
	Names  map[string]string // of members, by their ids
	Mails  []manage.SentMail
	Tested []manage.TestedMail // what became of the test mails that were just sent
}

func (s *Server) showNotifications(v *visit) error {
	return s.notifications(v, http.StatusOK, notificationsView{Form: blank()})
}

func (s *Server) notifications(v *visit, status int, view notificationsView) (err error) {
	if view.Recipients, err = s.Manager.ListRecipients(v.r.Context(), v.caller, struct{}{}); err != nil {
		return err
	}
	sent, err := s.Manager.ListMails(v.r.Context(), v.caller, manage.Page{Limit: shownMails})
	if err != nil {
		return err
	}
	view.Mails = sent.Rows
	if view.Names, err = s.actorNames(v); err != nil {
		return err
	}
	return s.render(v, status, "notifications", "Notifications", view)
}

func (s *Server) doAddRecipient(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	_, err = s.Manager.AddRecipient(v.r.Context(), v.caller, f.Get("email"))
	if f.takes(err) {
		return s.notifications(v, http.StatusUnprocessableEntity, notificationsView{Form: f})
	}
	if err != nil {
		return err
	}
	return v.see("/settings/notifications?done=told")
}

func (s *Server) doRemoveRecipient(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	if _, err := s.Manager.RemoveRecipient(v.r.Context(), v.caller, f.Get("email")); err != nil {
		return err
	}
	return v.see("/settings/notifications?done=untold")
}

func (s *Server) doTestMail(v *visit) error {
	f := blank()
	tested, err := s.Manager.TestMail(v.r.Context(), v.caller, struct{}{})
	if f.takes(err) {
		return s.notifications(v, http.StatusUnprocessableEntity, notificationsView{Form: f})
	}
	if err != nil {
		return err
	}
	return s.notifications(v, http.StatusOK, notificationsView{Form: f, Tested: tested})
}
