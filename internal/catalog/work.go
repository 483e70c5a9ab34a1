package catalog

import (
	"encoding/json"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The limits for checking one event. Work is counted in checks of one value by one schema; the library takes 0.2 µs
// for one.
const (
	// maxWork is what one event may take: a second.
	maxWork = 5_000_000
	// maxWorkTogether is what the events of one call may take.
	maxWorkTogether = 4 * maxWork
	// maxChecks is how often schemas may be applied to the values of an event by the library. Each may fail and leaves
	// up to 0.2 kilobytes even if no more than yes or no is asked for.
	maxChecks = 1_000_000
	// maxExplained is up to how many applications mistakes are looked for, and maxExplainedWork up to how much work.
	// An application may leave a quarter of a kilobyte, and a required field 16 bytes, which makes some 30 MB; beyond,
	// the library is asked for yes or no.
	maxExplained     = 100_000
	maxExplainedWork = 1_000_000
	// numberWork is what the library takes for reading a number: it makes fractions of unbounded size of all.
	numberWork = 10
	// stepsPerWork is how many steps of a regular expression, of up to 60 ns, make a unit of work.
	stepsPerWork = 3
	// escapedPerWork is how many bytes of a string with escapes are decoded in a unit of work, at up to 40 ns each.
	escapedPerWork = 5
	// regexSteps is what reading a byte of a regular expression takes in the worst case, many Unicode classes.
	regexSteps = 200
)

// Budget is the work that the events of one call may still take. It is used by one goroutine.
type Budget struct{ left int }

// NewBudget returns the budget of a call.
func NewBudget() *Budget { return &Budget{left: maxWorkTogether} }

// cost is what applying schemas takes at most.
type cost struct {
	schemas int // how many are applied to a value
	work    int // for a value, beside its text
	unique  int // how often the items of a list are compared with each other
	steps   int // for a byte of a text or a key
}

// plus adds, up to what is too much anyway.
func (c cost) plus(d cost) cost {
	return cost{
		min(c.schemas+d.schemas, maxChecksPerValue+1), min(c.work+d.work, maxWorkPerValue+1),
		min(c.unique+d.unique, maxChecksPerValue+1), min(c.steps+d.steps, maxStepsPerByte+1),
	}
}

func (c cost) times(n int) cost { return cost{c.schemas * n, c.work * n, c.unique * n, c.steps * n} }

func (c cost) max(d cost) cost {
	return cost{max(c.schemas, d.schemas), max(c.work, d.work), max(c.unique, d.unique), max(c.steps, d.steps)}
}

// costOf returns what s itself costs, without the schemas that it applies. What it does for every key of an object is
// counted as if it were for the object: the values inside make up for that, since each has one key.
func costOf(s *jsonschema.Schema) cost {
	c := cost{schemas: 1, steps: stepsForText(s)}
	c.work = 1 + len(s.Required) + len(s.Dependencies) + len(s.DependentSchemas) + len(s.PatternProperties)
	for _, names := range s.DependentRequired {
		c.work += 1 + len(names)
	}
	for _, names := range s.Dependencies {
		if list, ok := names.([]string); ok {
			c.work += len(list)
		}
	}
	for pattern := range s.PatternProperties {
		c.steps += stepsOf(pattern)
	}
	if s.Const != nil {
		c.work += comparing(*s.Const)
	}
	if s.Enum != nil {
		for _, v := range s.Enum.Values {
			c.work += comparing(v)
		}
	}
	c.work += numberWork * numberKeywords(s)
	if s.UniqueItems {
		c.unique = 1
	}
	return c
}

// numberKeywords counts what makes the library read a number of the data.
func numberKeywords(s *jsonschema.Schema) int {
	n := 0
	if s.Types != nil && strings.Contains(s.Types.String(), "integer") {
		n++
	}
	if s.Minimum != nil || s.Maximum != nil || s.ExclusiveMinimum != nil || s.ExclusiveMaximum != nil {
		n++
	}
	if s.MultipleOf != nil {
		n++
	}
	return n
}

// comparing returns the work of comparing data with v. Two numbers are both read for it.
func comparing(v any) int {
	work := 1
	switch v := v.(type) {
	case json.Number:
		work += 2*numberWork + numberWork*extraValues(len(v), exponentOf(string(v)))
	case []any:
		for _, item := range v {
			work += comparing(item)
		}
	case map[string]any:
		for _, value := range v {
			work += comparing(value)
		}
	}
	return work
}

// exponentOf returns the exponent of a number in JSON, without its sign; 0 if it has none.
func exponentOf(number string) int {
	at := strings.IndexAny(number, "eE")
	if at < 0 {
		return 0
	}
	return smallInt([]byte(strings.TrimLeft(number[at+1:], "+-")))
}

// extraValues returns for how many more values a number counts that is long or has a large exponent. One of a
// thousand digits takes 60 µs instead of 2.5.
func extraValues(length, exponent int) int { return (length + exponent) / 40 }

// stepsForText returns the steps that s takes for a byte of a text, its patternProperties aside.
func stepsForText(s *jsonschema.Schema) int {
	steps := 0
	if s.Pattern != nil {
		steps += stepsOf(s.Pattern)
	}
	if s.MinLength != nil || s.MaxLength != nil {
		steps++
	}
	if s.Format != nil {
		steps++
		if s.Format.Name == formatRegex {
			steps += regexSteps
		}
	}
	return steps
}

// stepsOf returns the steps that an expression takes for a byte.
func stepsOf(re jsonschema.Regexp) int {
	if e, ok := re.(*expression); ok {
		return e.size
	}
	return maxStepsPerByte // there is no other kind
}

// forDocument returns what the library takes to check a document, at most.
func (c cost) forDocument(d *document) int {
	work := d.weight()*c.work + len(d.text)*c.steps/stepsPerWork
	if c.unique > 0 {
		work += c.unique * d.uniqueWork()
	}
	return work
}

// checks returns how often schemas are applied to the values of a document, at most.
func (c cost) checks(d *document) int { return len(d.nodes) * c.schemas }

// explainable reports whether the mistakes in a document take a bearable time and memory to find. One deep inside
// keeps the way to it, 16 bytes a step.
func (c cost) explainable(d *document) bool {
	return c.checks(d)*(16+d.depth)/16 <= maxExplained && d.weight()*c.work <= maxExplainedWork
}

// weight is the number of values, where numbers that are hard to read count as several.
func (d *document) weight() int { return len(d.nodes) + d.extra }

// uniqueWork is what comparing the items of every list takes. Up to 20 items are compared each with each, which looks
// at each up to 10 times; of more the library makes a hash.
func (d *document) uniqueWork() int {
	work := 0
	for i := range d.nodes {
		if n := &d.nodes[i]; n.kind == kindList && n.children > 1 {
			looks := 2
			if n.children <= 20 {
				looks = int(n.children+1) / 2
			}
			work += numberWork * looks * (int(n.next) - i)
		}
	}
	return work
}
