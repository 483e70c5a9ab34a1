package datadog

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendortest"
)

// open makes a server and a sink that reaches it, by a clock that stands.
func open(t *testing.T, change func(*Config)) (*vendortest.Datadog, *Sink, *vendortest.Clock) {
	t.Helper()
	server, now := vendortest.NewDatadog(t), vendortest.NewClock()
	return server, sinkTo(t, server, now, change), now
}

func sinkTo(t *testing.T, server *vendortest.Datadog, now *vendortest.Clock, change func(*Config)) *Sink {
	t.Helper()
	c := Config{BaseURL: server.URL, APIKey: server.APIKey, ApplicationKey: server.ApplicationKey, HTTP: &http.Client{}}
	if change != nil {
		change(&c)
	}
	s, err := newSink(c, now.Read)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// event makes one of data that is a minute old.
func event(id, eventType, data string) receiver.Event[json.RawMessage] {
	return receiver.Event[json.RawMessage]{
		ID: id, Type: eventType, Raw: json.RawMessage(data), Data: json.RawMessage(data), Try: 1,
		CreatedAt: time.Now().Add(-time.Minute), ReceivedAt: time.Now(), Test: strings.Contains(data, `"test": true`),
	}
}

func alert(id, severity string) receiver.Event[json.RawMessage] {
	return event(id, "alert.triggered", fmt.Sprintf(`{"alert_id": 456, "alert_type": "score_drop", "severity": %q, "domain": "example.com", "title": "Security Score Dropped", "message": "Score decreased from 92 to 78 (-14 points)", "score": 78, "grade": "C+"}`, severity))
}

func TestAlert(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, func(c *Config) { c.Tags = []string{"env:Prod", "team"} })
	e := alert("550e8400-e29b-41d4-a716-446655440001", "critical")
	vendortest.Handle(t, s, e)
	posts := server.Posts()
	if len(posts) != 1 {
		t.Fatalf("%d events were posted", len(posts))
	}
	got := posts[0]
	if got.Title != "Alert: Security Score Dropped" || got.AlertType != "error" || got.AggregationKey != "compliancelayer:example.com:score_drop" || got.SourceTypeName != "compliancelayer" || got.DateHappened != e.CreatedAt.Unix() {
		t.Errorf("the post is %+v", got)
	}
	want := []string{"compliancelayer_event:550e8400-e29b-41d4-a716-446655440001", "type:score_drop", "domain:example.com", "severity:critical", "env:prod", "team"}
	if !slices.Equal(got.Tags, want) {
		t.Errorf("the tags are %q, want %q", got.Tags, want)
	}
	if want := "Score decreased from 92 to 78 (-14 points)\n\nDomain: example.com\nScore: 78/100\nGrade: C+\nWhen: " + e.CreatedAt.Format(time.RFC3339); got.Text != want {
		t.Errorf("the text is\n%s\nwant\n%s", got.Text, want)
	}
}

func TestAlertTypes(t *testing.T) {
	t.Parallel()
	tests := []struct{ eventType, data, want string }{
		{"alert.triggered", `{"severity": "critical"}`, "error"},
		{"alert.triggered", `{"severity": "high"}`, "warning"},
		{"alert.triggered", `{"severity": "medium"}`, "warning"},
		{"alert.triggered", `{"severity": "low"}`, "info"},
		{"alert.triggered", `{"severity": "info"}`, "info"},
		{"alert.triggered", `{"severity": "unheard of"}`, "warning"},
		{"alert.triggered", `{}`, "warning"},
		{"alert.triggered", `{"severity": "critical", "test": true}`, "info"},
		{"scan.completed", `{"score": 80}`, "success"},
		{"scan.completed", `{"score": 79}`, "warning"},
		{"scan.completed", `{"score": 60}`, "warning"},
		{"scan.completed", `{"score": 59}`, "error"},
		{"scan.completed", `{}`, "info"},
		{"score.changed", `{"score": 1}`, "info"},
	}
	server, s, _ := open(t, func(c *Config) { c.Types = []string{"*"} })
	for i, tt := range tests {
		vendortest.Handle(t, s, event(fmt.Sprint("e", i), tt.eventType, tt.data))
		if got := server.Posts()[i].AlertType; got != tt.want {
			t.Errorf("%s with %s is %q, want %q", tt.eventType, tt.data, got, tt.want)
		}
	}
}

