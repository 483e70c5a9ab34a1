package catalog

import (
	"math/big"
	"strconv"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// verdict is what the quick check knows about a value.
type verdict uint8

const (
	// unknown sends the value to the library.
	unknown verdict = iota
	invalid
	valid
)

// quick is a schema that is checked against a document's bytes, without building values: about ten times as fast as
// the library (see BenchmarkValidate). It knows the keywords that event schemas are made of. It may answer unknown
// whenever it likes, but where it says valid or invalid the library must say the same; FuzzValidate compares them.
type quick struct {
	always   verdict // for the schemas true, false and {}; else unknown
	work     int     // of a check, see Budget; beside the text
	steps    int     // for a byte of a text
	kinds    uint16  // bit set of allowed kinds, 0 for all
	integers bool    // numbers must be integers

	constant *scalar
	enum     []scalar
	format   *jsonschema.Format
	ref      *quick

	fields   map[string]field
	required int // how many of fields
	rest     *quick

	items              *quick
	minItems, maxItems int

	minLength, maxLength int
	pattern              jsonschema.Regexp

	minimum, maximum *int64

	allOf, anyOf    []*quick
	ifs, thens, els *quick
}

// field is what is said about one key of an object.
type field struct {
	schema   *quick // nil if nothing is said but that it is required
	required bool
}

// scalar is a value of const or enum.
type scalar struct {
	kind kind
	text string // a string's meaning; else the JSON
}

// noLimit stands for a maxItems or maxLength that the schema does not have.
const noLimit = int(^uint(0) >> 1)

// quickener turns compiled schemas into quick ones. A schema may contain itself, so each is made once.
type quickener struct {
	made map[*jsonschema.Schema]*quick
	ok   bool // no schema used a keyword that quick does not know
}

// newQuick returns nil if the schema uses a keyword that quick does not know.
func newQuick(s *jsonschema.Schema) *quick {
	k := quickener{made: make(map[*jsonschema.Schema]*quick), ok: true}
	q := k.quicken(s)
	if !k.ok {
		return nil
	}
	return q
}

func (k *quickener) quicken(s *jsonschema.Schema) *quick {
	if s == nil {
		return nil
	}
	if q, ok := k.made[s]; ok {
		return q
	}
	q := &quick{maxItems: noLimit, maxLength: noLimit, work: 1, steps: stepsForText(s)}
	k.made[s] = q
	if s.Bool != nil {
		q.always = invalid
		if *s.Bool {
			q.always = valid
		}
		return q
	}
	if usesUnknownKeywords(s) {
		k.ok = false
		return q
	}
	k.setValues(q, s)
	k.setObject(q, s)
	q.items = k.quicken(s.Items2020)
	setLimit(&q.minItems, s.MinItems)
	setLimit(&q.maxItems, s.MaxItems)
	setLimit(&q.minLength, s.MinLength)
	setLimit(&q.maxLength, s.MaxLength)
	q.pattern, q.format = s.Pattern, s.Format
	q.minimum, q.maximum = k.bound(s.Minimum), k.bound(s.Maximum)
	q.ref = k.quicken(s.Ref)
	q.allOf, q.anyOf = k.quickenAll(s.AllOf), k.quickenAll(s.AnyOf)
	q.ifs, q.thens, q.els = k.quicken(s.If), k.quicken(s.Then), k.quicken(s.Else)
	return q
}

// usesUnknownKeywords reports whether the schema asserts something that quick cannot check. Together with what
// quicken reads it must cover every field of the library's type that asserts something; TestQuickKnowsEveryKeyword
// fails when the library gets a new one.
func usesUnknownKeywords(s *jsonschema.Schema) bool { //nolint:gocyclo // a list, one keyword a term
	return s.RecursiveRef != nil || s.DynamicRef != nil || s.Not != nil || len(s.OneOf) > 0 ||
		s.MaxProperties != nil || s.MinProperties != nil || s.PropertyNames != nil ||
		len(s.PatternProperties) > 0 || len(s.Dependencies) > 0 || len(s.DependentRequired) > 0 ||
		len(s.DependentSchemas) > 0 || s.UnevaluatedProperties != nil ||
		s.UniqueItems || s.Contains != nil || s.MinContains != nil || s.MaxContains != nil ||
		s.Items != nil || s.AdditionalItems != nil || len(s.PrefixItems) > 0 || s.UnevaluatedItems != nil ||
		s.ContentEncoding != nil || s.ContentMediaType != nil || s.ContentSchema != nil ||
		s.ExclusiveMaximum != nil || s.ExclusiveMinimum != nil || s.MultipleOf != nil || len(s.Extensions) > 0
}

func setLimit(to *int, from *int) {
	if from != nil {
		*to = *from
	}
}

// bound returns a limit of a number if it is an integer that fits.
func (k *quickener) bound(r *big.Rat) *int64 {
	if r == nil {
		return nil
	}
	if !r.IsInt() || !r.Num().IsInt64() {
		k.ok = false
		return nil
	}
	n := r.Num().Int64()
	return &n
}

func (k *quickener) setValues(q *quick, s *jsonschema.Schema) {
	if s.Types != nil {
		for _, name := range s.Types.ToStrings() {
			q.kinds |= 1 << kindOf(name)
			q.integers = q.integers || name == "integer"
		}
		for _, name := range s.Types.ToStrings() {
			q.integers = q.integers && name != "number"
		}
	}
	if s.Const != nil {
		c := k.scalar(*s.Const)
		q.constant = &c
	}
	if s.Enum != nil {
		q.enum = make([]scalar, 0, len(s.Enum.Values))
		q.work += len(s.Enum.Values)
		for _, v := range s.Enum.Values {
			q.enum = append(q.enum, k.scalar(v))
		}
	}
}

// kindOf returns the kind that a type of JSON Schema names.
func kindOf(name string) kind {
	switch name {
	case "null":
		return kindNull
	case "boolean":
		return kindBool
	case "string":
		return kindString
	case "array":
		return kindList
	case "object":
		return kindObject
	}
	return kindNumber
}

// scalar refuses numbers too, because 1, 1.0 and 10e-1 are equal.
func (k *quickener) scalar(v any) scalar {
	switch v := v.(type) {
	case nil:
		return scalar{kindNull, "null"}
	case bool:
		return scalar{kindBool, strconv.FormatBool(v)}
	case string:
		return scalar{kindString, v}
	}
	k.ok = false
	return scalar{}
}

func (k *quickener) setObject(q *quick, s *jsonschema.Schema) {
	q.fields = make(map[string]field, len(s.Properties))
	for name, schema := range s.Properties {
		q.fields[name] = field{schema: k.quicken(schema)}
	}
	for _, name := range s.Required {
		f := q.fields[name]
		if !f.required {
			q.required++
		}
		f.required = true
		q.fields[name] = f
	}
	switch rest := s.AdditionalProperties.(type) {
	case *jsonschema.Schema:
		q.rest = k.quicken(rest)
	case bool:
		if !rest {
			q.rest = &quick{always: invalid, work: 1}
		}
	}
}

func (k *quickener) quickenAll(schemas []*jsonschema.Schema) []*quick {
	var all []*quick
	for _, s := range schemas {
		all = append(all, k.quicken(s))
	}
	return all
}

// check checks node i of the document. It returns as soon as it knows or cannot know, which it cannot any more when it
// has done the work that d allows.
func (q *quick) check(d *document, i int) verdict {
	if d.work -= q.work; d.work < 0 {
		return unknown
	}
	if q.always != unknown {
		return q.always
	}
	n := &d.nodes[i]
	if q.kinds != 0 && q.kinds&(1<<n.kind) == 0 {
		return invalid
	}
	if v := q.checkConstants(d, i); v != valid {
		return v
	}
	var v verdict
	switch n.kind {
	case kindNumber:
		v = q.checkNumber(d, n)
	case kindString:
		v = q.checkString(d, i)
	case kindList:
		v = q.checkList(d, i)
	case kindObject:
		v = q.checkObject(d, i)
	default:
		v = valid
	}
	if v != valid {
		return v
	}
	return q.checkApplied(d, i)
}

func (q *quick) checkConstants(d *document, i int) verdict {
	if q.constant == nil && q.enum == nil {
		return valid
	}
	k, text := d.nodes[i].kind, d.scalarText(i)
	if q.constant != nil && !q.constant.equals(k, text) {
		return invalid
	}
	if q.enum == nil {
		return valid
	}
	for one := range q.enum {
		if q.enum[one].equals(k, text) {
			return valid
		}
	}
	return invalid
}

// scalarText returns what node i means if it is a string, else its JSON.
func (d *document) scalarText(i int) []byte {
	n := &d.nodes[i]
	switch {
	case n.kind != kindString:
		return d.bytes(n.value)
	case n.escaped:
		d.spendOnEscapes(d.inside(i))
		return []byte(d.textOf(d.inside(i), true))
	}
	return d.bytes(d.inside(i))
}

// spendOnEscapes counts the work of finding out what a string with escapes means.
func (d *document) spendOnEscapes(s span) { d.work -= int(s.to-s.from) / escapedPerWork }

func (s *scalar) equals(k kind, text []byte) bool { return k == s.kind && string(text) == s.text }

func (q *quick) checkNumber(d *document, n *node) verdict {
	if !q.integers && q.minimum == nil && q.maximum == nil {
		return valid
	}
	// More digits may not fit, and 1.0 and 1e2 are integers too: both are rare enough for the library.
	number, ok := smallInteger(d.bytes(n.value))
	if !ok {
		return unknown
	}
	if q.minimum != nil && number < *q.minimum || q.maximum != nil && number > *q.maximum {
		return invalid
	}
	return valid
}

// smallInteger reads an integer of at most 18 digits.
func smallInteger(text []byte) (int64, bool) {
	digits := text
	if text[0] == '-' {
		digits = text[1:]
	}
	if len(digits) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if text[0] == '-' {
		n = -n
	}
	return n, true
}

func (q *quick) checkString(d *document, i int) verdict {
	if q.minLength == 0 && q.maxLength == noLimit && q.pattern == nil && q.format == nil {
		return valid
	}
	s := d.inside(i)
	// The empty string takes as much as one byte.
	if d.work -= int(s.to-s.from+1) * q.steps / stepsPerWork; d.work < 0 {
		return unknown
	}
	if d.nodes[i].escaped {
		return q.checkText(d.textOf(s, true))
	}
	raw := d.bytes(s)
	if q.pattern == nil && q.format == nil {
		return q.checkLength(utf8.RuneCount(raw))
	}
	return q.checkText(string(raw))
}

func (q *quick) checkText(text string) verdict {
	if v := q.checkLength(utf8.RuneCountInString(text)); v != valid {
		return v
	}
	if q.pattern != nil && !q.pattern.MatchString(text) {
		return invalid
	}
	if q.format != nil && q.format.Validate(text) != nil {
		return invalid
	}
	return valid
}

func (q *quick) checkLength(length int) verdict {
	if length < q.minLength || length > q.maxLength {
		return invalid
	}
	return valid
}

func (q *quick) checkList(d *document, i int) verdict {
	n := &d.nodes[i]
	if int(n.children) < q.minItems || int(n.children) > q.maxItems {
		return invalid
	}
	if q.items == nil {
		return valid
	}
	for c := i + 1; c < int(n.next); c = int(d.nodes[c].next) {
		if v := q.items.check(d, c); v != valid {
			return v
		}
	}
	return valid
}

func (q *quick) checkObject(d *document, i int) verdict {
	missing := q.required
	for c := i + 1; c < int(d.nodes[i].next); c = int(d.nodes[c].next) {
		f, named := q.field(d, c)
		if f.required {
			missing--
		}
		schema := f.schema
		if !named {
			schema = q.rest
		}
		if schema == nil {
			continue
		}
		if v := schema.check(d, c); v != valid {
			return v
		}
	}
	if missing > 0 {
		return invalid
	}
	return valid
}

// field returns what is said about the key of node i, and whether properties names it.
func (q *quick) field(d *document, i int) (f field, named bool) {
	n := &d.nodes[i]
	if n.keyEscaped {
		d.spendOnEscapes(n.key)
		f = q.fields[d.key(i)]
	} else {
		f = q.fields[string(d.bytes(n.key))]
	}
	return f, f.schema != nil
}

// checkApplied checks the schemas that are applied to the same value.
func (q *quick) checkApplied(d *document, i int) verdict {
	if q.ref != nil {
		if v := q.ref.check(d, i); v != valid {
			return v
		}
	}
	for _, s := range q.allOf {
		if v := s.check(d, i); v != valid {
			return v
		}
	}
	if v := q.checkAnyOf(d, i); v != valid {
		return v
	}
	if q.ifs == nil {
		return valid
	}
	then := q.thens
	switch q.ifs.check(d, i) {
	case unknown:
		return unknown
	case invalid:
		then = q.els
	}
	if then == nil {
		return valid
	}
	return then.check(d, i)
}

func (q *quick) checkAnyOf(d *document, i int) verdict {
	if len(q.anyOf) == 0 {
		return valid
	}
	answer := invalid
	for _, s := range q.anyOf {
		switch s.check(d, i) {
		case valid:
			return valid
		case unknown:
			answer = unknown
		}
	}
	return answer
}
