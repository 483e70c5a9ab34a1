package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// added is an event that fits its schema.
const added = `{"type":"domain.added","data":{"domain":"example.com","added_at":"2026-03-08T12:34:56.789Z"}}`

// TestBadInputIsNamed sends what cannot be used and wants the very field named, with
// words that say what to do.
func TestBadInputIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	key := w.key(w.other, auth.Publish, auth.Manage)
	e := w.endpoint(w.user())
	deep := strings.Repeat(`[`, 70) + strings.Repeat(`]`, 70)
	tests := []struct {
		name, method, path, body string
		status                   int
		field, words             string
	}{
		{"an unknown field", "POST", "/v1/endpoints", `{"urll":"https://example.com","events":["*"]}`, 422, "urll", "did you mean url?"},
		{"a missing field", "POST", "/v1/endpoints", `{"url":"https://example.com"}`, 422, "events", "is missing"},
		{"a field twice", "POST", "/v1/endpoints", `{"url":"https://a.com","url":"https://b.com","events":["*"]}`, 422, "url", "twice"},
		{"a number for a text", "POST", "/v1/endpoints", `{"url":5,"events":["*"]}`, 422, "url", "must be a text"},
		{"a text for a number", "POST", "/v1/endpoints", `{"url":"https://a.com","events":["*"],"rate_limit":"5"}`, 422, "rate_limit", "whole number"},
		{"a fraction for a number", "POST", "/v1/endpoints", `{"url":"https://a.com","events":["*"],"rate_limit":1.5}`, 422, "rate_limit", "whole number"},
		{"a text for a yes", "POST", "/v1/endpoints", `{"url":"https://a.com","events":["*"],"enabled":"yes"}`, 422, "enabled", "true or false"},
		{"a text for a list", "POST", "/v1/endpoints", `{"url":"https://a.com","events":"*"}`, 422, "events", "must be a list"},
		{"a list for an object", "POST", "/v1/endpoints", `{"url":"https://a.com","events":["*"],"headers":[["a","b"]]}`, 422, "headers[0]", "must be an object"},
		{"an item of the wrong type", "POST", "/v1/endpoints", `{"url":"https://a.com","events":["*",7]}`, 422, "events[1]", "must be a text"},
		{"a field missing further in", "POST", "/v1/endpoints", `{"url":"https://a.com","events":["*"],"headers":[{"name":"A"}]}`, 422, "headers[0].value", "is missing"},
		{"null", "PATCH", "/v1/endpoints/" + e.ID, `{"description":null}`, 422, "description", "must not be null"},
		{"a rule of the domain", "POST", "/v1/endpoints", `{"url":"ftp://a.com","events":["*"]}`, 422, "url", ""},
		{"a pattern that cannot match", "POST", "/v1/endpoints", `{"url":"https://a.com","events":["scan.complete"]}`, 422, "events[0]", "scan.completed"},
		{"the mask for a header that is new", "POST", "/v1/endpoints", `{"url":"https://a.com","events":["*"],"headers":[{"name":"X-Token","value":"••••"}]}`, 422, "headers[0].value", "mask"},
		{"no body", "POST", "/v1/endpoints", ``, 415, "Content-Type", "application/json"},
		{"no JSON", "POST", "/v1/endpoints", `{"url":`, 400, "body", "line 1"},
		{"JSON and more", "POST", "/v1/endpoints", `{"url":"https://a.com","events":["*"]} {}`, 400, "body", "not valid JSON"},
		{"a list as the body", "POST", "/v1/endpoints", `[]`, 422, "body", "must be an object"},
		{"nested too deeply", "POST", "/v1/event-types", `{"name":"a.b","schema":` + deep + `}`, 400, "body", "64 levels"},
		{"nested far too deeply", "POST", "/v1/endpoints", `{"x":` + strings.Repeat(`[`, 10_001) + strings.Repeat(`]`, 10_001) + `}`, 400, "body", "64 levels"},
		{"nested far too deeply in an event", "POST", "/v1/events", strings.Repeat(`[`, 10_001) + strings.Repeat(`]`, 10_001), 400, "body", "64 levels"},
		{"nested too deeply in an unknown field", "POST", "/v1/endpoints", `{"x":` + deep + `}`, 400, "body", "64 levels"},
		{"a body for a call that takes none", "POST", "/v1/endpoints/" + e.ID + "/secret/prepare", `{"overlap":"1h"}`, 422, "overlap", "takes none"},
		{"a schema that is none", "POST", "/v1/event-types", `{"name":"order.shipped","schema":{"type":"objekt"}}`, 422, "schema/type", ""},
		{"a sample that does not fit", "POST", "/v1/event-types", `{"name":"order.shipped","schema":{"type":"object","required":["id"]},"sample":{}}`, 422, "sample.id", ""},
		{"a choice that there is not", "POST", "/v1/endpoints/" + e.ID + "/enable", `{"held":"all"}`, 422, "held", "send, newest, keep"},
		{"a pace out of bounds", "POST", "/v1/endpoints/" + e.ID + "/enable", `{"per_second":-1}`, 422, "per_second", ""},
		{"a pace of nothing, which was taken for none", "POST", "/v1/endpoints/" + e.ID + "/enable", `{"per_second":0}`, 422, "per_second", "between 1 and 10000"},
		{"a pace of nothing in a retry", "POST", "/v1/deliveries/retry", `{"filter":{},"per_second":0}`, 422, "per_second", "between 1 and 10000"},
		{"an overlap that is no duration", "POST", "/v1/endpoints/" + e.ID + "/secret/rotate", `{"overlap":"a day"}`, 422, "overlap", "24h or 7d"},
		{"an overlap that is too long", "POST", "/v1/endpoints/" + e.ID + "/secret/rotate", `{"overlap":"8d"}`, 422, "overlap", ""},
		{"bad base64", "POST", "/v1/endpoints/" + e.ID + "/secret/check", `{"body_base64":"!","signature":"x"}`, 422, "body_base64", "is not base64"},
		{"two bodies", "POST", "/v1/endpoints/" + e.ID + "/secret/check", `{"body_base64":"e30=","body":"{}","signature":"x"}`, 422, "body_base64", "one of them"},
		{"a time that is none", "POST", "/v1/endpoints/" + e.ID + "/replay", `{"from":"yesterday","to":"2026-03-08T00:00:00Z"}`, 422, "from", "must be a time"},
		{"a status that there is not", "POST", "/v1/deliveries/retry", `{"filter":{"status":["faild"]}}`, 422, "filter.status[0]", "failed, held, delivered, discarded"},
		{"a status that a retry does not take", "POST", "/v1/deliveries/retry", `{"filter":{"status":["pending"]}}`, 422, "status", "use failed, held, delivered, discarded"},
		{"a status that a discard does not take", "POST", "/v1/deliveries/discard", `{"filter":{"status":["delivered"]},"reason":"x"}`, 422, "status", "use failed, held, pending, retrying"},
		{"no reason for many", "POST", "/v1/deliveries/discard", `{"filter":{},"dry_run":true}`, 422, "reason", "is missing"},
		{"no reason", "POST", "/v1/deliveries/1/discard", `{}`, 422, "reason", "is missing"},
		{"a scope that there is not", "POST", "/v1/keys", `{"name":"k","scopes":["root"]}`, 422, "scopes[0]", "publish, read, manage, admin"},
		{"a parameter that there is not", "GET", "/v1/events?typ=a", ``, 422, "typ", "did you mean type?"},
		{"a parameter for a call without", "GET", "/v1/me?a=1", ``, 422, "a", "takes none"},
		{"a parameter for publishing", "POST", "/v1/events?sync=1", `{"type":"domain.added","data":1}`, 422, "sync", "takes none"},
		{"a parameter twice", "GET", "/v1/events?type=a&type=b", ``, 422, "type", "twice"},
		{"a limit that is no number", "GET", "/v1/events?limit=ten", ``, 422, "limit", "whole number"},
		{"a limit out of bounds", "GET", "/v1/events?limit=100000", ``, 422, "limit", "between 1 and 250"},
		{"a limit of nothing", "GET", "/v1/events?limit=0", ``, 422, "limit", "between 1 and 250"},
		{"a limit of nothing in two digits", "GET", "/v1/dead-letters?limit=00", ``, 422, "limit", "between 1 and 250"},
		{"a limit below nothing", "GET", "/v1/deliveries?limit=-1", ``, 422, "limit", "between 1 and 250"},
		{"an empty limit", "GET", "/v1/endpoints?limit=", ``, 422, "limit", "between 1 and 250"},
		{"a cursor of nobody's", "GET", "/v1/events?cursor=abc", ``, 422, "cursor", "next_cursor"},
		{"a cursor of nobody's in the dead letters", "GET", "/v1/dead-letters?cursor=abc", ``, 422, "cursor", "next_cursor"},
		{"a time in a query", "GET", "/v1/events?from=now", ``, 422, "from", "must be a time"},
		{"a yes in a query", "GET", "/v1/events?unmatched=1", ``, 422, "unmatched", "true or false"},
		{"a status in a query", "GET", "/v1/deliveries?status=failed,lost", ``, 422, "status", "must be one of"},
		{"a group that there is not", "GET", "/v1/dead-letters?group=type", ``, 422, "group", "endpoint, cause"},
		{"a window that is no duration", "GET", "/v1/stats?window=long", ``, 422, "window", "24h or 7d"},
		{"a query that is badly escaped", "GET", "/v1/events?type=%zz", ``, 400, "query", "escape"},
		{"a kind of item that there is not", "GET", "/v1/stream?types=delivery", ``, 422, "types", "event, attempt"},
		{"a pattern of a stream", "GET", "/v1/stream?events=a**", ``, 422, "events[0]", ""},
		{"a pattern of a stream that selects nothing", "GET", "/v1/stream?events=scan.*,dmain.*", ``, 422, "events[1]", "did you mean domain.*?"},
		{"an event type of a stream that there is not", "GET", "/v1/stream?events=scan.complete", ``, 422, "events[0]", "did you mean scan.completed?"},
		{"an unknown type of event", "POST", "/v1/events", `{"type":"scan.complete","data":{}}`, 422, "type", ""},
		{"a bad item of a batch", "POST", "/v1/events/batch", `{"events":[` + added + `,{"type":"no.such","data":1}]}`, 422, "events[1].type", ""},
		{"data that is no JSON", "POST", "/v1/events", `{"type":"domain.added","data":{"a":nul}}`, 422, "data.a", "not valid JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res, body := w.do(tt.method, tt.path, key, tt.body)
			var e client.Error
			check(t, json.Unmarshal([]byte(body), &e))
			if res.StatusCode != tt.status || e.Status != tt.status {
				t.Errorf("%s %s %s: status %d, in the body %d, want %d: %s", tt.method, tt.path, tt.body, res.StatusCode, e.Status, tt.status, body)
			}
			if e.RequestID == "" || e.RequestID != res.Header.Get("X-Request-Id") || e.Message == "" {
				t.Errorf("%s: no message, or not the request id %s", body, res.Header.Get("X-Request-Id"))
			}
			if strings.HasSuffix(e.Message, "?.") || strings.HasSuffix(e.Message, "..") || !strings.ContainsAny(e.Message[len(e.Message)-1:], ".?!") {
				t.Errorf("the message does not end as a sentence: %s", e.Message)
			}
			for _, f := range e.Fields {
				if f.Name == tt.field && strings.Contains(f.Message, tt.words) {
					return
				}
			}
			t.Errorf("%s %s %s: fields %+v, want %s with %q", tt.method, tt.path, tt.body, e.Fields, tt.field, tt.words)
		})
	}
}

