package send

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
)

// silentResolver never answers, as a DNS server that is not there.
type silentResolver struct{ asked chan struct{} }

func (r silentResolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	if r.asked != nil {
		close(r.asked)
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// hugeBody does not fit into the buffers of a connection that nobody reads.
var hugeBody = make([]byte, 16<<20)

func TestHangInEachPhase(t *testing.T) {
	t.Parallel()
	deaf := func(conn net.Conn) { <-closed(conn) }
	lateHeaders := func(conn net.Conn) {
		readRequest(bufio.NewReader(conn))
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nA: b\r\n")
		hang(conn)
	}
	tests := []struct {
		name     string
		resolver egress.Resolver
		url      func(*testing.T) string
		body     []byte
		want     delivery.Class
		hint     string
	}{
		{"DNS", silentResolver{}, func(*testing.T) string { return "https://" + example }, testBody, delivery.DNSFailure, "DNS servers of " + example},
		{"a silent DNS server", dnsServer(t, -1), func(*testing.T) string { return "https://" + example }, testBody, delivery.DNSFailure, "DNS servers of " + example},
		{"TLS handshake", nil, func(t *testing.T) string { return newReceiver(t, hang).named() }, testBody, delivery.TLSTimeout, "TLS handshake"},
		{"sending", nil, func(t *testing.T) string { return newReceiver(t, deaf).url() }, hugeBody, delivery.SendTimeout, "did not read"},
		{"answer", nil, func(t *testing.T) string { return newReceiver(t, hang).url() }, testBody, delivery.ResponseTimeout, "no complete answer"},
		{"headers of the answer", nil, func(t *testing.T) string { return newReceiver(t, lateHeaders).url() }, testBody, delivery.ResponseTimeout, "no complete answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, p := newSender(t, setup{timeout: impatience, resolver: tt.resolver})
			a, unsent := sendChecked(t, s, newTarget(t, p, tt.url(t)), newLease(tt.body))
			if a.Class != tt.want || !strings.Contains(a.Hint, tt.hint) {
				t.Errorf("class %q, hint %q, want %q, %q; info %q", a.Class, a.Hint, tt.want, tt.hint, a.LocalInfo)
			}
			if a.Timing.Total < impatience {
				t.Errorf("ended after %v, before its time", a.Timing.Total)
			}
			if sent := tt.want.MayHaveArrived(); unsent == sent {
				t.Errorf("unsent %v for class %q", unsent, tt.want)
			}
		})
	}
}

// closed is closed when the other side or the test has closed a connection of
// which nothing is read.
func closed(conn net.Conn) <-chan struct{} {
	done := make(chan struct{})
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		raw.Read(func(uintptr) bool { return false }) // waits until the descriptor is closed
	}()
	return done
}

// TestClockOfTheClient lets the client's own limit end DNS and TLS earlier.
func TestClockOfTheClient(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		resolver egress.Resolver
		want     delivery.Class
	}{
		{"DNS", silentResolver{}, delivery.DNSFailure},
		{"TLS", nil, delivery.TLSTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, _ := attemptTo(t, setup{connect: impatience, resolver: tt.resolver}, newReceiver(t, hang).named())
			if a.Class != tt.want {
				t.Errorf("class %q, want %q; info %q", a.Class, tt.want, a.LocalInfo)
			}
		})
	}
}

// TestShutdown cancels an attempt as soon as it has reached a phase.
func TestShutdown(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	cert := newCertificate(t, authority, unchanged)
	tests := []struct {
		name   string
		begin  func(*testing.T, chan struct{}) (string, egress.Resolver)
		unsent bool
	}{
		{"in DNS", func(_ *testing.T, reached chan struct{}) (string, egress.Resolver) {
			return "https://" + example, silentResolver{reached}
		}, true},
		{"in the TLS handshake", func(t *testing.T, reached chan struct{}) (string, egress.Resolver) {
			r := newReceiver(t, func(conn net.Conn) { conn.Read(make([]byte, 10)); close(reached); hang(conn) })
			return r.named(), nil
		}, true},
		{"while the receiver works", func(t *testing.T, reached chan struct{}) (string, egress.Resolver) {
			r := newReceiver(t, func(conn net.Conn) { readRequest(bufio.NewReader(conn)); close(reached); hang(conn) })
			return r.url(), nil
		}, false},
		{"while the receiver works behind HTTPS", func(t *testing.T, reached chan struct{}) (string, egress.Resolver) {
			r := newTLSReceiver(t, cert, func(*tls.Config) {}, func(conn net.Conn) { readRequest(bufio.NewReader(conn)); close(reached); hang(conn) })
			return r.named(), nil
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reached := make(chan struct{})
			url, resolver := tt.begin(t, reached)
			s, p := newSender(t, setup{resolver: resolver, roots: []*x509.Certificate{authority.Leaf}})
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-reached; cancel() }()
			l := newLease(testBody)
			a, unsent := s.Send(ctx, newTarget(t, p, url), l)
			checkComplete(t, a, l)
			if a.Class != delivery.Interrupted || unsent != tt.unsent {
				t.Errorf("class %q, unsent %v, want %v; info %q", a.Class, unsent, tt.unsent, a.LocalInfo)
			}
		})
	}
}

