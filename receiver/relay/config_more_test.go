package relay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/compliancelayer/compliancelayer/internal/catalog"
	"github.com/compliancelayer/compliancelayer/receiver"
)

// smallest is a file with what must be there.
const smallest = "secrets: {env: SECRET}\nroutes:\n  - file: {path: events.jsonl}\n"

func TestTheSmallestFile(t *testing.T) {
	t.Parallel()
	got := parseGood(t, smallest)
	switch route := got.Routes[0]; {
	case got.Listen != DefaultListen, got.Path != DefaultPath, got.MetricsListen != "", got.Inbox.SQLite != DefaultInbox, got.Dev,
		got.KeepDone != receiver.DefaultKeepDone, got.KeepFailed != 0, got.ShutdownGrace != receiver.DefaultGrace, got.LogFormat != "text",
		len(got.Secrets) != 1, len(got.AllowTargets) != 0, len(got.Warnings) != 0:
		t.Errorf("the config is %+v, want the defaults", got)
	case route.Name != "file", !slices.Equal(route.Events, []string{"*"}), !route.Tests, route.Attempts != receiver.DefaultAttempts,
		route.Backoff != receiver.DefaultBackoff, route.Timeout != DefaultTimeout:
		t.Errorf("the route is %+v, want the defaults", route)
	}
}

func TestDefaultsOfEnds(t *testing.T) {
	t.Parallel()
	got := parseGood(t, `secrets: {env: SECRET}
routes:
  - slack: {token: {env: SLACK_TOKEN}, channel: general}
  - pagerduty: {routing_key: {env: PAGERDUTY_KEY}}
  - jira: {url: https://x.atlassian.net/, token: {env: JIRA_TOKEN}, project: SEC}
  - datadog: {api_key: {env: DD_API_KEY}}
  - jira: {url: https://x.atlassian.net, token: {env: JIRA_TOKEN}, project: SEC, score_below: 0}
    tests: true
`)
	want := []Route{
		{Name: "slack", Events: []string{"*"}, Tests: true, Slack: &Slack{Token: NewSecret("xoxb-token-of-slack"), Channel: "general"}},
		{Name: "pagerduty", Events: []string{"*"}, PagerDuty: &PagerDuty{RoutingKey: NewSecret(routingKey), Severities: []string{"critical"}}},
		{Name: "jira", Events: []string{"*"}, Jira: &Jira{
			URL: "https://x.atlassian.net", Token: NewSecret("token-of-jira"), Project: "SEC", IssueType: "Bug", Priority: "High", ScoreBelow: 70,
		}},
		{Name: "datadog", Events: []string{"alert.triggered", "scan.completed"}, Tests: true, Datadog: &Datadog{
			APIKey: NewSecret("key-of-datadog"), Site: "datadoghq.com",
		}},
		{Name: "jira-2", Events: []string{"*"}, Tests: true, Jira: &Jira{
			URL: "https://x.atlassian.net", Token: NewSecret("token-of-jira"), Project: "SEC", IssueType: "Bug", Priority: "High", ScoreBelow: -1,
		}},
	}
	for i := range want {
		want[i].Attempts, want[i].Backoff, want[i].Timeout = 3, 2*time.Second, 10*time.Second
	}
	if diff := cmp.Diff(want, got.Routes, ignorePlace()); diff != "" {
		t.Errorf("the routes (-want +got):\n%s", diff)
	}
}

// ignorePlace leaves out of a comparison where in the file a route is.
func ignorePlace() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".at" }, cmp.Ignore())
}

func TestGoodValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, add string
		ok        func(*Config) bool
	}{
		{"days and hours", "keep_done: 1d12h", func(c *Config) bool { return c.KeepDone == 36*time.Hour }},
		{"all addresses", "listen: :8090", func(c *Config) bool { return c.Listen == ":8090" }},
		{"IPv6", `listen: "[::1]:8090"`, func(c *Config) bool { return c.Listen == "[::1]:8090" }},
		{"a database", "inbox: {env: DATABASE}", func(c *Config) bool {
			return c.Inbox.SQLite == "" && c.Inbox.Postgres.Reveal() == "postgres://relay:password@db/relay"
		}},
		{"an inbox elsewhere", "inbox: /var/lib/relay.db", func(c *Config) bool { return c.Inbox.SQLite == "/var/lib/relay.db" }},
		{"dev", "dev: true", func(c *Config) bool { return c.Dev }},
		{"a log", "log_level: error\nlog_format: json", func(c *Config) bool { return c.LogLevel == 8 && c.LogFormat == "json" }},
		{"a byte order mark", "", func(c *Config) bool { return len(c.Routes) == 1 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := smallest + tt.add + "\n"
			if tt.add == "" {
				text = "\ufeff" + text
			}
			if got := parseGood(t, text); !tt.ok(got) {
				t.Errorf("%q gives %+v", text, got)
			}
		})
	}
}

func TestDevAllowsHTTP(t *testing.T) {
	t.Parallel()
	got := parseGood(t, "dev: true\nsecrets: {env: BOTH}\nroutes:\n  - webhook: {url: http://localhost:8081/hook}\n  - slack: {webhook_url: {env: PLAIN_URL}}\n")
	if got.Routes[0].Webhook.URL.Reveal() != "http://localhost:8081/hook" || len(got.Secrets) != 2 {
		t.Errorf("the config is %+v", got)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	got := parseGood(t, `secrets: {env: SECRET}
routes:
  - slack: {token: {file: secrets/open}, channel: C1}
  - slack: {webhook_url: {env: SLACK_WEBHOOK_URL}}
    events: [scan.completed, order.paid, scan.deleted, domain.updated, "order.*"]
    when: {alert_types: [tls_weak]}
  - name: slack-3
    slack: {webhook_url: {env: SLACK_WEBHOOK_URL}}
  - slack: {webhook_url: {env: SLACK_WEBHOOK_URL}}
  - name: by-name
    slack: {token: {env: SLACK_TOKEN}, channel: "#security-alerts"}
  - name: by-id
    slack: {token: {env: SLACK_TOKEN}, channel: G0123456789}
`)
	want := []string{
		`relay.yaml:3: routes[0].slack.token.file: everybody on this machine may read the file secrets/open; chmod o-r helps`,
		`relay.yaml:5: routes[1].events[1]: "order.paid" is not a built-in type of events; that is right if it is one of your own`,
		`relay.yaml:5: routes[1].events[2]: "scan.deleted" is not a built-in type of events; that is right if it is one of your own`,
		`relay.yaml:5: routes[1].events[3]: "domain.updated" is not a built-in type of events; that is right if it is one of your own`,
		`relay.yaml:6: routes[1].when.alert_types[0]: "tls_weak" is not a known type of alerts; there are score_drop, critical_issue, cert_expired, cert_expiring_soon, config_change`,
		`relay.yaml:11: routes[4].slack.channel: "#security-alerts" is a name; Slack can be asked for what is in a channel by its ID alone, such as C0123456789, so what is in hand when the relay is killed is posted again`,
		`relay.yaml:4: routes[1].name: it is missing, so the route is slack-2 by its place; give it a name, because what waits for a route belongs to the name`,
		`relay.yaml:9: routes[3].name: it is missing, so the route is slack-4 by its place; give it a name, because what waits for a route belongs to the name`,
	}
	if diff := cmp.Diff(want, got.Warnings); diff != "" {
		t.Errorf("the warnings (-want +got):\n%s", diff)
	}
}

func TestTheNamesOfRoutesNeedNoSecrets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "relay.yaml")
	const text = "secrets: {env: NO_SUCH}\nroutes:\n  - slack: {token: {file: none}, channel: C1}\n  - {name: low, fil: x}\n  - {fil: x}\n  - slack: {webhook_url: {env: NO_SUCH}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRoutes(path)
	if want := []string{"slack", "low", "slack-2"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("ReadRoutes = %v, %v, want %v", got, err, want)
	}
	if _, err := ReadRoutes(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
}

func TestAFileWithoutNamesOfRoutesTellsItsMistakes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "relay.yaml")
	for text, want := range map[string]string{
		"routes: {}\n":                  "routes: it is a map of keys, but must be a list",
		"routes:\n":                     "routes: there is nothing here",
		"route: []\n":                   "did you mean routes?",
		"inbox: x\n":                    "routes: it is missing",
		"routes:\n  - fil: {path: x}\n": "routes[0].fil: there is no such key here",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if names, err := ReadRoutes(path); len(names) > 0 || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadRoutes of %q = %q, %v, want no names and %q", text, names, err, want)
		}
	}
}

