package web_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

const (
	patience = 30 * time.Second // bounds what a test waits for
	password = "correct horse battery staple"
	sealKey  = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

// world is a program that serves, on an empty database.
type world struct {
	*app.App
	t    *testing.T
	log  *logged
	stop func()        // asks the program to stop; every test does at its end
	gone chan struct{} // closed when it has
}

func newWorld(t *testing.T, change func(*app.Config)) *world {
	t.Helper()
	w := &world{t: t, log: &logged{}, gone: make(chan struct{})}
	policy := delivery.DefaultPolicy()
	policy.Schedule = delivery.Schedule{0, 50 * time.Millisecond, 50 * time.Millisecond}
	policy.SpacingFirst, policy.SpacingLongest = time.Millisecond, 10*time.Millisecond
	cfg := app.Config{
		Listen: "127.0.0.1:0", Database: filepath.Join(t.TempDir(), "test.db"), Dev: true, Policy: policy, SecretKey: sealKey, Version: "1.2.3",
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if w.App, err = app.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	w.stop = stop
	ended := make(chan error, 1)
	go func() {
		defer close(w.gone)
		ended <- w.Serve(ctx)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return w
}

// logged keeps what the program says.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// person is somebody with a browser that has no script.
type person struct {
	*http.Client
	w *world
}

// somebody has a browser and is not signed in.
func (w *world) somebody() *person {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &person{&http.Client{Jar: secureJar{jar}, Timeout: patience}, w}
}

// secureJar keeps cookies as browsers do for a machine's own address, which they trust without TLS.
type secureJar struct{ http.CookieJar }

func (j secureJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.CookieJar.SetCookies(trusted(u), cookies)
}
func (j secureJar) Cookies(u *url.URL) []*http.Cookie { return j.CookieJar.Cookies(trusted(u)) }

func trusted(u *url.URL) *url.URL {
	other := *u
	other.Scheme = "https"
	return &other
}

// cookie is the value of a cookie that the browser holds; "" = it holds none.
func (p *person) cookie(name string) string {
	for _, c := range p.Jar.Cookies(p.home()) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// keep gives the browser a cookie.
func (p *person) keep(name, value string) {
	p.Jar.SetCookies(p.home(), []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

func (p *person) home() *url.URL {
	u, err := url.Parse(p.w.URL())
	if err != nil {
		p.w.t.Fatal(err)
	}
	return u
}

// owner sets the server up.
func (w *world) owner() *person {
	w.t.Helper()
	link, err := url.Parse(w.SetupURL())
	if err != nil || w.SetupURL() == "" {
		w.t.Fatalf("there is no set-up link: %q, %v", w.SetupURL(), err)
	}
	p := w.somebody()
	p.post("/setup", http.StatusOK, "token", link.Query().Get("token"), "name", "Zoë", "email", "zoe@example.com", "password", password)
	return p
}

// answer is a page.
type answer struct {
	t      *testing.T
	path   string // where it ended after redirects
	status int
	header http.Header
	text   string // as it came
	plain  string // as people read it
}

func (p *person) do(req *http.Request, want int) answer {
	p.w.t.Helper()
	res, err := p.Do(req)
	if err != nil {
		p.w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.w.t.Fatal(err)
	}
	if res.StatusCode != want {
		p.w.t.Fatalf("%s %s answers %d, want %d:\n%s\n%s", req.Method, req.URL.Path, res.StatusCode, want, text, p.w.log)
	}
	return answer{p.w.t, res.Request.URL.RequestURI(), res.StatusCode, res.Header, string(text), html.UnescapeString(string(text))}
}

// get visits a page.
func (p *person) get(path string, want int) answer {
	p.w.t.Helper()
	req, err := http.NewRequestWithContext(p.w.t.Context(), http.MethodGet, p.w.URL()+path, nil)
	if err != nil {
		p.w.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,*/*;q=0.8")
	return p.do(req, want)
}

// post sends a form of names and values in turn.
func (p *person) post(path string, want int, pairs ...string) answer {
	p.w.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(p.w.t.Context(), http.MethodPost, p.w.URL()+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.do(req, want)
}

// has wants texts on a page.
func (a answer) has(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.text, text) && !strings.Contains(a.plain, text) {
			a.t.Errorf("%s lacks %q:\n%s", a.path, text, a.text)
		}
	}
	return a
}

// lacks wants texts to be on no page.
func (a answer) lacks(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.text, text) || strings.Contains(a.plain, text) {
			a.t.Errorf("%s has %q", a.path, text)
		}
	}
	return a
}

// find gives what a pattern's first group matches on the page.
func (a answer) find(pattern string) string {
	a.t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(a.plain)
	if found == nil {
		a.t.Fatalf("%s has nothing like %s:\n%s", a.path, pattern, a.text)
	}
	return found[1]
}

// all gives everything on the page that a pattern matches.
func (a answer) all(pattern string) []string {
	return regexp.MustCompile(pattern).FindAllString(a.plain, -1)
}

// distinct gives what differs.
func distinct(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

// until visits a page until it has a text.
func (p *person) until(path, text string) answer {
	p.w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if a := p.get(path, http.StatusOK); strings.Contains(a.text, text) {
			return a
		} else if time.Now().After(deadline) {
			p.w.t.Fatalf("%s never has %q:\n%s", path, text, a.text)
		}
	}
}

// key makes an API key by the page and gives a client with it.
func (p *person) key() *client.Client {
	p.w.t.Helper()
	text := p.post("/settings/keys", http.StatusOK, "name", "test", "scopes", "publish", "scopes", "read").find(`(cl_[a-z2-7]{8}_[a-z2-7]{52})`)
	c, err := client.New(client.Config{Server: p.w.URL(), APIKey: text})
	if err != nil {
		p.w.t.Fatal(err)
	}
	return c
}

// receiver answers as it is told.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	code int
	text string
	got  int
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{code: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got++
		w.WriteHeader(r.code)
		fmt.Fprint(w, r.text)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(code int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.code, r.text = code, text
}

// stream is what a page that follows along was sent so far.
type stream struct {
	t    *testing.T
	mu   sync.Mutex
	got  strings.Builder
	more chan struct{} // something came
	end  chan struct{} // closed when the server ended it
}

// follow opens a live list.
func (p *person) follow(path string) *stream {
	p.w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.w.t.Context()))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.w.URL()+path, nil)
	if err != nil {
		p.w.t.Fatal(err)
	}
	res, err := (&http.Client{Jar: p.Jar}).Do(req)
	if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		p.w.t.Fatalf("follow %s: %v, %v", path, res, err)
	}
	s := &stream{t: p.w.t, more: make(chan struct{}, 1), end: make(chan struct{})}
	p.w.t.Cleanup(func() {
		cancel()
		<-s.end
		res.Body.Close()
	})
	go func() {
		defer close(s.end)
		piece := make([]byte, 4096)
		for {
			n, err := res.Body.Read(piece)
			s.mu.Lock()
			s.got.Write(piece[:n])
			s.mu.Unlock()
			select {
			case s.more <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	s.until("following")
	return s
}

func (s *stream) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

// until waits for a text.
func (s *stream) until(text string) {
	s.t.Helper()
	late := time.After(patience)
	for !strings.Contains(s.text(), text) {
		select {
		case <-s.more:
		case <-late:
			s.t.Fatalf("%q did not come; what came is %q", text, s.text())
		}
	}
}

// ended waits for the server to end it.
func (s *stream) ended() {
	s.t.Helper()
	select {
	case <-s.end:
	case <-time.After(patience):
		s.t.Fatal("it goes on")
	}
}