func TestShutdownBeforeTheStart(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer(ok))
	s, p := newSender(t, setup{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a, unsent := s.Send(ctx, newTarget(t, p, r.url()), newLease(testBody))
	if a.Class != delivery.Interrupted || !unsent {
		t.Errorf("class %q, unsent %v", a.Class, unsent)
	}
}

// TestShutdownWithinTheBody: the answer has come, so it counts.
func TestShutdownWithinTheBody(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := newReceiver(t, func(conn net.Conn) {
		readRequest(bufio.NewReader(conn))
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"+strings.Repeat("x", firstRead))
		hang(conn)
	})
	s, p := newSender(t, setup{})
	// The first read of the body fills its buffer; then the shutdown comes.
	s.buffers.large.New = func() any { cancel(); return new([delivery.MaxResponseBody]byte) }
	a, unsent := s.Send(ctx, newTarget(t, p, r.url()), newLease(testBody))
	if a.Class != delivery.OK || a.StatusCode != 200 || unsent || !a.Response.Truncated || len(a.Response.Body) != firstRead {
		t.Errorf("class %q, status %d, unsent %v, %d bytes, truncated %v",
			a.Class, a.StatusCode, unsent, len(a.Response.Body), a.Response.Truncated)
	}
}

func TestPanicIsOurFault(t *testing.T) {
	t.Parallel()
	s, _ := newSender(t, setup{})
	a, unsent := s.Send(t.Context(), nil, newLease(testBody))
	if a.Class != delivery.LocalFault || !unsent || a.Hint == "" || a.DeliveryID != 4711 || a.EndedAt.IsZero() {
		t.Errorf("attempt %+v, unsent %v", a, unsent)
	}
	if !strings.Contains(a.LocalInfo, "panic: ") || !strings.Contains(a.LocalInfo, "send") {
		t.Errorf("info %q does not tell the operator where", a.LocalInfo)
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	s, p := newSender(t, setup{})
	tests := []struct {
		name, url string
		headers   []delivery.Header
		want      delivery.Class
		hint      string
	}{
		{"not a URL", "hooks", nil, delivery.InvalidTarget, "complete URL"},
		{"a scheme that is not allowed any more", "http://" + example, nil, delivery.InvalidTarget, "https://"},
		{"a blocked address", "https://10.0.0.1/hooks", nil, delivery.BlockedAddress, "10.0.0.1"},
		{"a local name", "https://db.internal/", nil, delivery.BlockedAddress, "local network"},
		{"a bad header", "https://" + example, []delivery.Header{{Name: "A", Value: "s3cret\r\n"}}, delivery.InvalidTarget, "custom header"},
		{"no secret", "https://" + example, nil, delivery.LocalFault, "inside this server"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := NewTarget(p, tt.url, tt.headers, nil)
			if err == nil {
				t.Fatal("the target was accepted")
			}
			a := s.Refuse(newLease(testBody), tt.url, err)
			if a.Class != tt.want || !strings.Contains(a.Hint, tt.hint) || strings.Contains(a.Hint+a.LocalInfo, "s3cret") {
				t.Errorf("class %q, hint %q, info %q; want %q, %q", a.Class, a.Hint, a.LocalInfo, tt.want, tt.hint)
			}
			a.Class, a.Hint, a.LocalInfo = "", "", ""
			want := delivery.Attempt{DeliveryID: 4711, Number: 3, Cycle: delivery.Manual, Node: "node-1", Request: delivery.Request{URL: tt.url}}
			want.StartedAt, want.EndedAt = a.StartedAt, a.StartedAt
			if diff := cmp.Diff(want, a); diff != "" || a.StartedAt.IsZero() {
				t.Errorf("attempt (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewChecksItsConfig(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil {
		t.Error("a sender without a client")
	}
	s, _ := newSender(t, setup{})
	if _, err := New(Config{Client: s.client, Timeout: -time.Second}); err == nil {
		t.Error("a sender with a negative timeout")
	}
	if got, err := New(Config{Client: s.client}); err != nil || got.timeout != 30*time.Second {
		t.Errorf("default timeout %v (%v), want 30 s", got.timeout, err)
	}
}
