package web_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/compliancelayer/compliancelayer/internal/web"
)

// album is a folder for pictures of all pages, in both themes and widths; "" = none are taken.
var album = flag.String("web.album", "", "a folder for pictures of all pages")

// stop is a page to look at.
type stop struct {
	name string
	path string
	form []string // names and values in turn that are sent there; nil = the page is only visited
}

// sent is a form without fields.
var sent = []string{}

// tour is what somebody looks at, in this order.
type tour struct {
	who   string
	enter stop // how they come in
	stops []stop
}

// tours go to every page, in every state that looks different. A new page belongs here; the test misses it.
func (g *gallery) tours() []tour {
	return []tour{
		{"nobody", stop{path: "/status"}, []stop{
			{"status", "/status", nil},
			{"sign-in", "/sign-in", nil},
			{"sign-in-wrong", "/sign-in", []string{"email", "zoe@example.com", "password", "wrong"}},
			{"sign-in-stale", "/sign-in/oidc/callback?code=1&state=2", nil},
			{"setup", "/setup", nil},
			{"setup-done", "/setup", []string{"token", "x", "name", "Eve", "email", "eve@example.com", "password", password}},
			{"invite", g.invite, nil},
			{"invite-wrong", g.invite, []string{"name", "", "password", "short"}},
			{"invite-spent", g.spentInvite, nil},
			{"portal", g.portal, nil},
			{"portal-spent", g.spentPortal, sent},
			{"nobody-nothing-here", "/nothing", nil},
		}},
		{"a customer with nothing yet", stop{path: g.portal, form: sent}, []stop{
			{"empty-endpoints", "/endpoints", nil},
			{"empty-deliveries", "/deliveries", nil},
			{"empty-dead-letters", "/dead-letters", nil},
			{"empty-events", "/events", nil},
			{"empty-members", "/settings/members", nil},
			{"empty-notifications", "/settings/notifications", nil},
			{"empty-keys", "/settings/keys", nil},
			{"empty-profile", "/settings/profile", nil},
			{"empty-audit", "/audit", nil},
		}},
		{"a viewer", stop{path: "/sign-in", form: []string{"email", "max@example.com", "password", password}}, []stop{
			{"viewer-endpoint", g.disabled, nil},
			{"viewer-recover", g.disabled + "/recover", nil},
			{"viewer-members", "/settings/members", nil},
			{"viewer-profile", "/settings/profile", nil},
			{"viewer-forbidden", "/endpoints/new", nil},
		}},
		{"the owner", stop{path: "/sign-in", form: []string{"email", "zoe@example.com", "password", password}}, g.ownersStops()},
	}
}

