package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// entrance is the view of the pages before one is signed in.
type entrance struct {
	Form
	Token string
	Next  string // where to go then
	Email string // of an invitation
	Role  string
	Gone  bool // there is nothing to do here any more
	// Single is what people call the issuer of single sign-on; "" = there is none.
	Single string
}

// single is what people call the issuer of single sign-on; "" = there is none.
func (s *Server) single() string {
	if s.Issuer == nil {
		return ""
	}
	return s.Issuer.Name()
}

func (s *Server) home(v *visit) error { return v.see("/endpoints") }

// showSetup is a form. A visit alone uses nothing up, so that a mail program that looks at links does no harm.
func (s *Server) showSetup(v *visit) error {
	view := entrance{Form: blank(), Token: v.r.URL.Query().Get("token")}
	if view.Token == "" {
		return s.show(v, "setup", "Set up ComplianceLayer", view)
	}
	err := manage.CheckSetup(v.r.Context(), s.Manager, view.Token)
	if err != nil && !view.stale(err) {
		return err
	}
	status := http.StatusOK
	if err != nil {
		status = http.StatusNotFound
	}
	return s.render(v, status, "setup", "Set up ComplianceLayer", view)
}

// stale says in the page what is wrong with a set-up link, and reports whether that is so.
func (e *entrance) stale(err error) bool {
	switch {
	case errors.Is(err, store.ErrNotFound):
		e.Problem = "This set-up link is too old, was replaced by a newer one, or is not one of this server. The server prints a new one each time that it starts, until somebody is set up: restart it and use that one."
	case errors.Is(err, store.ErrConflict):
		e.Problem, e.Gone = "This server is set up already. Sign in, or ask somebody who can to invite you. With an API key of the operator: compliancelayer accounts portal-link acc_default makes a link that lets you in.", true
	default:
		return false
	}
	return true
}

func (s *Server) doSetup(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	view := entrance{Form: f, Token: f.Get("token")}
	u, err := manage.SetUpOwner(v.r.Context(), s.Manager, manage.NewMember{Token: view.Token, Email: f.Get("email"), Name: f.Get("name"), Password: f.Get("password")})
	switch {
	case view.stale(err), view.takes(err):
	case err != nil:
		return err
	default:
		return s.enter(v, u, "by set-up link", "/endpoints?done=welcome")
	}
	return s.render(v, http.StatusUnprocessableEntity, "setup", "Set up ComplianceLayer", view)
}

// enter begins a session of a new member; by says how they came.
func (s *Server) enter(v *visit, u store.User, by, path string) error {
	token, err := s.SignIns.Begin(v.r.Context(), u, by, v.visitor())
	if err != nil {
		return err
	}
	v.signIn(token)
	return v.see(path)
}

func (s *Server) showSignIn(v *visit) error {
	next := back(v.r.URL.Query().Get("next"))
	if v.session.ID != "" {
		return v.see(next)
	}
	return s.show(v, "signin", "Sign in", entrance{Form: blank(), Next: next, Single: s.single()})
}

func (s *Server) doSignIn(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	view := entrance{Form: f, Next: back(f.Get("next")), Single: s.single()}
	token, err := s.SignIns.ByPassword(v.r.Context(), f.Get("email"), f.Get("password"), v.visitor())
	var locked *auth.LockedError
	switch {
	case err == nil:
		v.signIn(token)
		return v.see(view.Next)
	case errors.As(err, &locked):
		v.w.Header().Set("Retry-After", retryAfter(locked.For))
		view.Problem = sentence(locked.Error())
		return s.render(v, http.StatusTooManyRequests, "signin", "Sign in", view)
	case errors.Is(err, auth.ErrWrongPassword):
		view.Problem = sentence(auth.ErrWrongPassword.Error())
		return s.render(v, http.StatusUnauthorized, "signin", "Sign in", view)
	}
	return err
}

