package web_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/app"
)

// invited invites an address and gives the path of the invitation.
func (p *person) invited(email, role string) string {
	p.w.t.Helper()
	return p.post("/settings/members/invite", http.StatusOK, "email", email, "role", role).find(`(/invite/[a-z2-7]+)`)
}

// ticket is the ticket that a browser holds; "" = none.
func (p *person) ticket() string { return p.cookie("__Host-ticket") }

func (p *person) holds(ticket string) { p.keep("__Host-ticket", ticket) }

// linked is a member, signed in, whose profile is linked.
func linked(w *world) *person {
	return w.owner().links()
}

func (p *person) links() *person {
	p.w.t.Helper()
	p.goOn(p.post("/settings/profile/link", http.StatusOK, "linking", password), http.StatusOK).has("is linked", "sub-zoe")
	return p
}

func TestAnInvitationIsAcceptedBySingleSignOn(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	w := newWorld(t, p.settings)
	zoe := w.owner()
	link := zoe.invited("max@example.com", "viewer")
	p.as("sub-max")
	max := w.somebody()
	max.get(link, http.StatusOK).has("Continue with Example ID")
	max.goOn(max.post(link+"/oidc", http.StatusOK), http.StatusOK).has("No endpoint yet", "Zoë of the Issuer", "viewer")
	if max.ticket() != "" {
		t.Error("the ticket was not taken away")
	}
	max.get(link, http.StatusNotFound)
	w.somebody().post(link+"/oidc", http.StatusNotFound).has("Ask whoever invited you")
	max.get("/settings/profile", http.StatusOK).has("sub-max", "You have none", "Set a password").lacks("The present one")
	max.get("/endpoints/new", http.StatusForbidden)

	max.post("/sign-out", http.StatusOK)
	max.single(http.StatusOK).has("No endpoint yet")
	max.post("/sign-out", http.StatusOK)
	for _, guess := range []string{"", password} {
		max.post("/sign-in", http.StatusUnauthorized, "email", "max@example.com", "password", guess).has("do not belong together")
	}
	zoe.until("/audit", "session.refused").has("invited by", "by invitation and single sign-on from 127.0.0.1", "by single sign-on from 127.0.0.1", "session.sign_out", "wrong password from 127.0.0.1").lacks(clientSecret)

	// Who is removed does not come in again.
	id := zoe.get("/settings/members", http.StatusOK).find(`(?s)max@example\.com.*?(usr_[a-z2-7]+)/remove`)
	zoe.post("/settings/members/"+id+"/remove", http.StatusUnprocessableEntity).has("Nothing was done yet")
	zoe.post("/settings/members/"+id+"/remove", http.StatusOK, "sure", "yes")
	max.single(http.StatusForbidden).has("nobody here is linked to that")
}

func TestWhoLinksTheirProfileSignsInByIt(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	w := newWorld(t, p.settings)
	someone := w.owner()
	for _, guess := range []string{"", "not her password"} { // somebody found her browser open
		someone.post("/settings/profile/link", http.StatusUnprocessableEntity, "linking", guess).has("This is not your present password")
	}
	zoe := someone.links()
	zoe.get("/settings/profile", http.StatusOK).lacks("Link Example ID")
	zoe.post("/sign-out", http.StatusOK).has("Continue with Example ID")
	if done := zoe.get("/sign-in/oidc?next="+url.QueryEscape("/deliveries?status=failed&type=a"), http.StatusOK); done.path != "/deliveries?status=failed&type=a" {
		t.Errorf("after signing in at %s", done.path)
	}
	if done := zoe.get("/sign-in/oidc?next=/events", http.StatusOK); done.path != "/events" {
		t.Errorf("who is signed in already is at %s", done.path)
	}
	for _, foreign := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "javascript:alert(1)", "/" + strings.Repeat("a", 5000)} {
		zoe.post("/sign-out", http.StatusOK)
		if done := zoe.get("/sign-in/oidc?next="+url.QueryEscape(foreign), http.StatusOK); done.path != "/endpoints" {
			t.Errorf("next=%.40q leads to %s", foreign, done.path)
		}
	}
	zoe.post("/settings/profile/unlink", http.StatusOK, "issuer", p.URL).has("is unlinked", "Link Example ID")
	zoe.post("/settings/profile/unlink", http.StatusNotFound, "issuer", "https://nothing.example")
	zoe.get("/audit", http.StatusOK).has("member.link", "member.unlink", p.URL)
	zoe.post("/sign-out", http.StatusOK)
	zoe.single(http.StatusForbidden).has("nobody here is linked to that", "Ask an owner", "link it in your profile")
	if log := w.log.String(); strings.Contains(log, clientSecret) || strings.Contains(log, url.QueryEscape(clientSecret)) {
		t.Error("the client's secret is in the log")
	}
}

