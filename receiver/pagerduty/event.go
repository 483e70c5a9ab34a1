package pagerduty

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

const (
	maxKey     = 255  // of dedup_key
	maxSummary = 1024 // as documented; of the other fields nothing is said
	maxShort   = 255
	// An event has at most 512 KB: 25 details of at most 3,000 characters, each of up
	// to 6 bytes in JSON, are 450.
	maxDetails = 15 // of the user's; there are ten of ours
	maxDetail  = 3000
	maxLinks   = 10
)

// event is one of the Events API v2.
type event struct {
	RoutingKey string   `json:"routing_key"`
	Action     string   `json:"event_action"`
	DedupKey   string   `json:"dedup_key"`
	Client     string   `json:"client,omitempty"`
	ClientURL  string   `json:"client_url,omitempty"`
	Links      []link   `json:"links,omitempty"`
	Payload    *payload `json:"payload,omitempty"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text,omitempty"`
}

type payload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"`
	Timestamp string         `json:"timestamp,omitempty"`
	Component string         `json:"component,omitempty"`
	Group     string         `json:"group,omitempty"`
	Class     string         `json:"class,omitempty"`
	Details   map[string]any `json:"custom_details"`
}

// key is the dedup_key of a problem. An event without a domain is a problem of its own:
// better two alerts than one that hides another.
func key(d vendor.Data, alertType string) string {
	full := fmt.Sprintf("compliancelayer-%s-%s", cmp.Or(strings.ToLower(d.Domain), d.ID), alertType)
	most := maxKey - len("test-")
	if len(full) <= most {
		return full
	}
	sum := sha256.Sum256([]byte(full))
	end := "-" + hex.EncodeToString(sum[:])
	return strings.ToValidUTF8(full[:most-len(end)], "") + end
}

// texts are the templates of a sink; nil is what suits the event.
type texts struct {
	summary, source, component, group, class *vendor.Template
	details                                  map[string]*vendor.Template
	links                                    []linkTexts
}

type linkTexts struct{ href, text *vendor.Template }

func parse(cfg Config) (t texts, err error) {
	one := func(field, source string) *vendor.Template {
		if source == "" || err != nil {
			return nil
		}
		var parsed *vendor.Template
		parsed, err = vendor.Parse(field, source, nil)
		return parsed
	}
	t.summary, t.source, t.class = one("summary", cfg.Summary), one("source", cfg.Source), one("class", cfg.Class)
	t.component, t.group = one("component", cfg.Component), one("group", cfg.Group)
	t.details = map[string]*vendor.Template{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Details)) {
		t.details[name] = one("details."+name, cfg.Details[name])
	}
	for i, l := range cfg.Links {
		t.links = append(t.links, linkTexts{one(fmt.Sprintf("links[%d].href", i), l.Href), one(fmt.Sprintf("links[%d].text", i), l.Text)})
	}
	return t, err
}

// event writes the alert of an event, but for key and severity.
func (t texts) event(d vendor.Data) (e event, err error) {
	one := func(template *vendor.Template, otherwise string, most int) string {
		if template == nil || err != nil {
			return vendor.Fit(otherwise, most)
		}
		var written string
		written, err = template.Text(d)
		return vendor.Fit(cmp.Or(strings.TrimSpace(written), otherwise), most)
	}
	summary := cmp.Or(d.Title, d.Message, d.Type)
	if d.Domain != "" {
		summary += " - " + d.Domain
	}
	p := &payload{
		Summary: one(t.summary, summary, maxSummary), Source: one(t.source, cmp.Or(d.Domain, "ComplianceLayer"), maxShort), Timestamp: happened(d),
		Component: one(t.component, "", maxShort), Group: one(t.group, "", maxShort), Class: one(t.class, cmp.Or(d.AlertType, d.Type), maxShort), Details: details(d),
	}
	if d.Test {
		p.Summary = vendor.Fit("[Test] "+p.Summary, maxSummary)
	}
	for name, template := range t.details {
		p.Details[name] = one(template, "", maxDetail)
	}
	e.Payload = p
	for _, l := range t.links[:min(len(t.links), maxLinks)] {
		written := link{Href: one(l.href, "", maxDetail), Text: one(l.text, "", maxShort)}
		if written.Href != "" && vendor.CheckURL("", written.Href) == nil {
			e.Links = append(e.Links, written)
		}
	}
	return e, err
}

// details are what the event says, without what it does not.
func details(d vendor.Data) map[string]any {
	found := map[string]any{"event_id": d.ID}
	for _, name := range []string{"alert_id", "alert_type", "domain", "severity", "message", "old_value", "new_value", "grade"} {
		if value := d.Text(name); value != "" {
			found[name] = vendor.Fit(value, maxDetail)
		}
	}
	if d.HasScore {
		found["score"] = d.Score
	}
	return found
}

// happened is when the problem was found.
func happened(d vendor.Data) string {
	if at, err := time.Parse(time.RFC3339Nano, d.Text("created_at")); err == nil {
		return at.UTC().Format(time.RFC3339Nano)
	}
	if d.CreatedAt.IsZero() {
		return ""
	}
	return d.CreatedAt.UTC().Format(time.RFC3339Nano)
}
