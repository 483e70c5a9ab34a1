package catalog

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// When the library learns a keyword, quick must learn it too or answer unknown: look at quicken and
// usesUnknownKeywords, and at inPlace and forEvery, before adding the field here.
func TestQuickKnowsEveryKeyword(t *testing.T) {
	t.Parallel()
	want := []string{
		// What names and places a schema, and what asserts nothing.
		"DraftVersion", "Location", "ID", "Anchor", "RecursiveAnchor", "DynamicAnchor", "Title", "Description", "Default", "Comment",
		"ReadOnly", "WriteOnly", "Examples", "Deprecated",
		// What quicken reads.
		"Bool", "Ref", "Types", "Enum", "Const", "AllOf", "AnyOf", "If", "Then", "Else", "Format", "Required", "Properties",
		"AdditionalProperties", "MinItems", "MaxItems", "Items2020", "MinLength", "MaxLength", "Pattern", "Maximum", "Minimum",
		// What usesUnknownKeywords finds.
		"RecursiveRef", "DynamicRef", "Not", "OneOf", "MaxProperties", "MinProperties", "PropertyNames", "PatternProperties",
		"Dependencies", "DependentRequired", "DependentSchemas", "UnevaluatedProperties", "UniqueItems", "Contains", "MinContains",
		"MaxContains", "Items", "AdditionalItems", "PrefixItems", "UnevaluatedItems", "ContentEncoding", "ContentMediaType",
		"ContentSchema", "ExclusiveMaximum", "ExclusiveMinimum", "MultipleOf", "Extensions",
	}
	var got []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[jsonschema.Schema]()) {
		if f.IsExported() {
			got = append(got, f.Name)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields of jsonschema.Schema (-want +got):\n%s", diff)
	}
}

func TestUnknownKeywordsLeaveTheDecisionToTheLibrary(t *testing.T) {
	t.Parallel()
	tests := []struct{ schema, bad string }{
		{`{"not":{}}`, `1`},
		{`{"oneOf":[{},{}]}`, `1`},
		{`{"maxProperties":0}`, `{"a":1}`},
		{`{"minProperties":1}`, `{}`},
		{`{"propertyNames":false}`, `{"a":1}`},
		{`{"patternProperties":{"a":false}}`, `{"a":1}`},
		{`{"dependencies":{"a":["b"]}}`, `{"a":1}`},
		{`{"dependentRequired":{"a":["b"]}}`, `{"a":1}`},
		{`{"dependentSchemas":{"a":false}}`, `{"a":1}`},
		{`{"unevaluatedProperties":false}`, `{"a":1}`},
		{`{"uniqueItems":true}`, `[1,1]`},
		{`{"contains":false}`, `[1]`},
		{`{"prefixItems":[false]}`, `[1]`},
		{`{"unevaluatedItems":false}`, `[1]`},
		{`{"exclusiveMaximum":0}`, `0`},
		{`{"exclusiveMinimum":0}`, `0`},
		{`{"multipleOf":2}`, `1`},
		{`{"minimum":0.5}`, `0`},
		{`{"maximum":99999999999999999999}`, `99999999999999999999.5`},
		{`{"const":1}`, `2`},
		{`{"enum":[[1]]}`, `[2]`},
		{`{"properties":{"a":{"items":{"not":{}}}}}`, `{"a":[1]}`},
	}
	for _, tt := range tests {
		v := mustCompile(t, tt.schema)
		if v.quick != nil {
			t.Errorf("%s: quick claims to know it", tt.schema)
		}
		if err := v.Validate(json.RawMessage(tt.bad)); err == nil {
			t.Errorf("%s: Validate(%s) = nil, want an error", tt.schema, tt.bad)
		}
	}
}

