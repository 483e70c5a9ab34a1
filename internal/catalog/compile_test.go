package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestCompileRefusesWithThePlaceOfTheMistake(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "other.json")
	if err := os.WriteFile(file, []byte(`{"type":"string"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, schema, pointer, want string
	}{
		{"unknown type", `{"properties":{"score":{"type":"int"}}}`, "/properties/score/type", `must be one of "array", "boolean", "integer"`},
		{"type of the wrong kind", `{"properties":{"a/b":{"type":5}}}`, "/properties/a~1b/type", "must be"},
		{"required is no list", `{"required":"score"}`, "/required", "must be a list, not a string"},
		{"required twice", `{"required":["a","a"]}`, "/required", "must not repeat an item"},
		{"negative length", `{"allOf":[{},{"minLength":-1}]}`, "/allOf/1/minLength", "must be at least 0"},
		{"properties of the wrong kind", `{"properties":[]}`, "/properties", "must be an object, not a list"},
		{"empty anyOf", `{"anyOf":[]}`, "/anyOf", "must have at least 1 item"},
		{"a string", `"object"`, "", "must be true or false or an object"},
		{"a list", `[]`, "", "must be"},
		{"not JSON", `{"type":`, "/type", "is not valid JSON"},
		{"a keyword twice", `{"properties":{"a":{"type":"string","type":"number"}}}`, "/properties/a/type", "appears twice"},
		{"lookahead", `{"properties":{"a":{"pattern":"^(?!x)"}}}`, "/properties/a/pattern", "not a regular expression"},
		{"broken pattern", `{"patternProperties":{"(":{}}}`, "/patternProperties/(", "not a regular expression"},
		{"pattern with too many repetitions", `{"pattern":"^(abcde){300}(abcde){300}$"}`, "/pattern", "too large"},
		{"too many patterns", `{"items":{"allOf":[` + manyPatterns(12) + `]}}`, "/items/allOf", "together are too large"},
		{"http reference", `{"properties":{"a":{"$ref":"https://example.com/a.json"}}}`, "/properties/a/$ref", "nothing is fetched"},
		{"http reference with a fragment", `{"properties":{"a":{"$ref":"http://127.0.0.1:1/a.json#/x"}}}`, "/properties/a/$ref", "nothing is fetched"},
		{"file reference", `{"items":{"$ref":"file://` + file + `"}}`, "/items/$ref", "nothing is fetched"},
		{"path", `{"items":{"$ref":"` + file + `"}}`, "/items/$ref", "nothing is fetched"},
		{"relative path", `{"items":{"$ref":"other.json"}}`, "/items/$ref", "nothing is fetched"},
		{"dynamic reference to elsewhere", `{"items":{"$dynamicRef":"https://example.com/#x"}}`, "/items/$dynamicRef", "nothing is fetched"},
		{"missing definition", `{"items":{"$ref":"#/$defs/nothing"}}`, "/items/$ref", "does not exist"},
		{"missing anchor", `{"items":{"$ref":"#nothing"}}`, "/items/$ref", "does not exist"},
		{"another draft", `{"$schema":"http://json-schema.org/draft-07/schema#"}`, "/$schema", "must be https://json-schema.org/draft/2020-12/schema"},
		{"a dialect of its own", `{"$schema":"https://example.com/meta"}`, "/$schema", "must be https://json-schema.org/draft/2020-12/schema"},
		{"another draft inside", `{"items":{"$id":"x","$schema":"http://json-schema.org/draft-07/schema#"}}`, "/items", "uses another draft"},
		{"dynamic reference", `{"$dynamicAnchor":"n","items":{"$dynamicRef":"#n"}}`, "/items", "$dynamicRef"},
		{"reference to itself", `{"$ref":"#"}`, "", "refers to itself"},
		{"references in a circle", `{"$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}]},"b":{"not":{"$ref":"#/$defs/a"}}},"$ref":"#/$defs/a"}`, "/$defs/a", "refers to itself"},
		{"too long", `{"description":"` + strings.Repeat("x", 64<<10) + `"}`, "", "at most 65536 are allowed"},
		{"too deep", strings.Repeat(`{"items":`, 65) + "true" + strings.Repeat("}", 65), strings.Repeat("/items", 64), "at most 64 levels"},
		{"huge number", `{"maximum":1e9999999}`, "/maximum", "beyond all bounds"},
		{"doubling references", doubling(20), "", "more than 10000 schemas"},
		{"doubling with every level of the data", `{"properties":{"a":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}}`, "", "more than 10000 schemas"},
		{"doubling three levels down", `{"properties":{"a":{"properties":{"b":{"properties":{"c":{"$ref":"#/$defs/d0"}}}}}},` + doubling(20)[len(`{"$ref":"#/$defs/d0",`):], "", "more than 10000 schemas"},
		{"too hard to find out", entangled(50), "", "too entangled"},
		{"doubling with every item", `{"items":{"$ref":"#"},"contains":{"$ref":"#"}}`, "", "more than 10000 schemas"},
		{"the same large pattern many times", `{"items":{"allOf":[` + list(1800, `{"pattern":"(.?){400}z"}`) + `]}}`, "", "patterns to one value that are too large together"},
		{"the same large pattern by references", `{"$defs":{"a":{"pattern":"(.?){400}z"}},"items":{"allOf":[` + list(30, `{"$ref":"#/$defs/a"}`) + `]}}`, "", "patterns to one value that are too large together"},
		{"large patterns for keys", `{"allOf":[` + list(30, `{"patternProperties":{"(.?){400}z":{}}}`) + `]}`, "", "patterns to one value that are too large together"},
		{"large patterns for names", `{"propertyNames":{"allOf":[` + list(30, `{"pattern":"(.?){400}z"}`) + `]}}`, "", "patterns to one value that are too large together"},
		{"large patterns for a key of 10 KB", `{"properties":{"` + strings.Repeat("a", 10_000) + `":{}},"patternProperties":{"(.?){400}z":{}}}`, "", "too entangled"},
		{"a long list of numbers", `{"enum":[` + numbers(9000) + `]}`, "", "compares one value with too many others"},
		{"a long list of names many times", `{"$defs":{"a":{"enum":["` + strings.ReplaceAll(numbers(4000), ",", `","`) + `"]}},"allOf":[` + list(50, `{"$ref":"#/$defs/a"}`) + `]}`, "", "compares one value with too many others"},
		{"many required fields many times", `{"$defs":{"a":{"required":["` + strings.ReplaceAll(numbers(4000), ",", `","`) + `"]}},"allOf":[` + list(50, `{"$ref":"#/$defs/a"}`) + `]}`, "", "compares one value with too many others"},
		{"a long way of references", chain(150), "/$defs/d", "more than 100 schemas for one value"},
		{"many parts", `{"properties":{"a":{"prefixItems":[` + list(6000, `{}`) + `]}}}`, "", "more than 5000 parts"},
	}
	for _, tt := range tests {
		_, err := Compile(json.RawMessage(tt.schema))
		var se *SchemaError
		if !errors.As(err, &se) {
			t.Errorf("%s: Compile = %v, want a *SchemaError", tt.name, err)
			continue
		}
		if !strings.HasPrefix(se.Pointer, tt.pointer) || tt.pointer == "" && se.Pointer != "" || !strings.Contains(se.Message, tt.want) {
			t.Errorf("%s: Compile = at %q: %q, want at %q: %q", tt.name, se.Pointer, se.Message, tt.pointer, tt.want)
		}
	}
}

// list returns n times the same, with commas.
func list(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }

// numbers returns n different numbers, with commas.
func numbers(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = strconv.Itoa(i)
	}
	return strings.Join(all, ",")
}

// chain returns a schema of n definitions each of which applies the next one.
func chain(n int) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{"$ref":"#/$defs/d%d"},`, i, i+1)
	}
	fmt.Fprintf(&b, `"d%d":{}}}`, n)
	return b.String()
}

// manyPatterns returns n different patterns of nearly the largest size.
func manyPatterns(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"pattern":"^x%d.{0,990}$"}`, i)
	}
	return strings.Join(list, ",")
}

