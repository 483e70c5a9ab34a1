package web_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/mail/mailtest"
)

// publish accepts an event of a domain.
func publish(t *testing.T, c *client.Client, domain string) client.AcceptedEvent {
	t.Helper()
	data, err := json.Marshal(map[string]string{"domain": domain, "added_at": "2026-11-26T12:00:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	done, err := c.Publish(t.Context(), client.NewEvent{Type: "domain.added", Data: data})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// TestTheWholeStory sets a server up, adds a webhook, and goes through its failure, its disabling and its repair.
func TestTheWholeStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.get("/", http.StatusOK).has("No endpoint yet", "Add webhook")

	r := newReceiver(t)
	made := zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "description", "Ticket system", "events", "*", "headers", "X-Team: platform\nAuthorization: Bearer planted-token")
	secret := made.find(`(whsec_[A-Za-z0-9+/=]+)`)
	made.has("shown here and never again", "JavaScript", "Python", "Go", "PHP", "Ruby")
	if made.header.Get("Cache-Control") != "no-store" {
		t.Error("the page with the secret may be kept")
	}
	page := made.find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	zoe.get(page, http.StatusOK).has("Ticket system", "Active").lacks(secret, "planted-token")
	zoe.get(page+"/settings", http.StatusOK).has("X-Team: platform").lacks(secret, "planted-token")
	zoe.post(page+"/test", http.StatusOK).has("it arrived", "200 OK")
	zoe.post(page+"/secret/check", http.StatusOK, "secret", secret).has("card well").lacks(secret)
	zoe.post(page+"/secret/check", http.StatusOK, "secret", "whsec_"+strings.Repeat("A", 44)).has("card ill")

	c := zoe.key()
	accepted := publish(t, c, "example.com")
	page1 := "/deliveries/" + accepted.Deliveries[0].ID
	zoe.until(page1, "200 OK").lacks("planted-token", secret)
	zoe.get(page1+"?attempt=1&tab=request", http.StatusOK).has("example.com", "X-Team", "curl -X POST").lacks("planted-token", secret)
	zoe.get(page1+"?attempt=1&tab=signature", http.StatusOK).has("compliancelayer verify", accepted.ID+".").lacks("planted-token", secret)
	zoe.get("/events/"+accepted.ID, http.StatusOK).has("example.com", accepted.Deliveries[0].ID)

	r.answer(http.StatusInternalServerError, "down for a while")
	for range 4 { // three attempts each, and ten failures in a row disable it
		publish(t, c, "failing.example")
		time.Sleep(200 * time.Millisecond)
	}
	zoe.until(page, "Disabled").has("attempts in a row failed", "nothing is lost")
	zoe.get("/endpoints", http.StatusOK).has("Disabled")
	for _, other := range []string{"/endpoints", "/deliveries", "/settings/keys", page} {
		zoe.get(other, http.StatusOK).has("was disabled", page+"/recover") // the banner
	}
	dead := zoe.until("/dead-letters", "server error").has("Ticket system")
	held := publish(t, c, "held.example")
	zoe.until("/deliveries/"+held.Deliveries[0].ID, "held")

	zoe.get(page+"/recover", http.StatusOK).has("The first attempt that failed", "500 Internal Server Error", "Send all of it").lacks(`class="banner"`)
	zoe.post(page+"/recover", http.StatusOK).has("It did not arrive", "500 Internal Server Error")
	r.answer(http.StatusOK, "")
	zoe.post(page+"/recover", http.StatusOK).has("It arrived")
	zoe.post(page+"/enable", http.StatusUnprocessableEntity, "held", "newest", "per_second", "many").has("Write a whole number", `value="many"`, `value="newest" checked`)
	zoe.post(page+"/enable", http.StatusUnprocessableEntity, "held", "burn").has("wrong")
	again := zoe.post(page+"/enable", http.StatusOK, "held", "send", "per_second", "1000").has("It receives again", "Progress")
	zoe.until(again.path, "It is done").lacks("was disabled")
	zoe.until("/deliveries/"+held.Deliveries[0].ID, "delivered")

	dead.has("Retry")
	counted := zoe.post("/dead-letters/retry", http.StatusOK, "per_second", "1000")
	n := counted.find(`Retry (\d+)`)
	job := zoe.post("/dead-letters/retry", http.StatusOK, "per_second", "1000", "sure", "yes")
	zoe.until(job.path, "were started. It is done").has(n, `href="/deliveries">Look at the deliveries`).lacks("on their way")
	zoe.until("/dead-letters", "No dead letters")
	zoe.get("/audit", http.StatusOK).has("Zoë", "endpoint.create", "endpoint.enable", "deliveries.retry", "member.create").lacks(secret, "planted-token")
	if text := w.log.String(); strings.Contains(text, secret) || strings.Contains(text, "planted-token") || strings.Contains(text, password) {
		t.Error("a secret is in the log")
	}
}

// TestPeopleGiveDeadLettersUp counts, gives up what a filter finds, and then the rest.
func TestPeopleGiveDeadLettersUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	r := newReceiver(t)
	r.answer(http.StatusInternalServerError, "down")
	zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "events", "*")
	c := zoe.key()
	zoe.post("/event-types/alert.triggered/publish", http.StatusOK, "data",
		html.UnescapeString(zoe.get("/event-types/alert.triggered", http.StatusOK).find(`(?s)<textarea name="data"[^>]*>(.*?)</textarea>`)))
	zoe.get("/audit", http.StatusOK).has("event.publish").find(`href="/events/([0-9a-f-]{36})"`)
	zoe.until("/dead-letters", "alert.triggered</td>")
	one := "/deliveries/" + publish(t, c, "one.example").Deliveries[0].ID
	zoe.until(one, `badge bad">failed`)

	zoe.post("/dead-letters/discard", http.StatusUnprocessableEntity).has("Discard", `id="reason-wrong"`, `aria-invalid="true"`).lacks(" match.")
	zoe.post("/dead-letters/retry", http.StatusUnprocessableEntity, "per_second", "many").has("Retry", `id="per_second-wrong"`)
	zoe.post("/dead-letters/discard", http.StatusUnprocessableEntity, "reason", strings.Repeat("x", 501)).has(`id="reason-wrong"`)
	zoe.post("/dead-letters/discard", http.StatusUnprocessableEntity, "reason", "x", "from", "yesterday")
	zoe.post("/dead-letters/discard", http.StatusOK, "reason", "not wanted").has("Discard 2", `value="not wanted"`).lacks("Retry 2")
	zoe.post("/dead-letters/discard", http.StatusOK, "reason", "sent by hand", "type", "domain.added").
		has("Discard 1", `name="type" value="domain.added"`, `value="sent by hand"`)
	zoe.get(one, http.StatusOK).has(`badge bad">failed`) // counting gave nothing up

	job := zoe.post("/dead-letters/discard", http.StatusOK, "reason", "sent by hand", "type", "domain.added", "sure", "yes")
	job.has("They are being discarded", "Discarding", "Reason: sent by hand")
	zoe.until(strings.TrimSuffix(job.path, "?done=discarding"), "It is done").has("are discarded", `href="/deliveries?status=discarded&amp;type=domain.added">Look at the deliveries`).lacks("Retrying")
	zoe.get(one, http.StatusOK).has("Discarded: sent by hand")
	zoe.get("/dead-letters", http.StatusOK).has("alert.triggered").lacks("domain.added</td>")

	zoe.post("/dead-letters/discard", http.StatusOK, "reason", "not wanted", "sure", "yes")
	zoe.until("/dead-letters", "No dead letters")
	zoe.get("/audit", http.StatusOK).has("deliveries.discard", "sent by hand")
}

