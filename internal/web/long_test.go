package web_test

import (
	"flag"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/longlog"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

var longLog = flag.Int("web.log", 20_000, "how many deliveries the long log has")

func TestProbe(t *testing.T) {
	for _, on := range []string{"SQLite", "PostgreSQL"} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			db := filepath.Join(t.TempDir(), "test.db")
			if on == "PostgreSQL" {
				db = pgtest.URL(t)
			}
			w := newWorld(t, func(c *app.Config) { c.Database = db })
			p := w.owner()
			began := time.Now()
			longlog.Fill(t, db, *longLog)
			t.Logf("filled in %s", time.Since(began))
			for _, path := range []string{"/endpoints", "/endpoints/" + longlog.Endpoint(3), "/deliveries", "/deliveries?status=failed", "/deliveries?status=delivered", "/deliveries?status=retrying", "/deliveries?status=sending", "/deliveries?endpoint=ep_long03", "/deliveries?endpoint=ep_long03&status=failed", "/deliveries?endpoint=ep_long03&status=delivered",
				"/deliveries?cause=server_error", "/deliveries?cause=client_error", "/deliveries?cause=tls_expired", "/deliveries?type=alert.triggered", "/deliveries?type=" + longlog.RareType, "/deliveries?type=domain.added", "/deliveries?from=2020-01-01T00:00", "/deliveries?to=2020-01-01T00:00",
				"/dead-letters", "/dead-letters?endpoint=ep_long03", "/dead-letters?cause=client_error", "/dead-letters?type=" + longlog.RareType, "/events", "/events?type=alert.triggered", "/events?type=" + longlog.RareType, "/events?unmatched=1", "/audit", "/event-types", "/settings/server"} {
				var best time.Duration = time.Hour
				var a answer
				for range 3 {
					began := time.Now()
					a = p.get(path, http.StatusOK)
					best = min(best, time.Since(began))
				}
				t.Logf("%-70s %10s %8d", path, best.Round(time.Millisecond/10), len(a.text))
			}
			_ = regexp.MustCompile
			_ = url.Values{}
		})
	}
}
