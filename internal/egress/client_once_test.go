package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

func TestRequestIsWrittenOnceWhenTheConnectionDies(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"with body": `{"id":1}`, "with a long body": strings.Repeat(" ", longestLean+1), "without body": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *server
			s = newServer(t, nil, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if s.requests.Load() == 2 {
					panic(http.ErrAbortHandler) // closes without an answer
				}
			})
			p := newPolicy(t, Config{Dev: true})
			c := newClient(t, ClientConfig{Policy: p})
			var errs [2]error
			for i := range errs {
				// NewRequest of net/http makes the body one that can be sent again.
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Idempotency-Key", "1")
				_, errs[i] = exchange(t, c, req)
			}
			if errs[0] != nil || errs[1] == nil {
				t.Errorf("errors %v, want one by the second request alone: it was sent again", errs)
			}
			if got, conns := s.requests.Load(), s.conns.Load(); got != 2 || conns != 1 {
				t.Errorf("the server got %d requests on %d connections, want 2 on 1", got, conns)
			}
		})
	}
}

func TestRequestIsWrittenOnceWhenItsStreamIsRefused(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]io.Reader{"with body": strings.NewReader(`{"id":1}`), "without body": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, url, requests := newHTTP2(t, ClientConfig{}, func(f *http2.Framer, stream uint32) {
				f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
			})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := exchange(t, c, req); err == nil {
				t.Error("a refused request succeeded")
			}
			if got := requests(); got != 1 {
				t.Errorf("the server got %d requests, want 1", got)
			}
		})
	}
}

func TestSilentlyDeadHTTP2ConnectionIsLeft(t *testing.T) {
	t.Parallel()
	config := ClientConfig{pingAfter: 50 * time.Millisecond, pingTimeout: 50 * time.Millisecond}
	c, url, requests := newHTTP2(t, config, func(*http2.Framer, uint32) {})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var errs [2]error
	for i := range errs {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_, errs[i] = exchange(t, c, req)
	}
	if errs[0] == nil || errors.Is(errs[0], context.DeadlineExceeded) {
		t.Errorf("on a dead connection: %v, want an error long before the clock of the request", errs[0])
	}
	if got := requests(); errs[1] != nil || got != 2 {
		t.Errorf("%d requests arrived, the second ended with %v; want it to leave the dead connection", got, errs[1])
	}
}

// newHTTP2 gives a client and the URL of a server that speaks HTTP/2. What it does about
// its first request is told; it answers those after it, and never a ping. The function it
// returns stops it and tells how many requests there were.
func newHTTP2(t *testing.T, c ClientConfig, first func(f *http2.Framer, stream uint32)) (_ *Client, url string, requests func() int32) {
	cert := newServer(t, overTLS, func(http.ResponseWriter, *http.Request) {}) // only for its certificate
	tlsConfig := cert.TLS.Clone()
	tlsConfig.NextProtos = []string{"h2"}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", tlsConfig)
	if err != nil {
		t.Fatal(err)
	}
	requests = serveHTTP2(t, ln, first)
	addr := netip.MustParseAddrPort(ln.Addr().String())
	c.Policy, c.ExtraRootCAs = newPolicy(t, only(t, addr)), []*x509.Certificate{cert.Certificate()}
	return newClient(t, c), "https://" + addr.String(), requests
}

func serveHTTP2(t *testing.T, ln net.Listener, first func(f *http2.Framer, stream uint32)) func() int32 {
	var n atomic.Int32
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { playHTTP2(conn, &n, first) })
		}
	})
	var once sync.Once
	stop := func() { once.Do(func() { ln.Close() }) }
	t.Cleanup(func() { stop(); wg.Wait() })
	return func() int32 { stop(); return n.Load() }
}

func playHTTP2(conn net.Conn, n *atomic.Int32, first func(f *http2.Framer, stream uint32)) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(r, preface); err != nil || string(preface) != http2.ClientPreface {
		return
	}
	f := http2.NewFramer(conn, r)
	f.WriteSettings()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				f.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			if n.Add(1) == 1 {
				first(f, frame.StreamID)
				continue
			}
			// 0x88 is ":status: 200" in HPACK (RFC 7541 appendix A).
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: frame.StreamID, BlockFragment: []byte{0x88}, EndStream: true, EndHeaders: true})
		}
	}
}

func TestReadsMayBeRepeated(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"", "GET", "HEAD", "OPTIONS", "TRACE"} {
		req := &http.Request{Method: method}
		if writtenOnce(req) != req {
			t.Errorf("%q request was changed", method)
		}
	}
}

func TestNewRequestIsReadyToBeWrittenOnce(t *testing.T) {
	t.Parallel()
	req, err := NewRequest(t.Context(), parse(t, newPolicy(t, Config{}), "https://example.com/"), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if writtenOnce(req) != req {
		t.Error("Do has to copy a request of our own making")
	}
}

func TestNewRequestNeedsAParsedTarget(t *testing.T) {
	t.Parallel()
	if req, err := NewRequest(t.Context(), Target{}, nil); err == nil {
		t.Errorf("request to %v made from no target", req.URL)
	}
}
