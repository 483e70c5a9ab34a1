package jira

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendortest"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		server func(*vendortest.Jira)
		sink   func(*Config)
		want   receiver.Failure // without Err
		says   []string
	}{
		{"no such issue type", nil, func(c *Config) { c.IssueType = "Incident" }, receiver.Failure{Permanent: true}, []string{"answered 400", "issuetype: Specify a valid issue type", "no issue type Incident"}},
		{"no priority on the screen", func(j *vendortest.Jira) { j.NoPriority = true }, nil, receiver.Failure{Permanent: true}, []string{"Field 'priority' cannot be set", "priority none leaves it out"}},
		{"no such project", nil, func(c *Config) { c.Project = "HR" }, receiver.Failure{Permanent: true}, []string{"The value 'HR' does not exist", "is there a project HR"}},
		{"no such field", nil, func(c *Config) { c.Fields = map[string]string{"customfield_1": "x"} }, receiver.Failure{Permanent: true}, []string{"customfield_1: Field 'customfield_1' cannot be set"}},
		{"a wrong token", nil, func(c *Config) { c.Token = "wrong-token" }, receiver.Failure{Unavailable: true, Answered: true}, []string{"answered 401", "check the email and the API token"}},
		{"a wrong address", nil, func(c *Config) { c.BaseURL += "/wiki" }, receiver.Failure{Permanent: true}, []string{"answered 404", "check the address"}},
		{"too many requests", func(j *vendortest.Jira) {
			j.Next("/rest/api/3/issue", vendortest.Trouble{Status: 429, Header: map[string]string{"Retry-After": "17"}})
		}, nil, receiver.Failure{Unavailable: true, After: 17 * time.Second}, []string{"answered 429"}},
		{"trouble while searching", func(j *vendortest.Jira) {
			j.Next("/rest/api/3/search/jql", vendortest.Trouble{Status: 502})
		}, nil, receiver.Failure{Unavailable: true, Answered: true}, []string{"answered 502"}},
		{"a cut while searching", func(j *vendortest.Jira) {
			j.Next("/rest/api/3/search/jql", vendortest.Trouble{Reset: true})
		}, nil, receiver.Failure{Unavailable: true, Answered: true}, nil},
		{"no permission to create", func(j *vendortest.Jira) { j.Next("/rest/api/3/issue", vendortest.Trouble{Status: 403}) }, nil, receiver.Failure{Unavailable: true, Answered: true}, []string{"create issues and add comments"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, s, _ := open(t, tt.sink)
			server.ExpectRefusals()
			if tt.server != nil {
				tt.server(server)
			}
			err := s.Handle(t.Context(), scan("e1", "example.com", 60))
			got := vendortest.Failure(t, err)
			text := got.Error()
			got.Err = nil
			if got != tt.want {
				t.Errorf("the failure is %+v, want %+v", got, tt.want)
			}
			for _, part := range tt.says {
				if !strings.Contains(text, part) {
					t.Errorf("it says %q, want %q in it", text, part)
				}
			}
			if strings.Contains(text, server.Token) || strings.Contains(text, server.URL) || strings.Contains(text, "wrong-token") {
				t.Errorf("it tells a secret: %q", text)
			}
			if n := server.Count("e1"); n != 0 {
				t.Errorf("the event is in Jira %d times", n)
			}
		})
	}
}

func TestIssueThatGoesAwayIsLookedForAgain(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, nil)
	vendortest.Handle(t, s, scan("e1", "example.com", 60))
	server.Next("/rest/api/3/issue/10001/comment", vendortest.Trouble{Status: 404})
	err := s.Handle(t.Context(), scan("e2", "example.com", 60))
	if _, special := errors.AsType[*receiver.Failure](err); err == nil || special {
		t.Errorf("the error is %v, want a plain one, so that it is tried again", err)
	}
	vendortest.Handle(t, s, scan("e2", "example.com", 60))
}

