package vendortest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// property is a property of an issue or a comment.
type property struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// eventProperty is the key of the one that carries the id of an event.
const eventProperty = "compliancelayer.event"

// eventOf reads the id of an event out of properties.
func eventOf(properties []property) (string, error) {
	if len(properties) != 1 || properties[0].Key != eventProperty {
		return "", fmt.Errorf("one property is expected, %s", eventProperty)
	}
	var value struct {
		ID string `json:"id"`
	}
	if err := strict(properties[0].Value, &value); err != nil || value.ID == "" {
		return "", fmt.Errorf("the property %s has no id", eventProperty)
	}
	return value.ID, nil
}

func propertyOf(eventID string) json.RawMessage {
	value, _ := json.Marshal(map[string]string{"id": eventID}) // two texts
	return value
}

// create is POST /rest/api/3/issue:
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
func (j *Jira) create(r *http.Request, body []byte) (int, any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var in struct {
		Fields     map[string]json.RawMessage `json:"fields"`
		Properties []property                 `json:"properties"`
	}
	if err := strict(body, &in); err != nil {
		return j.wrong(http.StatusBadRequest, err.Error(), nil)
	}
	eventID, err := eventOf(in.Properties)
	if err != nil {
		return j.wrong(http.StatusBadRequest, err.Error(), nil)
	}
	issue := &JiraIssue{EventID: eventID, Fields: map[string]json.RawMessage{}}
	problems := map[string]string{}
	for name, raw := range in.Fields {
		if problem := j.field(issue, name, raw); problem != "" {
			problems[name] = problem
		}
	}
	for _, name := range []string{"project", "issuetype", "summary"} {
		if _, given := in.Fields[name]; !given {
			problems[name] = name + " is required"
		}
	}
	if len(problems) > 0 {
		return j.wrong(http.StatusBadRequest, "", problems)
	}
	j.last++
	issue.ID, issue.Key = 10000+j.last, j.Project+"-"+strconv.FormatInt(j.last, 10)
	j.issues = append(j.issues, issue)
	j.index()
	return http.StatusCreated, map[string]string{"id": strconv.FormatInt(issue.ID, 10), "key": issue.Key, "self": "http://" + r.Host + "/rest/api/3/issue/" + strconv.FormatInt(issue.ID, 10)}
}

var customField = regexp.MustCompile(`^customfield_[0-9]+$`)

// field reads one field into an issue; it gives Jira's words about what is wrong.
func (j *Jira) field(issue *JiraIssue, name string, raw json.RawMessage) string {
	var named struct {
		Name string `json:"name"`
	}
	var keyed struct {
		Key string `json:"key"`
	}
	switch {
	case name == "project":
		if strict(raw, &keyed) != nil || keyed.Key != j.Project {
			return "valid project is required"
		}
	case name == "issuetype":
		if strict(raw, &named) != nil || !slices.Contains(j.Types, named.Name) {
			return "Specify a valid issue type"
		}
		issue.Type = named.Name
	case name == "priority":
		if j.NoPriority {
			return "Field 'priority' cannot be set. It is not on the appropriate screen, or unknown."
		}
		if strict(raw, &named) != nil || !slices.Contains([]string{"Highest", "High", "Medium", "Low", "Lowest"}, named.Name) {
			return "Specify a valid priority"
		}
		issue.Priority = named.Name
	case name == "summary":
		return readSummary(raw, &issue.Summary)
	case name == "labels":
		return readLabels(raw, &issue.Labels)
	case name == "description":
		return readDocument(raw, &issue.Description)
	case customField.MatchString(name) && slices.Contains(j.Custom, name):
		issue.Fields[name] = slices.Clone(raw)
	default:
		return fmt.Sprintf("Field '%s' cannot be set. It is not on the appropriate screen, or unknown.", name)
	}
	return ""
}

func readSummary(raw json.RawMessage, to *string) string {
	switch err := json.Unmarshal(raw, to); {
	case err != nil || strings.TrimSpace(*to) == "":
		return "You must specify a summary of the issue."
	case strings.ContainsAny(*to, "\r\n"):
		return "The summary is invalid because it contains newline characters."
	case utf8.RuneCountInString(*to) > 255:
		return "Summary can't exceed 255 characters."
	}
	return ""
}

func readLabels(raw json.RawMessage, to *[]string) string {
	if err := json.Unmarshal(raw, to); err != nil {
		return "labels must be an array of strings"
	}
	for _, label := range *to {
		switch {
		case strings.ContainsAny(label, " \t\r\n"):
			return fmt.Sprintf("The label '%s' contains spaces which is invalid.", label)
		case label == "" || utf8.RuneCountInString(label) > 255:
			return fmt.Sprintf("The label '%s' exceeds the maximum length of 255 characters.", label)
		}
	}
	return ""
}

func readDocument(raw json.RawMessage, to *string) string {
	var doc adf
	if err := strict(raw, &doc); err != nil {
		return "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
	}
	text, err := doc.text()
	if err != nil {
		return err.Error()
	}
	*to = text
	return ""
}

// comment is POST /rest/api/3/issue/{issueIdOrKey}/comment:
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/#api-rest-api-3-issue-issueidorkey-comment-post
func (j *Jira) comment(r *http.Request, body []byte) (int, any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	issue := j.find(r.PathValue("issue"))
	if issue == nil {
		return j.missing()
	}
	var in struct {
		Body       json.RawMessage `json:"body"`
		Properties []property      `json:"properties"`
	}
	if err := strict(body, &in); err != nil {
		return j.wrong(http.StatusBadRequest, err.Error(), nil)
	}
	var one JiraComment
	if problem := readDocument(in.Body, &one.Text); problem != "" {
		return j.wrong(http.StatusBadRequest, "", map[string]string{"comment": problem})
	}
	var err error
	if one.EventID, err = eventOf(in.Properties); err != nil {
		return j.wrong(http.StatusBadRequest, err.Error(), nil)
	}
	j.last++
	one.ID = 20000 + j.last
	issue.Comments = append(issue.Comments, one)
	return http.StatusCreated, map[string]any{"id": strconv.FormatInt(one.ID, 10), "body": in.Body}
}