func TestAMemberWithoutAPasswordSetsOneBeforeUnlinking(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	w := newWorld(t, p.settings)
	link := w.owner().invited("max@example.com", "viewer")
	max := w.somebody()
	max.goOn(max.post(link+"/oidc", http.StatusOK), http.StatusOK)
	max.post("/settings/profile/unlink", http.StatusConflict, "issuer", p.URL).has("set one first")
	max.post("/settings/profile/password", http.StatusUnprocessableEntity, "password", "short").has("12 characters")
	max.post("/settings/profile/password", http.StatusOK, "password", password).has("was changed", "The present one")
	max.post("/settings/profile/unlink", http.StatusOK, "issuer", p.URL).has("is unlinked")
	max.post("/sign-out", http.StatusOK)
	max.post("/sign-in", http.StatusOK, "email", "max@example.com", "password", password).has("No endpoint yet")
}

func TestAnIdentityThatIsAnothersIsLinkedToNobodyElse(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	w := newWorld(t, p.settings)
	zoe := linked(w)
	link := zoe.invited("max@example.com", "viewer")
	max := w.somebody()
	max.goOn(max.post(link+"/oidc", http.StatusOK), http.StatusConflict).has("belongs to another member already")
	max.post(link, http.StatusOK, "name", "Max", "password", password) // the invitation was not used up
	max.goOn(max.post("/settings/profile/link", http.StatusOK, "linking", password), http.StatusConflict).has("belongs to another member already")
	p.as("sub-max")
	max.goOn(max.post("/settings/profile/link", http.StatusOK, "linking", password), http.StatusOK).has("sub-max")
	p.as("sub-max-2")
	max.goOn(max.post("/settings/profile/link", http.StatusOK, "linking", password), http.StatusConflict).has("unlink that one first")
}

func TestALinkBegunByAnotherMemberLinksNothing(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	w := newWorld(t, p.settings)
	zoe := w.owner()
	link := zoe.invited("max@example.com", "viewer")
	onward := zoe.post("/settings/profile/link", http.StatusOK, "linking", password)
	// Somebody else signs in with the same browser, before it comes back.
	zoe.post(link, http.StatusOK, "name", "Max", "password", password)
	zoe.goOn(onward, http.StatusConflict).has("not signed in here any more")
	zoe.get("/settings/profile", http.StatusOK).has("max@example.com").lacks("sub-zoe")

	onward = zoe.post("/settings/profile/link", http.StatusOK, "linking", password)
	zoe.post("/sign-out", http.StatusOK)
	zoe.goOn(onward, http.StatusConflict)
	zoe.single(http.StatusForbidden).has("nobody here is linked to that")
}

func TestALinkIsBegunByAFormOfOursOnly(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	w := newWorld(t, p.settings)
	zoe := w.owner()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/settings/profile/link", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	zoe.do(req, http.StatusForbidden)
	if at := zoe.get("/settings/profile/link", http.StatusOK).path; at != "/settings/profile" {
		t.Errorf("opened as a page, the address of the form leads to %s", at)
	}
	if zoe.ticket() != "" {
		t.Error("a link was begun")
	}
}

