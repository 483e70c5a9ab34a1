package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// An account may register any schema, and the server runs it on data that the same account sends. These limits, and
// those of work.go, keep that from occupying a processor for longer than a few seconds: a schema of 64 KiB that refers
// to itself in two places can otherwise ask for 2^64 checks of one value.
const (
	// maxChecksPerValue is how many schemas may apply to one value. A schema of 64 KiB without repeated $refs has fewer parts.
	maxChecksPerValue = 10_000
	// maxWorkPerValue is the work that one value may take, such as comparing it with a long enum: at it, an event may
	// have 50 values.
	maxWorkPerValue = maxWork / 50
	// maxStepsPerByte is how many steps of regular expressions one byte of a text may take: at it, an event may have
	// 1500 bytes of text.
	maxStepsPerByte = 10_000
	// maxInPlace is how many schemas may apply each other to one value in a row. The library looks at all those before
	// each; people who write schemas by hand need less than 10.
	maxInPlace = 100
	// maxSearchSteps bounds the work of finding the cost, to a fraction of a second.
	maxSearchSteps = 200_000
	// matchPerStep is how many steps of a regular expression take as long as a step of the search.
	matchPerStep = 16
)

// counts says how often each schema is applied to one value.
type counts map[*jsonschema.Schema]int

// add counts n more checks by each of the schemas, up to the number that is too many anyway. It ignores nil.
func (c counts) add(n int, schemas ...*jsonschema.Schema) {
	for _, s := range schemas {
		if s != nil {
			c[s] = min(c[s]+n, maxChecksPerValue+1)
		}
	}
}

// search finds the most that a schema can cost for one value of any data, by following all ways into the data at
// once. Values that meet the same schemas, equally often, are the same to it.
type search struct {
	ids     map[*jsonschema.Schema]int
	costs   map[*jsonschema.Schema]cost
	matches map[match]bool
	seen    map[string]bool // which values it followed already
	steps   int             // taken so far
}

// match is the question whether a key of patternProperties matches a key of properties.
type match struct {
	pattern jsonschema.Regexp
	key     string
}

// costPerValue returns the most that s can cost for one value, or a [*SchemaError] if that is too much or too hard to
// find.
func costPerValue(s *jsonschema.Schema) (cost, error) {
	look := search{
		ids: make(map[*jsonschema.Schema]int), costs: make(map[*jsonschema.Schema]cost),
		matches: make(map[match]bool), seen: make(map[string]bool),
	}
	var most cost
	met := []counts{{s: 1}}
	for range maxDepth + 1 {
		var below []counts
		for _, value := range met {
			applied, err := look.at(value)
			if err != nil {
				return cost{}, err
			}
			most = most.max(look.cost(applied))
			if err := most.tooHigh(); err != nil {
				return cost{}, err
			}
			values, err := look.valuesInside(applied)
			if err != nil {
				return cost{}, err
			}
			below = append(below, values...)
		}
		met = below
	}
	return most, nil
}

// tooHigh refuses what no event of a useful size could be checked with.
func (c cost) tooHigh() error {
	switch {
	case c.schemas > maxChecksPerValue:
		return &SchemaError{Message: fmt.Sprintf("applies more than %d schemas to one value: use fewer $refs inside allOf, anyOf and oneOf, above all to schemas that contain themselves", maxChecksPerValue)}
	case c.work > maxWorkPerValue:
		return &SchemaError{Message: "compares one value with too many others: shorten what enum, const and required list, above all numbers and what applies several times"}
	case c.steps > maxStepsPerByte:
		return &SchemaError{Message: "applies patterns to one value that are too large together: use smaller or fewer ones, and minLength and maxLength for the length"}
	}
	return nil
}

// spend counts n steps.
func (l *search) spend(n int) error {
	if l.steps += n; l.steps > maxSearchSteps {
		return &SchemaError{Message: "is too entangled: too many combinations of its parts can apply to one value, so use fewer $refs"}
	}
	return nil
}

// at returns all schemas that are applied to a value that meets these, or nil if such a value was seen before.
func (l *search) at(met counts) (counts, error) {
	applied, err := withApplied(met)
	if err != nil {
		return nil, err
	}
	if err := l.spend(len(applied)); err != nil {
		return nil, err
	}
	if !l.isNew(applied) {
		return nil, nil
	}
	return applied, nil
}

// cost returns what all these schemas together cost for one value.
func (l *search) cost(applied counts) cost {
	var sum cost
	for s, n := range applied {
		one, ok := l.costs[s]
		if !ok {
			one = costOf(s)
			l.costs[s] = one
		}
		sum = sum.plus(one.times(n))
	}
	return sum
}

// isNew reports whether no value that met the same schemas was seen, and remembers this one.
func (l *search) isNew(value counts) bool {
	parts := make([]string, 0, len(value))
	for s, n := range value {
		id, ok := l.ids[s]
		if !ok {
			id = len(l.ids)
			l.ids[s] = id
		}
		parts = append(parts, strconv.Itoa(id)+"x"+strconv.Itoa(n))
	}
	slices.Sort(parts)
	key := strings.Join(parts, " ")
	if l.seen[key] {
		return false
	}
	l.seen[key] = true
	return true
}

