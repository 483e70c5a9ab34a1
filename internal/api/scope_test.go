package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// TestEveryRouteChecksKeyAndScope goes through the route table: every call that takes a
// key is refused without one, with one that is no good, and with one that lacks the scope.
func TestEveryRouteChecksKeyAndScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	expired := w.keyUntil(w.other, moment().Add(-time.Minute), auth.Publish, auth.Manage)
	revoked := w.key(w.other, auth.Publish, auth.Manage)
	w.revoke(revoked)
	bad := []struct{ name, header string }{
		{"no key", ""},
		{"another scheme", "Basic Y2w6Y2w="},
		{"an unknown key", "Bearer cl_aaaaaaaa_bbbb"},
		{"an expired key", "Bearer " + expired},
		{"a revoked key", "Bearer " + revoked},
	}
	lacking := map[auth.Scope]string{
		auth.Publish: w.key(w.other, auth.Read, auth.Manage),
		auth.Read:    w.key(w.other, auth.Publish),
		auth.Manage:  w.key(w.other, auth.Publish, auth.Read),
		auth.Admin:   w.key(w.other, auth.Publish, auth.Read, auth.Manage),
	}
	for i := range w.routes {
		rt := &w.routes[i]
		if rt.open {
			continue
		}
		for _, b := range bad {
			t.Run(rt.pattern()+" with "+b.name, func(t *testing.T) {
				t.Parallel()
				r := httptest.NewRequest(rt.method, concrete(rt.path), strings.NewReader(bodyFor(rt)))
				r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", i) // of its own: whoever comes with too many unknown keys is told to wait
				r.Header.Set("Content-Type", "application/json")
				if b.header != "" {
					r.Header.Set("Authorization", b.header)
				}
				rec := httptest.NewRecorder()
				w.ServeHTTP(rec, r)
				if rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), `"unauthorized"`) || rec.Header().Get("WWW-Authenticate") == "" {
					t.Errorf("got %d %s, want 401 with WWW-Authenticate", rec.Code, rec.Body)
				}
			})
		}
		if rt.scope == "" {
			continue
		}
		t.Run(rt.pattern()+" without its scope", func(t *testing.T) {
			t.Parallel()
			res, body := w.do(rt.method, concrete(rt.path), lacking[rt.scope], bodyFor(rt))
			if res.StatusCode != http.StatusForbidden || !strings.Contains(body, fmt.Sprintf(`\"%s\"`, rt.scope)) || !strings.Contains(body, "this one has p") && !strings.Contains(body, "this one has r") {
				t.Errorf("got %d %s, want a 403 that names the scope %s and those of the key", res.StatusCode, body, rt.scope)
			}
		})
	}
}

// TestTheKeysOfAnotherAccountAskForAdminAndNotForManage: a hint at manage sends people off to
// make a key that is refused again.
func TestTheKeysOfAnotherAccountAskForAdminAndNotForManage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, key := range []string{w.key(store.DefaultAccount, auth.Read), w.key(store.DefaultAccount, auth.Publish, auth.Manage)} {
		for _, call := range [][]string{
			{http.MethodGet, "/v1/keys?account_id=" + w.other, ""},
			{http.MethodDelete, "/v1/keys/key_1?account_id=" + w.other, ""},
			{http.MethodPost, "/v1/keys", `{"name":"k","scopes":["read"],"account_id":"` + w.other + `"}`},
		} {
			res, body := w.do(call[0], call[1], key, call[2])
			if res.StatusCode != http.StatusForbidden || !strings.Contains(body, `\"admin\"`) || strings.Contains(body, `\"manage\"`) {
				t.Errorf("%s %s: got %d %s, want a 403 that names admin", call[0], call[1], res.StatusCode, body)
			}
		}
	}
}

