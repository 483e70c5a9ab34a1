package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/nearest"
)

// maxMistakes is how many wrong fields an answer lists: enough to repair a request,
// and a bound on what a hostile one makes us write.
const maxMistakes = 20

// readJSON reads a body into out, a pointer to a struct, strictly: fields that
// there are not, repeated names, missing fields and wrong types are all named at once.
func readJSON(body []byte, out any) error {
	if err := syntax(body); err != nil {
		return err
	}
	c := checker{scanner: scanner{b: body}}
	if f := c.value(reflect.TypeOf(out).Elem(), "", "", 0); f != "" {
		return unreadable("body", "%s", f)
	}
	if len(c.wrong) > 0 {
		return validation(c.wrong...)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return unreadable("body", "it does not fit this call")
	}
	return nil
}

// syntax reports a body that is not one JSON value in UTF-8, with the place.
func syntax(body []byte) error {
	if !utf8.Valid(body) {
		return unreadable("body", "it is not valid UTF-8")
	}
	if _, f := (&scanner{b: body}).value(0); f == flawDepth { // encoding/json only minds 10,000 levels
		return unreadable("body", "%s", f)
	}
	var whole json.RawMessage
	err := json.Unmarshal(body, &whole)
	if err == nil {
		return nil
	}
	var wrong *json.SyntaxError
	if !errors.As(err, &wrong) {
		return unreadable("body", "it is not valid JSON")
	}
	at := min(int(wrong.Offset), len(body))
	line := 1 + strings.Count(string(body[:at]), "\n")
	return unreadable("body", "it is not valid JSON at line %d, byte %d: %s", line, at, wrong.Error())
}

// checker compares valid JSON with the type that it is to be read into.
type checker struct {
	scanner
	wrong []client.Field
}

func (c *checker) add(name, format string, args ...any) {
	if name == "" {
		name = "body"
	}
	if len(c.wrong) < maxMistakes {
		c.wrong = append(c.wrong, client.Field{Name: name, Message: fmt.Sprintf(format, args...)})
	}
}

var (
	rawType  = reflect.TypeFor[json.RawMessage]()
	timeType = reflect.TypeFor[client.Time]()
)

// value checks the next value against t and what the field's tag says of it.
func (c *checker) value(t reflect.Type, path string, tag reflect.StructTag, depth int) flaw {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	first := c.next()
	if t == rawType {
		_, f := c.scanner.value(depth)
		return f
	}
	if first == 'n' {
		c.add(path, "must not be null; leave the field out")
		_, f := c.scanner.value(depth)
		return f
	}
	switch {
	case t.Kind() == reflect.Struct && t != timeType:
		if first == '{' {
			return c.object(t, path, depth+1)
		}
		c.add(path, "must be an object")
	case t.Kind() == reflect.Slice:
		if first == '[' {
			return c.list(t.Elem(), path, tag, depth+1)
		}
		c.add(path, "must be a list")
	default:
		return c.scalar(t, path, tag, first)
	}
	_, f := c.scanner.value(depth)
	return f
}

func (c *checker) list(t reflect.Type, path string, tag reflect.StructTag, depth int) flaw {
	if depth > maxDepth {
		return flawDepth
	}
	c.take('[')
	for n := 0; !c.take(']'); n++ {
		if f := c.value(t, path+"["+strconv.Itoa(n)+"]", tag, depth); f != "" {
			return f
		}
		c.take(',')
	}
	return ""
}

func (c *checker) object(t reflect.Type, path string, depth int) flaw {
	if depth > maxDepth {
		return flawDepth
	}
	fields := fieldsOf(t)
	seen := make(map[string]bool, len(fields))
	c.take('{')
	for !c.take('}') {
		inner, f := c.text()
		if f != "" {
			return f
		}
		c.take(':')
		name, _ := plain(inner)
		if f := c.member(fields, seen, name, path, depth); f != "" {
			return f
		}
		c.take(',')
	}
	for _, f := range fields {
		if !f.optional && !seen[f.name] {
			c.add(dotted(path, f.name), "is missing")
		}
	}
	return ""
}

