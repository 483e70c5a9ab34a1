package send

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// lateResolver finds 127.0.0.1 after a while.
type lateResolver time.Duration

func (r lateResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	<-time.After(time.Duration(r))
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// lateTLS shakes hands after a while.
type lateTLS struct {
	net.Conn
	after time.Duration
	begun bool
}

func (c *lateTLS) Read(b []byte) (int, error) {
	if !c.begun {
		c.begun = true
		<-time.After(c.after)
	}
	return c.Conn.Read(b)
}

// TestEachPhaseHasItsOwnTime delays each phase, a later one longer than all before it
// together: so a time that is in the wrong field, or in two, leaves another field too
// short, or makes the parts longer than the whole.
func TestEachPhaseHasItsOwnTime(t *testing.T) {
	t.Parallel()
	const dns, handshake, answer, body = 20 * time.Millisecond, 50 * time.Millisecond, 110 * time.Millisecond, time.Second
	authority := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{*newCertificate(t, authority, unchanged)}}
	for _, client := range evilClients {
		for _, scheme := range []string{"http", "https"} {
			t.Run(client.name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				overTLS := scheme == "https"
				r := newReceiver(t, func(conn net.Conn) {
					if overTLS {
						conn = tls.Server(&lateTLS{Conn: conn, after: handshake}, config)
					}
					for in := bufio.NewReader(conn); ; {
						if _, err := readRequest(in); err != nil {
							return
						}
						<-time.After(answer)
						io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
						<-time.After(body)
						io.WriteString(conn, "k")
					}
				})
				s, p := evilSender(t, authority, lateResolver(dns))
				target := r.named()
				if !overTLS {
					target = "http://127.0.0.1:" + r.port()
				}
				prepared := newTarget(t, p, target)
				least := delivery.Timing{DNS: dns, TLS: handshake, FirstByte: answer, Total: answer + body}
				kept := false
				for n := 0; n < 10 && !kept; n++ { // a loaded machine may have to connect anew
					before := r.conns.Load()
					a, _ := sendChecked(t, s, prepared, newLease(client.body(testBody)))
					kept = r.conns.Load() == before
					checkTimes(t, a, overTLS, !kept, least)
				}
				if !kept {
					t.Error("no connection was kept")
				}
			})
		}
	}
}

// checkTimes holds the parts against what they last at least. That they are not more than
// the total, sendChecked has looked at.
func checkTimes(t *testing.T, a delivery.Attempt, overTLS, connected bool, least delivery.Timing) {
	t.Helper()
	if !overTLS {
		least.DNS = 0 // its target is an address
	}
	got := a.Timing
	// On a busy machine the first byte is read late, and what comes after it is not.
	rest := (least.Total - least.FirstByte) / 2
	if got.FirstByte < least.FirstByte || got.Total < least.Total || got.Total-got.FirstByte < rest {
		t.Errorf("timing %+v, want at least %+v: the body is not part of the first byte", got, least)
	}
	if connected && (got.DNS < least.DNS || got.Connect <= 0 || overTLS && got.TLS < least.TLS) {
		t.Errorf("timing %+v of a new connection, want at least %+v", got, least)
	}
	if !connected && (got.DNS != 0 || got.Connect != 0 || got.TLS != 0) {
		t.Errorf("timing %+v of a kept connection, which was neither looked up nor made", got)
	}
	if !overTLS && (got.TLS != 0 || got.DNS != 0) {
		t.Errorf("timing %+v without DNS and TLS", got)
	}
}

// TestAnswerThatComesInTwoPieces cuts answers at every position, on one connection.
func TestAnswerThatComesInTwoPieces(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	cert := newCertificate(t, authority, unchanged)
	answers := []string{ok, "HTTP/1.1 100 Continue\r\n\r\n" + ok, chunked("1;a=b\r\no\r\n1\r\nk\r\n0\r\nA: b\r\n\r\n"), "HTTP/1.1 200 OK\nContent-Length: 2\nA: b\n c\n\nok"}
	play := func(conn net.Conn) {
		for in := bufio.NewReader(conn); ; {
			for _, answer := range answers {
				for at := range len(answer) {
					if _, err := readRequest(in); err != nil {
						return
					}
					io.WriteString(conn, answer[:at])
					io.WriteString(conn, answer[at:])
				}
			}
		}
	}
	for _, client := range evilClients {
		for _, scheme := range []string{"http", "https"} {
			t.Run(client.name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				r := newReceiver(t, play)
				url := r.url()
				if scheme == "https" {
					r = newTLSReceiver(t, cert, func(*tls.Config) {}, play)
					url = r.named()
				}
				s, p := evilSender(t, authority, lateResolver(0))
				target := newTarget(t, p, url)
				for _, answer := range answers {
					for at := range len(answer) {
						a, _ := sendChecked(t, s, target, newLease(client.body(testBody)))
						if a.Class != delivery.OK || string(a.Response.Body) != "ok" || a.Response.Truncated {
							t.Fatalf("%q and %q: class %q, body %q; info %q", answer[:at], answer[at:], a.Class, a.Response.Body, a.LocalInfo)
						}
					}
				}
			})
		}
	}
}
