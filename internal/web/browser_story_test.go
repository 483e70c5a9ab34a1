package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/mail/mailtest"
)

// hostile tries to run in the page that shows it, or to load something.
const hostile = `</pre></title></textarea><script>document.title="ran"</script><img src=x onerror='document.title="ran"'><svg onload='document.title="ran"'>"'{{.}}`

// TestThroughABrowser sets up, adds a webhook, sees its secret once, tests, publishes, breaks and repairs, in a real browser.
func TestThroughABrowser(t *testing.T) {
	t.Parallel()
	post := mailtest.New(t, mailtest.Config{NoTLS: true})
	w := newWorld(t, func(c *app.Config) {
		c.Mail = app.Mail{Server: post.Address(), TLS: "none", From: "webhooks@example.com"}
	})
	r := newReceiver(t)
	p := w.browser()
	p.do(chromedp.EmulateViewport(1280, 800), chromedp.Navigate(w.SetupURL()),
		chromedp.SendKeys(chromedp.CSS("[name=name]"), "Zoë"), chromedp.SendKeys(chromedp.CSS("[name=email]"), "zoe@example.com"), chromedp.SendKeys(chromedp.CSS("[name=password]"), password))
	p.press("Set up")
	p.until("No endpoint yet")

	p.visit("/endpoints/new")
	p.do(chromedp.SendKeys(chromedp.CSS("[name=url]"), r.URL), chromedp.SendKeys(chromedp.CSS("[name=description]"), "Ticket system"), chromedp.Click(chromedp.CSS("[value='*']")))
	p.press("Add webhook")
	p.until("shown here and never again")
	secret, err := chromedp.Run(p, chromedp.Text(chromedp.CSS("#secret")))
	if err != nil || !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("the secret is %q, %v", secret, err)
	}
	p.do(chromedp.Click(chromedp.Search("//button[normalize-space()='Send test now']")))
	p.soon("it arrived")
	if !strings.Contains(p.text(), secret) {
		t.Error("with the answer to the test the secret is gone, and is shown nowhere again")
	}
	p.open("To the endpoint")
	if strings.Contains(p.text(), secret) {
		t.Error("the secret is shown a second time")
	}
	at, err := chromedp.Run(p, chromedp.Location())
	if err != nil {
		t.Fatal(err)
	}
	endpoint := strings.TrimPrefix(at, w.URL())

	p.visit("/settings/keys")
	p.do(chromedp.SendKeys(chromedp.CSS("[name=name]"), "scanner"), chromedp.Click(chromedp.CSS("[value=publish]")))
	p.press("Make the key")
	key, err := chromedp.Run(p, chromedp.Text(chromedp.CSS(".secret code")))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{Server: w.URL(), APIKey: key})
	if err != nil {
		t.Fatal(err)
	}
	accepted := publish(t, c, "browser.example")
	p.visit("/deliveries/" + accepted.Deliveries[0].ID)
	p.until("200 OK")
	p.shot("delivery")

	r.answer(http.StatusInternalServerError, "down")
	for range 4 {
		publish(t, c, "failing.example")
	}
	p.visit(endpoint)
	p.until("attempts in a row failed")
	publish(t, c, "held.example") // of those before, all may have failed for good
	p.visit("/settings/keys")
	p.until("was disabled") // the banner is on every page
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if mails := post.Mails(); len(mails) > 0 && strings.Contains(mails[len(mails)-1].Text, endpoint) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody is told by mail; the server got %+v\n%s", post.Mails(), w.log)
		}
	}
	p.visit(endpoint)
	p.untilLike(`\b1[0-9] failed`) // its day is counted every few seconds; attempts may have been under way when it was disabled
	p.shot("disabled")
	r.answer(http.StatusOK, "")
	p.open("Enable it, step by step")
	p.until("The first attempt that failed")
	p.press("Send test")
	p.until("It arrived")
	p.shot("recover")
	p.press("Enable")
	p.until("It receives again")
	p.soon("It is done") // the progress goes on by itself
	if title := p.title(); !strings.HasPrefix(title, "Back to work") || strings.Contains(p.text(), "Stop") {
		t.Errorf("when it is done, the page is called %q and says %q", title, p.text())
	}
	p.visit("/endpoints")
	p.until("Active")
	p.visit(endpoint)
	p.until("Since it was enabled")

	p.visit("/dead-letters")
	p.press("Count them")
	if _, err := chromedp.RunResponse(p, chromedp.Click(chromedp.CSS("button[name=sure]"))); err != nil { // "Retry 2"
		t.Fatal(err)
	}
	p.soon("It is done")
	p.visit("/dead-letters")
	p.until("No dead letters")

	p.visit("/deliveries?live=1")
	before := p.places()
	for range 5 {
		publish(t, c, "live.example")
	}
	p.soon("attempt 1: 200 OK")
	if text := p.text(); strings.Contains(text, "Waiting for the next attempt") {
		t.Errorf("beside what happened the page says %q", text)
	}
	last := publish(t, c, "live.example").Deliveries[0].ID
	p.soon("\n" + last + "\t") // the table below moves, too
	if after := p.places(); after != before {
		t.Errorf("what is around the live list moved from %s to %s", before, after)
	}
	p.shot("live")
	p.visit("/endpoints/new")
	p.do(chromedp.SendKeys(chromedp.CSS("[name=url]"), "ftp://files.example.com"))
	p.soon("https://")
}

