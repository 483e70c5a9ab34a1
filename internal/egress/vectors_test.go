package egress

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"code.dny.dev/ssrf"
	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/evidence"
)

//go:embed testdata/ssrf-vectors.txt
var vectorFile string

// denied and allowed are the sizes of the file: a truncated copy must not pass.
const denied, allowed = 283, 62

// selfAddr stands for SELF in the vectors: public, so that only the rule about
// the server's own listeners can deny it.
const selfAddr = "93.184.215.77"

type vector struct {
	line  int
	url   string
	allow bool
	why   string
	stage string     // parse, dial or response; empty for allowed lines
	dns   [][]string // per lookup: addresses, or NXDOMAIN
}

func (v vector) String() string { return fmt.Sprintf("line %d: %.80q (%.60s)", v.line, v.url, v.why) }

func loadVectors(t *testing.T) []vector {
	t.Helper()
	var out []vector
	for i, line := range strings.Split(vectorFile, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := parseVector(line)
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		v.line = i + 1
		out = append(out, v)
	}
	return out
}

func parseVector(line string) (vector, error) {
	cols := strings.Split(line, "\t")
	if len(cols) != 3 || cols[2] == "" {
		return vector{}, errors.New("want three columns")
	}
	u, err := unescape(cols[0])
	if err != nil {
		return vector{}, err
	}
	v := vector{url: u, why: cols[2], allow: cols[1] == "allow"}
	for word := range strings.FieldsSeq(v.why) {
		if s, ok := strings.CutPrefix(word, "stage="); ok {
			v.stage = s
		}
		if s, ok := strings.CutPrefix(word, "dns="); ok {
			for lookup := range strings.SplitSeq(s, "|") {
				v.dns = append(v.dns, strings.Split(lookup, ","))
			}
		}
	}
	switch {
	case cols[1] != "allow" && cols[1] != "deny":
		return v, fmt.Errorf("verdict %q", cols[1])
	case v.allow != (v.stage == ""):
		return v, fmt.Errorf("verdict %q with stage %q", cols[1], v.stage)
	case !v.allow && !slices.Contains([]string{"parse", "dial", "response"}, v.stage):
		return v, fmt.Errorf("stage %q", v.stage)
	case v.stage == "dial" && v.dns == nil:
		return v, errors.New("stage=dial without dns=")
	}
	return v, nil
}

