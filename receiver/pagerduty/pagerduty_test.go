package pagerduty_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendortest"
	"github.com/compliancelayer/compliancelayer/receiver/pagerduty"
)

const alertData = `{"alert_id":456,"alert_type":"%s","severity":"%s","domain":"example.com","title":"Security Score Dropped",
	"message":"Score decreased from 92 to 78 (-14 points)","old_value":"92","new_value":"78","score":78,"grade":"C+","created_at":"2026-03-08T12:34:56.789Z"%s}`

func event(id, eventType, data string) receiver.Event[json.RawMessage] {
	var test struct {
		Test bool `json:"test"`
	}
	_ = json.Unmarshal([]byte(data), &test) // what is not an object is no test
	return receiver.Event[json.RawMessage]{
		ID: id, Type: eventType, CreatedAt: time.Date(2026, 3, 8, 12, 35, 0, 0, time.UTC), Raw: json.RawMessage(data), Test: test.Test, ReceivedAt: time.Now(),
	}
}

func alert(id, alertType, severity, more string) receiver.Event[json.RawMessage] {
	return event(id, "alert.triggered", fmt.Sprintf(alertData, alertType, severity, more))
}

func sinkTo(t *testing.T, server *vendortest.PagerDuty, with func(*pagerduty.Config)) *pagerduty.Sink {
	t.Helper()
	cfg := pagerduty.Config{RoutingKey: server.RoutingKey, API: server.API(), HTTP: vendortest.Through(t)}
	if with != nil {
		with(&cfg)
	}
	sink, err := pagerduty.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func TestACriticalAlertTriggers(t *testing.T) {
	t.Parallel()
	server := vendortest.NewPagerDuty(t)
	vendortest.Handle(t, sinkTo(t, server, nil), alert("e1", "score_drop", "critical", ""))
	want := []vendortest.PagerDutyPost{{
		RoutingKey: server.RoutingKey, Action: "trigger", DedupKey: "compliancelayer-example.com-score_drop", Client: "ComplianceLayer",
		Payload: &vendortest.PagerDutyPayload{
			Summary: "Security Score Dropped - example.com", Source: "example.com", Severity: "critical", Timestamp: "2026-03-08T12:34:56.789Z", Class: "score_drop",
			Details: map[string]any{
				"event_id": "e1", "alert_id": "456", "alert_type": "score_drop", "domain": "example.com", "severity": "critical", "grade": "C+", "score": 78.0,
				"message": "Score decreased from 92 to 78 (-14 points)", "old_value": "92", "new_value": "78",
			},
		},
	}}
	if diff := cmp.Diff(want, server.Posts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlyWhatIsChosenTriggers(t *testing.T) {
	t.Parallel()
	quiet := []receiver.Event[json.RawMessage]{
		event("e5", "scan.completed", `{"domain":"example.com","score":5,"critical_issues":9}`), event("e6", "score.changed", `{}`), event("e7", "acme.thing", `[]`),
		alert("e8", "score_drop", "dire", ""), event("e9", "alert.triggered", `{"severity":5}`), alert("e10", "score_drop", "critical", `,"test":true`),
		event("e11", "scan.completed", `{"domain":"example.com","critical_issues":0}`),
	}
	levels := map[string]string{"critical": "critical", "high": "error", "medium": "warning", "low": "info", "info": "info"}
	for severity, level := range levels {
		server := vendortest.NewPagerDuty(t)
		vendortest.Handle(t, sinkTo(t, server, nil), append(quiet, alert("e1", "score_drop", severity, ""))...)
		if got := len(server.Posts()); got != map[bool]int{true: 1}[severity == "critical"] {
			t.Errorf("by default, %s makes %d posts", severity, got)
		}
		chosen := sinkTo(t, server, func(c *pagerduty.Config) { c.Severities = []string{severity} })
		vendortest.Handle(t, chosen, append(quiet, alert("e1", "score_drop", severity, ""))...)
		posts := server.Posts()
		if got := posts[len(posts)-1].Payload.Severity; got != level {
			t.Errorf("%s is %s, want %s", severity, got, level)
		}
	}
}

func TestAProblemIsOneAlertUntilItIsOver(t *testing.T) {
	t.Parallel()
	for name, over := range map[string]receiver.Event[json.RawMessage]{
		"resolved": alert("e9", "score_drop", "info", `,"resolved":true`),
		"status":   alert("e9", "score_drop", "critical", `,"status":"resolved"`),
		"type":     event("e9", "alert.resolved", `{"domain":"EXAMPLE.com","alert_type":"score_drop"}`),
	} {
		server := vendortest.NewPagerDuty(t)
		sink := sinkTo(t, server, nil)
		again := alert("e1", "score_drop", "critical", "")
		again.Unsure = true
		vendortest.Handle(t, sink, alert("e1", "score_drop", "critical", ""), again, alert("e2", "score_drop", "critical", ""), alert("e3", "cert_expired", "critical", ""))
		if diff := cmp.Diff([]string{"compliancelayer-example.com-cert_expired", "compliancelayer-example.com-score_drop"}, server.Open()); diff != "" {
			t.Errorf("%s: open (-want +got):\n%s", name, diff)
		}
		vendortest.Handle(t, sink, over)
		if diff := cmp.Diff([]string{"compliancelayer-example.com-cert_expired"}, server.Open()); diff != "" {
			t.Errorf("%s: open at last (-want +got):\n%s", name, diff)
		}
	}
}

func TestACleanScanResolvesWhenAsked(t *testing.T) {
	t.Parallel()
	server := vendortest.NewPagerDuty(t)
	sink := sinkTo(t, server, func(c *pagerduty.Config) { c.ResolveOnScan = true })
	vendortest.Handle(t, sink, alert("e1", "critical_issue", "critical", ""), alert("e2", "score_drop", "critical", ""),
		event("e3", "scan.completed", `{"domain":"example.com","critical_issues":1}`), event("e4", "scan.completed", `{"domain":"example.com"}`),
		event("e5", "scan.completed", `{"domain":"example.com","critical_issues":0,"test":true}`), event("e6", "scan.completed", `{"domain":"other.example","critical_issues":0}`))
	if n := len(server.Open()); n != 2 {
		t.Errorf("%d alerts are open, want both", n)
	}
	vendortest.Handle(t, sink, event("e7", "scan.completed", `{"domain":"example.com","critical_issues":0}`))
	if diff := cmp.Diff([]string{"compliancelayer-example.com-score_drop"}, server.Open()); diff != "" {
		t.Errorf("open (-want +got):\n%s", diff)
	}
}

func TestTestsHaveAKeyOfTheirOwn(t *testing.T) {
	t.Parallel()
	server := vendortest.NewPagerDuty(t)
	sink := sinkTo(t, server, func(c *pagerduty.Config) { c.Tests = true })
	vendortest.Handle(t, sink, event("e1", "scan.completed", `{"test":true,"domain":"example.com","score":85,"message":"This is a test webhook from ComplianceLayer"}`))
	got := server.Posts()[0]
	if got.DedupKey != "test-compliancelayer-example.com-scan.completed" || got.Payload.Severity != "info" || !strings.HasPrefix(got.Payload.Summary, "[Test] ") {
		t.Errorf("a test is %+v %+v, want its own key, severity info and the mark of a test", got, got.Payload)
	}
}

func TestKeysDoNotMeet(t *testing.T) {
	t.Parallel()
	server := vendortest.NewPagerDuty(t)
	sink := sinkTo(t, server, nil)
	long := strings.Repeat("é", 300)
	for i, data := range []string{
		`{"severity":"critical","domain":"` + long + `","alert_type":"a"}`, `{"severity":"critical","domain":"` + long + `x","alert_type":"a"}`,
		`{"severity":"critical","domain":"` + long + `","alert_type":"b"}`, `{"severity":"critical"}`, `{"severity":"critical"}`,
	} {
		vendortest.Handle(t, sink, event(fmt.Sprintf("e%d", i), "alert.triggered", data), event(fmt.Sprintf("e%d", i), "alert.triggered", data))
	}
	if n := len(server.Open()); n != 5 {
		t.Errorf("%d alerts are open, want 5: %q", n, server.Open())
	}
}

// The server refuses what is longer than PagerDuty takes, which fails the test.
func TestNothingIsTooLong(t *testing.T) {
	t.Parallel()
	server := vendortest.NewPagerDuty(t)
	sink := sinkTo(t, server, func(c *pagerduty.Config) {
		c.Details = map[string]string{}
		for i := range 15 {
			c.Details[fmt.Sprintf("d%d", i)] = "{{.Domain}}"
		}
	})
	long := strings.Repeat("<", 100_000)
	data, _ := json.Marshal(map[string]any{"severity": "critical", "domain": long, "title": long + "🔒", "message": long, "alert_type": long, "old_value": long, "new_value": long, "grade": long, "alert_id": long})
	vendortest.Handle(t, sink, event("e1", "alert.triggered", string(data)))
}

func TestTemplatesMapFields(t *testing.T) {
	t.Parallel()
	server := vendortest.NewPagerDuty(t)
	sink := sinkTo(t, server, func(c *pagerduty.Config) {
		c.Summary, c.Source, c.Component = "{{.Domain | upper}} {{.AlertType}}", "{{.Data.none}}", "{{.Data.alert_id}}"
		c.Group, c.Class, c.ClientURL = "web", "{{.Severity}}", "https://app.example"
		c.Details = map[string]string{"runbook": "see {{.AlertType}} & co"}
		c.Links = []pagerduty.Link{{Href: "https://app.example/{{.Domain}}", Text: "{{.Title}}"}, {Href: "{{.Data.none}}"}, {Href: "javascript:alert(1)"}}
	})
	vendortest.Handle(t, sink, alert("e1", "score_drop", "critical", ""))
	got := server.Posts()[0]
	want := vendortest.PagerDutyPayload{
		Summary: "EXAMPLE.COM score_drop", Source: "example.com", Severity: "critical", Timestamp: "2026-03-08T12:34:56.789Z", Component: "456", Group: "web", Class: "critical",
	}
	if got.Payload.Details["runbook"] != "see score_drop & co" {
		t.Errorf("the details are %v, want the user's among them", got.Payload.Details)
	}
	got.Payload.Details = nil
	if diff := cmp.Diff(want, *got.Payload); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]vendortest.PagerDutyLink{{Href: "https://app.example/example.com", Text: "Security Score Dropped"}}, got.Links); diff != "" || got.ClientURL != "https://app.example" {
		t.Errorf("client URL %q, links (-want +got):\n%s", got.ClientURL, diff)
	}
}

func TestTroubleOnTheWay(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		trouble vendortest.Trouble
		want    receiver.Failure
		says    string
	}{
		"400":       {vendortest.Trouble{Status: 400, Body: `{"status":"invalid event","message":"Event object is invalid","errors":["no good"]}`}, receiver.Failure{Permanent: true}, "PagerDuty: answered 400: Event object is invalid; no good"},
		"400, bare": {vendortest.Trouble{Status: 400, Body: `Bad Request`}, receiver.Failure{Permanent: true}, "PagerDuty: answered 400: Bad Request"},
		"429":       {vendortest.Trouble{Status: 429, Header: map[string]string{"Retry-After": "30"}}, receiver.Failure{Unavailable: true, After: 30 * time.Second}, "answered 429"},
		"500":       {vendortest.Trouble{Done: true, Status: 500, Body: `{"status":"error","message":"Internal Server Error"}`}, receiver.Failure{Unavailable: true, Answered: true}, "Internal Server Error"},
		"reset":     {vendortest.Trouble{Done: true, Reset: true, Body: `{"sta`}, receiver.Failure{Unavailable: true, Answered: true}, ""},
		"huge":      {vendortest.Trouble{Done: true, Body: strings.Repeat("x", 3<<20)}, receiver.Failure{Unavailable: true, Answered: true}, "longer than"},
		"redirect":  {vendortest.Trouble{Status: 301, Header: map[string]string{"Location": "/elsewhere"}}, receiver.Failure{Unavailable: true, Answered: true}, "answered 301"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := vendortest.NewPagerDuty(t)
			sink := sinkTo(t, server, nil)
			server.Next("/v2/enqueue", tt.trouble)
			err := sink.Handle(t.Context(), alert("e1", "score_drop", "critical", ""))
			got := vendortest.Failure(t, err)
			if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), server.URL) {
				t.Errorf("the error is %q, want %q in it and no URL", err, tt.says)
			}
			got.Err = nil
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			vendortest.Handle(t, sink, alert("e1", "score_drop", "critical", ""))
			if n := len(server.Open()); n != 1 {
				t.Errorf("%d alerts are open, want 1", n)
			}
		})
	}
}