// TestPeoplePublishASampleAndFollowIt looks at what a person does who tries a type out.
func TestPeoplePublishASampleAndFollowIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	r := newReceiver(t)
	zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "description", "=SUM(A1)", "events", "*")
	sample := zoe.get("/event-types/alert.triggered", http.StatusOK).has("Publish a sample", "curl -X POST", "score_drop")
	zoe.post("/event-types/alert.triggered/publish", http.StatusUnprocessableEntity, "data", `{"alert_id":"five"}`).has("alert_id", `aria-invalid="true"`, `{"alert_id":"five"}`)
	zoe.post("/event-types/alert.triggered/publish", http.StatusUnprocessableEntity, "data", "no JSON").has("no JSON", "wrong")
	zoe.post("/event-types/endpoint.disabled/publish", http.StatusUnprocessableEntity, "data", "{}")
	zoe.get("/event-types/endpoint.disabled", http.StatusOK).has("operational event").lacks("Publish a sample")
	data := html.UnescapeString(sample.find(`(?s)<textarea name="data"[^>]*>(.*?)</textarea>`))
	var first string
	for range 3 {
		done := zoe.post("/event-types/alert.triggered/publish", http.StatusOK, "data", data).has("The event was accepted")
		first = done.find(`href="(/deliveries/\d+)"`)
	}
	middle := zoe.until(first, "200 OK").find(`rel="next" href="(/deliveries/\d+)"`)
	zoe.get(middle, http.StatusOK).has(`rel="prev" href="`+first, `rel="next"`)
	body := zoe.get(zoe.get(first, http.StatusOK).find(`href="(/events/[^"/]+)"`)+"/body", http.StatusOK)
	if !json.Valid([]byte(body.text)) || body.header.Get("Content-Disposition") == "" {
		t.Errorf("the downloaded body is %q", body.text)
	}

	lines, err := csv.NewReader(strings.NewReader(zoe.get("/deliveries/export?status=delivered&type=alert.triggered", http.StatusOK).text)).ReadAll()
	if err != nil || len(lines) != 4 || lines[1][0] != strings.TrimPrefix(first, "/deliveries/") || lines[1][4] != "'=SUM(A1)" {
		t.Errorf("the export is %q, %v", lines, err)
	}
	if lines, err = csv.NewReader(strings.NewReader(zoe.get("/dead-letters/export", http.StatusOK).text)).ReadAll(); err != nil || len(lines) != 1 {
		t.Errorf("the export of no dead letters is %q, %v", lines, err)
	}
	for what, path := range map[string]string{"deliveries": "/deliveries/export", "dead-letters": "/dead-letters/export"} {
		want := fmt.Sprintf(`attachment; filename="%s-default-`, what)
		if got := zoe.get(path, http.StatusOK).header.Get("Content-Disposition"); !strings.HasPrefix(got, want) {
			t.Errorf("%s is sent as %s, want %s...", path, got, want)
		}
	}
	page := zoe.get("/deliveries?type=alert.triggered&status=delivered", http.StatusOK)
	for _, link := range []string{"/deliveries/export", "/deliveries"} {
		to, err := url.Parse(page.find(`href="(` + link + `\?[^"]*)"`))
		if q := to.Query(); err != nil || q.Get("type") != "alert.triggered" || q.Get("status") != "delivered" {
			t.Errorf("the link to %s leads to %s, %v", link, to, err)
		}
	}
	zoe.get("/deliveries/export?from=yesterday", http.StatusUnprocessableEntity)
}

