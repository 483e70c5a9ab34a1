package egress

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// deliver sends one request and reports whether its connection was a kept one.
func deliver(t *testing.T, c *Client, target Target, body string) (reused bool) {
	t.Helper()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
	req, err := NewRequest(ctx, target, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return reused
}

func (c *Client) leanIdle() int {
	c.lean.kept.mu.Lock()
	defer c.lean.kept.mu.Unlock()
	return c.lean.kept.all.Len()
}

func TestWhatIsLeftToNetHTTP(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	p := newPolicy(t, Config{Dev: true})
	c := newClient(t, ClientConfig{Policy: p})
	target := parse(t, p, s.URL)
	deliver(t, c, target, strings.Repeat("x", longestLean+1))
	if c.leanIdle() != 0 {
		t.Error("a body that may not fit into the kernel's buffer was written by who waits for the answer")
	}
	deliver(t, c, target, strings.Repeat("x", longestLean))
	if c.leanIdle() != 1 {
		t.Error("a short body went by net/http")
	}
}

func TestAHostThatSpeaksHTTP2IsLeftToNetHTTP(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		setUp func(*httptest.Server)
		lean  int
	}{"HTTP/1.1": {overTLS, 1}, "HTTP/2": {overHTTP2, 0}} {
		s := newServer(t, tt.setUp, func(http.ResponseWriter, *http.Request) {})
		c, target := clientFor(t, s, only(t, s.addr()))
		for range 3 {
			deliver(t, c, target, "{}")
		}
		if got := c.leanIdle(); got != tt.lean {
			t.Errorf("%s: %d connections without net/http, want %d", name, got, tt.lean)
		}
	}
}

// A host that answered in HTTP/1.1 may take nothing but HTTP/2 from the next day on.
func TestAHandshakeThatFailsIsTriedByNetHTTPTheNextTime(t *testing.T) {
	t.Parallel()
	onlyHTTP2 := func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if !slices.Contains(hello.SupportedProtos, "h2") {
				return nil, errors.New("nothing in common")
			}
			return nil, nil
		}}
	}
	s := newServer(t, onlyHTTP2, func(http.ResponseWriter, *http.Request) {})
	c, target := clientFor(t, s, only(t, s.addr()))
	c.lean.spoken.add(strings.TrimPrefix(strings.TrimSuffix(target.String(), "/in?x=1"), "https://"))
	req, err := NewRequest(t.Context(), target, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := c.Do(req); err == nil {
		resp.Body.Close()
		t.Fatal("a server that speaks only HTTP/2 was spoken to in HTTP/1.1")
	}
	deliver(t, c, target, "{}")
}

func TestAKeptConnectionThatIsNotAsItWasLeftIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(net.Conn){
		"closed":   func(conn net.Conn) { conn.Close() },
		"reset":    func(conn net.Conn) { conn.(*net.TCPConn).SetLinger(0); conn.Close() },
		"spoke up": func(conn net.Conn) { io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conns := make(chan net.Conn, 2)
			s := newServer(t, func(s *httptest.Server) {
				count := s.Config.ConnState
				s.Config.ConnState = func(conn net.Conn, state http.ConnState) {
					count(conn, state)
					if state == http.StateNew {
						conns <- conn
					}
				}
			}, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
			p := newPolicy(t, Config{Dev: true})
			c := newClient(t, ClientConfig{Policy: p})
			target := parse(t, p, s.URL)
			deliver(t, c, target, "{}")
			if !deliver(t, c, target, "{}") {
				t.Fatal("the connection was not kept")
			}
			spoil(<-conns)
			for c.lean.kept.byHost["http://"+s.Listener.Addr().String()][0].lives() { //nolint:revive // until it has come
			}
			if deliver(t, c, target, "{}") {
				t.Error("it was used again")
			}
		})
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kept{perHost: 2, most: 3}
		open := map[net.Conn]bool{}
		add := func(host string) {
			near, far := net.Pipe()
			open[far] = true
			k.put(&leanConn{Conn: near, below: near, key: host})
		}
		closed := func() (n int) {
			for conn := range open {
				conn.SetReadDeadline(time.Now())
				if _, err := conn.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
					n++
				}
			}
			return n
		}
		for range 3 {
			add("a")
		}
		if got := closed(); got != 1 {
			t.Errorf("%d closed, want 1: there may be two for a host", got)
		}
		time.Sleep(idleTimeout / 2)
		add("b")
		add("c")
		if got := closed(); got != 2 {
			t.Errorf("%d closed, want 2: there may be three in all", got)
		}
		time.Sleep(idleTimeout/2 + time.Second)
		if got := closed(); got != 3 {
			t.Errorf("%d closed, want 3: one had been idle for too long", got)
		}
		time.Sleep(idleTimeout)
		if got := closed(); got != 5 || k.all.Len() != 0 || len(k.byHost) != 0 {
			t.Errorf("%d closed, %d kept, want 5 and none", got, k.all.Len())
		}
		add("d")
		k.close()
		if got := closed(); got != 6 || k.all.Len() != 0 {
			t.Errorf("%d closed, %d kept, want 6 and none", got, k.all.Len())
		}
	})
}
