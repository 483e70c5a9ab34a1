package vendortest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// JiraIssue is an issue as it was made.
type JiraIssue struct {
	ID          int64
	Key         string
	Summary     string
	Description string // the text of the document
	Type        string
	Priority    string // "" = none was given
	Labels      []string
	Fields      map[string]json.RawMessage // customfield_...
	EventID     string                     // of its property
	Done        bool
	Comments    []JiraComment

	// What the search knows of it: it lags behind.
	indexed, indexedDone bool
}

// JiraComment is a comment as it was made.
type JiraComment struct {
	ID      int64
	Text    string // of the document
	EventID string // of its property
}

// Issues gives all issues, in the order in which they were made.
func (j *Jira) Issues() []JiraIssue {
	j.mu.Lock()
	defer j.mu.Unlock()
	var issues []JiraIssue
	for _, issue := range j.issues {
		one := *issue
		one.Comments = slices.Clone(issue.Comments)
		one.Fields = maps.Clone(issue.Fields)
		issues = append(issues, one)
	}
	return issues
}

// Count tells how many issues and comments were made of an event.
func (j *Jira) Count(eventID string) (n int) {
	for _, issue := range j.Issues() {
		if issue.EventID == eventID {
			n++
		}
		for _, comment := range issue.Comments {
			if comment.EventID == eventID {
				n++
			}
		}
	}
	return n
}

// Resolve moves an issue to a status of the category Done.
func (j *Jira) Resolve(key string) {
	j.change(key, func(issue *JiraIssue) { issue.Done = true })
}

// Delete removes an issue. While the index is held, the search still finds it.
func (j *Jira) Delete(key string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, issue := range j.issues {
		if issue.Key == key {
			j.issues = slices.Delete(j.issues, i, i+1)
			if j.held {
				j.gone = append(j.gone, issue)
			}
			return
		}
	}
}

func (j *Jira) change(key string, do func(*JiraIssue)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, issue := range j.issues {
		if issue.Key == key {
			do(issue)
		}
	}
	j.index()
}

// HoldIndex stops the search from learning what changes, until ReleaseIndex: in Jira
// Cloud it learns it some seconds later
// (https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/).
func (j *Jira) HoldIndex() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = true
}

// ReleaseIndex lets the search know all again.
func (j *Jira) ReleaseIndex() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held, j.gone = false, nil
	j.index()
}

// index lets the search learn how things stand.
func (j *Jira) index() {
	if j.held {
		return
	}
	for _, issue := range j.issues {
		issue.indexed, issue.indexedDone = true, issue.Done
	}
}

// jql is the only form of a query that this server knows. Its values are in quotes, in
// which a backslash escapes.
var jql = regexp.MustCompile(`^project = "((?:[^"\\]|\\.)*)" AND labels = "((?:[^"\\]|\\.)*)"( AND statusCategory != Done)?( ORDER BY created DESC)$`)

// search answers a query as the index has it, the newest first. Issues that the query
// names to be reconciled are seen as they are.
func (j *Jira) search(query string, reconcile []int64) ([]*JiraIssue, error) {
	match := jql.FindStringSubmatch(query)
	if match == nil {
		return nil, fmt.Errorf("the query %q is none that this server knows", query)
	}
	if project := unquote(match[1]); project != j.Project {
		words := fmt.Sprintf("The value '%s' does not exist for the field 'project'.", project)
		return nil, errors.New(words) // Jira's own
	}
	var found []*JiraIssue
	for _, issue := range slices.Backward(append(slices.Clone(j.gone), j.issues...)) {
		seen, done := issue.indexed, issue.indexedDone
		if slices.Contains(reconcile, issue.ID) {
			seen, done = slices.Contains(j.issues, issue), issue.Done
		}
		if seen && slices.Contains(issue.Labels, unquote(match[2])) && (match[3] == "" || !done) {
			found = append(found, issue)
		}
	}
	return found, nil
}

var escaped = regexp.MustCompile(`\\(.)`)

func unquote(text string) string { return escaped.ReplaceAllString(text, "$1") }

// find gives an issue by its id or key.
func (j *Jira) find(idOrKey string) *JiraIssue {
	for _, issue := range j.issues {
		if issue.Key == strings.ToUpper(idOrKey) || fmt.Sprint(issue.ID) == idOrKey {
			return issue
		}
	}
	return nil
}
