package send

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// tlsFailed is a handshake that failed before there could be a request.
func tlsFailed(class delivery.Class) verdict { return verdict{class: class, unsent: true} }

// evilTLSRows are about TLS and what can go wrong with it.
func evilTLSRows() []evilRow {
	signed := func(name string, class delivery.Class, change func(*x509.Certificate)) evilRow {
		return evilRow{name: "certificate " + name, ways: newTLS, act: says(ok), want: tlsFailed(class),
			cert: func(t testing.TB, authority *tls.Certificate) *tls.Certificate {
				return newCertificate(t, authority, change)
			}}
	}
	rows := []evilRow{
		signed("that has expired", delivery.TLSExpired, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, -2), time.Now().AddDate(0, 0, -1)
		}),
		signed("that is not yet valid", delivery.TLSExpired, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, 1), time.Now().AddDate(0, 0, 2)
		}),
		signed("of another host", delivery.TLSWrongHost, func(c *x509.Certificate) { c.DNSNames = []string{"elsewhere.example"} }),
		signed("of all hosts", delivery.TLSWrongHost, func(c *x509.Certificate) { c.DNSNames = []string{"*"} }),
		signed("with the host in the wrong place", delivery.TLSWrongHost, func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = nil, example }),
		signed("for clients", delivery.TLSFailure, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
		{name: "certificate signed by itself", ways: newTLS, act: says(ok), want: tlsFailed(delivery.TLSUntrusted),
			cert: func(t testing.TB, _ *tls.Certificate) *tls.Certificate { return newCertificate(t, nil, unchanged) }},
		{name: "certificate of a foreign authority", ways: newTLS, act: says(ok), want: tlsFailed(delivery.TLSUntrusted),
			cert: func(t testing.TB, _ *tls.Certificate) *tls.Certificate {
				return newCertificate(t, newAuthority(t), unchanged)
			}},
		{name: "certificate whose key it has not", ways: newTLS, act: says(ok), want: tlsFailed(delivery.TLSFailure),
			cert: func(t testing.TB, authority *tls.Certificate) *tls.Certificate {
				stolen := newCertificate(t, authority, unchanged)
				stolen.PrivateKey = newCertificate(t, authority, unchanged).PrivateKey
				return stolen
			}},
	}
	return append(append(rows, evilVersionRows()...), evilHandshakeRows()...)
}

// evilVersionRows are about versions, client certificates and protocols.
func evilVersionRows() []evilRow {
	versions := func(low, high uint16) func(*tls.Config) {
		return func(c *tls.Config) { c.MinVersion, c.MaxVersion = low, high }
	}
	wantsCertificate := func(version uint16) func(*tls.Config) {
		return func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, version }
	}
	return []evilRow{
		{name: "old versions of TLS", ways: newTLS, tls: versions(tls.VersionTLS10, tls.VersionTLS11), act: says(ok), want: tlsFailed(delivery.TLSFailure)},
		{name: "TLS 1.2", ways: tlsOnes, tls: versions(tls.VersionTLS12, tls.VersionTLS12), act: says(ok), want: fine},
		{name: "TLS 1.2 without tickets", ways: newTLS, act: says(ok), want: fine,
			tls: func(c *tls.Config) { c.MaxVersion, c.SessionTicketsDisabled = tls.VersionTLS12, true }},
		{name: "TLS 1.3 without tickets", ways: newTLS, act: says(ok), want: fine, tls: func(c *tls.Config) { c.SessionTicketsDisabled = true }},
		{name: "weak ciphers alone", ways: newTLS, act: says(ok), want: tlsFailed(delivery.TLSFailure), tls: func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
		}},
		{name: "asks for a certificate and does without", ways: newTLS, act: says(ok), want: fine, tls: func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }},
		// Over TLS 1.3 it says so after the handshake, when the request is under way. net/http
		// may hear of it before, and then tells no more than that the connection is closed.
		{name: "wants a certificate", ways: newTLS, act: says(ok), want: verdict{class: delivery.TLSFailure, or: append(cutShort, delivery.TLSFailure)}, tls: wantsCertificate(tls.VersionTLS13)},
		{name: "wants a certificate over TLS 1.2", ways: newTLS, act: says(ok), want: tlsFailed(delivery.TLSFailure), tls: wantsCertificate(tls.VersionTLS12)},
		{name: "speaks none of our protocols", ways: newTLS, act: says(ok), want: tlsFailed(delivery.TLSFailure), tls: func(c *tls.Config) { c.NextProtos = []string{"imap"} }},
		{name: "record that fails its check in place of an answer", ways: tlsOnes, want: nonsense,
			act: func(c *evilConn) { c.below("\x17\x03\x03\x00\x20" + strings.Repeat("x", 32)); c.hang() }},
		{name: "plain answer below TLS", ways: tlsOnes, want: nonsense, act: func(c *evilConn) { c.below(ok); c.hang() }},
		{name: "record that fails its check within the body", ways: tlsOnes, want: partly("bye"),
			act: func(c *evilConn) {
				c.say(framed("Content-Length: 10\r\n", "bye"))
				c.below("\x17\x03\x03\x00\x20" + strings.Repeat("x", 32))
				c.hang()
			}},
		{name: "plain bytes below TLS after the answer", ways: tlsOnes, want: verdict{class: delivery.OK, code: 200, body: "ok", dirty: true, late: true}, act: func(c *evilConn) { c.say(ok); c.below(ok); c.hang() }},
	}
}

