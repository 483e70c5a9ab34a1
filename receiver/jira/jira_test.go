package jira

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendortest"
)

// open makes a server and a sink that reaches it, by a clock that stands.
func open(t *testing.T, change func(*Config)) (*vendortest.Jira, *Sink, *vendortest.Clock) {
	t.Helper()
	server, now := vendortest.NewJira(t), vendortest.NewClock()
	return server, sinkTo(t, server, now, change), now
}

func sinkTo(t *testing.T, server *vendortest.Jira, now *vendortest.Clock, change func(*Config)) *Sink {
	t.Helper()
	c := Config{BaseURL: server.URL, Email: server.Email, Token: server.Token, Project: server.Project, HTTP: &http.Client{}}
	if change != nil {
		change(&c)
	}
	s, err := newSink(c, now.Read)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// event makes one of data.
func event(id, eventType, data string) receiver.Event[json.RawMessage] {
	return receiver.Event[json.RawMessage]{
		ID: id, Type: eventType, Raw: json.RawMessage(data), Data: json.RawMessage(data), Try: 1,
		CreatedAt: time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC), Test: strings.Contains(data, `"test": true`),
	}
}

func scan(id, domain string, score int) receiver.Event[json.RawMessage] {
	return event(id, "scan.completed", fmt.Sprintf(`{"scan_id": 1, "domain": %q, "score": %d, "grade": "D", "critical_issues": 0, "high_issues": 5, "scanned_at": "2026-03-08T12:34:56.789Z"}`, domain, score))
}

func TestLowScoreMakesAnIssue(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, func(c *Config) { c.Labels = []string{"security"} })
	vendortest.Handle(t, s, scan("e1", "example.com", 69), scan("e2", "fine.example", 70))

	issues := server.Issues()
	if len(issues) != 1 {
		t.Fatalf("%d issues were made, want one of the score below 70", len(issues))
	}
	got := issues[0]
	if got.Summary != "Low security score for example.com: D" || got.Type != "Bug" || got.Priority != "High" || got.EventID != "e1" {
		t.Errorf("the issue is %+v", got)
	}
	if want := []string{"compliancelayer-domain-example.com", "security"}; !slices.Equal(got.Labels, want) {
		t.Errorf("its labels are %q, want %q", got.Labels, want)
	}
	want := "Domain: example.com\nScore: 69/100\nGrade: D\nCritical issues: 0\nHigh issues: 5\nWhen: 2026-03-08T12:34:56.789Z\nEvent: e1"
	if got.Description != want {
		t.Errorf("its description is\n%s\nwant\n%s", got.Description, want)
	}
}

func TestOneOpenIssueForADomain(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, nil)
	vendortest.Handle(t, s, scan("e1", "example.com", 60), scan("e2", "Example.com.", 50), scan("e3", "other.example", 50), scan("e4", "example.com", 40))
	issues := server.Issues()
	if len(issues) != 2 || len(issues[0].Comments) != 2 || issues[0].Comments[1].EventID != "e4" || len(issues[1].Comments) != 0 {
		t.Fatalf("the issues are %+v, want one a domain, and two comments at the first", issues)
	}
	if !strings.Contains(issues[0].Comments[0].Text, "Score: 50/100") {
		t.Errorf("the comment says %q", issues[0].Comments[0].Text)
	}

	server.Resolve(issues[0].Key)
	vendortest.Handle(t, s, scan("e5", "example.com", 60))
	if issues = server.Issues(); len(issues) != 3 || issues[2].EventID != "e5" {
		t.Errorf("after the issue was resolved: %+v, want a new one", issues)
	}
	vendortest.Handle(t, s, scan("e6", "example.com", 60))
	if issues = server.Issues(); len(issues) != 3 || len(issues[2].Comments) != 1 {
		t.Errorf("after that: %+v, want a comment on the new one", issues)
	}
}

func TestSearchThatIsBehind(t *testing.T) {
	t.Parallel()
	server, s, now := open(t, nil)
	vendortest.Handle(t, s, scan("e1", "a.example", 60), scan("e2", "b.example", 60), scan("e3", "c.example", 60))
	server.HoldIndex()
	server.Resolve("SEC-1")
	server.Delete("SEC-2")
	fresh := sinkTo(t, server, now, nil)                     // which knows of no issue that it made itself
	vendortest.Handle(t, fresh, scan("e4", "a.example", 60)) // the search says that it is open
	vendortest.Handle(t, fresh, scan("e5", "b.example", 60)) // the search says that it is there
	vendortest.Handle(t, s, scan("e6", "d.example", 60))     // the search
	vendortest.Handle(t, s, scan("e7", "d.example", 60))     // does not know this one
	vendortest.Handle(t, fresh, scan("e8", "c.example", 60))

	var got []string
	for _, issue := range server.Issues() {
		line := issue.EventID
		for _, comment := range issue.Comments {
			line += " " + comment.EventID
		}
		got = append(got, line)
	}
	if want := []string{"e1", "e3 e8", "e4", "e5", "e6 e7"}; !slices.Equal(got, want) {
		t.Errorf("the issues and their comments are %q, want %q", got, want)
	}
}

