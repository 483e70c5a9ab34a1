package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// hostile is a server with a key that may do everything, and the ids of things that are there.
type hostile struct {
	*world
	key string
	ids map[string]string // by the path up to the id
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	h := &hostile{world: newWorld(t, nil)}
	h.key = h.world.key(store.DefaultAccount, auth.Admin)
	e := h.endpoint(h.client(h.key))
	event := h.deliveries(store.DefaultAccount, e.ID, 1, "server_error")[0]
	h.ids = map[string]string{
		"/v1/events/": event.EventID, "/v1/event-types/": "scan.completed", "/v1/endpoints/": e.ID,
		"/v1/deliveries/": number(event.Deliveries[0].ID), "/v1/accounts/": h.other,
	}
	return h
}

// at gives the path of a route with an id that is there, or nearly.
func (h *hostile) at(rt *route) string {
	root, rest, ok := strings.Cut(rt.path, "{")
	if !ok {
		return rt.path
	}
	_, rest, _ = strings.Cut(rest, "}")
	id := h.ids[root]
	if id == "" {
		id = "none"
	}
	return root + id + strings.ReplaceAll(rest, "{n}", "1")
}

// refuses sends a request that must be refused, with 4xx, in the form of the contract.
func (h *hostile) refuses(method, target, body, kind string) {
	h.t.Helper()
	r := must(http.NewRequestWithContext(h.t.Context(), method, h.web.URL, nil))(h.t)
	path, query, _ := strings.Cut(target, "?")
	r.URL.Opaque, r.URL.RawQuery = "//"+r.URL.Host+path, query // as it is, nothing is escaped or cleaned
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(readerOf(body)), int64(len(body))
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("Authorization", "Bearer "+h.key)
	res := must(h.web.Client().Transport.RoundTrip(r))(h.t)
	defer res.Body.Close()
	text := must(io.ReadAll(res.Body))(h.t)
	if len(body) > 200 {
		body = body[:200]
	}
	if res.StatusCode < 400 || res.StatusCode > 499 {
		h.t.Errorf("%s %s %q: got %d %.300s, want 4xx", method, target, body, res.StatusCode, text)
		return
	}
	if res.StatusCode == http.StatusMethodNotAllowed && res.Header.Get("Allow") == "" {
		h.t.Errorf("%s %s: a 405 without Allow", method, target)
	}
	if method == http.MethodHead {
		return
	}
	var e client.Error
	if err := json.Unmarshal(text, &e); err != nil || e.Status != res.StatusCode || e.Message == "" || e.RequestID == "" {
		h.t.Errorf("%s %s %q: got %d %q, want an error in the form of the contract", method, target, body, res.StatusCode, text)
	}
	if (res.StatusCode == 400 || res.StatusCode == 422) && len(e.Fields) == 0 {
		h.t.Errorf("%s %s %q: got %d %s, which names no field", method, target, body, res.StatusCode, text)
	}
}

const jsonKind = "application/json"

// TestHostilePaths calls every route by ways that lead nowhere.
func TestHostilePaths(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	for i := range h.routes {
		rt := &h.routes[i]
		if rt.path == "/metrics" || rt.path == "/v1/stream" {
			continue
		}
		path := h.at(rt)
		h.refuses(rt.method, path+"/", "", "")
		h.refuses(rt.method, "/"+path, "", "")
		h.refuses(rt.method, strings.Replace(path, "/v1/", "/v1/../v1/", 1)+"//", "", "")
		taken := map[string]bool{http.MethodHead: true}
		for j := range h.routes {
			// A fixed path may be what another route takes for an id: /v1/events/batch.
			if other := &h.routes[j]; other.path == rt.path || strings.HasSuffix(other.path, "/{id}") && strings.HasPrefix(path, strings.TrimSuffix(other.path, "{id}")) {
				taken[h.routes[j].method] = true
			}
		}
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if !taken[method] {
				h.refuses(method, path, "", "")
			}
		}
		root, _, ok := strings.Cut(rt.path, "{")
		if !ok {
			continue
		}
		_, rest, _ := strings.Cut(strings.ReplaceAll(rt.path[len(root):], "{n}", "1"), "}")
		body := bodyFor(rt)
		for _, id := range []string{
			"%00", "a%00b", "%ff%fe", "%2e%2e", "%252e%252e", "%2F", "a%2Fb", "%20", "-1", "0", "99999999999999999999", "1e3", "+1", "0x1",
			strings.Repeat("a", 300), "%E2%80%AE", "'%20or%201=1", "*", "null", "ep_%2500",
		} {
			h.refuses(rt.method, root+id+rest, body, jsonKind)
		}
	}
}

