package web_test

import (
	"context"
	"database/sql"
	"net/http"
	"testing"

	"github.com/compliancelayer/compliancelayer/internal/app"
)

// A tab that was left open looked again by itself, and so its session never came to the two weeks after which it ends unused.
func TestAPageThatLooksAgainByItselfIsNoUseOfItsSession(t *testing.T) {
	t.Parallel()
	var database string
	w := newWorld(t, func(c *app.Config) { database = c.Database })
	zoe := w.owner()
	db, err := sql.Open("sqlite", database+"?_pragma=busy_timeout(30000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "update sessions set seen_at = 1000"); err != nil {
		t.Fatal(err)
	}
	used := func() bool {
		var seen int64
		if err := db.QueryRowContext(t.Context(), "select seen_at from sessions").Scan(&seen); err != nil {
			t.Fatal(err)
		}
		return seen != 1000
	}
	for _, one := range []struct{ path, name, value string }{
		{"/deliveries", "HX-Request", "true"}, {"/deliveries/live", "Accept", "text/event-stream"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL()+one.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(one.name, one.value)
		res, err := zoe.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || used() {
			t.Errorf("%s with %s is answered %d, and the session was used: %t; want 200 and not", one.path, one.name, res.StatusCode, used())
		}
	}
	zoe.get("/deliveries", http.StatusOK)
	if !used() {
		t.Error("somebody opened a page, and their session was not used")
	}
}
