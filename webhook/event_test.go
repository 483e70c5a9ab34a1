package webhook_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/webhook"
)

func TestEncodeBody(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 8, 12, 34, 56, 789_000_000, time.UTC)
	const head = `{"id":"0195-a","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":`
	tests := []struct {
		name, data, want string
		at               time.Time
	}{
		{"empty object", `{}`, head + `{}}`, at},
		{"white space outside strings goes", " {\n\t\"a\" : [ 1 , 2 ] ,\r\n \"b\":null } ", head + `{"a":[1,2],"b":null}}`, at},
		{"white space in strings stays", `{"a":" x  y "}`, head + `{"a":" x  y "}}`, at},
		{"quotes and backslashes in strings", `{"a\" : b" : "\\" , "c":"\\\" "}`, head + `{"a\" : b":"\\","c":"\\\" "}}`, at},
		{"order of keys and repeated keys stay", `{"z":1,"a":2,"z":3}`, head + `{"z":1,"a":2,"z":3}}`, at},
		{"numbers stay as written", `[1.0,1e2,1E+2,-0,12345678901234567890,0.10]`, head + `[1.0,1e2,1E+2,-0,12345678901234567890,0.10]}`, at},
		{"escapes stay as written", `["\u00e9\/\ud83d\ude00\u003c","é😀"]`, head + `["\u00e9\/\ud83d\ude00\u003c","é😀"]}`, at},
		{"half a surrogate pair stays", `["\ud800"]`, head + `["\ud800"]}`, at},
		{"characters of HTML stay", "[\"<b>&amp;</b>\u2028\u2029\"]", head + "[\"<b>&amp;</b>\u2028\u2029\"]}", at},
		{"not an object", ` "text" `, head + `"text"}`, at},
		{"time without decimals gets three", `1`, strings.Replace(head, "56.789", "56.000", 1) + `1}`, at.Truncate(time.Second)},
		{"further decimals are cut off, not rounded", `1`, head + `1}`, at.Add(999_999)},
		{"time of another zone", `1`, head + `1}`, at.In(time.FixedZone("", 5*3600+1800))},
		{"time near midnight of another zone", `1`, strings.Replace(head, "2026-03-08T12:34:56.789", "2025-12-31T23:59:59.001", 1) + `1}`, time.Date(2026, 1, 1, 0, 59, 59, 1_000_000, time.FixedZone("", 3600))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := webhook.EncodeBody("0195-a", "scan.completed", tt.at, json.RawMessage(tt.data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("EncodeBody of %q (-want +got):\n%s", tt.data, diff)
			}
			event := webhook.Event{ID: "0195-a", Type: "scan.completed", CreatedAt: tt.at, Data: json.RawMessage(tt.data)}
			if again, err := event.MarshalBody(); err != nil || string(again) != string(got) {
				t.Errorf("MarshalBody = %q, %v, want what EncodeBody gives", again, err)
			}
		})
	}
}

func TestEncodeBodyLeavesDataAlone(t *testing.T) {
	t.Parallel()
	data := json.RawMessage(` { "a" : 1 } `)
	body, err := webhook.EncodeBody("1", "a", time.Unix(0, 0), data)
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != ` { "a" : 1 } ` {
		t.Errorf("EncodeBody changed its data to %q", data)
	}
	clear(data)
	if !strings.HasSuffix(string(body), `"data":{"a":1}}`) {
		t.Errorf("the body changed with its data: %q", body)
	}
}

func TestEncodeBodyRefuses(t *testing.T) {
	t.Parallel()
	at := time.Unix(1772973296, 0)
	tests := []struct {
		name, id, eventType, data, says string
		at                              time.Time
	}{
		{"no id", "", "a", `{}`, "the id", at},
		{"quote in the id", `1"`, "a", `{}`, "the id", at},
		{"backslash in the id", `1\`, "a", `{}`, "the id", at},
		{"full stop in the id", `1.2`, "a", `{}`, "the id", at},
		{"space in the id", `1 2`, "a", `{}`, "the id", at},
		{"line break in the id", "1\r\nX: y", "a", `{}`, "the id", at},
		{"delete character in the id", "1\x7f", "a", `{}`, "the id", at},
		{"letter outside ASCII in the id", "é", "a", `{}`, "the id", at},
		{"no type", "1", "", `{}`, "the type", at},
		{"quote in the type", "1", `a"b`, `{}`, "the type", at},
		{"line break in the type", "1", "a\n", `{}`, "the type", at},
		{"no data", "1", "a", ``, "data", at},
		{"only white space as data", "1", "a", " \n", "data", at},
		{"cut off data", "1", "a", `{"a":`, "data", at},
		{"two values as data", "1", "a", `{} {}`, "data", at},
		{"data that closes the body", "1", "a", `{}},{"x":{}`, "data", at},
		{"byte order mark", "1", "a", "\ufeff{}", "data", at},
		{"bytes that are not UTF-8", "1", "a", "[\"\xff\"]", "UTF-8", at},
		{"line break in a string", "1", "a", "[\"\n\"]", "data", at},
		{"year of five digits", "1", "a", `{}`, "year", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"year before 0", "1", "a", `{}`, "year", time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body, err := webhook.EncodeBody(tt.id, tt.eventType, tt.at, json.RawMessage(tt.data))
			if !errors.Is(err, webhook.ErrBadEvent) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("EncodeBody = %q, %v, want ErrBadEvent about %q", body, err, tt.says)
			}
			if body != nil {
				t.Errorf("EncodeBody gave %q beside its error", body)
			}
		})
	}
}

