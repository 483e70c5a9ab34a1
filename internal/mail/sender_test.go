package mail

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/mail/mailtest"
)

const password = "canary-password"

// senderTo makes a Sender to a server, changed by the given function.
func senderTo(t *testing.T, s *mailtest.Server, change func(*Config)) *Sender {
	t.Helper()
	policy, err := egress.NewPolicy(egress.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Policy: policy, Server: s.Address(), TLS: StartTLS, From: "webhooks@example.com", Roots: s.Roots(),
		PublicURL: func() string { return "https://hooks.example.com" }, Timeout: 20 * time.Second,
	}
	if change != nil {
		change(&c)
	}
	sender, err := NewSender(c)
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

func hello(to string) message {
	return message{ID: "mail_abc", To: to, Subject: "Hello", Text: "Grüße\n\n.hidden\n"}
}

func TestAMailArrives(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		server mailtest.Config
		change func(*Config)
		secure bool
		user   string
	}{
		{"by STARTTLS", mailtest.Config{}, nil, true, ""},
		{"by TLS from the first byte on", mailtest.Config{TLS: true}, func(c *Config) { c.TLS = TLS }, true, ""},
		{"without TLS", mailtest.Config{NoTLS: true}, func(c *Config) { c.TLS = NoTLS }, false, ""},
		{"with a password by STARTTLS", mailtest.Config{User: "hooks", Password: password}, func(c *Config) { c.User, c.Password = "hooks", password }, true, "hooks"},
		{"with a password by TLS", mailtest.Config{TLS: true, User: "hooks", Password: password}, func(c *Config) { c.TLS, c.User, c.Password = TLS, "hooks", password }, true, "hooks"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mailtest.New(t, tt.server)
			sender := senderTo(t, s, tt.change)
			if err := sender.Check(t.Context()); err != nil || len(s.Mails()) != 0 {
				t.Fatalf("check: %v, %d mails", err, len(s.Mails()))
			}
			if err := sender.send(t.Context(), hello("zoe@example.com")); err != nil {
				t.Fatal(detail(err))
			}
			got := s.Mails()
			if len(got) != 1 {
				t.Fatalf("%d mails", len(got))
			}
			m := got[0]
			if m.From != "webhooks@example.com" || m.To != "zoe@example.com" || m.Subject != "Hello" || m.Text != "Grüße\n\n.hidden\n" ||
				m.MessageID != "<mail_abc@example.com>" || m.Secure != tt.secure || m.User != tt.user || m.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("got %+v", m)
			}
		})
	}
}

// detail says all of a problem.
func detail(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return p.Text + " | " + p.Detail
	}
	return ""
}

func TestWhatAMailServerCanDoToUs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault mailtest.Fault
		taken bool // the mail counts as sent
		final bool
		says  string
	}{
		{"it is busy", mailtest.Fault{At: "CONNECT", Reply: "421 later", Close: true}, false, false, "cannot be reached"},
		{"it closes at once", mailtest.Fault{At: "CONNECT", Close: true}, false, false, "cannot be reached"},
		{"it speaks another protocol", mailtest.Fault{At: "CONNECT", Reply: "SSH-2.0-OpenSSH_9.9", Close: true}, false, false, "cannot be reached"},
		{"its greeting has no end", mailtest.Fault{At: "CONNECT", Flood: true}, false, false, "cannot be reached"},
		{"it refuses TLS", mailtest.Fault{At: "STARTTLS", Reply: "454 no"}, false, false, "cannot be reached"},
		{"it answers in the plain where TLS should begin", mailtest.Fault{At: "STARTTLS", Reply: "220 go on\r\n250 ok"}, false, false, "cannot be reached"},
		{"it takes no mail from us", mailtest.Fault{At: "MAIL", Reply: "550 5.7.1 not you"}, false, false, "takes no mail from this server (550 5.7.1)"},
		{"there is no such user", mailtest.Fault{At: "RCPT", Reply: "550 5.1.1 no such user"}, false, true, "refused it for good (550 5.1.1)"},
		{"it puts the address off", mailtest.Fault{At: "RCPT", Reply: "451 4.7.1 greylisted"}, false, false, "try again later (451 4.7.1)"},
		{"it refuses data", mailtest.Fault{At: "DATA", Reply: "554 no"}, false, true, "refused it for good (554)"},
		{"it refuses the mail", mailtest.Fault{At: "BODY", Reply: "552 too big"}, false, true, "refused it for good (552)"},
		{"it puts the mail off", mailtest.Fault{At: "BODY", Reply: "452 full"}, false, false, "try again later (452)"},
		{"it closes after the mail", mailtest.Fault{At: "BODY", Close: true}, false, false, "before it had taken"},
		{"it closes after it took the mail", mailtest.Fault{At: "BODY", Taken: true, Close: true}, false, false, "before it had taken"},
		{"it says 250 and closes", mailtest.Fault{At: "BODY", Taken: true, Reply: "250 taken", Close: true}, true, false, ""},
		{"it says 250 and forgets the end of a session", mailtest.Fault{At: "RSET", Close: true}, true, false, ""},
		{"it does not say goodbye", mailtest.Fault{At: "QUIT", Close: true}, true, false, ""},
		{"a line has no end", mailtest.Fault{At: "RCPT", Flood: true}, false, false, "before it had taken"},
		{"a reply is no reply", mailtest.Fault{At: "RCPT", Reply: "yes"}, false, false, "before it had taken"},
		{"a reply has other lines in it", mailtest.Fault{At: "RCPT", Reply: "550-a\r\n550-b\r\n550 c"}, false, true, "refused it for good (550)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mailtest.New(t, mailtest.Config{})
			s.Break(tt.fault)
			err := senderTo(t, s, nil).send(t.Context(), hello("zoe@example.com"))
			if tt.taken {
				if err != nil {
					t.Errorf("got %s, want that it was taken", detail(err))
				}
				return
			}
			var p *Problem
			if !errors.As(err, &p) {
				t.Fatalf("got %v, want a *Problem", err)
			}
			if p.Final != tt.final || !strings.Contains(p.Text, tt.says) || strings.ContainsAny(p.Text+p.Detail, "\r\n") || len(p.Detail) > 4*maxDetail {
				t.Errorf("got final %t: %s; want %t and %q", p.Final, detail(err), tt.final, tt.says)
			}
		})
	}
}