// TestHostileQueries gives every parameter of every call what it cannot be.
func TestHostileQueries(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	for i := range h.routes {
		rt := &h.routes[i]
		for _, p := range rt.in.params {
			if p.where != "query" {
				continue
			}
			bad := []string{"%00", "a%00b", "%ff", "%zz", strings.Repeat("a", 3000), "a&" + p.name + "=%00"}
			if p.name == "limit" {
				bad = append(bad, "-1", "9999999999999999999999", "1.5", "0x10")
			}
			for _, value := range bad {
				h.refuses(rt.method, h.at(rt)+"?"+p.name+"="+value, "", "")
			}
		}
		if rt.described() && strings.HasPrefix(rt.path, "/v1/") && rt.method == http.MethodGet && rt.path != "/v1/stream" {
			h.refuses(rt.method, h.at(rt)+"?no%00such=1", "", "")
		}
	}
	for _, cursor := range []string{"a", "%00", "-1", "1_", "99999999999999999999_a", "1_%00", strings.Repeat("9", 5000), "e30=", url.QueryEscape("é")} {
		for i := range h.routes {
			if rt := &h.routes[i]; rt.in.has("cursor") {
				h.refuses(rt.method, h.at(rt)+"?cursor="+cursor, "", "")
			}
		}
	}
}

// TestHostileBodies sends every call that takes a body what it cannot be, also in each of
// the texts of its example.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for i := range h.routes {
		rt := &h.routes[i]
		if rt.in.body == nil || !strings.HasPrefix(rt.path, "/v1/") {
			continue
		}
		path := h.at(rt)
		name := fieldsOf(rt.in.body)[0].name
		for _, body := range []string{
			deep, `{"` + name + `":` + deep + `}`, `{"` + name + `":` + strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000) + `}`,
			`[]`, `"x"`, `null`, `1`, `{`, `{}{}`, `{"` + name + `":null}`, `{"no such":1}`, "{\"" + name + "\":\"\xff\"}", "\x00", "\xef\xbb\xbf{}",
			`{"` + name + `":` + strings.Repeat("9", 5000) + `}`, `{"` + name + `":1e999}`,
		} {
			h.refuses(rt.method, path, body, jsonKind)
		}
		if rt.example == "" {
			continue
		}
		h.refuses(rt.method, path, rt.example, "text/plain")
		h.refuses(rt.method, path, rt.example, "")
		if inner := strings.TrimSpace(rt.example)[1:]; strings.HasPrefix(inner, `"`+name) {
			_, value, _ := strings.Cut(inner, ":")
			h.refuses(rt.method, path, `{"`+name+`":`+value[:strings.LastIndex(value, "}")]+`,"`+name+`":1}`, jsonKind)
		}
		var whole any
		check(t, json.Unmarshal([]byte(rt.example), &whole))
		for _, changed := range withEachText(whole, "a\x00b") {
			body := string(must(json.Marshal(changed))(t))
			if !strings.Contains(body, `"data":`) && !strings.Contains(body, `"sample":`) && name != "secret" {
				h.refuses(rt.method, path, body, jsonKind)
			}
		}
	}
}

// withEachText gives copies of a JSON value in each of which one text is replaced.
func withEachText(value any, by string) []any {
	var all []any
	switch v := value.(type) {
	case string:
		return []any{by}
	case map[string]any:
		for name := range v {
			for _, changed := range withEachText(v[name], by) {
				c := map[string]any{}
				for n, x := range v {
					c[n] = x
				}
				c[name] = changed
				all = append(all, c)
			}
		}
	case []any:
		for i := range v {
			for _, changed := range withEachText(v[i], by) {
				c := append([]any{}, v...)
				c[i] = changed
				all = append(all, c)
			}
		}
	}
	return all
}