func TestParseEvent(t *testing.T) {
	t.Parallel()
	want := webhook.Event{
		ID:        "0195",
		Type:      "scan.completed",
		CreatedAt: time.Date(2026, 3, 8, 12, 34, 56, 789_000_000, time.UTC),
		Data:      json.RawMessage(`{"score":85.0,"a":"<\u00e9>"}`),
	}
	tests := []struct{ name, body string }{
		{"as sent", `{"id":"0195","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{"score":85.0,"a":"<\u00e9>"}}`},
		{"other order and unknown members", `{"data":{"score":85.0,"a":"<\u00e9>"},"v":2,"created_at":"2026-03-08T12:34:56.789Z","type":"scan.completed","id":"0195"}`},
		{"other names that differ in case", `{"id":"0195","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{"score":85.0,"a":"<\u00e9>"},"ID":"x","Data":1}`},
		{"repeated member, the last counts", `{"id":"x","id":"0195","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{"score":85.0,"a":"<\u00e9>"}}`},
		{"time of another zone", `{"id":"0195","type":"scan.completed","created_at":"2026-03-08T13:34:56.789+01:00","data":{"score":85.0,"a":"<\u00e9>"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := webhook.ParseEvent([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ParseEvent of %s (-want +got):\n%s", tt.body, diff)
			}
			if got.CreatedAt.Location() != time.UTC {
				t.Errorf("created_at is in %v, want UTC", got.CreatedAt.Location())
			}
		})
	}
}

func TestParseEventRefuses(t *testing.T) {
	t.Parallel()
	const good = `{"id":"confidential","type":"a","created_at":"2026-03-08T12:34:56.789Z","data":{}}`
	tests := []struct{ name, body, says string }{
		{"nothing", ``, "object"},
		{"null", `null`, "object"},
		{"array", `[]`, "object"},
		{"cut off", good[:len(good)-1], "object"},
		{"text after it", good + "x", "object"},
		{"not UTF-8", strings.Replace(good, "confidential", "confidential\xff", 1), "UTF-8"},
		{"no id", strings.Replace(good, `"id"`, `"ID"`, 1), "id is"},
		{"id null", strings.Replace(good, `"confidential"`, `null`, 1), "id is"},
		{"id a number", strings.Replace(good, `"confidential"`, `1`, 1), "id is"},
		{"id empty", strings.Replace(good, `confidential`, ``, 1), "id is"},
		{"no type", strings.Replace(good, `"type"`, `"t"`, 1), "type is"},
		{"type an object", strings.Replace(good, `"a"`, `{}`, 1), "type is"},
		{"no created_at", strings.Replace(good, `"created_at"`, `"c"`, 1), "created_at is"},
		{"created_at null", strings.Replace(good, `"2026-03-08T12:34:56.789Z"`, `null`, 1), "created_at is"},
		{"created_at a number", strings.Replace(good, `"2026-03-08T12:34:56.789Z"`, `1772973296`, 1), "created_at is"},
		{"created_at of another form", strings.Replace(good, `T12`, ` 12`, 1), "created_at is"},
		{"no data", strings.Replace(good, `"data"`, `"d"`, 1), "data is"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			event, err := webhook.ParseEvent([]byte(tt.body))
			if !errors.Is(err, webhook.ErrBadEvent) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("ParseEvent(%q) = %v, %v, want ErrBadEvent about %q", tt.body, event, err, tt.says)
			}
			if strings.Contains(err.Error(), "confidential") || strings.Contains(err.Error(), "2026") {
				t.Errorf("the error %q quotes the body", err)
			}
			if diff := cmp.Diff(webhook.Event{}, event); diff != "" {
				t.Errorf("ParseEvent gave an event beside its error:\n%s", diff)
			}
		})
	}
}
