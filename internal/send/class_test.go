package send

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
)

// TestEveryStatusCode also makes sure that nothing is done about a redirect.
func TestEveryStatusCode(t *testing.T) {
	t.Parallel()
	raw := make(chan string, 1)
	r := newReceiver(t, func(conn net.Conn) {
		if _, err := readRequest(bufio.NewReader(conn)); err == nil {
			io.WriteString(conn, <-raw)
		}
	})
	s, p := newSender(t, setup{})
	target := newTarget(t, p, r.url())
	for code := 100; code <= 599; code++ {
		reply := "HTTP/1.1 " + strconv.Itoa(code) + " Some Words\r\nLocation: " + r.url() + "/elsewhere\r\nConnection: close\r\n\r\n"
		want := code
		if code < 200 && code != 101 {
			want = 299 // 1xx only announces the answer
			reply += "HTTP/1.1 299 Fine\r\nConnection: close\r\n\r\n"
		}
		raw <- reply
		a, unsent := sendChecked(t, s, target, newLease(testBody))
		if a.StatusCode != want || a.Class != delivery.ClassOf(want) || unsent {
			t.Errorf("status %d: recorded %d as %q, unsent %v; info %q", code, a.StatusCode, a.Class, unsent, a.LocalInfo)
		}
		if want != 299 && !has(a.Response.Header, "Location", r.url()+"/elsewhere") {
			t.Errorf("status %d: Location is not recorded: %v", code, a.Response.Header)
		}
	}
	if got := r.conns.Load(); got != 500 {
		t.Errorf("%d requests for 500 attempts", got)
	}
}

func has(list []delivery.Header, name, value string) bool {
	for _, h := range list {
		if h.Name == name && h.Value == value {
			return true
		}
	}
	return false
}

// TestAnswersThatAreNone plays receivers that take the request and misbehave.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 33<<10)
	tests := []struct {
		name string
		play func(net.Conn)
		want delivery.Class
	}{
		{"closes without a word", answerOnce(""), delivery.Closed},
		{"closes within the status line", answerOnce("HTTP/1.1 2"), delivery.ProtocolError},
		{"closes within the headers", answerOnce("HTTP/1.1 200 OK\r\nA: b\r\n"), delivery.Closed},
		{"closes after announcing an answer", answerOnce("HTTP/1.1 100 Continue\r\n\r\n"), delivery.Closed},
		{"resets without a word", reset, delivery.Reset},
		{"speaks HTTP 0.9", answerOnce("<html>hello</html>\r\n\r\n"), delivery.ProtocolError},
		{"speaks SMTP", answerOnce("220 mail.example.com ESMTP\r\n\r\n"), delivery.ProtocolError},
		{"speaks TLS on a plain port", answerOnce("\x15\x03\x01\x00\x02\x02\x16\r\n\r\n"), delivery.ProtocolError},
		{"has no number in the status line", answerOnce("HTTP/1.1 OK\r\n\r\n"), delivery.ProtocolError},
		{"has a status of four digits", answerOnce("HTTP/1.1 2000 OK\r\n\r\n"), delivery.ProtocolError},
		{"has an unknown version", answerOnce("HTTP/x.1 200 OK\r\n\r\n"), delivery.ProtocolError},
		{"has a header without a colon", answerOnce("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"), delivery.ProtocolError},
		{"has two lengths", answerOnce("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), delivery.ProtocolError},
		{"has a length that is no number", answerOnce("HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nab"), delivery.ProtocolError},
		{"has an unknown transfer coding", answerOnce("HTTP/1.1 200 OK\r\nTransfer-Encoding: zip\r\n\r\nab"), delivery.ProtocolError},
		{"has a huge header", answerOnce("HTTP/1.1 200 OK\r\nA: " + long + "\r\n\r\n"), delivery.ProtocolError},
		{"has endless headers", flood("HTTP/1.1 200 OK\r\n", "A: "+long[:1000]+"\r\n"), delivery.ProtocolError},
		{"announces answers for ever", flood("", "HTTP/1.1 102 Processing\r\n\r\n"), delivery.ProtocolError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, unsent := attemptTo(t, setup{}, newReceiver(t, tt.play).url())
			if a.Class != tt.want || unsent || a.StatusCode != 0 {
				t.Errorf("class %q, unsent %v, status %d, want %q; info %q", a.Class, unsent, a.StatusCode, tt.want, a.LocalInfo)
			}
			if !a.Class.MayHaveArrived() {
				t.Errorf("the receiver got the request, and class %q denies it", a.Class)
			}
		})
	}
}

