package relay

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/compliancelayer/compliancelayer/receiver"
)

func TestAReloadUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	const events, reloads = 200, 6
	a, b := newTarget(t), newTarget(t)
	files := []string{head + "routes:\n" + a.route("a"), head + "routes:\n" + b.route("b")}
	r := relayOf(t, files[0])
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range events {
			r.scan(fmt.Sprint(i))
		}
	}()
	for i := range reloads {
		r.hangUp(files[(i+1)%2], readAgain)
	}
	<-sent
	r.hangUp(head+"routes:\n"+a.route("a")+b.route("b"), readAgain) // what waits for either is worked off
	seen := map[string]int{}
	for range events {
		select {
		case id := <-a.ids:
			seen[id]++
		case id := <-b.ids:
			seen[id]++
		}
	}
	if len(seen) != events {
		t.Errorf("%d events came, want %d", len(seen), events)
	}
}

func TestAReloadReplacesTheSecrets(t *testing.T) {
	t.Parallel()
	to := newTarget(t)
	file := head + "routes:\n" + to.route("a")
	r := relayOf(t, file)
	for i, step := range []struct {
		secrets  string
		old, new int
	}{
		{signingSecret, 200, 401}, {otherSecret + "," + signingSecret, 200, 200}, {otherSecret, 401, 200},
	} {
		r.write("whsec", step.secrets)
		r.hangUp(file, readAgain)
		for secret, want := range map[string]int{signingSecret: step.old, otherSecret: step.new} {
			if got := r.send(secret, fmt.Sprintf("%d-%d-%t", i, want, secret == otherSecret), "scan.completed", "{}"); got != want {
				t.Errorf("step %d: got %d, want %d", i, got, want)
			}
		}
	}
	if text := r.logs.text(); strings.Contains(text, "whsec_") {
		t.Errorf("a secret is in the log:\n%s", text)
	}
}

func TestAReloadSaysWhichVariablesItCannotSeeAnew(t *testing.T) {
	// Not parallel: it sets the environment.
	t.Setenv("RELAY_TEST_SECRET", otherSecret)
	t.Setenv("RELAY_TEST_OTHER", otherSecret)
	to := newTarget(t)
	file := head + "routes:\n" + to.route("a")
	r := relayOf(t, file)
	r.hangUp(file, readAgain)
	const said = "a new value takes a restart"
	if text := r.logs.text(); strings.Contains(text, said) {
		t.Errorf("it speaks of variables, and the file names none:\n%s", text)
	}
	r.hangUp("secrets: [{file: whsec}, {env: RELAY_TEST_SECRET}, {env: RELAY_TEST_OTHER}, {env: RELAY_TEST_SECRET}]\ndev: true\nroutes:\n"+to.route("a"), readAgain)
	if text := r.logs.text(); !strings.Contains(text, said+`" variables="[RELAY_TEST_OTHER RELAY_TEST_SECRET]"`) || strings.Contains(text, "whsec_") {
		t.Errorf("the log does not say that both variables take a restart, or has a value of theirs:\n%s", text)
	}
}

func TestAFileWithMistakesChangesNothing(t *testing.T) {
	t.Parallel()
	to := newTarget(t)
	good := head + "routes:\n" + to.route("a")
	r := relayOf(t, good)
	metric := func(want string) {
		t.Helper()
		if _, text := r.get(r.port(), "/metrics"); !strings.Contains(text, "\ncompliancelayer_relay_config_ok "+want+"\n") {
			t.Errorf("compliancelayer_relay_config_ok is not %s", want)
		}
	}
	metric("1")
	bad := head + "routes:\n  - name: a\n    webhok: {url: http://127.0.0.1:1}\n  - file: {pth: x}\n  - command: {run: [./x]}\n    attempts: 1000\n"
	r.hangUp(bad, "routes[2].attempts")
	text := r.logs.text()
	for _, want := range []string{"relay.yaml:5: routes[0].webhok: ", "did you mean webhook?", "relay.yaml:6: routes[1].file.pth: ", "did you mean path?", "relay.yaml:8: routes[2].attempts: "} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not say %q:\n%s", want, text)
		}
	}
	r.scan("1")
	to.want(t, "1")
	r.hangUp(bad, "routes[2].attempts") // when this is read, the gauge is set by the one before
	metric("0")

	// What only the maker of an end finds is a mistake, too.
	r.hangUp(good+"  - datadog: {api_key: {file: whsec}, site: \"not a site\"}\n", "routes[1].datadog")
	r.scan("2")
	to.want(t, "2")

	r.hangUp(good, readAgain)
	r.hangUp(good, readAgain)
	metric("1")
}

