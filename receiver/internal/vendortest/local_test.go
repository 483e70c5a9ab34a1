package vendortest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func send(t *testing.T, method, url, contentType, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, err.Error()
	}
	return resp.StatusCode, string(answer)
}

const (
	json8   = "application/json; charset=utf-8"
	carried = `"metadata":{"event_type":"x","event_payload":{"id":"e1"}}`
)

func TestSlackRefusesWhatSlackWould(t *testing.T) {
	t.Parallel()
	s := NewSlack(t)
	s.ExpectRefusals()
	good := `{"channel":"` + s.ChannelID + `","text":"x",` + carried
	tests := map[string]struct{ contentType, token, body, want string }{
		"good":             {json8, s.Token, good + `}`, `"ok":true`},
		"another channel":  {json8, s.Token, strings.Replace(good, s.ChannelID, "C9", 1) + `}`, "channel_not_found"},
		"no token":         {json8, "", good + `}`, "invalid_auth"},
		"another token":    {json8, "xoxb-1", good + `}`, "invalid_auth"},
		"a form":           {"application/x-www-form-urlencoded", s.Token, good + `}`, "invalid_post_type"},
		"unknown field":    {json8, s.Token, good + `,"colour":"x"}`, "invalid_json"},
		"two values":       {json8, s.Token, good + `}{}`, "invalid_json"},
		"no text":          {json8, s.Token, `{"channel":"C1",` + carried + `}`, "no_text"},
		"no metadata":      {json8, s.Token, `{"channel":"C1","text":"x"}`, "invalid_metadata_format"},
		"a long header":    {json8, s.Token, good + `,"blocks":[{"type":"header","text":{"type":"plain_text","text":"` + strings.Repeat("x", 151) + `"}}]}`, "invalid_blocks"},
		"header in markup": {json8, s.Token, good + `,"blocks":[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]}`, "invalid_blocks"},
		"a long field":     {json8, s.Token, good + `,"blocks":[{"type":"section","fields":[{"type":"mrkdwn","text":"` + strings.Repeat("x", 2001) + `"}]}]}`, "invalid_blocks"},
		"an empty field":   {json8, s.Token, good + `,"blocks":[{"type":"section","fields":[{"type":"mrkdwn","text":""}]}]}`, "invalid_blocks"},
		"many blocks":      {json8, s.Token, good + `,"blocks":[` + strings.Repeat(`{"type":"divider"},`, 50) + `{"type":"divider"}]}`, "invalid_blocks"},
		"a colour":         {json8, s.Token, good + `,"attachments":[{"color":"red"}]}`, "invalid_attachments"},
	}
	for name, tt := range tests {
		if status, got := send(t, http.MethodPost, s.API()+"/chat.postMessage", tt.contentType, tt.token, tt.body); status != http.StatusOK || !strings.Contains(got, tt.want) {
			t.Errorf("%s gives %d %s, want 200 and %s", name, status, got, tt.want)
		}
	}
	if status, got := send(t, http.MethodPost, s.HookURL(), json8, "", `{"text":"x","channel":"C1"}`); status != http.StatusBadRequest {
		t.Errorf("a webhook with a channel gives %d %s, want 400", status, got)
	}
	if n := len(s.Posts()); n != 1 {
		t.Errorf("%d messages were kept, want the good one", n)
	}
}

func TestPagerDutyRefusesWhatPagerDutyWould(t *testing.T) {
	t.Parallel()
	p := NewPagerDuty(t)
	p.ExpectRefusals()
	good := `{"routing_key":"` + p.RoutingKey + `","event_action":"trigger","dedup_key":"k","payload":{"summary":"s","source":"o","severity":"critical"}}`
	tests := map[string]struct{ from, to, want string }{
		"good":          {"", "", "Event processed"},
		"another key":   {p.RoutingKey, strings.Repeat("0", 32), "Invalid routing key"},
		"a short key":   {p.RoutingKey, "0", "should be 32 characters"},
		"action":        {`"trigger"`, `"Trigger"`, "event_action"},
		"severity":      {`"critical"`, `"high"`, "payload.severity"},
		"summary":       {`"s"`, `"` + strings.Repeat("x", 1025) + `"`, "payload.summary"},
		"source":        {`"o"`, `""`, "payload.source"},
		"key":           {`"k"`, `"` + strings.Repeat("x", 256) + `"`, "dedup_key"},
		"unknown field": {`"severity"`, `"level":1,"severity"`, "JSON parse error"},
		"timestamp":     {`"severity"`, `"timestamp":"today","severity"`, "payload.timestamp"},
		"link":          {`"payload"`, `"links":[{"href":"x"}],"payload"`, "a link is no URL"},
	}
	for name, tt := range tests {
		want := http.StatusBadRequest
		if name == "good" {
			want = http.StatusAccepted
		}
		if status, got := send(t, http.MethodPost, p.API(), json8, "", strings.Replace(good, tt.from, tt.to, 1)); status != want || !strings.Contains(got, tt.want) {
			t.Errorf("%s gives %d %s, want %d and %s", name, status, got, want, tt.want)
		}
	}
	if n := len(p.Posts()); n != 1 {
		t.Errorf("%d events were kept, want the good one", n)
	}
}

func TestAServerStopsAndStartsAtItsAddress(t *testing.T) {
	t.Parallel()
	s := NewSlack(t)
	body := `{"channel":"` + s.ChannelID + `","text":"x",` + carried + `}`
	post := func() int {
		status, _ := send(t, http.MethodPost, s.API()+"/chat.postMessage", json8, s.Token, body)
		return status
	}
	if got := post(); got != http.StatusOK {
		t.Fatalf("running: got %d, want 200", got)
	}
	s.Stop()
	s.Stop() // once more is nothing
	if got := post(); got != 0 {
		t.Errorf("stopped: got %d, want no answer", got)
	}
	s.Start()
	if got := post(); got != http.StatusOK || s.Count("e1") != 2 {
		t.Errorf("started: got %d and %d messages, want 200 and 2", got, s.Count("e1"))
	}
}

func TestAStopEndsWhatIsHeld(t *testing.T) {
	t.Parallel()
	s := NewSlack(t)
	s.Next("/api/chat.postMessage", Trouble{Hold: true})
	held := s.Changed()
	answered := make(chan int)
	go func() {
		status, _ := send(t, http.MethodPost, s.API()+"/chat.postMessage", json8, s.Token, `{}`)
		answered <- status
	}()
	<-held
	s.Stop()
	if got := <-answered; got != 0 {
		t.Errorf("got %d, want no answer", got)
	}
}
