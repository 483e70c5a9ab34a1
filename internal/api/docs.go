package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/compliancelayer/compliancelayer/client"
)

//go:embed templates/docs.html
var docsSource string

//go:embed static/docs.css
var static embed.FS

var docsPage = template.Must(template.New("docs").Parse(docsSource))

// What the reference shows.
type (
	docsView struct {
		Version string
		Errors  []docsField
		Groups  []docsGroup
		Types   []docsType
	}
	docsGroup struct {
		Name  string
		ID    string
		Calls []docsCall
	}
	docsCall struct {
		Method, Path, ID, Summary, About string
		Scope                            string
		Open                             bool
		Params, Body                     []docsField
		BodyNeeded                       bool
		Example                          string
		Status                           int
		Answer                           string // the name of its type; "" = no body
		Media                            []string
	}
	docsField struct {
		Name, Where, Type, Ref, Doc string
		Needed                      bool
	}
	docsType struct {
		Name   string
		Fields []docsField
	}
)

// makeDocs makes the reference from the route table, once.
func (s *Server) makeDocs() ([]byte, error) {
	view := docsView{Version: s.version()}
	types := newSchemas()
	for _, status := range sortedKeys(failureTexts) {
		view.Errors = append(view.Errors, docsField{Name: fmt.Sprint(status), Doc: failureTexts[status]})
	}
	types.of(reflect.TypeFor[client.Error](), false)
	for i := range s.routes {
		rt := &s.routes[i]
		if !rt.described() {
			continue
		}
		at := slices.IndexFunc(view.Groups, func(g docsGroup) bool { return g.Name == rt.group })
		if at < 0 {
			at = len(view.Groups)
			view.Groups = append(view.Groups, docsGroup{Name: rt.group, ID: anchor(rt.group)})
		}
		view.Groups[at].Calls = append(view.Groups[at].Calls, rt.docs(types))
	}
	for _, name := range sortedKeys(types.named) {
		view.Types = append(view.Types, docsType{Name: name, Fields: docsFields(types.named[name])})
	}
	var page bytes.Buffer
	if err := docsPage.Execute(&page, view); err != nil {
		return nil, fmt.Errorf("make reference: %w", err)
	}
	return page.Bytes(), nil
}

func (rt *route) docs(types *schemas) docsCall {
	c := docsCall{
		Method: rt.method, Path: rt.path, ID: rt.name, Summary: rt.summary, About: rt.about,
		Scope: string(rt.scope), Open: rt.open, Status: rt.status, BodyNeeded: rt.in.needed, Example: rt.curl(),
	}
	for _, p := range rt.allParams() {
		sc := types.field(p.typ, p.tag, true, false)
		f := docsFieldOf(p.name, sc, p.where == "path")
		f.Where = p.where
		c.Params = append(c.Params, f)
	}
	if rt.in.body != nil {
		ref := types.of(rt.in.body, true)
		c.Body = docsFields(types.named[refName(ref)])
	}
	if rt.out != nil {
		c.Answer = refName(types.of(rt.out, false))
	}
	for _, m := range rt.media {
		if m.item != nil {
			types.of(reflect.TypeOf(m.item), false)
		}
		c.Media = append(c.Media, m.kind+": "+m.note)
	}
	return c
}

// curl writes the call as a command to copy.
func (rt *route) curl() string {
	var b strings.Builder
	b.WriteString("curl")
	if rt.method != http.MethodGet {
		b.WriteString(" -X " + rt.method)
	}
	b.WriteString(" \"$SERVER" + rt.path + "\"")
	if !rt.open {
		b.WriteString(" \\\n  -H \"Authorization: Bearer $COMPLIANCELAYER_API_KEY\"")
	}
	if rt.example != "" {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, []byte(rt.example), "  ", "  "); err == nil {
			b.WriteString(" \\\n  -H \"Content-Type: application/json\" \\\n  -d '" + pretty.String() + "'")
		}
	}
	return b.String()
}

func docsFields(s *schema) []docsField {
	var all []docsField
	for _, p := range s.Properties {
		all = append(all, docsFieldOf(p.name, p.schema, slices.Contains(s.Required, p.name)))
	}
	return all
}

func docsFieldOf(name string, s *schema, needed bool) docsField {
	f := docsField{Name: name, Doc: s.Description, Needed: needed, Type: typeWords(s), Ref: refName(s)}
	if s.Items != nil {
		f.Ref = refName(s.Items)
	}
	if rules := rulesOf(s); rules != "" {
		f.Doc = strings.TrimSpace(f.Doc + " " + rules)
	}
	return f
}

// typeWords names a type for people.
func typeWords(s *schema) string {
	switch t := s.Type.(type) {
	case string:
		if t == "array" {
			return "list of " + typeWords(s.Items)
		}
		if s.Format == "date-time" {
			return "time"
		}
		return t
	case []string:
		return typeWords(&schema{Type: t[0], Format: s.Format}) + " or null"
	}
	if s.Ref != "" {
		return refName(s)
	}
	return "any JSON"
}

// rulesOf writes the limits of a value for people.
func rulesOf(s *schema) string {
	var rules []string
	enum := s.Enum
	if s.Items != nil {
		enum = s.Items.Enum
	}
	if len(enum) > 0 {
		rules = append(rules, "One of: "+strings.TrimPrefix(strings.Join(enum, ", "), ", ")+".")
	}
	for _, limit := range []struct {
		words string
		n     *int
	}{
		{"At least %d.", s.Minimum},
		{"At most %d.", s.Maximum},
		{"At least %d characters.", s.MinLength},
		{"At most %d characters.", s.MaxLength},
		{"At least %d items.", s.MinItems},
		{"At most %d items.", s.MaxItems},
	} {
		if limit.n != nil {
			rules = append(rules, fmt.Sprintf(limit.words, *limit.n))
		}
	}
	if s.Default != nil {
		rules = append(rules, "Default: "+defaultText(s.Default)+".")
	}
	return strings.Join(rules, " ")
}

func defaultText(v any) string {
	if raw, ok := v.(json.RawMessage); ok {
		return string(raw)
	}
	return fmt.Sprint(v)
}

func refName(s *schema) string { return strings.TrimPrefix(s.Ref, "#/components/schemas/") }

// anchor makes the id of a heading.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return '-'
	}, heading)
}

func sortedKeys[K ~int | ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (s *Server) showDocs(x *exchange, _ *http.Request) error {
	setPageHeaders(x.Header())
	x.WriteHeader(http.StatusOK)
	_, _ = x.Write(s.docs) // the caller has gone away; there is nobody to tell
	return nil
}

func (s *Server) showStyle(x *exchange, _ *http.Request) error {
	css, err := static.ReadFile("static/docs.css")
	if err != nil {
		return fmt.Errorf("read style: %w", err)
	}
	x.Header().Set("Content-Type", "text/css; charset=utf-8")
	x.Header().Set("Cache-Control", "public, max-age=3600")
	x.WriteHeader(http.StatusOK)
	_, _ = x.Write(css) // the caller has gone away; there is nobody to tell
	return nil
}
