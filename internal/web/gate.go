package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/feed"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// visit is one request with who makes it.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	id      string // of the request, for the log
	caller  auth.Caller
	session store.Session
}

// sessionCookie has the prefix that keeps other hosts and plain connections from setting it.
const sessionCookie = "__Host-session"

// maxForm bounds what a form may send: a schema or a body to check, with room.
const maxForm = 1 << 20

// contentPolicy lets a page use its own files and nothing else: what an event or a receiver says can neither run nor load anything.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// ServeHTTP is the way in of every request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	s.guard.ServeHTTP(w, r)
}

// Owns reports whether a request is for a page, or from a browser that has lost its way: it is shown one. Programs
// that have are answered by the API.
func (s *Server) Owns(r *http.Request) bool {
	_, pattern := s.mux.Handler(r)
	return pattern != "/" && pattern != "" || strings.Contains(r.Header.Get("Accept"), "text/html")
}

// entry stands before every route: it finds out who visits, holds them to what the route needs, and
// answers what goes wrong.
func (s *Server) entry(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r, id: newRequestID()}
		defer func() {
			if cause := recover(); cause != nil {
				if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) { // an export that broke off: the connection must end
					panic(cause)
				}
				s.fail(v, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
			}
		}()
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := s.admit(v, rt); err != nil {
			s.fail(v, err)
			return
		}
		if err := rt.serve(v); err != nil {
			s.fail(v, err)
		}
	})
}

// errSignIn sends a visitor to the sign-in page and back.
var errSignIn = errors.New("sign in first")

// admit finds out who visits and whether they may.
func (s *Server) admit(v *visit, rt route) error {
	if err := s.recognize(v); err != nil {
		return err
	}
	switch {
	case rt.needs == open:
		return nil
	case v.session.ID == "":
		return errSignIn
	case !v.caller.Can(rt.needs):
		return &manage.Forbidden{Scope: rt.needs, Has: v.caller.Scopes}
	}
	return nil
}

// recognize reads the session, if there is one.
func (s *Server) recognize(v *visit) error {
	cookie, err := v.r.Cookie(sessionCookie)
	if err != nil {
		return nil //nolint:nilerr // nobody is signed in
	}
	find := s.SignIns.BySession
	if v.byItself() {
		find = s.SignIns.Watching
	}
	v.caller, v.session, err = find(v.r.Context(), cookie.Value)
	if errors.Is(err, auth.ErrNoSession) {
		return nil
	}
	v.caller.From = auth.Where(v.visitor())
	return err
}

// byItself reports whether a page asks, and nobody who looks at it: it looks again, or follows what happens. What people
// press is a link or a form without script.
func (v *visit) byItself() bool { return v.r.Method == http.MethodGet && v.fromScript() }

func (v *visit) fromScript() bool {
	return v.r.Header.Get("HX-Request") != "" || strings.Contains(v.r.Header.Get("Accept"), "text/event-stream")
}

// holds reports whether an answer that takes long may go on: the session has not ended since, may still what it
// might, and the program is not about to stop.
func (s *Server) holds(v *visit) bool {
	select {
	case <-s.Draining:
		return false
	default:
	}
	now := visit{w: v.w, r: v.r}
	err := s.recognize(&now)
	return err == nil && now.session.ID == v.session.ID && now.caller.Role == v.caller.Role
}

// signIn gives the browser the token of a session.
func (v *visit) signIn(token string) {
	http.SetCookie(v.w, &http.Cookie{
		Name: sessionCookie, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(auth.SessionLongest.Seconds()),
	})
}

