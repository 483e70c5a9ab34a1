package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mistakesIn returns what v finds, one line for each field.
func mistakesIn(t *testing.T, v *Validator, data string) []string {
	t.Helper()
	err := v.Validate(json.RawMessage(data))
	if err == nil {
		return nil
	}
	var fe *FieldErrors
	if !errors.As(err, &fe) {
		t.Fatalf("Validate(%.200s) = %T, want *FieldErrors", data, err)
	}
	var lines []string
	for _, f := range fe.Fields {
		lines = append(lines, f.Field+": "+f.Message)
	}
	return lines
}

func mustCompile(t testing.TB, schema string) *Validator {
	t.Helper()
	v, err := Compile(json.RawMessage(schema))
	if err != nil {
		t.Fatalf("Compile(%s): %v", schema, err)
	}
	return v
}

func TestValidateNamesTheFieldsOfScanCompleted(t *testing.T) {
	t.Parallel()
	const rest = `"domain":"example.com","critical_issues":0,"high_issues":2`
	tests := []struct {
		name, data string
		want       []string
	}{
		{"as documented", `{"score":85,"grade":"B",` + rest + `}`, nil},
		{"integer written with a fraction", `{"score":85.0,"grade":"B",` + rest + `}`, nil},
		{"integer written with an exponent", `{"score":8e1,"grade":"B",` + rest + `}`, nil},
		{"string for a number", `{"score":"85","grade":"B",` + rest + `}`, []string{"data.score: must be an integer, not a string"}},
		{"fraction", `{"score":85.5,"grade":"B",` + rest + `}`, []string{"data.score: must be an integer, not a number"}},
		{"too high", `{"score":101,"grade":"B",` + rest + `}`, []string{"data.score: must be at most 100"}},
		{"too low", `{"score":-1,"grade":"B",` + rest + `}`, []string{"data.score: must be at least 0"}},
		{"null", `{"score":null,"grade":"B",` + rest + `}`, []string{"data.score: must be an integer, not null"}},
		{"grade with a plus", `{"score":1,"grade":"A+",` + rest + `}`, nil},
		{"grade with a minus", `{"score":1,"grade":"A-",` + rest + `}`, nil},
		{"grade of two letters", `{"score":1,"grade":"AB",` + rest + `}`, []string{`data.grade: must match the pattern ^[A-Z][+-]?$, for example "B"`}},
		{"no date", `{"score":1,"grade":"B","scanned_at":"yesterday",` + rest + `}`, []string{`data.scanned_at: must be a date and time such as 2026-03-08T12:34:56.789Z`}},
		{"empty domain", `{"score":1,"grade":"B","domain":"","critical_issues":0,"high_issues":2}`, []string{"data.domain: must not be empty"}},
		{
			"several mistakes at once", `{"score":"x","domain":7,"critical_issues":-1}`,
			[]string{
				"data.critical_issues: must be at least 0", "data.domain: must be a string, not a number", "data.grade: is required",
				"data.high_issues: is required", "data.score: must be an integer, not a string",
			},
		},
		{"a test event needs no counts", `{"test":true,"domain":"example.com","score":85,"grade":"B"}`, nil},
		{"test must be true for that", `{"test":false,"domain":"example.com","score":85,"grade":"B"}`, []string{"data.critical_issues: is required", "data.high_issues: is required"}},
		{"a test event needs the rest", `{"test":true,"domain":"example.com","score":85}`, []string{"data.grade: is required"}},
		{"a list", `[]`, []string{"data: must be an object, not a list"}},
		{"null as a whole", `null`, []string{"data: must be an object, not null"}},
		{"nothing", ``, []string{"data: is not valid JSON: it ends too early"}},
	}
	v := compiled(t, ScanCompleted)
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, mistakesIn(t, v, tt.data)); diff != "" {
			t.Errorf("%s: Validate(%s) (-want +got):\n%s", tt.name, tt.data, diff)
		}
	}
}

