package sqlstore

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// on runs a test on a fresh database of each engine.
func on(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, opened(t, Config{Database: database(t)}))
		})
	}
}

// watchedEndpoint adds an endpoint of the default account.
func watchedEndpoint(t *testing.T, s *Store, id string) {
	t.Helper()
	e := delivery.Endpoint{ID: id, AccountID: store.DefaultAccount, URL: "https://example.com/", Events: []string{"*"}, State: delivery.Enabled, CreatedAt: time.UnixMilli(1), UpdatedAt: time.UnixMilli(1)}
	must(t, s.CreateEndpoint(t.Context(), e, store.Secret{ID: "sec_" + id, Role: store.Current, Sealed: []byte("x"), CreatedAt: time.UnixMilli(1)}, 1000))
}

func alertAt(endpointID string, when time.Time) store.Alert {
	return store.Alert{ID: "alt_" + endpointID, AccountID: store.DefaultAccount, EndpointID: endpointID, Kind: delivery.AlertFailing, Threshold: 10, OpenedAt: when}
}

// The transaction ends between the alert and its notice, as in a crash: here because notices cannot be written.
func TestAnAlertWithoutItsNoticeIsNotThere(t *testing.T) {
	on(t, func(t *testing.T, s *Store) {
		ctx, a := t.Context(), alertAt("ep_1", time.UnixMilli(1000))
		watchedEndpoint(t, s, "ep_1")
		broken := func(what string, change func(context.Context, store.Alert) (bool, error)) {
			t.Helper()
			alter(t, s, "alter table notices rename to hidden")
			if done, err := change(ctx, a); done || err == nil {
				t.Errorf("%s without a notice: %t, %v", what, done, err)
			}
			alter(t, s, "alter table hidden rename to notices")
		}
		broken("open", s.OpenAlert)
		if all, _, err := s.ListAlerts(ctx, a.AccountID, store.AlertFilter{}, store.Page{Limit: 10}); len(all) != 0 || err != nil {
			t.Errorf("alerts: %+v, %v", all, err)
		}
		if done, err := s.OpenAlert(ctx, a); !done || err != nil {
			t.Errorf("open: %t, %v", done, err)
		}
		a.ClosedAt = time.UnixMilli(2000)
		broken("close", s.CloseAlert)
		if all, err := s.OpenAlerts(ctx, a.AccountID, []string{"ep_1"}); len(all) != 1 || err != nil {
			t.Errorf("open alerts: %+v, %v", all, err)
		}
		if done, err := s.CloseAlert(ctx, a); !done || err != nil {
			t.Errorf("close: %t, %v", done, err)
		}
		if all, err := s.ListNotices(ctx, 10); len(all) != 2 || err != nil {
			t.Errorf("notices: %+v, %v", all, err)
		}
	})
}

// between does something after the first query.
type between struct {
	conn
	do func()
}

func (b *between) query(ctx context.Context, query string, args ...any) (rows, error) {
	rs, err := b.conn.query(ctx, query, args...)
	if do := b.do; do != nil && err == nil {
		b.do = nil
		kept := &rowsRead{rows: rs, after: do}
		return kept, nil
	}
	return rs, err
}

// rowsRead does something when they are closed.
type rowsRead struct {
	rows
	after func()
}

func (r *rowsRead) Close() {
	r.rows.Close()
	r.after()
}

// While a node reads, another one counts that an endpoint is well and closes its alert. Whoever then sees
// the counts of before must see the alert of before, or it would open it anew.
func TestAnAlertIsNotJudgedByWhatWasCountedBeforeItChanged(t *testing.T) {
	on(t, func(t *testing.T, s *Store) {
		ctx, a := t.Context(), alertAt("ep_1", time.UnixMilli(1000))
		watchedEndpoint(t, s, "ep_1")
		if done, err := s.OpenAlert(ctx, a); !done || err != nil {
			t.Fatalf("open: %t, %v", done, err)
		}
		count := func(failed int) {
			must(t, s.WriteStats(ctx, []store.Stat{{AccountID: a.AccountID, EndpointID: "ep_1", Minute: time.UnixMilli(0), Writer: "w", Watched: delivery.Counts{Attempts: 100, Failed: failed}}}))
		}
		count(90)
		s.reads = &between{conn: s.reads, do: func() {
			count(0)
			a.ClosedAt = time.UnixMilli(2000)
			if done, err := s.CloseAlert(ctx, a); !done || err != nil {
				t.Errorf("close: %t, %v", done, err)
			}
		}}
		got, err := s.Watched(ctx, []string{"ep_1"}, time.UnixMilli(-1), time.UnixMilli(60000))
		must(t, err)
		if len(got) != 1 || len(got[0].Open) == 0 {
			t.Errorf("the alert of before is not seen beside what may have been counted before: %+v", got)
		}
	})
}

