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
