package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
)

func TestDocumentIsOpenAPI31(t *testing.T) {
	t.Parallel()
	if ok, wrong := theValidator(t).ValidateDocument(); !ok {
		for _, w := range wrong {
			t.Errorf("%s: %s", w.Message, w.Reason)
			for _, s := range w.SchemaValidationErrors {
				t.Errorf("  at %s: %s", s.FieldPath, s.Reason)
			}
		}
	}
}

// TestDocumentIsServed reads it over HTTP and looks at what tools rely on.
func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, text := w.do(http.MethodGet, "/openapi.json", "", "")
	var doc struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
			Scope       string `json:"x-required-scope"`
			Security    *[]any
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Description string }
			}
		}
	}
	check(t, json.Unmarshal([]byte(text), &doc))
	if doc.OpenAPI != "3.1.0" || doc.Info.Version != "1.2.3" {
		t.Errorf("openapi %s, version %s", doc.OpenAPI, doc.Info.Version)
	}
	ids := map[string]bool{}
	for i := range w.routes {
		rt := &w.routes[i]
		if !rt.described() {
			continue
		}
		op, ok := doc.Paths[rt.path][strings.ToLower(rt.method)]
		if !ok || op.Summary == "" || op.Scope != string(rt.scope) || ids[op.OperationID] {
			t.Errorf("%s: missing, without a summary, with the scope %q, or with an id used twice", rt.pattern(), op.Scope)
		}
		if open := op.Security != nil && len(*op.Security) == 0; open != rt.open {
			t.Errorf("%s: takes no key: %t, want %t", rt.pattern(), open, rt.open)
		}
		ids[op.OperationID] = true
	}
	for name, s := range doc.Components.Schemas {
		for field, p := range s.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s has no description", name, field)
			}
		}
	}
}

// TestExamplesAreAccepted sends every example of the reference through the strict reader.
func TestExamplesAreAccepted(t *testing.T) {
	t.Parallel()
	s := must(New(Config{}))(t)
	for i := range s.routes {
		rt := &s.routes[i]
		if rt.example == "" {
			continue
		}
		if err := readJSON([]byte(rt.example), reflect.New(rt.in.body).Interface()); err != nil {
			t.Errorf("%s: the example is refused: %v", rt.pattern(), err)
		}
	}
}

func TestTwoTypesOfOneNameAreNoticed(t *testing.T) {
	t.Parallel()
	type Endpoint struct{}
	types := newSchemas()
	types.of(reflect.TypeFor[client.Endpoint](), false)
	if types.clash != nil {
		t.Fatal(types.clash)
	}
	if types.of(reflect.TypeFor[Endpoint](), false); types.clash == nil {
		t.Error("two types called Endpoint: no error")
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	res, page := w.do(http.MethodGet, "/docs", "", "")
	safePage(t, res, page)
	for i := range w.routes {
		rt := &w.routes[i]
		if rt.described() && !(strings.Contains(page, "<code>"+rt.path+"</code>") && strings.Contains(page, `id="`+rt.name+`"`) && strings.Contains(page, `href="#`+rt.name+`"`)) {
			t.Errorf("the reference does not have %s, or does not list it", rt.pattern())
		}
	}
	for _, want := range []string{`id="type-Endpoint"`, `id="type-StreamAttempt"`, "consecutive_failures", "rate_limit_exceeded", "Scope: <code>admin</code>", "No key."} {
		if !strings.Contains(page, want) {
			t.Errorf("the reference does not have %q", want)
		}
	}
	res, css := w.do(http.MethodGet, "/docs/style.css", "", "")
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/css") || strings.Contains(css, "url(") || strings.Contains(css, "@import") {
		t.Errorf("style sheet: %s; it must fetch nothing", res.Header.Get("Content-Type"))
	}
}

// TestAnswersByHandAreAsByEncodingJSON holds the hand-written answers of publishing
// against the type that documents them.
func TestAnswersByHandAreAsByEncodingJSON(t *testing.T) {
	t.Parallel()
	p := benchPublished().out[0]
	for _, text := range []string{"scan.completed", `a"b\c`, "é\x01<>"} {
		p.Type, p.Replayed = text, true
		var got client.AcceptedEvent
		raw := appendPublished(nil, &p, true)
		check(t, json.Unmarshal(raw, &got))
		if got.Type != text || !got.Replayed || got.ID != p.EventID || got.Deliveries[0].ID != "12345" {
			t.Errorf("%s: read back as %+v", raw, got)
		}
	}
	p.Deliveries = nil
	if raw := string(appendPublished(nil, &p, false)); !strings.Contains(raw, `"deliveries":[]`) || strings.Contains(raw, "replayed") {
		t.Errorf("%s: want an empty list and no replayed", raw)
	}
}

func TestMeNeedsNoScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	me := must(w.client(w.key(w.other, auth.Publish)).Me(t.Context()))(t)
	if me.AccountID != w.other || me.AccountName != "Other" || len(me.Scopes) != 1 {
		t.Errorf("got %+v", me)
	}
}
