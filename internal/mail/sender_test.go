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

// unasked lets every mail be handed over.
func unasked(context.Context) error { return nil }

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
			if err := sender.send(t.Context(), hello("zoe@example.com"), unasked); err != nil {
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

// What became of a mail, in tests.
const (
	taken   = "taken"
	final   = "final"   // for good
	letter  = "letter"  // this one passes, others may go
	server  = "server"  // so it would be with others
	unknown = "unknown" // it may have arrived
)

func became(err error) string {
	var p *Problem
	switch {
	case err == nil:
		return taken
	case !errors.As(err, &p):
		return err.Error()
	case p.Final && p.Letter:
		return final
	case p.Unknown && p.Letter:
		return unknown
	case p.Letter:
		return letter
	}
	return server
}

func TestWhatAMailServerCanDoToUs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault mailtest.Fault
		want  string
		says  string
	}{
		{"it is busy", mailtest.Fault{At: "CONNECT", Reply: "421 later", Close: true}, server, "cannot be reached"},
		{"it closes at once", mailtest.Fault{At: "CONNECT", Close: true}, server, "cannot be reached"},
		{"it speaks another protocol", mailtest.Fault{At: "CONNECT", Reply: "SSH-2.0-OpenSSH_9.9", Close: true}, server, "cannot be reached"},
		{"its greeting has no end", mailtest.Fault{At: "CONNECT", Flood: true}, server, "cannot be reached"},
		{"it refuses TLS", mailtest.Fault{At: "STARTTLS", Reply: "454 no"}, server, "cannot be reached"},
		{"it answers in the plain where TLS should begin", mailtest.Fault{At: "STARTTLS", Reply: "220 go on\r\n250 ok"}, server, "cannot be reached"},
		{"it takes no mail from us", mailtest.Fault{At: "MAIL", Reply: "550 5.7.1 not you"}, server, "takes no mail from this server (550 5.7.1)"},
		{"the sender is unknown, and the code is that of a recipient", mailtest.Fault{At: "MAIL", Reply: "550 5.1.1 who are you"}, server, "takes no mail from this server (550 5.1.1)"},
		{"it puts the sender off", mailtest.Fault{At: "MAIL", Reply: "451 4.3.0 later"}, server, "try again later (451 4.3.0)"},
		{"there is no such user", mailtest.Fault{At: "RCPT", Reply: "550 5.1.1 no such user"}, final, "refused it for good (550 5.1.1)"},
		{"there is no such domain", mailtest.Fault{At: "RCPT", Reply: "550 5.1.2 no such domain"}, final, "for good (550 5.1.2)"},
		{"it is no address", mailtest.Fault{At: "RCPT", Reply: "553 5.1.3 bad address"}, final, "for good (553 5.1.3)"},
		{"the mailbox has moved", mailtest.Fault{At: "RCPT", Reply: "551 5.1.6 moved"}, final, "for good (551 5.1.6)"},
		{"the domain takes no mail", mailtest.Fault{At: "RCPT", Reply: "556 5.1.10 null MX"}, final, "for good (556 5.1.10)"},
		{"the mailbox is disabled", mailtest.Fault{At: "RCPT", Reply: "550 5.2.1 disabled"}, final, "for good (550 5.2.1)"},
		{"there is no such user, after the mail", mailtest.Fault{At: "BODY", Reply: "550 5.1.1 no such user"}, final, "for good (550 5.1.1)"},
		{"it does not relay", mailtest.Fault{At: "RCPT", Reply: "554 5.7.1 relay access denied"}, letter, "refused it (554 5.7.1)"},
		{"it does not know the sender's mailbox", mailtest.Fault{At: "RCPT", Reply: "550 5.1.7 sender"}, letter, "refused it (550 5.1.7)"},
		{"it does not know the sender's domain", mailtest.Fault{At: "RCPT", Reply: "550 5.1.8 sender"}, letter, "refused it (550 5.1.8)"},
		{"it refuses, and says no more", mailtest.Fault{At: "RCPT", Reply: "550 no"}, letter, "refused it (550)"},
		{"it names a code elsewhere in its text", mailtest.Fault{At: "RCPT", Reply: "550 blocked, not 5.1.1"}, letter, "refused it (550)"},
		{"the mailbox is full", mailtest.Fault{At: "RCPT", Reply: "552 5.2.2 full"}, letter, "refused it (552 5.2.2)"},
		{"it puts the address off", mailtest.Fault{At: "RCPT", Reply: "451 4.7.1 greylisted"}, letter, "try again later (451 4.7.1)"},
		{"it goes down", mailtest.Fault{At: "RCPT", Reply: "421 4.3.2 shutting down", Close: true}, server, "try again later (421 4.3.2)"},
		{"it refuses data", mailtest.Fault{At: "DATA", Reply: "554 no"}, letter, "refused it (554)"},
		{"it refuses the mail", mailtest.Fault{At: "BODY", Reply: "554 5.7.1 looks like spam"}, letter, "refused it (554 5.7.1)"},
		{"it puts the mail off", mailtest.Fault{At: "BODY", Reply: "452 full"}, letter, "try again later (452)"},
		{"it closes before the mail", mailtest.Fault{At: "DATA", Close: true}, server, "before it had taken"},
		{"it closes after the mail", mailtest.Fault{At: "BODY", Close: true}, unknown, "did not say whether it took it"},
		{"it closes after it took the mail", mailtest.Fault{At: "BODY", Taken: true, Close: true}, unknown, "did not say whether it took it"},
		{"its answer to the mail is none", mailtest.Fault{At: "BODY", Taken: true, Reply: "fine"}, unknown, "did not say whether it took it"},
		{"its answer to the mail has no end", mailtest.Fault{At: "BODY", Flood: true}, unknown, "did not say whether it took it"},
		{"it says 250 and closes", mailtest.Fault{At: "BODY", Taken: true, Reply: "250 taken", Close: true}, taken, ""},
		{"it does not say goodbye", mailtest.Fault{At: "QUIT", Close: true}, taken, ""},
		{"a line has no end", mailtest.Fault{At: "RCPT", Flood: true}, server, "before it had taken"},
		{"a reply is no reply", mailtest.Fault{At: "RCPT", Reply: "yes"}, server, "before it had taken"},
		{"a reply has other lines in it", mailtest.Fault{At: "RCPT", Reply: "550-5.1.1 a\r\n550-5.1.1 b\r\n550 5.1.1 c"}, final, "refused it for good (550 5.1.1)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mailtest.New(t, mailtest.Config{})
			s.Break(tt.fault)
			err := senderTo(t, s, nil).send(t.Context(), hello("zoe@example.com"), unasked)
			if got := became(err); got != tt.want {
				t.Fatalf("it is %s: %s; want %s", got, detail(err), tt.want)
			}
			var p *Problem
			if errors.As(err, &p) && (!strings.Contains(p.Text, tt.says) || strings.ContainsAny(p.Text+p.Detail, "\r\n") || len(p.Detail) > 4*maxDetail) {
				t.Errorf("got %s; want %q", detail(err), tt.says)
			}
		})
	}
}

