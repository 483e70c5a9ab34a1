package relay

import (
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/webhook"
)

var update = flag.Bool("update", false, "write what is said of testdata/bad.txtar anew")

const (
	// signingSecret is valid and nobody's.
	signingSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	otherSecret   = "whsec_YWJjZGVmZ2hpamtsbW5vcGFiY2RlZmdoaWprbG1ub3A="
	routingKey    = "0123456789abcdef0123456789abcdef"
)

// testEnv is the environment of these tests.
func testEnv(name string) (string, bool) {
	value, ok := map[string]string{
		"COMPLIANCELAYER_SECRET":  signingSecret,
		"SECRET":                  signingSecret,
		"BOTH":                    signingSecret + "," + otherSecret,
		"SLACK_TOKEN":             "xoxb-token-of-slack",
		"SLACK_WEBHOOK_URL":       "https://hooks.slack.com/services/T0/B0/secretpart",
		"PLAIN_URL":               "http://hooks.slack.com/services/T0/B0/secretpart",
		"NO_URL":                  "hooks.slack.com/secretpart",
		"PAGERDUTY_KEY":           routingKey,
		"JIRA_TOKEN":              "token-of-jira",
		"DD_API_KEY":              "key-of-datadog",
		"DD_APP_KEY":              "app-key-of-datadog",
		"WAREHOUSE_SECRET":        otherSecret,
		"WAREHOUSE_AUTHORIZATION": "Bearer token-of-warehouse",
		"TICKET_TOKEN":            "token-of-tickets",
		"DATABASE":                "postgres://relay:password@db/relay",
		"MYSQL":                   "mysql://relay:password@db/relay",
		"EMPTY":                   "",
		"TWO_LINES":               "first\nsecond",
		"SPACED":                  " token ",
		"BROKEN_SECRET":           "whsec_short",
	}[name]
	return value, ok
}

// testFile are the files of these tests.
func testFile(path string) (text []byte, open bool, err error) {
	switch filepath.ToSlash(path) {
	case "secrets/whsec":
		return []byte(otherSecret + "\n"), false, nil
	case "secrets/pagerduty":
		return []byte(routingKey + "\r\n"), false, nil
	case "secrets/open":
		return []byte("token"), true, nil
	case "secrets/empty":
		return []byte("\n"), false, nil
	case "secrets/folder":
		return nil, false, errNoFile
	case "secrets/long":
		return nil, false, errLong
	case "secrets/locked":
		return nil, false, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
	case "secrets/broken":
		return nil, false, &fs.PathError{Op: "read", Path: path, Err: errors.New("input/output error")}
	}
	return nil, false, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func parseTest(text string) (*Config, error) {
	return parse("relay.yaml", []byte(text), testEnv, testFile)
}

// parseGood reads a text that has no mistake.
func parseGood(t *testing.T, text string) *Config {
	t.Helper()
	config, err := parseTest(text)
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, text)
	}
	return config
}

