package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/pgtest"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// opens opens a program and closes it again without serving.
func opens(t *testing.T, cfg Config) error {
	t.Helper()
	a, err := Open(t.Context(), cfg)
	if err != nil {
		return err
	}
	return a.close()
}

func TestMetricsAreThereWithAKeyOrOnTheirOwnAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.MetricsListen = "127.0.0.1:0" })
	behindKey := newWorld(t, nil)
	for _, one := range []*world{w, behindKey} {
		r := newReceiver(t, nil)
		one.endpoint(r.URL, nil)
		one.ends(one.publish().Deliveries[0].ID, client.StatusDelivered)
	}
	if status, _ := page(t, behindKey.URL()+"/metrics", ""); status != http.StatusUnauthorized {
		t.Errorf("without a key: %d, want 401", status)
	}
	if status, _ := page(t, w.URL()+"/metrics", adminKey); status != http.StatusNotFound {
		t.Errorf("on the API's address beside one of their own: %d, want 404", status)
	}
	own := "http://" + w.metrics.Addr().String()
	if status, _ := page(t, own+"/v1/me", adminKey); status != http.StatusNotFound {
		t.Errorf("the API on the address of the metrics: %d, want 404", status)
	}
	for address, key := range map[string]string{own: "", behindKey.URL(): adminKey} {
		wantMetrics(t, address, key)
	}
}

// wantMetrics waits until the counts say that one event was delivered.
func wantMetrics(t *testing.T, address, key string) {
	t.Helper()
	want := []string{
		`compliancelayer_events_accepted_total 1`,
		`compliancelayer_attempts_total{class="ok"} 1`,
		`compliancelayer_attempts_total{class="server_error"} 0`,
		`compliancelayer_deliveries_total{status="delivered"} 1`,
		`compliancelayer_attempt_duration_seconds_count{outcome="ok"} 1`,
		`compliancelayer_record_lag_seconds_count 1`,
		`compliancelayer_http_request_duration_seconds_count{route="POST /v1/events",status="202"} 1`,
		`compliancelayer_queue_deliveries{status="waiting"} 0`,
		`compliancelayer_queue_count_errors 0`,
		`compliancelayer_lanes{state="open"} 1`,
		`compliancelayer_build_info{version="1.2.3"} 1`,
		`go_goroutines `, `process_open_fds `,
	}
	var text string
	var missing []string
	eventually(t, "the metrics count the delivery", func() bool {
		var status int
		status, text = page(t, address+"/metrics", key)
		missing = nil
		for _, line := range want {
			if !strings.Contains("\n"+text, "\n"+line) {
				missing = append(missing, line)
			}
		}
		return status == http.StatusOK && (len(missing) == 0 || strings.Contains(text, `deliveries_total{status="delivered"} 1`))
	})
	if len(missing) > 0 {
		t.Errorf("not in the metrics:\n%s\nall of them:\n%s", strings.Join(missing, "\n"), text)
	}
}

func TestAnotherEncryptionKeyIsRefused(t *testing.T) {
	t.Parallel()
	other := base64.StdEncoding.EncodeToString([]byte("98765432109876543210987654321098"))
	cfg := settings(t.TempDir())
	must(t, opens(t, cfg))
	wrong := cfg
	wrong.SecretKey = other
	err := opens(t, wrong)
	if !errors.Is(err, store.ErrWrongKey) || !strings.Contains(err.Error(), "COMPLIANCELAYER_SECRET_KEY") {
		t.Errorf("another key: %v, want ErrWrongKey and where it came from", err)
	}
	for _, text := range []string{other, sealKey} {
		if strings.Contains(err.Error(), text) {
			t.Errorf("the error tells a key: %v", err)
		}
	}
	bad := cfg
	bad.SecretKey = "no key at all"
	if err := opens(t, bad); err == nil || strings.Contains(err.Error(), "no key at all") {
		t.Errorf("what is no key: %v, want an error without it", err)
	}
	must(t, opens(t, cfg)) // nothing of it is left open
}

func TestAKeyFileIsMadeOnceAndForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	cfg := settings(t.TempDir())
	cfg.SecretKey = ""
	must(t, opens(t, cfg))
	path := cfg.Database + ".key"
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key file has mode %s, want 0600", info.Mode())
	}
	must(t, opens(t, cfg))
	named := cfg
	named.SecretKeyFile = filepath.Join(filepath.Dir(path), "another.key")
	if err := opens(t, named); !errors.Is(err, store.ErrWrongKey) || !strings.Contains(err.Error(), "another.key") {
		t.Errorf("a fresh key file for an old database: %v, want ErrWrongKey with the name of the file", err)
	}
}

