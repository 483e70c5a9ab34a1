package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/longlog"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// planned is what the lists of the dashboard and of the API ask the database.
type planned struct {
	conn
	mu    sync.Mutex
	asked []asked
}

type asked struct {
	query string
	args  []any
}

func (p *planned) note(query string, args []any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, asked{query, args})
}

func (p *planned) query(ctx context.Context, query string, args ...any) (rows, error) {
	p.note(query, args)
	return p.conn.query(ctx, query, args...)
}

func (p *planned) row(ctx context.Context, query string, args ...any) scanner {
	p.note(query, args)
	return p.conn.row(ctx, query, args...)
}

// TestNoListReadsAWholeTable asks each database how it answers what lists ask it, and PostgreSQL how many rows it read:
// no more than a step of a search, whatever is filtered by.
func TestNoListReadsAWholeTable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		database func(*testing.T) string
		check    func(*testing.T, conn, asked)
	}{
		{"SQLite", func(t *testing.T) string { return filepath.Join(t.TempDir(), "test.db") }, walksIndexes},
		{"PostgreSQL", func(t *testing.T) string { return pgtest.URL(t) }, readsFewRows},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			database := tt.database(t)
			s := opened(t, Config{Database: database})
			longlog.Fill(t, database, 100_000)
			reads := s.reads
			seen := &planned{conn: reads}
			s.reads = seen
			readLists(t, s)
			if len(seen.asked) < 100 {
				t.Fatalf("only %d queries were seen", len(seen.asked))
			}
			for _, one := range seen.asked {
				tt.check(t, reads, one)
			}
		})
	}
}

// readLists reads the first page and the next of every list, by every filter that they have, alone and in pairs.
func readLists(t *testing.T, s *Store) {
	t.Helper()
	ctx, ours := t.Context(), store.DefaultAccount
	deliveries := []func(*store.DeliveryFilter){
		func(*store.DeliveryFilter) {},
		func(f *store.DeliveryFilter) { f.EndpointID = longlog.Endpoint(3) },
		func(f *store.DeliveryFilter) { f.Types = []string{"alert.triggered"} },
		func(f *store.DeliveryFilter) { f.Types = []string{longlog.RareType} },
		func(f *store.DeliveryFilter) { f.Class = delivery.ServerError },
		func(f *store.DeliveryFilter) { f.Class = delivery.TLSExpired },
		func(f *store.DeliveryFilter) { f.From = time.Now().Add(-20 * 24 * time.Hour) },
		func(f *store.DeliveryFilter) { f.To = time.Now().Add(-20 * 24 * time.Hour) },
		func(f *store.DeliveryFilter) { f.To = time.Now().Add(-200 * 24 * time.Hour) },
		func(f *store.DeliveryFilter) { f.Statuses = []delivery.Status{delivery.Failed, delivery.Held} },
	}
	for _, status := range delivery.Statuses() {
		deliveries = append(deliveries, func(f *store.DeliveryFilter) { f.Statuses = []delivery.Status{status} })
	}
	for i, one := range deliveries {
		for _, two := range deliveries[i:] {
			var f store.DeliveryFilter
			one(&f)
			two(&f)
			follow(t, func(p store.Page) (string, error) {
				_, next, err := s.ListDeliveries(ctx, ours, f, p)
				return next, err
			})
		}
	}
	for _, f := range []store.EventFilter{
		{}, {Type: "alert.triggered"}, {Type: longlog.RareType}, {Unmatched: true}, {Type: longlog.RareType, Unmatched: true},
		{From: time.Now().Add(-20 * 24 * time.Hour), To: time.Now().Add(-10 * 24 * time.Hour)}, {To: time.Now().Add(-200 * 24 * time.Hour)},
	} {
		follow(t, func(p store.Page) (string, error) {
			_, next, err := s.ListEvents(ctx, ours, f, p)
			return next, err
		})
	}
	follow(t, func(p store.Page) (string, error) {
		_, next, err := s.ListEndpoints(ctx, ours, p)
		return next, err
	})
	follow(t, func(p store.Page) (string, error) {
		_, next, err := s.ListAudit(ctx, ours, store.AuditFilter{}, p)
		return next, err
	})
	readPages(t, s)
}

// readPages reads what pages show beside lists.
func readPages(t *testing.T, s *Store) {
	t.Helper()
	ctx, ours := t.Context(), store.DefaultAccount
	found, _, err := s.ListDeliveries(ctx, ours, store.DeliveryFilter{}, store.Page{Limit: 1})
	must(t, err)
	_, err = s.Delivery(ctx, ours, found[0].ID)
	must(t, err)
	_, _, err = s.Neighbours(ctx, ours, found[0].ID)
	must(t, err)
	_, err = s.Attempts(ctx, ours, found[0].ID)
	must(t, err)
	_, err = s.Event(ctx, ours, found[0].EventID)
	must(t, err)
	for _, f := range []store.DeliveryFilter{{}, {EndpointID: longlog.Endpoint(3)}, {Statuses: []delivery.Status{delivery.Failed, delivery.Delivered}}, {Types: []string{longlog.RareType}}} {
		f.EventID = found[0].EventID
		_, _, err = s.ListDeliveries(ctx, ours, f, store.Page{Limit: 50})
		must(t, err)
	}
	_, err = s.CountDeadLetters(ctx, ours, store.CountLimit)
	must(t, err)
	_, err = s.EndpointNames(ctx, ours, 1000)
	must(t, err)
	to := time.Now()
	_, err = s.Stats(ctx, ours, longlog.Endpoint(3), to.Add(-24*time.Hour), to, time.Minute)
	must(t, err)
	_, err = s.StatsOf(ctx, ours, []string{longlog.Endpoint(3), longlog.Endpoint(4)}, to.Add(-24*time.Hour), to, time.Hour)
	must(t, err)
}

