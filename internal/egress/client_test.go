package egress

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server is a receiver on loopback that counts its connections and requests.
type server struct {
	*httptest.Server
	conns, requests atomic.Int32
}

func newServer(t testing.TB, setUp func(*httptest.Server), handler http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		handler(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if setUp != nil {
		setUp(s.Server)
	}
	if s.TLS != nil || s.EnableHTTP2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func overTLS(s *httptest.Server)   { s.TLS = &tls.Config{} }
func overHTTP2(s *httptest.Server) { s.EnableHTTP2 = true }

func (s *server) addr() netip.AddrPort { return netip.MustParseAddrPort(s.Listener.Addr().String()) }

func portOf(s *server) string {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	return port
}

// only allows exactly the address of a server.
func only(t testing.TB, addr netip.AddrPort) Config {
	t.Helper()
	return Config{Allow: []AllowRule{{netip.PrefixFrom(addr.Addr(), 32), addr.Port(), addr.Port()}}}
}

// clientFor reaches a TLS server under example.com, a name its certificate has.
func clientFor(t testing.TB, s *server, c Config) (*Client, Target) {
	t.Helper()
	p := newPolicy(t, c)
	client := newClient(t, ClientConfig{
		Policy:       p,
		Resolver:     &stepResolver{steps: [][]string{{"127.0.0.1"}}},
		ExtraRootCAs: []*x509.Certificate{s.Certificate()},
	})
	port := portOf(s)
	return client, parse(t, p, "https://example.com:"+port+"/in?x=1")
}

func TestDeliveryOverTheWire(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		setUp func(*httptest.Server)
		proto int
	}{"HTTP/1.1": {overTLS, 1}, "HTTP/2": {overHTTP2, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var serverName atomic.Value
			s := newServer(t, tt.setUp, func(w http.ResponseWriter, r *http.Request) {
				serverName.Store(r.TLS.ServerName)
				body, _ := io.ReadAll(r.Body)
				if r.Method != "POST" || string(body) != `{"id":1}` || r.ContentLength != 8 || r.URL.RequestURI() != "/in?x=1" {
					t.Errorf("got %s %s %q", r.Method, r.URL.RequestURI(), body)
				}
				if host, _, _ := net.SplitHostPort(r.Host); host != "example.com" {
					t.Errorf("host %q, want example.com without root dot", host)
				}
				if r.Header.Get("Accept-Encoding") != "" {
					t.Error("the client offers to expand answers")
				}
				io.WriteString(w, "thanks")
			})
			c, target := clientFor(t, s, only(t, s.addr()))
			resp, err := send(t, c, target)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != 200 || resp.ProtoMajor != tt.proto || serverName.Load() != "example.com" {
				t.Errorf("%s %s, server name %v", resp.Proto, resp.Status, serverName.Load())
			}
		})
	}
}

func TestDeniedServerSeesNoConnection(t *testing.T) {
	t.Parallel()
	s := newServer(t, overTLS, func(http.ResponseWriter, *http.Request) {})
	c, target := clientFor(t, s, Config{})
	_, err := send(t, c, target)
	checkDenied(t, err, []string{"127.0.0.1"})
	if got := s.conns.Load(); got != 0 {
		t.Errorf("%d connections reached the denied server", got)
	}
}

// TestControlIsTheBoundary dials without the check that precedes the socket.
func TestControlIsTheBoundary(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil, func(http.ResponseWriter, *http.Request) {})
	d := &dialer{policy: newPolicy(t, Config{})}
	_, err := d.connect(t.Context(), "tcp", []netip.AddrPort{s.addr()})
	checkDenied(t, err, []string{"127.0.0.1"})
	if got := s.conns.Load(); got != 0 {
		t.Errorf("%d connections reached the denied server", got)
	}
	for _, tt := range []struct{ network, address string }{
		{"udp4", "8.8.8.8:443"}, {"unix", "/run/x"}, {"tcp4", ":443"}, {"tcp4", "127.0.0.1%lo:443"},
		{"tcp6", "[::1%lo]:443"}, {"tcp6", "[::]:443"}, {"tcp4", "8.8.8.8"},
	} {
		if err := d.control(t.Context(), tt.network, tt.address, nil); err == nil {
			t.Errorf("control lets %s %s pass", tt.network, tt.address)
		}
	}
	if err := d.control(t.Context(), "tcp4", "8.8.8.8:443", nil); err != nil {
		t.Errorf("control stops a public address: %v", err)
	}
}

