package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	// maxSchemaBytes is the longest schema. The largest schema of a real event that we know of has a third of it.
	maxSchemaBytes = 64 << 10
	// maxSchemaParts is how many objects, trues and falses a schema may be made of. The library compares each with all
	// before it: 5000 take a quarter of a second, and 5 MB for as long as the schema is in use.
	maxSchemaParts = 5_000
	// draft is the only dialect that the contract promises (section 3).
	draft = "https://json-schema.org/draft/2020-12/schema"
	// schemaURL is the base of the schema's relative references. Nothing can be fetched from it.
	schemaURL = "schema:///event"
)

// SchemaError says what is wrong with a schema.
type SchemaError struct {
	// Pointer is the place of the mistake in the schema as a JSON pointer (RFC 6901); "" is the whole.
	Pointer string
	// Message says in plain words what is wrong and what to do.
	Message string
}

// Error implements error.
func (e *SchemaError) Error() string {
	if e.Pointer == "" {
		return "the schema " + e.Message
	}
	return "the schema at " + e.Pointer + " " + e.Message
}

// Compile prepares a schema. Without a schema (nil, or JSON's null) the Validator accepts every JSON value.
//
// A schema may come from an account, so Compile refuses, with a [*SchemaError]: what is not a JSON Schema of draft
// 2020-12 (which a schema without $schema is taken for); references to anything outside the schema, since nothing is
// ever fetched; $dynamicRef; regular expressions that are not RE2; more than 64 KiB, 64 levels or 5000 parts; and
// schemas that would take too long to check. Formats are asserted: "format": "date-time" refuses what is no date and time.
func Compile(schema json.RawMessage) (*Validator, error) {
	if text := bytes.TrimSpace(schema); len(text) == 0 || string(text) == "null" {
		return new(Validator), nil
	}
	source, err := readSchema(schema)
	if err != nil {
		return nil, err
	}
	compiled, err := compileSource(source)
	if err != nil {
		return nil, err
	}
	all := allParts(compiled)
	if err := checkDialect(all); err != nil {
		return nil, err
	}
	detach(all)
	most, err := costPerValue(compiled)
	if err != nil {
		return nil, err
	}
	return &Validator{
		schema:  compiled,
		refuses: &jsonschema.Schema{DraftVersion: compiled.DraftVersion, Not: compiled},
		source:  source,
		quick:   newQuick(compiled),
		cost:    most,
		turns:   ofTheProcess,
	}, nil
}

// readSchema reads a schema into the values that the library wants.
func readSchema(schema json.RawMessage) (any, error) {
	if len(schema) > maxSchemaBytes {
		return nil, &SchemaError{Message: fmt.Sprintf("is %d bytes long: at most %d are allowed", len(schema), maxSchemaBytes)}
	}
	var d document
	if f := d.parse(schema); f != nil {
		return nil, &SchemaError{Pointer: pointer(f.steps()), Message: f.message}
	}
	if d.count(kindObject)+d.count(kindBool) > maxSchemaParts {
		return nil, &SchemaError{Message: fmt.Sprintf("has more than %d parts: write down once, in $defs, what it has several times", maxSchemaParts)}
	}
	source := d.any(0)
	object, ok := source.(map[string]any)
	if !ok {
		return source, nil
	}
	if dialect, ok := object["$schema"]; ok && dialect != draft && dialect != draft+"#" {
		return nil, &SchemaError{Pointer: "/$schema", Message: "must be " + draft + ", or left out"}
	}
	return source, nil
}

func compileSource(source any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	e := expressions{compiled: make(map[string]*expression)}
	c.UseRegexpEngine(e.compile)
	if err := c.AddResource(schemaURL, source); err != nil {
		return nil, explainCompile(err, source)
	}
	compiled, err := c.Compile(schemaURL)
	if err != nil {
		return nil, explainCompile(err, source)
	}
	return compiled, nil
}

// errOutside is why noLoader refuses.
var errOutside = errors.New("outside the schema")

// noLoader is the library's way to the files and addresses that a $ref names: closed.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(string) (any, error) { return nil, errOutside }

// allParts returns root and every schema that it can come to apply.
func allParts(root *jsonschema.Schema) []*jsonschema.Schema {
	all := []*jsonschema.Schema{root}
	seen := map[*jsonschema.Schema]bool{root: true}
	for i := 0; i < len(all); i++ {
		for _, part := range append(inPlace(all[i]), inside(all[i])...) {
			if !seen[part] {
				seen[part] = true
				all = append(all, part)
			}
		}
	}
	return all
}