func TestRetentionRemovesClosedAlertsAndThoseOfNobody(t *testing.T) {
	on(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		for _, id := range []string{"ep_old", "ep_young", "ep_open", "ep_gone"} {
			watchedEndpoint(t, s, id)
			a := alertAt(id, time.UnixMilli(1000))
			if done, err := s.OpenAlert(ctx, a); !done || err != nil {
				t.Fatalf("open: %t, %v", done, err)
			}
			if a.ClosedAt = map[string]time.Time{"ep_old": time.UnixMilli(2000), "ep_young": time.UnixMilli(5000)}[id]; !a.ClosedAt.IsZero() {
				if done, err := s.CloseAlert(ctx, a); !done || err != nil {
					t.Fatalf("close: %t, %v", done, err)
				}
			}
		}
		alter(t, s, "delete from endpoints where id = 'ep_gone'") // as of a node that knows no alerts
		for {
			n, err := s.DeleteOld(ctx, time.UnixMilli(5000), 1)
			must(t, err)
			if n == 0 {
				break
			}
		}
		all, _, err := s.ListAlerts(ctx, store.DefaultAccount, store.AlertFilter{}, store.Page{Limit: 10})
		must(t, err)
		var left []string
		for _, a := range all {
			left = append(left, a.EndpointID)
		}
		if got := strings.Join(left, " "); got != "ep_young ep_open" {
			t.Errorf("left are the alerts of %q, want those of ep_young and ep_open", got)
		}
	})
}

// explained gives a plan as text, on one line a step.
func explained(t *testing.T, s *Store, explain, query string, args ...any) string {
	t.Helper()
	rs, err := s.reads.query(t.Context(), explain+query, args...)
	lines, err := collect(rs, err, func(r scanner) (line string, err error) {
		if s.engine.shared() {
			return line, r.Scan(&line)
		}
		var id, parent, unused int
		return line, r.Scan(&id, &parent, &unused, &line)
	})
	must(t, err)
	return strings.Join(lines, "\n")
}

// The plans of a look: of the counts of endpoints that are well it reads nothing, be they ten thousand,
// and of those that have trouble what they are judged by, once.
func TestALookReadsNothingOfEndpointsThatAreWell(t *testing.T) {
	t.Parallel()
	s := opened(t, Config{Database: filepath.Join(t.TempDir(), "test.db")})
	plan := explained(t, s, "explain query plan ", selectTroubled, 1, 2)
	query, args := watchedQuery("", []string{"ep_1", "ep_2"}, time.UnixMilli(1), time.UnixMilli(2))
	plan += "\n" + explained(t, s, "explain query plan ", query, args...)
	for _, want := range []string{"INDEX stats_trouble", "INDEX alerts_open", "SEARCH s USING PRIMARY KEY", "SEARCH e USING PRIMARY KEY"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not have %q:\n%s", want, plan)
		}
	}
	for _, bad := range []string{"SCAN stats", "SCAN s", "SCAN endpoints", "SCAN e"} {
		if strings.Contains(plan+"\n", bad+"\n") || strings.Contains(plan, bad+" ") {
			t.Errorf("the plan reads all: %q\n%s", bad, plan)
		}
	}
}

// With ten thousand endpoints that are well, PostgreSQL touches a few pages.
func TestALookAtTenThousandEndpointsThatAreWellReadsAFewPages(t *testing.T) {
	t.Parallel()
	s := opened(t, Config{Database: pgtest.URL(t)})
	alter(t, s,
		`insert into endpoints (id, account_id, url, description, events, headers, rate_limit, concurrency, state, created_at, updated_at)
			select 'ep_' || n, 'acc_default', '', '', '[]', '[]', 0, 0, 'enabled', 1, 1 from generate_series(1, 10000) n`,
		`insert into stats (endpoint_id, minute, writer, account_id, succeeded, failed, retries, delivered, dead, watched, l0, l1, l2, l3, l4, l5, l6, l7, l8, l9, l10, l11, l12, l13, l14)
			select 'ep_' || n, 60000 * m, 'w', 'acc_default', 1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 from generate_series(1, 10000) n, generate_series(1, 5) m`,
		`analyze`)
	const explain = "explain (analyze, buffers, summary off, timing off) "
	plan := explained(t, s, explain, selectTroubled, 0, 600000)
	query, args := watchedQuery("", []string{"ep_1", "ep_2"}, time.UnixMilli(1), time.UnixMilli(600000))
	plan += "\n" + explained(t, s, explain, query, args...)
	if strings.Contains(plan, "Seq Scan on stats") || strings.Contains(plan, "Seq Scan on endpoints e") {
		t.Errorf("a look reads a whole table:\n%s", plan)
	}
}
