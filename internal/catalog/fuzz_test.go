package catalog

import (
	"encoding/json"
	"strings"
	"testing"
)

func FuzzValidate(f *testing.F) {
	for i, data := range values() {
		f.Add(uint8(i), []byte(data))
	}
	f.Add(uint8(0), []byte(strings.Repeat("[", 70)))
	f.Add(uint8(0), []byte(`{"a":1,"a":2}`))
	f.Add(uint8(0), []byte("\"\xff\""))
	f.Add(uint8(0), []byte(`1e99999999999`))
	schemas := knownSchemas()
	var validators []*Validator
	for _, schema := range schemas {
		validators = append(validators, mustCompile(f, schema))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		before := string(data)
		n := int(which) % len(schemas)
		err := validators[n].Validate(data)
		if string(data) != before {
			t.Fatalf("Validate changed %q to %q", before, data)
		}
		if err == nil && !json.Valid(data) {
			t.Fatalf("Validate(%q) = nil, but it is not JSON", data)
		}
		var d document
		if flaw := d.parse(data); flaw != nil {
			if flaw.message == "" || json.Valid(data) && strings.Contains(flaw.message, "not valid JSON") {
				t.Fatalf("parse(%q) = %q, but it is JSON", data, flaw.message)
			}
			return
		}
		compareWithLibrary(t, validators[n], schemas[n], data)
	})
}

func FuzzCompile(f *testing.F) {
	for _, schema := range knownSchemas() {
		f.Add([]byte(schema), []byte(`{"a":[1,"x"]}`))
	}
	f.Add([]byte(doubling(3)), []byte(`1`))
	f.Add([]byte(`{"$dynamicRef":"#x","$id":"a/b","$anchor":"c","not":{"$ref":"b#c"}}`), []byte(`1`))
	f.Add([]byte(`{"oneOf":[{"uniqueItems":true,"contains":{"multipleOf":0.1}}],"unevaluatedItems":false}`), []byte(`[1,0.3]`))
	f.Add([]byte(`{"propertyNames":{"pattern":"^a"},"dependentSchemas":{"a":{"minProperties":2}}}`), []byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, schema, data []byte) {
		v, err := Compile(schema)
		if err != nil {
			return
		}
		if err := v.Validate(data); err != nil && err.Error() == "" {
			t.Fatalf("Validate(%q) by %q gives an error without words", data, schema)
		}
	})
}

func FuzzSetPath(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,2]}}`), "data.a.b[1]", "3")
	f.Add([]byte(`{}`), "a[0].b", "text")
	f.Add([]byte(`[]`), "data", "null")
	f.Fuzz(func(t *testing.T, data []byte, path, value string) {
		got, err := SetPath(data, path, value)
		if err == nil && !json.Valid(got) {
			t.Fatalf("SetPath(%q, %q, %q) = %q, which is not JSON", data, path, value, got)
		}
	})
}

// FuzzPattern: the three ways to match agree, and a pattern that is accepted can match
// something, but nothing operational that it does not name.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{{"scan.*", "scan.completed"}, {"*", "endpoint.disabled"}, {"a.*.b", "a.x.b"}, {".*", ".a"}, {"scan.", "scan.a"}, {"endpoint.*", "endpoint.disabled"}, {"**", "a"}, {"a.b", "a.b"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if ValidPattern(pattern) != nil {
			return
		}
		one := Match(pattern, name)
		if any, prepared := MatchAny([]string{pattern}, Type{Name: name}), NewMatcher([]string{pattern}).Match(name); any != one || prepared != one {
			t.Fatalf("%q selects %q: Match %t, MatchAny %t, Matcher %t", pattern, name, one, any, prepared)
		}
		prefix, wild := strings.CutSuffix(pattern, "*")
		if one && !(name == pattern || wild && strings.HasPrefix(name, prefix)) || pattern == "*" && one == IsOperational(name) {
			t.Fatalf("%q selects %q: %t", pattern, name, one)
		}
		if wild && prefix != "" && !Match(pattern, prefix+"a") || !wild && !Match(pattern, pattern) {
			t.Fatalf("%q does not select what it stands for", pattern)
		}
	})
}