func TestAnAddressThatIsTakenNamesItsSetting(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	tests := []struct {
		flag   string
		change func(*Config)
	}{
		{"--listen", func(c *Config) { c.Listen = taken.Addr().String() }},
		{"--metrics-listen", func(c *Config) { c.MetricsListen = taken.Addr().String() }},
	}
	for _, tt := range tests {
		cfg := settings(t.TempDir())
		tt.change(&cfg)
		err := opens(t, cfg)
		if err == nil {
			t.Errorf("%s: an address that is taken was opened", tt.flag)
			continue
		}
		for _, part := range []string{taken.Addr().String(), tt.flag} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error %q does not say %q", tt.flag, err, part)
			}
		}
		if _, err := os.Stat(cfg.Database); err == nil {
			t.Errorf("%s: a database was made although nothing can be served", tt.flag)
		}
	}
}

func TestAProgramThatCannotOpenItsDatabaseLeavesItsAddresses(t *testing.T) {
	t.Parallel()
	cfg := settings(t.TempDir())
	cfg.Listen, cfg.MetricsListen = freeAddress(t), freeAddress(t)
	first := settings(filepath.Dir(cfg.Database))
	a, err := Open(t.Context(), first)
	must(t, err)
	if err := opens(t, cfg); !errors.Is(err, store.ErrInUse) {
		t.Errorf("a second program on the file: %v, want ErrInUse", err)
	}
	for _, address := range []string{cfg.Listen, cfg.MetricsListen} {
		if c, err := net.Dial("tcp", address); err == nil {
			t.Errorf("%s is still open", address)
			_ = c.Close()
		}
	}
	must(t, a.close())
	must(t, opens(t, cfg))
}

// freeAddress gives an address that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

func TestTheSetupLinkMakesTheFirstOwnerOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := func(c *Config) { c.Database, c.APIKey = filepath.Join(dir, "test.db"), "" }
	w := newWorld(t, empty)
	link, err := url.Parse(w.SetupURL())
	must(t, err)
	if !strings.HasPrefix(w.SetupURL(), w.URL()+"/setup?") {
		t.Fatalf("the link is %q, want one to %s/setup", w.SetupURL(), w.URL())
	}
	for range 2 { // looking uses nothing up
		if status, text := page(t, w.SetupURL(), ""); status != http.StatusOK || !strings.Contains(text, `action="/setup"`) {
			t.Fatalf("the link answers %d:\n%s", status, text)
		}
	}
	token := link.Query().Get("token")
	form := url.Values{"token": {token}, "name": {"Zoë"}, "email": {"zoe@example.com"}, "password": {"correct horse battery staple"}}
	if status, text := post(t, w.URL()+"/setup", form); status != http.StatusOK { // without the cookie that came with it, the sign-in page
		t.Fatalf("the form answers %d:\n%s", status, text)
	}
	if status, text := post(t, w.URL()+"/setup", form); status != http.StatusUnprocessableEntity || !strings.Contains(text, "is set up already") {
		t.Errorf("used again, it answers %d:\n%s", status, text)
	}
	if strings.Contains(w.log.String(), token) || strings.Contains(w.log.String(), "battery staple") {
		t.Error("the token or the password is in the log")
	}
	w.shutdown()
	if again := newWorld(t, empty); again.SetupURL() != "" {
		t.Error("a link was made although there is an owner")
	}
}

// Each node of an empty database prints a link; of all of them one may make a key.
func TestOfTheSetupLinksOfNodesThatStartAtOnceOneIsGood(t *testing.T) {
	t.Parallel()
	database := pgtest.URL(t)
	nodes := make([]*App, 3)
	var starting sync.WaitGroup
	for i := range nodes {
		starting.Go(func() {
			cfg := settings(t.TempDir())
			cfg.Database, cfg.APIKey = database, ""
			var err error
			if nodes[i], err = Open(t.Context(), cfg); err != nil {
				t.Errorf("node %d: %v", i, err)
			}
		})
	}
	starting.Wait()
	if t.Failed() {
		return
	}
	var made int
	for _, node := range nodes {
		link := got(url.Parse(node.SetupURL()))(t)
		first := auth.Hash(link.Query().Get("token"))
		_, key := auth.NewKey(store.DefaultAccount, "first", auth.Scopes{auth.Admin}, time.Time{}, time.Now())
		err := node.db.SetUp(t.Context(), first, key, time.Now())
		if err == nil {
			made++
		} else if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
			t.Error(err)
		}
		must(t, node.close())
	}
	if made != 1 {
		t.Errorf("the links of three nodes made %d keys, want 1", made)
	}
}

func TestTheSetupLinkOfAServerOnEveryAddressCanBeOpened(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		cfg := settings(t.TempDir())
		cfg.Listen, cfg.APIKey = listen, ""
		a := got(Open(t.Context(), cfg))(t)
		if !strings.HasPrefix(a.SetupURL(), "http://localhost:") {
			t.Errorf("listening on %s the link is %s, want one to localhost", listen, a.SetupURL())
		}
		must(t, a.close())
	}
}

func TestNoSetupLinkIsMadeBesideAKeyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if w.SetupURL() != "" {
		t.Error("a link was made")
	}
	if me := got(w.Me(t.Context()))(t); len(me.Scopes) != 1 || me.Scopes[0] != client.ScopeAdmin {
		t.Errorf("the key of the environment may %v, want everything", me.Scopes)
	}
	short := settings(t.TempDir())
	short.APIKey = "not-a-key"
	if err := opens(t, short); err == nil || !strings.Contains(err.Error(), "COMPLIANCELAYER_API_KEY") || strings.Contains(err.Error(), "not-a-key") {
		t.Errorf("what is no key: %v, want an error that names the variable and not its value", err)
	}
}

// post sends a form.
func post(t *testing.T, address string, form url.Values) (int, string) {
	t.Helper()
	req := got(http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode())))(t)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res := got(http.DefaultClient.Do(req))(t)
	defer res.Body.Close()
	return res.StatusCode, string(got(io.ReadAll(res.Body))(t))
}

// When the program is asked to end, one call is being answered, one attempt is on
// the wire and one delivery waits in memory.
func TestTheEndIsGraceful(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keep := func(c *Config) { c.Database = filepath.Join(dir, "test.db") }
	w := newWorld(t, keep)
	release := map[string]chan struct{}{"scan.completed": make(chan struct{}), "domain.added": make(chan struct{})}
	r := newReceiver(t, func(_ http.ResponseWriter, req *http.Request) { <-release[req.Header.Get(webhook.EventHeader)] })
	e, _ := w.endpoint(r.URL, func(in *client.NewEndpoint) { in.Concurrency = 1 })
	onWire := w.publish().Deliveries[0].ID
	r.next(t)
	waiting := w.publish().Deliveries[0].ID
	w.ends(waiting, client.StatusSending)
	answered := make(chan client.TestResult, 1)
	go func() {
		result, err := w.TestEndpoint(t.Context(), e.ID, client.TestEndpoint{})
		if err != nil {
			t.Errorf("the call that was open: %v", err)
		}
		answered <- result
	}()
	r.next(t)

	w.stop()
	eventually(t, "no more calls are taken", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(w.URL(), "http://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(release["scan.completed"])
	if result := <-answered; !result.Succeeded {
		t.Errorf("the call that was open answers %+v", result)
	}
	eventually(t, "what waited in memory is given back", func() bool {
		f := store.DeliveryFilter{Statuses: []delivery.Status{delivery.Pending}}
		return got(w.db.CountDeliveries(t.Context(), store.DefaultAccount, f))(t) == 1
	})
	select {
	case err := <-w.ended:
		t.Fatalf("serve ended while an attempt was on the wire: %v", err)
	default:
	}
	close(release["domain.added"])
	w.shutdown()
	if n := len(r.got); n != 0 {
		t.Errorf("%d requests were sent after the end was asked for", n)
	}

	again := newWorld(t, keep)
	if d := got(again.Delivery(t.Context(), onWire))(t); d.Status != client.StatusDelivered || d.Attempts != 1 {
		t.Errorf("what was on the wire is %+v, want delivered by its one attempt", d)
	}
	if d := again.ends(waiting, client.StatusDelivered); d.Attempts != 1 {
		t.Errorf("what waited is %+v, want it delivered later by a first attempt", d)
	}
	if n := r.next(t).header.Get(webhook.AttemptHeader); n != "1" {
		t.Errorf("it was sent as attempt %s", n)
	}
}

// The time for open calls is over while a test is on the wire: its call is answered, and its
// delivery is over too.
func TestATestThatOutlastsTheEndIsCutAndClosed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) {
		c.Database, c.ShutdownTimeout = filepath.Join(dir, "test.db"), time.Millisecond
	})
	r := newReceiver(t, func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	e, _ := w.endpoint(r.URL, nil)
	answered := make(chan client.TestResult, 1)
	go func() {
		result, err := w.TestEndpoint(t.Context(), e.ID, client.TestEndpoint{})
		if err != nil {
			t.Errorf("the call that was open: %v", err)
		}
		answered <- result
	}()
	r.next(t)
	w.shutdown()
	if result := <-answered; result.Succeeded || result.Attempt.ErrorClass != string(delivery.Interrupted) {
		t.Errorf("the call that was open answers %+v, want an attempt that was interrupted", result)
	}
	again := newWorld(t, func(c *Config) { c.Database = filepath.Join(dir, "test.db") })
	all := got(again.Deliveries(t.Context(), client.DeliveryQuery{}))(t).Data
	if len(all) != 1 || all[0].Status != client.StatusDiscarded {
		t.Errorf("the test's delivery is %+v, want it discarded", all)
	}
}

