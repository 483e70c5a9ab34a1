package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/internal/publish"
)

func TestParseEventCutsTheDataOutByteForByte(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body, id, typ, data string }{
		{"plain", `{"type":"a.b","data":{"n":1}}`, "", "a.b", `{"n":1}`},
		{"with an id", `{"id":"x","type":"a.b","data":null}`, "x", "a.b", `null`},
		{"data first", `{"data":[1,2],"type":"a.b"}`, "", "a.b", `[1,2]`},
		{"white space everywhere", " { \"type\" : \"a.b\" ,\n\t\"data\" : { \"n\" : 1.0 } } \r\n", "", "a.b", `{ "n" : 1.0 }`},
		{"numbers and escapes stay", `{"type":"a.b","data":{"n":1e400,"s":"\u00e9\/","a":"é"}}`, "", "a.b", `{"n":1e400,"s":"\u00e9\/","a":"é"}`},
		{"brackets and quotes inside of texts", `{"type":"a.b","data":{"s":"}]\"{\\"}}`, "", "a.b", `{"s":"}]\"{\\"}`},
		{"escapes in names and texts", `{"\u0074ype":"a\u002eb","data":true}`, "", "a.b", `true`},
		{"a scalar", `{"type":"a.b","data":-1.5E+3}`, "", "a.b", `-1.5E+3`},
		{"64 levels", `{"type":"a.b","data":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`, "", "a.b", strings.Repeat("[", 63) + strings.Repeat("]", 63)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in, err := parseEvent([]byte(tt.body))
			check(t, err)
			if in.ID != tt.id || in.Type != tt.typ || string(in.Data) != tt.data {
				t.Errorf("parseEvent(%s) = id %q, type %q, data %s; want %q, %q, %s", tt.body, in.ID, in.Type, in.Data, tt.id, tt.typ, tt.data)
			}
		})
	}
}

// refusal is what a bad body must be refused with.
type refusal struct {
	name, body string
	status     int
	field      string
	words      string // part of the field's message
}

func (tt refusal) check(t *testing.T, err error) {
	t.Helper()
	var p *problem
	if !errors.As(err, &p) {
		t.Fatalf("%s: got %v, want a problem", tt.body, err)
	}
	if p.status != tt.status {
		t.Errorf("%s: status %d (%s), want %d", tt.body, p.status, p.message, tt.status)
	}
	for _, f := range p.fields {
		if f.Name == tt.field && strings.Contains(f.Message, tt.words) {
			return
		}
	}
	t.Errorf("%s: fields %+v, want %s with %q", tt.body, p.fields, tt.field, tt.words)
}