// TestWhatTheIssuerSaysIsChecked has the provider say what it must not be believed.
func TestWhatTheIssuerSaysIsChecked(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	w := newWorld(t, p.settings)
	zoe := linked(w)
	claim := func(name string, value any) func(*provider) {
		return func(p *provider) { p.change = func(claims map[string]any) { claims[name] = value } }
	}
	forge := func(header map[string]any, signature func(string) []byte) func(*provider) {
		return func(p *provider) {
			p.forge = func() (map[string]any, func(string) []byte) { return header, signature }
		}
	}
	other := newProvider(t)
	public := p.key.N.Bytes()
	tests := map[string]func(*provider){
		"a foreign nonce":                         claim("nonce", "foreign"),
		"no nonce":                                claim("nonce", nil),
		"another audience":                        claim("aud", "other"),
		"no audience":                             claim("aud", nil),
		"made for another client":                 claim("azp", "other"),
		"another issuer":                          claim("iss", "https://evil.example"),
		"an expired token":                        claim("exp", time.Now().Add(-time.Second).Unix()),
		"no expiry":                               claim("exp", nil),
		"not valid yet":                           claim("nbf", time.Now().Add(time.Hour).Unix()),
		"no subject":                              claim("sub", ""),
		"a subject that cannot be kept":           claim("sub", "sub\x00zoe"),
		"a subject that is too long":              claim("sub", strings.Repeat("a", 256)),
		"no signature":                            forge(map[string]any{"alg": "none"}, func(string) []byte { return nil }),
		"no signature, in capitals":               forge(map[string]any{"alg": "NONE"}, func(string) []byte { return nil }),
		"signed with the client's secret":         forge(map[string]any{"alg": "HS256"}, hs256([]byte(clientSecret))),
		"signed with the public key as a secret":  forge(map[string]any{"alg": "HS256", "kid": "1"}, hs256(public)),
		"signed with a key of nobody":             forge(map[string]any{"alg": "RS256", "kid": "1"}, other.rs256),
		"signed with a key that the token brings": forge(map[string]any{"alg": "RS256", "jku": other.URL + "/keys"}, other.rs256),
		"an empty signature":                      forge(map[string]any{"alg": "RS256", "kid": "1"}, func(string) []byte { return nil }),
		"an answer without a token": func(p *provider) {
			p.instead["/token"] = func(w http.ResponseWriter, _ *http.Request) {
				write(w, map[string]any{"access_token": "x", "token_type": "Bearer"})
			}
		},
		"the client is not known there": func(p *provider) {
			p.instead["/token"] = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, clientSecret, http.StatusUnauthorized) }
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			zoe.post("/sign-out", http.StatusOK)
			p.set(spoil)
			zoe.single(http.StatusUnauthorized).has("does not prove who you are", "Continue with Example ID")
			p.set(func(p *provider) { p.change, p.forge = nil, nil; delete(p.instead, "/token") })
			zoe.get("/endpoints", http.StatusOK).has("Sign in")
			zoe.single(http.StatusOK).has("No endpoint yet")
		})
	}
	if strings.Contains(w.log.String(), clientSecret) {
		t.Error("the client's secret is in the log")
	}
	p.set(func(p *provider) {
		p.change = func(claims map[string]any) { claims["aud"], claims["azp"] = []string{"other", clientID}, clientID }
	})
	zoe.post("/sign-out", http.StatusOK)
	zoe.single(http.StatusOK).has("No endpoint yet")
}

