package vendortest

import (
	"net/http"
	"sync"
	"testing"
)

// Jira is a local server that answers as Jira Cloud does, with the calls that
// receiver/jira makes of version 3 of its REST API
// (https://developer.atlassian.com/cloud/jira/platform/rest/v3/). Whatever is not in the
// documented form is refused as Jira refuses it, and fails the test unless it is expected.
type Jira struct {
	*Local
	Email, Token string
	Project      string
	Types        []string // issue types of the project
	Custom       []string // custom fields on the screen
	NoPriority   bool     // the screen has no priority

	mu     sync.Mutex
	issues []*JiraIssue
	gone   []*JiraIssue // deleted ones, of which the search does not know yet
	held   bool
	last   int64
}

// NewJira starts a server that ends with the test.
func NewJira(t testing.TB) *Jira {
	t.Helper()
	j := &Jira{Email: "bot@example.com", Token: "ATATT3xFfGF0-jira-token", Project: "SEC", Types: []string{"Bug", "Task"}}
	j.Local = newLocal(t, "Jira", rest(func() *Local { return j.Local }, map[string]call{
		"POST /rest/api/3/issue":                 j.create,
		"GET /rest/api/3/issue/{issue}":          j.read,
		"POST /rest/api/3/issue/{issue}/comment": j.comment,
		"GET /rest/api/3/issue/{issue}/comment":  j.comments,
		"POST /rest/api/3/comment/list":          j.byIDs,
		"POST /rest/api/3/search/jql":            j.searched,
	}, j.admit))
	return j
}

// admit checks the key of a request:
// https://developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis/
func (j *Jira) admit(r *http.Request) (int, any) {
	email, token, basic := r.BasicAuth()
	bearer := r.Header.Get("Authorization") == "Bearer "+j.Token
	if (!basic || email != j.Email || token != j.Token) && !bearer {
		return http.StatusUnauthorized, jiraErrors("Client must be authenticated to access this resource.", nil)
	}
	if r.Header.Get("Accept") != "application/json" {
		return http.StatusNotAcceptable, jiraErrors("application/json is to be accepted", nil)
	}
	return 0, nil
}
