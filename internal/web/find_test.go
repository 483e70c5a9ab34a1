package web_test

import (
	"html"
	"net/http"
	"net/url"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/app"
)

func TestWhatIsNotFoundIsSaidBesideTheList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.get("/events?unmatched=1", http.StatusOK).has("None matched nobody").lacks("Publish one")
	zoe.get("/events", http.StatusOK).has("No event yet", "Publish one")
	zoe.get("/deliveries", http.StatusOK).has("No delivery yet")
	zoe.post("/endpoints/new", http.StatusOK, "url", newReceiver(t).URL, "events", "*")
	accepted := publish(t, zoe.key(), "found.example")
	row := `href="/deliveries/` + accepted.Deliveries[0].ID
	for _, id := range []string{"987654", "no-such-event", "01a21b8a-51b8-7575-983e-c603b9accf3b", "<b>"} {
		zoe.get("/deliveries?id="+url.QueryEscape(id), http.StatusNotFound).has("no delivery with the number and no event with the id", html.EscapeString(id), row)
	}
	for id, want := range map[string]string{accepted.ID: "/events/" + accepted.ID, " " + accepted.Deliveries[0].ID: "/deliveries/" + accepted.Deliveries[0].ID} {
		if at := zoe.get("/deliveries?id="+url.QueryEscape(id), http.StatusOK).path; at != want {
			t.Errorf("%q leads to %s, want %s", id, at, want)
		}
	}
	zoe.get("/events?type=score.changed", http.StatusOK).has("No event matches")
	zoe.get("/deliveries?type=score.changed", http.StatusOK).has("No delivery matches")
}

func TestAURLIsCheckedWhileItIsTyped(t *testing.T) {
	t.Parallel()
	zoe := newWorld(t, func(c *app.Config) { c.Dev = false }).owner()
	for url, want := range map[string]string{
		"https://hooks.example.com/": "This URL can be used", "http://hooks.example.com/": "https", "https://10.0.0.1/": "wrong", "hooks.example.com": "wrong", "<script>": "wrong",
	} {
		zoe.post("/endpoints/check-url", http.StatusOK, "url", url).has(want).lacks("<html", "<script>")
	}
	if said := zoe.post("/endpoints/check-url", http.StatusOK, "url", " "); said.text != "" {
		t.Errorf("of nothing it says %q", said.text)
	}
}