// TestOnlyTheBrowserThatBeganComesBack tries every ticket and state but the right ones.
func TestOnlyTheBrowserThatBeganComesBack(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	w := newWorld(t, p.settings)
	zoe := linked(w)
	zoe.post("/sign-out", http.StatusOK)
	stale := func(name string, who *person, callback string) {
		t.Helper()
		if got := who.open(callback, http.StatusBadRequest); !strings.Contains(got.text, "was not begun in this browser") {
			t.Errorf("%s: %s", name, got.text)
		}
		who.get("/endpoints", http.StatusOK).has("Sign in")
	}
	callback := func(who *person) string {
		t.Helper()
		return who.away(who.away("/sign-in/oidc"))
	}

	stale("another browser", w.somebody(), callback(zoe))
	max := w.somebody()
	callback(max)
	stale("another browser's sign-on", max, callback(zoe))
	stale("another state", zoe, strings.Replace(callback(zoe), "state=", "state=A", 1))
	stale("no state", zoe, strings.Replace(callback(zoe), "state=", "other=", 1))
	for _, change := range []func(string) string{
		func(s string) string { return s[:len(s)-5] + "AAAAA" },
		func(s string) string { return s[:len(s)/2] },
		func(s string) string { return "9" + s },
		func(s string) string { return strings.TrimLeft(s, "0123456789") },
		func(string) string { return "." },
		func(string) string { return b64([]byte(`{"State":"x"}`)) },
	} {
		to := callback(zoe)
		zoe.holds(change(zoe.ticket()))
		stale("an edited ticket", zoe, to)
	}
	if p.redeemed != 1 {
		t.Errorf("%d codes were tried at the issuer, want the one of the link", p.redeemed)
	}

	to := callback(zoe)
	ticket := zoe.ticket()
	zoe.open(to, http.StatusOK).has("No endpoint yet")
	zoe.post("/sign-out", http.StatusOK)
	stale("the same again", zoe, to)
	zoe.holds(ticket)
	zoe.open(to, http.StatusUnauthorized).has("does not prove who you are") // the code is used up
	zoe.get("/endpoints", http.StatusOK).has("Sign in")

	zoe.open(callback(zoe)+"&iss="+url.QueryEscape("https://evil.example"), http.StatusUnauthorized)
	zoe.open(callback(zoe)+"&iss="+url.QueryEscape(p.URL), http.StatusOK).has("No endpoint yet")
}

func TestATicketOfOneNodeIsGoodOnAnother(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	behindOne := func(cfg *app.Config) {
		p.settings(cfg)
		cfg.PublicURL = "https://hooks.example.com"
	}
	// Each has a database of its own here, and both have the same key.
	zoe, there := newWorld(t, behindOne).somebody(), newWorld(t, behindOne).somebody()
	to, err := url.Parse(zoe.away(zoe.away("/sign-in/oidc")))
	if err != nil {
		t.Fatal(err)
	}
	there.holds(zoe.ticket())
	there.get(to.RequestURI(), http.StatusForbidden).has("nobody here is linked to that")
}

func TestARefusalOfTheIssuerIsSaid(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	w := newWorld(t, p.settings)
	p.set(func(p *provider) { p.refuse = "access_denied" })
	w.somebody().single(http.StatusForbidden).has("Example ID did not let you in", "Sign in")
	link := w.owner().invited("max@example.com", "viewer")
	max := w.somebody()
	max.goOn(max.post(link+"/oidc", http.StatusOK), http.StatusForbidden).has("You are invited", "Example ID did not let you in")
}

