package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	keyword "github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// maxMistakes is how many mistakes are looked at: more than are told, because many may be the same one, found by
// several parts of the schema. Finding the path of one takes a walk through the data.
const maxMistakes = 10 * maxFieldErrors

// maxListedValues is how many allowed values a message names.
const maxListedValues = 20

// mistake is one reason why a value does not fit, in a form that costs next to nothing: most are found only to be
// thrown away.
type mistake struct {
	at      *jsonschema.ValidationError
	key     string // of the object there, if the mistake is about one
	keyed   bool
	message string // "" if it is to be made from at
}

// explainer puts the library's error for a document into words. source is the schema as written.
type explainer struct {
	d      *document
	source any
}

// explain turns the library's error for a document into ours.
func explain(err error, d *document, source any) error {
	var ve *jsonschema.ValidationError
	if !errors.As(err, &ve) {
		return oneError("does not fit its schema")
	}
	e := explainer{d, source}
	var fields []FieldError
	for _, m := range mistakesOf(ve, maxMistakes) {
		fields = append(fields, FieldError{Field: dotted(e.path(m)), Message: e.message(m)})
	}
	slices.SortFunc(fields, func(a, b FieldError) int {
		return strings.Compare(a.Field+" "+a.Message, b.Field+" "+b.Message)
	})
	fields = slices.Compact(fields)
	return &FieldErrors{Fields: fields[:min(len(fields), maxFieldErrors)]}
}

func (e explainer) path(m mistake) []step {
	path := pathTo(e.d, m.at.InstanceLocation)
	if m.keyed {
		path = append(path, step{key: m.key})
	}
	return path
}

func (e explainer) message(m mistake) string {
	if m.message != "" {
		return m.message
	}
	message := messageOf(m.at.ErrorKind)
	if example := exampleFor(m.at, e.source); example != "" {
		message += ", for example " + example
	}
	return message
}

// mistakesOf returns what to repair, at least one thing and at most so many. Keywords that only group others are
// looked through.
func mistakesOf(e *jsonschema.ValidationError, most int) []mistake {
	switch e.ErrorKind.(type) {
	case *keyword.Schema, *keyword.Group, *keyword.Reference, *keyword.AllOf:
		var all []mistake
		for _, cause := range e.Causes {
			if len(all) == most {
				break
			}
			all = append(all, mistakesOf(cause, most-len(all))...)
		}
		if len(all) > 0 {
			return all
		}
	case *keyword.AnyOf, *keyword.OneOf:
		if len(e.Causes) > 0 {
			return closestOf(e, most)
		}
	}
	keys, message := blamedKeys(e)
	if keys == nil {
		return []mistake{{at: e}}
	}
	keys = keys[:min(len(keys), most)]
	all := make([]mistake, len(keys))
	for i, key := range keys {
		all[i] = mistake{at: e, key: key, keyed: true, message: message}
	}
	return all
}

// closestOf returns the mistakes of the alternative that the value misses by the least. Alternatives that differ in
// the type only are named together.
func closestOf(e *jsonschema.ValidationError, most int) []mistake {
	var types []string
	var closest []mistake
	for _, cause := range e.Causes {
		if k, ok := cause.ErrorKind.(*keyword.Type); ok && len(cause.InstanceLocation) == len(e.InstanceLocation) {
			types = append(types, k.Want...)
		}
		found := mistakesOf(cause, maxMistakes)
		if closest == nil || len(found) < len(closest) {
			closest = found
		}
	}
	if len(types) > 0 && len(types) >= len(e.Causes) {
		return []mistake{{at: e, message: "must be " + typeNames(types)}}
	}
	return closest[:min(len(closest), most)]
}

// pathTo tells keys from places in lists by looking at the document.
func pathTo(d *document, location []string) []step {
	path := make([]step, 0, len(location))
	at := 0
	for _, token := range location {
		if at >= 0 && d.nodes[at].kind == kindList {
			n, err := strconv.Atoi(token)
			if err != nil {
				return path
			}
			path = append(path, step{index: n, list: true})
			at = d.item(at, n)
			continue
		}
		path = append(path, step{key: token})
		if at >= 0 {
			at = d.child(at, token)
		}
	}
	return path
}

// blamedKeys returns the keys of an object that an error is about, and what to say about each.
func blamedKeys(e *jsonschema.ValidationError) (keys []string, message string) {
	switch k := e.ErrorKind.(type) {
	case *keyword.Required:
		return k.Missing, "is required"
	case *keyword.DependentRequired:
		return k.Missing, fmt.Sprintf("is required when %s is there", quoted(k.Prop))
	case *keyword.Dependency:
		return k.Missing, fmt.Sprintf("is required when %s is there", quoted(k.Prop))
	case *keyword.AdditionalProperties:
		return k.Properties, "is not a field of this event type: remove it, or correct its name"
	case *keyword.PropertyNames:
		message := "has a name that the schema does not allow"
		for _, cause := range e.Causes {
			message += ": it " + messageOf(cause.ErrorKind)
		}
		return []string{k.Property}, message
	}
	return nil, ""
}

