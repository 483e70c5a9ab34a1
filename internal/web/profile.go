package web

import (
	"errors"
	"net/http"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// profileView is the page of who is signed in.
type profileView struct {
	Form
	Member  bool // else they came by link, and the rest is empty
	Profile manage.Profile
	Name    string // as it was typed last
	Single  string // what people call the issuer of single sign-on; "" = there is none
	Linked  bool   // to that issuer
}

func (s *Server) showProfile(v *visit) error { return s.profile(v, http.StatusOK, blank()) }

// profile shows the page with a form, and what is wrong with it.
func (s *Server) profile(v *visit, status int, f Form) error {
	view := profileView{Form: f, Member: v.session.UserID != "", Single: s.single()}
	if !view.Member {
		return s.render(v, status, "profile", "Profile", view)
	}
	var err error
	if view.Profile, err = s.Manager.Profile(v.r.Context(), v.caller, struct{}{}); err != nil {
		return err
	}
	view.Name = view.Profile.Name
	if f.Has("name", f.Get("name")) {
		view.Name = f.Get("name")
	}
	for _, i := range view.Profile.Identities {
		view.Linked = view.Linked || s.Issuer != nil && i.Issuer == s.Issuer.URL()
	}
	return s.render(v, status, "profile", "Profile", view)
}

func (s *Server) doRename(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	_, err = s.Manager.Rename(v.r.Context(), v.caller, f.Get("name"))
	if f.takes(err) {
		return s.profile(v, http.StatusUnprocessableEntity, f)
	}
	if err != nil {
		return err
	}
	return v.see("/settings/profile?done=renamed")
}

func (s *Server) doPassword(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	token, err := s.SignIns.ChangePassword(v.r.Context(), v.session, f.Get("present"), f.Get("password"), v.visitor())
	switch {
	case err == nil:
		v.signIn(token)
		return v.see("/settings/profile?done=password")
	case errors.Is(err, auth.ErrShortPassword), errors.Is(err, auth.ErrLongPassword), errors.Is(err, auth.ErrCommonPassword), errors.Is(err, auth.ErrSamePassword):
		f.Wrong["password"] = sentence(err.Error())
	case f.takes(err):
	default:
		return s.unproven(v, f, "present", err)
	}
	return s.profile(v, http.StatusUnprocessableEntity, f)
}

// unproven answers a form whose sender did not prove to be the member: field is where they typed the password.
func (s *Server) unproven(v *visit, f Form, field string, err error) error {
	var locked *auth.LockedError
	switch {
	case errors.As(err, &locked):
		v.w.Header().Set("Retry-After", retryAfter(locked.For))
		f.Problem = sentence(locked.Error())
		return s.profile(v, http.StatusTooManyRequests, f)
	case errors.Is(err, auth.ErrNoMember):
		f.Problem = sentence(auth.ErrNoMember.Error())
	case errors.Is(err, auth.ErrWrongPassword):
		f.Wrong[field] = "This is not your present password."
	default:
		return err
	}
	return s.profile(v, http.StatusUnprocessableEntity, f)
}

func (s *Server) doUnlink(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	_, err = s.Manager.UnlinkIdentity(v.r.Context(), v.caller, f.Get("issuer"))
	if f.takes(err) {
		return s.profile(v, http.StatusConflict, f)
	}
	if err != nil {
		return err
	}
	return v.see("/settings/profile?done=unlinked")
}