func TestAnIssuerThatIsAwayIsSaidSo(t *testing.T) {
	t.Parallel()
	answers := map[string]func(http.ResponseWriter, *http.Request){
		"answers an error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "planted", http.StatusInternalServerError) },
		"answers nonsense": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"answers far too much": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte(strings.Repeat(" ", 64<<10))); err != nil {
					return
				}
			}
		},
		"never ends to answer": func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
		"never begins to answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"sends on to another":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"is another issuer": func(w http.ResponseWriter, _ *http.Request) {
			write(w, map[string]any{"issuer": "https://evil.example"})
		},
		"has an address that is none": func(w http.ResponseWriter, r *http.Request) {
			write(w, map[string]any{"issuer": "http://" + r.Host, "authorization_endpoint": "javascript:alert(1)", "token_endpoint": "http://" + r.Host, "jwks_uri": "http://" + r.Host})
		},
	}
	for name, answer := range answers {
		t.Run("that "+name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.instead["/.well-known/openid-configuration"] = answer
			w := newWorld(t, func(cfg *app.Config) {
				p.settings(cfg)
				cfg.SingleSignOn.Timeout = 500 * time.Millisecond
			})
			zoe := w.owner() // the server has started, and passwords are as good as ever
			zoe.post("/settings/profile/link", http.StatusServiceUnavailable, "linking", password).has("Example ID cannot be reached", "Password")
			w.somebody().single(http.StatusServiceUnavailable).has("Example ID cannot be reached", "or sign in by password", `type="password"`)
			if log := w.log.String(); !strings.Contains(log, "single sign-on failed") {
				t.Errorf("the log says nothing of it: %s", log)
			}
			p.set(func(p *provider) { clear(p.instead) })
			back := w.somebody()
			for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
				if a := back.open(w.URL()+"/sign-in", http.StatusOK); time.Now().After(deadline) {
					t.Fatalf("it is never back: %s", a.text)
				}
				if res, err := back.Get(w.URL() + "/sign-in/oidc"); err != nil {
					t.Fatal(err)
				} else if _ = res.Body.Close(); res.StatusCode == http.StatusForbidden { // nobody is linked, says an issuer that is there
					break
				}
			}
		})
	}
}

func TestAnIssuerThatGoesAwayMeanwhileIsSaidSo(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	w := newWorld(t, func(cfg *app.Config) {
		p.settings(cfg)
		cfg.SingleSignOn.Timeout = 500 * time.Millisecond
	})
	zoe := linked(w)
	zoe.post("/sign-out", http.StatusOK)
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "planted", http.StatusBadGateway) },
		"slow":  func(_ http.ResponseWriter, r *http.Request) { _ = r.ParseForm(); <-r.Context().Done() },
		"huge":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(strings.Repeat(" ", 2<<20))) },
		"none":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
	} {
		p.set(func(p *provider) { p.instead["/token"] = answer })
		if a := zoe.single(http.StatusServiceUnavailable); !strings.Contains(a.text, "cannot be reached") {
			t.Errorf("%s: %s", name, a.text)
		}
	}
	p.set(func(p *provider) { clear(p.instead) })
	zoe.single(http.StatusOK).has("No endpoint yet")
}

func TestWithoutAnIssuerThereIsNoSingleSignOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	link := zoe.invited("max@example.com", "viewer")
	zoe.get("/settings/profile", http.StatusOK).lacks("Single sign-on")
	zoe.post("/settings/profile/link", http.StatusNotFound, "linking", password)
	max := w.somebody()
	max.get("/sign-in", http.StatusOK).lacks("Continue with")
	max.get(link, http.StatusOK).lacks("Continue with")
	max.get("/sign-in/oidc", http.StatusNotFound)
	max.get("/sign-in/oidc/callback?code=1&state=2", http.StatusNotFound)
	max.post(link+"/oidc", http.StatusNotFound)
	max.post(link, http.StatusOK, "name", "Max", "password", password)
}

func TestTheTicketAndThePublicAddress(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	w := newWorld(t, func(cfg *app.Config) {
		p.settings(cfg)
		cfg.PublicURL = "https://hooks.example.com"
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	still := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := still.Get(w.URL() + "/sign-in/oidc")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	to, err := res.Location()
	if err != nil {
		t.Fatal(err)
	}
	if got := to.Query().Get("redirect_uri"); got != "https://hooks.example.com/sign-in/oidc/callback" {
		t.Errorf("people are sent back to %s", got)
	}
	cookie := res.Cookies()[0]
	if cookie.Name != "__Host-ticket" || !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 600 || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("the cookie is %+v", cookie)
	}
	if strings.Contains(cookie.Value, to.Query().Get("state")) {
		t.Error("the ticket shows what it seals")
	}
}
