package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/issuer"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// CallbackPath is where the issuer of single sign-on sends people back to.
const CallbackPath = "/sign-in/oidc/callback"

// ticketCookie holds the ticket of a single sign-on that was begun. Strict would keep it back when the issuer sends
// somebody back, so it is Lax, as the session's.
const ticketCookie = "__Host-ticket"

// longestNext bounds the page to go to that is kept in a cookie, in bytes: browsers take 4096 of one, and a sealed & is eight.
const longestNext = 400

// beginSignIn sends a visitor to the issuer. It is a link, so that it works from anywhere: it changes nothing.
func (s *Server) beginSignIn(v *visit) error {
	next := back(v.r.URL.Query().Get("next"))
	if len(next) > longestNext {
		next = "/"
	}
	if v.session.ID != "" {
		return v.see(next)
	}
	errand := issuer.Errand{Next: next}
	address, err := s.sendOut(v, errand)
	if err != nil {
		return s.explain(v, errand, err)
	}
	return v.see(address)
}

// beginInvite sends who was invited to the issuer.
func (s *Server) beginInvite(v *visit) error {
	token := v.r.PathValue("token")
	if _, err := manage.ReadInvite(v.r.Context(), s.Manager, token); errors.Is(err, store.ErrNotFound) {
		return s.inviteGone(v)
	} else if err != nil {
		return err
	}
	return s.onward(v, issuer.Errand{Invite: token, Next: "/endpoints"})
}

// beginLink sends a member to the issuer, to link who they are there. It must be a form of ours: a link from elsewhere
// could have somebody link an identity that is not theirs. It asks for the password, because who links an identity can come back by it.
func (s *Server) beginLink(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	if err := s.SignIns.Prove(v.r.Context(), v.session, f.Get("linking"), v.visitor()); err != nil {
		return s.unproven(v, f, "linking", err)
	}
	return s.onward(v, issuer.Errand{Member: v.session.UserID, Next: "/settings/profile?done=linked"})
}

// onward answers a form with a page that goes on to the issuer: browsers hold a form to our own pages (form-action), with
// all redirects behind it.
func (s *Server) onward(v *visit, e issuer.Errand) error {
	address, err := s.sendOut(v, e)
	if err != nil {
		return s.explain(v, e, err)
	}
	v.w.Header().Set("Refresh", "0; url="+address)
	return s.show(v, "onward", "Continue with "+s.single(), address)
}

// sendOut begins a single sign-on and gives the browser its ticket.
func (s *Server) sendOut(v *visit, e issuer.Errand) (address string, err error) {
	if s.Issuer == nil {
		return "", store.ErrNotFound
	}
	address, ticket, err := s.Issuer.Begin(v.r.Context(), e)
	if err != nil {
		return "", err
	}
	v.keepTicket(ticket, int(issuer.TicketFor.Seconds()))
	return address, nil
}

// keepTicket gives the browser a ticket; with a negative age it takes it away.
func (v *visit) keepTicket(text string, age int) {
	http.SetCookie(v.w, &http.Cookie{Name: ticketCookie, Value: text, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: age})
}

// finishSingle is where the issuer sends people back to.
func (s *Server) finishSingle(v *visit) error {
	if s.Issuer == nil {
		return store.ErrNotFound
	}
	ticket := ""
	if cookie, err := v.r.Cookie(ticketCookie); err == nil {
		ticket = cookie.Value
	}
	v.keepTicket("", -1) // it is good for one try
	if err := s.SignIns.Locked(v.visitor()); err != nil {
		return s.explain(v, issuer.Errand{}, err)
	}
	who, errand, err := s.Issuer.Finish(v.r.Context(), ticket, v.r.URL.Query())
	if errors.Is(err, issuer.ErrUnproven) { // not ErrStale, which any page of another site can make a browser cause
		s.SignIns.Failed(v.visitor())
	}
	if err != nil {
		return s.explain(v, errand, err)
	}
	identity := store.Identity{Issuer: s.Issuer.URL(), Subject: who.Subject}
	switch {
	case errand.Invite != "":
		return s.join(v, errand, identity, who.Name)
	case errand.Member != "":
		return s.link(v, errand, identity)
	}
	token, err := s.SignIns.ByIdentity(v.r.Context(), identity.Issuer, identity.Subject, v.visitor())
	if err != nil {
		return s.explain(v, errand, err)
	}
	v.signIn(token)
	return v.see(errand.Next)
}

