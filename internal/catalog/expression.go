package catalog

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The limits for one regular expression and for all different ones of a schema, in the steps of [expressionSize].
// Matching takes at most a step for every byte of the text and step of the expression; see maxStepsPerByte.
const (
	maxExpressionSize  = 2_000
	maxExpressionsSize = 10_000
	// maxDataExpression is how many bytes a regular expression in data may have, where the schema says that it is one.
	// Reading one of many Unicode classes takes 10 µs a byte.
	maxDataExpression = 1_000
)

// expression is a compiled regular expression that knows what matching it takes.
type expression struct {
	*regexp.Regexp
	size int // in the steps of expressionSize
}

// expressions compiles the regular expressions of one schema and bounds their size. It is used while the schema is
// compiled, by one goroutine, and must not be reachable afterwards: see detach.
type expressions struct {
	compiled map[string]*expression
	size     int
}

// compile is a jsonschema.RegexpEngine.
func (e *expressions) compile(text string) (jsonschema.Regexp, error) {
	if re, ok := e.compiled[text]; ok {
		return re, nil
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%w (the syntax is RE2's: no lookahead and no backreferences)", err)
	}
	size := expressionSize(tree)
	if size > maxExpressionSize {
		return nil, errors.New("it is too large: limit the length with minLength and maxLength instead")
	}
	if e.size += size; e.size > maxExpressionsSize {
		return nil, errors.New("all patterns of the schema together are too large")
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	e.compiled[text] = &expression{re, size}
	return e.compiled[text], nil
}

// detach takes the expressions of compiling out of the schemas: the library keeps its engine as the check of the
// format regex, so that data would be compiled, by many goroutines at once, and kept.
func detach(all []*jsonschema.Schema) {
	stateless := &jsonschema.Format{Name: formatRegex, Validate: checkDataExpression}
	for _, s := range all {
		if s.Format != nil && s.Format.Name == formatRegex {
			s.Format = stateless
		}
	}
}

// formatRegex is the format of a regular expression in data.
const formatRegex = "regex"

// checkDataExpression refuses text in data that is no regular expression, without repeating it.
func checkDataExpression(v any) error {
	text, ok := v.(string)
	if !ok {
		return nil
	}
	if len(text) > maxDataExpression {
		return fmt.Errorf("it is longer than %d bytes", maxDataExpression)
	}
	_, err := syntax.Parse(text, syntax.Perl)
	if wrong := (*syntax.Error)(nil); errors.As(err, &wrong) {
		return errors.New(wrong.Code.String())
	}
	return err
}

// expressionSize estimates the steps of the compiled expression, in which every repetition stands as often as it may
// occur. The compiled one has at most twice as many.
func expressionSize(tree *syntax.Regexp) int {
	size := 1
	switch tree.Op {
	case syntax.OpLiteral:
		size = len(tree.Rune)
	case syntax.OpCharClass: // \pL has 1300 runes, and takes a while to compile
		size += len(tree.Rune) / 500
	}
	for _, sub := range tree.Sub {
		size += expressionSize(sub)
	}
	if tree.Op == syntax.OpRepeat {
		size *= max(1, tree.Min, tree.Max)
	}
	return min(size, maxExpressionsSize)
}
