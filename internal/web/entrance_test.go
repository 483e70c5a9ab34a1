package web_test

import (
	"net/http"
	"net/url"
	"testing"
)

// Who opens a link that is over is told so before they have typed anything.
func TestALinkThatIsOverSaysSoAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	link, err := url.Parse(w.SetupURL())
	if err != nil {
		t.Fatal(err)
	}
	max := w.somebody()
	max.get("/setup?token=nothing", http.StatusNotFound).has("is not one of this server")
	max.get(link.RequestURI(), http.StatusOK).has("You become the owner", `name="password"`)
	zoe := w.owner()
	max.get(link.RequestURI(), http.StatusNotFound).has("is set up already").lacks(`name="password"`, "You become the owner")
	max.get("/sign-in", http.StatusOK).has("prints a set-up link")
	invitation := zoe.post("/settings/members/invite", http.StatusOK, "email", "max@example.com", "role", "viewer").find(`(/invite/[a-z2-7]+)`)
	max.get(invitation, http.StatusOK).has("You are invited")
	max.post(invitation, http.StatusOK, "name", "Max", "password", password)
	w.somebody().get(invitation, http.StatusNotFound).has("This invitation is over").lacks("You are invited</h1>")
}

// A link into another account took the place of one's own session without a word.
func TestALinkSaysWhoseSessionItTakesThePlaceOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.post("/settings/accounts", http.StatusOK, "name", "Acme")
	acme := zoe.get("/settings/accounts", http.StatusOK).find(`action="(/settings/accounts/acc_[a-z0-9]+/portal-link)"`)
	link := zoe.post(acme, http.StatusOK).find(`(/portal/[a-z2-7]+)`)
	zoe.get(link, http.StatusOK).has("You are signed in here as", "Zoë", "in a private window")
	w.somebody().get(link, http.StatusOK).lacks("You are signed in here")
}

func TestTheLastOwnerIsToldOnThePageThatTheyStay(t *testing.T) {
	t.Parallel()
	zoe := newWorld(t, nil).owner()
	member := zoe.get("/settings/members", http.StatusOK).find(`action="(/settings/members/usr_[a-z0-9]+)/role"`)
	zoe.post(member+"/role", http.StatusConflict, "role", "viewer").has(`role="alert"`, "owner", "Invite somebody")
	zoe.post(member+"/remove", http.StatusConflict, "sure", "yes").has(`role="alert"`, "owner", "Invite somebody")
	zoe.get("/settings/members", http.StatusOK).has("Zoë")
}