// join makes a member of who was invited.
func (s *Server) join(v *visit, e issuer.Errand, i store.Identity, name string) error {
	u, err := manage.AcceptInviteWith(v.r.Context(), s.Manager, manage.NewMember{Token: e.Invite, Name: name}, i)
	if errors.Is(err, store.ErrNotFound) {
		return s.inviteGone(v)
	}
	if err != nil {
		return err
	}
	return s.enter(v, u, "by invitation and single sign-on", e.Next)
}

// link links an identity to the member who wanted that, if it is they who came back.
func (s *Server) link(v *visit, e issuer.Errand, i store.Identity) error {
	if v.session.UserID != e.Member {
		return store.Conflictf("the link was begun by somebody who is not signed in here any more: sign in as who you are, and link it in your profile")
	}
	if _, err := s.Manager.LinkIdentity(v.r.Context(), v.caller, i); err != nil {
		return err
	}
	return v.see(e.Next)
}

// explain answers a single sign-on that came to nothing with the page that it was begun on.
func (s *Server) explain(v *visit, e issuer.Errand, err error) error {
	f := blank()
	status := s.problemOf(v, err, &f)
	switch {
	case status == 0:
		return err
	case e.Invite != "":
		return s.invite(v, e.Invite, status, f)
	case v.session.UserID != "":
		return s.profile(v, status, f)
	}
	return s.render(v, status, "signin", "Sign in", entrance{Form: f, Next: back(e.Next), Single: s.single()})
}

// problemOf says in the form what went wrong and what to do, and answers the status; 0 = it is none of these. What
// an operator should see goes to the log.
func (s *Server) problemOf(v *visit, err error, f *Form) int {
	var locked *auth.LockedError
	name := s.single()
	switch {
	case errors.As(err, &locked):
		v.w.Header().Set("Retry-After", retryAfter(locked.For))
		f.Problem = sentence(locked.Error())
		return http.StatusTooManyRequests
	case errors.Is(err, auth.ErrUnknownIdentity):
		f.Problem = fmt.Sprintf("You have signed in at %s, and nobody here is linked to that. Ask an owner or an admin of your account to invite you; or, if you are a member, sign in by password, and link it in your profile.", name)
		return http.StatusForbidden
	case errors.Is(err, issuer.ErrStale):
		f.Problem = "This sign-in was not begun in this browser, was used already, or was begun more than ten minutes ago. Begin again."
		return http.StatusBadRequest
	case errors.Is(err, issuer.ErrRefused):
		f.Problem = fmt.Sprintf("%s did not let you in, or you stopped there. Begin again, or ask whoever runs it.", name)
		return http.StatusForbidden
	case errors.Is(err, issuer.ErrUnproven):
		f.Problem = fmt.Sprintf("What came back from %s does not prove who you are. Begin again; if it happens again, the operator finds the reason in the server's log.", name)
		s.warn(v, err)
		return http.StatusUnauthorized
	case errors.Is(err, issuer.ErrBusy):
		f.Problem = "Too many people sign in at this moment. Begin again in a few seconds."
		return http.StatusServiceUnavailable
	case errors.Is(err, issuer.ErrAway):
		f.Problem = fmt.Sprintf("%s cannot be reached from here at the moment, or does not answer as it should. Try again in a minute, or sign in by password.", name)
		s.warn(v, err)
		return http.StatusServiceUnavailable
	}
	return 0
}

func (s *Server) warn(v *visit, err error) {
	s.Logger.WarnContext(v.r.Context(), "single sign-on failed", slog.String("request_id", v.id), slog.Any("error", err))
}
