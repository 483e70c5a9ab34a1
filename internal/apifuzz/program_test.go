package apifuzz_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// program is the whole program, serving in this process so that the race detector and
// its log are at hand, with receivers on the same machine.
type program struct {
	t        *testing.T
	url      string
	database string
	log      *watchedLog
	targets  []string // of endpoints: receivers that are well, sick, odd and not there

	accounts []*account
}

// account is one of those who call. Its canary is in everything that it makes.
type account struct {
	id, canary string
	api        *client.Client // may do everything in it
	keys       []*key
	admin      bool // it is the default account
}

// key is a key that requests are made with.
type key struct {
	text, id string
	scopes   []string
	owner    *account // nil = the key is good for nothing
	flaw     string   // why
}

// newProgram starts the program on a database with three accounts: the default one and
// two others.
func newProgram(t *testing.T, database string) *program {
	t.Helper()
	p := &program{t: t, database: database, log: &watchedLog{t: t}}
	policy := delivery.DefaultPolicy()
	policy.Schedule = delivery.Schedule{0, 20 * time.Millisecond}
	policy.DisableAfter = 200 // else nothing could be retried
	policy.Timeout, policy.SpacingFirst, policy.SpacingLongest = 2*time.Second, time.Millisecond, 20*time.Millisecond
	a := must(app.Open(t.Context(), app.Config{
		Listen: "127.0.0.1:0", Database: database, Dev: true, Policy: policy, MaxEndpoints: 10,
		SecretKey: "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", Version: "1.2.3", Log: slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}))(t)
	p.url = a.URL()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		check(t, <-ended)
	})
	p.receivers()
	p.setUp(a.SetupURL())
	return p
}

// receivers starts those that endpoints may name.
func (p *program) receivers() {
	for _, answer := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") },
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Odd", "\xff\xfe <&>")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, "\x00\xff\u202e</script>")
		},
	} {
		s := httptest.NewServer(answer)
		p.t.Cleanup(s.Close)
		p.targets = append(p.targets, s.URL)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	p.targets = append(p.targets, gone.URL)
}

// setUp makes the first key with the link that the program printed, and all others with it.
func (p *program) setUp(link string) {
	t := p.t
	_, token, _ := strings.Cut(link, "token=")
	first := must(p.client("").Setup(t.Context(), client.Setup{Token: token}))(t)
	root := &account{id: first.AccountID, canary: canary(), admin: true, api: p.client(first.Text)}
	root.keys = []*key{{first.Text, first.ID, first.Scopes, root, ""}}
	p.accounts = []*account{root}
	for range 2 {
		made := must(root.api.CreateAccount(t.Context(), client.NewAccount{Name: "One of those who call"}))(t)
		p.accounts = append(p.accounts, &account{id: made.ID, canary: canary()})
	}
	for _, a := range p.accounts {
		whole := root.newKey(t, a, client.ScopePublish, client.ScopeManage)
		if a != root {
			a.api = p.client(whole.text)
		}
		a.keys = append(a.keys, whole, whole, whole) // most often
		for _, scope := range []string{client.ScopePublish, client.ScopeRead, client.ScopeManage} {
			a.keys = append(a.keys, root.newKey(t, a, scope))
		}
	}
}

// newKey makes a key for an account.
func (root *account) newKey(t *testing.T, a *account, scopes ...string) *key {
	t.Helper()
	made := must(root.api.CreateKey(t.Context(), client.NewKey{Name: "of the test", Scopes: scopes, AccountID: a.id}))(t)
	return &key{made.Text, made.ID, scopes, a, ""}
}

// badKeys are those that must open nothing: each was good once, or looks as if.
func (p *program) badKeys() []*key {
	t, root, a := p.t, p.accounts[0], p.accounts[1]
	soon := client.At(time.Now().Add(200 * time.Millisecond))
	expired := must(root.api.CreateKey(t.Context(), client.NewKey{Name: "short", Scopes: []string{client.ScopeManage}, AccountID: a.id, ExpiresAt: &soon}))(t)
	revoked := root.newKey(t, a, client.ScopeManage)
	check(t, root.api.RevokeKey(t.Context(), a.id, revoked.id))
	doomed := must(root.api.CreateAccount(t.Context(), client.NewAccount{Name: "Doomed"}))(t)
	orphan := root.newKey(t, &account{id: doomed.ID}, client.ScopeManage)
	check(t, root.api.DeleteAccount(t.Context(), doomed.ID))
	for client.At(time.Now()).Before(soon.Time) { // its own clock is the server's
		_, _ = root.api.Me(t.Context())
	}
	return []*key{
		{flaw: "none"},
		{text: "cl_aaaaaaaa_" + strings.Repeat("a", 52), flaw: "unknown"},
		{text: root.keys[0].text[:len(root.keys[0].text)-1], flaw: "cut off"},
		{text: strings.ToUpper(root.keys[0].text), flaw: "in capitals"},
		{text: expired.Text, flaw: "expired"},
		{text: revoked.text, flaw: "revoked"},
		{text: orphan.text, flaw: "of a deleted account"},
		{text: "cl_" + strings.Repeat("é", 400), flaw: "long"},
	}
}

func (p *program) client(key string) *client.Client {
	p.t.Helper()
	return must(client.New(client.Config{Server: p.url, APIKey: key}))(p.t)
}

// canary is a text that is nowhere but where it was put. It can stand in the name of a type.
func canary() string { return "canary" + strings.ToLower(rand.Text()[:12]) }

// watchedLog fails the test when the program logs what it must not.
type watchedLog struct {
	t     *testing.T
	mu    sync.Mutex
	lines int
	bad   []string
}

// secret is the text of a signing secret or of a key.
var secret = regexp.MustCompile(`whsec_[A-Za-z0-9+/=]{30,}|cl_[a-z2-7]{8}_[a-z2-7]{52}`)

// Write takes a line.
func (l *watchedLog) Write(line []byte) (int, error) {
	text := string(line)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines++
	for _, word := range []string{"panic", "level=ERROR", `level=WARN msg="request put off"`} { // at a lower level, the caller has left: some here hang up soon
		if strings.Contains(text, word) {
			l.bad = append(l.bad, text)
		}
	}
	if secret.MatchString(text) {
		l.bad = append(l.bad, "a secret in the log: "+secret.ReplaceAllString(text, "<the secret>"))
	}
	return len(line), nil
}

// verdict reports what the log had that it must not.
func (l *watchedLog) verdict() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == 0 {
		l.t.Error("the program logs nothing: this test would see no panic")
	}
	for _, line := range l.bad[:min(len(l.bad), 10)] {
		l.t.Errorf("the program logged: %s", line)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must takes the results of a call that has to succeed.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}
