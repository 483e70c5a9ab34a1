package web_test

import (
	"net/http"
	"strings"
	"testing"
)

const otherPassword = "a completely different sentence"

func TestAMemberChangesTheirNameAndPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.get("/settings/profile", http.StatusOK).has("zoe@example.com", `value="Zoë"`, "owner")
	zoe.post("/settings/profile", http.StatusUnprocessableEntity, "name", strings.Repeat("n", 101)).has("This has 101 characters", strings.Repeat("n", 101))
	zoe.post("/settings/profile", http.StatusUnprocessableEntity, "name", "").has("This is missing", `value=""`)
	zoe.post("/settings/profile", http.StatusOK, "name", "Zoë Second").has("Your name was changed", `value="Zoë Second"`)

	elsewhere := w.somebody()
	elsewhere.post("/sign-in", http.StatusOK, "email", "zoe@example.com", "password", password)
	before := zoe.session()
	change := func(want int, present, next string) answer {
		t.Helper()
		return zoe.post("/settings/profile/password", want, "present", present, "password", next)
	}
	change(http.StatusUnprocessableEntity, "wrong", otherPassword).has("This is not your present password").lacks(otherPassword)
	change(http.StatusUnprocessableEntity, "", otherPassword).has("This is not your present password")
	change(http.StatusUnprocessableEntity, password, "short").has("12 characters or more; a few words")
	change(http.StatusUnprocessableEntity, password, password).has("This is your present password")
	elsewhere.get("/endpoints", http.StatusOK).has("No endpoint yet")

	change(http.StatusOK, password, otherPassword).has("Your password was changed")
	elsewhere.get("/endpoints", http.StatusOK).has("Sign in")
	if zoe.session() == before {
		t.Error("the session goes on with the same token")
	}
	thief := w.somebody()
	thief.holdsSession(before)
	thief.get("/endpoints", http.StatusOK).has("Sign in")
	elsewhere.post("/sign-in", http.StatusUnauthorized, "email", "zoe@example.com", "password", password)
	elsewhere.post("/sign-in", http.StatusOK, "email", "zoe@example.com", "password", otherPassword)
	zoe.until("/audit", "session.refused").has("member.rename", "Zoë → Zoë Second", "member.password", "their other sessions ended; from 127.0.0.1", "by password from 127.0.0.1", "by set-up link from 127.0.0.1").
		lacks(password, otherPassword, before)

	for range 5 {
		change(http.StatusUnprocessableEntity, "wrong", password)
	}
	if a := change(http.StatusTooManyRequests, otherPassword, password).has("Too many sign-ins failed"); a.header.Get("Retry-After") == "" {
		t.Error("nothing says when to come again")
	}
}

func TestAVisitorByLinkHasNothingToChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	zoe.post("/settings/accounts", http.StatusOK, "name", "Customer")
	account := zoe.get("/settings/accounts", http.StatusOK).find(`(acc_[a-z2-7]{16})`)
	link := zoe.post("/settings/accounts/"+account+"/portal-link", http.StatusOK).find(`(/portal/[a-z2-7]+)`)
	guest := w.somebody()
	guest.post(link, http.StatusOK)
	guest.get("/settings/profile", http.StatusOK).has("You came by link").lacks("<input")
	guest.post("/settings/profile", http.StatusNotFound, "name", "Guest")
	guest.post("/settings/profile/password", http.StatusUnprocessableEntity, "password", password).has("You came by link, and are no member")
	guest.post("/settings/profile/link", http.StatusUnprocessableEntity).has("You came by link")
	guest.post("/settings/profile/unlink", http.StatusNotFound, "issuer", "https://issuer.example.com")
	guest.get("/audit", http.StatusOK).has("session.sign_in", "by link from 127.0.0.1", "portal:ses_")
}

func TestASessionThatIsEndedIsWrittenDownWithWhoseItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	link := zoe.invited("max@example.com", "viewer")
	max := w.somebody()
	max.post(link, http.StatusOK, "name", "Max", "password", password)
	id := zoe.get("/settings/sessions", http.StatusOK).find(`(?s)max@example\.com.*?(ses_[a-z2-7]+)/end`)
	zoe.post("/settings/sessions/"+id+"/end", http.StatusOK)
	max.get("/endpoints", http.StatusOK).has("Sign in")
	zoe.get("/audit", http.StatusOK).has("session.end", id, "of max@example.com, from 127.0.0.1")
}

// session is the token of a browser's session.
func (p *person) session() string { return p.cookie("__Host-session") }

func (p *person) holdsSession(token string) { p.keep("__Host-session", token) }

// An admin tries each way to become an owner.
func TestAnAdminDoesNotBecomeAnOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	zoe := w.owner()
	link := zoe.post("/settings/members/invite", http.StatusOK, "email", "max@example.com", "role", "admin").find(`(/invite/[a-z2-7]+)`)
	max := w.somebody()
	max.post(link, http.StatusOK, "name", "Max", "password", password)
	max.post("/settings/accounts/acc_default/portal-link", http.StatusForbidden)
	max.get("/settings/keys", http.StatusOK).lacks(`value="admin"`, "Everything, in every account").has("Publish events.", "and change nothing")
	max.get("/settings/members", http.StatusOK).lacks("<option>owner").has("<option>admin", "<option selected>admin")
	zoe.get("/settings/members", http.StatusOK).has("<option>owner", "<option selected>owner")
	max.post("/settings/keys", http.StatusUnprocessableEntity, "name", "all", "scopes", "admin").has("Only an owner")
	max.post("/settings/members/invite", http.StatusUnprocessableEntity, "email", "eve@example.com", "role", "owner").has("Only an owner")
	zoe.post("/settings/accounts/acc_default/portal-link", http.StatusOK)
	zoe.post("/settings/keys", http.StatusOK, "name", "all", "scopes", "admin").has("never again")
}
