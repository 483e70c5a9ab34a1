package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
)

// What an OpenAPI 3.1 document is made of, as far as we use it.
type (
	document struct {
		OpenAPI    string                `json:"openapi"`
		Info       map[string]string     `json:"info"`
		Servers    []map[string]string   `json:"servers"`
		Security   []map[string][]string `json:"security"`
		Tags       []map[string]string   `json:"tags"`
		Paths      paths                 `json:"paths"`
		Components components            `json:"components"`
	}
	components struct {
		SecuritySchemes map[string]any      `json:"securitySchemes"`
		Responses       map[string]response `json:"responses"`
		Schemas         map[string]*schema  `json:"schemas"`
	}
	operation struct {
		ID          string                 `json:"operationId"`
		Tags        []string               `json:"tags"`
		Summary     string                 `json:"summary"`
		Description string                 `json:"description,omitempty"`
		Security    *[]map[string][]string `json:"security,omitempty"`
		Scope       auth.Scope             `json:"x-required-scope,omitempty"`
		Parameters  []parameter            `json:"parameters,omitempty"`
		RequestBody *requestBody           `json:"requestBody,omitempty"`
		Responses   map[string]response    `json:"responses"`
	}
	parameter struct {
		Name        string  `json:"name"`
		In          string  `json:"in"`
		Required    bool    `json:"required,omitempty"`
		Description string  `json:"description"`
		Style       string  `json:"style,omitempty"`
		Explode     *bool   `json:"explode,omitempty"`
		Schema      *schema `json:"schema"`
	}
	requestBody struct {
		Required bool               `json:"required"`
		Content  map[string]content `json:"content"`
	}
	response struct {
		Ref         string             `json:"$ref,omitempty"`
		Description string             `json:"description,omitempty"`
		Headers     map[string]any     `json:"headers,omitempty"`
		Content     map[string]content `json:"content,omitempty"`
	}
	content struct {
		Schema  *schema         `json:"schema"`
		Example json.RawMessage `json:"example,omitempty"`
	}
)

// paths keeps the order of the route table; each path has its methods.
type paths []pathItem

type pathItem struct {
	path    string
	methods map[string]operation
}

// MarshalJSON writes an object in order.
func (ps paths) MarshalJSON() ([]byte, error) {
	return ordered(ps, func(p pathItem) (string, any) { return p.path, p.methods })
}

// makeOpenAPI makes the OpenAPI 3.1 document from the route table.
func (s *Server) makeOpenAPI() ([]byte, error) {
	types := newSchemas()
	doc := document{
		OpenAPI: "3.1.0",
		Info: map[string]string{
			"title": "ComplianceLayer webhooks", "version": s.version(),
			"description": "Publish events, manage the endpoints that receive them, and see what became of every delivery.",
		},
		Servers:  []map[string]string{{"url": "/", "description": "This server"}},
		Security: []map[string][]string{{"key": {}}},
		Components: components{
			SecuritySchemes: map[string]any{"key": map[string]string{
				"type": "http", "scheme": "bearer", "description": "An API key: Authorization: Bearer cl_...",
			}},
			Responses: errorResponses(types),
			Schemas:   types.named,
		},
	}
	for i := range s.routes {
		rt := &s.routes[i]
		if !rt.described() {
			continue
		}
		if tag := map[string]string{"name": rt.group}; !slices.ContainsFunc(doc.Tags, func(t map[string]string) bool { return t["name"] == rt.group }) {
			doc.Tags = append(doc.Tags, tag)
		}
		doc.Paths = doc.Paths.with(rt, rt.operation(types))
	}
	if types.clash != nil {
		return nil, types.clash
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("make OpenAPI document: %w", err)
	}
	return text, nil
}

func (s *Server) version() string {
	if s.Version == "" {
		return "dev"
	}
	return s.Version
}

func (ps paths) with(rt *route, o operation) paths {
	at := slices.IndexFunc(ps, func(p pathItem) bool { return p.path == rt.path })
	if at < 0 {
		at, ps = len(ps), append(ps, pathItem{rt.path, map[string]operation{}})
	}
	ps[at].methods[strings.ToLower(rt.method)] = o
	return ps
}

func (rt *route) operation(types *schemas) operation {
	o := operation{
		ID: rt.name, Tags: []string{rt.group}, Summary: rt.summary, Description: rt.about, Scope: rt.scope,
		Responses: rt.responses(types),
	}
	if rt.open {
		o.Security = &[]map[string][]string{}
	}
	for _, p := range rt.allParams() {
		o.Parameters = append(o.Parameters, p.describe(types))
	}
	if rt.in.body != nil {
		body := content{Schema: types.of(rt.in.body, true)}
		if rt.example != "" {
			body.Example = json.RawMessage(rt.example)
		}
		o.RequestBody = &requestBody{Required: rt.in.needed, Content: map[string]content{"application/json": body}}
	}
	return o
}

