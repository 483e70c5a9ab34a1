package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// schema is a JSON Schema as far as we use it (draft 2020-12, the dialect of OpenAPI 3.1).
type schema struct {
	Ref         string     `json:"$ref,omitempty"`
	Description string     `json:"description,omitempty"`
	Type        any        `json:"type,omitempty"` // a text, or a list with "null"
	Format      string     `json:"format,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	Default     any        `json:"default,omitempty"`
	Minimum     *int       `json:"minimum,omitempty"`
	Maximum     *int       `json:"maximum,omitempty"`
	MinLength   *int       `json:"minLength,omitempty"`
	MaxLength   *int       `json:"maxLength,omitempty"`
	MinItems    *int       `json:"minItems,omitempty"`
	MaxItems    *int       `json:"maxItems,omitempty"`
	Items       *schema    `json:"items,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Additional  *bool      `json:"additionalProperties,omitempty"`
}

// properties keeps the order in which fields are written.
type properties []property

type property struct {
	name   string
	schema *schema
}

// MarshalJSON writes an object in order.
func (ps properties) MarshalJSON() ([]byte, error) {
	return ordered(ps, func(p property) (string, any) { return p.name, p.schema })
}

// ordered writes an object whose members keep their order.
func ordered[T any](items []T, member func(T) (string, any)) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		name, value := member(item)
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// schemas makes the schemas of wire types and keeps those that have a name.
type schemas struct {
	named map[string]*schema
	sent  map[string]bool // by name: a request has it, so that unknown fields are refused
	types map[string]reflect.Type
	clash error // two types have one name
}

func newSchemas() *schemas {
	return &schemas{named: map[string]*schema{}, sent: map[string]bool{}, types: map[string]reflect.Type{}}
}

// of gives the schema of a type: a reference when it is a struct. request says that it
// comes from a caller.
func (ss *schemas) of(t reflect.Type, request bool) *schema {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == rawType:
		return &schema{}
	case t == timeType:
		return &schema{Type: "string", Format: "date-time"}
	case t.Kind() == reflect.Struct:
		return &schema{Ref: "#/components/schemas/" + ss.object(t, request)}
	case t.Kind() == reflect.Slice:
		return &schema{Type: "array", Items: ss.of(t.Elem(), request)}
	}
	switch t.Kind() {
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int:
		return &schema{Type: "integer"}
	case reflect.Float64:
		return &schema{Type: "number"}
	}
	return &schema{Type: "string"}
}

// object makes the schema of a struct once and gives its name.
func (ss *schemas) object(t reflect.Type, request bool) string {
	name := nameOf(t)
	if had, ok := ss.types[name]; ok && had != t {
		ss.clash = fmt.Errorf("two types are called %s: %s and %s", name, had, t)
	}
	ss.types[name] = t
	s, known := ss.named[name]
	if !known {
		s = &schema{Type: "object"}
		ss.named[name] = s // before its fields, which may lead back to it
	}
	if request && !ss.sent[name] {
		ss.sent[name] = true
		closed := false
		s.Additional = &closed
		known = false // what it holds comes from a caller too
	}
	if known {
		return name
	}
	s.Properties, s.Required = nil, nil
	for _, f := range fieldsOf(t) {
		s.Properties = append(s.Properties, property{f.name, ss.field(f.typ, f.tag, request, f.nullable)})
		if !f.optional {
			s.Required = append(s.Required, f.name)
		}
	}
	return name
}

// field makes the schema of a field or a parameter with what its tags say.
func (ss *schemas) field(t reflect.Type, tag reflect.StructTag, request, nullable bool) *schema {
	s := ss.of(t, request)
	s.Description = tag.Get("doc")
	if format := tag.Get("format"); format != "" {
		s.Format = format
	}
	s.Pattern = tag.Get("pattern")
	s.Minimum, s.Maximum = bound(tag, "minimum"), bound(tag, "maximum")
	s.MinLength, s.MaxLength = bound(tag, "minLength"), bound(tag, "maxLength")
	s.MinItems, s.MaxItems = bound(tag, "minItems"), bound(tag, "maxItems")
	if enum, ok := tag.Lookup("enum"); ok {
		values := strings.Split(enum, ",")
		if s.Items != nil {
			s.Items.Enum = values
		} else {
			s.Enum = values
		}
	}
	s.Default = standard(t, tag)
	if nullable {
		s.Type = []string{s.Type.(string), "null"}
	}
	return s
}

// bound reads a number from a tag; nil = it has none.
func bound(tag reflect.StructTag, name string) *int {
	n, err := strconv.Atoi(tag.Get(name))
	if err != nil {
		return nil
	}
	return &n
}

// standard reads the default from a tag, in the type of the field.
func standard(t reflect.Type, tag reflect.StructTag) any {
	text := tag.Get("default")
	if text == "" {
		return nil
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Int:
		return json.RawMessage(text)
	case reflect.Bool:
		return text == "true"
	}
	return text
}

// nameOf gives a type's name in the document: Page[...Endpoint] is EndpointPage.
func nameOf(t reflect.Type) string {
	name, inner, generic := strings.Cut(t.Name(), "[")
	if !generic {
		return name
	}
	inner = strings.TrimSuffix(inner, "]")
	return inner[strings.LastIndex(inner, ".")+1:] + name
}