// reset takes the request and cuts the connection off.
func reset(conn net.Conn) {
	if _, err := readRequest(bufio.NewReader(conn)); err == nil {
		conn.(*net.TCPConn).SetLinger(0)
	}
}

// flood answers with a start and then the same again until nobody listens.
func flood(start, again string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := readRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		_, err := io.WriteString(conn, start)
		for more := []byte(again); err == nil; {
			_, err = conn.Write(more)
		}
	}
}

func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	a, unsent := attemptTo(t, setup{}, "http://"+ln.Addr().String())
	if a.Class != delivery.ConnectRefused || !unsent {
		t.Errorf("class %q, unsent %v; info %q", a.Class, unsent, a.LocalInfo)
	}
	if a.Timing.Connect <= 0 || a.Timing.FirstByte != 0 {
		t.Errorf("timing %+v", a.Timing)
	}
	if !strings.Contains(a.LocalInfo, ln.Addr().String()) {
		t.Errorf("operators do not see the address: %q", a.LocalInfo)
	}
}

func TestBlockedAddress(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, hang)
	strict := egress.Config{Allow: []egress.AllowRule{{Prefix: netip.MustParsePrefix("198.18.0.0/15")}}}
	a, unsent := attemptTo(t, setup{policy: strict}, r.named())
	if a.Class != delivery.BlockedAddress || !unsent || r.conns.Load() != 0 {
		t.Errorf("class %q, unsent %v, %d connections", a.Class, unsent, r.conns.Load())
	}
	if strings.Contains(a.Hint, "127.0.0.1") || !strings.Contains(a.LocalInfo, "127.0.0.1") {
		t.Errorf("hint %q and info %q: only operators may see the address", a.Hint, a.LocalInfo)
	}
}

// dnsServer answers every question with a code; a negative one means silence.
func dnsServer(t *testing.T, code int) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buf := make([]byte, 1500); ; {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if code < 0 || m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true, RCode: dnsmessage.RCode(code)}
			m.Additionals = nil
			if out, err := m.Pack(); err == nil {
				pc.WriteTo(out, from)
			}
		}
	}()
	t.Cleanup(func() { pc.Close(); <-done })
	return asking(pc.LocalAddr().String())
}

// asking is Go's own resolver with one DNS server.
func asking(server string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp4", server)
	}}
}

// nobody is a UDP address at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	return pc.LocalAddr().String()
}

func TestDNSFailures(t *testing.T) {
	t.Parallel()
	noNetwork := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	}}
	tests := []struct {
		name     string
		resolver egress.Resolver
		want     delivery.Class
	}{
		{"no such name", dnsServer(t, int(dnsmessage.RCodeNameError)), delivery.DNSNotFound},
		{"no address", dnsServer(t, int(dnsmessage.RCodeSuccess)), delivery.DNSNotFound},
		{"the name's servers fail", dnsServer(t, int(dnsmessage.RCodeServerFailure)), delivery.DNSFailure},
		{"the name's servers refuse", dnsServer(t, int(dnsmessage.RCodeRefused)), delivery.DNSFailure},
		{"nothing listens where this node asks", asking(nobody(t)), delivery.LocalNetwork},
		{"this node has no network to ask over", noNetwork, delivery.LocalNetwork},
		{"a resolver without typed errors", failingResolver{}, delivery.DNSFailure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, unsent := attemptTo(t, setup{resolver: tt.resolver}, "https://"+example+"/")
			if a.Class != tt.want || !unsent {
				t.Errorf("class %q, unsent %v, want %q; info %q", a.Class, unsent, tt.want, a.LocalInfo)
			}
			if a.Timing.DNS <= 0 || a.Timing.Connect != 0 {
				t.Errorf("timing %+v", a.Timing)
			}
		})
	}
}