// checkDialect refuses what costPerValue cannot foresee: references whose target depends on the data, and parts
// that declare another draft.
func checkDialect(all []*jsonschema.Schema) error {
	for _, s := range all {
		if s.DraftVersion != 2020 {
			return &SchemaError{Pointer: locationPointer(s.Location), Message: "uses another draft: write all parts in " + draft}
		}
		if s.DynamicRef != nil || s.RecursiveRef != nil {
			return &SchemaError{Pointer: locationPointer(s.Location), Message: "uses $dynamicRef or $recursiveRef: use $ref instead"}
		}
	}
	return nil
}

// explainCompile puts the library's refusal of a schema into a SchemaError.
func explainCompile(err error, source any) error {
	var (
		load       *jsonschema.LoadURLError
		validation *jsonschema.SchemaValidationError
		pattern    *jsonschema.InvalidRegexError
		noTarget   *jsonschema.JSONPointerNotFoundError
		noAnchor   *jsonschema.AnchorNotFoundError
	)
	switch {
	case errors.As(err, &load):
		return &SchemaError{Pointer: findReference(source, load.URL), Message: "refers to something outside the schema: nothing is fetched, so copy it into $defs"}
	case errors.As(err, &validation):
		return explainInvalidSchema(validation, source)
	case errors.As(err, &pattern):
		return &SchemaError{Pointer: locationPointer(pattern.URL), Message: "is not a regular expression that can be used: " + pattern.Err.Error()}
	case errors.As(err, &noTarget):
		return &SchemaError{Pointer: findReference(source, noTarget.URL), Message: "refers to a part of the schema that does not exist"}
	case errors.As(err, &noAnchor):
		return &SchemaError{Pointer: findReference(source, noAnchor.Reference), Message: "refers to an $anchor that does not exist"}
	}
	return &SchemaError{Message: "cannot be used: " + strings.ReplaceAll(err.Error(), schemaURL, "")}
}

// explainInvalidSchema finds the first mistake of a schema that the schema of schemas refuses.
func explainInvalidSchema(err *jsonschema.SchemaValidationError, source any) error {
	var ve *jsonschema.ValidationError
	if !errors.As(err.Err, &ve) {
		return &SchemaError{Pointer: locationPointer(err.URL), Message: "is not a valid JSON Schema"}
	}
	var d document
	text, encodeErr := json.Marshal(source)
	if encodeErr != nil || d.parse(text) != nil {
		return &SchemaError{Message: "is not a valid JSON Schema"}
	}
	e := explainer{d: &d}
	first := slices.MinFunc(mistakesOf(ve, maxMistakes), func(a, b mistake) int {
		return strings.Compare(pointer(e.path(a)), pointer(e.path(b)))
	})
	return &SchemaError{Pointer: locationPointer(err.URL) + pointer(e.path(first)), Message: e.message(first)}
}

// locationPointer returns the JSON pointer of a place that the library names by URL.
func locationPointer(location string) string {
	_, fragment, _ := strings.Cut(location, "#")
	if text, err := url.PathUnescape(fragment); err == nil {
		return text
	}
	return fragment
}

// findReference returns the pointer of the reference that led to target, or "" if it cannot be told.
func findReference(source any, target string) string {
	base, fragment, _ := strings.Cut(target, "#")
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	var found []string
	walk(source, nil, func(path []step, value any) {
		ref, ok := value.(string)
		if !ok || len(path) == 0 || !strings.HasPrefix(path[len(path)-1].key, "$") {
			return
		}
		refBase, refFragment, _ := strings.Cut(ref, "#")
		if strings.HasSuffix(base, strings.TrimLeft(refBase, "./")) && (refFragment == fragment || fragment == "") {
			found = append(found, pointer(path))
		}
	})
	if len(found) == 0 {
		return ""
	}
	return slices.Min(found)
}

// walk visits every value inside v, in no order.
func walk(v any, path []step, visit func([]step, any)) {
	visit(path, v)
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			walk(value, append(slices.Clone(path), step{key: key}), visit)
		}
	case []any:
		for i, value := range v {
			walk(value, append(slices.Clone(path), step{index: i, list: true}), visit)
		}
	}
}
