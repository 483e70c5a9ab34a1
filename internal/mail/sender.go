package mail

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/compliancelayer/compliancelayer/internal/egress"
)

// How TLS is spoken with the mail server.
const (
	StartTLS = "starttls" // begun in the plain, then required
	TLS      = "tls"      // from the first byte on
	NoTLS    = "none"     // not at all: only to this machine or a private network, and without a password
)

const (
	// sendTime bounds the sending of one mail as a whole, up to its end.
	sendTime = 30 * time.Second
	// answerTime is how long the mail server may take to answer after the end of a mail: RFC 5321, section
	// 4.5.3.2.6. It may have taken the mail before it answers, and who gives up earlier sends it twice.
	answerTime = 10 * time.Minute
	// goodbyeTime bounds the end of a session, which matters to nobody.
	goodbyeTime = 5 * time.Second
	// maxRead bounds what the mail server may say meanwhile: its certificates and a few lines.
	maxRead = 256 << 10
)

// Config is what a Sender is made of. All but the fields that say so must be set.
type Config struct {
	Policy    *egress.Policy
	Server    string // HOST:PORT of the mail server
	TLS       string // StartTLS, TLS or NoTLS; "" = StartTLS
	User      string // "" = it asks for none
	Password  string
	From      string          // the address that mails come from
	PublicURL func() string   // of the dashboard, for links
	Resolver  egress.Resolver // nil = the machine's
	Roots     *x509.CertPool  // nil = the system's
	Timeout   time.Duration   // for one mail, up to its end; 0 = 30 s
	Patience  time.Duration   // for the answer after that; 0 = 10 min
}

// Sender hands mails to a mail server, which the operator's settings name. It may be used by many goroutines.
type Sender struct {
	Config
	server *egress.Server
	host   string
	secure *tls.Config
	domain string // of From
}

// NewSender makes a Sender and connects to nothing. The error says what is wrong with the Config.
func NewSender(c Config) (*Sender, error) {
	host, _, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, fmt.Errorf("--smtp: %q is not HOST:PORT", c.Server)
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil || from.Address != c.From {
		return nil, fmt.Errorf("--mail-from: %q is not an address such as webhooks@example.com", c.From)
	}
	switch {
	case c.TLS == "":
		c.TLS = StartTLS
	case c.TLS != StartTLS && c.TLS != TLS && c.TLS != NoTLS:
		return nil, fmt.Errorf("--smtp-tls: %q is neither starttls nor tls nor none", c.TLS)
	case c.TLS == NoTLS && c.User != "":
		return nil, errors.New("--smtp-tls none: a password is sent over TLS only; use starttls or tls, or leave --smtp-user out")
	}
	if c.Timeout == 0 {
		c.Timeout = sendTime
	}
	if c.Patience == 0 {
		c.Patience = answerTime
	}
	s := &Sender{Config: c, host: host, secure: &tls.Config{ServerName: host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12}}
	_, s.domain, _ = strings.Cut(c.From, "@")
	way := egress.ServerConfig{
		Policy: c.Policy, Address: c.Server, Near: c.TLS == NoTLS, Resolver: c.Resolver, Timeout: c.Timeout, MaxRead: maxRead,
	}
	if c.TLS == TLS {
		way.TLS = s.secure
	}
	if s.server, err = egress.NewServer(way); err != nil {
		return nil, fmt.Errorf("--smtp: %w", err)
	}
	return s, nil
}

// SendTest sends a mail that shows whether mail arrives, in the name of an account. An error is a
// *Problem.
func (s *Sender) SendTest(ctx context.Context, to, account string) error {
	id := "test_" + strings.ToLower(rand.Text())
	return s.send(ctx, siteOf(s.PublicURL(), account, "").test(id, to), func(context.Context) error { return nil })
}

// Check makes sure that the mail server answers, with TLS and password as set. It sends nothing. An
// error is a *Problem.
func (s *Sender) Check(ctx context.Context) error {
	return s.with(ctx, func(*session) error { return nil })
}

// send hands a mail to the mail server. nil means that the server has taken it on, whatever it does after
// that; an error is a *Problem, or that of `hand`, which is called before the server may have the mail:
// when it fails, the server never gets it.
func (s *Sender) send(ctx context.Context, m message, hand func(context.Context) error) error {
	msg, err := s.build(m)
	if err != nil {
		return &Problem{Text: "This address cannot be put into a mail.", Final: true, Letter: true, Detail: err.Error()}
	}
	return s.with(ctx, func(x *session) error { return x.send(ctx, msg, hand) })
}

// build makes the mail's bytes-to-be. Nothing from outside gets into a header but the subject, which
// is one line by now, and the address, which is parsed.
func (s *Sender) build(m message) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.FromFormat("ComplianceLayer", s.From); err != nil {
		return nil, err
	}
	if err := msg.To(m.To); err != nil {
		return nil, err
	}
	msg.Subject(line(m.Subject, 2*maxName))
	msg.SetMessageIDWithValue(m.ID + "@" + s.domain)
	msg.SetDate()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's holiday answers it
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	return msg, nil
}

// with opens a session with the mail server, of bounded time, and ends it.
func (s *Sender) with(ctx context.Context, use func(*session) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &session{patience: s.Patience, over: time.AfterFunc(s.Timeout, cancel)}
	defer x.over.Stop()
	var ends []func()
	defer func() {
		for _, end := range ends {
			end()
		}
	}()
	client, err := s.client(func(dialing context.Context, network, _ string) (net.Conn, error) {
		conn, err := s.server.DialContext(dialing, network, s.server.Address())
		if err != nil {
			return nil, err
		}
		// The library's own limits begin anew with every step, and it leaves connections open on which something went wrong.
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		ends = append(ends, func() { stop(); conn.Close() })
		return conn, nil
	})
	if err != nil {
		return problemOf(err)
	}
	if x.Client, err = client.DialToSMTPClientWithContext(ctx); err != nil {
		return problemOf(err)
	}
	err = use(x)
	if err == nil || isReply(err) {
		x.allow(goodbyeTime)
		_ = x.Quit() // how it says goodbye does not matter
	}
	return err
}

func (s *Sender) client(dial gomail.DialContextFunc) (*gomail.Client, error) {
	_, port, _ := net.SplitHostPort(s.Server)
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	policy := gomail.TLSMandatory
	if s.TLS != StartTLS {
		policy = gomail.NoTLS // it is spoken by the connection, or not at all
	}
	options := []gomail.Option{
		gomail.WithPort(number), gomail.WithTimeout(s.Timeout), gomail.WithTLSConfig(s.secure), gomail.WithTLSPolicy(policy), gomail.WithDialContextFunc(dial),
	}
	if s.User != "" {
		options = append(options, gomail.WithUsername(s.User), gomail.WithPassword(s.Password), gomail.WithOpportunisticSMTPAuth(
			gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5))
	}
	return gomail.NewClient(s.host, options...)
}