type failingResolver struct{}

func (failingResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, errors.New("no idea")
}

const v4, v6 = "192.0.2.1", "2001:db8::1"

// failedConnect is how a failed connect(2) reaches the sender.
func failedConnect(ip string, errno syscall.Errno) error {
	addr := &net.TCPAddr{IP: net.ParseIP(ip), Port: 443}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: os.NewSyscallError("connect", errno)}
}

// TestErrorsOfTheMachine classifies what the kernel says, which cannot be
// brought about without taking the machine's network away.
func TestErrorsOfTheMachine(t *testing.T) {
	t.Parallel()
	dial := failedConnect
	tests := []struct {
		err     error
		reached phase
		want    delivery.Class
	}{
		{dial(v4, syscall.ECONNREFUSED), connecting, delivery.ConnectRefused},
		{dial(v4, syscall.EHOSTUNREACH), connecting, delivery.Unreachable},
		{dial(v4, syscall.EHOSTDOWN), connecting, delivery.Unreachable},
		{dial(v4, syscall.ETIMEDOUT), connecting, delivery.ConnectTimeout},
		{dial(v4, syscall.ECONNRESET), connecting, delivery.Reset},
		{dial(v4, syscall.ENETUNREACH), connecting, delivery.LocalNetwork},
		{dial(v4, syscall.ENETDOWN), connecting, delivery.LocalNetwork},
		{dial(v4, syscall.EMFILE), connecting, delivery.LocalNetwork},
		{dial(v4, syscall.ENFILE), connecting, delivery.LocalNetwork},
		{dial(v4, syscall.EADDRNOTAVAIL), connecting, delivery.LocalNetwork},
		{dial(v4, syscall.ENOENT), connecting, delivery.LocalNetwork},
		{dial(v4, syscall.EPERM), connecting, delivery.LocalNetwork},
		{dial(v6, syscall.ENETUNREACH), connecting, delivery.Unreachable},
		{dial(v6, syscall.EADDRNOTAVAIL), connecting, delivery.Unreachable},
		{dial(v6, syscall.EMFILE), connecting, delivery.LocalNetwork},
		{dial(v6, syscall.EPERM), connecting, delivery.LocalNetwork},
		{dial(v6, syscall.ENETDOWN), connecting, delivery.LocalNetwork},
		{syscall.ECONNRESET, handshaking, delivery.TLSFailure},
		{syscall.ECONNRESET, answering, delivery.Reset},
		{syscall.EHOSTUNREACH, waiting, delivery.Reset},
		{syscall.ENETUNREACH, waiting, delivery.Reset},
		{syscall.EPIPE, sending, delivery.Reset},
		{syscall.ETIMEDOUT, waiting, delivery.ResponseTimeout},
		{x509.SystemRootsError{}, handshaking, delivery.LocalFault},
		{errors.New("anything"), starting, delivery.LocalFault},
		{errors.New("anything"), connecting, delivery.Unreachable},
		{errOutOfTime, starting, delivery.LocalFault},
	}
	for _, tt := range tests {
		wrapped := fmt.Errorf("some layer: %w", tt.err)
		if got := classify(wrapped, tt.reached); got != tt.want {
			t.Errorf("classify(%v, phase %d) = %q, want %q", tt.err, tt.reached, got, tt.want)
		}
	}
}