// A time-out that is 0 is none: a client could hold a connection for ever.
func TestTheServersHaveEveryTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.MetricsListen = "127.0.0.1:0" })
	for name, s := range map[string]*http.Server{"API": w.api.server, "metrics": w.metrics.server} {
		if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout <= s.ReadTimeout || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
			t.Errorf("the server of the %s lacks a time-out, or has none left to answer after a slow body", name)
		}
	}
}

// Long headers were answered by net/http, in plain text.
func TestLongHeadersAreAnsweredAsOtherErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, size := range []int{20_000, 40_000} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL()+"/healthz", nil)
		must(t, err)
		r.Header.Set("X-Long", strings.Repeat("a", size))
		res, err := http.DefaultClient.Do(r)
		must(t, err)
		var answer client.Error
		err = json.NewDecoder(res.Body).Decode(&answer)
		if must(t, res.Body.Close()); err != nil || answer.Status != http.StatusRequestHeaderFieldsTooLarge || answer.RequestID == "" {
			t.Errorf("a header of %d bytes: answered %d %+v, %v", size, res.StatusCode, answer, err)
		}
	}
}

func TestAServerThatBreaksEndsTheProgram(t *testing.T) {
	t.Parallel()
	a, err := Open(t.Context(), settings(t.TempDir()))
	must(t, err)
	must(t, a.api.Close()) // as if its socket had broken
	if err := a.Serve(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("serve: %v, want what broke", err)
	}
}

func TestReadyUntilTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	must(t, w.Ready(t.Context()))
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json", "/docs"} {
		if status, _ := page(t, w.URL()+path, ""); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
	w.shutdown()
	if err := w.Ready(context.WithoutCancel(t.Context())); err == nil {
		t.Error("it is ready after its end")
	}
}

func TestSettingsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"no schedule":       func(c *Config) { c.Policy.Schedule = nil },
		"no allowed target": func(c *Config) { c.AllowTargets = []string{"10.0.0.0/99"} },
	} {
		cfg := settings(t.TempDir())
		change(&cfg)
		if err := opens(t, cfg); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// The outcome that disables an endpoint may be the last that is recorded.
func TestWhatTheLastAttemptDisabledIsToldBeforeTheEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keep := func(c *Config) {
		c.Database = filepath.Join(dir, "test.db")
		c.Policy.DisableAfter = 1
	}
	w := newWorld(t, keep)
	release := make(chan struct{})
	failing := newReceiver(t, func(rw http.ResponseWriter, _ *http.Request) {
		<-release
		rw.WriteHeader(http.StatusInternalServerError)
	})
	watching := newReceiver(t, nil)
	w.endpoint(failing.URL, nil)
	watcher, _ := w.endpoint(watching.URL, func(in *client.NewEndpoint) { in.Events = []string{"endpoint.disabled"} })
	w.publish()
	failing.next(t)
	w.stop()
	eventually(t, "the dispatcher is the next to stop", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(w.URL(), "http://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(release)
	w.shutdown()

	db := got(sqlstore.Open(t.Context(), sqlstore.Config{Database: filepath.Join(dir, "test.db")}))(t)
	defer func() { must(t, db.Close()) }()
	if n := got(db.CountDeliveries(t.Context(), store.DefaultAccount, store.DeliveryFilter{EndpointID: watcher.ID}))(t); n != 1 {
		t.Errorf("%d deliveries for the one who asked to be told, want 1", n)
	}
}
