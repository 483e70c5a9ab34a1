// Package relay is the receiver kit as a program: it verifies events, keeps them, and
// passes each on by the routes that a file names, to Slack, PagerDuty, Jira, Datadog,
// another webhook, a file or a command. Each route is a lane of the inbox, so one whose
// end is away keeps nobody waiting but itself. The command line is not its business.
//
// # The file
//
// [Read] reads it into a [Config]; docs/relay.yaml is one with every key. A mistake names
// the file, the line, the key and what was probably meant, and all mistakes are told at
// once, so that a file is corrected in one go. No secret stands in the file: it names an
// environment variable or another file, whose text becomes a [Secret]. Paths begin at the
// folder of the file. Nothing is asked of the network.
//
// # The routes
//
// A [Route] has one end and the rules that say which events go there. The rules are pure:
// [Config.Route] depends on the [Facts] of an event alone.
package relay

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// What a [Config] has when the file says nothing; the rest is in package receiver.
const (
	DefaultListen  = "127.0.0.1:8090"
	DefaultPath    = "/webhooks/compliancelayer"
	DefaultInbox   = "relay.db"
	DefaultTimeout = 10 * time.Second
)

// maxFile is the longest file in bytes. One with a thousand routes has a quarter of it.
const maxFile = 1 << 20

// Config is what the file says, checked and with everything that it leaves open.
type Config struct {
	// Listen is where requests are taken, and Path the path of webhooks there.
	Listen, Path string
	// MetricsListen is where /metrics is; "" is beside Path.
	MetricsListen string
	// Inbox is where events are kept.
	Inbox Inbox
	// Secrets are the signing secrets, of which any may have signed.
	Secrets []webhook.Secret

	LogLevel  slog.Level
	LogFormat string // text or json

	// KeepDone is how long ids are known after their events were done, KeepFailed how
	// long failed events are kept, where 0 is for ever.
	KeepDone, KeepFailed time.Duration
	// ShutdownGrace is how long what is in hand may go on when the program ends.
	ShutdownGrace time.Duration

	// AllowTargets are ranges of addresses that are not public and may be sent to.
	AllowTargets []egress.AllowRule
	// Dev allows this machine as a target, and http.
	Dev bool

	Routes []Route

	// Variables are those of the environment that the file names, sorted. A program that
	// runs sees no change of them.
	Variables []string
	// Warnings are what somebody should look at and is no mistake, each with its line.
	Warnings []string
}

// Inbox is a file of SQLite, or the address of a PostgreSQL database.
type Inbox struct {
	SQLite   string
	Postgres Secret
}

// Route is one end of events and the rules that say which go there.
type Route struct {
	// Name is that of its lane in the inbox: what waits there belongs to the name.
	Name string
	// Events are patterns of types: scan.completed, scan.*, or * for all that are not
	// operational.
	Events []string
	When   Conditions
	// Tests are passed on, too.
	Tests bool
	// Attempts, Backoff and Timeout are as in [receiver.Config].
	Attempts         int
	Backoff, Timeout time.Duration

	// Exactly one of these is set.
	Slack     *Slack
	PagerDuty *PagerDuty
	Jira      *Jira
	Datadog   *Datadog
	Webhook   *Webhook
	File      *File
	Command   *Command

	at Mistake // where the end is in the file
}

// Wrong makes an error of the route's end, such as one of slack.New, tell its place in
// the file. Nil stays nil.
func (r *Route) Wrong(err error) error {
	if err == nil {
		return nil
	}
	m := r.at
	m.Text = err.Error()
	return &m
}

// Conditions are facts that an event must have to go by a route: all of those that are
// set. An event that does not have such a fact at all does not go.
type Conditions struct {
	// Domains are patterns in small letters, in their ASCII form: example.com is that
	// domain alone, *.example.com all below it and not itself, * any.
	Domains    []string
	Severities []string
	AlertTypes []string
	// ScoreBelow and ScoreAtLeast bound the score; nil does not.
	ScoreBelow, ScoreAtLeast *int
}

// Slack is a channel: by the token of a bot, or by an incoming webhook.
type Slack struct {
	Token                 Secret
	Channel               string
	WebhookURL            Secret
	Text, Header, Message string // templates; "" is the default of package slack
	Fields                []SlackField
	BaseURL               string
}

// SlackField is one fact of a message; Value is a template.
type SlackField struct{ Title, Value string }

// PagerDuty is an integration of a service.
type PagerDuty struct {
	RoutingKey Secret
	Severities []string // of alerts that make an incident
	// Templates; "" is the default of package pagerduty.
	Summary, Source, Component, Group, Class string
	Details                                  map[string]string // templates
	Links                                    []PagerDutyLink
	ClientURL                                string
	ResolveOnScan                            bool
	BaseURL                                  string // without the path of the API
}

// PagerDutyLink is a link of an incident; both are templates.
type PagerDutyLink struct{ Href, Text string }

// Jira is a project.
type Jira struct {
	URL, Email                    string
	Token                         Secret
	Project, IssueType, Priority  string
	Labels                        []string
	ScoreBelow                    int      // -1: no scan makes an issue
	Severities                    []string // of alerts that make an issue
	Summary, Description, Comment string   // templates; "" is the default of package jira
	Fields, JSONFields            map[string]string
	Settle                        time.Duration // 0 is the default
}

// Datadog is an account.
type Datadog struct {
	APIKey, AppKey Secret
	Site           string
	Tags           []string
	Title, Text    string        // templates; "" is the default of package datadog
	Settle         time.Duration // 0 is the default
	BaseURL        string
}

// Webhook is another receiver of the same events.
type Webhook struct {
	URL     Secret         // there may be a token in it
	Secret  webhook.Secret // signs the requests; the zero Secret does not
	Headers map[string]Secret
}

// File is a file that gets a line of JSON for each event.
type File struct{ Path string }

// Command is a program that gets each event on its standard input.
type Command struct {
	Run []string
	Env []Variable
}

// Variable is one of a program's environment.
type Variable struct {
	Name  string
	Value Secret
}

// Read reads a file. The error is that of the system when there is none, and else one or
// more of [*Mistake], joined.
func Read(path string) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text, os.LookupEnv)
}

// readFile reads no more than shows that a file is too long.
func readFile(path string) (_ []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return text, nil
}

// Parse reads the text of a file. Name is what errors call it and where relative paths
// begin; env is asked for variables.
func Parse(name string, text []byte, env func(string) (string, bool)) (*Config, error) {
	return parse(name, text, env, readSecretFile)
}

func parse(name string, text []byte, env func(string) (string, bool), file secretFile) (*Config, error) {
	r := &reader{mistakes: mistakes{file: name}, env: env, readFile: file}
	config := &Config{}
	if root := r.load(text); root != nil {
		r.form(root, "")
		config = r.config(r.object(&value{root, ""}))
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	config.Warnings = r.warnings
	slices.Sort(r.variables)
	config.Variables = slices.Compact(r.variables)
	return config, nil
}