// TestBadFiles holds every message against testdata/bad.txtar, where NAME.yaml is a file
// and NAME.said what is said of it.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	const golden = "testdata/bad.txtar"
	archive, err := txtar.ParseFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, f := range archive.Files {
		said[f.Name] = string(f.Data)
	}
	written := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		name, isYAML := strings.CutSuffix(f.Name, ".yaml")
		if !isYAML {
			continue
		}
		config, err := parseTest(string(f.Data))
		got := ""
		switch {
		case err != nil && config != nil:
			t.Errorf("%s: there is a config beside the error", name)
		case err != nil:
			got = err.Error() + "\n"
		default:
			t.Errorf("%s: no mistake was found", name)
		}
		if want := said[name+".said"]; got != want && !*update {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
		written.Files = append(written.Files, f, txtar.File{Name: name + ".said", Data: []byte(got)})
	}
	if len(written.Files) < 2*60 {
		t.Errorf("there are %d files and what is said of them, want at least 120", len(written.Files))
	}
	if *update {
		if err := os.WriteFile(golden, txtar.Format(written), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoMessageHasASecret looks for what the bad files have in place of secrets, and for
// what their variables hold.
func TestNoMessageHasASecret(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile("testdata/bad.txtar")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, f := range archive.Files {
		if !strings.HasSuffix(f.Name, ".yaml") {
			continue
		}
		_, err := parseTest(string(f.Data))
		if err == nil {
			continue
		}
		for _, secret := range []string{
			"MDEyMzQ1Njc4", "xoxb-1", "xoxb-t", "services/T", "0123456789abcdef", "whsec_short", "whsec_x", "password@", "relay:", "R123456789",
			"secretpart", "token-of", "key-of", "*s", "later",
		} {
			checked++
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error has %q in it: %v", f.Name, secret, err)
			}
		}
	}
	if checked < 500 {
		t.Errorf("%d places were looked at", checked)
	}
}

// TestTheDocumentedFile holds docs/relay.yaml to what it says.
func TestTheDocumentedFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/relay.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := parseGood(t, string(text))
	first, second := mustSecret(t, signingSecret), mustSecret(t, otherSecret)
	below, least, low := 90, 10, 50
	rule, err := egress.ParseAllow("10.1.3.0/24:443")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := egress.ParseAllow("10.1.2.0/24")
	if err != nil {
		t.Fatal(err)
	}
	usual := Route{Events: []string{"*"}, Tests: true, Attempts: 3, Backoff: 2 * time.Second, Timeout: 10 * time.Second}
	named := func(name string, change func(*Route)) Route {
		r := usual
		r.Name = name
		change(&r)
		return r
	}
	want := &Config{
		Listen: "127.0.0.1:8090", Path: "/webhooks/compliancelayer", MetricsListen: "127.0.0.1:9090",
		Secrets: []webhook.Secret{first, second}, Inbox: Inbox{SQLite: "relay.db"}, KeepDone: 7 * day, KeepFailed: 90 * day,
		LogLevel: slog.LevelInfo, LogFormat: "text", ShutdownGrace: 25 * time.Second, AllowTargets: []egress.AllowRule{whole, rule},
		Routes: []Route{
			named("slack-security", func(r *Route) {
				r.Events = []string{"scan.completed", "alert.*"}
				r.When = Conditions{
					Domains: []string{"example.com", "*.example.com"}, Severities: []string{"critical", "high"},
					AlertTypes: []string{"critical_issue", "cert_expired"}, ScoreBelow: &below, ScoreAtLeast: &least,
				}
				r.Slack = &Slack{
					Token: NewSecret("xoxb-token-of-slack"), Channel: "C0123456789", Text: "{{.Domain}}: {{.Title | default .Type}}", Header: "{{.Domain}}",
					Message: "{{.Message | default \"Nothing was said.\"}}\n{{if .HasScore}}{{.Score}} of 100{{end}}\n",
					Fields:  []SlackField{{"Grade", "{{.Grade}}"}}, BaseURL: "https://slack.com/api",
				}
			}),
			named("slack-general", func(r *Route) {
				r.Slack = &Slack{WebhookURL: NewSecret("https://hooks.slack.com/services/T0/B0/secretpart")}
			}),
			named("pagerduty", func(r *Route) {
				r.Events, r.Tests = []string{"alert.*"}, false
				r.PagerDuty = &PagerDuty{
					RoutingKey: NewSecret(routingKey), Severities: []string{"critical"}, Summary: "{{.Title}} ({{.Domain}})", Source: "{{.Domain}}",
					Component: "website", Group: "security", Class: "{{.AlertType}}", Details: map[string]string{"before": "{{.OldValue}}", "after": "{{.NewValue}}"},
					Links: []PagerDutyLink{{"https://{{.Domain}}", "The site"}}, ClientURL: "https://compliancelayer.example.com",
					BaseURL: "https://events.pagerduty.com",
				}
			}),
			named("jira", func(r *Route) {
				r.Tests = false
				r.Jira = &Jira{
					URL: "https://example.atlassian.net", Email: "security@example.com", Token: NewSecret("token-of-jira"), Project: "SEC",
					IssueType: "Bug", Priority: "High", Labels: []string{"compliance"}, ScoreBelow: 70, Severities: []string{"critical"},
					Summary: "Security score of {{.Domain}}: {{.Score}}", Description: "{{.Message}}", Comment: "{{.Message}}",
					Fields:     map[string]string{"customfield_10010": "{{.Domain}}"},
					JSONFields: map[string]string{"customfield_10020": `{"value": "{{.Grade}}"}`}, Settle: 30 * time.Second,
				}
			}),
			named("datadog", func(r *Route) {
				r.Datadog = &Datadog{
					APIKey: NewSecret("key-of-datadog"), AppKey: NewSecret("app-key-of-datadog"), Site: "datadoghq.eu", Tags: []string{"team:security"},
					Title: "{{.Type}} {{.Domain}}", Text: "{{.Message}}", Settle: 30 * time.Second, BaseURL: "https://api.datadoghq.eu",
				}
			}),
			named("warehouse", func(r *Route) {
				r.Webhook = &Webhook{
					URL: NewSecret("https://warehouse.example.com/hooks/compliance"), Secret: second,
					Headers: map[string]Secret{"Authorization": NewSecret("Bearer token-of-warehouse")},
				}
			}),
			named("archive", func(r *Route) {
				r.Events = []string{"*", "endpoint.*", "delivery.*"}
				r.File = &File{"events.jsonl"}
			}),
			named("script", func(r *Route) {
				r.When.ScoreBelow = &low
				r.Command = &Command{Run: []string{"./on-low-score", "--quiet"}, Env: []Variable{{"TICKET_TOKEN", NewSecret("token-of-tickets")}}}
			}),
		},
		Variables: []string{
			"COMPLIANCELAYER_SECRET", "DD_API_KEY", "DD_APP_KEY", "JIRA_TOKEN", "SLACK_TOKEN", "SLACK_WEBHOOK_URL", "TICKET_TOKEN",
			"WAREHOUSE_AUTHORIZATION", "WAREHOUSE_SECRET",
		},
	}
	if diff := cmp.Diff(want, got, ignorePlace(), cmp.Comparer(func(a, b egress.AllowRule) bool { return a == b })); diff != "" {
		t.Errorf("docs/relay.yaml (-want +got):\n%s", diff)
	}
}

func mustSecret(t *testing.T, text string) webhook.Secret {
	t.Helper()
	secret, err := webhook.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}
