// Package pagerduty raises alerts in PagerDuty by its Events API v2
// (https://developer.pagerduty.com/docs/send-alert-event). [Sink.Handle] is a handler
// for package receiver; it makes one try and leaves waiting and repeating to the inbox.
//
// # What is sent
//
// An alert.triggered of one of [Config.Severities] triggers an alert. Its dedup_key is
// made of the domain and the type of alert, so that two problems of a domain are two
// alerts, and the same problem told twice is one. That makes repeats harmless: a try
// whose end is not known is made again without a look.
//
// An event that says that the condition has cleared resolves the alert with the same
// key, whatever its severity: an alert.triggered whose data has "resolved": true or
// "status": "resolved", or an alert.resolved. With [Config.ResolveOnScan], a
// scan.completed that found no critical issues resolves the domain's critical_issue.
// Events are in no order: a resolve that is overtaken by an alert resolves it, too.
//
// All other events are done without a request, and so are test events, unless
// [Config.Tests] is set.
//
// # Templates
//
// Templates are those of text/template. They see .ID, .Type, .CreatedAt, .ReceivedAt,
// .Test, .Domain, .Score and .HasScore, .Grade, .Severity, .AlertType, .Title, .Message,
// .OldValue, .NewValue, and in .Data everything else by its name: {{.Data.high_issues}}.
// What an event does not have is empty. Beside the usual functions there are upper,
// lower, title, default, truncate, json and raw:
//
//	{{.Title | default .Type | truncate 80}} at {{.Data.score | default "?"}}
package pagerduty

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

// DefaultAPI takes events; accounts in Europe have https://events.eu.pagerduty.com/v2/enqueue.
const DefaultAPI = "https://events.pagerduty.com/v2/enqueue"

// Config is what a Sink is made of. RoutingKey must be set.
type Config struct {
	// RoutingKey is the integration key of an Events API v2 integration, a secret of
	// 32 characters.
	RoutingKey string
	// Severities are those of the alerts that are sent; nil means critical alone.
	Severities []string

	// Summary, Source, Component, Group and Class are templates of the fields of those
	// names. "" means: the title and the domain; the domain; nothing; nothing; the type of
	// alert.
	Summary, Source, Component, Group, Class string
	// Details are templates of further custom details, at most 15.
	Details map[string]string
	// Links are shown with the alert.
	Links []Link
	// ClientURL is where "View in ComplianceLayer" leads.
	ClientURL string

	// ResolveOnScan resolves a domain's critical_issue when a scan found none.
	ResolveOnScan bool
	// Tests sends test events, of any type, as alerts of severity info under a key of
	// their own.
	Tests bool

	// API is where events go; "" means DefaultAPI.
	API string
	// HTTP sends the requests. Nil sends to public addresses over https alone.
	HTTP *http.Client
	// Timeout is over one request. 0 means 10 s.
	Timeout time.Duration
}

// Link is a link of an alert.
type Link struct {
	Href, Text string // templates
}

// String has no secrets.
func (c Config) String() string { return "PagerDuty" }

// GoString is String, so that no way of printing shows a secret.
func (c Config) GoString() string { return c.String() }

// severities are PagerDuty's, by those of events.
var severities = map[string]string{"critical": "critical", "high": "error", "medium": "warning", "low": "info", "info": "info"}

// Sink sends events. It is safe for concurrent use.
type Sink struct {
	cfg    Config
	client *vendor.Client
	texts  texts
}

// New makes a Sink. It asks PagerDuty nothing. Errors name the field that is wrong.
func New(cfg Config) (*Sink, error) {
	cfg.API = cmp.Or(cfg.API, DefaultAPI)
	if cfg.Severities == nil {
		cfg.Severities = []string{"critical"}
	}
	if err := check(cfg); err != nil {
		return nil, fmt.Errorf("pagerduty: %w", err)
	}
	texts, err := parse(cfg)
	if err != nil {
		return nil, fmt.Errorf("pagerduty: %w", err)
	}
	client, err := vendor.New(vendor.Config{
		Name: "PagerDuty", HTTP: cfg.HTTP, Timeout: cfg.Timeout, Secrets: []string{cfg.RoutingKey}, Denied: "check the routing key",
	})
	if err != nil {
		return nil, fmt.Errorf("pagerduty: %w", err)
	}
	return &Sink{cfg, client, texts}, nil
}

func check(cfg Config) error {
	for _, severity := range cfg.Severities {
		if severities[severity] == "" {
			return fmt.Errorf("severities: %q is none; there are critical, high, medium, low and info", severity)
		}
	}
	if len(cfg.Details) > maxDetails {
		return fmt.Errorf("details: there are %d, at most %d are sent", len(cfg.Details), maxDetails)
	}
	if len(cfg.RoutingKey) != 32 {
		return errors.New("routing key: it must have 32 characters: it is the integration key of an Events API v2 integration")
	}
	return errors.Join(vendor.CheckURL("API", cfg.API), vendor.CheckURL("client URL", cfg.ClientURL))
}

// Handle takes an event of any type. An error is a [*receiver.Failure].
func (s *Sink) Handle(ctx context.Context, event receiver.Event[json.RawMessage]) error {
	d := vendor.DataOf(event)
	switch {
	case d.Test && s.cfg.Tests:
		return s.trigger(ctx, d, "test-"+key(d, cmp.Or(d.AlertType, d.Type)), "info")
	case d.Test:
		return nil
	case d.Resolved():
		return s.resolve(ctx, key(d, cmp.Or(d.AlertType, d.Type)))
	case d.Type == "scan.completed" && s.cfg.ResolveOnScan:
		if critical, known := d.Number("critical_issues"); known && critical == 0 {
			return s.resolve(ctx, key(d, "critical_issue"))
		}
	case d.Type == "alert.triggered" && slices.Contains(s.cfg.Severities, d.Severity):
		return s.trigger(ctx, d, key(d, cmp.Or(d.AlertType, d.Type)), severities[d.Severity])
	}
	return nil
}

func (s *Sink) trigger(ctx context.Context, d vendor.Data, dedupKey, severity string) error {
	e, err := s.texts.event(d)
	if err != nil {
		return receiver.Permanent(fmt.Errorf("pagerduty: %w", err))
	}
	e.Action, e.DedupKey, e.Payload.Severity = "trigger", dedupKey, severity
	e.Client, e.ClientURL = "ComplianceLayer", s.cfg.ClientURL
	return s.send(ctx, e)
}

func (s *Sink) resolve(ctx context.Context, dedupKey string) error {
	return s.send(ctx, event{Action: "resolve", DedupKey: dedupKey})
}

func (s *Sink) send(ctx context.Context, e event) error {
	e.RoutingKey = s.cfg.RoutingKey
	answer, err := s.client.Send(ctx, vendor.Request{URL: s.cfg.API, Body: e, Repeats: true, Said: said})
	if answer.Status == http.StatusBadRequest && strings.Contains(routing.Replace(strings.ToLower(said(answer.Body))), "routing key") {
		// A key that PagerDuty does not know is answered as an event that is wrong.
		return receiver.Unavailable(fmt.Errorf("%w: set the integration key of an Events API v2 integration", errors.Unwrap(err)), 0)
	}
	return err
}

// routing finds the field by its name, too.
var routing = strings.NewReplacer("routing_key", "routing key")

// said reads what PagerDuty says of an event that it refuses.
func said(body []byte) string {
	var answer struct {
		Message string   `json:"message"`
		Errors  []string `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	return strings.TrimPrefix(strings.Join(append([]string{answer.Message}, answer.Errors...), "; "), "; ")
}