// TestALiveListShowsWhatHappensToItsOwnAccount reads along as a browser does.
func TestALiveListShowsWhatHappensToItsOwnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	r := newReceiver(t)
	zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "description", "Ticket system", "events", "*")
	c := zoe.key()
	all, delivered, nothing := zoe.follow("/deliveries/live"), zoe.follow("/deliveries/live?status=delivered"), zoe.follow("/deliveries/live?type=scan.completed")
	accepted := publish(t, c, "live.example")
	all.until("accepted for one endpoint")
	all.until("200 OK")
	delivered.until("/deliveries/" + accepted.Deliveries[0].ID)
	if text := delivered.text(); strings.Contains(text, "accepted for") {
		t.Errorf("a list of what is delivered has %q", text)
	}
	session := zoe.get("/settings/sessions", http.StatusOK).find(`/settings/sessions/(ses_[a-z0-9]+)/end`)
	zoe.post("/settings/sessions/"+session+"/end", http.StatusOK)
	all.ended() // at the next sign of life
	if text := nothing.text(); strings.Contains(text, "domain.added") {
		t.Errorf("a list of another type has %q", text)
	}
}

// TestSecretsAreRotatedOnThePages prepares, promotes and rotates.
func TestSecretsAreRotatedOnThePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	made := zoe.post("/endpoints/new", http.StatusOK, "url", "https://example.com/", "events", "*")
	page, first := made.find(`href="(/endpoints/ep_[a-z0-9]+)"`), made.find(`(whsec_[A-Za-z0-9+/=]+)`)
	second := zoe.post(page+"/secret/prepare", http.StatusOK).find(`(whsec_[A-Za-z0-9+/=]+)`)
	zoe.get(page, http.StatusOK).has("next", "Promote the prepared secret")
	zoe.post(page+"/secret/promote", http.StatusOK, "overlap", "1h").has("the old one goes on beside it")
	third := zoe.post(page+"/secret/rotate", http.StatusOK, "overlap", "0s", "sure", "yes").find(`(whsec_[A-Za-z0-9+/=]+)`)
	if first == second || second == third {
		t.Error("a secret came twice")
	}
	zoe.get(page, http.StatusOK).lacks(first, second, third, "next attempt")
}

