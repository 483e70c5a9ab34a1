// Package mailtest is a mail server for tests: it takes mails as a real one does, with
// TLS and passwords, and misbehaves as told. It listens on this machine only and hands nothing on.
package mailtest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"
)

// Config says what a Server asks for.
type Config struct {
	TLS      bool   // it speaks TLS from the first byte on
	NoTLS    bool   // it offers no STARTTLS
	User     string // "" = it asks for no password
	Password string
}

// Fault is how a Server misbehaves at a step.
type Fault struct {
	At    string // the verb: CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, or BODY, which is the end of a mail
	Reply string // what it says instead of its part, such as "550 5.1.1 no such user"
	Close bool   // it closes the connection, after Reply if there is one
	Hang  bool   // it says nothing until the test ends
	Flood bool   // it sends a line without end
	Taken bool   // at BODY: the mail is taken first
	About string // only where this is in what it is told: the line of the verb, or at BODY the mail; "" = always
}

// Mail is what arrived.
type Mail struct {
	From, To  string // of the envelope
	Raw       string
	MessageID string
	Subject   string // decoded
	Text      string // decoded
	Header    mail.Header
	Secure    bool   // TLS was spoken
	User      string // who signed in
}

// Server is a mail server on this machine.
type Server struct {
	Config
	t        *testing.T
	listener net.Listener
	secure   *tls.Config
	roots    *x509.CertPool
	done     chan struct{}
	running  sync.WaitGroup

	mu    sync.Mutex
	fault Fault
	mails []Mail
	conns int
}

// New starts a Server, which ends with the test.
func New(t *testing.T, c Config) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it listens at once or not at all
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Config: c, t: t, listener: l, done: make(chan struct{})}
	s.certify()
	s.running.Go(s.accept)
	t.Cleanup(func() {
		close(s.done)
		_ = l.Close() // it was only to be stopped
		s.running.Wait()
	})
	return s
}

// Address is the server's, as HOST:PORT.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Roots trust the server's certificate, which is for 127.0.0.1 and localhost.
func (s *Server) Roots() *x509.CertPool { return s.roots }

// Break makes the server misbehave from now on; the zero Fault makes it well again.
func (s *Server) Break(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Mails gives what has arrived so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Connections counts those that came so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// certify makes a certificate.
func (s *Server) certify() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, time.January, 1, 0, 0, 0, 0, time.UTC),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.secure = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	s.roots = x509.NewCertPool()
	if c, err = x509.ParseCertificate(der); err != nil {
		s.t.Fatal(err)
	}
	s.roots.AddCert(c)
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns++
		s.mu.Unlock()
		s.running.Go(func() {
			ended := make(chan struct{})
			s.running.Go(func() {
				select {
				case <-s.done:
				case <-ended:
				}
				_ = conn.Close() // twice does no harm
			})
			defer close(ended)
			x := &session{Server: s, conn: conn}
			if s.TLS {
				x.conn, x.mail.Secure = tls.Server(conn, s.secure), true
			}
			x.in = bufio.NewReader(x.conn)
			x.serve()
		})
	}
}

// session is one connection.
type session struct {
	*Server
	conn net.Conn
	in   *bufio.Reader
	mail Mail
}

func (x *session) say(line string) { _, _ = io.WriteString(x.conn, line+"\r\n") } // whoever has gone hears nothing

// broken misbehaves at a step at which something was said, if it is told to, and reports whether the step is done
// with; ended, whether the connection is.
func (x *session) broken(at, said string) (done, ended bool) {
	x.mu.Lock()
	f := x.fault
	x.mu.Unlock()
	if f.At != at || !strings.Contains(said, f.About) {
		return false, false
	}
	if f.Taken {
		x.keep()
	}
	if f.Hang {
		_, _ = io.Copy(io.Discard, x.in) // until the other side or the test ends
		return true, true
	}
	if f.Flood {
		for filler := strings.Repeat("x", 64<<10); ; {
			if _, err := io.WriteString(x.conn, filler); err != nil {
				return true, true
			}
		}
	}
	if f.Reply != "" {
		x.say(f.Reply)
	}
	return f.Reply != "", f.Close
}

