package web_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

// TestAlertsAreOnThePages starts a server on a database in which an endpoint fails, so that its watch
// finds it at the first look.
func TestAlertsAreOnThePages(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "watched.db")
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: path})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	now := time.Now().UTC().Truncate(time.Millisecond)
	for _, id := range []string{"ep_ill", "ep_well"} {
		must(db.CreateEndpoint(t.Context(), delivery.Endpoint{
			ID: id, AccountID: store.DefaultAccount, URL: "https://example.com/" + id, Events: []string{"*"}, State: delivery.Enabled, CreatedAt: now, UpdatedAt: now,
		}, store.Secret{ID: "sec_" + id, Role: store.Current, Sealed: []byte("x"), CreatedAt: now}, 10))
	}
	must(db.WriteStats(t.Context(), []store.Stat{
		{AccountID: store.DefaultAccount, EndpointID: "ep_ill", Minute: now.Truncate(time.Minute), Writer: "w", Succeeded: 34, Failed: 6, Watched: delivery.Counts{Attempts: 40, Failed: 6}},
		{AccountID: store.DefaultAccount, EndpointID: "ep_well", Minute: now.Truncate(time.Minute), Writer: "w", Succeeded: 40, Watched: delivery.Counts{Attempts: 40}},
	}))
	for _, state := range []delivery.State{delivery.Disabled, delivery.Enabled} {
		_, err := db.SetState(t.Context(), store.DefaultAccount, "ep_well", state, delivery.ByHand, now)
		must(err)
	}
	must(db.Close())

	w := newWorld(t, func(c *app.Config) { c.Database = path })
	zoe := w.owner()
	zoe.until("/endpoints", ">Failing attempts<")
	zoe.get("/endpoints/ep_ill", http.StatusOK).has("15.0 % of 40", "failed, in 15 min; alert since", ", closes at 5.0 %<", "0.0 % of 40", "made because one before had failed, in 24 h; no alert", "How this is judged").lacks("Since it was enabled", "opens above")
	zoe.get("/endpoints/ep_well", http.StatusOK).has("failed, in 24 h; no alert", "took longer than 10 s, in 24 h; no alert", "Since it was enabled", "nothing yet").lacks("alert since")
	zoe.get("/endpoints", http.StatusOK).lacks("15.0 %")
}
