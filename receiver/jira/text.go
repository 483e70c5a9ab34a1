package jira

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

// texts are the templates of a [Config].
type texts struct {
	summary, description, comment *vendor.Template
	fields, jsonFields            map[string]*vendor.Template
}

// fieldName is what a field is called in a request: customfield_10010, components.
var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,99}$`)

// own are the fields that the rest of a [Config] is for.
var own = []string{"project", "issuetype", "priority", "labels", "summary", "description"}

func textsOf(c Config) (t texts, err error) {
	if t.summary, err = vendor.Parse("summary", c.Summary, nil); err != nil {
		return t, err
	}
	if t.description, err = vendor.Parse("description", c.Description, nil); err != nil {
		return t, err
	}
	if t.comment, err = vendor.Parse("comment", c.Comment, nil); err != nil {
		return t, err
	}
	if t.fields, err = parseAll(c.Fields, nil); err != nil {
		return t, err
	}
	if t.jsonFields, err = parseAll(c.JSONFields, inQuotesOfJSON); err != nil {
		return t, err
	}
	for name := range c.Fields {
		if _, both := c.JSONFields[name]; both {
			return t, fmt.Errorf("the field %s is among the texts and among the others", name)
		}
	}
	return t, nil
}

func parseAll(of map[string]string, escape func(string) string) (map[string]*vendor.Template, error) {
	all := map[string]*vendor.Template{}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if !fieldName.MatchString(name) || slices.Contains(own, name) {
			return nil, fmt.Errorf("the field %q is none that can be set here: fields are such as customfield_10010", name)
		}
		parsed, err := vendor.Parse(name, of[name], escape)
		if err != nil {
			return nil, err
		}
		all[name] = parsed
	}
	return all, nil
}

// inQuotesOfJSON writes a text as it stands between quotes in JSON.
func inQuotesOfJSON(text string) string {
	quoted, _ := json.Marshal(text) // a text can always be written
	return string(quoted[1 : len(quoted)-1])
}

// issue gives the fields of a new issue. What goes wrong comes again with every try.
func (s *Sink) issue(d vendor.Data) (map[string]any, error) {
	title, err := s.texts.summary.Text(d)
	if err != nil {
		return nil, receiver.Permanent(fmt.Errorf("jira: %w", err))
	}
	description, err := s.texts.description.Text(d)
	if err != nil {
		return nil, receiver.Permanent(fmt.Errorf("jira: %w", err))
	}
	fields := map[string]any{
		"summary": summary(title), "description": document(description),
		"issuetype": map[string]string{"name": s.config.IssueType},
	}
	if s.config.Priority != NoPriority {
		fields["priority"] = map[string]string{"name": s.config.Priority}
	}
	for name, template := range s.texts.fields {
		text, err := template.Text(d)
		if err != nil {
			return nil, receiver.Permanent(fmt.Errorf("jira: %w", err))
		}
		fields[name] = cut(clean(text), maxText)
	}
	for name, template := range s.texts.jsonFields {
		text, err := template.Text(d)
		if err != nil {
			return nil, receiver.Permanent(fmt.Errorf("jira: %w", err))
		}
		if !json.Valid([]byte(text)) {
			return nil, receiver.Permanent(fmt.Errorf("jira: the template of %s does not write JSON for this event", name))
		}
		fields[name] = json.RawMessage(text)
	}
	return fields, nil
}

func (s *Sink) comment(d vendor.Data) (node, error) {
	text, err := s.texts.comment.Text(d)
	if err != nil {
		return node{}, receiver.Permanent(fmt.Errorf("jira: %w", err))
	}
	return document(text), nil
}