// follow reads a page and the one after it.
func follow(t *testing.T, list func(store.Page) (string, error)) {
	t.Helper()
	next, err := list(store.Page{Limit: 50})
	must(t, err)
	if next != "" {
		_, err = list(store.Page{Limit: 50, Cursor: next})
		must(t, err)
	}
}

// wholeTable is a step of SQLite that goes through all rows of one of the tables, by the names that queries give them.
var wholeTable = regexp.MustCompile(`^SCAN (deliveries|d|events|e|attempts|stats|audit|endpoints|o)\b`)

var (
	walkOfLog   = regexp.MustCompile(`^SEARCH (?:d|deliveries) USING (?:COVERING )?INDEX (\w+) `)
	ofEndpoint  = regexp.MustCompile(`\bendpoint_id = (?:\$|o\.id)`)
	asideStatus = regexp.MustCompile(`\bstatus = '(?:pending|retrying|failed|held|discarded)'`)
)

// walkedBy gives the indexes by which a plan of SQLite looks for deliveries, one for each select of them.
func walkedBy(steps []string) (indexes []string) {
	for _, step := range steps {
		if found := walkOfLog.FindStringSubmatch(step); found != nil {
			indexes = append(indexes, found[1])
		}
	}
	return indexes
}

// walksOf gives those by which it must: any other finds the same rows among all of an account, or of an endpoint.
// Deliveries that are named by their numbers need none.
func walksOf(query string) (indexes []string) {
	for _, conditions := range strings.Split(query, "from deliveries")[1:] {
		endpoint, aside := ofEndpoint.MatchString(conditions), asideStatus.MatchString(conditions)
		switch {
		case strings.Contains(conditions, "d.id = $") || strings.Contains(conditions, "d.id >= $"):
		case strings.Contains(conditions, "due_at is not null"):
			indexes = append(indexes, "deliveries_due")
		case endpoint && aside:
			indexes = append(indexes, "deliveries_endpoint_aside")
		case endpoint:
			indexes = append(indexes, "deliveries_endpoint")
		case aside:
			indexes = append(indexes, "deliveries_aside")
		default:
			indexes = append(indexes, "deliveries_log")
		}
	}
	return indexes
}

// walksIndexes wants SQLite to look rows up, by the index that holds no others, and to sort nothing but groups.
func walksIndexes(t *testing.T, reads conn, one asked) {
	t.Helper()
	rs, err := reads.query(t.Context(), "explain query plan "+one.query, one.args...) //nolint:sqlclosecheck // collect closes
	steps, err := collect(rs, err, func(r scanner) (step string, err error) {
		var a, b, c int
		return step, r.Scan(&a, &b, &c, &step)
	})
	must(t, err)
	ofEvent := strings.Contains(one.query, "d.id >= $")
	if got, want := walkedBy(steps), walksOf(one.query); !slices.Equal(got, want) {
		t.Errorf("walks %v, want %v:\n%s\n%s", got, want, one.query, strings.Join(steps, "\n"))
	}
	for _, step := range steps {
		if ofEvent && strings.HasPrefix(step, "SEARCH d ") && !strings.Contains(step, "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)") {
			t.Errorf("the deliveries of an event are not found by their numbers:\n%s\n%s", one.query, strings.Join(steps, "\n"))
		}
		sorts := strings.HasPrefix(step, "USE TEMP B-TREE") && !strings.Contains(one.query, "group by") && !ofEvent
		if sorts || wholeTable.MatchString(step) {
			t.Errorf("%s\n%v\n%s", one.query, one.args, strings.Join(steps, "\n"))
		}
		if strings.Contains(step, "stats_account") {
			t.Errorf("the minutes of endpoints are looked for among those of the whole account:\n%s", strings.Join(steps, "\n"))
		}
	}
}

// node is a step of a plan of PostgreSQL, as it went.
type node struct {
	Kind    string  `json:"Node Type"`
	Table   string  `json:"Relation Name"`
	Rows    float64 `json:"Actual Rows"` // of each loop, as the two below
	Removed float64 `json:"Rows Removed by Filter"`
	Index   float64 `json:"Rows Removed by Index Recheck"`
	Loops   float64 `json:"Actual Loops"`
	Plans   []node  `json:"Plans"`
}

// readsFewRows wants PostgreSQL to read no table whole, and from those of the log no more than a step has.
func readsFewRows(t *testing.T, reads conn, one asked) {
	t.Helper()
	var text string
	must(t, reads.row(t.Context(), "explain (analyze, timing off, summary off, format json) "+one.query, one.args...).Scan(&text))
	var plans []struct{ Plan node }
	must(t, json.Unmarshal([]byte(text), &plans))
	if wrong := plans[0].Plan.wrong(); wrong != "" {
		t.Errorf("%s\n%v\n%s", one.query, one.args, wrong)
	}
}

func (n node) wrong() string {
	logs := n.Table == "deliveries" || n.Table == "events" || n.Table == "attempts" || n.Table == "audit"
	if logs && n.Kind == "Seq Scan" {
		return "reads all of " + n.Table
	}
	if read := (n.Rows + n.Removed + n.Index) * n.Loops; logs && read > float64(fullEffort().step)+100 {
		return fmt.Sprintf("%s of %s reads %.0f rows", n.Kind, n.Table, read)
	}
	for _, below := range n.Plans {
		if wrong := below.wrong(); wrong != "" {
			return wrong
		}
	}
	return ""
}