func TestAFormSaysBesideTheFieldWhatIsWrongAndKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.post("/endpoints/new", http.StatusUnprocessableEntity, "url", "ftp://files.example.com/", "description", "kept text", "events", "scan.completed").
		has(`id="url-wrong"`, `aria-invalid="true"`, `value="ftp://files.example.com/"`, "kept text", `value="scan.completed" checked`)
	zoe.post("/endpoints/new", http.StatusUnprocessableEntity, "url", "https://example.com/").has("Choose at least one event")
	zoe.post("/endpoints/new", http.StatusUnprocessableEntity, "url", "hooks.example.com").has("Choose at least one event", `id="url-wrong"`)
	zoe.post("/endpoints/new", http.StatusUnprocessableEntity, "url", "https://example.com/", "events", "*", "headers", "no colon").has("Name: value", "no colon")
	zoe.post("/settings/keys", http.StatusUnprocessableEntity, "name", "").has("wrong")
	zoe.post("/settings/members/invite", http.StatusUnprocessableEntity, "email", "nobody", "role", "viewer").has("This is not an e-mail address", `value="nobody"`)
	zoe.get("/deliveries?from=yesterday", http.StatusUnprocessableEntity).has("Write a date")
	zoe.get("/deliveries?cursor=x", http.StatusUnprocessableEntity)
}

func TestTheSecondOfTwoWhoEditAnEndpointIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	made := zoe.post("/endpoints/new", http.StatusOK, "url", "https://example.com/", "events", "*")
	page := made.find(`href="(/endpoints/ep_[a-z0-9]+)"`) + "/settings"
	form := zoe.get(page, http.StatusOK)
	seen, opened := form.find(`name="seen" value="(\d+)"`), form.find(`name="opened" value="(\d+)"`)
	time.Sleep(2 * time.Millisecond) // times are kept to the millisecond
	zoe.post(page, http.StatusOK, "url", "https://example.com/first", "events", "*", "seen", seen)
	told := zoe.post(page, http.StatusConflict, "url", "https://example.com/second", "events", "*", "seen", seen, "opened", opened).
		has("was changed while you were at it", "Zoë, <time", "example.com: path or query changed", "URL: <code>https://example.com/first</code>", `value="https://example.com/second"`).
		lacks("Events: <code>", "the audit has not")
	zoe.post(page, http.StatusOK, "url", "https://example.com/second", "events", "*", "seen", told.find(`name="seen" value="(\d+)"`)).has("The settings were saved")
}

func TestALostSessionLeadsBackToThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.post("/sign-out", http.StatusOK)
	asked := zoe.get("/deliveries?status=failed", http.StatusOK).has("Sign in")
	if want := "/sign-in?next=" + url.QueryEscape("/deliveries?status=failed"); asked.path != want {
		t.Errorf("sent to %s, want %s", asked.path, want)
	}
	zoe.post("/sign-in", http.StatusUnauthorized, "email", "zoe@example.com", "password", "wrong").has("do not belong together", `value="zoe@example.com"`)
	if done := zoe.post("/sign-in", http.StatusOK, "email", "zoe@example.com", "password", password, "next", "/deliveries?status=failed"); done.path != "/deliveries?status=failed" {
		t.Errorf("after signing in at %s", done.path)
	}
	for _, foreign := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "javascript:alert(1)", "/a\nb"} {
		zoe.post("/sign-out", http.StatusOK)
		if done := zoe.post("/sign-in", http.StatusOK, "email", "zoe@example.com", "password", password, "next", foreign); done.path != "/endpoints" {
			t.Errorf("next=%q leads to %s", foreign, done.path)
		}
	}
}

func TestAnInvitedViewerLooksAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	made := zoe.post("/endpoints/new", http.StatusOK, "url", "https://example.com/", "events", "*")
	page := made.find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	link := zoe.post("/settings/members/invite", http.StatusOK, "email", "max@example.com", "role", "viewer").find(`(/invite/[a-z2-7]+)`)
	max := w.somebody()
	max.get(link, http.StatusOK).has("max@example.com", "viewer")
	max.post(link, http.StatusUnprocessableEntity, "name", "Max", "password", "short").has("12 characters")
	max.post(link, http.StatusOK, "name", "Max", "password", password)
	max.get(link, http.StatusNotFound).has("Ask whoever invited you")
	max.get(page, http.StatusOK).lacks("Send test", "Rotate", "Delete this endpoint")
	max.get("/endpoints", http.StatusOK).lacks("Add webhook", "/settings/keys")
	max.get("/settings/members", http.StatusOK).lacks("Invite somebody", "Remove")
	max.get("/endpoints/new", http.StatusForbidden).has("Not for your role")
	max.post(page+"/disable", http.StatusForbidden)
	max.post("/settings/members/invite", http.StatusForbidden, "email", "eve@example.com", "role", "owner")
	zoe.get(page, http.StatusOK).has("Active")
}

// Many who know no set-up link cost the sign-in nothing: no password is hashed for them.
func TestASetupWithoutALinkIsCheap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.owner()
	for range 40 {
		w.somebody().post("/setup", http.StatusUnprocessableEntity, "token", "x", "name", "Eve", "email", "eve@example.com", "password", password).has("set up already")
	}
}

func TestWhatNoBrowserSendsIsAnsweredInWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	for _, text := range []string{"email=%zz", "email=a%00b&password=x", "email=%ff&password=x"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/sign-in", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w.somebody().do(req, http.StatusUnprocessableEntity).has("cannot be read")
	}
	for _, days := range []string{"-1", "0", "4000", "213600", "soon"} {
		zoe.post("/settings/keys", http.StatusUnprocessableEntity, "name", "short", "scopes", "read", "days", days).has(`id="days-wrong"`)
	}
	zoe.get("/dead-letters?cause=nonsense", http.StatusUnprocessableEntity)
	if strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("the log has an error:\n%s", w.log)
	}
}