// What is no id was answered as an id of which there is nothing.
func TestWhatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	key := w.key(w.other, auth.Manage)
	id := number(w.deliveries(w.other, w.endpoint(w.user()).ID, 1, delivery.OK)[0].Deliveries[0].ID)
	tests := []struct{ method, path, words string }{
		{"POST", "/v1/deliveries/abc/retry", `"abc" is not the id of a delivery`},
		{"GET", "/v1/deliveries/-1", `"-1" is not the id of a delivery`},
		{"GET", "/v1/deliveries/999999999", "There is nothing with this id"},
		{"GET", "/v1/deliveries/999999999/attempts/1", "There is nothing with this id"},
		{"GET", "/v1/deliveries/" + id + "/attempts/9", "Delivery " + id + " has no attempt 9"},
		{"GET", "/v1/deliveries/" + id + "/attempts/first", `"first" is not the number of an attempt`},
	}
	for _, tt := range tests {
		res, body := w.do(tt.method, tt.path, key, "")
		var e client.Error
		check(t, json.Unmarshal([]byte(body), &e))
		if res.StatusCode != 404 || e.Code != client.CodeNotFound || !strings.Contains(e.Message, tt.words) {
			t.Errorf("%s %s: got %d %+v, want %q", tt.method, tt.path, res.StatusCode, e, tt.words)
		}
	}
}

func TestBodiesOverTheirLimitAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	key := w.key(w.other, auth.Publish, auth.Manage)
	filler := func(n int) string { return strings.Repeat("x", n) }
	event := func(size int) string {
		return strings.Replace(added, `{"domain"`, `{"note":"`+filler(size-len(added)-len(`"note":"",`))+`","domain"`, 1)
	}
	tests := []struct {
		name, path, body string
		status           int
	}{
		{"an event of almost 256 KiB", "/v1/events", event(maxEvent - 100), 202},
		{"an event that fits, but not with its id and time", "/v1/events", event(maxEvent), 413},
		{"the same in a batch", "/v1/events/batch", `{"events":[` + event(maxEvent) + `]}`, 413},
		{"a small event with 256 KiB of white space", "/v1/events", added + strings.Repeat(" ", maxEvent-len(added)), 202},
		{"the same with a byte more", "/v1/events", added + strings.Repeat(" ", maxEvent-len(added)+1), 413},
		{"a batch over 8 MiB", "/v1/events/batch", `{"events":[{"type":"domain.added","data":"` + filler(maxBatch) + `"}]}`, 413},
		{"settings over 64 KiB", "/v1/endpoints", `{"url":"` + filler(maxSmall) + `","events":["*"]}`, 413},
	}
	for _, tt := range tests {
		for _, chunked := range []bool{false, true} {
			t.Run(tt.name+map[bool]string{true: ", length not declared"}[chunked], func(t *testing.T) {
				t.Parallel()
				r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, w.web.URL+tt.path, readerOf(tt.body)))(t)
				r.Header.Set("Authorization", "Bearer "+key)
				r.Header.Set("Content-Type", "application/json")
				if chunked {
					r.ContentLength = -1
				}
				res := must(w.web.Client().Do(r))(t)
				defer res.Body.Close()
				if res.StatusCode != tt.status {
					body, _ := io.ReadAll(res.Body)
					t.Errorf("status %d, want %d: %s", res.StatusCode, tt.status, body)
				}
			})
		}
	}
}

func TestMediaTypeOfBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	key := w.key(w.other, auth.Publish, auth.Manage)
	tests := []struct {
		kind string
		want int
	}{
		{"application/json", 202},
		{"application/json; charset=utf-8", 202},
		{"Application/JSON;charset=UTF-8", 202},
		{"application/json; charset=latin1", 415},
		{"application/x-www-form-urlencoded", 415},
		{"text/plain", 415},
		{"nonsense/", 415},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			t.Parallel()
			r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, w.web.URL+"/v1/events", readerOf(added)))(t)
			r.Header.Set("Authorization", "Bearer "+key)
			r.Header.Set("Content-Type", tt.kind)
			res := must(w.web.Client().Do(r))(t)
			defer res.Body.Close()
			if res.StatusCode != tt.want {
				t.Errorf("Content-Type %q: status %d, want %d", tt.kind, res.StatusCode, tt.want)
			}
		})
	}
}

func TestIdempotencyKeyIsCheckedAndNumberedInABatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	key := w.key(w.other, auth.Publish)
	body := added
	for _, bad := range []string{strings.Repeat("k", 256), "a b", "é"} {
		res, text := w.do(http.MethodPost, "/v1/events", key, body, "Idempotency-Key", bad)
		if res.StatusCode != 422 || !strings.Contains(text, `"field":"Idempotency-Key"`) {
			t.Errorf("Idempotency-Key %q: got %d %s, want a 422 that names it", bad, res.StatusCode, text)
		}
	}
	res, first := w.do(http.MethodPost, "/v1/events", key, body, "Idempotency-Key", strings.Repeat("k", 255))
	if res.StatusCode != 202 || res.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("first: got %d %s", res.StatusCode, first)
	}
	res, second := w.do(http.MethodPost, "/v1/events", key, body, "Idempotency-Key", strings.Repeat("k", 255))
	if res.StatusCode != 200 || res.Header.Get("Idempotent-Replayed") != "true" || second != first {
		t.Errorf("second: got %d %s, want 200 with %s", res.StatusCode, second, first)
	}
	batch := `{"events":[` + body + `,` + body + `]}`
	w.do(http.MethodPost, "/v1/events/batch", key, batch, "Idempotency-Key", "k")
	res, third := w.do(http.MethodPost, "/v1/events", key, body, "Idempotency-Key", "k#1")
	if res.StatusCode != 200 {
		t.Errorf("the second event of the batch by its own key: got %d %s, want 200", res.StatusCode, third)
	}
	longer := `{"events":[` + body + `,` + body + `,` + body + `]}`
	if res, text := w.do(http.MethodPost, "/v1/events/batch", key, longer, "Idempotency-Key", "k"); res.StatusCode != 202 || strings.Count(text, `"replayed":true`) != 2 {
		t.Errorf("a batch with one event more: got %d %s, want 202 with two replayed", res.StatusCode, text)
	}
	changed := `{"events":[` + body + `,` + strings.Replace(body, "example.com", "example.org", 1) + `]}`
	if res, text := w.do(http.MethodPost, "/v1/events/batch", key, changed, "Idempotency-Key", "k"); res.StatusCode != 409 || !strings.Contains(text, "events[1]") {
		t.Errorf("a batch with another second event: got %d %s, want a 409 that names events[1]", res.StatusCode, text)
	}
}
