// Package jira makes issues in Jira Cloud of what ComplianceLayer's webhooks tell: a
// scan with a low score makes an issue for its domain, and as long as that is open,
// further ones are comments on it.
//
// A [Sink] takes events as a handler of package receiver. It makes one try at each and
// leaves repeating to the inbox. It speaks to version 3 of the REST API, which Jira Data
// Center does not have.
//
// # Not twice
//
// Every issue and every comment carries the id of its event, as the entity property
// compliancelayer.event. When an earlier try may have had its effect
// ([receiver.Event.Unsure]), the sink looks for it first. Issues are found by Jira's
// search, which learns of one some seconds after it was made; so the sink names it the
// issues that it made itself, reads what the search found once more from the issue, and
// waits ([Config.Settle]) before it makes one anew that may be there already.
//
// What remains: two processes, two routes or a process that was just started may make
// two issues for one domain when they come within the seconds in which the search does
// not know of the first; an issue is not found again when somebody takes its label away
// or moves it to another project; and of an event whose comment is not among the newest
// hundred of its issue, or whose issue is not among the newest five of its domain, it is
// taken that it was not told.
package jira

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/settle"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

// What a [Config] has when it says nothing. The first four are what the public
// documentation of ComplianceLayer shows.
const (
	DefaultScoreBelow = 70
	DefaultIssueType  = "Bug"
	DefaultPriority   = "High"
	DefaultSummary    = `{{if .Test}}Test: {{end}}{{if eq .Type "alert.triggered"}}{{.Title | default .AlertType}} - {{.Domain}}{{else}}Low security score for {{.Domain}}: {{.Grade}}{{end}}`

	DefaultDescription = `{{with .Message}}{{.}}

{{end}}Domain: {{.Domain}}
{{if .HasScore}}Score: {{.Score}}/100
{{end}}{{with .Grade}}Grade: {{.}}
{{end}}{{if eq .Type "alert.triggered"}}Alert: {{.AlertType}}, {{.Severity}}
{{else}}Critical issues: {{.Data.critical_issues | default "-"}}
High issues: {{.Data.high_issues | default "-"}}
{{end}}When: {{.Data.scanned_at | default .CreatedAt}}
Event: {{.ID}}`

	// NoPriority is a Priority that leaves the field out, for projects without one.
	NoPriority = "none"
	// DefaultSettle is how long the search is given to learn of an issue.
	DefaultSettle = settle.Default
)

// Config is what a [Sink] is made of. BaseURL, Token and Project are required.
type Config struct {
	// BaseURL is https://YOUR-SITE.atlassian.net, or for tokens with scopes
	// https://api.atlassian.com/ex/jira/CLOUD-ID.
	BaseURL string
	// Email is the account that Token, an API token, belongs to. Without it Token is sent
	// as a bearer token, as those of service accounts and of OAuth 2.0 are.
	Email, Token string
	// Project is the key of the project, such as SEC.
	Project string
	// IssueType and Priority are names as the project has them.
	IssueType, Priority string
	// Labels are put on every issue, beside the one that its domain is found by.
	Labels []string

	// ScoreBelow: a scan with a lower score is told. 0 is 70; with a negative number
	// no scan is.
	ScoreBelow int
	// AlertSeverities are those of alerts that are told, such as critical. Nil is none.
	AlertSeverities []string
	// Tests are told too, in one issue of their own, whatever their score.
	Tests bool

	// Summary and Description are templates of a new issue, and Comment of a comment on
	// one that is open, which is as Description when it is empty.
	Summary, Description, Comment string
	// Fields are templates of further fields that are texts, such as customfield_10010.
	Fields map[string]string
	// JSONFields are templates of fields of other kinds, written as JSON:
	// {"value": "{{.Grade}}"}, or {{.Score}}. What an event says is escaped as within
	// quotes.
	JSONFields map[string]string

	// Settle is how long the search is given to learn of an issue, before one is made
	// anew whose first try had no answer. 0 is 30 s; a negative time waits for nothing.
	Settle time.Duration
	// Timeout is over each exchange; a try has several. 0 is 10 s.
	Timeout time.Duration
	// HTTP sends the requests. Nil sends to public addresses over https only.
	HTTP *http.Client
}

// String has no secrets.
func (c Config) String() string { return "Jira project " + c.Project }

// GoString is String, so that no way of printing shows a secret.
func (c Config) GoString() string { return c.String() }

// Sink tells events in Jira. It is safe for concurrent use.
type Sink struct {
	config Config
	client *vendor.Client
	header http.Header
	texts  texts
	recent *recent
	turns  *turns
	waits  *settle.Waits
}

// String is that of its Config.
func (s *Sink) String() string { return s.config.String() }

// GoString is String, so that no way of printing shows a secret.
func (s *Sink) GoString() string { return s.config.String() }

