package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"code.dny.dev/ssrf"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/compliancelayer/compliancelayer/internal/evidence"
)

// lyingDNS is a DNS server that may say something else each time it is asked. Its
// answers live for no time at all, and lie behind a chain of other names.
type lyingDNS struct {
	// say gives the addresses of a host for the n-th time that it is asked for.
	say   func(n int) []netip.Addr
	chain int // names between the host and its addresses
	conn  net.PacketConn

	mu    sync.Mutex
	asked map[dnsmessage.Type]int
}

func newLyingDNS(t *testing.T, chain int, say func(n int) []netip.Addr) *lyingDNS {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &lyingDNS{say: say, chain: chain, conn: pc, asked: map[dnsmessage.Type]int{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buf := make([]byte, 1500); ; {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			pc.WriteTo(d.answer(t, buf[:n]), from)
		}
	}()
	t.Cleanup(func() { pc.Close(); <-done })
	return d
}

// resolver is Go's own, which asks for IPv4 and IPv6 at the same time.
func (d *lyingDNS) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp4", d.conn.LocalAddr().String())
	}}
}

func (d *lyingDNS) lookups() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(d.asked[dnsmessage.TypeA], d.asked[dnsmessage.TypeAAAA])
}

func (d *lyingDNS) answer(t *testing.T, question []byte) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		t.Errorf("DNS question: %v", err)
		return nil
	}
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}
	m.Additionals = nil
	q := m.Questions[0]
	d.mu.Lock()
	n := d.asked[q.Type]
	d.asked[q.Type]++
	d.mu.Unlock()
	head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class} // the TTL is 0
	for i := range d.chain {
		next := dnsmessage.MustNewName(fmt.Sprintf("step-%d.example.net.", i))
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.CNAMEResource{CNAME: next}})
		head.Name = next
	}
	for _, a := range d.say(n) {
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	out, err := m.Pack()
	if err != nil {
		t.Errorf("DNS answer: %v", err)
	}
	return out
}

// TestNameThatLeadsElsewhereAfterItWasChecked has a listener on an address that is
// allowed and a trap on one that is not, on the same port. Its names lead to either, or to
// both, and elsewhere each time they are asked for.
func TestNameThatLeadsElsewhereAfterItWasChecked(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	open, trap, port := openAndTrap(t)
	const workers, rounds = 4, 250
	good, bad := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	says := [][]netip.Addr{{good}, {bad}, {good, bad}, {bad, good}, {bad, netip.MustParseAddr("::ffff:127.0.0.1")}, {netip.IPv6Loopback(), good}}
	d := newLyingDNS(t, 3, func(n int) []netip.Addr { return says[n*7919%len(says)] })
	p := newPolicy(t, Config{Allow: []AllowRule{{Prefix: netip.PrefixFrom(good, 32)}}})
	client := newClient(t, ClientConfig{Policy: p, Resolver: d.resolver()})
	var passed, denied atomic.Int32
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for range rounds {
				c := client.Fresh() // else the first good address would be kept
				err := post(t, c, fmt.Sprintf("http://rebind-%d.example.com:%d/", worker, port))
				c.Close()
				if _, refused := asError(err); refused {
					denied.Add(1)
				} else if err == nil {
					passed.Add(1)
				} else {
					t.Errorf("error %v, want an answer or a refusal", err)
				}
			}
		})
	}
	all.Wait()
	if trap.Load() != 0 || open.Load() != passed.Load() || passed.Load() == 0 || denied.Load() == 0 {
		t.Errorf("%d requests passed, %d were refused; the open address got %d, the forbidden one %d", passed.Load(), denied.Load(), open.Load(), trap.Load())
	}
	if got := d.lookups(); got != workers*rounds {
		t.Errorf("%d lookups for %d requests: what is checked must be what is dialed", got, workers*rounds)
	}
	evidence.Write(t, "ssrf-rebinding", evidence.Row{
		Promise: 10, Fault: "a name that leads elsewhere each time it is asked for, with a TTL of 0 and behind a chain of names",
		Times: workers * rounds, Of: workers * rounds, What: "requests", Lost: int(trap.Load()),
		Test: "go test ./internal/egress -run TestNameThatLeadsElsewhereAfterItWasChecked", Seconds: time.Since(begin).Seconds(),
	})
}

