package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// A countdown went on past its end, and the page stayed as it was however long one looked.
func TestAPageThatWaitsForAnAttemptLooksAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *app.Config) { c.Policy.Schedule = delivery.Schedule{0, 4 * time.Second} })
	zoe := w.owner()
	r := newReceiver(t)
	r.answer(http.StatusInternalServerError, "down")
	endpoint := zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "events", "*").find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	c := zoe.key()
	p := w.signedIn()

	one := "/deliveries/" + publish(t, c, "one.example").Deliveries[0].ID
	zoe.until(one, ">retrying<")
	r.answer(http.StatusOK, "")
	p.visit(one)
	p.until("Attempt 2 comes next")
	// That somebody is typing keeps the page from nothing.
	p.do(chromedp.Click(chromedp.Search("//summary[normalize-space()='Discard']")), chromedp.SendKeys(chromedp.CSS("[name=reason]"), "half a reas"))
	p.soon("Attempt 2\n")
	p.soon("delivered")
	if title := p.title(); !strings.HasPrefix(title, "Delivery ") || strings.Contains(p.text(), "comes next") {
		t.Errorf("after it the page is called %q and says %q", title, p.text())
	}

	r.answer(http.StatusInternalServerError, "down")
	two := "/deliveries/" + publish(t, c, "two.example").Deliveries[0].ID
	zoe.until(two, ">retrying<")
	p.visit(endpoint)
	p.until("Failing 1/")
	r.answer(http.StatusOK, "")
	p.soon("Active")
	p.soon("nothing waits")
}

// A week was "in 6 days", and 24 hours "in 23 hr.", a moment after they were set. Midway between two units the slowness of a
// machine decides nothing: each time lies well within what it is rounded to.
func TestTimesOnAPageAreRoundedToTheNearest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.browser()
	p.visit("/sign-in")
	p.until("Sign in")
	for hours, want := range map[int]string{7*24 - 1: "in 7 days", 24: "in 24 hr.", 47: "in 47 hr.", -70: "3 days ago"} {
		add := fmt.Sprintf(`(() => {
			const time = document.createElement("time");
			time.dateTime = new Date(Date.now() + %d * 3600e3 - 300).toISOString();
			document.body.append(time);
			return true;
		})()`, hours)
		if _, err := chromedp.Run(p, chromedp.Evaluate[bool](add)); err != nil {
			t.Fatal(err)
		}
		p.soon(want)
	}
}
