package jira

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

const (
	// property is the key of the property that carries the id of an event, at the issue
	// or comment that was made of it.
	property = "compliancelayer.event"
	// candidates is how many issues of a domain are looked at, the newest first. There
	// is one that is open, and a second and third only when the search was behind.
	candidates = 5
	// newest is how many comments of an issue are looked at for the one of an event.
	newest = 100
)

// post is one thing to be told in Jira.
type post struct {
	eventID string
	label   string // of the domain
	data    vendor.Data
}

// found is an issue as it stands.
type found struct {
	id      int64
	done    bool
	eventID string // that it was made of
}

// tell comments on the open issue of the domain, or makes one.
func (s *Sink) tell(ctx context.Context, p post) error {
	issue, err := s.open(ctx, p.label)
	if err != nil {
		return err
	}
	if issue == nil {
		return s.create(ctx, p)
	}
	return s.commentOn(ctx, issue.id, p)
}

// open finds the open issue of a domain. The search may be behind, so what it says is
// looked up at the issue itself, and the issue that this process made last is named to it.
func (s *Sink) open(ctx context.Context, label string) (*found, error) {
	ids, err := s.search(ctx, label, true)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		issue, err := s.read(ctx, id)
		if err != nil {
			return nil, err
		}
		if issue != nil && !issue.done {
			return issue, nil
		}
	}
	return nil, nil
}

// posted tells whether an event has its issue or comment already. It looks at issues
// that are done too: one may have been closed since.
func (s *Sink) posted(ctx context.Context, p post) (bool, error) {
	ids, err := s.search(ctx, p.label, false)
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		issue, err := s.read(ctx, id)
		if err != nil {
			return false, err
		}
		if issue == nil {
			continue
		}
		if issue.eventID == p.eventID {
			s.recent.put(p.label, issue.id)
			return true, nil
		}
		if known, err := s.commented(ctx, id, p.eventID); known || err != nil {
			return known, err
		}
	}
	return false, nil
}

// search finds issues of a label, the newest first.
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
func (s *Sink) search(ctx context.Context, label string, open bool) ([]int64, error) {
	in := struct {
		JQL        string   `json:"jql"`
		MaxResults int      `json:"maxResults"`
		Fields     []string `json:"fields"`
		// What these are like is read from the database instead of the index:
		// https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/.
		ReconcileIssues []int64 `json:"reconcileIssues,omitempty"`
	}{JQL: query(s.config.Project, label, open), MaxResults: candidates, Fields: []string{"id"}}
	if id, known := s.recent.get(label); known {
		in.ReconcileIssues = []int64{id}
	}
	var out struct {
		Issues []struct {
			ID string `json:"id"`
		} `json:"issues"`
	}
	if err := s.look(ctx, http.MethodPost, "/rest/api/3/search/jql", in, &out); err != nil {
		return nil, err
	}
	var ids []int64
	for _, issue := range out.Issues {
		if id, err := strconv.ParseInt(issue.ID, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// read gives an issue as it stands, or nil when there is none any more.
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-get
func (s *Sink) read(ctx context.Context, id int64) (*found, error) {
	var out struct {
		Fields struct {
			Status struct {
				Category struct {
					Key string `json:"key"`
				} `json:"statusCategory"`
			} `json:"status"`
		} `json:"fields"`
		Properties map[string]eventProperty `json:"properties"`
	}
	err := s.look(ctx, http.MethodGet, issuePath(id, "?fields=status&properties="+property), nil, &out)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &found{id: id, done: out.Fields.Status.Category.Key == "done", eventID: out.Properties[property].ID}, nil
}

// eventProperty is the value of a [property].
type eventProperty struct {
	ID string `json:"id"`
}

// entityProperty is a property as it is written and read at a comment or an issue.
type entityProperty struct {
	Key   string        `json:"key"`
	Value eventProperty `json:"value"`
}

func issuePath(id int64, rest string) string {
	return "/rest/api/3/issue/" + strconv.FormatInt(id, 10) + rest
}

// commented tells whether one of the newest comments of an issue was made of an event.
// Comments are read from the database, so there is no lag. That a list of comments of an
// issue could carry their properties is not documented; a list by ids can.
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/
func (s *Sink) commented(ctx context.Context, id int64, eventID string) (bool, error) {
	var list struct {
		Comments []struct {
			ID string `json:"id"`
		} `json:"comments"`
	}
	err := s.look(ctx, http.MethodGet, issuePath(id, "/comment?orderBy=-created&maxResults="+strconv.Itoa(newest)), nil, &list)
	if isMissing(err) {
		return false, nil
	}
	if err != nil || len(list.Comments) == 0 {
		return false, err
	}
	var in struct {
		IDs []int64 `json:"ids"`
	}
	for _, comment := range list.Comments {
		if id, err := strconv.ParseInt(comment.ID, 10, 64); err == nil {
			in.IDs = append(in.IDs, id)
		}
	}
	var out struct {
		Values []struct {
			// Other programs' properties have values of other forms.
			Properties []struct {
				Key   string `json:"key"`
				Value any    `json:"value"`
			} `json:"properties"`
		} `json:"values"`
	}
	if err := s.look(ctx, http.MethodPost, "/rest/api/3/comment/list?expand=properties", in, &out); err != nil {
		return false, err
	}
	for _, comment := range out.Values {
		for _, p := range comment.Properties {
			if value, is := p.Value.(map[string]any); is && p.Key == property && value["id"] == eventID {
				return true, nil
			}
		}
	}
	return false, nil
}

// create makes the issue of a domain.
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
func (s *Sink) create(ctx context.Context, p post) error {
	fields, err := s.issue(p.data)
	if err != nil {
		return err
	}
	fields["project"] = map[string]string{"key": s.config.Project}
	fields["labels"] = slices.Concat([]string{p.label}, s.config.Labels)
	in := struct {
		Fields     map[string]any   `json:"fields"`
		Properties []entityProperty `json:"properties"`
	}{fields, []entityProperty{{property, eventProperty{p.eventID}}}}
	var out struct {
		ID string `json:"id"`
	}
	if err := s.write(ctx, "/rest/api/3/issue", in, &out, p.eventID); err != nil {
		return err
	}
	if id, err := strconv.ParseInt(out.ID, 10, 64); err == nil {
		s.recent.put(p.label, id)
	}
	return nil
}

// commentOn adds a comment to an issue.
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/#api-rest-api-3-issue-issueidorkey-comment-post
func (s *Sink) commentOn(ctx context.Context, id int64, p post) error {
	body, err := s.comment(p.data)
	if err != nil {
		return err
	}
	in := struct {
		Body       node             `json:"body"`
		Properties []entityProperty `json:"properties"`
	}{body, []entityProperty{{property, eventProperty{p.eventID}}}}
	err = s.write(ctx, issuePath(id, "/comment"), in, nil, p.eventID)
	if isMissing(err) { // it was there a moment ago; the next try will find how things are
		return errors.New("jira: the issue went away while it was commented on")
	}
	return err
}
