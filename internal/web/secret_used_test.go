package web_test

import (
	"net/http"
	"testing"
)

// Once what was tried was held, the secret that had signed it was said to have been used never.
func TestTheSecretOfADisabledEndpointWasUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	c := zoe.key()
	r := newReceiver(t)
	r.answer(http.StatusInternalServerError, "down")
	page := zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "events", "*").find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	const used = `(?s)<th scope="col">Last used</th>.*?<tbody><tr>(?:<td>.*?</td>){3}<td>(<[^>]*>)`
	if got := zoe.get(page, http.StatusOK).has("not lately").find(used); got != `<span class="note">` {
		t.Errorf("of a new secret: %s", got)
	}
	accepted := publish(t, c, "example.com")
	zoe.until("/deliveries/"+accepted.Deliveries[0].ID, "500 Internal Server Error")
	zoe.get(page, http.StatusOK).lacks("not lately")
	for range 5 {
		publish(t, c, "example.com")
	}
	zoe.until(page, "Disabled").lacks("not lately")
	zoe.post("/dead-letters/discard", http.StatusOK, "reason", "over", "sure", "yes")
	zoe.until("/dead-letters", "No dead letters")
	if got := zoe.get(page, http.StatusOK).lacks("not lately").find(used); got == `<span class="note">` {
		t.Error("the secret of an endpoint whose deliveries are held was used never")
	}
}
