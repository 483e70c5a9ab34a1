package web_test

import (
	"cmp"
	"flag"
	"html"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/longlog"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
)

// longLog is how long the long log is; scripts/break.sh has a million.
var longLog = flag.Int("web.log", 20_000, "how many deliveries the long log has")

const (
	firstVisit = 100 << 10             // bytes that a page may cost with all that it loads, as they are sent
	noMoreThan = 3                     // times as long as with a tenth of the log
	quick      = 50 * time.Millisecond // what a page may take: below it nobody need ask how long a shorter log takes
	looks      = 40                    // at a page, at most, until a quiet moment of the machine
)

// saturated is how long a log must be for the bounds of what pages count and look at to be reached. A longer one must cost no
// more; below, and so at the size of an ordinary run, it rightly does, and only the bytes are held to.
const saturated = 100_000

// asked is a page of the long log.
type asked struct {
	path   string
	twin   string   // the same of the shorter log; "" = it has the same address
	search bool     // it looks for what is rare, for up to a second, or counts all that matches: how long that takes says nothing
	form   []string // what is sent to it, as pairs; nil = nothing, it is only looked at
}

// visit opens a page, or the answer to its form.
func (p *person) visit(page asked) answer {
	p.w.t.Helper()
	if page.form != nil {
		return p.post(page.path, http.StatusOK, page.form...)
	}
	return p.get(page.path, http.StatusOK)
}

// stopped is an endpoint of the long log that the test disables.
func stopped() string { return longlog.Endpoint(5) }

func longPages() []asked {
	one := longlog.Endpoint(3)
	return []asked{
		{path: "/endpoints"}, {path: "/endpoints/" + one}, {path: "/endpoints/" + one + "?status=failed"}, {path: "/endpoints/" + one + "/settings"},
		{path: "/deliveries"}, {path: "/deliveries?endpoint=" + one}, {path: "/deliveries?type=alert.triggered"}, {path: "/deliveries?cause=server_error"},
		{path: "/deliveries?status=pending"}, {path: "/deliveries?status=retrying"}, {path: "/deliveries?status=delivered"}, {path: "/deliveries?status=failed"},
		{path: "/deliveries?status=held"}, {path: "/deliveries?status=discarded"}, {path: "/deliveries?status=sending", search: true},
		{path: "/deliveries?endpoint=" + one + "&status=failed&cause=client_error&type=scan.completed"},
		{path: "/deliveries?from=2020-01-01T00:00"}, {path: "/deliveries?to=2020-01-01T00:00"},
		{path: "/deliveries?cause=tls_expired", search: true}, {path: "/deliveries?type=" + longlog.RareType, search: true}, {path: "/deliveries?type=domain.added", search: true},
		{path: "/dead-letters"}, {path: "/dead-letters?endpoint=" + one + "&cause=server_error"}, {path: "/dead-letters?type=" + longlog.RareType, search: true},
		{path: "/events"}, {path: "/events?type=alert.triggered"}, {path: "/events?type=" + longlog.RareType, search: true}, {path: "/events?unmatched=1", search: true},
		{path: "/audit"}, {path: "/event-types"}, {path: "/settings/members"}, {path: "/settings/keys"}, {path: "/settings/notifications"}, {path: "/settings/server"},
		{path: "/settings/sessions"}, {path: "/settings/accounts"}, {path: "/endpoints/" + one + "/recover"}, {path: "/endpoints/" + stopped() + "/recover"},
		{path: "/deliveries/held"},
		{path: "/dead-letters/retry", form: []string{"per_second", "50"}, search: true}, {path: "/dead-letters/discard", form: []string{"reason", "over"}, search: true},
		{path: "/dead-letters/retry", form: []string{"per_second", "50", "type", longlog.RareType}, search: true},
		{path: "/deliveries/held/send", form: []string{"per_second", "50", "endpoint", one}, search: true},
	}
}

// TestPagesStayLightOverALongLog opens every page that lists or counts anything, over a log of -web.log deliveries and one of a tenth.
func TestPagesStayLightOverALongLog(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			long, short := overLog(t, database(t), *longLog), overLog(t, database(t), *longLog/10)
			for _, p := range []*person{long, short} {
				p.post("/endpoints/"+stopped()+"/disable", http.StatusOK)
			}
			pages := longPages()
			for _, list := range []string{"/deliveries", "/events"} {
				one := `href="(` + list + `/[0-9a-f-]+)"`
				pages = append(pages, asked{path: long.get(list, http.StatusOK).find(one), twin: short.get(list, http.StatusOK).find(one)})
			}
			for _, page := range pages {
				took, size := long.quickest(page, short), long.size(page)
				t.Logf("%-80s %8s %7d bytes at the first visit", page.path, took.Round(100*time.Microsecond), size)
				if size > firstVisit {
					t.Errorf("%s: a first visit costs %d bytes, want at most %d", page.path, size, firstVisit)
				}
			}
		})
	}
}