// ownersStops are the pages of whoever may do everything. Those that change something come last.
func (g *gallery) ownersStops() []stop {
	return []stop{
		{"welcome", "/endpoints?done=welcome", nil},
		{"endpoints", "/endpoints", nil},
		{"endpoint-new", "/endpoints/new", nil},
		{"endpoint-new-wrong", "/endpoints/new", []string{"url", "ftp://files.example.com/", "description", longName, "headers", "no colon"}},
		{"endpoint", g.works, nil},
		{"endpoint-failing", g.fails, nil},
		{"endpoint-narrow", g.busy, nil},
		{"endpoint-disabled", g.disabled, nil},
		{"endpoint-paused", g.paused, nil},
		{"recover", g.disabled + "/recover", nil},
		{"recover-paused", g.paused + "/recover", nil},
		{"recover-not-arrived", g.disabled + "/recover", sent},
		{"recover-arrived", g.paused + "/recover", sent},
		{"recover-wrong", g.disabled + "/enable", []string{"held", "some", "per_second", "many"}},
		{"endpoint-settings", g.works + "/settings", nil},
		{"endpoint-settings-stale", g.works + "/settings", []string{"url", "https://example.com/", "events", "scan.completed", "seen", "1"}},
		{"endpoint-test-arrived", g.works + "/test", sent},
		{"endpoint-test-failed", g.disabled + "/test", sent},
		{"secret-check-right", g.works + "/secret/check", []string{"secret", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}},
		{"secret-check-wrong", g.works + "/secret/check", sent},
		{"deliveries", "/deliveries", nil},
		{"deliveries-filtered", "/deliveries?status=held", nil},
		{"held-counted", "/deliveries/held/send", []string{"per_second", "50"}},
		{"held-wrong", "/deliveries/held/send", []string{"per_second", "0"}},
		{"deliveries-nothing", "/deliveries?type=endpoint.warning", nil},
		{"deliveries-wrong", "/deliveries?from=yesterday", nil},
		{"deliveries-live", "/deliveries?live=1", nil},
		{"delivery", g.delivered, nil},
		{"delivery-request", g.delivered + "?attempt=1&tab=request", nil},
		{"delivery-signature", g.delivered + "?attempt=1&tab=signature", nil},
		{"delivery-failed", g.dead, nil},
		{"delivery-retrying", g.retrying, nil},
		{"delivery-held", g.held, nil},
		{"delivery-discarded", g.discarded, nil},
		{"dead-letters", "/dead-letters", nil},
		{"dead-letters-counted", "/dead-letters/retry", []string{"per_second", "50"}},
		{"dead-letters-giving-up", "/dead-letters/discard", []string{"reason", "the receiver is gone"}},
		{"dead-letters-no-reason", "/dead-letters/discard", sent},
		{"dead-letters-wrong", "/dead-letters/retry", []string{"per_second", "many"}},
		{"events", "/events", nil},
		{"events-unmatched", "/events?unmatched=1", nil},
		{"event", g.matched, nil},
		{"event-unmatched", g.unmatched, nil},
		{"event-types", "/event-types", nil},
		{"event-type", "/event-types/scan.completed", nil},
		{"event-type-own", "/event-types/inventory.counted", nil},
		{"event-type-wrong", "/event-types/inventory.counted/publish", []string{"data", `{"shelves": "twelve"}`}},
		{"event-published", "/event-types/inventory.counted/publish", []string{"data", `{"shelves": 12}`}},
		{"members", "/settings/members", nil},
		{"members-wrong", "/settings/members/invite", []string{"email", "nobody", "role", "viewer"}},
		{"members-link", "/settings/members/invite", []string{"email", "nina@example.com", "role", "admin"}},
		{"profile", "/settings/profile", nil},
		{"profile-wrong", "/settings/profile/password", []string{"present", "wrong", "password", "short"}},
		{"sessions", "/settings/sessions", nil},
		{"notifications", "/settings/notifications", []string{"email", "oncall@example.com"}},
		{"notifications-wrong", "/settings/notifications", []string{"email", "nobody"}},
		{"notifications-tested", "/settings/notifications/test", sent},
		{"keys", "/settings/keys", nil},
		{"keys-wrong", "/settings/keys", []string{"name", "", "days", "many"}},
		{"keys-made", "/settings/keys", []string{"name", "relay", "scopes", "read"}},
		{"accounts", "/settings/accounts", nil},
		{"accounts-link", "/settings/accounts/acc_default/portal-link", sent},
		{"server", "/settings/server", nil},
		{"audit", "/audit", nil},
		{"nothing-here", "/nothing", nil},
		{"conflict", g.dead + "/discard", []string{"reason", ""}},
		{"secret-shown-before", g.works + "/new-secret", nil},
		{"keys-shown-before", "/settings/keys?once=rev_x", nil},
		{"members-shown-before", "/settings/members?once=rev_x", nil},
		{"secret-prepared", g.paused + "/secret/prepare", sent},
		{"secret-made", "/endpoints/new", []string{"url", "https://hooks.example.com/compliance", "description", "Archive", "events", "*"}},
		{"left-held", g.paused + "/enable", []string{"held", "keep"}},
		{"endpoint-left-held", g.paused, nil},
		{"delivery-left-held", g.held, nil},
		{"recovered", g.disabled + "/enable", []string{"held", "send", "per_second", "1"}},
		{"job", "/dead-letters/retry", []string{"per_second", "1000", "sure", "yes"}},
	}
}

