package vendortest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// DatadogPost is an event as it was posted to Datadog.
type DatadogPost struct {
	Title, Text    string
	Tags           []string
	AlertType      string
	AggregationKey string
	SourceTypeName string
	DateHappened   int64 // seconds since 1970; when it was posted, if none was given

	id      int64
	indexed bool
}

// EventID gives the id of the event that it was made of.
func (p DatadogPost) EventID() string {
	for _, tag := range p.Tags {
		if id, is := strings.CutPrefix(tag, "compliancelayer_event:"); is {
			return id
		}
	}
	return ""
}

// Posts gives all that was posted, in order.
func (d *Datadog) Posts() []DatadogPost {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.posts)
}

// Count tells how often an event was posted.
func (d *Datadog) Count(eventID string) (n int) {
	for _, post := range d.Posts() {
		if post.EventID() == eventID {
			n++
		}
	}
	return n
}

// HoldIndex stops the list of events from learning what is posted, until ReleaseIndex.
func (d *Datadog) HoldIndex() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = true
}

// ReleaseIndex lets the list know all again.
func (d *Datadog) ReleaseIndex() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = false
	for i := range d.posts {
		d.posts[i].indexed = true
	}
}

// post is POST /api/v1/events: https://docs.datadoghq.com/api/latest/events/#post-an-event
func (d *Datadog) post(r *http.Request, body []byte) (int, any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Header.Get("DD-APPLICATION-KEY") != "" {
		return datadogErrors(http.StatusBadRequest, "posting needs no application key: do not send it about")
	}
	var in struct {
		Title          string   `json:"title"`
		Text           string   `json:"text"`
		Tags           []string `json:"tags"`
		AlertType      string   `json:"alert_type"`
		AggregationKey string   `json:"aggregation_key"`
		SourceTypeName string   `json:"source_type_name"`
		DateHappened   *int64   `json:"date_happened"`
		Priority       string   `json:"priority"`
	}
	if err := strict(body, &in); err != nil {
		return datadogErrors(http.StatusBadRequest, err.Error())
	}
	now := time.Now()
	if in.DateHappened == nil {
		in.DateHappened = new(now.Unix())
	}
	switch {
	case in.Title == "" || in.Text == "":
		return datadogErrors(http.StatusBadRequest, "title and text are required")
	case utf8.RuneCountInString(in.Title) > 100 || strings.ContainsAny(in.Title, "\r\n"):
		return datadogErrors(http.StatusBadRequest, "the title is one line of at most 100 characters")
	case utf8.RuneCountInString(in.Text) > 4000:
		return datadogErrors(http.StatusBadRequest, "the text has more than 4000 characters")
	case utf8.RuneCountInString(in.AggregationKey) > 100:
		return datadogErrors(http.StatusBadRequest, "the aggregation key has more than 100 characters")
	case !slices.Contains([]string{"error", "warning", "info", "success"}, in.AlertType):
		return datadogErrors(http.StatusBadRequest, "Bad alert_type")
	case !slices.Contains([]string{"", "normal", "low"}, in.Priority):
		return datadogErrors(http.StatusBadRequest, "Bad priority")
	case now.Sub(time.Unix(*in.DateHappened, 0)) > 18*time.Hour:
		return datadogErrors(http.StatusBadRequest, "Event too far in the past")
	}
	for _, tag := range in.Tags {
		if utf8.RuneCountInString(tag) > 200 || tag != strings.ToLower(tag) || strings.ContainsAny(tag, ", \n") {
			return datadogErrors(http.StatusBadRequest, fmt.Sprintf("Bad tag %q", tag))
		}
	}
	one := DatadogPost{
		Title: in.Title, Text: in.Text, Tags: in.Tags, AlertType: in.AlertType, AggregationKey: in.AggregationKey,
		SourceTypeName: in.SourceTypeName, DateHappened: *in.DateHappened, id: int64(len(d.posts) + 1), indexed: !d.held,
	}
	d.posts = append(d.posts, one)
	return http.StatusAccepted, map[string]any{"status": "ok", "event": map[string]any{"id": one.id, "title": one.Title, "text": one.Text, "tags": one.Tags}}
}

// list is GET /api/v1/events: https://docs.datadoghq.com/api/latest/events/#get-a-list-of-events
func (d *Datadog) list(r *http.Request, _ []byte) (int, any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Header.Get("DD-APPLICATION-KEY") != d.ApplicationKey {
		return datadogErrors(http.StatusForbidden, "Forbidden")
	}
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains([]string{"start", "end", "tags", "unaggregated", "exclude_aggregate"}, name) {
			return datadogErrors(http.StatusBadRequest, "unknown parameter "+name)
		}
	}
	start, err1 := strconv.ParseInt(query.Get("start"), 10, 64)
	end, err2 := strconv.ParseInt(query.Get("end"), 10, 64)
	if err1 != nil || err2 != nil || start >= end {
		return datadogErrors(http.StatusBadRequest, "start and end are required")
	}
	list := []map[string]any{}
	group := map[string]bool{}
	for _, post := range d.posts {
		// Without unaggregated, an event with a parent, the first of its aggregation key,
		// is not in the list by itself.
		child := group[post.AggregationKey] && query.Get("unaggregated") != "true"
		group[post.AggregationKey] = true
		if child || !post.indexed || post.DateHappened < start || post.DateHappened > end || !hasAll(post.Tags, strings.Split(query.Get("tags"), ",")) {
			continue
		}
		list = append(list, map[string]any{"id": post.id, "title": post.Title, "tags": post.Tags, "date_happened": post.DateHappened})
	}
	return http.StatusOK, map[string]any{"events": list}
}

func hasAll(tags, wanted []string) bool {
	for _, tag := range wanted {
		if !slices.Contains(tags, tag) {
			return false
		}
	}
	return true
}

func datadogErrors(status int, text string) (int, any) {
	return status, map[string]any{"errors": []string{text}}
}
