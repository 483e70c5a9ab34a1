package vendortest

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// ask sends one request and gives the status of the answer.
func ask(t *testing.T, method, url, body string, header http.Header) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestJiraRefuses(t *testing.T) {
	t.Parallel()
	const (
		doc    = `{"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": "a"}]}]}`
		fields = `"project": {"key": "SEC"}, "issuetype": {"name": "Bug"}, "summary": "a", "description": ` + doc
		mark   = `"properties": [{"key": "compliancelayer.event", "value": {"id": "e1"}}]`
		create = "POST /rest/api/3/issue"
		search = "POST /rest/api/3/search/jql"
	)
	tests := []struct {
		name, call, body string
		want             int
	}{
		{"an issue", create, `{"fields": {` + fields + `}, ` + mark + `}`, 201},
		{"a comment", "POST /rest/api/3/issue/SEC-1/comment", `{"body": ` + doc + `, ` + mark + `}`, 201},
		{"a comment that is a text", "POST /rest/api/3/issue/SEC-1/comment", `{"body": "a", ` + mark + `}`, 400},
		{"a comment on nothing", "POST /rest/api/3/issue/SEC-2/comment", `{"body": ` + doc + `, ` + mark + `}`, 404},
		{"an unknown part", create, `{"fields": {` + fields + `}, ` + mark + `, "labels": []}`, 400},
		{"an unknown field", create, `{"fields": {` + fields + `, "severity": "high"}, ` + mark + `}`, 400},
		{"no event", create, `{"fields": {` + fields + `}}`, 400},
		{"no summary", create, `{"fields": {"project": {"key": "SEC"}, "issuetype": {"name": "Bug"}}, ` + mark + `}`, 400},
		{"a summary of two lines", create, `{"fields": {` + strings.Replace(fields, `"a"`, `"a\nb"`, 1) + `}, ` + mark + `}`, 400},
		{"a long summary", create, `{"fields": {` + strings.Replace(fields, `"a"`, `"`+strings.Repeat("a", 256)+`"`, 1) + `}, ` + mark + `}`, 400},
		{"a label with a space", create, `{"fields": {` + fields + `, "labels": ["a b"]}, ` + mark + `}`, 400},
		{"a description of version 2", create, `{"fields": {"project": {"key": "SEC"}, "issuetype": {"name": "Bug"}, "summary": "a", "description": "h1. a"}, ` + mark + `}`, 400},
		{"an empty text", create, `{"fields": {` + strings.Replace(fields, `"text": "a"`, `"text": ""`, 1) + `}, ` + mark + `}`, 400},
		{"another project", create, `{"fields": {` + strings.Replace(fields, "SEC", "HR", 1) + `}, ` + mark + `}`, 400},
		{"a search", search, `{"jql": "project = \"SEC\" AND labels = \"a\" AND statusCategory != Done ORDER BY created DESC", "maxResults": 5}`, 200},
		{"a search without bounds", search, `{"jql": "ORDER BY created DESC", "maxResults": 5}`, 400},
		{"a search that was broken out of", search, `{"jql": "project = \"SEC\" AND labels = \"a\" OR labels = \"b\" ORDER BY created DESC", "maxResults": 5}`, 400},
		{"the search that Jira removed", "POST /rest/api/3/search", `{}`, 404},
		{"an issue", "GET /rest/api/3/issue/SEC-1?fields=status&properties=compliancelayer.event", ``, 200},
		{"all of an issue", "GET /rest/api/3/issue/SEC-1", ``, 400},
		{"comments by ids", "POST /rest/api/3/comment/list?expand=properties", `{"ids": [20002]}`, 200},
		{"no ids", "POST /rest/api/3/comment/list?expand=properties", `{"ids": []}`, 400},
	}
	j := NewJira(t)
	j.ExpectRefusals()
	header := http.Header{"Authorization": {"Bearer " + j.Token}, "Accept": {"application/json"}, "Content-Type": {"application/json"}}
	for _, tt := range tests {
		method, path, _ := strings.Cut(tt.call, " ")
		if got := ask(t, method, j.URL+path, tt.body, header); got != tt.want {
			t.Errorf("%s: %s answers %d, want %d", tt.name, tt.call, got, tt.want)
		}
	}
	for name, wrong := range map[string]http.Header{
		"no key":      {"Accept": {"application/json"}, "Content-Type": {"application/json"}},
		"another key": {"Authorization": {"Bearer x"}, "Accept": {"application/json"}, "Content-Type": {"application/json"}},
	} {
		if got := ask(t, "POST", j.URL+"/rest/api/3/search/jql", `{}`, wrong); got != http.StatusUnauthorized {
			t.Errorf("%s: answered %d", name, got)
		}
	}
	if j.Count("e1") != 2 {
		t.Errorf("the event is there %d times, want an issue and a comment", j.Count("e1"))
	}
}

func TestDatadogRefuses(t *testing.T) {
	t.Parallel()
	const rest = `, "tags": ["compliancelayer_event:e1"], "alert_type": "error", "aggregation_key": "k"`
	tests := []struct {
		name, body string
		want       int
	}{
		{"an event", `{"title": "a", "text": "b"` + rest + `}`, 202},
		{"no title", `{"text": "b"` + rest + `}`, 400},
		{"a long title", `{"title": "` + strings.Repeat("a", 101) + `", "text": "b"` + rest + `}`, 400},
		{"a long text", `{"title": "a", "text": "` + strings.Repeat("b", 4001) + `"` + rest + `}`, 400},
		{"an unknown field", `{"title": "a", "text": "b", "severity": "high"` + rest + `}`, 400},
		{"another alert type", `{"title": "a", "text": "b", "alert_type": "critical"}`, 400},
		{"two tags in one", `{"title": "a", "text": "b", "alert_type": "error", "tags": ["a,b"]}`, 400},
		{"a time that is a text", `{"title": "a", "text": "b", "date_happened": "now"` + rest + `}`, 400},
		{"an old time", `{"title": "a", "text": "b", "date_happened": 1` + rest + `}`, 400},
	}
	d := NewDatadog(t)
	d.ExpectRefusals()
	header := http.Header{"Dd-Api-Key": {d.APIKey}, "Content-Type": {"application/json"}}
	for _, tt := range tests {
		if got := ask(t, "POST", d.URL+"/api/v1/events", tt.body, header); got != tt.want {
			t.Errorf("%s: answered %d, want %d", tt.name, got, tt.want)
		}
	}
	for name, wrong := range map[string]http.Header{
		"no key":            {"Content-Type": {"application/json"}},
		"a form":            {"Dd-Api-Key": {d.APIKey}, "Content-Type": {"text/plain"}},
		"a key too many":    {"Dd-Api-Key": {d.APIKey}, "Content-Type": {"application/json"}, "Dd-Application-Key": {d.ApplicationKey}},
		"the key elsewhere": {"Authorization": {d.APIKey}, "Content-Type": {"application/json"}},
	} {
		if got := ask(t, "POST", d.URL+"/api/v1/events", `{"title": "a", "text": "b"`+rest+`}`, wrong); got < 400 {
			t.Errorf("%s: answered %d", name, got)
		}
	}
	list := d.URL + "/api/v1/events?start=0&end=9999999999&tags=compliancelayer_event:e1"
	if got := ask(t, "GET", list, "", header); got != http.StatusForbidden {
		t.Errorf("the list without an application key is answered %d", got)
	}
	if d.Count("e1") != 1 {
		t.Errorf("the event was posted %d times", d.Count("e1"))
	}
}