func TestUnparsedTargetsAreCheckedWhenDialed(t *testing.T) {
	t.Parallel()
	c, rec := newRecordedClient(t, newPolicy(t, Config{}), &stepResolver{steps: [][]string{{"127.0.0.1"}}})
	for _, u := range []string{
		"http://127.0.0.1/", "http://localhost/", "http://:80/", "http://[::1%25lo]/", "http://[::]/",
		"http://[::ffff:127.0.0.1%25lo]/", "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/", "http://metadata/", "http://8.8.8.8:25/",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = exchange(t, c, req)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error %v, want a refusal", u, err)
		}
	}
	if got := rec.addrs(); len(got) > 0 {
		t.Errorf("connect was attempted to %v", got)
	}
}

func TestNextAddressIsTriedWhenOneRefuses(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil, func(http.ResponseWriter, *http.Request) {})
	p := newPolicy(t, Config{Dev: true})
	// The server listens on 127.0.0.1 only, so 127.0.0.2 refuses; 10.0.0.1 is denied.
	c, rec := newRecordedClient(t, p, &stepResolver{steps: [][]string{{"127.0.0.2", "10.0.0.1", "127.0.0.1"}}})
	rec.pass = true
	port := portOf(s)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://example.com:"+port+"/", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exchange(t, c, req); err != nil {
		t.Fatal(err)
	}
	want := "127.0.0.2:" + port + " 127.0.0.1:" + port
	if got := strings.Join(rec.addrs(), " "); got != want {
		t.Errorf("connects to %s, want %s", got, want)
	}
}

func TestManyAddressesAreNotAllTried(t *testing.T) {
	t.Parallel()
	var answer []string
	for a := netip.MustParseAddr("8.8.8.1"); len(answer) < 100; a = a.Next() {
		answer = append(answer, a.String())
	}
	p := newPolicy(t, Config{})
	c, rec := newRecordedClient(t, p, &stepResolver{steps: [][]string{answer}})
	_, err := send(t, c, parse(t, p, "https://example.com/"))
	if !errors.Is(err, errStopped) || len(rec.addrs()) != maxTries {
		t.Errorf("%d connects, want %d; error %v", len(rec.addrs()), maxTries, err)
	}
}

func TestLocalhostAsksNoDNS(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil, func(http.ResponseWriter, *http.Request) {})
	p := newPolicy(t, Config{Dev: true})
	c, rec := newRecordedClient(t, p, &stepResolver{}) // fails when asked
	rec.pass = true
	port := portOf(s)
	if _, err := send(t, c, parse(t, p, "http://localhost:"+port)); err != nil {
		t.Error(err)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		setUp func(*httptest.Server)
		conns int32
	}{
		"HTTP/1.1": {overTLS, 2}, // that it speaks no HTTP/2 is found out by the first, which net/http keeps
		"HTTP/2":   {overHTTP2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tt.setUp, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
			c, target := clientFor(t, s, only(t, s.addr()))
			for range 50 {
				if _, err := send(t, c, target); err != nil {
					t.Fatal(err)
				}
			}
			if got := s.conns.Load(); got != tt.conns {
				t.Errorf("50 requests in turn used %d connections, want %d", got, tt.conns)
			}
			c.Close()
			if _, err := send(t, c, target); err != nil {
				t.Fatal(err)
			}
			if got := s.conns.Load(); got != tt.conns+1 {
				t.Errorf("after Close %d connections, want %d: the idle one was not closed", got, tt.conns+1)
			}
		})
	}
}

