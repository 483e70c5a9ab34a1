package api

import (
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
)

// input is what a call reads, found out once from its In type.
type input struct {
	params []param
	body   reflect.Type // nil = none
	index  []int        // of Body in In
	needed bool         // a body must be there
}

// param is one value from the path, the query or the header.
type param struct {
	where string // path, query or header
	name  string
	index []int
	typ   reflect.Type
	tag   reflect.StructTag // doc, enum, default ...
}

func inputOf(t reflect.Type) input {
	var in input
	in.collect(t, nil)
	return in
}

func (in *input) collect(t reflect.Type, above []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(slices.Clone(above), i)
		switch {
		case f.Anonymous:
			in.collect(f.Type, index)
		case f.Name == "Body":
			in.body, in.index = f.Type, index
			in.needed = slices.ContainsFunc(fieldsOf(f.Type), func(f field) bool { return !f.optional })
		default:
			for _, where := range []string{"path", "query"} {
				if name := f.Tag.Get(where); name != "" {
					in.params = append(in.params, param{where: where, name: name, index: index, typ: f.Type, tag: f.Tag})
				}
			}
		}
	}
}

// read fills a value of the In type from a request.
func (in *input) read(r *http.Request, limit int64, to reflect.Value) error {
	if err := in.readParams(r, to); err != nil {
		return err
	}
	if in.body == nil {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodDelete {
			return nil
		}
		var nothing struct{}
		return readBody(r, limit, false, &nothing)
	}
	return readBody(r, limit, in.needed, to.FieldByIndex(in.index).Addr().Interface())
}

// readBody reads a JSON body into out; one that is not needed may be empty.
func readBody(r *http.Request, limit int64, needed bool, out any) error {
	if r.ContentLength > limit {
		return tooLong(limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if err != nil {
		return broken(err)
	}
	if len(body) == 0 && !needed {
		return nil
	}
	if err := jsonBody(r); err != nil {
		return err
	}
	if len(body) == 0 {
		return unreadable("body", "it is empty; send JSON")
	}
	return readJSON(body, out)
}

// broken tells a body that is too long from one that did not come whole.
func broken(err error) error {
	if p := problemOfInput(err); p != nil {
		return p
	}
	return unreadable("body", "it did not arrive whole")
}

// noParams is where the parameters of a call go that has none.
var noParams = reflect.ValueOf(none{})

func (in *input) readParams(r *http.Request, to reflect.Value) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return unreadable("query", "it is not written properly; escape %%, & and ; in values")
	}
	var wrong []client.Field
	var known []string
	for _, p := range in.params {
		switch p.where {
		case "path":
			to.FieldByIndex(p.index).SetString(r.PathValue(p.name))
		case "query":
			known = append(known, p.name)
			if message := p.set(to.FieldByIndex(p.index), values[p.name]); message != "" {
				wrong = append(wrong, client.Field{Name: p.name, Message: message})
			}
		}
	}
	for name := range values {
		if !slices.Contains(known, name) && len(wrong) < maxMistakes {
			wrong = append(wrong, client.Field{Name: clipped(name), Message: unknownName(name, known)})
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.SortStableFunc(wrong, func(a, b client.Field) int { return strings.Compare(a.Name, b.Name) })
	return validation(wrong...)
}

// set reads a query parameter; an empty one counts as left out, unless it is a number. It
// answers what is wrong with it.
func (p *param) set(to reflect.Value, values []string) string {
	text := strings.Join(values, ",")
	if text == "" && (len(values) == 0 || p.typ.Kind() != reflect.Int) {
		return ""
	}
	enum := p.tag.Get("enum")
	if p.typ.Kind() == reflect.Slice {
		items := strings.Split(text, ",")
		for _, item := range items {
			if message := notOneOf(enum, item); message != "" {
				return message
			}
		}
		to.Set(reflect.ValueOf(items))
		return ""
	}
	if len(values) > 1 {
		return "is there twice; write it once"
	}
	switch {
	case p.typ == timeType:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return "must be a time such as 2026-03-08T12:34:56Z (write + as %2B)"
		}
		to.Set(reflect.ValueOf(client.At(at.UTC())))
	case p.typ.Kind() == reflect.Int:
		n, wrong := wholeNumber(p.tag, text)
		to.SetInt(int64(n))
		return wrong
	case p.typ.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return "must be true or false"
		}
		to.SetBool(text == "true")
	default:
		to.SetString(text)
		return notOneOf(enum, text)
	}
	return ""
}

// duration reads a length of time such as 90s, 24h or 7d.
func duration(field, text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err == nil && n >= 0 && n <= 365 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, validation(client.Field{Name: field, Message: "must be a length of time such as 30m, 24h or 7d"})
	}
	return d, nil
}

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }
