package relay

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// running is a relay in this process.
type running struct {
	*Relay
	t      *testing.T
	dir    string
	logs   *logs
	reload chan os.Signal
	stop   context.CancelFunc
	ended  chan error // of Run
}

// head is the part of a file before its routes. The secret is in a file, whose one line
// the test writes.
const head = "secrets: {file: whsec}\ndev: true\n"

// relayOf starts a relay on a port that is free, whatever its file says.
func relayOf(t *testing.T, file string) *running {
	t.Helper()
	r := &running{t: t, dir: t.TempDir(), logs: newLogs()}
	r.write("whsec", signingSecret)
	r.write("relay.yaml", file)
	r.start(r.open())
	return r
}

func (r *running) path(name string) string { return filepath.Join(r.dir, name) }

func (r *running) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path(name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// config reads the file; its listeners get free ports.
func (r *running) config() *Config {
	r.t.Helper()
	config, err := Read(r.path("relay.yaml"))
	if err != nil {
		r.t.Fatal(err)
	}
	config.Listen = strings.ReplaceAll(config.Listen, ":8090", ":0")
	if config.MetricsListen != "" {
		config.MetricsListen = "127.0.0.1:0"
	}
	return config
}

func (r *running) open() *Relay {
	r.t.Helper()
	opened, err := Open(r.t.Context(), r.path("relay.yaml"), r.config(), slog.New(slog.NewTextHandler(r.logs, nil)))
	if err != nil {
		r.t.Fatal(err)
	}
	return opened
}

// start runs a relay until the test ends, or halt.
func (r *running) start(opened *Relay) {
	ctx, stop := context.WithCancel(context.Background())
	reload, ended := make(chan os.Signal), make(chan error, 1)
	r.Relay, r.reload, r.stop, r.ended = opened, reload, stop, ended
	go func() {
		defer close(ended)
		ended <- opened.Run(ctx, reload)
	}()
	r.t.Cleanup(func() {
		stop()
		for range ended { // halt may have had the error
		}
	})
}

// halt ends Run and waits for it.
func (r *running) halt() {
	r.t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run: %v", err)
	}
}

// hangUp writes the file anew and signals, and waits until the log says what is expected.
func (r *running) hangUp(file, expected string) {
	r.t.Helper()
	r.write("relay.yaml", file)
	seen := r.logs.next(expected)
	r.reload <- syscall.SIGHUP
	<-seen
}

// send posts an event, signed with a secret, and gives the status.
func (r *running) send(secret, id, eventType, data string) int {
	r.t.Helper()
	event := webhooktest.NewEvent(eventType, data)
	event.ID = id
	req := webhooktest.NewRequest(r.t, r.URL(), mustSecret(r.t, secret), event)
	req.RequestURI = "" // it is a client's
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Errorf("send %s: %v", id, err)
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// scan posts a scan that must be taken.
func (r *running) scan(id string) {
	r.t.Helper()
	if status := r.send(signingSecret, id, "scan.completed", `{"domain": "example.com", "score": 61}`); status != http.StatusOK {
		r.t.Errorf("event %s was answered with %d, want 200", id, status)
	}
}

// get gives what an address beside the path answers.
func (r *running) get(address, path string) (int, string) {
	r.t.Helper()
	resp, err := http.Get("http://" + address + path) //nolint:gosec,noctx // a listener of this test
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// port is where the relay listens, as this machine reaches it.
func (r *running) port() string {
	address := r.listener.Addr().String()
	return "127.0.0.1" + address[strings.LastIndex(address, ":"):]
}

// statuses gives the events of a route by their statuses.
func (r *running) statuses(store receiver.Store, route string) map[receiver.Status][]string {
	r.t.Helper()
	items, _, err := store.List(r.t.Context(), receiver.Filter{Lanes: []string{route}}, receiver.Page{})
	if err != nil {
		r.t.Fatal(err)
	}
	found := map[receiver.Status][]string{}
	for _, item := range items {
		found[item.Status] = append(found[item.Status], item.ID)
	}
	return found
}

// logs keeps what is logged, and tells who waits for a line.
type logs struct {
	mu      sync.Mutex
	lines   []string
	waiting map[string][]chan string
}

func newLogs() *logs { return &logs{waiting: map[string][]chan string{}} }

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	for part, all := range l.waiting {
		if strings.Contains(string(p), part) {
			for _, c := range all {
				c <- string(p)
			}
			delete(l.waiting, part)
		}
	}
	return len(p), nil
}

// next gives the next line that has a part, when it comes.
func (l *logs) next(part string) <-chan string {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := make(chan string, 1)
	l.waiting[part] = append(l.waiting[part], c)
	return c
}

func (l *logs) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}

// target is the end of a webhook route: it tells the ids of events, and answers what it
// is told to.
type target struct {
	url string
	ids chan string // with room for all that any test sends

	mu      sync.Mutex
	says    int
	hold    chan struct{}   // nil: answers at once
	refused map[string]bool // ids that are not told a second time while they are refused
}

func newTarget(t *testing.T) *target {
	t.Helper()
	to := &target{ids: make(chan string, 1000), says: http.StatusOK, refused: map[string]bool{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		to.mu.Lock()
		says, hold, id := to.says, to.hold, r.Header.Get(webhook.IDHeader)
		again := says != http.StatusOK && to.refused[id]
		to.refused[id] = says != http.StatusOK
		to.mu.Unlock()
		if !again {
			to.ids <- id
		}
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		w.WriteHeader(says)
	}))
	t.Cleanup(server.Close)
	to.url = server.URL
	return to
}

func (to *target) set(says int, hold chan struct{}) {
	to.mu.Lock()
	defer to.mu.Unlock()
	to.says, to.hold = says, hold
}

// want waits for events, in this order.
func (to *target) want(t *testing.T, ids ...string) {
	t.Helper()
	var got []string
	for range ids {
		got = append(got, <-to.ids)
	}
	if !slices.Equal(got, ids) {
		t.Errorf("events %v came, want %v", got, ids)
	}
}

// to is a route to a target.
func (to *target) route(name string) string {
	return fmt.Sprintf("  - name: %s\n    webhook: {url: %q}\n", name, to.url)
}

const readAgain = "the file was read again"