func TestAWrongKeyKeepsTheEvents(t *testing.T) {
	t.Parallel()
	server := vendortest.NewPagerDuty(t)
	wrong := strings.Repeat("5ec7", 8)
	sink := sinkTo(t, server, func(c *pagerduty.Config) { c.RoutingKey = wrong })
	err := sink.Handle(t.Context(), alert("e1", "score_drop", "critical", ""))
	if got := vendortest.Failure(t, err); !got.Unavailable || got.Permanent || !strings.Contains(err.Error(), "set the integration key") || strings.Contains(err.Error(), wrong) {
		t.Errorf("got %+v, want it unavailable, with what to set and without the key", got)
	}
	server.Next("/v2/enqueue", vendortest.Trouble{Status: 400, Body: `{"message":"no ` + wrong + ` here"}`})
	if err := sink.Handle(t.Context(), alert("e1", "score_drop", "critical", "")); err == nil || strings.Contains(err.Error(), wrong) {
		t.Errorf("got %v, want an error without the key that PagerDuty repeats", err)
	}
	server.Stop()
	if got := vendortest.Failure(t, sink.Handle(t.Context(), alert("e1", "score_drop", "critical", ""))); !got.Unavailable || got.Answered {
		t.Errorf("stopped: got %+v, want it unavailable", got)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("5ec7", 8)
	tests := map[string]struct {
		cfg  pagerduty.Config
		want string
	}{
		"nothing":      {pagerduty.Config{}, "routing key: it must have 32 characters"},
		"short":        {pagerduty.Config{RoutingKey: secret[1:]}, "routing key: it must have 32 characters"},
		"severity":     {pagerduty.Config{RoutingKey: secret, Severities: []string{"error"}}, `severities: "error" is none`},
		"template":     {pagerduty.Config{RoutingKey: secret, Summary: "{{.Nope}}"}, "the template of summary, line 1:2"},
		"detail":       {pagerduty.Config{RoutingKey: secret, Details: map[string]string{"a": "{{"}}, "the template of details.a, line 1"},
		"link":         {pagerduty.Config{RoutingKey: secret, Links: []pagerduty.Link{{Href: "{{end}}"}}}, "the template of links[0].href, line 1"},
		"API":          {pagerduty.Config{RoutingKey: secret, API: "events"}, "API: it is not a URL"},
		"many details": {pagerduty.Config{RoutingKey: secret, Details: many(16)}, "details: there are 16"},
	}
	for name, tt := range tests {
		_, err := pagerduty.New(tt.cfg)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "5ec7") {
			t.Errorf("%s gives %v, want %q and no secret", name, err, tt.want)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, tt.cfg); strings.Contains(text, "5ec7") {
				t.Errorf("%s: printed with %s it is %q", name, verb, text)
			}
		}
	}
	if _, err := pagerduty.New(pagerduty.Config{RoutingKey: secret, HTTP: http.DefaultClient}); err != nil {
		t.Errorf("what is enough gives %v", err)
	}
}

func many(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprint(i)] = "x"
	}
	return m
}