// comments is GET /rest/api/3/issue/{issueIdOrKey}/comment:
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/#api-rest-api-3-issue-issueidorkey-comment-get
func (j *Jira) comments(r *http.Request, _ []byte) (int, any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	issue := j.find(r.PathValue("issue"))
	if issue == nil {
		return j.missing()
	}
	query, most, err := asked(r.URL.Query(), "orderBy", "maxResults")
	if err != nil || query.Get("orderBy") != "-created" {
		return j.wrong(http.StatusBadRequest, "orderBy=-created and maxResults are expected", nil)
	}
	list := []map[string]any{}
	for _, one := range slices.Backward(issue.Comments) {
		if len(list) < most {
			list = append(list, map[string]any{"id": strconv.FormatInt(one.ID, 10)})
		}
	}
	return http.StatusOK, map[string]any{"comments": list, "startAt": 0, "maxResults": most, "total": len(issue.Comments)}
}

// byIDs is POST /rest/api/3/comment/list:
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/#api-rest-api-3-comment-list-post
func (j *Jira) byIDs(r *http.Request, body []byte) (int, any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var in struct {
		IDs []int64 `json:"ids"`
	}
	if err := strict(body, &in); err != nil || len(in.IDs) == 0 || len(in.IDs) > 1000 {
		return j.wrong(http.StatusBadRequest, "1 to 1000 ids are expected", nil)
	}
	if r.URL.RawQuery != "expand=properties" {
		return j.wrong(http.StatusBadRequest, "expand=properties is expected", nil)
	}
	list := []map[string]any{}
	for _, issue := range j.issues {
		for _, one := range issue.Comments {
			if slices.Contains(in.IDs, one.ID) {
				list = append(list, map[string]any{"id": strconv.FormatInt(one.ID, 10), "properties": []property{{eventProperty, propertyOf(one.EventID)}}})
			}
		}
	}
	return http.StatusOK, map[string]any{"values": list, "isLast": true, "total": len(list)}
}

// read is GET /rest/api/3/issue/{issueIdOrKey}:
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-get
func (j *Jira) read(r *http.Request, _ []byte) (int, any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	issue := j.find(r.PathValue("issue"))
	if issue == nil {
		return j.missing()
	}
	want := url.Values{"fields": {"status"}, "properties": {eventProperty}}
	if r.URL.Query().Encode() != want.Encode() {
		return j.wrong(http.StatusBadRequest, "fields=status and properties="+eventProperty+" are expected", nil)
	}
	category := map[string]any{"id": 4, "key": "indeterminate", "name": "In Progress"}
	if issue.Done {
		category = map[string]any{"id": 3, "key": "done", "name": "Done"}
	}
	return http.StatusOK, map[string]any{
		"id": strconv.FormatInt(issue.ID, 10), "key": issue.Key,
		"fields":     map[string]any{"status": map[string]any{"name": "Whatever it is called here", "statusCategory": category}},
		"properties": map[string]any{eventProperty: propertyOf(issue.EventID)},
	}
}

// searched is POST /rest/api/3/search/jql:
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
func (j *Jira) searched(_ *http.Request, body []byte) (int, any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var in struct {
		JQL             string   `json:"jql"`
		MaxResults      int      `json:"maxResults"`
		Fields          []string `json:"fields"`
		ReconcileIssues []int64  `json:"reconcileIssues"`
	}
	if err := strict(body, &in); err != nil || in.MaxResults < 1 || in.MaxResults > 5000 || len(in.ReconcileIssues) > 50 {
		return j.wrong(http.StatusBadRequest, "Invalid request payload. Refer to the REST API documentation and try again.", nil)
	}
	found, err := j.search(in.JQL, in.ReconcileIssues)
	if err != nil {
		return j.wrong(http.StatusBadRequest, err.Error(), nil)
	}
	list := []map[string]any{}
	for _, issue := range found[:min(len(found), in.MaxResults)] {
		list = append(list, map[string]any{"id": strconv.FormatInt(issue.ID, 10)})
	}
	return http.StatusOK, map[string]any{"issues": list, "isLast": len(found) <= in.MaxResults}
}

// asked reads a query that has these parameters and no others, with the number of the
// last one.
func asked(query url.Values, names ...string) (url.Values, int, error) {
	for name := range query {
		if !slices.Contains(names, name) {
			return nil, 0, fmt.Errorf("the parameter %s is unknown", name)
		}
	}
	most, err := strconv.Atoi(query.Get(names[len(names)-1]))
	return query, most, err
}

func (j *Jira) missing() (int, any) {
	return http.StatusNotFound, jiraErrors("Issue does not exist or you do not have permission to see it.", nil)
}

// wrong refuses a request as Jira does.
func (j *Jira) wrong(status int, message string, problems map[string]string) (int, any) {
	return status, jiraErrors(message, problems)
}

func jiraErrors(message string, problems map[string]string) any {
	messages := []string{}
	if message != "" {
		messages = append(messages, message)
	}
	if problems == nil {
		problems = map[string]string{}
	}
	return map[string]any{"errorMessages": messages, "errors": problems}
}
