package relay

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// Checked is what a test of a route came to.
type Checked struct {
	Route string
	Kind  string
	Err   error // nil: the end took it
	Took  time.Duration
}

// Check makes the ends of all routes, and when send is set sends a test event to each,
// marked as a test, whatever its route says of tests: in PagerDuty an alert of severity
// info, in Jira an issue for tests. The error tells of ends that cannot be made.
func (c *Config) Check(ctx context.Context, send bool, log *slog.Logger) ([]Checked, error) {
	e, err := newEnds(c, &files{}, log)
	if err != nil {
		return nil, err
	}
	defer e.client.Close()
	e.tests = true
	sinks, err := e.all(c)
	if err != nil || !send {
		return nil, err
	}
	var all []Checked
	for i, s := range sinks {
		event, err := testEvent()
		if err != nil {
			return all, err
		}
		begin := time.Now()
		own, cancel := context.WithTimeout(ctx, exchanges*c.Routes[i].Timeout)
		err = s.Handle(own, event)
		cancel()
		all = append(all, Checked{Route: c.Routes[i].Name, Kind: c.Routes[i].Kind(), Err: err, Took: time.Since(begin)})
	}
	return all, nil
}

// testEvent is what the sender's Test button sends, and says where it comes from.
func testEvent() (event receiver.Event[json.RawMessage], err error) {
	const data = `{"test":true,"domain":"example.com","score":85,"grade":"B","message":"This is a test of a route, from compliancelayer relay check"}`
	now := time.Now().UTC()
	event = receiver.Event[json.RawMessage]{
		ID: "check-" + rand.Text(), Type: "scan.completed", CreatedAt: now, ReceivedAt: now,
		Data: json.RawMessage(data), Raw: json.RawMessage(data), Test: true, Try: 1,
	}
	if event.Body, err = webhook.EncodeBody(event.ID, event.Type, now, event.Raw); err != nil {
		return event, fmt.Errorf("make a test event: %w", err)
	}
	return event, nil
}

// Kind names the end of a route, as the file does.
func (r *Route) Kind() string {
	switch {
	case r.Slack != nil:
		return "slack"
	case r.PagerDuty != nil:
		return "pagerduty"
	case r.Jira != nil:
		return "jira"
	case r.Datadog != nil:
		return "datadog"
	case r.Webhook != nil:
		return "webhook"
	case r.File != nil:
		return "file"
	}
	return "command"
}
