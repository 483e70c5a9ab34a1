package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/compliancelayer/compliancelayer/internal/egress"
)

// session is one with the mail server that has answered, and knows who we are.
type session struct {
	*smtp.Client
	patience time.Duration
	over     *time.Timer // ends it
}

// allow gives the session so much time from now on.
func (x *session) allow(d time.Duration) {
	x.over.Reset(d)
	_ = x.UpdateDeadline(d) // a connection that cannot take it answers nothing either
}

// The steps of a mail.
const (
	stepFrom = "MAIL"
	stepTo   = "RCPT"
	stepData = "DATA"
	stepEnd  = "end of data"
)

// send does the steps itself: only so it is known before which of them nothing can have arrived, and after
// which nobody knows.
func (x *session) send(ctx context.Context, msg *gomail.Msg, hand func(context.Context) error) error {
	from, err := msg.GetSender(false)
	if err != nil {
		return refusal(stepFrom, err)
	}
	to, err := msg.GetRecipients()
	if err != nil {
		return refusal(stepFrom, err)
	}
	if err := x.Mail(from); err != nil {
		return refusal(stepFrom, err)
	}
	for _, one := range to {
		if err := x.Rcpt(one); err != nil {
			return refusal(stepTo, err)
		}
	}
	if err := hand(ctx); err != nil {
		return err
	}
	body, err := x.Data()
	if err != nil {
		return refusal(stepData, err)
	}
	if _, err := msg.WriteTo(body); err != nil {
		return refusal(stepData, err)
	}
	x.allow(x.patience)
	if err := body.Close(); err != nil {
		return refusal(stepEnd, err)
	}
	return nil
}

// Problem is why a mail was not sent.
type Problem struct {
	Text    string // for whoever the mail is of, in plain words
	Final   bool   // trying again would only repeat it
	Letter  bool   // it is about this mail or its address: others may get through
	Unknown bool   // the mail server may have taken the mail
	Detail  string // for operators; never a password

	reply bool // the mail server said so, and the session goes on
}

// Error gives the plain words.
func (p *Problem) Error() string { return p.Text }

// isReply reports a problem that leaves the session in order.
func isReply(err error) bool {
	var p *Problem
	return errors.As(err, &p) && p.reply
}

// maxDetail bounds what a log says of a problem, in characters.
const maxDetail = 500

// theirMailbox are the refusals that speak about the mailbox of the recipient, by RFC 3463 and RFC 7505: there is no
// such mailbox (5.1.1), system (5.1.2) or address (5.1.3), it has moved (5.1.6), its domain takes no mail
// (5.1.10), it is disabled (5.2.1). All else is about the sender, the relay, its policy or the text, which
// somebody may set right; so may be a bare 550, which by RFC 5321 means "not found" and "for policy reasons" alike.
var theirMailbox = map[string]bool{"5.1.1": true, "5.1.2": true, "5.1.3": true, "5.1.6": true, "5.1.10": true, "5.2.1": true}

// enhancedCode is what RFC 2034 puts before the text of a reply.
var enhancedCode = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}\b`)

// codeClosing is the reply of a mail server that ends the session, whatever it was asked.
const codeClosing = 421

// refusal puts what the mail server said at a step, or did not say, into words. Its own words are for
// operators: they name machines of theirs.
func refusal(step string, err error) *Problem {
	p := &Problem{Detail: line(step+": "+err.Error(), maxDetail)}
	var reply *textproto.Error
	if !errors.As(err, &reply) || reply.Code < 400 {
		if p.Unknown = step == stepEnd; p.Unknown {
			p.Text, p.Letter = "The mail server was given the mail and did not say whether it took it.", true
			return p
		}
		p.Text = "The connection to the mail server ended before it had taken the mail."
		return p
	}
	enhanced := enhancedCode.FindString(reply.Msg)
	code := fmt.Sprint(reply.Code)
	if enhanced != "" {
		code += " " + enhanced
	}
	p.reply = reply.Code != codeClosing
	p.Letter = p.reply && step != stepFrom
	switch {
	case reply.Code < 500:
		p.Text = fmt.Sprintf("The mail server asks to try again later (%s).", code)
	case !p.Letter:
		p.Text = fmt.Sprintf("The mail server takes no mail from this server (%s).", code)
	case theirMailbox[enhanced]:
		p.Text, p.Final = fmt.Sprintf("The mail server refused it for good (%s). Check the address.", code), true
	default:
		p.Text = fmt.Sprintf("The mail server refused it (%s): the address, the text, or mail from this server.", code)
	}
	return p
}

// problemOf puts into words why there is no session.
func problemOf(err error) *Problem {
	p := &Problem{Text: "The mail server cannot be reached, or does not answer as it should.", Detail: line(err.Error(), maxDetail)}
	var reply *textproto.Error
	var denied *egress.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case strings.Contains(err.Error(), "SMTP AUTH"):
		p.Text, p.Detail = "The mail server does not take this server's user name and password.", "signing in was refused" // its reply may repeat the password
		if errors.As(err, &reply) {
			p.Detail = fmt.Sprintf("signing in was refused with %d", reply.Code)
		}
	case errors.As(err, &denied):
		p.Text, p.Detail = "The mail server is at an address that this server may not call.", line(denied.Detail, maxDetail)
	case errors.As(err, &certificate):
		p.Text = "The mail server's certificate is not one that this server trusts."
	}
	return p
}