func (x *session) serve() {
	defer x.conn.Close()
	if done, ended := x.broken("CONNECT", ""); ended {
		return
	} else if !done {
		x.say("220 mail.test ESMTP")
	}
	for {
		line, err := x.in.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		verb = strings.ToUpper(verb)
		done, ended := x.broken(verb, line)
		if ended {
			return
		}
		if !done && !x.do(verb, rest) {
			return
		}
	}
}

// do answers a command; false ends the connection.
func (x *session) do(verb, rest string) bool {
	switch verb {
	case "EHLO":
		x.ehlo()
	case "STARTTLS":
		x.say("220 go on")
		x.conn = tls.Server(x.conn, x.secure)
		x.in, x.mail.Secure = bufio.NewReader(x.conn), true
	case "AUTH":
		x.auth(rest)
	case "MAIL":
		if x.User != "" && x.mail.User == "" {
			x.say("530 5.7.0 sign in first")
			return true
		}
		x.mail.From = address(rest)
		x.say("250 ok")
	case "RCPT":
		x.mail.To = address(rest)
		x.say("250 ok")
	case "DATA":
		x.say("354 go on")
		return x.data()
	case "QUIT":
		x.say("221 bye")
		return false
	case "RSET", "NOOP":
		x.say("250 ok")
	default:
		x.say("502 unknown")
	}
	return true
}

func (x *session) ehlo() {
	lines := []string{"mail.test", "8BITMIME", "ENHANCEDSTATUSCODES"}
	if !x.NoTLS && !x.mail.Secure {
		lines = append(lines, "STARTTLS")
	}
	if x.User != "" && x.mail.Secure {
		lines = append(lines, "AUTH PLAIN LOGIN")
	}
	for i, line := range lines {
		mark := "-"
		if i == len(lines)-1 {
			mark = " "
		}
		x.say("250" + mark + line)
	}
}

func (x *session) auth(rest string) {
	_, answer, _ := strings.Cut(rest, " ")
	plain, err := base64.StdEncoding.DecodeString(answer)
	if err != nil || string(plain) != "\x00"+x.User+"\x00"+x.Password {
		x.say("535 5.7.8 not " + answer) // as careless as some are
		return
	}
	x.mail.User = x.User
	x.say("235 welcome")
}

// data reads a mail to its dot.
func (x *session) data() bool {
	var raw strings.Builder
	for {
		line, err := x.in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		raw.WriteString(strings.TrimPrefix(line, "."))
	}
	x.mail.Raw = raw.String()
	done, ended := x.broken("BODY", x.mail.Raw)
	if ended {
		return false
	}
	if !done {
		x.keep()
		x.say("250 2.0.0 taken")
	}
	return true
}

// keep takes a mail.
func (x *session) keep() {
	m := x.mail
	parsed, err := mail.ReadMessage(strings.NewReader(m.Raw))
	if err != nil {
		x.t.Errorf("a mail that cannot be read: %v\n%s", err, m.Raw)
		return
	}
	m.Header, m.MessageID = parsed.Header, parsed.Header.Get("Message-ID")
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil {
		x.t.Errorf("subject: %v", err)
	}
	body := parsed.Body
	if strings.EqualFold(parsed.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		x.t.Errorf("text: %v", err)
	}
	m.Text = strings.ReplaceAll(string(text), "\r\n", "\n")
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mails = append(x.mails, m)
}

// address gives what stands between angle brackets.
func address(text string) string {
	_, text, _ = strings.Cut(text, "<")
	text, _, _ = strings.Cut(text, ">")
	return text
}

// String says where it is, for messages of tests.
func (s *Server) String() string { return fmt.Sprintf("the mail server at %s", s.Address()) }