// severities of alerts, as [receiver.AlertTriggered] has them.
var severities = []string{"critical", "high", "medium", "low", "info"}

// projectKey is the form of the key of a project:
// https://support.atlassian.com/jira-cloud-administration/docs/edit-a-projects-details/.
var projectKey = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,254}$`)

// New makes a Sink. It sends nothing.
func New(c Config) (*Sink, error) { return newSink(c, time.Now) }

func newSink(c Config, now func() time.Time) (*Sink, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("jira: %w", err)
	}
	authorization := "Bearer " + c.Token
	secrets := []string{c.Token}
	if c.Email != "" {
		basic := base64.StdEncoding.EncodeToString([]byte(c.Email + ":" + c.Token))
		authorization, secrets = "Basic "+basic, append(secrets, basic)
	}
	client, err := vendor.New(vendor.Config{
		Name: "Jira", HTTP: c.HTTP, Timeout: c.Timeout, Secrets: secrets,
		Denied: "check the email and the API token, and that the account may browse " + c.Project + ", create issues and add comments there",
	})
	if err != nil {
		return nil, fmt.Errorf("jira: %w", err)
	}
	texts, err := textsOf(c)
	if err != nil {
		return nil, fmt.Errorf("jira: %w", err)
	}
	return &Sink{
		config: c, client: client, texts: texts,
		header: http.Header{"Authorization": {authorization}, "Accept": {"application/json"}},
		recent: &recent{made: map[string]made{}, now: now},
		turns:  &turns{held: map[string]chan struct{}{}},
		waits:  settle.New(c.Settle, now),
	}, nil
}

func (c *Config) complete() error {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	base, err := url.Parse(c.BaseURL)
	switch {
	case c.BaseURL == "":
		return errors.New("the address is missing: https://YOUR-SITE.atlassian.net")
	case err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return errors.New("the address must be as https://YOUR-SITE.atlassian.net")
	case c.Token == "":
		return errors.New("the token is missing: an account makes one at https://id.atlassian.com/manage-profile/security/api-tokens")
	case strings.ContainsAny(c.Token+c.Email, "\r\n"):
		return errors.New("the token or the email has a line break")
	case !projectKey.MatchString(c.Project):
		return fmt.Errorf("the project is %q, but must be the key of one, such as SEC", c.Project)
	}
	c.IssueType = cmp.Or(c.IssueType, DefaultIssueType)
	c.Priority = cmp.Or(c.Priority, DefaultPriority)
	c.Summary = cmp.Or(c.Summary, DefaultSummary)
	c.Description = cmp.Or(c.Description, DefaultDescription)
	c.Comment = cmp.Or(c.Comment, c.Description)
	if c.ScoreBelow == 0 {
		c.ScoreBelow = DefaultScoreBelow
	}
	if c.Settle == 0 {
		c.Settle = DefaultSettle
	}
	for _, severity := range c.AlertSeverities {
		if !slices.Contains(severities, severity) {
			return fmt.Errorf("there is no severity %q; there are %s", severity, strings.Join(severities, ", "))
		}
	}
	for _, label := range c.Labels {
		if err := checkLabel(label); err != nil {
			return err
		}
	}
	return nil
}

// Handle tells one event, or finds that it is none for Jira. What the end means for the
// event is in the error, as package receiver reads it.
func (s *Sink) Handle(ctx context.Context, e receiver.Event[json.RawMessage]) error {
	d := vendor.DataOf(e)
	if !s.wants(d) {
		return nil
	}
	p := post{eventID: e.ID, label: labelOf(d.Domain), data: d}
	if d.Test {
		p.label = testLabel
	}
	end, err := s.turns.take(ctx, p.label)
	if err != nil {
		return receiver.Unavailable(fmt.Errorf("jira: another event of %s takes long: %w", d.Domain, err), 0)
	}
	defer end()
	if e.Unsure {
		known, err := s.posted(ctx, p)
		if err != nil {
			return err
		}
		if known {
			s.waits.End(e.ID)
			return nil
		}
		if err := s.waits.Check(e.ID); err != nil {
			return fmt.Errorf("jira: %w", err)
		}
	}
	if err := s.tell(ctx, p); err != nil {
		return err
	}
	s.waits.End(e.ID)
	return nil
}

// wants tells whether an event is one for Jira.
func (s *Sink) wants(d vendor.Data) bool {
	switch {
	case d.Test:
		return s.config.Tests
	case d.Type == "scan.completed":
		score, ok := scoreOf(d)
		return ok && score < float64(s.config.ScoreBelow)
	case d.Type == "alert.triggered":
		return slices.Contains(s.config.AlertSeverities, d.Severity)
	}
	return false
}

// scoreOf reads a score that may have a fraction.
func scoreOf(d vendor.Data) (float64, bool) {
	if d.HasScore {
		return float64(d.Score), true
	}
	score, ok := d.Data["score"].(float64)
	return score, ok
}