// databases make an empty database of each kind.
var databases = map[string]func(*testing.T) string{
	"SQLite":     func(t *testing.T) string { return filepath.Join(t.TempDir(), "test.db") },
	"PostgreSQL": func(t *testing.T) string { return pgtest.URL(t) },
}

// overLog is the owner of a server with so many deliveries in its log.
func overLog(t *testing.T, database string, deliveries int) *person {
	t.Helper()
	p := newWorld(t, func(c *app.Config) { c.Database = database }).owner()
	longlog.Fill(t, database, deliveries)
	return p
}

// quickest is how long a page takes at best; over the other log it must not be much quicker. It goes on until it has met a moment
// of the machine in which it is so.
func (p *person) quickest(page asked, other *person) time.Duration {
	p.w.t.Helper()
	long, short := time.Hour, time.Hour
	for i := 1; ; i++ {
		long = min(long, p.took(page))
		if page.search || *longLog < 10*saturated {
			return long
		}
		twin := page
		twin.path = cmp.Or(page.twin, page.path)
		short = min(short, other.took(twin))
		slow := long > max(quick, noMoreThan*short)
		if slow && i == looks {
			p.w.t.Errorf("%s takes %s, and %s over a tenth of the log", page.path, long, short)
		}
		if i == looks || i >= 3 && !slow {
			return long
		}
	}
}

func (p *person) took(page asked) time.Duration {
	began := time.Now()
	p.visit(page)
	return time.Since(began)
}

var loaded = regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`)

// size is what a browser without anything of ours loads for a page, as it is sent: style, script and icon are packed.
func (p *person) size(asked asked) int {
	p.w.t.Helper()
	page := p.visit(asked)
	size := len(page.text)
	for _, found := range loaded.FindAllStringSubmatch(page.text, -1) {
		req, err := http.NewRequestWithContext(p.w.t.Context(), http.MethodGet, p.w.URL()+html.UnescapeString(found[1]), nil)
		if err != nil {
			p.w.t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "gzip") // set by hand, it is not unpacked
		file := p.do(req, http.StatusOK)
		if file.header.Get("Content-Encoding") != "gzip" || file.header.Get("Content-Type") == "" || file.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			p.w.t.Errorf("%s is answered with %v, want it packed and to be kept", file.path, file.header)
		}
		size += len(file.text)
	}
	return size
}

// TestListsOfALongLogCanBeReadToTheEnd goes from page to page of lists that few match, and of one that has many pages.
func TestListsOfALongLogCanBeReadToTheEnd(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const deliveries = 20_000
			p := overLog(t, database(t), deliveries)
			for path, want := range map[string]int{
				"/deliveries?type=" + longlog.RareType:          longlog.RareEvents * longlog.PerEvent,
				"/dead-letters?endpoint=" + longlog.Endpoint(3): deliveries / 10 / longlog.Endpoints,
				"/deliveries?status=discarded":                  deliveries / 100,
				"/deliveries?cause=tls_expired":                 0,
				"/events?type=" + longlog.RareType:              longlog.RareEvents,
				"/events?unmatched=1":                           deliveries / longlog.PerEvent / 1000,
			} {
				if got := p.toTheEnd(path); got != want {
					t.Errorf("%s has %d rows on all of its pages, want %d", path, got, want)
				}
			}
		})
	}
}

var (
	rowLink  = regexp.MustCompile(`<td><a class="id" href="([^"]+)"`)
	nextLink = regexp.MustCompile(`<a class="button" href="([^"]+)">(?:Older|Look further back)</a>`)
)

// toTheEnd counts the rows of a list, each of which must come once.
func (p *person) toTheEnd(path string) int {
	p.w.t.Helper()
	seen := map[string]bool{}
	for {
		page := p.get(path, http.StatusOK)
		for _, row := range rowLink.FindAllStringSubmatch(page.text, -1) {
			if seen[row[1]] {
				p.w.t.Errorf("%s lists %s a second time", path, row[1])
			}
			seen[row[1]] = true
		}
		next := nextLink.FindStringSubmatch(page.text)
		if next == nil {
			return len(seen)
		}
		if path = html.UnescapeString(next[1]); !strings.HasPrefix(path, "/") {
			p.w.t.Fatalf("the next page is at %q", path)
		}
	}
}