// doubling returns a schema of n definitions each of which applies the next one twice.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	fmt.Fprintf(&b, `"d%d":{}}}`, n)
	return b.String()
}

// entangled returns a schema of n definitions whose fields refer to two others each, so that the values inside meet
// ever new sets of definitions.
func entangled(n int) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{"properties":{`, i)
		for j := range 15 {
			fmt.Fprintf(&b, `"k%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"if":{"$ref":"#/$defs/d%d"}}]},`, j, (i*j+1)%n, (i+j*j)%n)
		}
		b.WriteString(`"z":{}}},`)
	}
	b.WriteString(`"z":{}}}`)
	return b.String()
}

func TestCompileAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, schema, good, bad string
	}{
		{"no $schema means draft 2020-12", `{"prefixItems":[{"type":"string"}]}`, `["a",1]`, `[1]`},
		{"its own $schema", `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}`, `{}`, `[]`},
		{"false", `false`, ``, `{}`},
		{"definitions", `{"$defs":{"id":{"type":"string"}},"items":{"$ref":"#/$defs/id"}}`, `["a"]`, `[1]`},
		{"anchor", `{"$defs":{"id":{"$anchor":"id","type":"string"}},"items":{"$ref":"#id"}}`, `["a"]`, `[1]`},
		{"part with an $id", `{"$id":"https://example.com/a","$defs":{"id":{"$id":"id","type":"string"}},"items":{"$ref":"id"}}`, `["a"]`, `[1]`},
		{"tree", `{"$defs":{"n":{"properties":{"l":{"$ref":"#/$defs/n"},"r":{"$ref":"#/$defs/n"},"v":{"type":"integer"}}}},"$ref":"#/$defs/n"}`, `{"l":{"l":{"v":1}},"r":{"v":2}}`, `{"l":{"r":{"l":{"v":"x"}}}}`},
		{"map of itself", `{"properties":{"a":{"$ref":"#"}},"additionalProperties":{"$ref":"#"},"patternProperties":{"^x":{"type":"object"}},"type":"object"}`, `{"a":{"b":{}},"x":{}}`, `{"b":{"b":1}}`},
		{"list of itself", `{"type":["array","object"],"items":{"$ref":"#"},"properties":{"sub":{"$ref":"#"}}}`, `[{"sub":[]}]`, `[{"sub":[1]}]`},
		{"tree of two kinds of nodes with the same key", `{"$ref":"#/$defs/c","$defs":{"c":{"properties":{"s":{"$ref":"#/$defs/s"},"l":{"$ref":"#/$defs/l"}}},"s":{"properties":{"sub":{"$ref":"#/$defs/c"}}},"l":{"properties":{"sub":{"$ref":"#/$defs/c"},"n":{"type":"integer"}}}}}`, `{"s":{"sub":{"l":{"n":1}}}}`, `{"s":{"sub":{"l":{"n":"x"}}}}`},
		{"parts of itself", `{"allOf":[` + strings.Repeat(`{"type":"object"},`, 20) + `{}],"properties":{"a":{"$ref":"#"},"b":{"$ref":"#"},"c":{"$ref":"#"}}}`, `{"a":{"b":{}}}`, `{"a":{"b":{"c":1}}}`},
		{"the same definition for many fields", manyFields(200), `{"f1":"a","f199":"b"}`, `{"f150":1}`},
		{"many alternatives", manyAlternatives(100), `{"kind":"k99","v99":"x"}`, `{"kind":"k99","v99":1}`},
		{"letters of any language", `{"pattern":"^[\\p{L} ]{1,200}$"}`, `"Ünïcode Ω"`, `"1"`},
		{"unknown keyword", `{"x-internal":{"$ref":5},"type":"string"}`, `"a"`, `1`},
	}
	for _, tt := range tests {
		v := mustCompile(t, tt.schema)
		if tt.good != "" {
			if err := v.Validate(json.RawMessage(tt.good)); err != nil {
				t.Errorf("%s: Validate(%s) = %v, want nil", tt.name, tt.good, err)
			}
		}
		if err := v.Validate(json.RawMessage(tt.bad)); err == nil {
			t.Errorf("%s: Validate(%s) = nil, want an error", tt.name, tt.bad)
		}
	}
}

func manyFields(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"f%d":{"$ref":"#/$defs/text"}`, i)
	}
	return `{"$defs":{"text":{"type":"string"}},"properties":{` + strings.Join(list, ",") + `}}`
}

func manyAlternatives(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"properties":{"kind":{"const":"k%d"},"v%d":{"type":"string"},"a":{},"b":{},"c":{}},"required":["v%d"]}`, i, i, i)
	}
	return `{"oneOf":[` + strings.Join(list, ",") + `]}`
}

func TestSchemaErrorReadsAsASentence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  SchemaError
		want string
	}{
		{SchemaError{Pointer: "/type", Message: "must be a list"}, "the schema at /type must be a list"},
		{SchemaError{Message: "is too long"}, "the schema is too long"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("Error() = %q, want %q", got, tt.want)
		}
	}
}
