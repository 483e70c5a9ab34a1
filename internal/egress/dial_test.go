package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsServer answers every question about an A record with one address, or
// with a response code, and returns a resolver that asks only it.
func dnsServer(t *testing.T, code dnsmessage.RCode, addr string) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			pc.WriteTo(dnsAnswer(t, buf[:n], code, addr), from)
		}
	}()
	t.Cleanup(func() { pc.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp4", pc.LocalAddr().String())
	}}
}

func dnsAnswer(t *testing.T, question []byte, code dnsmessage.RCode, addr string) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		t.Errorf("DNS question: %v", err)
		return nil
	}
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true, RCode: code}
	m.Additionals = nil
	if q := m.Questions[0]; code == dnsmessage.RCodeSuccess && q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(addr).As4()},
		}}
	}
	out, err := m.Pack()
	if err != nil {
		t.Errorf("DNS answer: %v", err)
	}
	return out
}

func TestLookupFailuresStayClassifiable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                string
		code                dnsmessage.RCode
		notFound, temporary bool
	}{
		{"no such name", dnsmessage.RCodeNameError, true, false},
		{"server failure", dnsmessage.RCodeServerFailure, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPolicy(t, Config{})
			c, rec := newRecordedClient(t, p, dnsServer(t, tt.code, ""))
			_, err := send(t, c, parse(t, p, "https://hooks.example.com/"))
			var dns *net.DNSError
			if !errors.As(err, &dns) || dns.IsNotFound != tt.notFound || dns.IsTemporary != tt.temporary {
				t.Errorf("error %#v, want a DNS error with not found = %v, temporary = %v", err, tt.notFound, tt.temporary)
			}
			if got := rec.addrs(); len(got) > 0 {
				t.Errorf("connect was attempted to %v", got)
			}
		})
	}
}

func TestEmptyAnswerIsADNSError(t *testing.T) {
	t.Parallel()
	p := newPolicy(t, Config{})
	c, _ := newRecordedClient(t, p, &stepResolver{steps: [][]string{{}}})
	_, err := send(t, c, parse(t, p, "https://hooks.example.com/"))
	var dns *net.DNSError
	if !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("error %v, want a DNS error", err)
	}
}

func TestTraceSeesOneLookup(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil, func(http.ResponseWriter, *http.Request) {})
	resolvers := map[string]Resolver{
		"Go's resolver":   dnsServer(t, dnsmessage.RCodeSuccess, "127.0.0.1"),
		"our own":         &stepResolver{steps: [][]string{{"127.0.0.1"}}},
		"failing":         &stepResolver{steps: [][]string{{"NXDOMAIN"}}},
		"Go's that fails": dnsServer(t, dnsmessage.RCodeNameError, ""),
	}
	for name, resolver := range resolvers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, ClientConfig{Policy: newPolicy(t, Config{Dev: true}), Resolver: resolver})
			var starts []string
			var done []httptrace.DNSDoneInfo
			connects := 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				DNSStart:     func(i httptrace.DNSStartInfo) { starts = append(starts, i.Host) },
				DNSDone:      func(i httptrace.DNSDoneInfo) { done = append(done, i) },
				ConnectStart: func(_, _ string) { connects++ },
			})
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://hooks.example.com:"+portOf(s), nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = exchange(t, c, req)
			if len(starts) != 1 || starts[0] != "hooks.example.com" || len(done) != 1 {
				t.Fatalf("DNSStart for %v, %d DNSDone; want one each for hooks.example.com", starts, len(done))
			}
			var dns *net.DNSError
			if failed := errors.As(err, &dns); failed != (done[0].Err != nil) {
				t.Errorf("error %v, DNSDone error %v", err, done[0].Err)
			}
			if err == nil && (connects != 1 || len(done[0].Addrs) != 1 || done[0].Addrs[0].String() != "127.0.0.1") {
				t.Errorf("%d connects, DNSDone %v", connects, done[0].Addrs)
			}
		})
	}
}

// silentResolver never answers.
type silentResolver struct{}

func (silentResolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestDialEndsByItself matters because the transport detaches a dial from the
// deadline of the request that caused it.
func TestDialEndsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, ClientConfig{Policy: newPolicy(t, Config{}), Resolver: silentResolver{}})
		start := time.Now()
		_, err := c.lean.dialer.dialContext(context.WithoutCancel(t.Context()), "tcp", "hooks.example.com:443")
		if got := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || got != defaultConnectTimeout {
			t.Errorf("dial ended after %v with %v, want %v", got, err, defaultConnectTimeout)
		}
	})
}

func TestShareOfTimePerAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		remaining, want time.Duration
		left            int
	}{
		{"two share evenly", 30 * time.Second, 15 * time.Second, 2},
		{"eight share evenly", 30 * time.Second, 3750 * time.Millisecond, 8},
		{"never too short to connect", 4 * time.Second, minShare, 8},
		{"nothing left", 0, minShare, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := share(tt.remaining, tt.left); got != tt.want {
				t.Errorf("share(%v, %d) = %v, want %v", tt.remaining, tt.left, got, tt.want)
			}
		})
	}
}

func TestMalformedDialAddresses(t *testing.T) {
	t.Parallel()
	c, rec := newRecordedClient(t, newPolicy(t, Config{Dev: true}), &stepResolver{})
	for _, address := range []string{"", ":443", "8.8.8.8", "8.8.8.8:https", "8.8.8.8:65536", "[::1%lo]:443", "[::1]"} {
		var e *Error
		if _, err := c.lean.dialer.dialContext(t.Context(), "tcp", address); !errors.As(err, &e) {
			t.Errorf("dial %q: error %v, want a refusal", address, err)
		}
	}
	if got := rec.addrs(); len(got) > 0 {
		t.Errorf("connect was attempted to %v", got)
	}
}
