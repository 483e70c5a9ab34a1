package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The button of the test left the page whose secret is shown once.
func TestATestLeavesTheSecretWhereItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	p := w.signedIn()
	p.visit("/endpoints/new")
	p.do(chromedp.SendKeys(chromedp.CSS("[name=url]"), newReceiver(t).URL), chromedp.Click(chromedp.CSS("[value='*']")))
	p.press("Add webhook")
	p.soon("shown here and never again")
	kept := func() {
		t.Helper()
		if text := p.text(); !strings.Contains(text, "whsec_") {
			t.Errorf("after a test the secret is gone:\n%s", text)
		}
	}
	send := chromedp.Evaluate[chromedp.Void](`{ const button = document.querySelector("main form button"); button.click(); button.click(); }`)
	p.do(send)
	p.soon("it arrived")
	kept()
	if got := len(zoe.get("/deliveries", http.StatusOK).all("test delivered")); got != 1 {
		t.Errorf("two presses before the answer sent %d tests, want one", got)
	}

	endpoint := zoe.get("/endpoints", http.StatusOK).find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	zoe.post(endpoint+"/delete", http.StatusOK, "sure", "yes")
	p.do(send)
	p.soon("It may have been deleted")
	kept()
}
