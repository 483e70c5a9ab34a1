package relay_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/evidence"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendortest"
)

// TestMain stops the PostgreSQL that the tests share.
func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

const (
	storyEvents = 120 // half of them scans with a low score, half critical alerts
	storyKills  = 3
	storyKey    = "cl_story_0123456789abcdef0123456789abcdef"
)

// Events go from a server on PostgreSQL through a relay to four vendors. The relay is
// killed in the middle of it, again and again, and one vendor is away for a while. In the
// end every event is at every vendor that its route leads to, and at none of them twice.
func TestNothingIsLostAndNothingPostedTwiceWhenTheRelayIsKilled(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	s := newStory(t)
	endpoint := s.serve()
	s.relay(endpoint.Secret)
	s.pagerDuty.Stop()
	scans, alerts := s.publish()
	for range storyKills {
		s.until("some more events are posted", s.more(storyEvents/6))
		s.kill()
		s.relay(endpoint.Secret)
	}
	s.pagerDuty.Start()
	s.until("all is posted", func() bool {
		return len(s.pagerDuty.Open()) == len(alerts) && all(scans, func(id string) bool { return s.slack.Count(id) > 0 && s.jira.Count(id) > 0 }) &&
			all(append(scans, alerts...), func(id string) bool { return s.datadog.Count(id) > 0 })
	})
	s.until("the inbox is worked off", func() bool { return !strings.Contains(s.inbox("list", "--all", "--json"), `"status": "w`) })

	for _, id := range append(scans, alerts...) {
		wantJira := 0
		if slices.Contains(scans, id) {
			wantJira = 1
		}
		if got := []int{s.slack.Count(id), s.datadog.Count(id), s.jira.Count(id)}; !slices.Equal(got, []int{1, 1, wantJira}) {
			t.Errorf("event %s is in Slack, Datadog and Jira %v times, want [1 1 %d]", id, got, wantJira)
		}
	}
	if log := s.inbox("list", "--status", "failed"); strings.Contains(log, "failed") {
		t.Errorf("some failed:\n%s", log)
	}
	none := 0
	evidence.Write(t, "relay-killed", evidence.Row{
		Promise: 13, Fault: "kill -9 of the relay between the server and Slack, PagerDuty, Jira and Datadog, one of which is away", On: "SQLite",
		Times: storyKills, Of: storyEvents, What: "events", Duplicates: &none, Explained: &none,
		Test:    "go test ./receiver/relay -run TestNothingIsLostAndNothingPostedTwiceWhenTheRelayIsKilled",
		Seconds: time.Since(begin).Seconds(),
	})
}

func all(ids []string, fits func(string) bool) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !fits(id) })
}

// story is the server, the relay and the vendors.
type story struct {
	t         *testing.T
	dir       string
	program   string
	address   string // of the relay
	api       *client.Client
	running   *exec.Cmd // the relay
	slack     *vendortest.Slack
	pagerDuty *vendortest.PagerDuty
	jira      *vendortest.Jira
	datadog   *vendortest.Datadog
}

func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{
		t: t, dir: t.TempDir(), address: freeAddress(t), slack: vendortest.NewSlack(t), pagerDuty: vendortest.NewPagerDuty(t),
		jira: vendortest.NewJira(t), datadog: vendortest.NewDatadog(t),
	}
	s.program = filepath.Join(s.dir, "compliancelayer")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", s.program, "../../cmd/compliancelayer").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, said)
	}
	file := fmt.Sprintf(`
listen: %s
secrets: {env: RELAY_SECRET}
dev: true
routes:
  - slack: {token: {env: SLACK_TOKEN}, channel: %s, base_url: %s}
    timeout: 1s
  - pagerduty: {routing_key: {env: PD_KEY}, base_url: %s}
    events: [alert.triggered]
    timeout: 1s
  - jira: {url: %s, email: %s, token: {env: JIRA_TOKEN}, project: %s, settle: 1s}
    events: [scan.completed]
    timeout: 1s
  - datadog: {api_key: {env: DD_KEY}, app_key: {env: DD_APP_KEY}, base_url: %s, settle: 1s}
    timeout: 1s
`, s.address, s.slack.ChannelID, s.slack.API(), s.pagerDuty.URL, s.jira.URL, s.jira.Email, s.jira.Project, s.datadog.URL)
	if err := os.WriteFile(s.file(), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *story) file() string { return filepath.Join(s.dir, "relay.yaml") }

