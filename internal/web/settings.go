package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// membersView is the page of an account's members.
type membersView struct {
	listView[store.User]
	Form
	Roles   []auth.Role // that whoever looks can give
	Invites []store.Invite
	// MoreInvites are open than are shown: a list of so many is somebody's mistake, and taking some back shows the others.
	MoreInvites bool
	Once        once   // the link of the invitation that was just made; shown here only
	Own         string // the id of whoever looks
}

// Changes reports whether whoever looks may change or remove a member: who cannot make owners cannot unmake them.
func (v membersView) Changes(u store.User) bool { return slices.Contains(v.Roles, auth.Role(u.Role)) }

// unlessShown passes an error on, unless the page has something to show that is shown once: that is shown then, beside a
// list that lacks its rows.
func (s *Server) unlessShown(v *visit, o once, err error) error {
	if o.Text == "" || err == nil {
		return err
	}
	s.Logger.WarnContext(v.r.Context(), "page without its list", slog.String("request_id", v.id), slog.Any("error", err))
	return nil
}

func (s *Server) showMembers(v *visit) error {
	o, err := s.once(v)
	if err != nil {
		return err
	}
	return s.members(v, http.StatusOK, blank(), o)
}

func (s *Server) members(v *visit, status int, f Form, o once) error {
	view := membersView{Form: f, Once: o, Own: v.session.UserID}
	for _, role := range auth.Roles() {
		if role != auth.Owner || v.caller.MakesOwners() {
			view.Roles = append(view.Roles, role)
		}
	}
	found, err := s.Manager.ListMembers(v.r.Context(), v.caller, pageOf(v))
	if err := s.unlessShown(v, o, err); err != nil {
		return err
	}
	view.Rows, view.More = found.Rows, more(v, found.Next)
	if v.caller.Can(auth.People) {
		open, err := s.Manager.ListInvites(v.r.Context(), v.caller, manage.Page{Limit: manage.MaxLimit})
		if err := s.unlessShown(v, o, err); err != nil {
			return err
		}
		view.Invites, view.MoreInvites = open.Rows, open.Next != ""
	}
	return s.render(v, status, "members", "Members", view)
}

func (s *Server) doInviteMember(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	made, err := s.Manager.InviteMember(v.r.Context(), v.caller, manage.Invite{Email: f.Get("email"), Role: auth.Role(f.Get("role"))})
	if f.takes(err) {
		return s.members(v, http.StatusUnprocessableEntity, f, once{})
	}
	if err != nil {
		return err
	}
	return s.reveal(v, "/settings/members", once{Text: s.base(v) + "/invite/" + made.Token}, func(o once) error { return s.members(v, http.StatusOK, blank(), o) })
}

// base is the address of this server for links that people pass on: the one that the browser used, which behind a proxy is
// not the one that it listens on, else the one that the operator has set.
func (s *Server) base(v *visit) string {
	origin := v.r.Header.Get("Origin")
	if u, err := url.Parse(origin); err == nil && u.Host == v.r.Host && (u.Scheme == "https" || u.Scheme == "http") && u.Path == "" {
		return u.Scheme + "://" + u.Host
	}
	return s.URL()
}

func (s *Server) doChangeRole(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	_, err = s.Manager.ChangeRole(v.r.Context(), v.caller, manage.ChangeRole{ID: v.r.PathValue("id"), Role: auth.Role(f.Get("role"))})
	if f := blank(); f.takes(err) { // the role of the form is not the one of the invitation below
		return s.members(v, http.StatusConflict, f, once{})
	}
	if err != nil {
		return err
	}
	return v.see("/settings/members?done=role")
}

func (s *Server) doRemoveMember(v *visit) error {
	if err := certain(v); err != nil {
		return err
	}
	_, err := s.Manager.RemoveMember(v.r.Context(), v.caller, v.r.PathValue("id"))
	if f := blank(); f.takes(err) {
		return s.members(v, http.StatusConflict, f, once{})
	}
	if err != nil {
		return err
	}
	return v.see("/settings/members?done=removed")
}

func (s *Server) doTakeBackInvite(v *visit) error {
	if _, err := s.Manager.TakeBackInvite(v.r.Context(), v.caller, v.r.PathValue("id")); err != nil {
		return err
	}
	return v.see("/settings/members?done=uninvited")
}

// sessionsView is the page of sessions.
type sessionsView struct {
	listView[store.Session]
	Own string // the one that looks
}

func (s *Server) showSessions(v *visit) error {
	found, err := s.Manager.ListSessions(v.r.Context(), v.caller, pageOf(v))
	if err != nil {
		return err
	}
	return s.show(v, "sessions", "Sessions", sessionsView{listView[store.Session]{found.Rows, more(v, found.Next)}, v.session.ID})
}

func (s *Server) doEndSession(v *visit) error {
	id := v.r.PathValue("id")
	if _, err := s.Manager.EndSession(v.r.Context(), v.caller, id); err != nil {
		return err
	}
	if id == v.session.ID {
		v.signOut()
		return v.see("/sign-in")
	}
	return v.see("/settings/sessions?done=ended")
}

