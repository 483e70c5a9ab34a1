package slack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendortest"
	"github.com/compliancelayer/compliancelayer/receiver/slack"
)

const scan = `{"scan_id":12345,"domain":"example.com","score":85,"grade":"B","critical_issues":0,"high_issues":2}`

func event(id, eventType, data string) receiver.Event[json.RawMessage] {
	var test struct {
		Test bool `json:"test"`
	}
	_ = json.Unmarshal([]byte(data), &test) // what is not an object is no test
	return receiver.Event[json.RawMessage]{
		ID: id, Type: eventType, CreatedAt: time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC), Raw: json.RawMessage(data), Test: test.Test, ReceivedAt: time.Now(),
	}
}

func bot(t testing.TB, server *vendortest.Slack, with func(*slack.Config)) *slack.Sink {
	t.Helper()
	cfg := slack.Config{Token: server.Token, Channel: server.ChannelID, API: server.API(), HTTP: vendortest.Through(t), Logger: slog.New(slog.DiscardHandler)}
	if with != nil {
		with(&cfg)
	}
	sink, err := slack.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

// told is a message in a form to compare.
func told(p vendortest.SlackPost) []string {
	lines := []string{p.Text}
	show := func(blocks []vendortest.SlackBlock) {
		for _, b := range blocks {
			if b.Text != nil {
				lines = append(lines, b.Type+" "+b.Text.Text)
			}
			for _, f := range b.Fields {
				lines = append(lines, strings.ReplaceAll(f.Text, "\n", " "))
			}
		}
	}
	show(p.Blocks)
	for _, a := range p.Attachments {
		lines = append(lines, "color "+a.Color)
		show(a.Blocks)
	}
	return lines
}

const alertData = `{"alert_id":456,"alert_type":"score_drop","severity":"%s","domain":"example.com","title":"Security Score Dropped",
	"message":"Score decreased from 92 to 78 (-14 points)","old_value":"92","new_value":"78","score":78,"grade":"C+"%s}`

func TestMessages(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		eventType, data string
		want            []string
	}{
		"good scan": {"scan.completed", scan, []string{
			"🔒 Scan completed: *example.com* ✅ B (85/100)", "header 🔒 Scan completed: example.com", "color good",
			"*Score:* ✅ 85/100", "*Grade:* B", "*Critical:* 0", "*High:* 2",
		}},
		"bad scan": {"scan.completed", `{"domain":"example.com","score":59,"grade":"F","critical_issues":3,"high_issues":1}`, []string{
			"🔒 Scan completed: *example.com* 🚨 F (59/100)", "header 🔒 Scan completed: example.com", "color danger",
			"*Score:* 🚨 59/100", "*Grade:* F", "*Critical:* 3", "*High:* 1",
		}},
		"middling scan with odd numbers": {"scan.completed", `{"domain":"example.com","score":6e1,"grade":null,"critical_issues":"many"}`, []string{
			"🔒 Scan completed: *example.com* ⚠️ – (60/100)", "header 🔒 Scan completed: example.com", "color warning",
			"*Score:* ⚠️ 60/100", "*Grade:* –", "*Critical:* –", "*High:* –",
		}},
		"test": {"scan.completed", `{"test":true,"domain":"example.com","score":85,"grade":"B","message":"This is a test webhook from ComplianceLayer"}`, []string{
			"🧪 Test: Scan completed: *example.com* ✅ B (85/100)", "header 🧪 Test: Scan completed: example.com", "color #8d99a6",
			"*Score:* ✅ 85/100", "*Grade:* B", "*Critical:* –", "*High:* –", "*Test:* Somebody pressed Test; nothing happened to the domain.",
			"section This is a test webhook from ComplianceLayer",
		}},
		"critical alert": {"alert.triggered", fmt.Sprintf(alertData, "critical", ""), []string{
			"🚨 Security Score Dropped: *example.com* (critical)", "header 🚨 Security Score Dropped: example.com", "color danger",
			"*Domain:* example.com", "*Severity:* critical", "*Type:* score_drop", "*Change:* 92 → 78", "*Grade:* C+", "*Score:* 78/100",
			"section Score decreased from 92 to 78 (-14 points)",
		}},
		"alert that is over": {"alert.triggered", fmt.Sprintf(alertData, "low", `,"resolved":true`), []string{
			"✅ Resolved: Security Score Dropped: *example.com* (low)", "header ✅ Resolved: Security Score Dropped: example.com", "color good",
			"*Domain:* example.com", "*Severity:* low", "*Type:* score_drop", "*Change:* 92 → 78", "*Grade:* C+", "*Score:* 78/100",
			"section Score decreased from 92 to 78 (-14 points)",
		}},
		"score changed": {"score.changed", `{"domain":"example.com","old_value":92,"new_value":78,"score":78,"grade":"C+"}`, []string{
			"⚠️ Score changed: *example.com* 92 → 78", "header ⚠️ Score changed: example.com", "color warning", "*Score:* 92 → 78", "*Grade:* C+",
		}},
		"domain added": {"domain.added", `{"domain":"example.com"}`, []string{
			"➕ Domain added: *example.com*", "header ➕ Domain added: example.com", "color #8d99a6",
		}},
		"delivery failed": {"delivery.failed", `{"delivery_id":"12345","endpoint_id":"ep_1","attempts":6,"last_attempt":{"hint":"Look into its log."}}`, []string{
			"⛔ Delivery failed: *ep_1*", "header ⛔ Delivery failed: ep_1", "color danger", "*attempts:* 6", "*delivery id:* 12345", "*endpoint id:* ep_1", "section Look into its log.",
		}},
		"unknown": {"acme.thing", `{"b":true,"a":1.5,"c":{"d":1},"e":null}`, []string{
			"📨 acme.thing", "header 📨 acme.thing", "color #8d99a6", "*a:* 1.5", "*b:* true",
		}},
		"mentions": {"alert.triggered", `{"domain":"<!channel>","title":"<https://evil.example|click> & @here","message":"<@U1>","severity":"<!here>"}`, []string{
			"🔔 &lt;https://evil.example|click&gt; &amp; @here: *&lt;!channel&gt;* (&lt;!here&gt;)", "header 🔔 <https://evil.example|click> & @here: <!channel>", "color #8d99a6",
			"*Domain:* &lt;!channel&gt;", "*Severity:* &lt;!here&gt;", "section &lt;@U1&gt;",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := vendortest.NewSlack(t)
			sinks := map[string]*slack.Sink{"bot": bot(t, server, nil)}
			hook, err := slack.New(slack.Config{WebhookURL: server.HookURL(), HTTP: vendortest.Through(t)})
			if err != nil {
				t.Fatal(err)
			}
			sinks["webhook"] = hook
			for way, sink := range sinks {
				if err := sink.Handle(t.Context(), event("e1", tt.eventType, tt.data)); err != nil {
					t.Fatalf("%s: %v", way, err)
				}
				posts := server.Posts()
				for _, b := range posts[len(posts)-1].Attachments[0].Blocks {
					for _, text := range append(b.Fields, b.Elements...) {
						if text.Type != "mrkdwn" || text.Verbatim == nil || !*text.Verbatim {
							t.Errorf("%s: %q is not verbatim, so that Slack looks for mentions in it", way, text.Text)
						}
					}
				}
				if diff := cmp.Diff(tt.want, told(posts[len(posts)-1])); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

// The server refuses what is longer than Slack takes, which fails the test.
func TestNothingIsTooLong(t *testing.T) {
	t.Parallel()
	server := vendortest.NewSlack(t)
	many := map[string]any{"domain": strings.Repeat("<&>🔒", 20_000), "title": strings.Repeat("x ", 9000), "message": strings.Repeat("&", 9000), "old_value": strings.Repeat("é", 5000)}
	for i := range 60 {
		many[fmt.Sprintf("%s%d", strings.Repeat("n", 3000), i)] = strings.Repeat("v", 3000)
	}
	data, _ := json.Marshal(many)
	sinks := []*slack.Sink{bot(t, server, nil), bot(t, server, func(c *slack.Config) {
		c.Header, c.Text, c.Message = "{{.Domain}}\n{{.Title}}", "{{.Domain}}", "{{.Domain}}"
		c.Fields = []slack.Field{{Title: strings.Repeat("t", 3000), Value: "{{.Domain}}"}}
	})}
	for i, sink := range sinks {
		for _, eventType := range []string{"scan.completed", "alert.triggered", "score.changed", "domain.added", "acme.thing"} {
			if err := sink.Handle(t.Context(), event("e1", eventType, string(data))); err != nil {
				t.Errorf("sink %d, %s: %v", i, eventType, err)
			}
		}
	}
	for _, post := range server.Posts() {
		for _, field := range post.Attachments[0].Blocks {
			if field.Text != nil && strings.HasSuffix(strings.TrimSuffix(field.Text.Text, "…"), "&am") {
				t.Errorf("an escape is cut in two: %q", field.Text.Text[len(field.Text.Text)-10:])
			}
		}
	}
}

func TestTemplatesMapFields(t *testing.T) {
	t.Parallel()
	server := vendortest.NewSlack(t)
	sink := bot(t, server, func(c *slack.Config) {
		c.Text = "{{.Domain}} has {{.Data.critical_issues}} <!here>"
		c.Header = "{{.Domain}} & {{.Grade | lower}}"
		c.Message = "<https://app.example/{{.Domain}}|report>"
		c.Fields = []slack.Field{{Title: "Where", Value: "{{.Domain}}"}, {Title: "None", Value: "{{.Data.none}}"}}
	})
	if err := sink.Handle(t.Context(), event("e1", "scan.completed", `{"domain":"a<b","grade":"B","critical_issues":4}`)); err != nil {
		t.Fatal(err)
	}
	want := []string{"a&lt;b has 4 <!here>", "header a<b & b", "color #8d99a6", "*Where:* a&lt;b", "section <https://app.example/a&lt;b|report>"}
	if diff := cmp.Diff(want, told(server.Posts()[0])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := sink.Handle(t.Context(), event("e2", "scan.completed", `{"test":true,"domain":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if got := told(server.Posts()[1]); !strings.HasPrefix(got[0], "🧪 Test: ") || !strings.HasPrefix(got[1], "header 🧪 Test: ") {
		t.Errorf("a test event says %q, want it marked as one whatever the templates say", got[:2])
	}
}

func TestWhatSlackSaysDecidesWhatBecomesOfTheEvent(t *testing.T) {
	t.Parallel()
	tests := map[string]receiver.Failure{
		"ratelimited": {Unavailable: true}, "internal_error": {Unavailable: true, Answered: true, Unsure: true},
		"fatal_error": {Unavailable: true, Answered: true, Unsure: true}, "service_unavailable": {Unavailable: true, Answered: true, Unsure: true},
		"invalid_auth": {Unavailable: true}, "account_inactive": {Unavailable: true}, "token_revoked": {Unavailable: true}, "not_in_channel": {Unavailable: true},
		"channel_not_found": {Unavailable: true}, "missing_scope": {Unavailable: true}, "is_archived": {Unavailable: true},
		"invalid_blocks": {Permanent: true}, "no_text": {Permanent: true}, "never_heard_of": {Permanent: true},
	}
	for code, want := range tests {
		server := vendortest.NewSlack(t)
		server.Refuse(code)
		sink := bot(t, server, nil)
		err := sink.Handle(t.Context(), event("e1", "scan.completed", scan))
		got := vendortest.Failure(t, err)
		if !strings.Contains(err.Error(), code) || strings.Contains(err.Error(), server.Token) {
			t.Errorf("%s: the error is %q, want Slack's word and no token", code, err)
		}
		got.Err = nil
		if got != want {
			t.Errorf("%s gives %+v, want %+v", code, got, want)
		}
		if err := sink.Handle(t.Context(), event("e1", "scan.completed", scan)); err != nil {
			t.Errorf("%s: the next try gives %v", code, err)
		}
	}
}

func TestTroubleOnTheWay(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3<<20)
	tests := map[string]struct {
		trouble vendortest.Trouble
		want    receiver.Failure
	}{
		"429":       {vendortest.Trouble{Status: 429, Header: map[string]string{"Retry-After": "30"}, Body: `{"ok":false,"error":"ratelimited"}`}, receiver.Failure{Unavailable: true, After: 30 * time.Second}},
		"200 limit": {vendortest.Trouble{Header: map[string]string{"Retry-After": "30"}, Body: `{"ok":false,"error":"ratelimited"}`}, receiver.Failure{Unavailable: true, After: 30 * time.Second}},
		"500":       {vendortest.Trouble{Done: true, Status: 500, Body: "oops"}, receiver.Failure{Unavailable: true, Answered: true, Unsure: true}},
		"reset":     {vendortest.Trouble{Done: true, Reset: true, Body: `{"ok":tr`}, receiver.Failure{Unavailable: true, Answered: true, Unsure: true}},
		"no JSON":   {vendortest.Trouble{Done: true, Body: "<html>"}, receiver.Failure{Unavailable: true, Answered: true, Unsure: true}},
		"huge":      {vendortest.Trouble{Done: true, Body: long}, receiver.Failure{Unavailable: true, Answered: true, Unsure: true}},
		"redirect":  {vendortest.Trouble{Status: 302, Header: map[string]string{"Location": "/login"}}, receiver.Failure{Unavailable: true, Answered: true}},
		"403":       {vendortest.Trouble{Status: 403, Body: "no"}, receiver.Failure{Unavailable: true, Answered: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := vendortest.NewSlack(t)
			server.Next("/api/chat.postMessage", tt.trouble)
			sink := bot(t, server, nil)
			e := event("e1", "scan.completed", scan)
			got := vendortest.Failure(t, sink.Handle(t.Context(), e))
			got.Err = nil
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			e.Unsure = got.Unsure
			if err := sink.Handle(t.Context(), e); err != nil {
				t.Errorf("the next try gives %v", err)
			}
			if n := server.Count("e1"); n != 1 {
				t.Errorf("the event was posted %d times, want once", n)
			}
		})
	}
}

func TestAVendorThatIsAwayIsSure(t *testing.T) {
	t.Parallel()
	server := vendortest.NewSlack(t)
	sink := bot(t, server, nil)
	server.Stop()
	if got := vendortest.Failure(t, sink.Handle(t.Context(), event("e1", "scan.completed", scan))); !got.Unavailable || got.Unsure || got.Answered {
		t.Errorf("got %+v, want it unavailable and sure", got)
	}
	server.Start()
	if err := sink.Handle(t.Context(), event("e1", "scan.completed", scan)); err != nil || server.Count("e1") != 1 {
		t.Errorf("after the start: %v, %d posts, want one", err, server.Count("e1"))
	}
}

func TestASlowAnswerIsLookedAfter(t *testing.T) {
	t.Parallel()
	server := vendortest.NewSlack(t)
	sink := bot(t, server, nil)
	server.Next("/api/chat.postMessage", vendortest.Trouble{Done: true, Hold: true})
	held := server.Changed()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { result <- sink.Handle(ctx, event("e1", "scan.completed", scan)) }()
	<-held
	cancel()
	if got := vendortest.Failure(t, <-result); !got.Unavailable || !got.Unsure {
		t.Errorf("got %+v, want it unavailable and unsure", got)
	}
}

func TestAnUnsureEventIsLookedFor(t *testing.T) {
	t.Parallel()
	server := vendortest.NewSlack(t)
	server.Page(2)
	sink := bot(t, server, nil)
	for i := range 5 {
		if err := sink.Handle(t.Context(), event(fmt.Sprintf("e%d", i), "scan.completed", scan)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 6 {
		e := event(fmt.Sprintf("e%d", i), "scan.completed", scan)
		e.Unsure = true
		if err := sink.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if n := server.Count(e.ID); n != 1 {
			t.Errorf("%s was posted %d times, want once", e.ID, n)
		}
	}
	// A look that Slack does not answer decides nothing.
	server.Next("/api/conversations.history", vendortest.Trouble{Status: 500})
	e := event("e9", "scan.completed", scan)
	e.Unsure = true
	if got := vendortest.Failure(t, sink.Handle(t.Context(), e)); !got.Unavailable || server.Count("e9") != 0 {
		t.Errorf("got %+v and %d posts, want it unavailable and none", got, server.Count("e9"))
	}
}

// The machine's clock may have been ahead when the event came and was posted.
func TestALookBeginsWhenTheEventWasMade(t *testing.T) {
	t.Parallel()
	server := vendortest.NewSlack(t)
	sink := bot(t, server, nil)
	e := event("e1", "scan.completed", scan)
	e.ReceivedAt = time.Now().Add(1000 * time.Hour)
	for range 2 {
		if err := sink.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		e.Unsure = true
	}
	if n := server.Count("e1"); n != 1 {
		t.Errorf("posted %d times, want once", n)
	}
}

func TestWithoutALookItIsPostedAndSaidOnce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(*vendortest.Slack, *slack.Config)
		posts   int // after two tries
	}{
		"no scope": {func(s *vendortest.Slack, _ *slack.Config) { s.NoHistory() }, 2},
		// The first answer tells the ID, with which the second try can look.
		"a name alone": {func(s *vendortest.Slack, c *slack.Config) { c.Channel = s.ChannelName }, 1},
	}
	for name, tt := range tests {
		server := vendortest.NewSlack(t)
		var log bytes.Buffer
		sink := bot(t, server, func(c *slack.Config) {
			tt.prepare(server, c)
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		for range 2 {
			e := event("e1", "scan.completed", scan)
			e.Unsure = true
			if err := sink.Handle(t.Context(), e); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if n := strings.Count(log.String(), "may be posted twice"); n != 1 || server.Count("e1") != tt.posts {
			t.Errorf("%s: said %d times, posted %d times, want once and %d", name, n, server.Count("e1"), tt.posts)
		}
	}
}

func TestANameIsLearnt(t *testing.T) {
	t.Parallel()
	server := vendortest.NewSlack(t)
	sink := bot(t, server, func(c *slack.Config) { c.Channel = server.ChannelName })
	e := event("e1", "scan.completed", scan)
	for range 2 { // the answer to the first tells the channel's ID
		if err := sink.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		e.Unsure = true
	}
	if n := server.Count("e1"); n != 1 {
		t.Errorf("posted %d times, want once", n)
	}
}

func TestAWebhookThatIsGoneIsNoEventsFault(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		trouble vendortest.Trouble
		want    receiver.Failure
	}{
		"gone":     {vendortest.Trouble{Status: 404, Body: "no_service"}, receiver.Failure{Unavailable: true}},
		"archived": {vendortest.Trouble{Status: 410, Body: "channel_is_archived"}, receiver.Failure{Unavailable: true}},
		"denied":   {vendortest.Trouble{Status: 403, Body: "invalid_token"}, receiver.Failure{Unavailable: true, Answered: true}},
		"refused":  {vendortest.Trouble{Status: 400, Body: "invalid_payload"}, receiver.Failure{Permanent: true}},
		"limited":  {vendortest.Trouble{Status: 429, Header: map[string]string{"Retry-After": "1"}}, receiver.Failure{Unavailable: true, After: time.Second}},
		"broken":   {vendortest.Trouble{Status: 500, Body: "rollup_error"}, receiver.Failure{Unavailable: true, Answered: true, Unsure: true}},
	}
	for name, tt := range tests {
		server := vendortest.NewSlack(t)
		sink, err := slack.New(slack.Config{WebhookURL: server.HookURL(), HTTP: vendortest.Through(t)})
		if err != nil {
			t.Fatal(err)
		}
		server.Next(server.HookPath, tt.trouble)
		err = sink.Handle(t.Context(), event("e1", "scan.completed", scan))
		got := vendortest.Failure(t, err)
		if strings.Contains(err.Error(), "hook-secret") {
			t.Errorf("%s: the error %q holds the URL", name, err)
		}
		got.Err = nil
		if got != tt.want {
			t.Errorf("%s gives %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		cfg  slack.Config
		want string
	}{
		"nothing":      {slack.Config{}, "token: it is missing"},
		"no channel":   {slack.Config{Token: "xoxb-secret"}, "channel: it is missing"},
		"both":         {slack.Config{Token: "xoxb-secret", WebhookURL: "https://hooks.slack.com/services/secret"}, "not both"},
		"no URL":       {slack.Config{WebhookURL: "secret"}, "webhook URL: it is not a URL"},
		"template":     {slack.Config{Token: "xoxb-secret", Channel: "C1", Header: "{{.Nope}}"}, "the template of header, line 1:2"},
		"many fields":  {slack.Config{Token: "xoxb-secret", Channel: "C1", Fields: make([]slack.Field, 11)}, "fields: there are 11"},
		"field's text": {slack.Config{Token: "xoxb-secret", Channel: "C1", Fields: []slack.Field{{Value: "{{"}}}, "the template of fields[0].value, line 1"},
	}
	for name, tt := range tests {
		_, err := slack.New(tt.cfg)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s gives %v, want %q and no secret", name, err, tt.want)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, tt.cfg); strings.Contains(text, "secret") {
				t.Errorf("%s: printed with %s it is %q", name, verb, text)
			}
		}
	}
}

func TestWhatSlackRepeatsOfASecretIsNotTold(t *testing.T) {
	t.Parallel()
	server := vendortest.NewSlack(t)
	server.Next("/api/chat.postMessage",
		vendortest.Trouble{Body: `{"ok":false,"error":"odd","response_metadata":{"messages":["not ` + server.Token + `"]}}`},
		vendortest.Trouble{Status: 400, Body: server.Token})
	server.Next(server.HookPath, vendortest.Trouble{Status: 400, Body: "no hook " + server.HookURL() + " hook-secret"})
	hook, err := slack.New(slack.Config{WebhookURL: server.HookURL(), HTTP: vendortest.Through(t)})
	if err != nil {
		t.Fatal(err)
	}
	sink := bot(t, server, nil)
	for i, sink := range []*slack.Sink{sink, sink, hook} {
		err := sink.Handle(t.Context(), event("e1", "scan.completed", scan))
		if err == nil || strings.Contains(err.Error(), server.Token) || strings.Contains(err.Error(), "hook-secret") || !strings.Contains(err.Error(), "***") {
			t.Errorf("%d: got %v, want an error with *** for the secret", i, err)
		}
	}
}

// Whatever an event says, it becomes a message that Slack takes.
func FuzzHandle(f *testing.F) {
	f.Add("scan.completed", []byte(scan))
	f.Add("alert.triggered", fmt.Appendf(nil, alertData, "critical", `,"test":true`))
	f.Add("endpoint.alert", []byte(`{"state":"closed","last_attempt":{"hint":"<!here>"}}`))
	f.Add("", []byte(`{"":" ","domain":"\u0000\n","score":1e999,"title":"\ud800"}`))
	server := vendortest.NewSlack(f)
	sink := bot(f, server, nil)
	f.Fuzz(func(t *testing.T, eventType string, data []byte) {
		if err := sink.Handle(t.Context(), event("e1", eventType, string(data))); err != nil {
			t.Errorf("%q with %q gives %v", eventType, data, err)
		}
	})
}
