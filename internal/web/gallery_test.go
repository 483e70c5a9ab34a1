package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/client"
)

// gallery is a world in which every page has something to show.
type gallery struct {
	*world
	zoe    *person
	client *client.Client

	works, fails, busy, disabled, paused       string // pages of endpoints
	delivered, dead, retrying, held, discarded string // pages of deliveries
	matched, unmatched                         string // pages of events
	invite, spentInvite, portal, spentPortal   string // links
}

// Texts that are as long as people write them.
const (
	longName = "Vulnerability management of the northern region (staging, replaced in spring)"
	longPath = "/busy/integrations/v2/tenants/8f14e45f-ceea-467f-a8d2-b1c0e9a3d7f5/channels/compliance?format=compact&token-hint=9c41&region=eu-north-1"
)

// newGallery fills a world.
func newGallery(t *testing.T) *gallery {
	t.Helper()
	g := &gallery{world: newWorld(t, newProvider(t).settings)}
	g.zoe = linked(g.world)
	g.people()
	g.keys()
	g.endpoints(receivers(t))
	g.deliveries()
	return g
}

// receivers is a server with a receiver of each kind.
func receivers(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, _ := strings.Cut(r.URL.Path[1:], "/")
		switch kind {
		case "fails":
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "<html><head><title>500 Internal Server Error</title></head><body><h1>Internal Server Error</h1><p>java.lang.NullPointerException: Cannot invoke \"Ticket.getQueue()\" because \"ticket\" is null</p></body></html>")
		case "busy":
			w.Header().Set("Retry-After", "3600")
			http.Error(w, "too many requests at this hour", http.StatusServiceUnavailable)
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"ticket":"SEC-4711","queue":"compliance"}`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// people adds a viewer, an open invitation, two accounts, and links that are good and spent.
func (g *gallery) people() {
	g.t.Helper()
	invite := func(email, role string) string {
		return g.zoe.post("/settings/members/invite", http.StatusOK, "email", email, "role", role).find(`(/invite/[a-z2-7]+)`)
	}
	g.spentInvite = invite("max@example.com", "viewer")
	g.somebody().post(g.spentInvite, http.StatusOK, "name", "Max", "password", password)
	g.invite = invite("maximiliane.von-und-zu-hohenstein@compliance.subsidiary.example.com", "developer")
	g.zoe.post("/settings/accounts", http.StatusOK, "name", longName)
	customer := g.zoe.post("/settings/accounts", http.StatusOK, "name", "Customer").find(`(acc_[a-z2-7]{16})`)
	link := func() string {
		return g.zoe.post("/settings/accounts/"+customer+"/portal-link", http.StatusOK).find(`(/portal/[a-z2-7]+)`)
	}
	g.spentPortal = link()
	g.somebody().post(g.spentPortal, http.StatusOK)
	g.portal = link()
}

// keys makes one that works and one that is revoked.
func (g *gallery) keys() {
	g.t.Helper()
	old := g.zoe.post("/settings/keys", http.StatusOK, "name", "last year's", "scopes", "read").find(`action="(/settings/keys/[^"]+/revoke)"`)
	g.zoe.post(old, http.StatusOK, "sure", "yes")
	made := g.zoe.post("/settings/keys", http.StatusOK, "name", "scanner", "scopes", "publish", "scopes", "read", "scopes", "manage", "days", "90")
	var err error
	if g.client, err = client.New(client.Config{Server: g.URL(), APIKey: made.find(`(cl_[a-z2-7]{8}_[a-z2-7]{52})`)}); err != nil {
		g.t.Fatal(err)
	}
}

// endpoints adds one of each state, and a type of the account's own.
func (g *gallery) endpoints(receivers string) {
	g.t.Helper()
	own := client.NewEventType{
		Name: "inventory.counted", Description: "The stock was counted.", Sample: json.RawMessage(`{"shelves": 12}`),
		Schema: json.RawMessage(`{"type": "object", "required": ["shelves"], "properties": {"shelves": {"type": "integer"}}}`),
	}
	if _, err := g.client.CreateEventType(g.t.Context(), own); err != nil {
		g.t.Fatal(err)
	}
	add := func(path, description string, more ...string) string {
		form := append([]string{"url", receivers + path, "description", description}, more...)
		return g.zoe.post("/endpoints/new", http.StatusOK, form...).find(`href="(/endpoints/ep_[a-z0-9]+)"`)
	}
	g.works = add("/works", "Ticket system", "events", "scan.completed", "events", "score.changed", "headers", "X-Team: platform\nAuthorization: Bearer planted-token")
	g.fails = add("/fails", longName, "events", "alert.triggered")
	g.busy = add(longPath, "", "events", "scan.completed")
	g.disabled = add("/fails/warehouse", "Warehouse", "events", "domain.added")
	g.paused = add("/works/paused", "Paused", "events", "inventory.counted")
	g.zoe.post(g.works+"/secret/prepare", http.StatusOK)
	g.zoe.post(g.paused+"/disable", http.StatusOK)
}

// deliveries publishes until there is one of each status.
func (g *gallery) deliveries() {
	g.t.Helper()
	scan := g.publish("scan.completed")
	g.matched, g.unmatched = "/events/"+scan.ID, "/events/"+g.publish("domain.removed").ID
	for _, d := range scan.Deliveries {
		if strings.HasSuffix(g.works, d.EndpointID) {
			g.delivered = "/deliveries/" + d.ID
		} else {
			g.retrying = "/deliveries/" + d.ID
		}
	}
	g.dead = g.one("alert.triggered")
	g.held = g.one("inventory.counted")
	g.discarded = g.one("inventory.counted")
	g.zoe.post(g.discarded+"/discard", http.StatusOK, "reason", "counted twice")
	for range 7 { // ten failures in a row disable it, and what comes then is held
		g.publish("domain.added")
	}
	for range 60 { // more than a page of a list
		g.publish("score.changed")
	}
	for path, text := range map[string]string{g.delivered: "200 OK", g.retrying: "503 Service Unavailable", g.dead: ">failed</span>", g.disabled: "Disabled", "/deliveries?status=held": "Warehouse"} {
		g.zoe.until(path, text)
	}
}

// publish accepts the sample of a type.
func (g *gallery) publish(name string) client.AcceptedEvent {
	g.t.Helper()
	kind, err := g.client.EventType(g.t.Context(), name)
	if err != nil {
		g.t.Fatal(err)
	}
	done, err := g.client.Publish(g.t.Context(), client.NewEvent{Type: name, Data: kind.Sample})
	if err != nil {
		g.t.Fatal(err)
	}
	return done
}

// one publishes the sample of a type and gives the page of its only delivery.
func (g *gallery) one(name string) string {
	g.t.Helper()
	return "/deliveries/" + g.publish(name).Deliveries[0].ID
}