// keysView is the page of an account's API keys.
type keysView struct {
	listView[manage.Key]
	Form
	Scopes auth.Scopes // that whoever looks can give
	Once   once        // the key that was just made; shown here only
}

func (s *Server) showKeys(v *visit) error {
	o, err := s.once(v)
	if err != nil {
		return err
	}
	return s.keys(v, http.StatusOK, blank(), o)
}

func (s *Server) keys(v *visit, status int, f Form, o once) error {
	found, err := s.Manager.ListKeys(v.r.Context(), v.caller, manage.ListKeys{Page: pageOf(v)})
	if err := s.unlessShown(v, o, err); err != nil {
		return err
	}
	view := keysView{listView: listView[manage.Key]{found.Rows, more(v, found.Next)}, Form: f, Once: o}
	for _, scope := range auth.AllScopes() {
		if v.caller.Gives(scope) {
			view.Scopes = append(view.Scopes, scope)
		}
	}
	return s.render(v, status, "keys", "API keys", view)
}

// maxKeyDays bounds the life of a key that ends: ten years.
const maxKeyDays = 3650

func (s *Server) doNewKey(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	in := manage.CreateKey{Name: f.Get("name"), Scopes: f.Values["scopes"]}
	if f.Get("days") != "" {
		days := f.number("days")
		if f.right() && (days < 1 || days > maxKeyDays) {
			f.Wrong["days"] = fmt.Sprintf("Write a number of days from 1 to %d, or nothing for a key that never ends.", maxKeyDays)
		}
		in.ExpiresAt = time.Now().Add(time.Duration(min(days, maxKeyDays)) * 24 * time.Hour)
	}
	if !f.right() {
		return s.keys(v, http.StatusUnprocessableEntity, f, once{})
	}
	made, err := s.Manager.CreateKey(v.r.Context(), v.caller, in)
	if f.takes(err) {
		return s.keys(v, http.StatusUnprocessableEntity, f, once{})
	}
	if err != nil {
		return err
	}
	return s.reveal(v, "/settings/keys", once{Text: made.Text}, func(o once) error { return s.keys(v, http.StatusOK, blank(), o) })
}

func (s *Server) doRevokeKey(v *visit) error {
	if err := certain(v); err != nil {
		return err
	}
	if _, err := s.Manager.RevokeKey(v.r.Context(), v.caller, manage.RevokeKey{ID: v.r.PathValue("id")}); err != nil {
		return err
	}
	return v.see("/settings/keys?done=revoked")
}

// accountsView is the operator's page of all accounts.
type accountsView struct {
	listView[store.Account]
	Form
	Once once // the link that was just made; shown here only
}

func (s *Server) showAccounts(v *visit) error {
	o, err := s.once(v)
	if err != nil {
		return err
	}
	return s.accounts(v, http.StatusOK, accountsView{Form: blank(), Once: o})
}

func (s *Server) accounts(v *visit, status int, view accountsView) error {
	found, err := s.Manager.ListAccounts(v.r.Context(), v.caller, pageOf(v))
	if err := s.unlessShown(v, view.Once, err); err != nil {
		return err
	}
	view.Rows, view.More = found.Rows, more(v, found.Next)
	return s.render(v, status, "accounts", "Accounts", view)
}

func (s *Server) doNewAccount(v *visit) error {
	f, err := readForm(v)
	if err != nil {
		return err
	}
	_, err = s.Manager.CreateAccount(v.r.Context(), v.caller, manage.CreateAccount{Name: f.Get("name")})
	if f.takes(err) {
		return s.accounts(v, http.StatusUnprocessableEntity, accountsView{Form: f})
	}
	if err != nil {
		return err
	}
	return v.see("/settings/accounts")
}

func (s *Server) doPortalLink(v *visit) error {
	made, err := s.Manager.PortalLink(v.r.Context(), v.caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.reveal(v, "/settings/accounts", once{Text: s.base(v) + "/portal/" + made.Token, For: made.AccountID}, func(o once) error {
		return s.accounts(v, http.StatusOK, accountsView{Form: blank(), Once: o})
	})
}

// serverView is the page of the rules that this server goes by.
type serverView struct {
	Policy    delivery.Policy
	Retention time.Duration // 0 = for ever
	Dev       bool
	Version   string
}

func (s *Server) showServer(v *visit) error {
	return s.show(v, "server", "This server", serverView{s.Policy, s.Retention, s.Dev, s.Version})
}

// actorNames gives what those are called who do things in the account, by their ids.
func (s *Server) actorNames(v *visit) (map[string]string, error) {
	names := map[string]string{store.System: theServer}
	for page := (manage.Page{Limit: manage.MaxLimit}); ; {
		members, err := s.Manager.ListMembers(v.r.Context(), v.caller, page)
		if err != nil {
			return nil, err
		}
		for _, u := range members.Rows {
			names[u.ID] = u.Name
		}
		if page.Cursor = members.Next; page.Cursor == "" {
			return names, nil
		}
	}
}