func (v *visit) signOut() {
	http.SetCookie(v.w, &http.Cookie{Name: sessionCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}

func (v *visit) visitor() auth.Visitor {
	return auth.Visitor{From: v.r.RemoteAddr, Agent: v.r.UserAgent()}
}

// see sends the browser on to a page of ours.
func (v *visit) see(path string) error {
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// back is where a visitor wanted to go before they had to sign in, if that is a page of ours.
func back(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

// askToSignIn sends a visitor to the sign-in page, and back to where they were after it. What script fetches is told so and
// not sent there: it would put that page into this one.
func (s *Server) askToSignIn(v *visit) {
	if v.fromScript() {
		v.w.Header().Set("HX-Redirect", signInFor(s.pageAround(v)))
		http.Error(v.w, "your session has ended: sign in again", http.StatusUnauthorized)
		return
	}
	_ = v.see(signInFor(s.pageBehind(v)))
}

// signInFor is the address of the sign-in page that leads to a page of ours.
func signInFor(page string) string {
	if page == "/" {
		return "/sign-in"
	}
	return "/sign-in?next=" + url.QueryEscape(page)
}

// pageAround is the page that script fetches something for.
func (s *Server) pageAround(v *visit) string {
	u, err := url.Parse(v.r.Header.Get("HX-Current-URL"))
	if err != nil || u.Path == "" {
		return "/"
	}
	asked := *v
	asked.r = &http.Request{Method: http.MethodPost, URL: u, Host: v.r.Host} // it may be the answer to a form
	if page := s.pageBehind(&asked); page != u.EscapedPath() {
		return page
	}
	return back(u.RequestURI())
}

// pageBehind is the page that a visitor was on: the one that they asked for, or that had the button.
func (s *Server) pageBehind(v *visit) string {
	if v.r.Method == http.MethodGet {
		return v.r.URL.RequestURI()
	}
	for path := v.r.URL.EscapedPath(); len(path) > 1; path = path[:strings.LastIndex(path, "/")] {
		u, err := url.Parse(path)
		if err != nil {
			break
		}
		if _, pattern := s.mux.Handler(&http.Request{Method: http.MethodGet, URL: u, Host: v.r.Host}); strings.HasPrefix(pattern, "GET ") {
			return path
		}
	}
	return "/"
}

// trouble is the page that says what went wrong and what to do.
type trouble struct {
	Status    int
	Title     string
	Text      string
	RequestID string
}

// fail answers an error. What is our fault goes to the log, and only there.
func (s *Server) fail(v *visit, err error) {
	if errors.Is(err, errSignIn) {
		s.askToSignIn(v)
		return
	}
	if errors.Is(err, context.Canceled) && v.r.Context().Err() != nil {
		return // the visitor has gone away; there is nobody to tell
	}
	t := troubleOf(err)
	t.RequestID = v.id
	if t.Status == http.StatusInternalServerError {
		s.Logger.ErrorContext(v.r.Context(), "page failed", slog.String("request_id", v.id), slog.String("route", v.r.Pattern),
			slog.String("account_id", v.caller.AccountID), slog.Any("error", err))
	}
	if err := s.render(v, t.Status, "trouble", t.Title, t); err != nil {
		s.Logger.ErrorContext(v.r.Context(), "page failed", slog.String("request_id", v.id), slog.Any("error", err))
	}
}

func troubleOf(err error) trouble {
	var conflict *store.Conflict
	var invalid *manage.Invalid
	var forbidden *manage.Forbidden
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &forbidden):
		return trouble{Status: http.StatusForbidden, Title: "Not for your role", Text: "Your role in this account does not include this. Ask an owner or an admin of the account."}
	case errors.Is(err, feed.ErrReaders):
		return trouble{Status: http.StatusTooManyRequests, Title: "Too many follow along", Text: "As many live lists of this account are open as may be at once. Close one, and open this one again."}
	case errors.Is(err, errForeign):
		return trouble{Status: http.StatusForbidden, Title: "Sent by another site", Text: "This form was sent by a page of another site, so nothing was done. If you meant it, open the page here and press the button again. Behind a proxy, it must pass the Host header on as browsers send it."}
	case errors.Is(err, store.ErrNotFound):
		return trouble{Status: http.StatusNotFound, Title: "Nothing here", Text: "There is no such page, or nothing with this id in your account. It may have been deleted, or belong to another account."}
	case errors.As(err, &conflict):
		return trouble{Status: http.StatusConflict, Title: "Not now", Text: sentence(conflict.Message)}
	case errors.As(err, &invalid):
		return trouble{Status: http.StatusUnprocessableEntity, Title: "Something is missing or wrong", Text: whole(invalid)}
	case errors.Is(err, store.ErrDisabled):
		return trouble{Status: http.StatusConflict, Title: "The endpoint is disabled", Text: "Nothing is sent to a disabled endpoint. Send it a test, enable it, and try again."}
	case errors.Is(err, errUnsure):
		return trouble{Status: http.StatusUnprocessableEntity, Title: "One more step", Text: "Nothing was done yet. Go back, read what will happen, confirm it, and press the button again."}
	case errors.As(err, &tooLong):
		return trouble{Status: http.StatusRequestEntityTooLarge, Title: "Too long", Text: "What you sent is longer than this page takes."}
	case errors.Is(err, store.ErrFull):
		return trouble{Status: http.StatusServiceUnavailable, Title: "The server's disk is full", Text: "Nothing was changed. The operator must make room; pages that only show something go on working."}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrSlow), errors.Is(err, store.ErrStale), errors.Is(err, store.ErrClosed), errors.Is(err, auth.ErrBusy):
		return trouble{Status: http.StatusServiceUnavailable, Title: "Not at this moment", Text: "The database does not answer in time, or there is too much to do. Try again in a moment; if you were changing something, look first whether it was done."}
	}
	return trouble{Status: http.StatusInternalServerError, Title: "A fault of ours", Text: "Something went wrong on the server. Its log has the details under the number below."}
}

// whole says all that is wrong with what was sent.
func whole(invalid *manage.Invalid) string {
	var all []string
	for _, one := range invalid.Fields {
		all = append(all, sentence(strings.ReplaceAll(one.Name, "_", " ")+": "+one.Message))
	}
	return strings.Join(all, " ")
}

// sentence gives a clause a capital and a full stop.
func sentence(clause string) string {
	if clause == "" {
		return clause
	}
	clause = strings.ToUpper(clause[:1]) + clause[1:]
	if !strings.HasSuffix(clause, ".") {
		clause += "."
	}
	return clause
}

// errForeign is what a form of another site gets.
var errForeign = errors.New("the form was sent by another site")

// foreign answers what another site's page sent with this visitor's cookies. Nothing of it was done.
func (s *Server) foreign(w http.ResponseWriter, r *http.Request) {
	s.fail(&visit{w: w, r: r, id: newRequestID()}, errForeign)
}

// nothing answers what no route matches. Where only a form is sent leads to the page of the form: the address stays in the
// browser beside what was wrong with the form or was counted, and somebody may open it again.
func (s *Server) nothing(w http.ResponseWriter, r *http.Request) {
	v := &visit{w: w, r: r, id: newRequestID()}
	sent := &http.Request{Method: http.MethodPost, URL: r.URL, Host: r.Host}
	if _, pattern := s.mux.Handler(sent); r.Method == http.MethodGet && strings.HasPrefix(pattern, "POST ") {
		_ = v.see(s.pageBehind(&visit{r: sent}))
		return
	}
	if err := s.recognize(v); err != nil {
		s.fail(v, err)
		return
	}
	s.fail(v, store.ErrNotFound)
}

func newRequestID() string {
	var b [12]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return "req_" + hex.EncodeToString(b[:])
}
