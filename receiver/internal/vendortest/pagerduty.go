package vendortest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// PagerDuty is a local server with the Events API v2:
//
//   - https://developer.pagerduty.com/docs/events-api-v2-overview
//   - https://developer.pagerduty.com/docs/send-alert-event
//   - https://raw.githubusercontent.com/PagerDuty/api-schema/main/reference/events-v2/openapiv3.json
type PagerDuty struct {
	*Local
	RoutingKey string

	mu    sync.Mutex
	posts []PagerDutyPost
	open  map[string]bool // alerts by dedup_key; false means resolved
}

// PagerDutyPost is an event as it was posted.
type PagerDutyPost struct {
	RoutingKey string            `json:"routing_key"`
	Action     string            `json:"event_action"`
	DedupKey   string            `json:"dedup_key"`
	Client     string            `json:"client"`
	ClientURL  string            `json:"client_url"`
	Links      []PagerDutyLink   `json:"links"`
	Payload    *PagerDutyPayload `json:"payload"`
}

// PagerDutyLink is a link of an alert.
type PagerDutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// PagerDutyPayload is the part of an event in the common event format.
type PagerDutyPayload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"`
	Timestamp string         `json:"timestamp"`
	Component string         `json:"component"`
	Group     string         `json:"group"`
	Class     string         `json:"class"`
	Details   map[string]any `json:"custom_details"`
}

// EventID is the id of the event that it was made of; "" for a resolve.
func (p PagerDutyPost) EventID() string {
	if p.Payload == nil {
		return ""
	}
	id, _ := p.Payload.Details["event_id"].(string)
	return id
}

// NewPagerDuty starts a server that ends with the test.
func NewPagerDuty(t testing.TB) *PagerDuty {
	t.Helper()
	p := &PagerDuty{RoutingKey: "e93facc04764012d7bfb002500d5d1a6", open: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/enqueue", p.enqueue)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.refuse(r, "there is no such call")
		http.NotFound(w, r)
	})
	p.Local = newLocal(t, "PagerDuty", mux)
	return p
}

// API is the address that events go to.
func (p *PagerDuty) API() string { return p.URL + "/v2/enqueue" }

// Posts gives all that was posted, in order.
func (p *PagerDuty) Posts() []PagerDutyPost {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.posts)
}

// Open gives the keys of the alerts that are open: what people see. An event that is
// posted twice is one alert.
func (p *PagerDuty) Open() (keys []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, open := range p.open {
		if open {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (p *PagerDuty) enqueue(w http.ResponseWriter, r *http.Request) {
	var post PagerDutyPost
	err := exactly(r, &post)
	wrong := []string{}
	switch {
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		wrong = append(wrong, "Content-Type must be application/json")
	case r.ContentLength > 512<<10:
		wrong = append(wrong, "the event is larger than 512 KB")
	case err != nil:
		wrong = append(wrong, "JSON parse error: "+err.Error())
	default:
		wrong = post.check()
	}
	if len(wrong) > 0 {
		p.refuse(r, strings.Join(wrong, "; "))
	} else if post.RoutingKey != p.RoutingKey {
		wrong = append(wrong, "Invalid routing key")
	}
	if len(wrong) > 0 {
		say(w, http.StatusBadRequest, map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": wrong})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posts = append(p.posts, post)
	if _, known := p.open[post.DedupKey]; known || post.Action == "trigger" {
		p.open[post.DedupKey] = post.Action == "trigger"
	}
	say(w, http.StatusAccepted, map[string]string{"status": "success", "message": "Event processed", "dedup_key": post.DedupKey})
}

// check finds what PagerDuty would refuse, and what it would cut.
func (p PagerDutyPost) check() (wrong []string) {
	complain := func(is bool, format string, args ...any) {
		if is {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	complain(len(p.RoutingKey) != 32, "Length of 'routing_key' is incorrect (should be 32 characters)")
	complain(p.Action != "trigger" && p.Action != "resolve", "'event_action' is %q", p.Action)
	complain(p.DedupKey == "" || len(p.DedupKey) > 255, "'dedup_key' has %d characters", len(p.DedupKey))
	for _, link := range p.Links {
		u, err := url.Parse(link.Href)
		complain(err != nil || u.Host == "", "a link is no URL: %q", link.Href)
	}
	if p.Action == "resolve" && p.Payload == nil {
		return wrong
	}
	if p.Payload == nil {
		return append(wrong, "'payload' is missing")
	}
	complain(p.Payload.Summary == "" || units(p.Payload.Summary) > 1024, "'payload.summary' has %d characters", units(p.Payload.Summary))
	complain(p.Payload.Source == "", "'payload.source' is missing")
	complain(!slices.Contains([]string{"critical", "error", "warning", "info"}, p.Payload.Severity), "'payload.severity' is %q", p.Payload.Severity)
	if p.Payload.Timestamp != "" {
		_, err := time.Parse(time.RFC3339Nano, p.Payload.Timestamp)
		complain(err != nil, "'payload.timestamp' is %q", p.Payload.Timestamp)
	}
	return wrong
}