func TestAReloadSaysWhatTakesARestart(t *testing.T) {
	t.Parallel()
	to := newTarget(t)
	good := head + "routes:\n" + to.route("a")
	r := relayOf(t, good)
	all := []string{"inbox", "keep_done", "keep_failed", "log_format", "log_level", "metrics_listen", "path", "shutdown_grace"}
	changed := "path: /other\nmetrics_listen: 127.0.0.1:1\ninbox: other.db\nkeep_done: 1d\nkeep_failed: 1d\nshutdown_grace: 1s\nlog_level: debug\nlog_format: json\n" + good
	for _, tt := range []struct {
		file string
		want []string
	}{{good, nil}, {changed, all}, {changed, all}, {good, nil}} { // it is so as long as it is so
		before := len(r.logs.text())
		r.hangUp(tt.file, readAgain)
		said := r.logs.text()[before:]
		var got []string
		for _, name := range all {
			if strings.Contains(said, name+" is not as it was at the start, which takes a restart") {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("it says that %v take a restart, want %v:\n%s", got, tt.want, said)
		}
	}
	if status := r.send(signingSecret, "1", "scan.completed", "{}"); status != http.StatusOK {
		t.Errorf("the path answers %d after that", status)
	}
}

// The inbox of the file takes a restart, so that until then another one is in use.
func TestAReloadMakesNoRouteOfTheInboxInUse(t *testing.T) {
	t.Parallel()
	to := newTarget(t)
	r := relayOf(t, head+"routes:\n"+to.route("a"))
	r.hangUp("inbox: other.db\n"+head+"routes:\n"+to.route("a")+"  - file: {path: relay.db}\n", "the file ")
	if text := r.logs.text(); !strings.Contains(text, "relay.yaml:7: routes[1].file: it belongs to the inbox") {
		t.Errorf("the log does not say that the file of a route is the inbox in use:\n%s", text)
	}
	r.scan("1")
	to.want(t, "1")
}

func TestWhatWaitsForARouteThatIsGoneIsWorkedOffWhenItIsBack(t *testing.T) {
	t.Parallel()
	a, b := newTarget(t), newTarget(t)
	b.set(http.StatusServiceUnavailable, nil)
	both := head + "routes:\n" + a.route("a") + b.route("b")
	r := relayOf(t, both)
	for _, id := range []string{"1", "2", "3"} {
		r.scan(id)
	}
	b.want(t, "1")
	a.want(t, "1", "2", "3")
	r.hangUp(head+"routes:\n"+a.route("a"), readAgain)
	r.scan("4")
	a.want(t, "4")
	if got := r.statuses(r.store, "b"); len(got[receiver.Waiting])+len(got[receiver.Working]) != 3 {
		t.Errorf("of the route that is gone there are %v, want three that wait", got)
	}
	// A signal comes as soon as the one before was seen to, so that this is said by then.
	r.hangUp(head+"routes:\n"+a.route("a"), readAgain)
	if text := r.logs.text(); !strings.Contains(text, "route=b events=3") || strings.Contains(text, "route=a events") {
		t.Errorf("the log does not say that 3 events wait for the route that is gone:\n%s", text)
	}
	b.set(http.StatusOK, nil)
	r.hangUp(both, readAgain)
	r.scan("5")
	b.want(t, "1", "2", "3", "5")
}

// A restart reads the file anew, too: nobody hangs up to find out what waits in vain.
func TestAStartSaysWhatWaitsForARouteThatIsGone(t *testing.T) {
	t.Parallel()
	a, b := newTarget(t), newTarget(t)
	b.set(http.StatusServiceUnavailable, nil)
	r := relayOf(t, head+"routes:\n"+a.route("a")+b.route("b"))
	r.scan("1")
	b.want(t, "1")
	a.want(t, "1")
	r.halt()
	r.write("relay.yaml", head+"routes:\n"+a.route("a"))
	r.start(r.open())
	r.hangUp("a mistake", "the file has a mistake") // which says nothing of routes itself
	if text := r.logs.text(); !strings.Contains(text, "route=b events=1") || strings.Contains(text, "route=a events") {
		t.Errorf("the log does not say that 1 event waits for the route that is gone:\n%s", text)
	}
}

// An end that hangs must not keep the other routes from going on after a reload.
func TestAReloadDoesNotWaitForAnEndThatHangs(t *testing.T) {
	t.Parallel()
	quick, hung := newTarget(t), newTarget(t)
	release := make(chan struct{})
	hung.set(http.StatusOK, release)
	file := head + "routes:\n" + quick.route("quick") + hung.route("hung")
	r := relayOf(t, file)
	r.scan("1")
	quick.want(t, "1")
	hung.want(t, "1")
	r.hangUp(file, readAgain)
	r.scan("2")
	quick.want(t, "2")
	select {
	case id := <-hung.ids:
		t.Errorf("event %s came while the route had another in hand", id)
	default:
	}
	r.hangUp(head+"routes:\n"+quick.route("quick"), readAgain) // it leaves, and is back
	r.hangUp(file, readAgain)
	r.scan("3")
	quick.want(t, "3")
	close(release)
	hung.want(t, "2", "3")
}
