package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// Each disabled endpoint had a sentence of its own, on every page: of fourteen, a phone showed nothing else.
func TestTheBannerOfManyDisabledEndpointsIsOneSentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *app.Config) { cfg.Policy.DisableOnGone = true })
	zoe := w.owner()
	c := zoe.key()
	r := newReceiver(t)
	r.answer(http.StatusGone, "")
	disable := func(n int) (page string) {
		var pages []string
		for range n {
			pages = append(pages, zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "events", "*").find(`href="(/endpoints/ep_[a-z0-9]+)"`))
		}
		publish(t, c, "example.com")
		for _, page = range pages {
			zoe.until(page, "Enable it, step by step") // the banner does not say that
		}
		return page
	}
	disable(1)
	last := disable(1)
	if n := strings.Count(zoe.get("/deliveries", http.StatusOK).has("was disabled").text, "See what happened"); n != 2 {
		t.Errorf("the banner of two disabled endpoints has %d sentences", n)
	}
	zoe.get(last+"/recover", http.StatusOK).has("See what happened")
	disable(1)
	for _, path := range []string{"/deliveries", last + "/recover"} {
		zoe.get(path, http.StatusOK).has("3 endpoints</b> are disabled", `href="/endpoints"`).lacks("See what happened")
	}
	zoe.get("/nowhere", http.StatusNotFound).has("3 endpoints</b> are disabled")
	disable(manage.MaxStopped - 3 + 1)
	zoe.get("/deliveries", http.StatusOK).has(fmt.Sprintf("%d or more endpoints</b> are disabled", manage.MaxStopped)).lacks("See what happened")
}
