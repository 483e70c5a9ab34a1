// Package datadog posts events to Datadog for what ComplianceLayer's webhooks tell, with
// tags for the domain, the severity and the type.
//
// A [Sink] takes events as a handler of package receiver. It makes one try at each and
// leaves repeating to the inbox.
//
// # Not twice
//
// Every post has the tag compliancelayer_event with the id of its event. When an earlier
// try may have had its effect ([receiver.Event.Unsure]), the sink looks for the tag
// first. That takes an application key ([Config.ApplicationKey]) beside the API key,
// because Datadog lists events only to somebody. Without one such an event is posted
// again: at least once, and twice when the answer to the first try was lost.
package datadog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/settle"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

// What a [Config] has when it says nothing. Title and text of alerts are what the public
// documentation of ComplianceLayer shows.
const (
	DefaultSite  = "datadoghq.com"
	DefaultTitle = `{{if .Test}}Test: {{end}}{{if eq .Type "alert.triggered"}}Alert: {{.Title | default .AlertType}}{{else if eq .Type "scan.completed"}}Scan completed: {{.Domain}}{{with .Grade}} {{.}}{{end}}{{else}}{{.Type}}: {{.Domain}}{{end}}`
	DefaultText  = `{{with .Message}}{{.}}

{{end}}Domain: {{.Domain}}
{{if .HasScore}}Score: {{.Score}}/100
{{end}}{{with .Grade}}Grade: {{.}}
{{end}}{{if eq .Type "scan.completed"}}Critical issues: {{.Data.critical_issues | default "-"}}
High issues: {{.Data.high_issues | default "-"}}
{{end}}When: {{.CreatedAt}}`
	// DefaultSettle is how long the list of events is given to learn of a post.
	DefaultSettle = settle.Default

	// sourceName is what the posts of this package come from.
	sourceName = "compliancelayer"
)

// DefaultTypes are the types of events that are posted when a [Config] names none.
func DefaultTypes() []string { return []string{"alert.triggered", "scan.completed"} }

// sites are those of https://docs.datadoghq.com/getting_started/site/.
var sites = []string{
	"datadoghq.com", "us3.datadoghq.com", "us5.datadoghq.com", "datadoghq.eu",
	"ap1.datadoghq.com", "ap2.datadoghq.com", "ddog-gov.com", "us2.ddog-gov.com",
}

// Config is what a [Sink] is made of. APIKey is required.
type Config struct {
	// APIKey posts events.
	APIKey string
	// ApplicationKey, with the scope events_read, finds out whether one was posted.
	ApplicationKey string
	// Site is where the account is, such as datadoghq.eu. "" is datadoghq.com.
	Site string
	// BaseURL replaces https://api.SITE.
	BaseURL string

	// Types of events that are posted, such as score.changed; * is all of them. Nil is
	// [DefaultTypes]. Test events of these are posted as information, with the tag
	// test:true.
	Types []string
	// Tags are put on every post, as KEY:VALUE.
	Tags []string
	// Title and Text are templates. A text that begins with %%% is Markdown.
	Title, Text string

	// Settle is how long the list of events is given to learn of a post, before one is
	// made anew whose first try had no answer. 0 is 30 s; a negative time waits for
	// nothing. It matters only with an ApplicationKey.
	Settle time.Duration
	// Timeout is over each exchange. 0 is 10 s.
	Timeout time.Duration
	// HTTP sends the requests. Nil sends to public addresses over https only.
	HTTP *http.Client
	// Logger is for what somebody should look at; nil is slog.Default.
	Logger *slog.Logger
}

// String has no secrets.
func (c Config) String() string { return "Datadog at " + c.Site }

// GoString is String, so that no way of printing shows a secret.
func (c Config) GoString() string { return c.String() }

// Sink posts events to Datadog. It is safe for concurrent use.
type Sink struct {
	config      Config
	client      *vendor.Client
	title, text *vendor.Template
	waits       *settle.Waits
	now         func() time.Time
	blind       sync.Once // that nobody can look was said
}

// String is that of its Config.
func (s *Sink) String() string { return s.config.String() }

// GoString is String, so that no way of printing shows a secret.
func (s *Sink) GoString() string { return s.config.String() }

// New makes a Sink. It sends nothing.
func New(c Config) (*Sink, error) { return newSink(c, time.Now) }