func TestParseEventRefuses(t *testing.T) {
	t.Parallel()
	tests := []refusal{
		{"nothing but space", ` `, 400, "body", "not valid JSON"},
		{"no object", `[1]`, 422, "body", "must be an object"},
		{"broken off", `{"type":"a.b","data":{"n":1}`, 400, "body", "not valid JSON at line 1"},
		{"broken off in a text", `{"type":"a.b","data":"x`, 400, "body", "not valid JSON"},
		{"the line of a mistake", "{\"type\":\"a.b\",\n\"data\" 1}", 400, "body", "at line 2"},
		{"no comma", `{"type":"a.b" "data":1}`, 400, "body", "not valid JSON"},
		{"a comma too many", `{"type":"a.b","data":1,}`, 400, "body", "not valid JSON"},
		{"no value", `{"type":"a.b","data":}`, 400, "body", "not valid JSON"},
		{"something behind", `{"type":"a.b","data":1} x`, 400, "body", "behind its end"},
		{"a second object", `{"type":"a.b","data":1}{}`, 400, "body", "behind its end"},
		{"a zero byte behind", "{\"type\":\"a.b\",\"data\":1}\x00", 400, "body", "behind its end"},
		{"not UTF-8", "{\"type\":\"a.b\",\"data\":\"\xff\"}", 400, "body", "UTF-8"},
		{"a raw line break in a text", "{\"type\":\"a.b\",\"data\":\"\n\"}", 400, "body", "not valid JSON"},
		{"65 levels", `{"type":"a.b","data":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, 400, "body", "64 levels"},
		{"no type", `{"data":1}`, 422, "type", "is missing"},
		{"no data", `{"type":"a.b"}`, 422, "data", "is missing"},
		{"type is a number", `{"type":1,"data":1}`, 422, "type", "must be a text"},
		{"type is null", `{"type":null,"data":1}`, 422, "type", "must be a text"},
		{"type is empty", `{"type":"","data":1}`, 422, "type", "is empty"},
		{"id is an object", `{"id":{"a":[1]},"type":"a.b","data":1}`, 422, "id", "must be a text"},
		{"id is empty", `{"id":"","type":"a.b","data":1}`, 422, "id", "is empty"},
		{"type twice", `{"type":"a.b","type":"a.c","data":1}`, 422, "type", "twice"},
		{"data twice", `{"type":"a.b","data":1,"data":2}`, 422, "data", "twice"},
		{"id twice, once escaped", `{"id":"a","\u0069d":"b","type":"a.b","data":2}`, 422, "id", "twice"},
		{"a field that there is not", `{"type":"a.b","data":1,"dta":2}`, 422, "dta", "did you mean data?"},
		{"a field like no other", `{"type":"a.b","data":1,"zzzzzz":2}`, 422, "zzzzzz", "there are type, data, id"},
		{"a field in other letters", `{"Type":"a.b","data":1}`, 422, "Type", "did you mean type?"},
		{"a field without a name", `{"":1,"type":"a.b","data":1}`, 422, `""`, "not known"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseEvent([]byte(tt.body))
			tt.check(t, err)
		})
	}
}

func TestParseBatchRefuses(t *testing.T) {
	t.Parallel()
	one := `{"type":"a.b","data":1}`
	tests := []refusal{
		{"no object", `[` + one + `]`, 422, "body", "must be an object"},
		{"no events", `{}`, 422, "events", "is missing"},
		{"an empty list", `{"events":[]}`, 422, "events", "is empty"},
		{"events is an object", `{"events":{}}`, 422, "events", "must be a list"},
		{"events twice", `{"events":[` + one + `],"events":[` + one + `]}`, 422, "events", "twice"},
		{"a misspelt name", `{"event":[` + one + `]}`, 422, "event", "did you mean events?"},
		{"an item that is no object", `{"events":[` + one + `,7]}`, 422, "events[1]", "must be an object"},
		{"the second item without data", `{"events":[` + one + `,{"type":"a.b"}]}`, 422, "events[1].data", "is missing"},
		{"a field that there is not", `{"events":[{"type":"a.b","data":1,"idd":"x"}]}`, 422, "events[0].idd", "did you mean id?"},
		{"a comma too many", `{"events":[` + one + `,]}`, 400, "body", "not valid JSON"},
		{"no comma", `{"events":[` + one + one + `]}`, 400, "body", "not valid JSON"},
		{"one more than 1000", `{"events":[` + strings.Repeat(one+",", 1000) + one + `]}`, 422, "events", "more than 1000"},
		{"65 levels", `{"events":[{"type":"a.b","data":` + strings.Repeat("[", 62) + strings.Repeat("]", 62) + `}]}`, 400, "body", "64 levels"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseBatch([]byte(tt.body))
			tt.check(t, err)
		})
	}
}

func TestParseBatchKeepsTheOrder(t *testing.T) {
	t.Parallel()
	one := `{"type":"a.b","data":1}`
	in, err := parseBatch([]byte(`{"events":[` + strings.Repeat(one+" , ", 999) + `{"type":"z","data":[2]}]}`))
	check(t, err)
	if len(in) != 1000 || in[999].Type != "z" || string(in[999].Data) != "[2]" || in[0].Type != "a.b" {
		t.Errorf("got %d events, the last %+v", len(in), in[len(in)-1])
	}
}

// FuzzParse holds the light parser against encoding/json: what it accepts, with data
// that is valid in itself, is valid as a whole and holds the same bytes.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		benchBody, `{"type":"a.b","data":[1,{"a":"\\\""}],"id":"x"}`, `{"type":"a","data":1}}`, `{"type":"a","data":[}]}`,
		`{"\u0074ype":"a","data":"}"}`, `{"events":[{"type":"a","data":{}}]}`, `{"type":"a","data":--1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if in, err := parseBatch(body); err == nil {
			for _, one := range in {
				if one.Type == "" || one.Data == nil {
					t.Fatalf("parseBatch(%q) accepted %+v", body, one)
				}
			}
		}
		in, err := parseEvent(body)
		if err != nil {
			return
		}
		if !json.Valid(in.Data) {
			return // the publisher refuses it
		}
		sameAsJSON(t, body, in)
	})
}

// sameAsJSON compares an accepted event with what encoding/json reads.
func sameAsJSON(t *testing.T, body []byte, in publish.Input) {
	t.Helper()
	if !utf8.Valid(body) || !json.Valid(body) {
		t.Fatalf("parseEvent accepted %q, which is not valid JSON", body)
	}
	var want map[string]json.RawMessage
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatalf("parseEvent accepted %q, which is no object: %v", body, err)
	}
	var typ string
	if err := json.Unmarshal(want["type"], &typ); err != nil || typ != in.Type {
		t.Fatalf("parseEvent(%q): type %q, want %s", body, in.Type, want["type"])
	}
	var compacted, got bytes.Buffer
	check(t, json.Compact(&compacted, want["data"]))
	check(t, json.Compact(&got, in.Data))
	if !bytes.Equal(compacted.Bytes(), got.Bytes()) {
		t.Fatalf("parseEvent(%q): data %q, want %q", body, in.Data, want["data"])
	}
}
