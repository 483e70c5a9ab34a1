package apifuzz_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
)

// document is the server's OpenAPI document, as far as requests are made from it.
type document struct {
	Paths      map[string]map[string]*operation
	Components struct{ Schemas map[string]*schema }

	all   []*operation // in the order of their ids
	valid validator.Validator
}

type operation struct {
	ID          string `json:"operationId"`
	Scope       string `json:"x-required-scope"`
	Security    *[]any
	Parameters  []parameter
	RequestBody *struct {
		Content map[string]struct{ Schema *schema }
	}
	Responses map[string]struct{ Content map[string]any }

	method, path string
}

type parameter struct {
	Name, In string
	Schema   *schema
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Format     string
	Enum       []string
	Minimum    *int
	Maximum    *int
	MinLength  *int
	MaxLength  *int
	MinItems   *int
	MaxItems   *int
	Items      *schema
	Properties map[string]*schema
	Required   []string
}

// readDocument fetches the document and makes what answers are held against.
func readDocument(t *testing.T, server string) *document {
	t.Helper()
	res := must(http.Get(server + "/openapi.json"))(t)
	defer res.Body.Close()
	text := must(io.ReadAll(res.Body))(t)
	d := &document{}
	check(t, json.Unmarshal(text, d))
	for path, methods := range d.Paths {
		for method, op := range methods {
			op.method, op.path = strings.ToUpper(method), path
			d.all = append(d.all, op)
		}
	}
	slices.SortFunc(d.all, func(a, b *operation) int { return strings.Compare(a.ID, b.ID) })
	parsed := must(libopenapi.NewDocument(text))(t)
	var wrong []error
	d.valid, wrong = validator.NewValidator(parsed, config.WithFormatAssertions())
	for _, err := range wrong {
		t.Fatal(err)
	}
	return d
}

// at follows a reference. It gives the name of what it leads to, "" = a schema in place.
func (d *document) at(s *schema) (*schema, string) {
	name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/")
	if !ok {
		return s, ""
	}
	return d.Components.Schemas[name], name
}

// named gives an operation by its id.
func (d *document) named(id string) *operation {
	return d.all[slices.IndexFunc(d.all, func(op *operation) bool { return op.ID == id })]
}

// open reports whether a call takes no key.
func (op *operation) open() bool { return op.Security != nil && len(*op.Security) == 0 }

// body gives the schema of the request's body; nil = it has none.
func (op *operation) body() *schema {
	if op.RequestBody == nil {
		return nil
	}
	return op.RequestBody.Content["application/json"].Schema
}

// is reports whether a schema is of a type.
func (s *schema) is(kind string) bool { return s.Type == kind }