func newSink(c Config, now func() time.Time) (*Sink, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("datadog: %w", err)
	}
	client, err := vendor.New(vendor.Config{
		Name: "Datadog", HTTP: c.HTTP, Timeout: c.Timeout, Secrets: []string{c.APIKey, c.ApplicationKey},
		Denied: "check the API key, and that it is one of the site that is set (" + c.Site + "); for looking up events, the application key and its scope events_read",
	})
	if err != nil {
		return nil, fmt.Errorf("datadog: %w", err)
	}
	s := &Sink{config: c, client: client, waits: settle.New(c.Settle, now), now: now}
	if s.title, err = vendor.Parse("title", c.Title, harmless); err != nil {
		return nil, fmt.Errorf("datadog: %w", err)
	}
	if s.text, err = vendor.Parse("text", c.Text, harmless); err != nil {
		return nil, fmt.Errorf("datadog: %w", err)
	}
	return s, nil
}

func (c *Config) complete() error {
	if c.APIKey == "" {
		return errors.New("the API key is missing: it is under Organization Settings, API Keys")
	}
	if strings.ContainsFunc(c.APIKey+c.ApplicationKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("a key has a character that no key has")
	}
	c.Site = cmp.Or(c.Site, DefaultSite)
	c.Site = strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(c.Site), "https://"), "app.")
	if !slices.Contains(sites, c.Site) && c.BaseURL == "" {
		return fmt.Errorf("there is no site %q; there are %s", c.Site, strings.Join(sites, ", "))
	}
	c.BaseURL = strings.TrimRight(cmp.Or(c.BaseURL, "https://api."+c.Site), "/")
	if base, err := url.Parse(c.BaseURL); err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return errors.New("the address must be as https://api.datadoghq.com")
	}
	if c.Types == nil {
		c.Types = DefaultTypes()
	}
	for _, text := range c.Tags {
		if tagOf(text) == "" {
			return fmt.Errorf("the tag %q has nothing that Datadog takes: it must have a letter", text)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Title, c.Text = cmp.Or(c.Title, DefaultTitle), cmp.Or(c.Text, DefaultText)
	if c.Settle == 0 {
		c.Settle = DefaultSettle
	}
	return nil
}

// Handle posts one event, or finds that it is none for Datadog. What the end means for
// the event is in the error, as package receiver reads it.
func (s *Sink) Handle(ctx context.Context, e receiver.Event[json.RawMessage]) error {
	d := vendor.DataOf(e)
	if !s.wants(d) {
		return nil
	}
	out, err := s.post(d)
	if err != nil {
		return receiver.Permanent(fmt.Errorf("datadog: %w", err))
	}
	if e.Unsure {
		if known, err := s.known(ctx, d); known || err != nil {
			return err
		}
	}
	_, err = s.client.Send(ctx, vendor.Request{
		URL: s.config.BaseURL + "/api/v1/events", Header: s.header(false), Body: out, Said: said,
	})
	if failure, ok := errors.AsType[*receiver.Failure](err); ok && failure.Unsure {
		s.waits.Begin(e.ID)
	}
	if err == nil {
		s.waits.End(e.ID)
	}
	return err
}

// known tells whether an event was posted before, or fails because it cannot be told yet.
func (s *Sink) known(ctx context.Context, d vendor.Data) (bool, error) {
	if s.config.ApplicationKey == "" {
		s.blind.Do(func() {
			s.config.Logger.Warn("an event may be posted to Datadog twice: without an application key nobody can look whether it was", slog.String("event_id", d.ID))
		})
		return false, nil
	}
	known, err := s.posted(ctx, d)
	if err != nil {
		return false, err
	}
	if known {
		s.waits.End(d.ID)
		return true, nil
	}
	if err := s.waits.Check(d.ID); err != nil {
		return false, fmt.Errorf("datadog: %w", err)
	}
	return false, nil
}

func (s *Sink) wants(d vendor.Data) bool {
	return slices.Contains(s.config.Types, d.Type) || slices.Contains(s.config.Types, "*")
}

// header has the keys: https://docs.datadoghq.com/api/latest/authentication/. Posting
// needs the one of the two only, so the other does not go along.
func (s *Sink) header(listing bool) http.Header {
	header := http.Header{"Dd-Api-Key": {s.config.APIKey}, "Accept": {"application/json"}}
	if listing {
		header.Set("DD-APPLICATION-KEY", s.config.ApplicationKey)
	}
	return header
}

// said reads Datadog's words: {"errors": [text]}.
func said(body []byte) string {
	var refused struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(body, &refused) != nil {
		return ""
	}
	return strings.Join(refused.Errors, "; ")
}
