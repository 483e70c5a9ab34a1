// Package examples builds and runs the examples, each as a person would.
package examples

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

func TestEveryExampleTakesAnEventAndSkipsItsCopy(t *testing.T) {
	t.Parallel()
	programs, err := filepath.Glob("*/main.go")
	if err != nil || len(programs) < 5 {
		t.Fatalf("there are %d examples, %v", len(programs), err)
	}
	for _, program := range programs {
		name := filepath.Dir(program)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			binary := filepath.Join(dir, name)
			if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./"+name).CombinedOutput(); err != nil {
				t.Fatalf("build: %v\n%s", err, said)
			}
			secret, address := webhook.NewSecret(), freeAddress(t)
			var said strings.Builder
			running := exec.CommandContext(t.Context(), binary)
			running.Dir, running.Stdout, running.Stderr = dir, &said, &said
			chat, posted := fakeSlack(t)
			running.Env = append(os.Environ(), "COMPLIANCELAYER_SECRET="+secret.Reveal(), "LISTEN="+address,
				"SLACK_TOKEN=xoxb-1", "SLACK_CHANNEL=C0123456789", "SLACK_API="+chat)
			if err := running.Start(); err != nil {
				t.Fatal(err)
			}

			sender := &webhooktest.Sender{URL: "http://" + address + "/webhooks/compliancelayer", Secret: secret, Client: &http.Client{Timeout: 10 * time.Second}}
			event := webhooktest.NewEvent("scan.completed", `{"domain":"example.com","score":85,"grade":"B","critical_issues":0,"high_issues":2}`)
			first := send(t, sender, event)
			if copied, err := sender.Retry(t.Context(), first); err != nil || copied.Status != http.StatusOK || !strings.Contains(string(copied.Answer), "known") {
				t.Errorf("a copy: %d %q, %v; want 200, known", copied.Status, copied.Answer, err)
			}
			forger := &webhooktest.Sender{URL: sender.URL, Secret: webhook.NewSecret(), Client: sender.Client}
			if forged, err := forger.Send(t.Context(), event); err != nil || forged.Status != http.StatusUnauthorized {
				t.Errorf("a forged one: %d, %v; want 401", forged.Status, err)
			}
			test := webhooktest.NewEvent("scan.completed", `{"test":true,"message":"from a test"}`)
			send(t, sender, test)
			if name == "inbox" { // the others know no Slack
				select {
				case got := <-posted:
					if got.Channel != "C0123456789" || got.Metadata.EventPayload.ID != test.ID {
						t.Errorf("Slack got %+v, want the test in its channel", got)
					}
				case <-time.After(time.Minute):
					t.Error("Slack got nothing within a minute")
				}
			}
			if err := running.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := running.Wait(); err != nil {
				t.Errorf("it ended with %v:\n%s", err, said.String())
			}
			if !strings.Contains(said.String(), sender.URL) {
				t.Errorf("it does not say that it listens at %s:\n%s", sender.URL, said.String())
			}
		})
	}
}

// On all addresses and a random port an example would be found by others, and not by
// whoever started it.
func TestExamplesListenOnThisMachineAlone(t *testing.T) {
	t.Parallel()
	programs, err := filepath.Glob("*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		text, err := os.ReadFile(program)
		if err != nil || !strings.Contains(string(text), `cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8090")`) {
			t.Errorf("%s has no address for when there is no LISTEN, %v", program, err)
		}
	}
}

// message is what is posted to Slack, of which there is more.
type message struct {
	Channel  string
	Metadata struct {
		EventPayload struct{ ID string } `json:"event_payload"`
	}
}

// fakeSlack takes messages.
func fakeSlack(t *testing.T) (url string, posted <-chan message) {
	t.Helper()
	messages := make(chan message, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var m message
		if err := json.NewDecoder(req.Body).Decode(&m); err != nil || req.URL.Path != "/chat.postMessage" || req.Header.Get("Authorization") != "Bearer xoxb-1" {
			t.Errorf("Slack got %s, %v", req.URL, err)
		}
		messages <- m
		_, _ = w.Write([]byte(`{"ok":true,"channel":"C0123456789","ts":"1.2"}`))
	}))
	t.Cleanup(server.Close)
	return server.URL, messages
}

// send sends the event until the program listens.
func send(t *testing.T, sender *webhooktest.Sender, event webhook.Event) webhooktest.Sent {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		sent, err := sender.Send(t.Context(), event)
		if err == nil && sent.Status == http.StatusOK {
			return sent
		}
		if err == nil {
			t.Fatalf("answered %d %q, want 200", sent.Status, sent.Answer)
		}
	}
	t.Fatal("it did not listen within a minute")
	return webhooktest.Sent{}
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
