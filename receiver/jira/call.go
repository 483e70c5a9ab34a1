package jira

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

// errMissing: Jira has no such issue, or does not show it to this account.
var errMissing = errors.New("there is no such issue")

// look asks without changing anything.
func (s *Sink) look(ctx context.Context, method, path string, in, out any) error {
	answer, err := s.client.Send(ctx, vendor.Request{
		Method: method, URL: s.config.BaseURL + path, Header: s.header, Body: in, Repeats: true, Said: s.said,
	})
	if err != nil {
		return s.explain(answer, err)
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		// A login page, for example; it may be another one the next time.
		return receiver.Unavailable(fmt.Errorf("jira: the answer to %s is not what Jira sends: check the address", action(path)), 0)
	}
	return nil
}

// write changes something in the name of an event.
func (s *Sink) write(ctx context.Context, path string, in, out any, eventID string) error {
	answer, err := s.client.Send(ctx, vendor.Request{
		Method: http.MethodPost, URL: s.config.BaseURL + path, Header: s.header, Body: in, Said: s.said,
	})
	if failure, ok := errors.AsType[*receiver.Failure](err); ok && failure.Unsure {
		s.waits.Begin(eventID)
	}
	if err != nil {
		return s.explain(answer, err)
	}
	if out != nil {
		_ = json.Unmarshal(answer.Body, out) // it was done all the same
	}
	return nil
}

// explain says what to do about an answer where Jira does not.
func (s *Sink) explain(answer vendor.Answer, err error) error {
	failure, ok := errors.AsType[*receiver.Failure](err)
	if !ok || answer.Status != http.StatusNotFound {
		return err
	}
	failure.Err = fmt.Errorf("%w: %w: check the address, the project %s, and what the account may see", failure.Err, errMissing, s.config.Project)
	return failure
}

// isMissing tells whether Jira answered that there is no such issue.
func isMissing(err error) bool { return errors.Is(err, errMissing) }

// action is the path of a call without what differs from issue to issue.
func action(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

// said reads Jira's words: {"errorMessages": [...], "errors": {field: text}}.
// https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/#status-codes
func (s *Sink) said(body []byte) string {
	var refused struct {
		Messages []string          `json:"errorMessages"`
		Errors   map[string]string `json:"errors"`
	}
	if json.Unmarshal(body, &refused) != nil {
		return ""
	}
	words := refused.Messages
	for _, field := range slices.Sorted(maps.Keys(refused.Errors)) {
		words = append(words, field+": "+refused.Errors[field])
		if hint := s.hint(field); hint != "" {
			words = append(words, "("+hint+")")
		}
	}
	if strings.Contains(strings.Join(refused.Messages, " "), "for the field 'project'") {
		words = append(words, "("+s.hint("project")+")")
	}
	return strings.Join(words, " ")
}

// hint says what is most likely wrong with a field.
func (s *Sink) hint(field string) string {
	switch field {
	case "project":
		return "is there a project " + s.config.Project + ", and may the account browse it and create issues?"
	case "issuetype":
		return "the project has no issue type " + s.config.IssueType
	case "priority":
		return "the priority " + NoPriority + " leaves it out"
	case "labels":
		return "the screen for new issues must have the field Labels: the issue of a domain is found by it"
	}
	return ""
}
