package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// Under the race detector, or without it by killing the process, this fails when a validator keeps what compiling used.
func TestExpressionsInDataAreCheckedByManyGoroutinesAtOnce(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{
		`{"format":"regex"}`,
		`{"$ref":"#/$defs/a","$defs":{"a":{"format":"regex"}}}`,
		`{"not":{"not":{"format":"regex"}}}`,
		`{"propertyNames":{"format":"regex"},"patternProperties":{"x":{"format":"regex"}},"unevaluatedProperties":{"format":"regex"},"type":["object","string"]}`,
	} {
		v := mustCompile(t, schema)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 100 {
					text := fmt.Sprintf(`"a%dx%d"`, g, i)
					for _, data := range []string{text, `{` + text + `:` + text + `}`} {
						if err := v.Validate(json.RawMessage(data)); err != nil {
							t.Errorf("%s: Validate(%s) = %v", schema, data, err)
						}
					}
				}
			})
		}
		wg.Wait()
	}
}

// A validator that remembered what it saw would refuse after the sum of sizes that one schema may have.
func TestExpressionsInDataAreNotRemembered(t *testing.T) {
	t.Parallel()
	v := mustCompile(t, `{"format":"regex"}`)
	for i := range 50 {
		if got := mistakesIn(t, v, fmt.Sprintf(`"^x%d.{0,990}$"`, i)); got != nil {
			t.Fatalf("expression %d: %v", i, got)
		}
	}
	tests := []struct{ data, want string }{
		{`"(secret"`, "data: is not a regular expression that can be used: missing closing )"},
		{`"` + strings.Repeat("[\\\\pL]", 1000) + `"`, "data: is not a regular expression that can be used: it is longer than 1000 bytes"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff([]string{tt.want}, mistakesIn(t, v, tt.data)); diff != "" {
			t.Errorf("Validate(%.20s) (-want +got):\n%s", tt.data, diff)
		}
	}
}

func TestWhatWouldTakeTooLongToCheckIsRefused(t *testing.T) {
	t.Parallel()
	const (
		tooLong = "data: takes too long to check by a schema as complex as this: send less in one event, or simplify the schema"
		unfit   = "data: does not fit its schema, and is too large to search for every mistake: try a smaller event of this type"
	)
	text := func(n int) string { return `"` + strings.Repeat("a", n) + `"` }
	number := "0." + strings.Repeat("7", 900)
	nested := strings.Repeat("["+numbers(300)+",", 64)
	tests := []struct {
		name, schema, data, want string
	}{
		{"a large pattern and a long text", `{"pattern":"(.?){400}z"}`, text(20_000), tooLong},
		{"a large pattern inside of not and a long text", `{"not":{"pattern":"(.?){400}z"}}`, text(20_000), tooLong},
		{"a large pattern and long keys", `{"patternProperties":{"(.?){400}z":false}}`, `{` + text(20_000) + `:1}`, tooLong},
		{"a large pattern for names and long keys", `{"propertyNames":{"not":{"pattern":"(.?){400}z"}}}`, `{` + text(20_000) + `:1}`, tooLong},
		{"many long expressions", `{"items":{"format":"regex"}}`, `[` + list(200, text(900)) + `]`, tooLong},
		{"a long enum of numbers", `{"items":{"enum":[` + numbers(4000) + `]}}`, `[` + list(500, "-1") + `]`, tooLong},
		{"an enum of long numbers", `{"items":{"enum":[` + list(50, number) + `]}}`, `[` + list(200, number+"1") + `]`, tooLong},
		{"many different items in lists inside of each other", `{"items":{"$ref":"#"},"uniqueItems":true}`, nested[:len(nested)-1] + strings.Repeat("]", 64), tooLong},
		{"many required fields", `{"items":{"required":["` + strings.ReplaceAll(numbers(4000), ",", `","`) + `"]}}`, `[` + list(10_000, "{}") + `]`, unfit},
		{"a long enum of texts", `{"items":{"enum":["` + strings.ReplaceAll(numbers(4000), ",", `","`) + `"]}}`, `[` + list(1000, `"x"`) + `]`, unfit},
		{"mistakes everywhere", `{"items":{"type":"string"}}`, `[` + list(120_000, "0") + `]`, unfit},
		{"mistakes deep inside", `{"type":["array","string"],"items":{"$ref":"#"}}`, strings.Repeat("[", 63) + `[` + list(30_000, "0") + `]` + strings.Repeat("]", 63), unfit},
	}
	for _, tt := range tests {
		if diff := cmp.Diff([]string{tt.want}, mistakesIn(t, mustCompile(t, tt.schema), tt.data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Each part of a schema that looks at a string with escapes decodes it.
func TestTheQuickCheckGivesUpBeforeItHasDecodedTheSameStringTooOften(t *testing.T) {
	t.Parallel()
	long := `"\u0061` + strings.Repeat("a", 100_000) + `"`
	tests := []struct{ schema, data string }{
		{`{"anyOf":[` + list(3000, `{"const":"b"}`) + `,{"type":"string"}]}`, long},
		{`{"anyOf":[` + list(2000, `{"required":["b"]}`) + `,{"type":"object"}]}`, `{` + long + `:1}`},
	}
	for _, tt := range tests {
		v := mustCompile(t, tt.schema)
		var d document
		if f := d.parse([]byte(tt.data)); f != nil {
			t.Fatal(f.fieldErrors())
		}
		d.work = maxWork
		if got := v.quick.check(&d, 0); got != unknown || d.work >= 0 {
			t.Errorf("%.50s: the quick check = %d with %d units of work left, want unknown with none", tt.schema, got, d.work)
		}
		if err := v.Validate(json.RawMessage(tt.data)); err != nil {
			t.Errorf("%.50s: %v, want nil, because the library decodes once", tt.schema, err)
		}
	}
}

// The limits are for what is hard to check, not for what is large.
func TestLargeEventsOfOrdinaryTypesAreAccepted(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, schema, data string }{
		{"many objects", `{"items":{"required":["a"],"properties":{"a":{"enum":["x","y","z"]},"b":{"pattern":"^[a-z0-9-]{1,64}$"}}}}`, `[` + list(9000, `{"a":"x","b":"one-two"}`) + `]`},
		{"a long text beside a pattern", `{"properties":{"id":{"pattern":"^[A-Za-z0-9]{1,500}$"},"text":{"maxLength":300000}}}`, `{"id":"a1","text":"` + strings.Repeat("x", 250_000) + `"}`},
		{"a long enum", `{"items":{"enum":["` + strings.ReplaceAll(numbers(3000), ",", `","`) + `"]}}`, `[` + list(1500, `"2900"`) + `]`},
		{"many short unique lists", `{"items":{"properties":{"tags":{"uniqueItems":true,"items":{"type":"string"}}}}}`, `[` + list(4000, `{"tags":["a","b","c"]}`) + `]`},
	}
	for _, tt := range tests {
		if err := mustCompile(t, tt.schema).Validate(json.RawMessage(tt.data)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Not parallel, because it counts what is allocated. 30,000 mistakes used to cost a path and a message each.
func TestMistakesThatAreNotToldCostNothing(t *testing.T) {
	tests := []struct{ name, schema, data string }{
		{"wrong items", `{"items":{"type":"string"}}`, `[` + list(30_000, "0") + `]`},
		{"missing fields", `{"items":{"required":["` + strings.ReplaceAll(numbers(1000), ",", `","`) + `"]}}`, `[` + list(30, "{}") + `]`},
		{"alternatives", `{"items":{"anyOf":[{"minimum":1},{"maximum":-1},{"enum":["a"]}]}}`, `[` + list(3000, "0") + `]`},
	}
	for _, tt := range tests {
		v := mustCompile(t, tt.schema)
		var d document
		if f := d.parse([]byte(tt.data)); f != nil {
			t.Fatal(f.fieldErrors())
		}
		err := v.schema.Validate(d.any(0))
		if n := testing.AllocsPerRun(1, func() { _ = explain(err, &d, v.source) }); n > 10_000 {
			t.Errorf("%s: explaining takes %v allocations", tt.name, n)
		}
	}
}

func TestEventsOfOneCallShareABudget(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{
		`{"items":{"pattern":"(.?){400}z"}}`,              // quick knows it
		`{"items":{"not":{"not":{"pattern":"(.?){9}"}}}}`, // the library decides
	} {
		v, b := mustCompile(t, schema), NewBudget()
		data := json.RawMessage(`["` + strings.Repeat("z", 500) + `"]`)
		if err := v.ValidateWithin(b, data); err != nil {
			t.Errorf("%s: the first: %v", schema, err)
		}
		b.left = 1000
		want := "data takes too long to check together with the events before it: send fewer of this type in one call, or simplify the schema"
		if err := v.ValidateWithin(b, data); err == nil || err.Error() != want {
			t.Errorf("%s: without budget: %v, want %s", schema, err, want)
		}
	}
	b := NewBudget()
	v := mustCompile(t, `{"items":{"pattern":"^a+$"}}`)
	if err := v.ValidateWithin(b, json.RawMessage(`["`+strings.Repeat("a", 9000)+`"]`)); err != nil || b.left >= maxWorkTogether {
		t.Errorf("%v; the budget is still %d of %d", err, b.left, maxWorkTogether)
	}
}

func TestLargeChecksTakeTurnsAndSmallOnesGoOn(t *testing.T) {
	t.Parallel()
	large := json.RawMessage(`[` + list(6000, "2") + `]`)
	synctest.Test(t, func(t *testing.T) {
		v := mustCompile(t, `{"items":{"multipleOf":2}}`)
		v.turns = NewTurns(1, maxWaitingTurns)
		if err := v.turns.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		var done sync.WaitGroup
		for range maxWaitingTurns {
			done.Go(func() {
				if err := v.Validate(large); err != nil {
					t.Errorf("one that waited: %v", err)
				}
			})
		}
		synctest.Wait()
		if err := v.Validate(large); !errors.Is(err, ErrBusy) {
			t.Errorf("one more than may wait: %v, want ErrBusy", err)
		}
		if err := v.Validate(json.RawMessage(`[2,4]`)); err != nil {
			t.Errorf("a small one: %v", err)
		}
		v.turns.Give()
		done.Wait()
		if err := v.Validate(large); err != nil {
			t.Errorf("after all: %v", err)
		}
	})
}