// knownSchemas use what quick knows, alone and together.
func knownSchemas() []string {
	list := []string{
		`true`, `false`, `{}`,
		`{"type":"integer"}`, `{"type":"number"}`, `{"type":["integer","number"]}`, `{"type":["string","null"]}`, `{"type":"boolean"}`,
		`{"type":"array"}`, `{"type":"object"}`,
		`{"const":"a"}`, `{"const":null}`, `{"enum":["a","é",true,null]}`,
		`{"minimum":0,"maximum":100}`, `{"type":"integer","minimum":-5}`,
		`{"minLength":1,"maxLength":2}`, `{"pattern":"^a+$"}`, `{"format":"date-time"}`, `{"format":"unheard-of"}`,
		`{"items":{"type":"integer"},"minItems":1,"maxItems":2}`,
		`{"required":["a","b"],"properties":{"a":{"type":"string"}}}`,
		`{"properties":{"a":true},"additionalProperties":false}`,
		`{"required":["b"],"properties":{"a":true},"additionalProperties":{"type":"integer"}}`,
		`{"allOf":[{"minimum":1},{"maximum":2}]}`, `{"anyOf":[{"type":"string"},{"minimum":3}]}`,
		`{"if":{"type":"integer"},"then":{"minimum":1},"else":{"type":"string"}}`,
		`{"if":{"const":"a"},"else":{"maxLength":3}}`, `{"if":{"required":["a"]},"then":{"required":["b"]}}`,
		`{"$ref":"#/$defs/n","$defs":{"n":{"properties":{"a":{"$ref":"#/$defs/n"},"b":{"type":"integer"}},"items":{"$ref":"#/$defs/n"}}}}`,
		`{"type":"object","$ref":"#/$defs/x","$defs":{"x":{"required":["a"]}}}`,
	}
	for _, typ := range Builtin() {
		list = append(list, string(typ.Schema))
	}
	return list
}

// values are data that hit and miss the limits of knownSchemas.
func values() []string {
	scalars := []string{
		`null`, `true`, `false`, `0`, `-0`, `1`, `2`, `3`, `-5`, `-6`, `100`, `101`, `1.0`, `1.5`, `1e2`, `1e-2`, `-1`,
		`999999999999999999`, `9999999999999999999`, `-99999999999999999999`, `0.1e1`,
		`""`, `"a"`, `"\u0061"`, `"aa"`, `"aaa"`, `"é"`, `"\u00e9"`, `"\ud83d\ude00"`, `"ab"`, `"2026-03-08T12:34:56.789Z"`, `"2026-13-08T12:34:56Z"`,
		`[]`, `[1]`, `[1,2]`, `[1,2,3]`, `["a"]`, `[1.5]`, `{}`, `[[{"b":"x"}]]`,
	}
	list := slices.Clone(scalars)
	for _, s := range scalars {
		list = append(list, `{"a":`+s+`}`, `{"b":`+s+`}`, `{"a":"x","b":`+s+`}`, `{"\u0061":`+s+`,"b":1}`, `{"a":{"a":{"b":`+s+`}}}`, `[`+s+`,{"b":1}]`)
	}
	for _, typ := range Builtin() {
		list = append(list, string(typ.Sample))
	}
	return list
}

func TestQuickAgreesWithTheLibrary(t *testing.T) {
	t.Parallel()
	answers := make(map[verdict]int)
	for _, schema := range knownSchemas() {
		v := mustCompile(t, schema)
		if v.quick == nil {
			t.Errorf("%s: quick does not know it", schema)
			continue
		}
		for _, data := range values() {
			answers[compareWithLibrary(t, v, schema, []byte(data))]++
		}
	}
	if answers[valid] < 1000 || answers[invalid] < 1000 || answers[unknown] < 10 {
		t.Errorf("answers by verdict: %v; the table no longer tests much", answers)
	}
}

// compareWithLibrary fails if quick is sure of something else than the library, and returns what quick said.
func compareWithLibrary(t *testing.T, v *Validator, schema string, data []byte) verdict {
	t.Helper()
	var d document
	if f := d.parse(data); f != nil {
		t.Fatalf("parse(%s): %v", data, f.fieldErrors())
	}
	d.work = maxWork
	got := v.quick.check(&d, 0)
	err := v.schema.Validate(d.any(0))
	if got == valid && err != nil {
		t.Errorf("%s accepts %s, but the library says: %v", schema, data, err)
	}
	if got == invalid && err == nil {
		t.Errorf("%s refuses %s, but the library accepts it", schema, data)
	}
	return got
}

func TestQuickDecidesForTheSamples(t *testing.T) {
	t.Parallel()
	for _, typ := range Builtin() {
		v := compiled(t, typ.Name)
		if got := compareWithLibrary(t, v, typ.Name, typ.Sample); got != valid {
			t.Errorf("%s: the quick check of the sample = %d, want valid", typ.Name, got)
		}
	}
}