// valuesInside returns what the values inside a value can meet: that of each key, that of a key which no properties
// name, any item of a list, and the keys themselves.
func (l *search) valuesInside(value counts) ([]counts, error) {
	if len(value) == 0 {
		return nil, nil
	}
	named := make(map[string]counts)
	other, items, names := make(counts), make(counts), make(counts)
	for s, n := range value {
		if err := l.spend(len(s.Properties) + len(s.PrefixItems)); err != nil {
			return nil, err
		}
		for key, one := range s.Properties {
			if named[key] == nil {
				named[key] = make(counts)
			}
			named[key].add(n, one)
		}
		items.add(n, s.PrefixItems...)
		items.add(n, s.Items2020, s.Contains, s.UnevaluatedItems)
		names.add(n, s.PropertyNames)
	}
	for s, n := range value {
		if !looksAtOtherKeys(s) {
			continue
		}
		for key, met := range named {
			schemas, err := l.schemasForKey(s, key)
			if err != nil {
				return nil, err
			}
			met.add(n, schemas...)
		}
		for _, one := range s.PatternProperties {
			other.add(n, one)
		}
		other.add(n, additional(s), s.UnevaluatedProperties)
	}
	return append(slices.Collect(maps.Values(named)), other, items, names), nil
}

func looksAtOtherKeys(s *jsonschema.Schema) bool {
	return len(s.PatternProperties) > 0 || additional(s) != nil || s.UnevaluatedProperties != nil
}

// schemasForKey returns what s applies to the value of a key without naming the key.
func (l *search) schemasForKey(s *jsonschema.Schema, key string) ([]*jsonschema.Schema, error) {
	if err := l.spend(1 + len(s.PatternProperties)); err != nil {
		return nil, err
	}
	var list []*jsonschema.Schema
	for pattern, one := range s.PatternProperties {
		matches, err := l.match(pattern, key)
		if err != nil {
			return nil, err
		}
		if matches {
			list = append(list, one)
		}
	}
	if s.Properties[key] == nil {
		list = append(list, additional(s), s.UnevaluatedProperties)
	}
	return list, nil
}

// match reports whether the pattern matches the key. It asks once.
func (l *search) match(pattern jsonschema.Regexp, key string) (bool, error) {
	question := match{pattern, key}
	if answer, ok := l.matches[question]; ok {
		return answer, nil
	}
	if err := l.spend(stepsOf(pattern) * len(key) / matchPerStep); err != nil {
		return false, err
	}
	l.matches[question] = pattern.MatchString(key)
	return l.matches[question], nil
}

func additional(s *jsonschema.Schema) *jsonschema.Schema {
	schema, _ := s.AdditionalProperties.(*jsonschema.Schema)
	return schema
}

// withApplied adds to the schemas of one value all that they apply to the same value, with how often.
func withApplied(met counts) (counts, error) {
	order := inPlaceOrder{height: make(map[*jsonschema.Schema]int)}
	total := make(counts, len(met))
	for s, n := range met {
		total[s] = n
		if err := order.visit(s); err != nil {
			return nil, err
		}
	}
	for _, s := range slices.Backward(order.list) {
		for _, applied := range inPlace(s) {
			total.add(total[s], applied)
		}
	}
	return total, nil
}

// inPlaceOrder lists schemas after all that they apply to the same value.
type inPlaceOrder struct {
	list   []*jsonschema.Schema
	height map[*jsonschema.Schema]int // how many apply each other in a row, from this one on; 0 while that is found out
}

func (o *inPlaceOrder) visit(s *jsonschema.Schema) error {
	height, seen := o.height[s]
	if height > 0 {
		return nil
	}
	if seen {
		return &SchemaError{Pointer: locationPointer(s.Location), Message: "refers to itself without going into the data: no data could ever be checked"}
	}
	o.height[s] = 0
	for _, applied := range inPlace(s) {
		if err := o.visit(applied); err != nil {
			return err
		}
		height = max(height, o.height[applied])
	}
	if height == maxInPlace {
		return &SchemaError{Pointer: locationPointer(s.Location), Message: fmt.Sprintf("leads through more than %d schemas for one value: use fewer $refs to what refers to something else", maxInPlace)}
	}
	o.height[s] = height + 1
	o.list = append(o.list, s)
	return nil
}

// inPlace returns the schemas that s applies to the value that it is applied to itself.
func inPlace(s *jsonschema.Schema) []*jsonschema.Schema {
	var list []*jsonschema.Schema
	for _, one := range []*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else} {
		if one != nil {
			list = append(list, one)
		}
	}
	list = append(list, s.AllOf...)
	list = append(list, s.AnyOf...)
	list = append(list, s.OneOf...)
	for _, one := range s.DependentSchemas {
		list = append(list, one)
	}
	for _, one := range s.Dependencies {
		if one, ok := one.(*jsonschema.Schema); ok {
			list = append(list, one)
		}
	}
	return list
}

// inside returns the schemas that s applies to the values inside of the value that it is applied to, and to their keys.
func inside(s *jsonschema.Schema) []*jsonschema.Schema {
	list := slices.Collect(maps.Values(s.Properties))
	list = slices.AppendSeq(list, maps.Values(s.PatternProperties))
	list = append(list, s.PrefixItems...)
	for _, one := range []*jsonschema.Schema{additional(s), s.UnevaluatedProperties, s.PropertyNames, s.Items2020, s.Contains, s.UnevaluatedItems} {
		if one != nil {
			list = append(list, one)
		}
	}
	return list
}
