package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendortest"
)

func TestHealthSaysWhetherEventsCanBeKept(t *testing.T) {
	t.Parallel()
	r := relayOf(t, "metrics_listen: 127.0.0.1:9090\n"+head+"routes: [{file: {path: events}}]\n")
	addresses := []string{r.port(), r.metrics.Addr().String()}
	for _, address := range addresses {
		if status, body := r.get(address, "/healthz"); status != http.StatusOK || body != "ok\n" {
			t.Errorf("got %d %q, want 200", status, body)
		}
	}
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if status, _ := r.get(address, "/healthz"); status != http.StatusServiceUnavailable {
			t.Errorf("with a closed inbox it is %d, want 503", status)
		}
	}
}

func TestTheLogHasTheProcessToSignal(t *testing.T) {
	t.Parallel()
	r := relayOf(t, head+"routes: [{file: {path: events}}]\n")
	r.get(r.port(), "/healthz") // it has begun by then
	if want := fmt.Sprintf("pid=%d ", os.Getpid()); !strings.Contains(r.logs.text(), want) {
		t.Errorf("the log has no %q:\n%s", want, r.logs.text())
	}
}

func TestMetricsAreWhereOnlyThoseWhoMaySee(t *testing.T) {
	t.Parallel()
	const route = head + "routes: [{file: {path: events}}]\n"
	for _, tt := range []struct {
		name, file   string
		beside, said bool
	}{
		{"beside the path on this machine's own address", route, true, false},
		{"not on any other address", "listen: :8090\n" + route, false, true},
		{"on an address of its own", "metrics_listen: 127.0.0.1:9090\n" + route, false, false},
	} {
		r := relayOf(t, tt.file)
		status, body := r.get(r.port(), "/metrics")
		if (status == http.StatusOK) != tt.beside || strings.Contains(body, "compliancelayer_") != tt.beside {
			t.Errorf("%s: /metrics answers %d", tt.name, status)
		}
		if got := strings.Contains(r.logs.text(), "set metrics_listen"); got != tt.said {
			t.Errorf("%s: it says to set metrics_listen: %v", tt.name, got)
		}
		if r.metrics != nil {
			if status, body := r.get(r.metrics.Addr().String(), "/metrics"); status != http.StatusOK || !strings.Contains(body, "compliancelayer_relay_config_ok 1") {
				t.Errorf("%s: its own address answers %d", tt.name, status)
			}
		}
		if status, _ := r.get(r.port(), "/elsewhere"); status != http.StatusNotFound {
			t.Errorf("%s: /elsewhere answers %d", tt.name, status)
		}
	}
}

// Whatever Open cannot do, it leaves nothing open behind it.
func TestOpenLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := &running{t: t, dir: t.TempDir(), logs: newLogs()}
	r.write("whsec", signingSecret)
	r.write("relay.yaml", head+"routes: [{file: {path: events}}]\n")
	busy, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	for _, tt := range []struct {
		want, key string // key: of an address that cannot be had
		change    func(*Config)
	}{
		{"listen: ", "listen", func(c *Config) { c.Listen = busy.Addr().String() }},
		{"metrics_listen: ", "metrics_listen", func(c *Config) { c.Listen, c.MetricsListen = address, busy.Addr().String() }},
		{r.dir, "", func(c *Config) { c.Inbox.SQLite = r.dir }},
		{"missing", "", func(c *Config) { c.Inbox.SQLite = r.path("missing/relay.db") }},
		{"datadog", "", func(c *Config) { c.Routes[0].File, c.Routes[0].Datadog = nil, &Datadog{Site: "no site"} }},
	} {
		config := r.config()
		tt.change(config)
		_, err := Open(t.Context(), r.path("relay.yaml"), config, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want an error about %q", err, tt.want)
		}
		key := ""
		if taken, ok := errors.AsType[*ListenError](err); ok {
			key = taken.Key
		}
		if key != tt.key {
			t.Errorf("%v: the key is %q, want %q", err, key, tt.key)
		}
		again, err := net.Listen("tcp", address) //nolint:noctx // at once
		if err != nil {
			t.Errorf("after %q the address is still taken: %v", tt.want, err)
			continue
		}
		_ = again.Close()
	}
	opened := r.open()
	if err := opened.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := opened.store.Depths(context.Background()); err == nil {
		t.Error("Close leaves the inbox open")
	}
}

