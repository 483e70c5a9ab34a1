package send

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

func TestTLSFailures(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	stranger := newAuthority(t)
	self := func(change func(*x509.Certificate)) *tls.Certificate { return newCertificate(t, nil, change) }
	signed := func(change func(*x509.Certificate)) *tls.Certificate { return newCertificate(t, authority, change) }
	keep := func(*tls.Config) {}
	talk := func(conn net.Conn) { conn.(*tls.Conn).Handshake(); answer(ok)(conn) }
	yesterday := time.Now().AddDate(0, 0, -1)
	tomorrow := time.Now().AddDate(0, 0, 1)
	tests := []struct {
		name   string
		cert   *tls.Certificate
		change func(*tls.Config)
		want   delivery.Class
		hint   string
	}{
		{"good", signed(unchanged), keep, delivery.OK, ""},
		{"expired", signed(func(c *x509.Certificate) { c.NotAfter = yesterday; c.NotBefore = yesterday.AddDate(0, 0, -1) }), keep,
			delivery.TLSExpired, "expired on " + yesterday.UTC().Format("2006-01-02")},
		{"not yet valid", signed(func(c *x509.Certificate) { c.NotBefore = tomorrow; c.NotAfter = tomorrow.AddDate(0, 0, 1) }), keep,
			delivery.TLSExpired, "only valid from " + tomorrow.UTC().Format("2006-01-02")},
		{"self-signed", self(unchanged), keep, delivery.TLSUntrusted, "self-signed"},
		{"of a foreign authority", newCertificate(t, stranger, unchanged), keep, delivery.TLSUntrusted, "full chain"},
		{"for other hosts", signed(func(c *x509.Certificate) {
			c.DNSNames = []string{"a.example", "b.example", "c.example", "d.example", "e.example"}
		}), keep,
			delivery.TLSWrongHost, "a.example, b.example, c.example, 2 more"},
		{"for no host", signed(func(c *x509.Certificate) { c.DNSNames = nil }), keep, delivery.TLSWrongHost, "no host at all"},
		{"for something else", signed(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), keep,
			delivery.TLSFailure, "TLS handshake"},
		{"only old versions", signed(unchanged), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
			delivery.TLSFailure, "TLS 1.2 or newer"},
		// Over TLS 1.3 it says so after the handshake, and closes: which of the two is heard of first is
		// chance (see evilTLSRows).
		{"wants a certificate over TLS 1.2", signed(unchanged),
			func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 },
			delivery.TLSFailure, "client certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newTLSReceiver(t, tt.cert, tt.change, talk)
			a, _ := attemptTo(t, setup{roots: []*x509.Certificate{authority.Leaf}}, r.named())
			if a.Class != tt.want || !strings.Contains(a.Hint, tt.hint) {
				t.Errorf("class %q, hint %q; want %q, %q; info %q", a.Class, a.Hint, tt.want, tt.hint, a.LocalInfo)
			}
			if a.Timing.TLS <= 0 {
				t.Errorf("timing %+v has no TLS", a.Timing)
			}
		})
	}
}

// TestTLSThatBreaksLaterWasSaidNotToHaveArrived goes over all alerts and all phases in
// which there is a connection.
func TestTLSThatBreaksLaterWasSaidNotToHaveArrived(t *testing.T) {
	t.Parallel()
	ofCertificates := map[int]bool{42: true, 46: true, 48: true, 49: true, 116: true}
	for reached := handshaking; reached <= answering; reached++ {
		for code := range 256 {
			want := delivery.Reset
			if reached == handshaking || ofCertificates[code] && reached < answering {
				want = delivery.TLSFailure
			}
			if got := classify(alert(remoteAlert, code), reached); got != want {
				t.Errorf("alert %d came in phase %d: class %q, want %q", code, reached, got, want)
			}
			want = delivery.ProtocolError
			if reached == handshaking {
				want = delivery.TLSFailure
			}
			if got := classify(alert(localAlert, code), reached); got != want {
				t.Errorf("alert %d sent in phase %d: class %q, want %q", code, reached, got, want)
			}
		}
	}
}

// alert is how crypto/tls reports one.
func alert(op string, code int) error {
	return &net.OpError{Op: op, Err: tls.AlertError(code)}
}

// TestBrokenTLSRecords plays receivers that take the request over TLS and then send
// what cannot be read.
func TestBrokenTLSRecords(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	for name, raw := range map[string]string{
		"a record that fails its check": "\x17\x03\x03\x00\x20" + strings.Repeat("x", 32),
		"no record":                     "HTTP/1.1 200 OK\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTLSReceiver(t, newCertificate(t, authority, unchanged), func(*tls.Config) {}, func(conn net.Conn) {
				if _, err := readRequest(bufio.NewReader(conn)); err == nil {
					io.WriteString(conn.(*tls.Conn).NetConn(), raw)
					hang(conn)
				}
			})
			a, _ := attemptTo(t, setup{roots: []*x509.Certificate{authority.Leaf}}, r.named())
			if a.Class != delivery.ProtocolError || !a.Class.MayHaveArrived() {
				t.Errorf("class %q, want %q; info %q", a.Class, delivery.ProtocolError, a.LocalInfo)
			}
		})
	}
}

// TestNoTLSBehindHTTPS plays ports that break off or speak something else.
func TestNoTLSBehindHTTPS(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		play func(net.Conn)
		hint string
	}{
		{"plain HTTP", func(conn net.Conn) { io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n"); hang(conn) }, "does not speak TLS"},
		{"another protocol", func(conn net.Conn) { io.WriteString(conn, "SSH-2.0-OpenSSH_9.6\r\n"); hang(conn) }, "does not speak TLS"},
		{"closes at once", func(net.Conn) {}, "cut the connection off"},
		{"closes after the first message", func(conn net.Conn) { conn.Read(make([]byte, 4096)) }, "cut the connection off"},
		{"refuses the name", func(conn net.Conn) {
			conn.Read(make([]byte, 4096))
			conn.Write([]byte{21, 3, 3, 0, 2, 2, alertUnrecognizedName}) // an alert of TLS 1.2, fatal
			hang(conn)
		}, "does not know the name " + example},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, unsent := attemptTo(t, setup{}, newReceiver(t, tt.play).named())
			if a.Class != delivery.TLSFailure || !unsent || !strings.Contains(a.Hint, tt.hint) {
				t.Errorf("class %q, unsent %v, hint %q, want %q; info %q", a.Class, unsent, a.Hint, tt.hint, a.LocalInfo)
			}
		})
	}
}