// places tells where the things around a live list are. The columns of the table below are as wide as what is in them, which
// moves with the list.
func (p page) places() string {
	p.t.Helper()
	text, err := chromedp.Run(p, chromedp.Evaluate[string](`[...document.querySelectorAll("h1, form.filters, #tail, table th")].map((e) => { const r = e.getBoundingClientRect(); return (e.matches("th") ? [r.y, r.height] : [r.x, r.y, r.width, r.height]).map(Math.round).join(" "); }).join("; ")`))
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// TestNothingThatComesFromOutsideRuns plants text in all places that a page shows.
func TestNothingThatComesFromOutsideRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	r := newReceiver(t)
	r.answer(http.StatusInternalServerError, hostile)
	made := zoe.post("/endpoints/new", http.StatusOK, "url", r.URL+"/hooks", "description", hostile, "events", "*", "headers", "X-Hostile: "+hostile)
	endpoint := made.find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	accepted := publish(t, zoe.key(), hostile)
	delivery := "/deliveries/" + accepted.Deliveries[0].ID
	zoe.until(delivery, ">failed</span>")
	zoe.post(delivery+"/discard", http.StatusOK, "reason", hostile)
	zoe.post("/settings/accounts", http.StatusOK, "name", hostile[:100])
	link := zoe.post("/settings/members/invite", http.StatusOK, "email", "max@example.com", "role", "viewer").find(`(/invite/[a-z2-7]+)`)
	w.somebody().post(link, http.StatusOK, "name", hostile[:100], "password", password)

	p := w.signedIn()
	for _, path := range []string{
		"/endpoints", endpoint, endpoint + "/settings", "/deliveries", delivery, "/dead-letters", "/events", "/events/" + accepted.ID, "/settings/members",
		"/settings/sessions", "/settings/profile", "/settings/accounts", "/audit", "/sign-in?next=" + "%22%3E%3Cscript%3E", "/deliveries?type=%22%3E%3Cscript%3Edocument.title=1%3C/script%3E", "/setup?token=%22%3E%3Cscript%3E",
	} {
		p.visit(path)
		title, err := chromedp.Run(p, chromedp.Title())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(title, " · ComplianceLayer") {
			t.Errorf("%s has the title %q: something ran", path, title)
		}
		if n, err := chromedp.Run(p, chromedp.Evaluate[int]("document.querySelectorAll('script:not([src]), img, svg[onload]').length")); err != nil || n > 0 {
			t.Errorf("%s has %d elements that came from outside, %v", path, n, err)
		}
	}
}

// TestABrowserGoesOnToTheIssuerAndComesBack: browsers hold forms to our own pages, and keep cookies back from other sites' requests.
func TestABrowserGoesOnToTheIssuerAndComesBack(t *testing.T) {
	t.Parallel()
	issuer := newProvider(t)
	w := newWorld(t, issuer.settings)
	link := w.owner().invited("max@example.com", "developer")
	p := w.browser()
	p.do(chromedp.EmulateViewport(1280, 800))
	p.visit(link)
	p.press("Continue with Example ID")
	p.arrives("No endpoint yet")
	p.visit("/settings/profile")
	p.arrives("sub-zoe")
	p.shot("profile")
	p.press("Sign out")
	p.arrives("Continue with Example ID")
	p.shot("sign-in")
	p.do(chromedp.Click(chromedp.CSS("a.button")))
	p.arrives("No endpoint yet")
}
