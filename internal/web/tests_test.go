package web_test

import (
	"net/http"
	"testing"
)

// A test that failed stood among the deliveries as one that somebody had discarded.
func TestATestIsCalledOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	r := newReceiver(t)
	endpoint := zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "events", "*").find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	zoe.post(endpoint+"/test", http.StatusOK)
	r.answer(http.StatusInternalServerError, "down")
	zoe.post(endpoint+"/test", http.StatusOK)
	failed := zoe.get("/deliveries", http.StatusOK).has("test delivered", "test failed").lacks(">discarded</span>").find(`href="(/deliveries/\d+)"`)
	zoe.get(failed, http.StatusOK).has("test failed", "a test is sent once and never retried").lacks("Discarded")
}

// A reload after a test sent another one.
func TestAReloadAfterATestSendsNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	r := newReceiver(t)
	endpoint := zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "events", "*").find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	other := zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "events", "*").find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	r.answer(http.StatusInternalServerError, "the answer's own words")
	sent := zoe.post(endpoint+"/test", http.StatusOK).has("Internal Server Error", "the answer&#39;s own words")
	test := sent.find(`href="/deliveries/(\d+)">All of the request`)
	zoe.get(sent.path, http.StatusOK).has("the answer&#39;s own words")
	zoe.get(endpoint, http.StatusOK).lacks("the answer&#39;s own words")
	zoe.get(other+"?test="+test, http.StatusOK).lacks("the answer&#39;s own words")
	zoe.get(endpoint+"?test=999", http.StatusOK).lacks(`id="tested"`)
	zoe.post(endpoint+"/disable", http.StatusOK)
	again := zoe.post(endpoint+"/recover", http.StatusOK).has("It did not arrive")
	zoe.get(again.path, http.StatusOK).has("It did not arrive")
	if got := len(zoe.get("/deliveries", http.StatusOK).all("test failed")); got != 2 {
		t.Errorf("there are %d tests, want the 2 that somebody pressed a button for", got)
	}
}

// The address that a form was sent to stays in the browser, and opened again it was nothing.
func TestWhereAFormIsSentLeadsToItsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	endpoint := zoe.post("/endpoints/new", http.StatusOK, "url", newReceiver(t).URL, "events", "*").find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	for sent, page := range map[string]string{
		endpoint + "/test": endpoint, endpoint + "/enable": endpoint, endpoint + "/secret/check": endpoint, "/dead-letters/retry": "/dead-letters", "/dead-letters/discard": "/dead-letters",
		"/deliveries/held/send": "/deliveries?status=held", "/settings/members/invite": "/settings/members", "/event-types/scan.completed/publish": "/event-types/scan.completed",
	} {
		if got := zoe.get(sent, http.StatusOK).path; got != page {
			t.Errorf("%s leads to %s, want %s", sent, got, page)
		}
	}
	zoe.get("/dead-letters/other", http.StatusNotFound)
	w.somebody().get("/dead-letters/retry", http.StatusOK).has("Sign in")
}