// noPages are the routes that answer something else: a redirect, a stream, a file.
var noPages = []string{"GET /{$}", "GET /sign-in/oidc", "GET /deliveries/live", "GET /deliveries/export", "GET /jobs/{id}/progress", "GET /deliveries/held", "GET /dead-letters/export", "GET /events/{id}/body"}

// TestEveryPageCanBeUsed looks at all pages as axe-core does, in both themes and at the widths of a
// phone, a laptop and a desk (make album: of a tablet and another laptop, too). Colours differ by theme and nothing else does, so in the dark only they are looked at.
func TestEveryPageCanBeUsed(t *testing.T) {
	t.Parallel()
	script := axe(t)
	if *album != "" {
		if err := os.MkdirAll(*album, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	g := newGallery(t)
	p := g.browser()
	p.visit("/status")
	complaints := p.watch()
	visited := map[string]bool{}
	for _, tr := range g.tours() {
		p.post("/sign-out", sent)
		p.stop(tr.enter)
		for _, s := range tr.stops {
			t.Run(s.name, func(t *testing.T) {
				p := page{p.Context, t, p.w}
				p.wear(look{"light", desk})
				p.stop(s)
				visited[p.route()] = true
				p.inspector(script).all(s.name)
				complaints.quiet(t)
			})
		}
	}
	for _, pattern := range web.Patterns() {
		if strings.HasPrefix(pattern, "GET ") && !visited[pattern] && !slices.Contains(noPages, pattern) {
			t.Errorf("no tour goes to %q", pattern)
		}
	}
}

// route is that of the page that the tab has come to.
func (p page) route() string {
	p.t.Helper()
	at, err := chromedp.Run(p, chromedp.Location())
	if err != nil {
		p.t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, pattern := range web.Patterns() {
		mux.Handle(pattern, http.NotFoundHandler())
	}
	_, pattern := mux.Handler(httptest.NewRequest(http.MethodGet, at, nil))
	return pattern
}

// all looks at a page in every way; for an album also at the widths in between.
func (i inspector) all(name string) {
	i.t.Helper()
	ways := []look{{"light", desk}, {"dark", desk}, {"light", laptop}, {"light", phone}}
	if *album != "" {
		ways = []look{{"light", desk}, {"dark", desk}, {"light", wider}, {"light", laptop}, {"light", tablet}, {"dark", phone}, {"light", phone}}
	}
	for _, l := range ways {
		i.wear(l)
		i.settle()
		if *album != "" {
			i.picture(*album, name+"-"+l.String())
		}
		i.fits(l)
		if l.theme == "light" {
			i.menus(l)
		}
		switch l {
		case look{"light", desk}:
			i.accessible(l)
		case look{"dark", desk}:
			i.accessible(l, "color-contrast")
		}
	}
	i.unfold()
	i.fits(look{"light", phone})
	i.accessible(look{"light", phone})
	i.wear(look{"dark", phone})
	i.accessible(look{"dark", phone}, "color-contrast")
	if *album != "" {
		i.picture(*album, name+"-unfolded-"+look{"dark", phone}.String())
		i.wear(look{"light", desk})
		i.picture(*album, name+"-unfolded-"+look{"light", desk}.String())
	}
}

// stop goes to a page.
func (p page) stop(s stop) {
	p.t.Helper()
	if s.form == nil {
		p.visit(s.path)
		return
	}
	p.post(s.path, s.form)
}

// post sends a form as a page of the program would.
func (p page) post(path string, pairs []string) {
	p.t.Helper()
	args, err := json.Marshal([]any{path, pairs})
	if err != nil {
		p.t.Fatal(err)
	}
	send := `((path, pairs) => {
		const form = document.createElement("form");
		form.method = "post";
		form.action = path;
		for (let i = 0; i < pairs.length; i += 2) {
			const input = document.createElement("input");
			[input.type, input.name, input.value] = ["hidden", pairs[i], pairs[i + 1]];
			form.append(input);
		}
		document.body.append(form);
		form.submit();
	})(...` + string(args) + `)`
	if _, err := chromedp.RunResponse(p, chromedp.Evaluate[chromedp.Void](send)); err != nil {
		p.t.Fatalf("post %s: %v\n%s", path, err, p.w.log)
	}
}