// The mail server gets nothing of a mail that another node has.
func TestAMailIsHandedOverBeforeTheServerMayHaveIt(t *testing.T) {
	t.Parallel()
	s := mailtest.New(t, mailtest.Config{})
	sender := senderTo(t, s, nil)
	taken := errors.New("another node has it")
	if err := sender.send(t.Context(), hello("zoe@example.com"), func(context.Context) error { return taken }); !errors.Is(err, taken) {
		t.Errorf("got %v, want what the handing over answered", err)
	}
	if got := s.Mails(); len(got) != 0 {
		t.Errorf("%d mails arrived", len(got))
	}
	handed := 0
	hand := func(context.Context) error { handed++; return nil }
	s.Break(mailtest.Fault{At: "RCPT", Reply: "451 later"})
	if err := sender.send(t.Context(), hello("zoe@example.com"), hand); err == nil || handed != 0 {
		t.Errorf("%v, handed over %d times before the address was taken", err, handed)
	}
	s.Break(mailtest.Fault{})
	if err := sender.send(t.Context(), hello("zoe@example.com"), hand); err != nil || handed != 1 {
		t.Errorf("%v, handed over %d times, want once", err, handed)
	}
}

// The answer after the end of a mail has a time of its own.
func TestASilentMailServerIsGivenUpOn(t *testing.T) {
	t.Parallel()
	const short = 300 * time.Millisecond
	for at, want := range map[string]string{
		"CONNECT": server, "EHLO": server, "STARTTLS": server, "MAIL": server, "RCPT": server, "DATA": server, "BODY": unknown,
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s := mailtest.New(t, mailtest.Config{})
			s.Break(mailtest.Fault{At: at, Hang: true})
			err := senderTo(t, s, func(c *Config) {
				if c.Timeout = short; at == "BODY" {
					c.Timeout, c.Patience = time.Hour, short
				}
			}).send(t.Context(), hello("zoe@example.com"), unasked)
			if got := became(err); got != want {
				t.Errorf("it is %s: %v; want %s", got, err, want)
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
		ended <- senderTo(t, s, func(c *Config) { c.Timeout = time.Hour }).send(ctx, hello("zoe@example.com"), unasked)
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
			err := senderTo(t, s, tt.change).send(t.Context(), hello("zoe@example.com"), unasked)
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
		if err := sender.send(t.Context(), hello(to), unasked); err == nil {
			t.Errorf("%q was sent to", to)
		}
	}
	if got := s.Mails(); len(got) != 0 {
		t.Errorf("%d mails arrived: %+v", len(got), got)
	}
}
