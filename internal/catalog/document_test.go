package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAcceptsTheJSONThatTheStandardLibraryAccepts(t *testing.T) {
	t.Parallel()
	texts := []string{
		`0`, `-0`, `-1`, `10`, `1.5`, `-0.0`, `1e1`, `1E+1`, `1e-01`, `0e0`,
		`01`, `-`, `-a`, `1.`, `.5`, `1e`, `1e+`, `+1`, `1.e1`, `0x1`, `1_0`, `NaN`, `Infinity`,
		`true`, `false`, `null`, `tru`, `truee`, `nul`, `False`,
		`""`, `"a"`, `"é"`, `"\"\\\/\b\f\n\r\t\u00E9\ud83d\ude00"`, `"\ud800"`,
		`"`, `"a`, `"\x"`, `"\u12g4"`, `"\u12`, `"\`, "\"a\nb\"", "\"a\x00b\"", "\"a\x1fb\"", `'a'`,
		`[]`, `[ ]`, `[1]`, `[1,2]`, ` [ 1 , 2 ] `, `[`, `]`, `[,]`, `[1,]`, `[1 2]`, `[1}`,
		`{}`, `{ }`, `{"a":1}`, ` { "a" : 1 , "b" : [ ] } `, `{`, `}`, `{a:1}`, `{"a"}`, `{"a" 1}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1]`, `{1:2}`,
		``, ` `, `1 2`, `{}[]`, "\t\r\n1", "\v1", "\ufeff1", "1\x00", `// 1`,
	}
	for _, text := range texts {
		var d document
		f := d.parse([]byte(text))
		if got, want := f == nil, json.Valid([]byte(text)); got != want {
			t.Errorf("parse(%q) accepts: %t, want %t", text, got, want)
		}
	}
}

func TestDocumentHoldsWhatTheStandardLibraryReads(t *testing.T) {
	t.Parallel()
	var d document // used again for every text
	for _, text := range values() {
		if f := d.parse([]byte(text)); f != nil {
			t.Fatalf("parse(%s): %v", text, f.fieldErrors())
		}
		var want any
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, d.any(0)); diff != "" {
			t.Errorf("parse(%s) (-want +got):\n%s", text, diff)
		}
	}
}