func unescape(s string) (string, error) {
	var b strings.Builder
	for s != "" {
		c, rest, found := strings.Cut(s, `\`)
		b.WriteString(c)
		if !found {
			break
		}
		if rest == "" {
			return "", errors.New("backslash at the end")
		}
		size := 1
		switch rest[0] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case '0':
			b.WriteByte(0)
		case '\\':
			b.WriteByte('\\')
		case 'u':
			if len(rest) < 5 {
				return "", errors.New("short \\u escape")
			}
			n, err := strconv.ParseUint(rest[1:5], 16, 16)
			if err != nil {
				return "", err
			}
			b.WriteRune(rune(n))
			size = 5
		default:
			return "", fmt.Errorf("escape \\%c", rest[0])
		}
		s = rest[size:]
	}
	return b.String(), nil
}

// variants are other spellings of a URL that must get the same verdict.
func variants(raw string) map[string]string {
	out := map[string]string{"as written": raw}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return out
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	out["upper case"] = strings.ToUpper(scheme) + "://" + strings.ToUpper(authority) + tail
	out["zone without escape"] = scheme + "://" + strings.Replace(authority, "%25", "%", 1) + tail
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i:]
	}
	if port == "" {
		out["explicit port"] = scheme + "://" + authority + ":443" + tail
	}
	// A dot after an address is no other spelling of it but an error.
	if _, err := netip.ParseAddr(host); err != nil && !strings.HasSuffix(host, ".") && !strings.HasSuffix(host, "]") {
		out["trailing dot"] = scheme + "://" + host + "." + port + tail
	}
	return out
}

// TestVectors uses every line of the file, in every spelling, where its stage says: when
// it is parsed, when it is dialed, or as the place to which a receiver redirects.
func TestVectors(t *testing.T) {
	begin := time.Now()
	var tried atomic.Int32
	vectors := loadVectors(t)
	verdicts := map[bool]int{}
	for _, v := range vectors {
		verdicts[v.allow]++
	}
	if verdicts[false] != denied || verdicts[true] != allowed {
		t.Fatalf("%d lines deny and %d allow, want %d and %d", verdicts[false], verdicts[true], denied, allowed)
	}
	t.Run("all", func(t *testing.T) {
		t.Run("parsed", func(t *testing.T) { t.Parallel(); vectorsWhenParsed(t, vectors, &tried) })
		t.Run("dialed", func(t *testing.T) { t.Parallel(); vectorsWhenDialed(t, vectors, &tried) })
		t.Run("redirected", func(t *testing.T) { t.Parallel(); redirectVectors(t, vectors, &tried) })
	})
	evidence.Write(t, "ssrf-vectors", evidence.Row{
		Promise: 10, Fault: "targets from the public suites and advisories, in several spellings", Times: int(tried.Load()),
		Of: len(vectors), What: "vectors", Test: "go test ./internal/egress -run TestVectors", Seconds: time.Since(begin).Seconds(),
	})
}

func vectorsWhenParsed(t *testing.T, vectors []vector, tried *atomic.Int32) {
	p := newPolicy(t, Config{})
	for _, v := range vectors {
		if v.stage == "response" {
			continue // see redirectVectors
		}
		for name, u := range variants(v.url) {
			tried.Add(1)
			target, err := p.ParseTarget(u)
			if got, want := err == nil, v.stage != "parse"; got != want {
				t.Errorf("%v, %s: ParseTarget(%.100q) accepted = %v, want %v; error: %v", v, name, u, got, want, err)
			}
			if err == nil {
				checkSentAsStored(t, target)
				continue
			}
			var e *Error
			if !errors.As(err, &e) || e.Code == "" || e.Problem == "" || e.Hint == "" {
				t.Errorf("%v: error %#v, want an *Error with code, problem and hint", v, err)
			}
		}
	}
}

func vectorsWhenDialed(t *testing.T, vectors []vector, tried *atomic.Int32) {
	dialed := 0
	for _, v := range vectors {
		if v.dns == nil {
			continue
		}
		dialed++
		for name, u := range variants(v.url) {
			t.Run(fmt.Sprintf("line %d %s", v.line, name), func(t *testing.T) {
				t.Parallel()
				tried.Add(1)
				runDialVector(t, v, u)
			})
		}
	}
	if dialed < 18 {
		t.Errorf("%d vectors with DNS answers, want at least 18", dialed)
	}
}

// runDialVector sends one request per DNS answer with the real client; the
// recorder sits immediately before connect(2) and stops what gets that far.
func runDialVector(t *testing.T, v vector, u string) {
	p := newPolicy(t, Config{OwnListeners: func() []netip.AddrPort {
		return []netip.AddrPort{netip.MustParseAddrPort(selfAddr + ":443")}
	}})
	target, err := p.ParseTarget(u)
	if err != nil {
		t.Fatal(err)
	}
	resolver := &stepResolver{steps: v.dns}
	c, rec := newRecordedClient(t, p, resolver)
	for i, answer := range v.dns {
		rec.reset()
		_, err := send(t, c, target)
		switch last := i == len(v.dns)-1; {
		case last && !v.allow:
			checkDenied(t, err, answer)
			if got := rec.addrs(); len(got) > 0 {
				t.Errorf("connect was attempted to %v", got)
			}
		case answer[0] == "NXDOMAIN":
			var dns *net.DNSError
			if !errors.As(err, &dns) || !dns.IsNotFound {
				t.Errorf("lookup %d: error %v, want a DNS error", i+1, err)
			}
		default:
			if diff := cmp.Diff(publicOnly(t, answer), rec.addrs()); diff != "" {
				t.Errorf("lookup %d: connects (-want +got):\n%s", i+1, diff)
			}
		}
	}
	if got, want := resolver.host(), target.Host()+"."; got != want {
		t.Errorf("looked up %q, want %q", got, want)
	}
}

func checkDenied(t *testing.T, err error, answer []string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeBlocked {
		t.Fatalf("error %v, want %s", err, CodeBlocked)
	}
	for _, a := range answer {
		if a == "SELF" {
			a = selfAddr
		}
		plain := netip.MustParseAddr(a).Unmap().String()
		if strings.Contains(err.Error(), plain) {
			t.Errorf("message %q tells the address %s", err, plain)
		}
		if !strings.Contains(e.Detail, plain) {
			t.Errorf("detail %q does not tell the address %s", e.Detail, plain)
		}
	}
}

// publicOnly is the part of an answer that an independent library calls public.
func publicOnly(t *testing.T, answer []string) []string {
	t.Helper()
	oracle := ssrf.New(ssrf.WithAnyPort())
	var out []string
	for _, s := range answer {
		if a := netip.MustParseAddr(s); oracle.SafeAddr(a.Unmap()) == nil {
			out = append(out, netip.AddrPortFrom(a.Unmap(), 443).String())
		}
	}
	if len(out) == 0 {
		t.Fatalf("no public address in %v", answer)
	}
	return out
}

func redirectVectors(t *testing.T, vectors []vector, tried *atomic.Int32) {
	lines := 0
	for _, v := range vectors {
		if v.stage != "response" {
			continue
		}
		lines++
		for _, code := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprintf("line %d with %d", v.line, code), func(t *testing.T) {
				t.Parallel()
				tried.Add(1)
				runRedirect(t, v.url, code)
			})
		}
	}
	if lines < 5 {
		t.Errorf("%d redirect vectors, want at least 5", lines)
	}
	t.Run("location that is no URL", func(t *testing.T) {
		t.Parallel()
		runRedirect(t, "http://[::1:%zz", 302)
	})
}

func runRedirect(t *testing.T, location string, code int) {
	var hits atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.Header().Set("Location", location)
		w.WriteHeader(code)
	}))
	t.Cleanup(srv.Close)
	p := newPolicy(t, Config{Dev: true})
	c, rec := newRecordedClient(t, p, &stepResolver{})
	rec.pass = true
	resp, err := send(t, c, parse(t, p, srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != code || resp.Header.Get("Location") != location {
		t.Errorf("got %d to %q, want %d to %q", resp.StatusCode, resp.Header.Get("Location"), code, location)
	}
	if diff := cmp.Diff([]string{srv.Listener.Addr().String()}, rec.addrs()); diff != "" || hits.Load() != 1 {
		t.Errorf("%d requests; connects (-want +got):\n%s", hits.Load(), diff)
	}
}

// stepResolver answers the first list first and stays with the last one.
type stepResolver struct {
	steps [][]string

	mu    sync.Mutex
	calls int
	asked string
}

func (r *stepResolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = host
	if len(r.steps) == 0 {
		return nil, &net.DNSError{Err: "unexpected lookup", Name: host}
	}
	step := r.steps[min(r.calls, len(r.steps)-1)]
	r.calls++
	var out []netip.Addr
	for _, s := range step {
		switch s {
		case "NXDOMAIN":
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		case "SELF":
			s = selfAddr
		}
		out = append(out, netip.MustParseAddr(s))
	}
	return out, nil
}

func (r *stepResolver) host() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// recorder notes every address that passed the check and is about to be
// connected to, and stops it there unless pass is set.
type recorder struct {
	pass bool

	mu   sync.Mutex
	seen []string
}

var errStopped = errors.New("stopped before connect")

func (r *recorder) connecting(ap netip.AddrPort) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, ap.String())
	if r.pass {
		return nil
	}
	return errStopped
}

func (r *recorder) addrs() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

func (r *recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = nil
}

func newPolicy(t testing.TB, c Config) *Policy {
	t.Helper()
	p, err := NewPolicy(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newClient(t testing.TB, c ClientConfig) *Client {
	t.Helper()
	client, err := NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func newRecordedClient(t testing.TB, p *Policy, r Resolver) (*Client, *recorder) {
	t.Helper()
	c, rec := newClient(t, ClientConfig{Policy: p, Resolver: r}), &recorder{}
	c.lean.dialer.connecting = rec.connecting
	return c, rec
}

func parse(t testing.TB, p *Policy, raw string) Target {
	t.Helper()
	target, err := p.ParseTarget(raw)
	if err != nil {
		t.Fatalf("ParseTarget(%q): %v", raw, err)
	}
	return target
}

// send posts a small body and reads the answer to its end.
func send(t testing.TB, c *Client, target Target) (*http.Response, error) {
	t.Helper()
	req, err := NewRequest(t.Context(), target, []byte(`{"id":1}`))
	if err != nil {
		t.Fatal(err)
	}
	return exchange(t, c, req)
}

func exchange(t testing.TB, c *Client, req *http.Request) (*http.Response, error) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("read answer: %v", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