func TestManyAtOnceMakeOneIssue(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, nil)
	server.HoldIndex()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := s.Handle(t.Context(), scan(fmt.Sprint("e", i), "example.com", 60)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if issues := server.Issues(); len(issues) != 1 || len(issues[0].Comments) != 7 {
		t.Errorf("the issues are %+v, want one with seven comments", issues)
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
		{"it answers 503", vendortest.Trouble{Status: 503, Done: true}},
	}
	for _, tt := range lost {
		for _, call := range []string{"/rest/api/3/issue", "/rest/api/3/issue/10001/comment"} {
			t.Run(tt.name+", "+call, func(t *testing.T) {
				t.Parallel()
				server, s, now := open(t, nil)
				if strings.HasSuffix(call, "/comment") {
					vendortest.Handle(t, s, scan("e0", "example.com", 60))
				}
				server.Next(call, tt.trouble)
				e := scan("e1", "example.com", 60)
				ctx := t.Context()
				if tt.trouble.Hold {
					ctx = vendortest.UntilPosted(t, server, "e1")
				}
				f := vendortest.Failure(t, s.Handle(ctx, e))
				if !f.Unavailable || !f.Unsure {
					t.Fatalf("the failure is %+v, want one that waits and is not sure", f)
				}
				vendortest.Handle(t, s, vendortest.Again(e))
				if strings.HasSuffix(call, "/comment") {
					server.Resolve("SEC-1")
				}
				vendortest.Handle(t, sinkTo(t, server, now, nil), vendortest.Again(e)) // after a restart, and a resolution
				if n := server.Count("e1"); n != 1 {
					t.Errorf("the event is in Jira %d times", n)
				}
			})
		}
	}
}

func TestUnsureWaitsForTheSearch(t *testing.T) {
	t.Parallel()
	for _, restarted := range []bool{false, true} {
		for _, arrived := range []bool{true, false} {
			t.Run(fmt.Sprintf("restarted %v, arrived %v", restarted, arrived), func(t *testing.T) {
				t.Parallel()
				server, s, now := open(t, nil)
				server.HoldIndex()
				server.Next("/rest/api/3/issue", vendortest.Trouble{Reset: true, Done: arrived})
				e := scan("e1", "example.com", 60)
				if f := vendortest.Failure(t, s.Handle(t.Context(), e)); !f.Unsure {
					t.Fatalf("the failure is %+v, want one that is not sure", f)
				}
				if restarted {
					s = sinkTo(t, server, now, nil)
				}
				now.Pass(DefaultSettle / 3)
				want := DefaultSettle - DefaultSettle/3
				if restarted { // it knows nothing of the first third
					want = DefaultSettle
				}
				f := vendortest.Failure(t, s.Handle(t.Context(), vendortest.Again(e)))
				if !f.Unavailable || f.Answered || !f.Unsure || f.After != want {
					t.Fatalf("while the search may not know: %+v, want to come again in %v", f, want)
				}
				server.ReleaseIndex()
				now.Pass(want)
				vendortest.Handle(t, s, vendortest.Again(e))
				if n := server.Count("e1"); n != 1 {
					t.Errorf("the event is in Jira %d times", n)
				}
			})
		}
	}
}

func TestNotForJira(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, nil)
	vendortest.Handle(t, s,
		event("e1", "alert.triggered", `{"alert_type": "critical_issue", "severity": "critical", "domain": "example.com"}`),
		event("e2", "score.changed", `{"domain": "example.com", "score": 1}`),
		event("e3", "scan.completed", `{"test": true, "domain": "example.com", "score": 1, "grade": "F"}`),
		event("e4", "scan.completed", `{"domain": "example.com", "score": null}`),
		event("e5", "scan.completed", `"what"`),
		event("e6", "scan.completed", `{"domain": "example.com", "score": 70.5}`),
	)
	if calls := server.Requests(); len(calls) != 0 {
		t.Errorf("Jira was asked %q", calls)
	}
}

func TestAlertsAndTests(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, func(c *Config) {
		c.AlertSeverities, c.Tests, c.ScoreBelow, c.Priority = []string{"critical", "high"}, true, -1, NoPriority
	})
	vendortest.Handle(t, s,
		event("e1", "alert.triggered", `{"alert_type": "score_drop", "severity": "high", "domain": "example.com", "title": "Security Score Dropped", "message": "From 92 to 78", "score": 78}`),
		event("e2", "alert.triggered", `{"alert_type": "score_drop", "severity": "low", "domain": "low.example"}`),
		scan("e3", "bad.example", 0),
		event("e4", "scan.completed", `{"test": true, "domain": "example.com", "score": 85, "grade": "B", "message": "This is a test"}`),
		event("e5", "scan.completed", `{"test": true, "domain": "other.example"}`),
	)
	issues := server.Issues()
	if len(issues) != 2 || issues[0].EventID != "e1" || issues[1].EventID != "e4" || len(issues[1].Comments) != 1 {
		t.Fatalf("the issues are %+v, want one of the alert, and one of the tests with a comment", issues)
	}
	if got := issues[0]; got.Summary != "Security Score Dropped - example.com" || got.Priority != "" || !strings.HasPrefix(got.Description, "From 92 to 78\n\nDomain: example.com\nScore: 78/100\nAlert: score_drop, high\n") {
		t.Errorf("the issue of the alert is %+v", got)
	}
	if got := issues[1]; got.Summary != "Test: Low security score for example.com: B" || !slices.Equal(got.Labels, []string{testLabel}) {
		t.Errorf("the issue of tests is %+v", got)
	}
}