// start starts the program, waits until it says what ready matches, and gives what
// the pattern's group has.
func (s *story) start(ready string, env []string, args ...string) (*exec.Cmd, string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.program, args...) //nolint:gosec // the program under test
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), env...)
	errors, err := os.OpenFile(filepath.Join(s.dir, args[0]+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = errors.Close() })
	cmd.Stderr = errors
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := regexp.MustCompile(ready).FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return cmd, m[1]
		}
	}
	log, _ := os.ReadFile(errors.Name())
	s.t.Fatalf("%s did not start:\n%s", args[0], log)
	return nil, ""
}

// serve starts the server and makes the relay its endpoint.
func (s *story) serve() client.Endpoint {
	s.t.Helper()
	schedule := "0s" + strings.Repeat(",1s", 49)
	_, url := s.start(`running at (\S+)`, []string{"COMPLIANCELAYER_API_KEY=" + storyKey}, "serve", "--dev", "--listen", "127.0.0.1:0",
		"--database", pgtest.URL(s.t), "--retry-schedule", schedule, "--disable-after", "0", "--endpoint-backoff", "100ms,500ms")
	api, err := client.New(client.Config{Server: url, APIKey: storyKey})
	if err != nil {
		s.t.Fatal(err)
	}
	s.api = api
	endpoint, err := api.CreateEndpoint(s.t.Context(), client.NewEndpoint{URL: "http://" + s.address + "/webhooks/compliancelayer", Events: []string{"*"}})
	if err != nil {
		s.t.Fatalf("make the endpoint: %v", err)
	}
	return endpoint
}

// relay starts the relay, kill ends it as a power cut would.
func (s *story) relay(secret string) {
	s.t.Helper()
	s.running, _ = s.start(`taken at (\S+)`, []string{
		"RELAY_SECRET=" + secret, "SLACK_TOKEN=" + s.slack.Token, "PD_KEY=" + s.pagerDuty.RoutingKey, "JIRA_TOKEN=" + s.jira.Token,
		"DD_KEY=" + s.datadog.APIKey, "DD_APP_KEY=" + s.datadog.ApplicationKey,
	}, "relay", "--config", s.file())
}

func (s *story) kill() {
	_ = s.running.Process.Kill() // it is running: nobody else ends it
	_ = s.running.Wait()
}

// inbox gives what the command line says of the relay's inbox.
func (s *story) inbox(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.program, append([]string{"relay", "inbox"}, append(args, "--config", s.file())...)...) //nolint:gosec // the program under test
	said, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("relay inbox %v: %v\n%s", args, err, said)
	}
	return string(said)
}

// publish publishes the events, and gives their ids.
func (s *story) publish() (scans, alerts []string) {
	s.t.Helper()
	for i := range storyEvents / 2 {
		scans = append(scans, s.event("scan.completed", fmt.Sprintf(
			`{"domain":"scan%d.example.com","score":%d,"grade":"D","critical_issues":2,"high_issues":3}`, i%40, 30+i%40)))
		alerts = append(alerts, s.event("alert.triggered", fmt.Sprintf(
			`{"alert_type":"critical_issue","severity":"critical","domain":"alert%d.example.com","title":"Critical issue","message":"RDP is exposed"}`, i)))
	}
	return scans, alerts
}

func (s *story) event(eventType, data string) string {
	s.t.Helper()
	accepted, err := s.api.Publish(s.t.Context(), client.NewEvent{Type: eventType, Data: []byte(data)})
	if err != nil {
		s.t.Fatalf("publish: %v", err)
	}
	return accepted.ID
}

// more reports whether n more were posted to Slack than when it was made, or all: Slack
// may have been quicker than the kills.
func (s *story) more(n int) func() bool {
	enough := min(len(s.slack.Posts())+n, storyEvents)
	return func() bool { return len(s.slack.Posts()) >= enough }
}

// until waits for what other processes bring about, which nothing here is told of.
func (s *story) until(what string, done func() bool) {
	s.t.Helper()
	var once sync.Once
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute)
	defer cancel()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			once.Do(func() {
				log, _ := os.ReadFile(filepath.Join(s.dir, "relay.log"))
				s.t.Fatalf("it did not come to pass that %s; the relay's log ends with:\n%s", what, log[max(0, len(log)-4000):])
			})
		}
	}
}
