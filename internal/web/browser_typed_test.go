package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// enter signs in by the form that is shown.
func (p page) enter(email string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS("[name=email]"), email), chromedp.SendKeys(chromedp.CSS("[name=password]"), password))
	p.press("Sign in")
}

// signedIn is a browser in which the owner has signed in.
func (w *world) signedIn() page {
	w.t.Helper()
	p := w.browser()
	p.visit("/sign-in")
	p.enter("zoe@example.com")
	return p
}

// value is what stands in a field.
func (p page) value(name string) string {
	p.t.Helper()
	text, err := chromedp.Run(p, chromedp.Value(chromedp.CSS("[name="+name+"]")))
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// What had been typed was lost when the session had ended meanwhile.
func TestWhatWasTypedOutlivesALostSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	link := zoe.post("/settings/members/invite", http.StatusOK, "email", "max@example.com", "role", "developer").find(`(/invite/[a-z2-7]+)`)
	w.somebody().post(link, http.StatusOK, "name", "Max", "password", password)
	p := w.browser()
	// type fills the form in, and has the session end before it is sent.
	typeAndLose := func() {
		p.visit("/endpoints/new")
		p.do(chromedp.SendKeys(chromedp.CSS("[name=url]"), "https://hooks.example.com/"), chromedp.SendKeys(chromedp.CSS("[name=description]"), "Ticket system"), chromedp.Click(chromedp.CSS("[value='*']")),
			chromedp.Click(chromedp.Search("//summary[normalize-space()='Headers of your own']")), chromedp.SendKeys(chromedp.CSS("[name=headers]"), "Authorization: planted-token"))
		p.soon("This URL can be used") // else that question finds the session ended, and the page goes to sign in before the button is pressed
		for _, end := range zoe.get("/settings/sessions", http.StatusOK).all(`/settings/sessions/[^"]+/end"><button class="plain">End<`) {
			path, _, _ := strings.Cut(end, `"`)
			zoe.post(path, http.StatusOK)
		}
		p.press("Add webhook")
		p.until("Password")
		// Who sits down at this tab now has not signed in.
		if kept, err := chromedp.Run(p, chromedp.Evaluate[string](`JSON.stringify(sessionStorage)`)); err != nil || strings.Contains(kept, "planted-token") || !strings.Contains(kept, "Ticket system") {
			t.Errorf("on the sign-in page the browser keeps %s, %v", kept, err)
		}
	}
	p.visit("/sign-in")
	p.enter("zoe@example.com")
	typeAndLose()
	p.enter("zoe@example.com")
	p.soon("is here once more")
	if url, name, headers := p.value("url"), p.value("description"), p.value("headers"); url != "https://hooks.example.com/" || name != "Ticket system" || headers != "" {
		t.Errorf("the form has %q, %q and the headers %q", url, name, headers)
	}
	zoe.get("/endpoints", http.StatusOK).has("No endpoint yet")
	p.press("Add webhook")
	p.soon("shown here and never again")
	p.visit("/endpoints/new")
	if name := p.value("description"); name != "" {
		t.Errorf("after it was sent the form has %q", name)
	}

	typeAndLose()
	p.enter("max@example.com")
	p.soon("Add webhook")
	if name := p.value("description"); name != "" || strings.Contains(p.text(), "once more") {
		t.Errorf("somebody else finds %q", name)
	}
}

// A second press of a button, before the answer to the first had come, could make a second endpoint.
func TestAButtonThatIsPressedTwiceSendsItsFormOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.owner()
	p := w.signedIn()
	p.visit("/endpoints/new")
	p.do(chromedp.SendKeys(chromedp.CSS("[name=url]"), "https://hooks.example.com/"), chromedp.Click(chromedp.CSS("[value='*']")))
	stopped, err := chromedp.Run(p, chromedp.Evaluate[string](`{
		const stopped = [], button = [...document.querySelectorAll("main button")].find((b) => b.textContent === "Add webhook");
		addEventListener("submit", (event) => { stopped.push(event.defaultPrevented); event.preventDefault(); });
		button.click(); button.click(); dispatchEvent(new Event("pageshow")); button.click();
		stopped.join()
	}`))
	if err != nil || stopped != "false,true,false" {
		t.Errorf("of two presses, and one after coming back, stopped were %q, %v", stopped, err)
	}
}