// below says something under TLS.
func (c *evilConn) below(text string) { c.tcp.Write([]byte(text)) }

// evilHandshakeRows break or hang at every step of the handshake.
func evilHandshakeRows() []evilRow {
	garbage := strings.Repeat("x", 1<<14)
	bare := func(name string, act func(*evilConn)) evilRow {
		return evilRow{name: name, ways: newTLS, bare: true, act: act, want: tlsFailed(delivery.TLSFailure)}
	}
	hangs := func(name string, act func(*evilConn)) evilRow {
		return evilRow{name: name, ways: newTLS, bare: true, slow: true, act: act, want: tlsFailed(delivery.TLSTimeout)}
	}
	hello := func(c *evilConn) { c.tcp.Read(make([]byte, 4096)) }
	rows := []evilRow{
		bare("plain HTTP on a TLS port", func(c *evilConn) { c.say("HTTP/1.1 400 Bad Request\r\n\r\n"); c.hang() }),
		bare("SSH on a TLS port", func(c *evilConn) { c.say("SSH-2.0-OpenSSH_9.6\r\n"); c.hang() }),
		bare("closes before the handshake", (*evilConn).close),
		{name: "resets before the handshake", ways: newTLS, bare: true, act: (*evilConn).reset,
			want: verdict{class: delivery.TLSFailure, unsent: true, or: []delivery.Class{delivery.Reset}}}, // as connect may see it
		bare("closes after our first words", func(c *evilConn) { hello(c); c.close() }),
		bare("resets after our first words", func(c *evilConn) { hello(c); c.reset() }),
		bare("does not know the name", func(c *evilConn) { hello(c); c.say("\x15\x03\x03\x00\x02\x02\x70"); c.hang() }),
		bare("says goodbye in the handshake", func(c *evilConn) { hello(c); c.say("\x15\x03\x03\x00\x02\x01\x00"); c.hang() }),
		bare("warns without end in the handshake", func(c *evilConn) { hello(c); c.flood("\x15\x03\x03\x00\x02\x01\x5a") }),
		bare("handshake of garbage", func(c *evilConn) { hello(c); c.flood("\x16\x03\x03\x40\x00" + garbage) }),
		bare("handshake of a 16 MiB part", func(c *evilConn) { hello(c); c.say("\x16\x03\x03\x40\x00\x02\xff\xff\xff"); c.flood(garbage) }),
		bare("record of 64 KiB in the handshake", func(c *evilConn) { hello(c); c.say("\x16\x03\x03\xff\xff"); c.flood(garbage) }),
		hangs("no word of the handshake", (*evilConn).hang),
		hangs("does not read our first words", (*evilConn).deaf),
		hangs("half a record of the handshake", func(c *evilConn) { hello(c); c.say("\x16\x03\x03"); c.hang() }),
		hangs("drips the handshake", func(c *evilConn) { hello(c); c.say("\x16\x03\x03\x40\x00\x02\x00\x3f\xff\x03\x03"); c.drip("x") }),
	}
	// The answer to our first words has some 800 bytes: its greeting, its certificate and its proof.
	for at, bytes := range map[string]int{"greeting": 40, "certificate": 400, "last words": 700} {
		rows = append(rows,
			hangs("hangs within its "+at, func(c *evilConn) { c.shakeHands(bytes); c.hang() }),
			bare("closes within its "+at, func(c *evilConn) { c.shakeHands(bytes); c.close() }),
			bare("resets within its "+at, func(c *evilConn) { c.shakeHands(bytes); c.reset() }))
	}
	return rows
}

// shakeHands does, but falls silent after some bytes.
func (c *evilConn) shakeHands(bytes int) {
	tls.Server(&silenced{c.tcp, bytes}, c.honest).Handshake()
}

// silenced is a connection to which only so much can be written: then it reports that it
// was closed.
type silenced struct {
	net.Conn
	left int
}

func (s *silenced) Write(b []byte) (int, error) {
	n := min(len(b), s.left)
	s.left -= n
	if _, err := s.Conn.Write(b[:n]); err != nil || n == len(b) {
		return n, err
	}
	return n, net.ErrClosed
}
