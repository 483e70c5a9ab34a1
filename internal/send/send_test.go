package send

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// patience is the clock of attempts that are not meant to run out of time.
const patience = 20 * time.Second

// impatience is the clock of those that are: long enough for a loaded machine to
// reach the phase in which the receiver hangs.
const impatience = 300 * time.Millisecond

// example is the host under which tests reach 127.0.0.1 by name.
const example = "hooks.example.com"

// setup is what a test may change about a sender.
type setup struct {
	timeout  time.Duration // 0 means patience
	resolver egress.Resolver
	roots    []*x509.Certificate
	connect  time.Duration
	policy   egress.Config
	ahead    time.Duration
}

// newSender makes a sender and a policy that open loopback.
func newSender(t testing.TB, c setup) (*Sender, *egress.Policy) {
	t.Helper()
	if c.timeout == 0 {
		c.timeout = patience
	}
	if c.connect == 0 {
		c.connect = c.timeout + time.Second
	}
	if c.resolver == nil {
		c.resolver = fixedResolver{netip.MustParseAddr("127.0.0.1")}
	}
	if c.policy.Allow == nil {
		c.policy.Dev = true
	}
	p, err := egress.NewPolicy(c.policy)
	if err != nil {
		t.Fatal(err)
	}
	client, err := egress.NewClient(egress.ClientConfig{
		Policy: p, Resolver: c.resolver, ExtraRootCAs: c.roots, ConnectTimeout: c.connect,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s, err := New(Config{Client: client, Timeout: c.timeout, Node: "node-1", Ahead: func() time.Duration { return c.ahead }})
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

type fixedResolver []netip.Addr

func (r fixedResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return r, nil
}

var testBody = []byte(`{"id":"0195f2c1-7e57-7000-8000-000000000001","type":"scan.completed","created_at":"2026-03-08T12:34:56.789Z","data":{"n":1}}`)

func newLease(body []byte) delivery.Lease {
	return delivery.Lease{
		ID: 4711, AccountID: "acc_1", EndpointID: "ep_1",
		EventID: "0195f2c1-7e57-7000-8000-000000000001", EventType: "scan.completed",
		Body: body, Attempt: 3, Cycle: delivery.Manual,
	}
}

func newTarget(t testing.TB, p *egress.Policy, url string, headers ...delivery.Header) *Target {
	t.Helper()
	target, err := NewTarget(p, url, headers, []webhook.Secret{webhook.NewSecret()})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// attemptTo sends the test lease to a URL and checks what holds for every attempt.
func attemptTo(t testing.TB, c setup, url string) (delivery.Attempt, bool) {
	t.Helper()
	s, p := newSender(t, c)
	return sendChecked(t, s, newTarget(t, p, url), newLease(testBody))
}

func sendChecked(t testing.TB, s *Sender, target *Target, l delivery.Lease) (delivery.Attempt, bool) {
	t.Helper()
	a, unsent := s.Send(t.Context(), target, l)
	checkComplete(t, a, l)
	return a, unsent
}

func checkComplete(t testing.TB, a delivery.Attempt, l delivery.Lease) {
	t.Helper()
	if a.DeliveryID != l.ID || a.Number != l.Attempt || a.Cycle != l.Cycle || a.Node != "node-1" {
		t.Errorf("attempt is of delivery %d, number %d, cycle %q, node %q", a.DeliveryID, a.Number, a.Cycle, a.Node)
	}
	// Round(0) leaves the wall clock alone, which is what gets stored.
	if a.StartedAt.IsZero() || a.EndedAt.Round(0).Sub(a.StartedAt.Round(0)) != a.Timing.Total || a.Timing.Total <= 0 {
		t.Errorf("attempt from %v to %v, total %v", a.StartedAt, a.EndedAt, a.Timing.Total)
	}
	if parts := a.Timing.DNS + a.Timing.Connect + a.Timing.TLS + a.Timing.FirstByte; parts > a.Timing.Total {
		t.Errorf("parts of the time add up to %v, more than the total %v", parts, a.Timing.Total)
	}
	if a.Class != delivery.OK && a.Hint == "" {
		t.Errorf("class %q has no hint", a.Class)
	}
	if a.Class == "" || a.Request.URL == "" || len(a.Request.Header) == 0 {
		t.Errorf("attempt has class %q and request %+v", a.Class, a.Request)
	}
}

// receiver is a listener on loopback whose connections a function plays.
type receiver struct {
	net.Listener
	conns atomic.Int32
}

func (r *receiver) url() string { return "http://" + r.Addr().String() + "/hooks" }
func (r *receiver) port() string {
	return r.Addr().String()[strings.LastIndexByte(r.Addr().String(), ':')+1:]
}

// named is the URL of a receiver that speaks TLS, by name.
func (r *receiver) named() string { return "https://" + example + ":" + r.port() + "/hooks" }

func newReceiver(t testing.TB, play func(net.Conn)) *receiver {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, ln, play)
}

// serve plays every connection in its own goroutine, closes them when the test
// is over, and waits for the players.
func serve(t testing.TB, ln net.Listener, play func(net.Conn)) *receiver {
	r := &receiver{Listener: ln}
	over, stop := context.WithCancel(context.Background())
	var players sync.WaitGroup
	players.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			r.conns.Add(1)
			context.AfterFunc(over, func() { conn.Close() })
			players.Go(func() { defer conn.Close(); play(conn) })
		}
	})
	t.Cleanup(func() { stop(); ln.Close(); players.Wait() })
	return r
}

// hang holds a connection open without a word until its other side or the test ends.
func hang(conn net.Conn) { io.Copy(io.Discard, conn) }

// answer plays a receiver that reads each request and writes the same bytes.
func answer(raw string) func(net.Conn) {
	return func(conn net.Conn) {
		for r := bufio.NewReader(conn); ; {
			if _, err := readRequest(r); err != nil {
				return
			}
			if _, err := io.WriteString(conn, raw); err != nil {
				return
			}
		}
	}
}

// answerOnce answers the first request and closes the connection.
func answerOnce(raw string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := readRequest(bufio.NewReader(conn)); err == nil {
			io.WriteString(conn, raw)
		}
	}
}

// readRequest reads one request as the bytes that arrived.
func readRequest(r *bufio.Reader) ([]byte, error) {
	var raw bytes.Buffer
	req, err := http.ReadRequest(bufio.NewReaderSize(io.TeeReader(oneByte{r}, &raw), 16))
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return raw.Bytes(), err
}

// oneByte keeps a buffered reader above it from reading into the next request.
type oneByte struct{ *bufio.Reader }

func (r oneByte) Read(p []byte) (int, error) {
	b, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// newCertificate makes a certificate for example. Without a parent it signs itself.
func newCertificate(t testing.TB, parent *tls.Certificate, change func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "certificate of a test"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		DNSNames:    []string{example},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(template)
	signer, signerKey := template, crypto.PrivateKey(key)
	if parent != nil {
		signer, signerKey = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, &key.PublicKey, signerKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// newAuthority makes a certificate that may sign others.
func newAuthority(t testing.TB) *tls.Certificate {
	t.Helper()
	return newCertificate(t, nil, func(c *x509.Certificate) {
		c.Subject.CommonName = "authority of a test"
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		c.ExtKeyUsage = nil
	})
}

func unchanged(*x509.Certificate) {}

// newTLSReceiver is a receiver with a certificate.
func newTLSReceiver(t testing.TB, c *tls.Certificate, change func(*tls.Config), play func(net.Conn)) *receiver {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{*c}}
	change(config)
	return serve(t, tls.NewListener(ln, config), play)
}