func TestLoginPageIsNoAnswer(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>Log in")) }))
	t.Cleanup(page.Close)
	s, err := New(Config{BaseURL: page.URL, Token: "t", Project: "SEC", HTTP: page.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if f := vendortest.Failure(t, s.Handle(t.Context(), scan("e1", "example.com", 60))); !f.Unavailable || !strings.Contains(f.Error(), "check the address") {
		t.Errorf("the failure is %+v", f)
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, func(c *Config) { c.Email = "" })
	vendortest.Handle(t, s, scan("e1", "example.com", 60))
	if server.Count("e1") != 1 {
		t.Error("no issue was made")
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, func(c *Config) {
		c.Summary, c.Description, c.Comment = "{{.Domain | upper}}\n{{.Grade}}", "{{.Message}}", "again {{.Score}}"
		c.Fields = map[string]string{"customfield_1": "{{.Domain}} {{.Message}}"}
		c.JSONFields = map[string]string{"customfield_2": `{"value": "{{.Message}}"}`, "customfield_3": "{{.Score}}"}
	})
	server.Custom = []string{"customfield_1", "customfield_2", "customfield_3"}
	hostile := `{"domain": "example.com", "score": 5, "grade": "F", "message": "\"}, \"security\": {\"id\": 1}, \"x\": {\"y\": \"\u2028\\\n"}`
	vendortest.Handle(t, s, event("e1", "scan.completed", hostile), event("e2", "scan.completed", hostile))
	issues := server.Issues()
	if len(issues) != 1 || len(issues[0].Comments) != 1 {
		t.Fatalf("the issues are %+v", issues)
	}
	got := issues[0]
	if got.Summary != "EXAMPLE.COM F" || got.Comments[0].Text != "again 5" || string(got.Fields["customfield_3"]) != "5" {
		t.Errorf("the issue is %+v", got)
	}
	if want := `{"value":"\"}, \"security\": {\"id\": 1}, \"x\": {\"y\": \"\u2028\\\n"}`; string(got.Fields["customfield_2"]) != want {
		t.Errorf("the field of JSON is %s, want %s", got.Fields["customfield_2"], want)
	}
}

func TestFieldThatIsNoJSON(t *testing.T) {
	t.Parallel()
	_, s, _ := open(t, func(c *Config) { c.JSONFields = map[string]string{"customfield_2": `{"value": {{.Grade}}}`} })
	if f := vendortest.Failure(t, s.Handle(t.Context(), scan("e1", "example.com", 60))); !f.Permanent || !strings.Contains(f.Error(), "customfield_2") {
		t.Errorf("the failure is %+v, want one for good that names the field", f)
	}
}

func TestHostileDomains(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, nil)
	domains := []string{`x" OR project = "SEC`, `x\`, "a b", "a\nb", "", strings.Repeat("a.", 200), "compliancelayer-test", "*", `labels" IS NOT EMPTY OR "`, "bücher.example"}
	for i, domain := range domains {
		vendortest.Handle(t, s, scan("first"+string(rune('a'+i)), domain, 1), scan("second"+string(rune('a'+i)), domain, 1))
	}
	issues := server.Issues()
	if len(issues) != len(domains) {
		t.Fatalf("%d issues were made of %d domains", len(issues), len(domains))
	}
	for i, issue := range issues {
		if len(issue.Comments) != 1 {
			t.Errorf("the issue of %q has %d comments, want its own one", domains[i], len(issue.Comments))
		}
	}
}

func TestConfigs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"no address", func(c *Config) { c.BaseURL = "" }, "the address is missing"},
		{"an address with a user", func(c *Config) { c.BaseURL = "https://a:b@acme.atlassian.net" }, "the address must be"},
		{"an address without a host", func(c *Config) { c.BaseURL = "acme.atlassian.net" }, "the address must be"},
		{"no token", func(c *Config) { c.Token = "" }, "the token is missing"},
		{"a token with a line break", func(c *Config) { c.Token = "a\n" }, "line break"},
		{"no project", func(c *Config) { c.Project = "" }, "the key of one"},
		{"the name of a project", func(c *Config) { c.Project = "Security" }, "the key of one"},
		{"a label with a space", func(c *Config) { c.Labels = []string{"a b"} }, `label "a b"`},
		{"a severity that is none", func(c *Config) { c.AlertSeverities = []string{"critcal"} }, "there are critical, high"},
		{"a template that is none", func(c *Config) { c.Summary = "{{" }, "summary"},
		{"a field that no event has", func(c *Config) { c.Comment = "{{.Nothing}}" }, "comment"},
		{"a field that is set elsewhere", func(c *Config) { c.Fields = map[string]string{"labels": "x"} }, `the field "labels"`},
		{"a field twice", func(c *Config) {
			c.Fields, c.JSONFields = map[string]string{"customfield_1": "x"}, map[string]string{"customfield_1": "1"}
		}, "customfield_1"},
		{"all that is needed", func(*Config) {}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Config{BaseURL: "https://acme.atlassian.net/", Email: "a@example.com", Token: "very-secret", Project: "SEC"}
			tt.change(&c)
			_, err := New(c)
			if tt.says == "" && err != nil {
				t.Fatal(err)
			}
			if tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "very-secret")) {
				t.Errorf("New says %v, want %q", err, tt.says)
			}
		})
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	t.Parallel()
	_, s, _ := open(t, nil)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(verb+verb, s.config, s); strings.Contains(text, s.config.Token) {
			t.Errorf("%s shows %s", verb, text)
		}
	}
}