// doSignOut ends the session. It works without one, too: the button may be pressed twice.
func (s *Server) doSignOut(v *visit) error {
	if v.session.ID != "" {
		if err := s.SignIns.SignOut(v.r.Context(), v.session, v.visitor()); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	v.signOut()
	return v.see("/sign-in")
}

// showPortal is a page with a button: the link is used up by pressing it, not by a program that looks at it.
func (s *Server) showPortal(v *visit) error {
	return s.show(v, "portal", "Open the dashboard", entrance{Form: blank(), Token: v.r.PathValue("token")})
}

func (s *Server) doPortal(v *visit) error {
	token, _, err := s.SignIns.ByPortalLink(v.r.Context(), v.r.PathValue("token"), v.visitor())
	if errors.Is(err, store.ErrNotFound) {
		view := entrance{Form: blank(), Gone: true}
		view.Problem = "This link was used already, or is older than 15 minutes. Ask for a new one where you got it."
		return s.render(v, http.StatusNotFound, "portal", "Open the dashboard", view)
	}
	if err != nil {
		return err
	}
	v.signIn(token)
	return v.see("/endpoints")
}

func (s *Server) showInvite(v *visit) error {
	return s.invite(v, v.r.PathValue("token"), http.StatusOK, blank())
}

// invite shows an invitation with its form, and what is wrong with it.
func (s *Server) invite(v *visit, token string, status int, f Form) error {
	view := entrance{Form: f, Token: token, Single: s.single()}
	i, err := manage.ReadInvite(v.r.Context(), s.Manager, token)
	if errors.Is(err, store.ErrNotFound) {
		return s.inviteGone(v)
	}
	if err != nil {
		return err
	}
	view.Email, view.Role = i.Email, i.Role
	return s.render(v, status, "invite", "You are invited", view)
}

func (s *Server) inviteGone(v *visit) error {
	view := entrance{Form: blank(), Gone: true}
	view.Problem = "This invitation was accepted, taken back, or is older than a week. Ask whoever invited you for a new one."
	return s.render(v, http.StatusNotFound, "invite", "You are invited", view)
}

func (s *Server) doInvite(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	u, err := manage.AcceptInvite(v.r.Context(), s.Manager, manage.NewMember{Token: v.r.PathValue("token"), Name: f.Get("name"), Password: f.Get("password")})
	if errors.Is(err, store.ErrNotFound) {
		return s.inviteGone(v)
	}
	if f.takes(err) {
		return s.invite(v, v.r.PathValue("token"), http.StatusUnprocessableEntity, f)
	}
	if err != nil {
		return err
	}
	return s.enter(v, u, "by invitation", "/endpoints")
}

// status remembers what the status page says for a moment, because anybody may ask for it.
type status struct {
	cell cell[statusView]
}

type statusView struct {
	Accepting bool
	Late      time.Duration // of the oldest delivery that is due and could be sent; 0 = there is none
}

// Delivering reports whether what is due is sent in time. What waits for the pace of its endpoint is not late.
func (v statusView) Delivering() bool { return v.Accepting && v.Late < time.Minute }

// statusWithin bounds the wait for the database of the status page.
const statusWithin = 2 * time.Second

// statusFor is how old what the status page says may be.
const statusFor = 5 * time.Second

// showStatus says to anybody how the server is, and nothing of anybody.
func (s *Server) showStatus(v *visit) error {
	view := s.status.cell.get(statusFor, func() statusView {
		// The answer is everybody's, whether or not this visitor waits for it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), statusWithin)
		defer cancel()
		if s.Depth.Ping(ctx) != nil {
			return statusView{}
		}
		d, err := s.Depth.Depth(ctx, time.Now())
		return statusView{Accepting: err == nil, Late: d.Late}
	})
	code := http.StatusOK
	if !view.Accepting {
		code = http.StatusServiceUnavailable
	}
	return s.render(v, code, "status", "Status", view)
}

// address puts a query behind a path.
func address(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}