func TestASilentMailServerIsGivenUpOn(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"CONNECT", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "BODY"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s := mailtest.New(t, mailtest.Config{})
			s.Break(mailtest.Fault{At: at, Hang: true})
			err := senderTo(t, s, func(c *Config) { c.Timeout = 300 * time.Millisecond }).send(t.Context(), hello("zoe@example.com"))
			var p *Problem
			if !errors.As(err, &p) || p.Final {
				t.Errorf("got %v, want a problem that passes", err)
			}
		})
	}
}

func TestSendingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := mailtest.New(t, mailtest.Config{})
	s.Break(mailtest.Fault{At: "BODY", Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- senderTo(t, s, func(c *Config) { c.Timeout = time.Hour }).send(ctx, hello("zoe@example.com"))
	}()
	for s.Connections() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("it was sent")
	}
}

func TestTLSIsNotGivenUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		server mailtest.Config
		change func(*Config)
		says   string
	}{
		{"no STARTTLS is offered", mailtest.Config{NoTLS: true}, nil, "cannot be reached"},
		{"nobody trusts the certificate", mailtest.Config{}, func(c *Config) { c.Roots = nil }, "certificate"},
		{"nobody trusts the certificate, from the first byte on", mailtest.Config{TLS: true}, func(c *Config) { c.Roots, c.TLS = nil, TLS }, "certificate"},
		{"the certificate is for another host", mailtest.Config{}, func(c *Config) {
			c.Server = strings.Replace(c.Server, "127.0.0.1", "mail.example", 1)
			c.Resolver = names{"mail.example.": netip.MustParseAddr("127.0.0.1")}
		}, "certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mailtest.New(t, tt.server)
			err := senderTo(t, s, tt.change).send(t.Context(), hello("zoe@example.com"))
			if err == nil || !strings.Contains(err.Error(), tt.says) || len(s.Mails()) != 0 {
				t.Errorf("got %s and %d mails, want none because of %q", detail(err), len(s.Mails()), tt.says)
			}
		})
	}
}

// names resolves host names.
type names map[string]netip.Addr

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if a, ok := n[host]; ok {
		return []netip.Addr{a}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func TestAMailServerAtAForbiddenAddressIsNotCalled(t *testing.T) {
	t.Parallel()
	s := mailtest.New(t, mailtest.Config{})
	for _, forbidden := range []string{"169.254.169.254", "224.0.0.1", "0.0.0.0", "fd00:ec2::254"} {
		err := senderTo(t, s, func(c *Config) {
			c.Server = strings.Replace(c.Server, "127.0.0.1", "mail.example", 1)
			c.Resolver = names{"mail.example.": netip.MustParseAddr(forbidden)}
		}).Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), "may not call") || strings.Contains(err.Error(), forbidden) {
			t.Errorf("%s: got %v, want that it may not be called", forbidden, err)
		}
	}
	if n := s.Connections(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestAWrongPasswordIsToldWithoutIt(t *testing.T) {
	t.Parallel()
	s := mailtest.New(t, mailtest.Config{User: "hooks", Password: "another"})
	err := senderTo(t, s, func(c *Config) { c.User, c.Password = "hooks", password }).Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "user name and password") || !strings.Contains(detail(err), "535") {
		t.Errorf("got %s", detail(err))
	}
	for _, secret := range []string{password, "AGhvb2tz", "Y2FuYXJ5"} { // in the plain and as base64, which the server repeats
		if strings.Contains(detail(err), secret) {
			t.Errorf("it tells %s: %s", secret, detail(err))
		}
	}
}

func TestNoAddressGetsIntoAnotherCommand(t *testing.T) {
	t.Parallel()
	s := mailtest.New(t, mailtest.Config{})
	sender := senderTo(t, s, nil)
	for _, to := range []string{
		"", "nobody", "zoe@example.com\r\nRCPT TO:<eve@example.com>", "zoe@example.com>\r\nDATA", "zoe@example.com, eve@example.com", "\"a\r\nb\"@example.com", "zoe@exa\x00mple.com",
	} {
		if err := sender.send(t.Context(), hello(to)); err == nil {
			t.Errorf("%q was sent to", to)
		}
	}
	if got := s.Mails(); len(got) != 0 {
		t.Errorf("%d mails arrived: %+v", len(got), got)
	}
}
