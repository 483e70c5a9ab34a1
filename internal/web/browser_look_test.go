package web_test

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// The list of endpoints said "Failing 1/10, due now" for as long as one looked at it.
func TestTheListOfEndpointsLooksAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	r := newReceiver(t)
	zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "description", "Ticket system", "events", "*")
	c := zoe.key()
	p := w.signedIn()
	p.visit("/endpoints")
	p.soon("Active")
	r.answer(http.StatusInternalServerError, "down")
	for range 4 {
		publish(t, c, "failing.example")
	}
	p.soon("Disabled")
	p.soon("Ticket system was disabled") // the banner
	r.answer(http.StatusOK, "")

	looks := func(doing string) bool {
		t.Helper()
		looked, err := chromedp.Run(p, chromedp.Evaluate[bool](`{
			let looked = false;
			`+doing+`
			list.addEventListener("look", () => { looked = true; }, { once: true });
			document.dispatchEvent(new Event("visibilitychange"));
			looked
		}`))
		if err != nil {
			t.Fatal(err)
		}
		return looked
	}
	for doing, want := range map[string]bool{
		`document.activeElement.blur();`:                                         true,
		`list.querySelector("a").focus();`:                                       false,
		`list.querySelector(".pop").open = true; document.activeElement.blur();`: false,
	} {
		if got := looks(`list.querySelector(".pop").open = false;` + doing); got != want {
			t.Errorf("after %s the list looks again: %t, want %t", doing, got, want)
		}
	}
}

// What no attempt came of, such as a discard, never reached the table under a live list.
func TestTheTableUnderALiveListLooksAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	endpoint := zoe.post("/endpoints/new", http.StatusOK, "url", newReceiver(t).URL, "events", "*").find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	zoe.post(endpoint+"/disable", http.StatusOK)
	held := publish(t, zoe.key(), "held.example").Deliveries[0].ID
	p := w.signedIn()
	p.visit("/deliveries?live=1")
	p.soon(held + "\theld")
	zoe.post("/deliveries/"+held+"/discard", http.StatusOK, "reason", "a trial")
	p.soon(held + "\tdiscarded")
}
