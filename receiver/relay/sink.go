package relay

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/datadog"
	"github.com/compliancelayer/compliancelayer/receiver/jira"
	"github.com/compliancelayer/compliancelayer/receiver/pagerduty"
	"github.com/compliancelayer/compliancelayer/receiver/slack"
)

// sink is the end of a route.
type sink interface {
	Handle(ctx context.Context, event receiver.Event[json.RawMessage]) error
}

// maxAnswer is how much of an answer of an end is read, in bytes.
const maxAnswer = 1 << 20

// ends makes the ends of routes, which connect through one client.
type ends struct {
	client *egress.Client
	log    *slog.Logger
	files  *files
	tests  bool // test events reach every end, whatever its route says
}

// newEnds makes the way out that a config allows.
func newEnds(c *Config, f *files, log *slog.Logger) (*ends, error) {
	policy, err := egress.NewPolicy(egress.Config{Dev: c.Dev, Allow: c.AllowTargets})
	if err != nil {
		return nil, err
	}
	client, err := egress.NewClient(egress.ClientConfig{Policy: policy})
	if err != nil {
		return nil, err
	}
	return &ends{client: client, files: f, log: log}, nil
}

// all makes the ends of all routes. The error tells of each that cannot be made, with its
// place in the file.
func (e *ends) all(c *Config) ([]sink, error) {
	var sinks []sink
	var problems []error
	for i := range c.Routes {
		s, err := e.of(&c.Routes[i])
		problems = append(problems, c.Routes[i].Wrong(err))
		sinks = append(sinks, s)
	}
	return sinks, errors.Join(problems...)
}

// of makes the end of a route.
func (e *ends) of(r *Route) (sink, error) {
	http := e.client.Plain(r.Timeout, maxAnswer)
	log := e.log.With(slog.String("route", r.Name))
	tests := r.Tests || e.tests
	switch {
	case r.Slack != nil:
		return slackEnd(r, http, log)
	case r.PagerDuty != nil:
		return pagerDutyEnd(r, http, tests)
	case r.Jira != nil:
		return jiraEnd(r, http, tests)
	case r.Datadog != nil:
		return datadog.New(datadog.Config{
			APIKey: r.Datadog.APIKey.Reveal(), ApplicationKey: r.Datadog.AppKey.Reveal(), Site: r.Datadog.Site, BaseURL: r.Datadog.BaseURL,
			Types: []string{"*"}, // which types go there, the route says
			Tags:  r.Datadog.Tags, Title: r.Datadog.Title, Text: r.Datadog.Text,
			Settle: r.Datadog.Settle, Timeout: r.Timeout, HTTP: http, Logger: log,
		})
	case r.Webhook != nil:
		return newWebhookSink(r.Webhook, http, r.Timeout)
	case r.File != nil:
		return e.files.at(r.File.Path), nil
	}
	return &commandSink{run: r.Command.Run, env: r.Command.variables(), timeout: r.Timeout}, nil
}

func pagerDutyEnd(r *Route, http *http.Client, tests bool) (sink, error) {
	p := r.PagerDuty
	api := ""
	if p.BaseURL != "" {
		api = strings.TrimSuffix(p.BaseURL, "/") + "/v2/enqueue"
	}
	var links []pagerduty.Link
	for _, link := range p.Links {
		links = append(links, pagerduty.Link(link))
	}
	return pagerduty.New(pagerduty.Config{
		RoutingKey: p.RoutingKey.Reveal(), Severities: p.Severities, Summary: p.Summary, Source: p.Source, Component: p.Component,
		Group: p.Group, Class: p.Class, Details: p.Details, Links: links, ClientURL: p.ClientURL, ResolveOnScan: p.ResolveOnScan,
		Tests: tests, API: api, HTTP: http, Timeout: r.Timeout,
	})
}

func slackEnd(r *Route, http *http.Client, log *slog.Logger) (sink, error) {
	var fields []slack.Field
	for _, f := range r.Slack.Fields {
		fields = append(fields, slack.Field(f))
	}
	return slack.New(slack.Config{
		Token: r.Slack.Token.Reveal(), Channel: r.Slack.Channel, WebhookURL: r.Slack.WebhookURL.Reveal(),
		Text: r.Slack.Text, Header: r.Slack.Header, Message: r.Slack.Message, Fields: fields,
		API: r.Slack.BaseURL, HTTP: http, Timeout: r.Timeout, Logger: log,
	})
}

func jiraEnd(r *Route, http *http.Client, tests bool) (sink, error) {
	j := r.Jira
	return jira.New(jira.Config{
		BaseURL: j.URL, Email: j.Email, Token: j.Token.Reveal(), Project: j.Project, IssueType: j.IssueType, Priority: j.Priority,
		Labels: j.Labels, ScoreBelow: j.ScoreBelow, AlertSeverities: j.Severities, Tests: tests,
		Summary: j.Summary, Description: j.Description, Comment: j.Comment, Fields: j.Fields, JSONFields: j.JSONFields,
		Settle: j.Settle, Timeout: r.Timeout, HTTP: http,
	})
}

// variables writes those of a command.
func (c *Command) variables() (env []string) {
	for _, v := range c.Env {
		env = append(env, v.Name+"="+v.Value.Reveal())
	}
	return env
}
