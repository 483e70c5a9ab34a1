package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parsed parses a command line with a settings file.
func parsed(t *testing.T, file string, args ...string) (*grammar, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	k := parser(t, &bytes.Buffer{})
	_, err := k.Parse(append([]string{"--config", path}, args...))
	return k.Model.Target.Addr().Interface().(*grammar), err
}

func TestSettingsReachFlagsOfEveryKind(t *testing.T) {
	t.Parallel()
	g, err := parsed(t, `
dev: true
retention: 1d12h
endpoint_backoff: [2s, 1m]
retry-schedule:
  - 0s
  - 90s
allow-targets: [10.0.0.0/8, "fd00::/8:443"]
disable-after: 16
shutdown-timeout: &pause 3s
delivery-timeout: *pause
metrics-listen: ~
secret: whsec_for_another_command
`, "serve")
	if err != nil {
		t.Fatal(err)
	}
	f := g.Serve.serverFlags
	if !f.Dev || time.Duration(f.Retention) != 36*time.Hour || f.RetrySchedule.steps.String() != "0s,1m30s" || f.DisableAfter != 16 ||
		time.Duration(f.ShutdownTimeout) != 3*time.Second || time.Duration(f.DeliveryTimeout) != 3*time.Second || f.MetricsListen != "" || f.Listen != "127.0.0.1:8080" {
		t.Errorf("flags %+v", f)
	}
	if diff := cmp.Diff([]span{span(2 * time.Second), span(time.Minute)}, f.EndpointBackoff); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"10.0.0.0/8", "fd00::/8:443"}, f.AllowTargets); diff != "" {
		t.Error(diff)
	}
}

func TestListsOfTextsMayHoldAnyCharacter(t *testing.T) {
	t.Parallel()
	g, err := parsed(t, "endpoints-create-header: ['A: 1,2', 'B: x']\nendpoints_create_events: [scan.*, alert.*]\n", "endpoints", "create", "https://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"A: 1,2", "B: x"}, g.Endpoints.Create.Header); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"scan.*", "alert.*"}, g.Endpoints.Create.Events); diff != "" {
		t.Error(diff)
	}
}

func TestAFlagBeatsTheFile(t *testing.T) {
	t.Parallel()
	g, err := parsed(t, "listen: 127.0.0.1:1\nreceive-listen: 127.0.0.1:2\n", "serve", "--listen", "127.0.0.1:3")
	if err != nil || g.Serve.Listen != "127.0.0.1:3" {
		t.Errorf("listen %q, %v", g.Serve.Listen, err)
	}
	g, err = parsed(t, "listen: 127.0.0.1:1\nreceive-listen: 127.0.0.1:2\n", "receive")
	if err != nil || g.Receive.Listen != "127.0.0.1:2" {
		t.Errorf("receive's listen %q, %v", g.Receive.Listen, err)
	}
}

// t.Setenv keeps this one from running beside others.
func TestTheEnvironmentBeatsTheFile(t *testing.T) {
	t.Setenv("COMPLIANCELAYER_RETENTION", "2d")
	t.Setenv("COMPLIANCELAYER_ALLOW_TARGETS", "10.1.0.0/16,10.2.0.0/16")
	g, err := parsed(t, "retention: 1d\nallow-targets: [10.0.0.0/8]\n", "serve")
	if err != nil || time.Duration(g.Serve.Retention) != 48*time.Hour {
		t.Errorf("retention %s, %v", time.Duration(g.Serve.Retention), err)
	}
	if diff := cmp.Diff([]string{"10.1.0.0/16", "10.2.0.0/16"}, g.Serve.AllowTargets); diff != "" {
		t.Error(diff)
	}
}

// The settings of a server changed endpoints: all of these were read by "endpoints update" too.
func TestAnEndpointTakesNothingOfWhatIsSetForOthers(t *testing.T) {
	t.Setenv("COMPLIANCELAYER_CONCURRENCY", "64")
	t.Setenv("COMPLIANCELAYER_LISTEN_EVENTS", "scan.*")
	g, err := parsed(t, "request-rate: 7\nconcurrency: 65\nevent-types-update-description: x\n", "endpoints", "update", "ep_1")
	if err != nil {
		t.Fatal(err)
	}
	if e := g.Endpoints.Update; e.Concurrency != nil || e.Events != nil || e.RateLimit != nil || e.Description != nil {
		t.Errorf("it would change %+v", e)
	}
	t.Setenv("COMPLIANCELAYER_ENDPOINTS_UPDATE_CONCURRENCY", "3")
	if g, err = parsed(t, "", "endpoints", "update", "ep_1"); err != nil || g.Endpoints.Update.Concurrency == nil || *g.Endpoints.Update.Concurrency != 3 {
		t.Errorf("its own variable gives %v, %v", g.Endpoints.Update.Concurrency, err)
	}
}

func TestAFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, want string }{
		{"a slip", "\nretension: 1d", `settings.yaml:2: "retension" is not a setting; did you mean retention?`},
		{"nothing like it", "zzzzzzzzzzzz: 1", `settings.yaml:1: "zzzzzzzzzzzz" is not a setting; settings are named as the variables in --help, in lower case and without COMPLIANCELAYER_`},
		{"the variable itself", "COMPLIANCELAYER_DELIVERY_TIMEOUT: 5s", `"COMPLIANCELAYER_DELIVERY_TIMEOUT" is not a setting; did you mean delivery-timeout?`},
		{"the file itself", "config: other.yaml", `"config" is not a setting`},
		{"the help", "help: true", `"help" is not a setting`},
		{"twice in two spellings", "retry-schedule: 0s\nretry_schedule: 0s", "settings.yaml:2: retry_schedule is there twice"},
		{"a map", "retention:\n  days: 3", "settings.yaml:2: retention: write one value, or a list of values"},
		{"a list of lists", "allow-targets: [[a]]", "settings.yaml:1: allow-targets: write one value"},
		{"no map", "- a", "settings.yaml:1: write one setting a line"},
		{"a wrong value", "dev: true\nretention: soon", "settings.yaml:2: "},
		{"no YAML", "a: [", "settings.yaml: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := parsed(t, tt.file, "serve"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := parsed(t, "# nothing but a comment\n", "serve"); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}