// member checks one member of an object, from after its colon.
func (c *checker) member(fields []field, seen map[string]bool, name, path string, depth int) flaw {
	at := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	if at < 0 {
		c.add(dotted(path, clipped(name)), "%s", unknownName(name, names(fields)))
		_, f := c.scanner.value(depth)
		return f
	}
	if seen[name] {
		c.add(dotted(path, name), "is there twice; write it once")
	}
	seen[name] = true
	return c.value(fields[at].typ, dotted(path, name), fields[at].tag, depth)
}

// scalar checks a text, a number or a yes-or-no.
func (c *checker) scalar(t reflect.Type, path string, tag reflect.StructTag, first byte) flaw {
	raw, f := c.scanner.value(0)
	if f != "" {
		return f
	}
	switch {
	case t == timeType:
		if _, err := time.Parse(`"`+time.RFC3339+`"`, string(raw)); err != nil {
			c.add(path, "must be a time such as 2026-03-08T12:34:56.789Z")
		}
	case t.Kind() == reflect.String:
		if first != '"' {
			c.add(path, "must be a text")
			return ""
		}
		text, _ := plain(raw[1 : len(raw)-1])
		if message := notOneOf(tag.Get("enum"), text); message != "" {
			c.add(path, "%s", message)
		}
	case t.Kind() == reflect.Bool:
		if first != 't' && first != 'f' {
			c.add(path, "must be true or false")
		}
	case t.Kind() == reflect.Int:
		if _, message := wholeNumber(tag, string(raw)); message != "" {
			c.add(path, "%s", message)
		}
	}
	return ""
}

// notOneOf says that a text is not in an enum; "" = it is, or there is none.
func notOneOf(enum, text string) string {
	if enum == "" || slices.Contains(strings.Split(enum, ","), text) {
		return ""
	}
	allowed := strings.Split(strings.TrimPrefix(enum, ","), ",")
	return "must be one of " + strings.Join(allowed, ", ")
}

// wholeNumber reads a number and says what is wrong with it, such as that it is not within
// the bounds that a tag has.
func wholeNumber(tag reflect.StructTag, text string) (n int, wrong string) {
	n, err := strconv.Atoi(text)
	least, most := bound(tag, "minimum"), bound(tag, "maximum")
	switch bounded := least != nil && most != nil; {
	case bounded && (err != nil || n < *least || n > *most):
		return 0, fmt.Sprintf("must be a whole number between %d and %d", *least, *most)
	case err != nil:
		return 0, "must be a whole number"
	}
	return n, ""
}

// unknownName says that a name is not known, and which one was probably meant.
func unknownName(name string, known []string) string {
	if near := nearest.Name(name, known); near != "" {
		return fmt.Sprintf("is not known here; did you mean %s?", near)
	}
	if len(known) == 0 {
		return "is not known here; this call takes none"
	}
	return "is not known here; there are " + strings.Join(known, ", ")
}

func dotted(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// clipped bounds a name that somebody else chose.
func clipped(name string) string {
	const most = 60
	if name == "" {
		return `""`
	}
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "..."
}

// field is a field of a wire struct, as JSON sees it.
type field struct {
	name     string
	optional bool // it may be left out: of a request by the caller, of an answer by us
	nullable bool // an answer has null for it when there is no value
	typ      reflect.Type
	tag      reflect.StructTag
}

// fieldsOf lists the JSON fields of a struct in order, embedded ones in place.
func fieldsOf(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			all = append(all, fieldsOf(f.Type)...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		optional := strings.Contains(options, "omit")
		all = append(all, field{
			name: name, optional: optional, nullable: f.Type.Kind() == reflect.Pointer && !optional,
			typ: f.Type, tag: f.Tag,
		})
	}
	return all
}

func names(fields []field) []string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.name
	}
	return all
}