// Two relays may share an inbox: an event that both took is passed on once.
func TestTwoRelaysOnOneInbox(t *testing.T) {
	t.Parallel()
	to := newTarget(t)
	r := relayOf(t, head+"routes:\n"+to.route("a"))
	second := &running{t: t, dir: r.dir, logs: newLogs()}
	second.start(second.open())
	var ids []string
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		r.scan(id)
		second.scan(id)
		ids = append(ids, <-to.ids)
	}
	r.halt()
	second.halt()
	if want := []string{"1", "2", "3", "4", "5"}; !slices.Equal(ids, want) || len(to.ids) > 0 {
		t.Errorf("got %v and %d more, want %v", ids, len(to.ids), want)
	}
}

func TestWhatIsInHandEndsBeforeTheRelay(t *testing.T) {
	t.Parallel()
	to, release := newTarget(t), make(chan struct{})
	to.set(http.StatusOK, release)
	r := relayOf(t, head+"routes:\n"+to.route("a"))
	r.scan("1")
	r.scan("2")
	to.want(t, "1")
	address := r.port()
	r.stop()
	select {
	case err := <-r.ended:
		t.Fatalf("it ended with %v while an event was in hand", err)
	default:
	}
	close(release)
	if err := <-r.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	store, err := Inbox{SQLite: r.path("relay.db")}.OpenExisting(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	got := r.statuses(store, "a")
	// The second may have been begun before the relay took notice, or waits for the next start.
	if !slices.Contains(got[receiver.Done], "1") || len(got[receiver.Done])+len(got[receiver.Waiting]) != 2 {
		t.Errorf("got %v, want the first done and nothing in hand", got)
	}
	if l, err := net.Listen("tcp", address); err != nil { //nolint:noctx // at once
		t.Errorf("the address is still taken: %v", err)
	} else {
		_ = l.Close()
	}
}

// A vendor that is down fills the inbox and nothing else, and gets its events in the
// order in which they came when it is back.
func TestAVendorThatIsDownKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	slack, pagerDuty := vendortest.NewSlack(t), vendortest.NewPagerDuty(t)
	pagerDuty.Stop()
	r := &running{t: t, dir: t.TempDir(), logs: newLogs()}
	r.write("whsec", signingSecret)
	r.write("token", slack.Token)
	r.write("key", pagerDuty.RoutingKey)
	r.write("relay.yaml", head+"routes:\n  - slack: {token: {file: token}, channel: "+slack.ChannelID+", base_url: "+slack.API()+"}\n"+
		"  - pagerduty: {routing_key: {file: key}, base_url: "+pagerDuty.URL+"}\n")
	r.start(r.open())
	var ids []string
	for _, id := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		if status := r.send(signingSecret, id, "alert.triggered", `{"alert_type": "critical_issue", "severity": "critical", "domain": "`+id+`.example.com", "title": "RDP", "message": "RDP is exposed"}`); status != http.StatusOK {
			t.Errorf("event %s was answered with %d", id, status)
		}
		ids = append(ids, id)
	}
	for changed := slack.Changed(); len(slack.Posts()) < len(ids); changed = slack.Changed() {
		if len(slack.Posts()) < len(ids) {
			<-changed
		}
	}
	if got := r.statuses(r.store, "pagerduty"); len(got[receiver.Waiting])+len(got[receiver.Working]) != len(ids) {
		t.Errorf("the inbox has %v for the vendor that is down, want all to wait", got)
	}
	if status, _ := r.get(r.port(), "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz is %d", status)
	}
	pagerDuty.Start()
	for changed := pagerDuty.Changed(); len(pagerDuty.Posts()) < len(ids); changed = pagerDuty.Changed() {
		if len(pagerDuty.Posts()) < len(ids) {
			<-changed
		}
	}
	var got []string
	for _, post := range pagerDuty.Posts() {
		got = append(got, post.EventID())
	}
	if !slices.Equal(got, ids) {
		t.Errorf("the vendor got %v, want %v", got, ids)
	}
	if _, err := os.Stat(r.path("relay.db")); err != nil {
		t.Errorf("the inbox: %v", err)
	}
}