// messageOf says what one keyword asks for.
func messageOf(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *keyword.Type:
		return "must be " + typeNames(k.Want) + ", not " + typeNames([]string{k.Got})
	case *keyword.Const:
		return "must be " + encoded(k.Want)
	case *keyword.Enum:
		return enumMessage(k.Want)
	case *keyword.Format:
		return formatMessage(k)
	case *keyword.Pattern:
		return "must match the pattern " + k.Want
	case *keyword.FalseSchema:
		return "is not allowed here: remove it"
	case *keyword.Not:
		return "has a form that the schema forbids"
	case *keyword.OneOf:
		return "fits more than one of the schema's alternatives, but must fit exactly one"
	}
	if message := sizeMessage(k); message != "" {
		return message
	}
	return "does not fit the schema"
}

// sizeMessage says what the keywords ask for that compare lengths and numbers.
func sizeMessage(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *keyword.Minimum:
		return "must be at least " + decimal(k.Want)
	case *keyword.Maximum:
		return "must be at most " + decimal(k.Want)
	case *keyword.ExclusiveMinimum:
		return "must be greater than " + decimal(k.Want)
	case *keyword.ExclusiveMaximum:
		return "must be less than " + decimal(k.Want)
	case *keyword.MultipleOf:
		return "must be a multiple of " + decimal(k.Want)
	case *keyword.MinLength:
		if k.Want == 1 {
			return "must not be empty"
		}
		return fmt.Sprintf("must be at least %s long", count(k.Want, "character"))
	case *keyword.MaxLength:
		return fmt.Sprintf("must be at most %s long", count(k.Want, "character"))
	case *keyword.MinItems:
		return "must have at least " + count(k.Want, "item")
	case *keyword.MaxItems:
		return "must have at most " + count(k.Want, "item")
	case *keyword.MinProperties:
		return "must have at least " + count(k.Want, "field")
	case *keyword.MaxProperties:
		return "must have at most " + count(k.Want, "field")
	case *keyword.UniqueItems:
		return fmt.Sprintf("must not repeat an item: items %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	case *keyword.Contains, *keyword.MinContains:
		return "has too few items of the kind that the schema asks for"
	case *keyword.MaxContains:
		return "has too many items of the kind that the schema limits"
	}
	return ""
}

func enumMessage(want []any) string {
	words := make([]string, 0, maxListedValues)
	for _, v := range want[:min(len(want), maxListedValues)] {
		words = append(words, encoded(v))
	}
	if len(want) > maxListedValues {
		words = append(words, fmt.Sprintf("or %d others", len(want)-maxListedValues))
	}
	if len(words) == 1 {
		return "must be " + words[0]
	}
	return "must be one of " + strings.Join(words, ", ")
}

// formatMessage names a format in plain words. The reason is told for regular expressions only, which one cannot
// correct without it.
func formatMessage(k *keyword.Format) string {
	switch k.Want {
	case "date-time":
		return "must be a date and time such as 2026-03-08T12:34:56.789Z"
	case "date":
		return "must be a date such as 2026-03-08"
	case "time":
		return "must be a time such as 12:34:56Z"
	case "email":
		return "must be an e-mail address"
	case "uri", "iri":
		return "must be an absolute URL"
	case "hostname":
		return "must be a host name"
	case "ipv4":
		return "must be an IPv4 address"
	case "ipv6":
		return "must be an IPv6 address"
	case "uuid":
		return "must be a UUID such as 550e8400-e29b-41d4-a716-446655440000"
	case "regex":
		return "is not a regular expression that can be used: " + k.Err.Error()
	}
	return "must have the format " + k.Want
}

func typeNames(types []string) string {
	words := make([]string, 0, len(types))
	for _, t := range types {
		if name := typeName(t); !slices.Contains(words, name) {
			words = append(words, name)
		}
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func typeName(t string) string {
	switch t {
	case "array":
		return "a list"
	case "boolean":
		return "true or false"
	case "integer":
		return "an integer"
	case "null":
		return "null"
	case "object":
		return "an object"
	}
	return "a " + t
}

// exampleFor returns the first of the examples that the schema gives for what a pattern refused, since a regular
// expression is no plain word.
func exampleFor(e *jsonschema.ValidationError, source any) string {
	if _, ok := e.ErrorKind.(*keyword.Pattern); !ok {
		return ""
	}
	at := source
	for token := range strings.SplitSeq(locationPointer(e.SchemaURL), "/") {
		switch v := at.(type) {
		case map[string]any:
			if token != "" {
				at = v[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
			}
		case []any:
			n, err := strconv.Atoi(token)
			if err != nil || n < 0 || n >= len(v) {
				return ""
			}
			at = v[n]
		}
	}
	keywords, _ := at.(map[string]any)
	examples, _ := keywords["examples"].([]any)
	if len(examples) == 0 {
		return ""
	}
	return encoded(examples[0])
}

// encoded writes a value of the schema as JSON, cut where it gets too long to read.
func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil || len(text) > maxFieldBytes {
		return "the value that the schema gives"
	}
	return string(text)
}

func quoted(key string) string {
	if len(key) > maxFieldBytes {
		key = key[:maxFieldBytes] + "..."
	}
	return strconv.Quote(key)
}

func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