func TestWhatIsPosted(t *testing.T) {
	t.Parallel()
	events := []receiver.Event[json.RawMessage]{
		alert("e1", "low"),
		event("e2", "scan.completed", `{"domain": "example.com", "score": 85, "grade": "B", "critical_issues": 0}`),
		event("e3", "score.changed", `{"domain": "example.com"}`),
		event("e4", "scan.completed", `{"test": true, "domain": "example.com", "score": 85}`),
		event("e5", "scan.completed", `[]`),
	}
	tests := []struct {
		name   string
		change func(*Config)
		want   []string // titles
	}{
		{"by default", nil, []string{"Alert: Security Score Dropped", "Scan completed: example.com B", "Test: Scan completed: example.com", "Scan completed:"}},
		{"one type", func(c *Config) { c.Types = []string{"score.changed"} }, []string{"score.changed: example.com"}},
		{"none", func(c *Config) { c.Types = []string{} }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, s, _ := open(t, tt.change)
			vendortest.Handle(t, s, events...)
			var got []string
			for _, post := range server.Posts() {
				got = append(got, post.Title)
				if test := strings.HasPrefix(post.Title, "Test: "); slices.Contains(post.Tags, "test:true") != test {
					t.Errorf("%q has the tags %q", post.Title, post.Tags)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("posted are %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOldEvents(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, nil)
	for i, age := range []time.Duration{16 * time.Hour, 18 * time.Hour, 1000 * time.Hour, -time.Hour} {
		e := alert(fmt.Sprint("e", i), "high")
		e.CreatedAt = time.Now().Add(-age)
		vendortest.Handle(t, s, e)
		happened := time.Unix(server.Posts()[i].DateHappened, 0)
		if told := happened.Equal(e.CreatedAt.Truncate(time.Second)); told != (i == 0) {
			t.Errorf("an event from %v ago is posted as of %v", age, happened)
		}
	}
}

func TestUnsureIsLookedUp(t *testing.T) {
	t.Parallel()
	lost := []struct {
		name    string
		trouble vendortest.Trouble
	}{
		{"the connection is cut", vendortest.Trouble{Reset: true, Done: true}},
		{"there is no answer", vendortest.Trouble{Hold: true, Done: true}},
		{"it answers 500", vendortest.Trouble{Status: 500, Done: true}},
	}
	for _, tt := range lost {
		for _, age := range []time.Duration{time.Minute, 30 * time.Hour} {
			t.Run(fmt.Sprint(tt.name, ", of ", age, " ago"), func(t *testing.T) {
				t.Parallel()
				server, s, now := open(t, nil)
				vendortest.Handle(t, s, alert("e0", "high")) // which has the same aggregation key
				server.Next("/api/v1/events", tt.trouble)
				e := alert("e1", "high")
				e.CreatedAt = time.Now().Add(-age)
				ctx := t.Context()
				if tt.trouble.Hold {
					ctx = vendortest.UntilPosted(t, server, "e1")
				}
				if f := vendortest.Failure(t, s.Handle(ctx, e)); !f.Unavailable || !f.Unsure {
					t.Fatalf("the failure is %+v, want one that waits and is not sure", f)
				}
				vendortest.Handle(t, s, vendortest.Again(e))
				vendortest.Handle(t, sinkTo(t, server, now, nil), vendortest.Again(e)) // after a restart
				if n := server.Count("e1"); n != 1 {
					t.Errorf("the event was posted %d times", n)
				}
			})
		}
	}
}