// A session that ends while a page is open: a button leads back to the page, and script is told so.
func TestALostSessionLeadsBackFromAButtonToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.post("/sign-out", http.StatusOK)
	for path, page := range map[string]string{"/endpoints/new": "/endpoints/new", "/endpoints/ep_1/secret/rotate": "/endpoints/ep_1", "/settings/keys/key_1/revoke": "/settings/keys", "/deliveries/held/send": "/deliveries/held"} {
		if asked := zoe.post(path, http.StatusOK); asked.path != "/sign-in?next="+url.QueryEscape(page) {
			t.Errorf("from %s to %s", path, asked.path)
		}
	}
	for header, value := range map[string]string{"HX-Request": "true", "Accept": "text/html, text/event-stream"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL()+"/deliveries/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(header, value)
		req.Header.Set("HX-Current-URL", w.URL()+"/deliveries?live=1")
		told := zoe.do(req, http.StatusUnauthorized).lacks("<html").header.Get("HX-Redirect")
		if want := "/sign-in?next=" + url.QueryEscape("/deliveries?live=1"); told != want {
			t.Errorf("script is sent to %q, want %q", told, want)
		}
	}
}

func TestACustomerComesInByLinkAndSeesTheirAccountOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	made := zoe.post("/endpoints/new", http.StatusOK, "url", "https://example.com/zoes", "events", "*")
	own := made.find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	accepted := publish(t, zoe.key(), "zoes.example")
	zoe.post("/settings/accounts", http.StatusOK, "name", "Customer")
	account := zoe.get("/settings/accounts", http.StatusOK).find(`(acc_[a-z2-7]{16})`)
	link := zoe.post("/settings/accounts/"+account+"/portal-link", http.StatusOK).find(`(/portal/[a-z2-7]+)`)
	guest := w.somebody()
	for range 2 { // looking uses nothing up
		guest.get(link, http.StatusOK).has("Open the dashboard")
	}
	guest.post(link, http.StatusOK).has("No endpoint yet", "Account: </span>Customer")
	zoe.get("/endpoints", http.StatusOK).has("Account: </span>default")
	w.somebody().post(link, http.StatusNotFound).has("used already")
	for _, path := range []string{own, own + "/settings", "/deliveries/" + accepted.Deliveries[0].ID, "/events/" + accepted.ID} {
		guest.get(path, http.StatusNotFound).lacks("zoes")
	}
	for _, path := range []string{own + "/test", own + "/disable", own + "/enable", own + "/secret/rotate", "/deliveries/" + accepted.Deliveries[0].ID + "/retry"} {
		guest.post(path, http.StatusNotFound, "sure", "yes").lacks("zoes")
	}
	guest.get("/settings/accounts", http.StatusForbidden)
	guest.post("/settings/accounts/"+account+"/portal-link", http.StatusForbidden)
	guest.get("/deliveries", http.StatusOK).lacks("zoes", "/deliveries/"+accepted.Deliveries[0].ID)
}

func TestEveryPageHasItsHeadersAndNothingInline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	made := zoe.post("/endpoints/new", http.StatusOK, "url", "https://example.com/", "events", "*")
	page := made.find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	inline := regexp.MustCompile(`(?i)<style|<script>|<script [^>]*>[^<]| style=| on[a-z]+=|src="http|href="http|javascript:`)
	for _, path := range []string{
		"/endpoints", "/endpoints/new", page, page + "/settings", "/deliveries", "/dead-letters", "/events", "/event-types", "/settings/server", page + "/recover", "/event-types/scan.completed",
		"/settings/members", "/settings/profile", "/settings/sessions", "/settings/notifications", "/settings/keys", "/settings/accounts", "/audit", "/status", "/setup",
	} {
		a := zoe.get(path, http.StatusOK)
		if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s has the policy %q", path, policy)
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s has the headers %v", path, a.header)
		}
		if found := inline.FindString(a.text); found != "" {
			t.Errorf("%s has %q", path, found)
		}
		if len(a.text) > 100<<10 {
			t.Errorf("%s has %d KiB", path, len(a.text)>>10)
		}
	}
}

