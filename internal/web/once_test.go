package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// unfollowed sends a form and gives where its answer leads, without going there.
func (p *person) unfollowed(path string, pairs ...string) string {
	p.w.t.Helper()
	follow := p.CheckRedirect
	defer func() { p.CheckRedirect = follow }()
	p.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return p.post(path, http.StatusSeeOther, pairs...).header.Get("Location")
}

// A reload of the page with a new secret sent the form again, and made a second endpoint.
func TestAReloadMakesNothingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	r := newReceiver(t)
	endpoint := func() string { return zoe.get("/endpoints", http.StatusOK).find(`href="(/endpoints/ep_[a-z0-9]+)"`) }
	for _, tt := range []struct {
		name, path, secret, made string
		form                     []string
	}{
		{"an endpoint", "/endpoints/new", secretPattern, `href="/endpoints/ep_[a-z0-9]+"`, []string{"url", r.URL, "events", "*"}},
		{"a key", "/settings/keys", `(cl_[a-z2-7]{8}_[a-z2-7]{52})`, `<code>cl_[a-z2-7]{8}</code>`, []string{"name", "scanner", "scopes", "read"}},
		{"an invitation", "/settings/members/invite", `/invite/([a-z2-7]{10,})`, `/settings/invites/[^/]+/take-back`, []string{"email", "max@example.com", "role", "viewer"}},
		{"a portal link", "/settings/accounts/acc_default/portal-link", `/portal/([a-z2-7]{10,})`, "", nil},
		{"the next secret", "secret/prepare", secretPattern, "", nil},
		{"a rotation", "secret/rotate", secretPattern, "", []string{"sure", "yes"}},
	} {
		path := tt.path
		if !strings.HasPrefix(path, "/") {
			path = endpoint() + "/" + path
		}
		to := zoe.unfollowed(path, tt.form...)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, w.URL()+to, nil)
		if err != nil {
			t.Fatal(err)
		}
		zoe.do(req, http.StatusOK)
		shown := zoe.get(to, http.StatusOK)
		secret := shown.find(tt.secret)
		if strings.Contains(to, secret) || shown.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the secret is in the address %s, or the page may be kept", tt.name, to)
		}
		for _, c := range zoe.Jar.Cookies(zoe.home()) {
			if strings.Contains(c.Value, secret) {
				t.Errorf("%s: the secret is in the cookie %s", tt.name, c.Name)
			}
		}
		again := zoe.get(to, http.StatusOK).has("shown once").lacks(secret)
		if tt.made != "" {
			list := zoe.get(map[bool]string{true: "/endpoints", false: strings.SplitN(again.path, "?", 2)[0]}[tt.name == "an endpoint"], http.StatusOK)
			if n := len(distinct(list.all(tt.made))); n != 1 {
				t.Errorf("%s: there are %d of it after a reload", tt.name, n)
			}
		}
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("%s: the secret is in the log", tt.name)
		}
	}
}

func TestWhatIsShownOnceIsShownToItsSessionOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	other := w.somebody()
	other.post("/sign-in", http.StatusOK, "email", "zoe@example.com", "password", password)
	to := zoe.unfollowed("/settings/keys", "name", "scanner", "scopes", "read")
	other.get(to, http.StatusOK).has("shown once").lacks("Your new key")
	zoe.get(to, http.StatusOK).has("Your new key")
	zoe.get("/settings/keys?once=rev_unknown", http.StatusOK).has("shown once")
	zoe.get("/settings/keys", http.StatusOK).lacks("shown once")
}

// TestAnotherNodeShowsWhatThisOneMade sends the form to one node and follows the redirect to another.
func TestAnotherNodeShowsWhatThisOneMade(t *testing.T) {
	t.Parallel()
	database := pgtest.URL(t)
	on := func(c *app.Config) { c.Database = database }
	here := newWorld(t, on)
	zoe := here.owner()
	there := newWorld(t, on)
	to := zoe.unfollowed("/settings/keys", "name", "scanner", "scopes", "read")
	elsewhere := there.somebody()
	elsewhere.keep("__Host-session", zoe.cookie("__Host-session"))
	elsewhere.get(to, http.StatusOK).has("Your new key")
	zoe.get(to, http.StatusOK).lacks("Your new key")
}

// Revoking a key and rotating a secret cut off whoever uses them, and asked nothing before.
func TestWhatCutsOthersOffAsksFirst(t *testing.T) {
	t.Parallel()
	zoe := newWorld(t, nil).owner()
	r := newReceiver(t)
	page := zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "events", "*").find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	before := zoe.get(page, http.StatusOK).has("signs from that moment on").find(`<code>([0-9a-f]{12})</code>`)
	zoe.post(page+"/secret/rotate", http.StatusUnprocessableEntity, "overlap", "24h").has("Nothing was done yet")
	if after := zoe.get(page, http.StatusOK).find(`<code>([0-9a-f]{12})</code>`); after != before {
		t.Error("the secret was rotated")
	}
	revoke := zoe.post("/settings/keys", http.StatusOK, "name", "scanner", "scopes", "read").find(`action="(/settings/keys/[^"]+/revoke)"`)
	zoe.get("/settings/keys", http.StatusOK).has("refused within a second, for good", "it was never used")
	zoe.post(revoke, http.StatusUnprocessableEntity).has("Nothing was done yet")
	zoe.get("/settings/keys", http.StatusOK).has(revoke)
	zoe.post(revoke, http.StatusOK, "sure", "yes").has("The key was revoked").lacks(revoke)
}