// openAndTrap listens on 127.0.0.2 and on the same port of the loopback addresses that
// are not opened, and counts their connections.
func openAndTrap(t *testing.T) (open, trap *atomic.Int32, port int) {
	t.Helper()
	open, trap = new(atomic.Int32), new(atomic.Int32)
	const tries = 20 // the port may be taken on another address
	for range tries {
		first, err := net.Listen("tcp4", "127.0.0.2:0")
		if err != nil {
			t.Fatal(err)
		}
		port = first.Addr().(*net.TCPAddr).Port
		second, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			first.Close()
			continue
		}
		countConns(t, first, open)
		countConns(t, second, trap)
		if third, err := net.Listen("tcp6", fmt.Sprintf("[::1]:%d", port)); err == nil {
			countConns(t, third, trap) // else this machine has no IPv6
		}
		return open, trap, port
	}
	t.Fatal("no port is free on two addresses")
	return nil, nil, 0
}

// countConns answers every connection and counts it.
func countConns(t *testing.T, ln net.Listener, n *atomic.Int32) {
	server := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }),
		ConnState: func(_ net.Conn, s http.ConnState) { count(n, s) },
	}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(ln) }()
	t.Cleanup(func() { server.Close(); <-done })
}

func count(n *atomic.Int32, s http.ConnState) {
	if s == http.StateNew {
		n.Add(1)
	}
}

func post(t *testing.T, c *Client, url string) error {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Error(err)
		return err
	}
	_, err = exchange(t, c, req)
	return err
}

// TestNamesOfForbiddenAddresses lets a name lead to random addresses of all kinds, some
// of them public, through Go's own resolver. What gets as far as connect is what an
// independent library calls public, and nothing is asked twice.
func TestNamesOfForbiddenAddresses(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	const rounds = 500
	rng := rand.New(rand.NewPCG(1, 2))
	prefixes := interestingPrefixes()
	var mu sync.Mutex
	var said []netip.Addr // in the round that goes on: the same to both questions
	d := newLyingDNS(t, 2, func(int) []netip.Addr { mu.Lock(); defer mu.Unlock(); return said })
	p, oracle := newPolicy(t, Config{}), ssrf.New(ssrf.WithAnyPort())
	c, rec := newRecordedClient(t, p, d.resolver())
	addresses, refusals := 0, 0
	for round := range rounds {
		mu.Lock()
		said = nil
		for range 1 + rng.IntN(4) {
			said = append(said, randomAddr(rng, prefixes[rng.IntN(2)]))
		}
		addresses += len(said)
		mu.Unlock()
		rec.reset()
		err := post(t, c, "https://names.example.com/")
		for _, text := range rec.addrs() {
			ap := netip.MustParseAddrPort(text)
			if oracle.SafeAddr(ap.Addr().Unmap()) != nil || !slices.ContainsFunc(said, func(a netip.Addr) bool { return a.Unmap() == ap.Addr().Unmap() }) {
				t.Fatalf("round %d: %v of %v got as far as connect", round, ap, said)
			}
		}
		if _, refused := asError(err); refused {
			refusals++
		} else if !errors.Is(err, errStopped) {
			t.Fatalf("round %d: %v: error %v, want a refusal or a connect", round, said, err)
		}
	}
	if got := d.lookups(); got != rounds || refusals == 0 || refusals == rounds {
		t.Errorf("%d lookups and %d refusals in %d rounds", got, refusals, rounds)
	}
	evidence.Write(t, "ssrf-names", evidence.Row{
		Promise: 10, Fault: "names that resolve to forbidden addresses, alone and among public ones", Times: rounds, Of: addresses, What: "addresses", Seed: 1,
		Test: "go test ./internal/egress -run TestNamesOfForbiddenAddresses", Seconds: time.Since(begin).Seconds(),
	})
}