// TestPeopleAreToldByMail goes from an address to the mail of a disabled endpoint.
func TestPeopleAreToldByMail(t *testing.T) {
	t.Parallel()
	server := mailtest.New(t, mailtest.Config{NoTLS: true})
	w := newWorld(t, func(c *app.Config) {
		c.Mail = app.Mail{Server: server.Address(), TLS: "none", From: "webhooks@example.com"}
		c.PublicURL = "https://hooks.example.com"
		c.Policy.DisableAfter = 1
	})
	zoe := w.owner()
	zoe.get("/settings/notifications", http.StatusOK).has("zoe@example.com", "owners and admins are told", "Send a test mail").lacks("sends no mail")
	zoe.post("/settings/notifications", http.StatusUnprocessableEntity, "email", "nobody").has("This is not an e-mail address", `value="nobody"`)
	zoe.post("/settings/notifications", http.StatusOK, "email", "OnCall@example.com").has("The address was added", "oncall@example.com")
	zoe.post("/settings/notifications/test", http.StatusOK).has("oncall@example.com", "the mail server took it")
	zoe.post("/settings/notifications/test", http.StatusOK).has("a moment ago")

	r := newReceiver(t)
	r.answer(http.StatusInternalServerError, "planted-answer")
	made := zoe.post("/endpoints/new", http.StatusOK, "url", r.URL+"/planted-path", "description", "Ticket system", "events", "*", "headers", "X-Token: planted-token")
	page := made.find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	publish(t, zoe.key(), "example.com")
	zoe.until("/settings/notifications", "<td>sent</td>").has("Ticket system", "was disabled", page)
	mails := server.Mails()
	if len(mails) != 2 || mails[1].To != "oncall@example.com" || !strings.Contains(mails[1].Subject, "was disabled") || !strings.Contains(mails[1].Text, "https://hooks.example.com"+page+"/recover\n") {
		t.Errorf("mails: %+v", mails)
	}
	for _, m := range mails {
		if strings.Contains(m.Raw, "planted") {
			t.Errorf("a secret is in a mail:\n%s", m.Raw)
		}
	}
	second := newReceiver(t)
	second.answer(http.StatusInternalServerError, "no")
	zoe.post("/endpoints/new", http.StatusOK, "url", second.URL, "events", "*")
	publish(t, zoe.key(), "example.org")
	zoe.until("/settings/notifications", "data-due>in ").has("<td>waiting, ", "</time> at the earliest</td>")
	zoe.post("/settings/notifications/remove", http.StatusOK, "email", "oncall@example.com").has("The address was removed", "owners and admins are told")
	zoe.post("/settings/notifications/remove", http.StatusNotFound, "email", "oncall@example.com")
}

func TestAServerWithoutMailSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.get("/settings/notifications", http.StatusOK).has("This server sends no mail").lacks("Send a test mail")
	zoe.post("/settings/notifications/test", http.StatusUnprocessableEntity).has("This server sends no mail")
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/settings/keys", strings.NewReader("name=evil&scopes=admin"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	zoe.do(req, http.StatusForbidden).has("Sent by another site")
	zoe.get("/settings/keys", http.StatusOK).lacks("evil")
}

func TestWrongPathsAndMethodsGetAPageThatHelps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.get("/nothing", http.StatusNotFound).has("Nothing here", "To the endpoints")
	zoe.get("/deliveries/abc", http.StatusNotFound)
	zoe.get("/endpoints/ep_nothing", http.StatusNotFound)
	zoe.get("/events/%00", http.StatusNotFound)
	w.somebody().get("/nothing", http.StatusNotFound)
}

func TestAProgramThatHasLostItsWayIsAnsweredByTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, accept := range []string{"", "*/*", "application/json"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/v2/events", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		w.somebody().do(req, http.StatusNotFound).has(`"error":"not_found"`).lacks("<html")
	}
}

func TestTheStatusPageTellsNothingOfAnybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.owner()
	w.somebody().get("/status", http.StatusOK).has("Accepting events", "yes").lacks("zoe", "acc_default")
}