func TestAlertsTakeOnlyTheListedTypesAndSeverities(t *testing.T) {
	t.Parallel()
	v := compiled(t, AlertTriggered)
	data := func(alertType, severity string) string {
		return fmt.Sprintf(`{"alert_type":%q,"severity":%q,"domain":"example.com","title":"t","message":"m"}`, alertType, severity)
	}
	for _, alertType := range []string{"score_drop", "critical_issue", "cert_expired", "cert_expiring_soon", "config_change"} {
		for _, severity := range []string{"critical", "high", "medium", "low", "info"} {
			if got := mistakesIn(t, v, data(alertType, severity)); got != nil {
				t.Errorf("%s, %s: %v", alertType, severity, got)
			}
		}
	}
	want := []string{
		`data.alert_type: must be one of "score_drop", "critical_issue", "cert_expired", "cert_expiring_soon", "config_change"`,
		`data.severity: must be one of "critical", "high", "medium", "low", "info"`,
	}
	if diff := cmp.Diff(want, mistakesIn(t, v, data("cert_expiry", "HIGH"))); diff != "" {
		t.Errorf("cert_expiry, HIGH (-want +got):\n%s", diff)
	}
}

func TestValidateWithoutASchemaRefusesOnlyAmbiguousData(t *testing.T) {
	t.Parallel()
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	keys := func(n int, more string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"k%d":%d,`, i, i)
		}
		return "{" + b.String() + more + "}"
	}
	deep := "data" + strings.Repeat("[0]", 64)
	tests := []struct {
		name, data string
		want       []string
	}{
		{"object", ` {"a":[1,-2.5e+3,"x\u00e9\n",true,false,null,{}]} `, nil},
		{"scalar", `1`, nil},
		{"64 levels", nest(64), nil},
		{"65 levels", nest(65), []string{deep + ": is nested too deeply: at most 64 levels are allowed"}},
		{"a key twice", `{"a":1,"b":{"c":1,"d":2,"c":3}}`, []string{"data.b.c: appears twice: send every field once"}},
		{"a key twice, once escaped", `{"a":1,"\u0061":2}`, []string{"data.a: appears twice: send every field once"}},
		{"a key twice, first escaped", `{"\u0061":1,"a":2}`, []string{"data.a: appears twice: send every field once"}},
		{"the same key in two objects", `[{"a":1},{"a":2}]`, nil},
		{"many keys", keys(100, `"x":1`), nil},
		{"one of many keys twice, early", keys(100, `"k3":1`), []string{"data.k3: appears twice: send every field once"}},
		{"one of many keys twice, late", keys(100, `"k98":1`), []string{"data.k98: appears twice: send every field once"}},
		{"the last of a few keys twice", keys(16, `"k15":1`), []string{"data.k15: appears twice: send every field once"}},
		{"bytes that are not UTF-8", "{\"a\":\"\xff\"}", []string{"data: is not valid UTF-8: encode all text as UTF-8"}},
		{"large exponent", `{"a":[1e1000,-1E-1000]}`, nil},
		{"huge exponent", `{"a":[0,1e1001]}`, []string{"data.a[1]: is a number beyond all bounds: use at most 1000 digits and an exponent of at most 1000, or send it as a string"}},
		{"exponent beyond an int", `1e99999999999999999999`, []string{"data: is a number beyond all bounds: use at most 1000 digits and an exponent of at most 1000, or send it as a string"}},
		{"1000 digits", strings.Repeat("9", 1000), nil},
		{"1001 digits", strings.Repeat("9", 1001), []string{"data: is a number beyond all bounds: use at most 1000 digits and an exponent of at most 1000, or send it as a string"}},
		{"two values", `{} {}`, []string{"data: is not valid JSON: unexpected character at byte 4"}},
		{"trailing comma", `{"a":1,}`, []string{"data: is not valid JSON: unexpected character at byte 8"}},
		{"unfinished", `{"a":`, []string{"data.a: is not valid JSON: it ends too early"}},
		{"not JSON inside", `{"a":[1,nul]}`, []string{"data.a[1]: is not valid JSON: unexpected character at byte 12"}},
		{"a key that needs brackets", `{"a.b":{"":{"x":1,"x":2}}}`, []string{`data["a.b"][""].x: appears twice: send every field once`}},
	}
	for _, schema := range []string{"", "null", "true", "{}"} {
		v := mustCompile(t, schema)
		for _, tt := range tests {
			if diff := cmp.Diff(tt.want, mistakesIn(t, v, tt.data)); diff != "" {
				t.Errorf("schema %q, %s (-want +got):\n%s", schema, tt.name, diff)
			}
		}
	}
}

func TestValidatePutsEveryKeywordIntoWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		schema, data string
		want         []string
	}{
		{`{"const":true}`, `false`, []string{"data: must be true"}},
		{`{"enum":["a"]}`, `"b"`, []string{`data: must be "a"`}},
		{`{"enum":[1,null,{"x":2}]}`, `"b"`, []string{`data: must be one of 1, null, {"x":2}`}},
		{`{"type":["string","null","integer"]}`, `[]`, []string{"data: must be null, an integer or a string, not a list"}},
		{`{"type":"boolean"}`, `1`, []string{"data: must be true or false, not a number"}},
		{`{"items":{"properties":{"id":{"type":"string"}}}}`, `[{"id":"a"},{"id":1}]`, []string{"data[1].id: must be a string, not a number"}},
		{`{"properties":{"a":{"items":{"items":{"minimum":0.5}}}}}`, `{"a":[[1],[2,0.25]]}`, []string{"data.a[1][1]: must be at least 0.5"}},
		{`{"properties":{"1":{"type":"string"}}}`, `{"1":1}`, []string{"data.1: must be a string, not a number"}},
		{`{"exclusiveMinimum":0}`, `0`, []string{"data: must be greater than 0"}},
		{`{"exclusiveMaximum":10}`, `10`, []string{"data: must be less than 10"}},
		{`{"multipleOf":0.01}`, `1.234`, []string{"data: must be a multiple of 0.01"}},
		{`{"minLength":3}`, `"äö"`, []string{"data: must be at least 3 characters long"}},
		{`{"maxLength":1}`, `"äö"`, []string{"data: must be at most 1 character long"}},
		{`{"minItems":1}`, `[]`, []string{"data: must have at least 1 item"}},
		{`{"maxItems":2}`, `[1,2,3]`, []string{"data: must have at most 2 items"}},
		{`{"minProperties":1}`, `{}`, []string{"data: must have at least 1 field"}},
		{`{"maxProperties":0}`, `{"a":1}`, []string{"data: must have at most 0 fields"}},
		{`{"uniqueItems":true}`, `[1,2,1.0]`, []string{"data: must not repeat an item: items 0 and 2 are equal"}},
		{`{"contains":{"type":"string"}}`, `[1]`, []string{"data: has too few items of the kind that the schema asks for"}},
		{`{"contains":{"type":"string"},"maxContains":1}`, `["a","b"]`, []string{"data: has too many items of the kind that the schema limits"}},
		{`{"additionalProperties":false,"properties":{"a":true}}`, `{"a":1,"b":2,"c":3}`, []string{"data.b: is not a field of this event type: remove it, or correct its name", "data.c: is not a field of this event type: remove it, or correct its name"}},
		{`{"properties":{"a":false}}`, `{"a":1}`, []string{"data.a: is not allowed here: remove it"}},
		{`{"unevaluatedProperties":false}`, `{"a":1}`, []string{"data.a: is not allowed here: remove it"}},
		{`{"propertyNames":{"maxLength":3}}`, `{"long":1}`, []string{"data.long: has a name that the schema does not allow: it must be at most 3 characters long"}},
		{`{"dependentRequired":{"a":["b"]}}`, `{"a":1}`, []string{`data.b: is required when "a" is there`}},
		{`{"not":{"type":"string"}}`, `"x"`, []string{"data: has a form that the schema forbids"}},
		{`{"anyOf":[{"type":"string"},{"type":"null"}]}`, `1`, []string{"data: must be a string or null"}},
		{
			`{"oneOf":[{"properties":{"kind":{"const":"a"},"x":{"type":"string"}},"required":["x"]},{"properties":{"kind":{"const":"b"},"y":{"type":"string"}},"required":["y"]}]}`,
			`{"kind":"b","y":1}`, []string{"data.y: must be a string, not a number"},
		},
		{`{"oneOf":[{"minimum":0},{"maximum":9}]}`, `5`, []string{"data: fits more than one of the schema's alternatives, but must fit exactly one"}},
		{`{"allOf":[{"required":["a"]},{"required":["b"]}]}`, `{}`, []string{"data.a: is required", "data.b: is required"}},
		{`{"$defs":{"id":{"type":"string"}},"properties":{"a":{"$ref":"#/$defs/id"}}}`, `{"a":1}`, []string{"data.a: must be a string, not a number"}},
		{`{"format":"email"}`, `"x"`, []string{"data: must be an e-mail address"}},
		{`{"properties":{"a/b":{"items":{"pattern":"^x","examples":["xy"]}}}}`, `{"a/b":["y"]}`, []string{`data.a/b[0]: must match the pattern ^x, for example "xy"`}},
		{`{"allOf":[{},{"pattern":"^x","examples":["xy"]}]}`, `"y"`, []string{`data: must match the pattern ^x, for example "xy"`}},
		{`{"pattern":"^x","examples":["xy"]}`, `"y"`, []string{`data: must match the pattern ^x, for example "xy"`}},
		{`{"pattern":"^x"}`, `"y"`, []string{`data: must match the pattern ^x`}},
		{`{"anyOf":[{"format":"ipv4"},{"pattern":"^x"}]}`, `"a"`, []string{`data: must be an IPv4 address`}},
		{`{"format":"uuid"}`, `"x"`, []string{`data: must be a UUID such as 550e8400-e29b-41d4-a716-446655440000`}},
		{`{"format":"semver"}`, `"x"`, []string{"data: must have the format semver"}},
		{`{"format":"not-known"}`, `"x"`, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, mistakesIn(t, mustCompile(t, tt.schema), tt.data)); diff != "" {
			t.Errorf("Validate(%s) by %s (-want +got):\n%s", tt.data, tt.schema, diff)
		}
	}
}

func TestErrorsAreBoundedAndTellNoValues(t *testing.T) {
	t.Parallel()
	v := mustCompile(t, `{"additionalProperties":{"type":"integer"}}`)
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, `%q:"secret",`, fmt.Sprintf("%03d", i)+strings.Repeat("ä", 5000))
	}
	err := v.Validate(json.RawMessage("{" + b.String() + `"x":"secret"}`))
	var fe *FieldErrors
	if !errors.As(err, &fe) {
		t.Fatalf("Validate = %v, want *FieldErrors", err)
	}
	if len(fe.Fields) != 20 || len(err.Error()) > 20*400 {
		t.Errorf("%d mistakes in %d bytes, want 20 in 8000 at most", len(fe.Fields), len(err.Error()))
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error repeats the value that was sent: %.300s", err)
	}
}

func TestValidateChangesNothing(t *testing.T) {
	t.Parallel()
	const data = ` {"score":  85, "grade":"B\u002b", "domain":"example.com","critical_issues":123456789012345678901234567890,
		"high_issues":1e2,"ratio":0.1000000000000000055511151231257827,"e":"\u00e9\/"} `
	raw := json.RawMessage(data)
	if err := compiled(t, ScanCompleted).Validate(raw); err != nil {
		t.Fatal(err)
	}
	if string(raw) != data {
		t.Errorf("data after Validate:\n got %s\nwant %s", raw, data)
	}
}

func TestBigNumbersAreComparedExactly(t *testing.T) {
	t.Parallel()
	v := mustCompile(t, `{"maximum":9007199254740993}`)
	if got := mistakesIn(t, v, "9007199254740993"); got != nil {
		t.Errorf("2^53+1 is refused: %v", got)
	}
	want := []string{"data: must be at most 9007199254740993"}
	for _, data := range []string{"9007199254740994", "9007199254740993.0000000001", "90071992547409930000000000000000"} {
		if diff := cmp.Diff(want, mistakesIn(t, v, data)); diff != "" {
			t.Errorf("Validate(%s) (-want +got):\n%s", data, diff)
		}
	}
}

// The schema asks for 101 checks of every item, and quick does not know one of them.
func TestWorkAndMemoryForOneEventAreBounded(t *testing.T) {
	t.Parallel()
	v := mustCompile(t, `{"items":{"allOf":[`+strings.Repeat(`{"type":"integer"},`, 99)+`{"multipleOf":1}]}}`)
	list := func(n int, last string) string { return "[" + strings.Repeat("1,", n) + last + "]" }
	tests := []struct {
		name, data string
		want       []string
	}{
		{"small and right", list(500, "1"), nil},
		{"small and wrong", list(500, "1.5"), []string{"data[500]: must be a multiple of 1", "data[500]: must be an integer, not a number"}},
		{"large and right", list(3_500, "1"), nil},
		{"large and wrong", list(3_500, "1.5"), []string{"data: does not fit its schema, and is too large to search for every mistake: try a smaller event of this type"}},
		{"too large", list(60_000, "1"), []string{"data: takes too long to check by a schema as complex as this: send less in one event, or simplify the schema"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, mistakesIn(t, v, tt.data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestValidatorIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	v := compiled(t, ScanCompleted)
	good := builtin(t, ScanCompleted).Sample
	bad := json.RawMessage(`{"domain":"example.com","score":"85","grade":"B","critical_issues":0,"high_issues":0}`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if err := v.Validate(good); err != nil {
					t.Errorf("sample: %v", err)
				}
				if err := v.Validate(bad); err == nil || err.Error() != "data.score must be an integer, not a string" {
					t.Errorf("string as score: %v", err)
				}
			}
		})
	}
	wg.Wait()
}
