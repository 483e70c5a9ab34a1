package send

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// dying is a context in which kept-alive connections are closed just as they are used.
func dying(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if info.Reused {
			info.Conn.Close()
		}
	}})
}

func TestKeptConnectionThatHadDiedCostAnAttempt(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	cert := newCertificate(t, authority, unchanged)
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			play := func(conn net.Conn) {
				for r := bufio.NewReader(conn); ; {
					if _, err := readRequest(r); err != nil {
						return
					}
					requests.Add(1)
					io.WriteString(conn, ok)
				}
			}
			r := newReceiver(t, play)
			url := r.url()
			if scheme == "https" {
				r = newTLSReceiver(t, cert, func(*tls.Config) {}, play)
				url = r.named()
			}
			s, p := newSender(t, setup{roots: []*x509.Certificate{authority.Leaf}})
			target := newTarget(t, p, url)
			// Many, because it is chance in which way net/http finds out. Every second one
			// leaves a connection for the next.
			for n := int32(1); n <= 40; n++ {
				ctx := t.Context()
				if n%2 == 0 {
					ctx = dying(ctx)
				}
				a, unsent := s.Send(ctx, target, newLease(testBody))
				checkComplete(t, a, newLease(testBody))
				if a.Class != delivery.OK || unsent {
					t.Fatalf("attempt %d: class %q, unsent %v; info %q", n, a.Class, unsent, a.LocalInfo)
				}
				if got := requests.Load(); got != n {
					t.Fatalf("%d requests arrived for %d attempts", got, n)
				}
			}
			if got := r.conns.Load(); got < 2 {
				t.Errorf("%d connections: none died", got)
			}
		})
	}
}

// TestRequestIsRepeatedOverHTTP2 goes over what may end a stream, and which of it
// proves that the request was not processed.
func TestRequestIsRepeatedOverHTTP2(t *testing.T) {
	t.Parallel()
	reset := func(code http2.ErrCode) func(*http2.Framer, uint32) {
		return func(f *http2.Framer, stream uint32) { f.WriteRSTStream(stream, code) }
	}
	tests := []struct {
		name  string
		end   func(f *http2.Framer, stream uint32)
		again bool
	}{
		{"refused", reset(http2.ErrCodeRefusedStream), true},
		{"goes away before it", func(f *http2.Framer, _ uint32) { f.WriteGoAway(0, http2.ErrCodeNo, nil) }, true},
		{"goes away in anger before it", func(f *http2.Framer, _ uint32) { f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) }, false},
		{"goes away after it", func(f *http2.Framer, stream uint32) {
			f.WriteGoAway(stream, http2.ErrCodeNo, nil)
			reset(http2.ErrCodeInternal)(f, stream)
		}, false},
		{"protocol error", reset(http2.ErrCodeProtocol), false},
		{"internal error", reset(http2.ErrCodeInternal), false},
		{"canceled", reset(http2.ErrCodeCancel), false},
		{"no error", reset(http2.ErrCodeNo), false},
	}
	authority := newAuthority(t)
	cert := newCertificate(t, authority, unchanged)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			r := newTLSReceiver(t, cert, func(c *tls.Config) { c.NextProtos = []string{"h2"} }, over2(func(f *http2.Framer, stream uint32, conn net.Conn) {
				if requests.Add(1) == 1 {
					tt.end(f, stream)
				} else {
					head2(f, stream, true, hpack.HeaderField{Name: ":status", Value: "200"})
				}
				hang(conn)
			}))
			a, _ := attemptTo(t, setup{roots: []*x509.Certificate{authority.Leaf}}, r.named())
			if again := requests.Load() == 2 && r.conns.Load() == 2; again != tt.again || (a.Class == delivery.OK) != tt.again {
				t.Errorf("%d requests on %d connections, class %q; want it repeated: %v; info %q", requests.Load(), r.conns.Load(), a.Class, tt.again, a.LocalInfo)
			}
		})
	}
}

// TestRequestIsRepeatedOnce plays a receiver that refuses for ever.
func TestRequestIsRepeatedOnce(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	r := newTLSReceiver(t, newCertificate(t, authority, unchanged), func(c *tls.Config) { c.NextProtos = []string{"h2"} },
		over2(func(f *http2.Framer, stream uint32, conn net.Conn) {
			f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
			hang(conn)
		}))
	a, _ := attemptTo(t, setup{roots: []*x509.Certificate{authority.Leaf}}, r.named())
	if a.Class != delivery.Closed || r.conns.Load() != 2 {
		t.Errorf("class %q after %d requests, want 2; info %q", a.Class, r.conns.Load(), a.LocalInfo)
	}
}
