package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/publish"
)

// FuzzParseBatch holds the light parser of a batch against encoding/json: what it accepts,
// with data that is valid in itself, is what encoding/json reads, event by event.
func FuzzParseBatch(f *testing.F) {
	for _, seed := range []string{
		`{"events":[{"type":"a.b","data":1},{"id":"x","type":"c","data":{"a":[1]}}]}`, `{"events":[{"\u0074ype":"a","data":"}"}]}`, `{"events":[]}`,
		`{"events":[{"type":"a","data":{}}],"events":[]}`, `{"events":[{"type":"a","data":1}]}}`, `{"events":[7,{"type":"a","data":1,"type":"b"}]}`, `{"events":null}`, ` {"events" : [ {"data":-0,"type":"\ud800"} ] } `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		in, err := parseBatch(body)
		if !bytes.Equal(before, body) {
			t.Fatalf("parseBatch changed %q", before)
		}
		if err != nil {
			refusedWell(t, err)
			return
		}
		if slices.ContainsFunc(in, func(one publish.Input) bool { return !json.Valid(one.Data) }) {
			return // the publisher refuses it
		}
		var want client.NewEvents
		strict := json.NewDecoder(bytes.NewReader(body))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&want); err != nil || !json.Valid(body) || !utf8.Valid(body) || len(want.Events) != len(in) {
			t.Fatalf("parseBatch accepted %q as %d events; encoding/json has %d, %v", body, len(in), len(want.Events), err)
		}
		for i, w := range want.Events {
			if in[i].ID != w.ID || in[i].Type != w.Type || !bytes.Equal(in[i].Data, w.Data) {
				t.Fatalf("parseBatch(%q): event %d is %+v, want %+v", body, i, in[i], w)
			}
		}
	})
}

// FuzzReadJSON holds the strict reader against encoding/json: what it accepts is read the
// same by both, and reads the same again when it is written.
func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{
		`{"url":"https://a.example","events":["*"],"headers":[{"name":"A","value":"b"}],"rate_limit":5,"enabled":false}`, `{"url":"","events":[]}`,
		`{"URL":"a","events":[]}`, `{"url":"\ud800","events":null}`, `{"url":"a","events":[],"rate_limit":1e1}`, `{"url":"a","events":[],"concurrency":-0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want, again client.NewEndpoint
		if err := readJSON(body, &got); err != nil {
			refusedWell(t, err)
			return
		}
		strict := json.NewDecoder(bytes.NewReader(body))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("readJSON(%q) = %+v; encoding/json: %+v, %v", body, got, want, err)
		}
		written := must(json.Marshal(got))(t)
		if err := readJSON(written, &again); err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("readJSON(%q) = %+v, %v; it was written from %+v", written, again, err, got)
		}
	})
}

// FuzzQuery reads query parameters: what is accepted reads the same again when it is written.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"limit=5&cursor=a", "status=failed,held&status=sent", "from=2026-03-08T12:34:56%2B01:00&to=", "type=a&type=b", "limit=%zz", "limit=+5", "a;b", "status=", "limit=&limit=1", "endpoint_id=%00",
	} {
		f.Add(seed)
	}
	type query struct{ client.DeliveryQuery }
	in := inputOf(reflect.TypeFor[query]())
	read := func(raw string, to *query) error {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.RawQuery = raw
		return in.readParams(r, reflect.ValueOf(to).Elem())
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var got, again query
		if err := read(raw, &got); err != nil {
			refusedWell(t, err)
			return
		}
		if got.Limit < 0 || got.Limit > 250 {
			t.Fatalf("%q: a limit of %d", raw, got.Limit)
		}
		written := url.Values{"endpoint_id": {got.EndpointID}, "event_id": {got.EventID}, "class": {got.Class}, "cursor": {got.Cursor}}
		for name, list := range map[string][]string{"status": got.Status, "type": got.Type} {
			if list != nil {
				written.Set(name, strings.Join(list, ","))
			}
		}
		for name, at := range map[string]client.Time{"from": got.From, "to": got.To} {
			if !at.IsZero() {
				written.Set(name, at.Format(time.RFC3339Nano))
			}
		}
		if got.Limit > 0 {
			written.Set("limit", "0"+string(must(json.Marshal(got.Limit))(t)))
		}
		if err := read(written.Encode(), &again); err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%q was read as %+v, and %q as %+v, %v", raw, got, written.Encode(), again, err)
		}
	})
}

// FuzzIdempotencyKey: a key is taken as it is or refused, and one that is taken can stand in
// a header and in a log.
func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"a", "", " ", "a b", "é", "\x00", "\x7f", strings.Repeat("k", 255), strings.Repeat("k", 256), "~!"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		r := &http.Request{Header: http.Header{"Idempotency-Key": {key}}}
		got, err := idempotencyKey(r)
		visible := !strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' })
		if want := visible && len(key) >= 1 && len(key) <= 255; (err == nil) != want || err == nil && got != key {
			t.Fatalf("idempotencyKey(%q) = %q, %v; want it taken: %t", key, got, err, want)
		}
		if err != nil {
			refusedWell(t, err)
		}
	})
}

// FuzzDuration: a length of time that is read is read again from how it is written.
func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"90s", "24h", "7d", "365d", "366d", "-1h", "1d12h", "9999999h", "0.5ns", "d", "+1d", "1h1h", "106751d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := duration("window", text)
		if err != nil {
			refusedWell(t, err)
			return
		}
		if again, err := duration("window", d.String()); err != nil || again != d {
			t.Fatalf("duration(%q) = %s, which is read as %s, %v", text, d, again, err)
		}
	})
}

// refusedWell wants a refusal of the caller's fault that names what is wrong.
func refusedWell(t *testing.T, err error) {
	t.Helper()
	var p *problem
	if !errors.As(err, &p) || p.status != http.StatusBadRequest && p.status != http.StatusUnprocessableEntity && p.status != http.StatusRequestEntityTooLarge ||
		len(p.fields) == 0 || p.message == "" || !utf8.ValidString(p.message) {
		t.Fatalf("refused with %#v", err)
	}
}
