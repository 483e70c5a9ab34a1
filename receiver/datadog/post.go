package datadog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

const (
	// oldest is the age up to which a post may say when it happened. Datadog's limit
	// is 18 hours; the rest is for the way there and for clocks that differ. An older
	// event is posted with the time of now, and says in its text when it was.
	oldest = 17 * time.Hour
	// ahead is how far in the future a time may be before it is not believed.
	ahead = 10 * time.Minute
)

// request is an event as Datadog takes it. It names no host: what a scan finds is not
// that of a machine that Datadog watches.
// https://docs.datadoghq.com/api/latest/events/#post-an-event
type request struct {
	Title          string   `json:"title"`
	Text           string   `json:"text"`
	Tags           []string `json:"tags"`
	AlertType      string   `json:"alert_type"`
	AggregationKey string   `json:"aggregation_key"`
	SourceTypeName string   `json:"source_type_name"`
	DateHappened   int64    `json:"date_happened,omitempty"` // in seconds
}

func (s *Sink) post(d vendor.Data) (request, error) {
	title, err := s.title.Text(d)
	if err != nil {
		return request{}, err
	}
	text, err := s.text.Text(d)
	if err != nil {
		return request{}, err
	}
	out := request{
		Title: cmp.Or(cut(line(title), maxTitle), d.Type), Text: cmp.Or(cut(text, maxText), d.Type), Tags: s.tags(d),
		AlertType: alertType(d), AggregationKey: keyOf(d.Domain, kindOf(d)), SourceTypeName: sourceName,
	}
	if at, told := s.happened(d); told {
		out.DateHappened = at.Unix()
	}
	return out, nil
}

// happened gives the time of an event, if Datadog takes it.
func (s *Sink) happened(d vendor.Data) (time.Time, bool) {
	age := s.now().Sub(d.CreatedAt)
	return d.CreatedAt, age < oldest && age > -ahead
}

// kindOf is what alerts are told apart by: the type of the alert, or of the event.
func kindOf(d vendor.Data) string { return cmp.Or(d.AlertType, d.Type) }

func (s *Sink) tags(d vendor.Data) []string {
	tags := []string{idTag(d.ID), tag("type", kindOf(d))}
	if d.Domain != "" {
		tags = append(tags, tag("domain", d.Domain))
	}
	if d.Severity != "" {
		tags = append(tags, tag("severity", d.Severity))
	}
	if d.Test {
		tags = append(tags, "test:true")
	}
	for _, text := range s.config.Tags {
		if extra := tagOf(text); !slices.Contains(tags, extra) {
			tags = append(tags, extra)
		}
	}
	return tags
}

// alertType says how bad an event is, in Datadog's words. An alert whose severity nobody
// knows is a warning, as in the public documentation of ComplianceLayer; a scan is as bad
// as that colours its score.
func alertType(d vendor.Data) string {
	switch {
	case d.Test:
		return "info"
	case d.Type == "alert.triggered":
		switch d.Severity {
		case "critical":
			return "error"
		case "low", "info":
			return "info"
		}
		return "warning"
	case d.Type != "scan.completed" || !d.HasScore:
		return "info"
	case d.Score >= 80:
		return "success"
	case d.Score >= 60:
		return "warning"
	}
	return "error"
}

// posted asks whether an event was posted. The time of a post is that of its event, or
// when it was sent, which was after the event came; so both are looked at.
// https://docs.datadoghq.com/api/latest/events/#get-a-list-of-events
func (s *Sink) posted(ctx context.Context, d vendor.Data) (bool, error) {
	start := d.CreatedAt
	if !d.ReceivedAt.IsZero() && d.ReceivedAt.Before(start) {
		start = d.ReceivedAt
	}
	now := s.now()
	if start.After(now) {
		start = now
	}
	want := idTag(d.ID)
	query := url.Values{
		"start": {strconv.FormatInt(start.Add(-ahead).Unix(), 10)},
		"end":   {strconv.FormatInt(now.Add(2*ahead).Unix(), 10)},
		"tags":  {want},
		// Or only the newest of those with the same aggregation key is listed.
		"unaggregated": {"true"},
	}
	answer, err := s.client.Send(ctx, vendor.Request{
		Method: http.MethodGet, URL: s.config.BaseURL + "/api/v1/events?" + query.Encode(), Header: s.header(true), Said: said,
	})
	if err != nil {
		return false, err
	}
	var list struct {
		Events []struct {
			Tags []string `json:"tags"`
		} `json:"events"`
	}
	if json.Unmarshal(answer.Body, &list) != nil {
		return false, receiver.Unavailable(errors.New("datadog: the list of events is not what Datadog sends"), 0)
	}
	for _, one := range list.Events {
		if slices.Contains(one.Tags, want) {
			return true, nil
		}
	}
	return false, nil
}