func (rt *route) allParams() []param { return slices.Concat(rt.in.params, rt.headers) }

func (p *param) describe(types *schemas) parameter {
	out := parameter{Name: p.name, In: p.where, Required: p.where == "path", Description: p.tag.Get("doc"), Schema: types.field(p.typ, p.tag, true, false)}
	out.Schema.Description = ""
	if p.typ.Kind() == reflect.Slice {
		joined := false
		out.Style, out.Explode = "form", &joined // a,b and not name=a&name=b
	}
	return out
}

// responses lists what a call may answer.
func (rt *route) responses(types *schemas) map[string]response {
	success := response{Description: http.StatusText(rt.status), Headers: commonHeaders()}
	if rt.out != nil {
		success.Content = map[string]content{"application/json": {Schema: types.of(rt.out, false)}}
	}
	for _, m := range rt.media {
		if success.Content == nil {
			success.Content = map[string]content{}
		}
		if m.item != nil {
			types.of(reflect.TypeOf(m.item), false) // named in words; a media type of lines has no schema of its own
		}
		success.Content[m.kind] = content{Schema: &schema{Type: "string", Description: m.note}}
	}
	all := map[string]response{strconv.Itoa(rt.status): success}
	if rt.replays {
		replay := success
		replay.Description = "It was accepted before; this is the first answer again."
		all["200"] = replay
	}
	for _, status := range rt.failures() {
		all[strconv.Itoa(status)] = response{Ref: "#/components/responses/" + responseName(status)}
	}
	return all
}

func commonHeaders() map[string]any {
	return map[string]any{"X-Request-Id": map[string]any{
		"description": "The request's id: yours when you sent one, else a new one.", "schema": schema{Type: "string"},
	}}
}

// failures lists the statuses of the errors that a call may answer.
func (rt *route) failures() []int {
	all := []int{http.StatusRequestHeaderFieldsTooLarge, http.StatusInternalServerError, http.StatusServiceUnavailable}
	if !rt.open {
		all = append(all, http.StatusUnauthorized, http.StatusTooManyRequests)
	}
	if rt.scope != "" || rt.name == "setUp" {
		all = append(all, http.StatusForbidden)
	}
	if strings.Contains(rt.path, "{") || rt.in.has("endpoint_id") || rt.in.has("account_id") || rt.method == http.MethodPost {
		all = append(all, http.StatusNotFound)
	}
	if rt.method != http.MethodGet {
		all = append(all, http.StatusConflict)
	}
	if rt.method == http.MethodPost || rt.method == http.MethodPatch {
		all = append(all, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if strings.HasPrefix(rt.path, "/v1/") {
		all = append(all, http.StatusBadRequest, http.StatusUnprocessableEntity)
	}
	return all
}

func (in *input) has(name string) bool {
	return slices.ContainsFunc(in.params, func(p param) bool { return p.name == name })
}

// failureTexts says what each error status means.
var failureTexts = map[int]string{
	http.StatusBadRequest:                  "invalid_request: the request cannot be read.",
	http.StatusUnauthorized:                "unauthorized: the API key is missing or not valid.",
	http.StatusForbidden:                   "forbidden: the key may not do this.",
	http.StatusNotFound:                    "not_found: there is no such thing in this account.",
	http.StatusConflict:                    "conflict: the state of things does not allow it.",
	http.StatusRequestEntityTooLarge:       "payload_too_large: the body is over its limit.",
	http.StatusUnsupportedMediaType:        "unsupported_media_type: the body must be application/json.",
	http.StatusUnprocessableEntity:         "validation_failed: fields says what is wrong.",
	http.StatusTooManyRequests:             "rate_limit_exceeded: wait as long as Retry-After says.",
	http.StatusRequestHeaderFieldsTooLarge: "invalid_request: the headers are too many or too long.",
	http.StatusInternalServerError:         "internal_server_error: a fault of the server's; quote the request id.",
	http.StatusServiceUnavailable:          "unavailable or storage_full: try again after Retry-After.",
}

func responseName(status int) string {
	return strings.ReplaceAll(http.StatusText(status), " ", "")
}

func errorResponses(types *schemas) map[string]response {
	shape := types.of(reflect.TypeFor[client.Error](), false)
	all := map[string]response{}
	for status, text := range failureTexts {
		all[responseName(status)] = response{
			Description: text, Headers: commonHeaders(),
			Content: map[string]content{"application/json": {Schema: shape}},
		}
	}
	return all
}

func (s *Server) showOpenAPI(x *exchange, _ *http.Request) error {
	x.Header()["Content-Type"] = jsonType
	x.WriteHeader(http.StatusOK)
	_, _ = x.Write(s.openapi) // the caller has gone away; there is nobody to tell
	return nil
}
