package web_test

import (
	"net/http"
	"testing"
)

func TestTheAuditIsNarrowedByWhoWhatAndWhen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	r := newReceiver(t)
	r.answer(http.StatusInternalServerError, "down")
	zoe.post("/endpoints/new", http.StatusOK, "url", r.URL, "description", "Archive", "events", "*")
	c := zoe.key()
	for range 4 {
		publish(t, c, "failing.example")
	}
	zoe.until("/audit?actor=system", "endpoint.disabled").has("the server", "failed attempts in a row: 10", `value="system" selected`).lacks("key.create")
	zoe.get("/audit?action=key.create", http.StatusOK).has("key.create", "action=key.create").lacks("endpoint.create<")
	zoe.get("/audit?action=endpoint.create&actor=system", http.StatusOK).has("Nothing that was done matches")
	zoe.get("/audit?actor=key_nobody", http.StatusOK).has("Nothing that was done matches", "key_nobody")
	zoe.get("/audit?from=2001-01-01T00:00&to=2001-01-02T00:00", http.StatusOK).has("Nothing that was done matches", "2001-01-01T00:00")
	zoe.get("/audit?from=yesterday", http.StatusUnprocessableEntity).has("Write a date")
}