func TestErrorsDoNotRepeatTheURL(t *testing.T) {
	t.Parallel()
	p := newPolicy(t, Config{})
	c, _ := newRecordedClient(t, p, &stepResolver{steps: [][]string{{"8.8.8.8"}}})
	_, err := send(t, c, parse(t, p, "https://example.com/services/T0/S3CRET?token=S3CRET"))
	if err == nil || strings.Contains(err.Error(), "S3CRET") {
		t.Errorf("error %v", err)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/headers" {
			w.Header().Set("X-Long", strings.Repeat("x", maxResponseHeaders))
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(make([]byte, 1<<20))
		z.Close()
	})
	p := newPolicy(t, Config{Dev: true})
	c := newClient(t, ClientConfig{Policy: p})
	if _, err := send(t, c, parse(t, p, s.URL+"/headers")); err == nil {
		t.Error("a header block over the limit was accepted")
	}
	resp, err := send(t, c, parse(t, p, s.URL+"/gzip"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(body) > 10_000 || resp.Uncompressed {
		t.Errorf("body of %d bytes, expanded = %v, error %v; want the compressed bytes", len(body), resp.Uncompressed, err)
	}
}

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	s := newServer(t, overTLS, func(http.ResponseWriter, *http.Request) {})
	c, target := clientFor(t, s, only(t, s.addr()))
	wrongName := parse(t, c.lean.dialer.policy, strings.Replace(target.String(), "example.com", "example.net", 1))
	var nameErr x509.HostnameError
	if _, err := send(t, c, wrongName); !errors.As(err, &nameErr) {
		t.Errorf("wrong name: %v", err)
	}
	plain := newClient(t, ClientConfig{Policy: c.lean.dialer.policy, Resolver: c.lean.dialer.resolver})
	var authority x509.UnknownAuthorityError
	if _, err := send(t, plain, target); !errors.As(err, &authority) {
		t.Errorf("unknown authority: %v", err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(s *httptest.Server) {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	}, func(http.ResponseWriter, *http.Request) {})
	c, target := clientFor(t, s, only(t, s.addr()))
	if _, err := send(t, c, target); err == nil || s.requests.Load() != 0 {
		t.Errorf("TLS 1.1: error %v, %d requests", err, s.requests.Load())
	}
}

func TestClientNeedsAPolicy(t *testing.T) {
	t.Parallel()
	if _, err := NewClient(ClientConfig{}); err == nil {
		t.Error("NewClient without a policy succeeded")
	}
}

func TestCancelledRequestEnds(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	s := newServer(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	p := newPolicy(t, Config{Dev: true})
	c := newClient(t, ClientConfig{Policy: p})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := NewRequest(ctx, parse(t, p, s.URL), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-arrived; cancel() }()
	if _, err := exchange(t, c, req); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// proxyChild names the variable that makes this test binary the child of
// TestProxyEnvironmentIsIgnored and holds the address of the receiver.
const proxyChild = "EGRESS_TEST_RECEIVER"

// TestProxyEnvironmentIsIgnored runs itself in a second process, because
// net/http reads the environment only once per process.
func TestProxyEnvironmentIsIgnored(t *testing.T) {
	t.Parallel()
	if addr := os.Getenv(proxyChild); addr != "" {
		sendPastProxy(t, netip.MustParseAddrPort(addr))
		return
	}
	proxy := newServer(t, nil, func(http.ResponseWriter, *http.Request) {})
	receiver := newServer(t, nil, func(http.ResponseWriter, *http.Request) {})
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "-test.run=^TestProxyEnvironmentIsIgnored$", "-test.count=1")
	cmd.Env = append(os.Environ(), proxyChild+"="+receiver.addr().String(), "NO_PROXY=", "no_proxy=")
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		cmd.Env = append(cmd.Env, name+"="+proxy.URL)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	if proxy.conns.Load() != 0 || receiver.requests.Load() != 1 {
		t.Errorf("%d connections to the proxy, %d requests to the receiver; want 0 and 1", proxy.conns.Load(), receiver.requests.Load())
	}
}

// sendPastProxy uses a name, since net/http never takes a proxy for loopback addresses.
func sendPastProxy(t *testing.T, receiver netip.AddrPort) {
	c := newClient(t, ClientConfig{
		Policy:   newPolicy(t, Config{Dev: true}),
		Resolver: &stepResolver{steps: [][]string{{receiver.Addr().String()}}},
	})
	u := "http://" + net.JoinHostPort("hooks.example.com", receiver.String()[strings.LastIndexByte(receiver.String(), ':')+1:])
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exchange(t, c, req); err != nil {
		t.Fatal(err)
	}
}