// TestForeignIDsAreNotFound calls everything that takes an id with one of another
// account's. A call that this test does not know fails it.
func TestForeignIDsAreNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	third := w.account("Third")
	theirs := w.client(w.key(third, auth.Publish, auth.Manage))
	e := w.endpoint(theirs)
	failed := w.deliveries(third, e.ID, 1, delivery.ServerError)[0]
	job := store.Job{ID: "job_theirs", AccountID: third, Kind: store.JobRetry, PerSecond: 1, State: store.JobRunning, CreatedAt: moment(), UpdatedAt: moment()}
	check(t, w.db.CreateJob(t.Context(), job))
	check(t, w.db.CreateType(t.Context(), store.EventType{AccountID: third, Name: "order.shipped", CreatedAt: moment(), UpdatedAt: moment()}, 10))
	_, theirKey := auth.NewKey(third, "k", auth.Scopes{auth.Read}, time.Time{}, moment())
	check(t, w.db.CreateKey(t.Context(), theirKey))

	check(t, w.db.AddRecipient(t.Context(), store.Recipient{AccountID: third, Email: "theirs@example.com", By: "key_1", CreatedAt: moment()}, 20, 20))

	ids := map[string]string{
		"/v1/events/{id}": failed.EventID, "/v1/event-types/{type}": "order.shipped", "/v1/endpoints/{id}": e.ID,
		"/v1/deliveries/{id}": number(failed.Deliveries[0].ID), "/v1/jobs/{id}": job.ID, "/v1/keys/{id}": theirKey.ID,
		"/v1/accounts/{id}": third, "/v1/notification-addresses/{email}": "theirs@example.com",
	}
	ours := w.key(w.other, auth.Publish, auth.Manage)
	for i := range w.routes {
		rt := &w.routes[i]
		root, rest, ok := strings.Cut(rt.path, "}")
		if !ok {
			continue
		}
		t.Run(rt.pattern(), func(t *testing.T) {
			t.Parallel()
			id, known := ids[root+"}"]
			if !known {
				t.Fatalf("there is no id of another account's for %s", rt.path)
			}
			path := root[:strings.Index(root, "{")] + id + strings.ReplaceAll(rest, "{n}", "1")
			want := http.StatusNotFound
			if rt.scope == auth.Admin {
				want = http.StatusForbidden
			}
			if res, body := w.do(rt.method, path, ours, bodyFor(rt)); res.StatusCode != want {
				t.Errorf("%s %s: got %d %s, want %d", rt.method, path, res.StatusCode, body, want)
			}
		})
	}
	if got := must(theirs.Endpoint(t.Context(), e.ID))(t); !got.Enabled || got.URL != e.URL {
		t.Errorf("their endpoint was changed: %+v", got)
	}
}

// TestForeignRowsAreNotListed reads every list with a filter for another account's endpoint.
func TestForeignRowsAreNotListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	third := w.account("Third")
	e := w.endpoint(w.client(w.key(third, auth.Manage)))
	w.deliveries(third, e.ID, 2, delivery.ServerError)
	ours := w.key(w.other, auth.Publish, auth.Manage)
	for _, path := range []string{
		"/v1/events", "/v1/endpoints", "/v1/deliveries", "/v1/deliveries?endpoint_id=" + e.ID, "/v1/dead-letters",
		"/v1/dead-letters?endpoint_id=" + e.ID, "/v1/dead-letters?group=endpoint", "/v1/jobs", "/v1/notification-addresses",
	} {
		res, body := w.do(http.MethodGet, path, ours, "")
		if res.StatusCode != http.StatusOK || !strings.Contains(body, `"data":[]`) || strings.Contains(body, e.ID) {
			t.Errorf("GET %s: got %d %s, want an empty list", path, res.StatusCode, body)
		}
	}
	if res, _ := w.do(http.MethodGet, "/v1/keys?account_id="+third, ours, ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("keys of another account: got %d, want 403", res.StatusCode)
	}
	if res, _ := w.do(http.MethodGet, "/v1/stream?endpoint_id="+e.ID, ours, ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("stream of another account's endpoint: got %d, want 404", res.StatusCode)
	}
}

func TestMetricsAreForTheDefaultAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if res, _ := w.do(http.MethodGet, "/metrics", w.key(w.other, auth.Read), ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("a key of another account: got %d, want 403", res.StatusCode)
	}
}

func (w *world) revoke(text string) {
	w.t.Helper()
	key := must(w.db.KeyByHash(w.t.Context(), auth.Hash(text)))(w.t)
	check(w.t, w.db.RevokeKey(w.t.Context(), key.AccountID, key.ID, "", moment()))
}

// concrete puts something into the places of a path.
func concrete(path string) string {
	return strings.NewReplacer("{id}", "1", "{type}", "scan.completed", "{n}", "1", "{email}", "1").Replace(path)
}

// bodyFor is a body that the call takes: its own example.
func bodyFor(rt *route) string {
	if rt.example == "" && rt.in.body != nil {
		return "{}"
	}
	return rt.example
}
