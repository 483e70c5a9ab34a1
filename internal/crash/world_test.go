package crash_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/failpoint"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// world is a database with what is around it: the settings of the processes that
// serve it, the receivers, and the publishers with what they were promised.
type world struct {
	t         testing.TB
	settings  settings
	seed      uint64
	receivers []*receiver
	crowd     *crowd
	began     time.Time
}

// engines are the databases that every promise holds for.
var engines = map[string]func(t testing.TB) string{
	"SQLite":     func(t testing.TB) string { return filepath.Join(t.TempDir(), "data.db") },
	"PostgreSQL": func(t testing.TB) string { return pgtest.URL(t) },
}

func newWorld(t testing.TB, database string, receivers ...*receiver) *world {
	t.Helper()
	seed := option[uint64](seedFlag)
	if seed == 0 {
		seed = mathrand.Uint64()
	}
	receivers[0].gate = true
	w := &world{
		t: t, seed: seed, receivers: receivers, crowd: newCrowd(seed), began: time.Now(),
		settings: settings{
			Database: database, KeyFile: filepath.Join(t.TempDir(), "secrets.key"), APIKey: "cl_" + rand.Text() + rand.Text(),
			Level: slog.LevelInfo, Policy: impatient(),
		},
	}
	t.Logf("to repeat: %s", w.command())
	t.Cleanup(w.readLogs)
	return w
}

// command repeats the test, as far as chance in here decides.
func (w *world) command() string {
	tags := clockTag
	if failpoint.On {
		tags = strings.Trim("failpoints,"+clockTag, ",")
	}
	if tags != "" {
		tags = "-tags " + tags + " "
	}
	return fmt.Sprintf("go test %s./internal/crash -run '^%s$' -args -%s=%d -%s=%d -%s=%d", tags, strings.ReplaceAll(w.t.Name(), "/", "$/^"),
		killsFlag, option[int](killsFlag), imagesFlag, option[int](imagesFlag), seedFlag, w.seed)
}

// readLogs looks for what no process of any test may ever have said.
func (w *world) readLogs() {
	paths, err := filepath.Glob(filepath.Join(logs(w.settings), "node-*.log"))
	if err != nil {
		w.t.Errorf("find the logs: %v", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			w.t.Errorf("read a log: %v", err)
		}
		for _, bad := range []string{"DATA RACE", "panic: ", "fatal error: ", "violates unique constraint", "UNIQUE constraint failed"} {
			if at := indexOf(text, bad); at >= 0 {
				w.t.Errorf("a process logged %q:\n%s", bad, text[at:min(len(text), at+6000)])
			}
		}
	}
}

// setUp makes the event type and an endpoint for every receiver.
func (w *world) setUp(api *client.Client) {
	w.t.Helper()
	if _, err := api.CreateEventType(w.t.Context(), client.NewEventType{Name: eventType}); err != nil {
		w.t.Fatalf("make the event type: %v", err)
	}
	for _, r := range w.receivers {
		e, err := api.CreateEndpoint(w.t.Context(), client.NewEndpoint{URL: r.server.URL + "/" + r.name, Events: r.types, Concurrency: r.width})
		if err != nil {
			w.t.Fatalf("make endpoint %s: %v", r.name, err)
		}
		secret, err := webhook.ParseSecret(e.Secret)
		if err != nil {
			w.t.Fatalf("read the secret of %s: %v", r.name, err)
		}
		r.mu.Lock()
		r.id, r.secret = e.ID, secret
		r.mu.Unlock()
	}
}

// load lets the publishers begin and returns when the first event was accepted. stop
// ends them and waits for that.
func (w *world) load(apis ...*client.Client) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	underWay, done := make(chan struct{}), make(chan struct{})
	go func() {
		w.crowd.publish(ctx, underWay, apis...)
		close(done)
	}()
	<-underWay
	return func() {
		cancel()
		<-done
	}
}

// publishGated publishes an event whose first attempt waits at the gate of the first
// receiver, and returns when that attempt is on the wire.
func (w *world) publishGated(api *client.Client) {
	w.t.Helper()
	r := w.receivers[0]
	err := w.crowd.post(w.t.Context(), api, []client.NewEvent{{Type: eventType, Data: []byte(`{"gate":true}`)}})
	if err != nil {
		w.t.Fatalf("publish: %v", err)
	}
	select {
	case <-r.gateSeen:
	case <-time.After(startLimit):
		w.t.Fatal("the request for the gate did not arrive")
	}
}

// heal makes all receivers answer 200 from now on.
func (w *world) heal() {
	for _, r := range w.receivers {
		r.heal()
	}
}

// lease is how long a claim is good for.
func (w *world) lease() time.Duration { return w.settings.Policy.Lease() }

// finish waits until everything is delivered: it lets go what is held and sends again
// what had failed for good. Leases of a process that was killed run out first, and
// so do those of its jobs (15 s).
func (w *world) finish(api *client.Client, limit time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	w.heal()
	waiting := []string{client.StatusPending, client.StatusSending, client.StatusRetrying}
	for {
		w.waitWhile(ctx, api, waiting...)
		if w.count(ctx, api, client.StatusHeld, client.StatusFailed) == 0 {
			// A bulk change may have let them go between the two looks, and one look at several
			// statuses may miss what moves from one to another.
			w.waitWhile(ctx, api, waiting...)
			w.waitWhile(ctx, api, waiting...)
			return
		}
		w.release(ctx, api)
		pause(ctx, 100*time.Millisecond)
	}
}

// waitWhile waits until no delivery has one of the statuses.
func (w *world) waitWhile(ctx context.Context, api *client.Client, statuses ...string) {
	w.t.Helper()
	for w.count(ctx, api, statuses...) > 0 {
		pause(ctx, 50*time.Millisecond)
	}
}

// count tells whether there is a delivery with one of the statuses: 0 or 1.
func (w *world) count(ctx context.Context, api *client.Client, statuses ...string) int {
	w.t.Helper()
	page, err := api.Deliveries(ctx, client.DeliveryQuery{Status: statuses, PageQuery: client.PageQuery{Limit: 1}})
	if err != nil {
		w.t.Fatalf("wait until no delivery is %v: %v", statuses, err)
	}
	return len(page.Data)
}

// release enables every endpoint, with what is held, and retries what failed.
func (w *world) release(ctx context.Context, api *client.Client) {
	w.t.Helper()
	if err := w.tryRelease(ctx, api); err != nil {
		w.t.Fatalf("let go what is held and what failed: %v", err)
	}
}

// tryRelease does the same with a process that may die meanwhile.
func (w *world) tryRelease(ctx context.Context, api *client.Client) error {
	for _, r := range w.receivers {
		if _, err := api.EnableEndpoint(ctx, r.id, client.Enable{Held: "send", PerSecond: 10000}); err != nil {
			return fmt.Errorf("enable %s: %w", r.name, err)
		}
	}
	_, err := api.RetryDeliveries(ctx, client.BulkRetry{Filter: client.DeliveryFilter{Status: []string{client.StatusFailed}}, PerSecond: 10000})
	return err
}
