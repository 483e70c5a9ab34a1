package web

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// pages are the templates by name, each with the layout around it.
type pages map[string]*template.Template

// parsePages reads all templates. Those whose names begin with an underscore are parts of others.
func parsePages() (pages, error) {
	names, err := files.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	all := pages{}
	for _, entry := range names {
		name, ok := strings.CutSuffix(entry.Name(), ".html")
		if !ok || strings.HasPrefix(name, "_") {
			continue
		}
		t, err := template.New("_layout.html").Funcs(functions).ParseFS(files, "templates/_*.html", path.Join("templates", entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		all[name] = t
	}
	return all, nil
}

// frame is what the layout shows around a page.
type frame struct {
	Title   string
	Who     string // is signed in; "" = nobody
	WhoID   string // who that is, for script: of a guest the account
	Role    auth.Role
	Account string // the name of theirs
	Nav     []menu
	Done    string // what was just done; "" = nothing
	Stopped banner
	Version string
	View    any // of the page
	caller  auth.Caller
}

// May reports whether a button is for whoever looks.
func (f frame) May(scope string) bool { return f.caller.Can(auth.Scope(scope)) }

type link struct {
	Path, Name string
	Here       bool
}

// menu is a part of the navigation.
type menu struct {
	Name  string
	Links []link
}

// navigation lists the pages that the menu has, with what they take. "Settings, Webhook endpoints" is where the seed
// document sends people.
var navigation = []struct {
	group, path, name string
	needs             auth.Scope
}{
	{"Settings", "/endpoints", "Webhook endpoints", auth.Read},
	{"Activity", "/deliveries", "Deliveries", auth.Read},
	{"Activity", "/dead-letters", "Dead letters", auth.Read},
	{"Activity", "/events", "Events", auth.Read},
	{"Activity", "/event-types", "Event types", auth.Read},
	{"Account", "/settings/members", "Members", auth.Read},
	{"Account", "/settings/notifications", "Notifications", auth.Read},
	{"Account", "/settings/keys", "API keys", auth.Manage},
	{"Account", "/settings/accounts", "Accounts", auth.Admin},
	{"Account", "/audit", "Audit", auth.Read},
	{"Account", "/settings/server", "This server", auth.Read},
}

// done are the messages that a page shows after a redirect, by what stands in its address: never a text from outside.
var done = map[string]string{
	"saved": "The settings were saved.", "disabled": "The endpoint is paused; what is for it is held.",
	"enabled": "The endpoint is enabled.", "deleted": "The endpoint was deleted.", "promoted": "The prepared secret signs now; the old one goes on beside it until its overlap ends.",
	"retried": "The delivery is being retried.", "discarded": "The delivery was discarded.", "cancelled": "The job was stopped; what it has moved stays moved.",
	"role": "The role was changed.", "removed": "The member was removed; their sessions have ended.", "uninvited": "The invitation was taken back.",
	"renamed": "Your name was changed.", "password": "Your password was changed; your other sessions have ended.", "linked": "The single sign-on is linked: from now on you may sign in by it.",
	"unlinked": "The single sign-on is unlinked.",
	"told":     "The address was added.", "untold": "The address was removed.",
	"ended": "The session was ended.", "revoked": "The key was revoked.", "published": "The event was accepted; its deliveries are on their way.", "discarding": "They are being discarded.",
	"welcome": "Welcome. This server is set up, and you are its owner.",
}

// render answers a page.
func (s *Server) render(v *visit, status int, name, title string, view any) error {
	t, ok := s.pages[name]
	if !ok {
		return fmt.Errorf("there is no page %q", name)
	}
	var err error
	f := frame{Title: title, Role: v.caller.Role, Version: s.Version, View: view, Done: done[v.r.URL.Query().Get("done")], caller: v.caller}
	if v.session.ID != "" {
		f.Who, f.WhoID, f.Account = v.session.Name, cmp.Or(v.session.UserID, v.session.AccountID), v.session.Account
		if v.session.UserID == "" {
			f.Who = "Guest by link"
			if v.session.AccountID == store.DefaultAccount {
				f.Who = "Operator by link"
			}
		}
		if f.Stopped, err = s.stopped(v); err != nil {
			s.Logger.WarnContext(v.r.Context(), "page without its banner", slog.String("request_id", v.id), slog.Any("error", err))
		}
		for _, n := range navigation {
			if !v.caller.Can(n.needs) {
				continue
			}
			if len(f.Nav) == 0 || f.Nav[len(f.Nav)-1].Name != n.group {
				f.Nav = append(f.Nav, menu{Name: n.group})
			}
			last := &f.Nav[len(f.Nav)-1]
			last.Links = append(last.Links, link{n.path, n.name, v.r.URL.Path == n.path || strings.HasPrefix(v.r.URL.Path, n.path+"/")})
		}
	}
	var b bytes.Buffer
	if err = t.Execute(&b, f); err != nil {
		return fmt.Errorf("make page %s: %w", name, err)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes()) // the visitor has gone away; there is nobody to tell
	return nil
}

// banner warns of endpoints that outcomes disabled: of one or two by name, of more by how many there are.
type banner struct {
	Each []manage.Stopped
	Many string // "" = each has a sentence
}

// maxBanner is how many endpoints a banner names: more would push the page itself out of sight of a phone.
const maxBanner = 2

// stopped gives what the banner warns of. The page that leads out of it needs no sentence about the same endpoint.
func (s *Server) stopped(v *visit) (banner, error) {
	if s.Manager == nil {
		return banner{}, nil
	}
	all, err := s.Manager.Stopped(v.r.Context(), v.caller, struct{}{})
	switch {
	case len(all) >= manage.MaxStopped:
		return banner{Many: fmt.Sprintf("%d or more", len(all))}, err
	case len(all) > maxBanner:
		return banner{Many: strconv.Itoa(len(all))}, err
	}
	if strings.HasSuffix(v.r.Pattern, "/recover") {
		all = slices.DeleteFunc(all, func(e manage.Stopped) bool { return e.ID == v.r.PathValue("id") })
	}
	return banner{Each: all}, err
}

// show answers a page that is as it should be.
func (s *Server) show(v *visit, name, title string, view any) error {
	return s.render(v, http.StatusOK, name, title, view)
}

// piece answers a part of a page, which script puts into one that is shown.
func (s *Server) piece(v *visit, page, name string, view any) error {
	var b bytes.Buffer
	if err := s.pages[page].ExecuteTemplate(&b, name, view); err != nil {
		return fmt.Errorf("make %s of page %s: %w", name, page, err)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = v.w.Write(b.Bytes()) // the visitor has gone away; there is nobody to tell
	return nil
}
