package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/internal/mail"
)

// Mail says by which server people are told by mail. Without a Server they are told nothing.
type Mail struct {
	Server   string // HOST:PORT
	User     string // "" = the server asks for none
	Password string
	TLS      string // starttls, tls or none; "" = starttls
	From     string // the address that mails come from
}

// Check says what is missing, or does not go together, in the words of the settings.
func (m Mail) Check() error {
	switch {
	case m.Server == "" && (m.User != "" || m.Password != "" || m.From != ""):
		return errors.New("--smtp is missing: without the HOST:PORT of a mail server the other settings of mail mean nothing")
	case m.Server == "":
		return nil
	case m.From == "":
		return errors.New("--mail-from is missing: the address that mails come from, such as webhooks@example.com")
	case m.User == "" && m.Password != "":
		return errors.New("--smtp-user is missing: there is a password and nobody whose it is")
	case m.User != "" && m.Password == "":
		return errors.New("the password of --smtp-user is missing: set COMPLIANCELAYER_SMTP_PASSWORD in the environment")
	}
	_, err := mail.NewSender(mail.Config{Policy: &egress.Policy{}, Server: m.Server, TLS: m.TLS, User: m.User, Password: m.Password, From: m.From})
	return err
}

// sender makes the way to the mail server; nil when there is none.
func (a *App) sender(policy *egress.Policy) (*mail.Sender, error) {
	if err := a.cfg.Mail.Check(); err != nil || a.cfg.Mail.Server == "" {
		return nil, err
	}
	return mail.NewSender(a.cfg.Mail.config(policy, a.PublicURL))
}

func (m Mail) config(policy *egress.Policy, publicURL func() string) mail.Config {
	return mail.Config{
		Policy: policy, Server: m.Server, TLS: m.TLS, User: m.User, Password: m.Password, From: m.From, PublicURL: publicURL,
	}
}

// ExamineMail asks the mail server of a configuration whether it answers, with TLS and password as set.
// It sends nothing. The error has what an operator wants to know.
func ExamineMail(ctx context.Context, cfg Config) error {
	policy, err := egress.NewPolicy(egress.Config{NAT64Decode: cfg.NAT64Decode})
	if err != nil {
		return err
	}
	sender, err := mail.NewSender(cfg.Mail.config(policy, nil))
	if err != nil {
		return err
	}
	var p *mail.Problem
	if err := sender.Check(ctx); errors.As(err, &p) {
		return fmt.Errorf("%s (%s)", p.Text, p.Detail)
	}
	return nil
}