func TestWrongTellsThePlace(t *testing.T) {
	t.Parallel()
	got := parseGood(t, smallest)
	err := got.Routes[0].Wrong(errors.New("there is no disk"))
	if want := "relay.yaml:3: routes[0].file: there is no disk"; err.Error() != want {
		t.Errorf("Wrong = %q, want %q", err, want)
	}
	if err := got.Routes[0].Wrong(nil); err != nil {
		t.Errorf("Wrong(nil) = %v", err)
	}
}

// TestTheTypesAreTheSenders holds the tables of this package against the sender's.
func TestTheTypesAreTheSenders(t *testing.T) {
	t.Parallel()
	var names []string
	for _, builtin := range catalog.Builtin() {
		names = append(names, builtin.Name)
		if operational(builtin.Name) != catalog.IsOperational(builtin.Name) {
			t.Errorf("%s: operational is %t here", builtin.Name, operational(builtin.Name))
		}
		first, _, _ := strings.Cut(builtin.Name, ".")
		if !slices.Contains(firstWords, first) {
			t.Errorf("%s: its first word is not in the table", builtin.Name)
		}
		for _, pattern := range []string{"*", first + ".*", builtin.Name, first, "sca.*"} {
			if got, want := matchesType(pattern, builtin.Name), catalog.Match(pattern, builtin.Name); got != want {
				t.Errorf("matchesType(%q, %q) = %t, want %t as at the sender", pattern, builtin.Name, got, want)
			}
		}
	}
	for _, name := range eventTypes {
		if !slices.Contains(names, name) && name != "alert.resolved" {
			t.Errorf("%s is no type of the sender", name)
		}
	}
	for _, name := range names {
		if !slices.Contains(eventTypes, name) {
			t.Errorf("%s is not in the table", name)
		}
	}
}

func TestAHugeFileIsNotRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "relay.yaml")
	if err := os.WriteFile(path, []byte(strings.Repeat("a: b\n", 2<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Read(path)
	if want := path + ":1: the file is longer than 1048576 bytes"; err == nil || err.Error() != want {
		t.Errorf("Read = %v, want %q", err, want)
	}
}

// TestReadFromDisk reads files as a program does: relative paths begin at the folder of
// the configuration, and a secret may not be a pipe, which would be waited for.
func TestReadFromDisk(t *testing.T) { // no t.Parallel: it sets the environment
	dir := t.TempDir()
	t.Setenv("RELAY_TEST_TOKEN", "xoxb-1")
	write := func(name, text string, mode fs.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask is
			t.Fatal(err)
		}
	}
	write("whsec", signingSecret+"\n"+otherSecret+"\n", 0o600)
	write("open", "a-token\n", 0o644)
	write("relay.yaml", "secrets: {file: whsec}\nroutes:\n  - slack: {token: {env: RELAY_TEST_TOKEN}, channel: C1}\n  - webhook: {url: https://example.com, headers: {X-Token: {file: open}}}\n  - file: {path: out/events}\n", 0o600)
	got, err := Read(filepath.Join(dir, "relay.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Secrets) != 2 || got.Inbox.SQLite != filepath.Join(dir, "relay.db") || got.Routes[2].File.Path != filepath.Join(dir, "out", "events") ||
		got.Routes[0].Slack.Token.Reveal() != "xoxb-1" || got.Routes[1].Webhook.Headers["X-Token"].Reveal() != "a-token" {
		t.Errorf("Read = %+v", got)
	}
	if runtime.GOOS != "windows" && len(got.Warnings) != 1 {
		t.Errorf("the warnings are %q, want one about the file that everybody may read", got.Warnings)
	}
	if _, err := Read(filepath.Join(dir, "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of no file = %v", err)
	}
	for _, path := range []string{dir, os.DevNull} {
		if _, _, err := readSecretFile(path); !errors.Is(err, errNoFile) {
			t.Errorf("readSecretFile(%q) = %v, want %v", path, err, errNoFile)
		}
	}
	write("long", strings.Repeat("x", maxSecret+1), 0o600)
	if _, _, err := readSecretFile(filepath.Join(dir, "long")); !errors.Is(err, errLong) {
		t.Errorf("readSecretFile of a long file = %v, want %v", err, errLong)
	}
}

// FuzzParse looks for texts that Parse breaks on, or refuses without saying where.
func FuzzParse(f *testing.F) {
	archive, err := txtar.ParseFile("testdata/bad.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		f.Add(file.Data)
	}
	sample, err := os.ReadFile("../../docs/relay.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Fuzz(func(t *testing.T, text []byte) {
		config, err := parse("relay.yaml", text, testEnv, testFile)
		if (config == nil) == (err == nil) {
			t.Fatalf("config %v and error %v", config, err)
		}
		if err == nil {
			checkGood(t, config)
			return
		}
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok {
			t.Fatalf("the error is a %T", err)
		}
		last := 1
		for _, one := range joined.Unwrap() {
			m, ok := errors.AsType[*Mistake](one)
			switch {
			case !ok || m.Text == "" || m.Line < last:
				t.Fatalf("%#v has no line, no text or no order", one)
			case m.Line > strings.Count(string(text), "\n")+strings.Count(string(text), "\r")+strings.Count(string(text), "\u0085")+strings.Count(string(text), "\u2028")+strings.Count(string(text), "\u2029")+2:
				t.Fatalf("%v is beyond the end", m)
			case strings.ContainsAny(m.Error(), "\n\r\x1b"):
				t.Fatalf("%q is more than one line", m.Error())
			}
			last = m.Line
		}
	})
}

// checkGood holds what every config that was read has.
func checkGood(t *testing.T, c *Config) {
	t.Helper()
	if len(c.Secrets) == 0 || len(c.Routes) == 0 || c.Listen == "" || c.Path == "" || (c.Inbox.SQLite == "") == c.Inbox.Postgres.IsZero() {
		t.Fatalf("something is missing in %+v", c)
	}
	names := map[string]bool{}
	for _, r := range c.Routes {
		ends := 0
		for _, set := range []bool{r.Slack != nil, r.PagerDuty != nil, r.Jira != nil, r.Datadog != nil, r.Webhook != nil, r.File != nil, r.Command != nil} {
			if set {
				ends++
			}
		}
		if ends != 1 || names[r.Name] || r.Name == "" || len(r.Events) == 0 || r.Attempts < 1 || r.Backoff <= 0 || r.Timeout <= 0 {
			t.Fatalf("something is wrong with %+v", r)
		}
		names[r.Name] = true
	}
	if shown := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(shown, "token-of") || strings.Contains(shown, "secretpart") {
		t.Fatalf("a secret is shown: %s", shown)
	}
}

// TestTheDocumentedFileHasEveryKey asks every map of a file for its keys, by one that is
// in none of them.
func TestTheDocumentedFileHasEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/relay.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = parseTest(`qqqqqqqqqq: 1
secrets: {qqqqqqqqqq: 1}
routes:
  - qqqqqqqqqq: 1
    when: {qqqqqqqqqq: 1}
    slack: {qqqqqqqqqq: 1, fields: [{qqqqqqqqqq: 1}]}
  - pagerduty: {qqqqqqqqqq: 1, links: [{qqqqqqqqqq: 1}]}
  - jira: {qqqqqqqqqq: 1}
  - datadog: {qqqqqqqqqq: 1}
  - webhook: {qqqqqqqqqq: 1}
  - file: {qqqqqqqqqq: 1}
  - command: {qqqqqqqqqq: 1}
`)
	places, keys := 0, 0
	for line := range strings.Lines(err.Error()) {
		_, list, found := strings.Cut(strings.TrimSpace(line), "there is no such key here; there are ")
		if !found {
			continue
		}
		places++
		for key := range strings.SplitSeq(list, ", ") {
			if keys++; !strings.Contains(string(text), key+":") {
				t.Errorf("docs/relay.yaml has no %s", key)
			}
		}
	}
	if places != 13 || keys < 75 {
		t.Errorf("%d maps told %d keys, want 13 maps: %v", places, keys, err)
	}
}
