package main

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
)

// secretCmd groups what concerns an endpoint's signing secrets.
type secretCmd struct {
	Prepare secretPrepareCmd `cmd:"" help:"Make the next secret and print it, once; both sign webhook-signature from now on."`
	Promote secretPromoteCmd `cmd:"" help:"Make the prepared secret the current one."`
	Rotate  secretRotateCmd  `cmd:"" help:"Prepare and promote in one step; prints the new secret, once."`
	Check   secretCheckCmd   `cmd:"" help:"Find out which secret a text or a signature belongs to, or which mistake it looks like."`
}

type secretPrepareCmd struct {
	remote
	ID string `arg:"" help:"The endpoint."`
}

// Run prepares a secret.
func (s *secretPrepareCmd) Run(ctx context.Context, c *console) error {
	return askID(ctx, c, &s.remote, (*client.Client).PrepareSecret, s.ID, func(c *console, made client.NewSecret) {
		showSecret(c, made)
		c.note("Give it to the receiver beside the old one. Then: compliancelayer endpoints secret promote %s", s.ID)
	})
}

// overlap is how long a replaced secret goes on signing.
type overlap struct {
	Overlap span `help:"How long the old secret goes on signing webhook-signature, 0s to 7d; 0s = it is compromised, stop now." default:"24h"`
}

func (o overlap) wire() client.Overlap {
	return client.Overlap{Overlap: time.Duration(o.Overlap).String()}
}

// note says what the receiver gets from now on.
func (o overlap) note(c *console) {
	if o.Overlap == 0 {
		c.note("No other secret signs any more: give the receiver this one now, it refuses everything until then.")
		return
	}
	c.note("The secret that it replaced goes on signing webhook-signature for %s; X-ComplianceLayer-Signature is made with the new one alone from now on.", time.Duration(o.Overlap))
}

type secretPromoteCmd struct {
	remote
	overlap
	ID string `arg:"" help:"The endpoint."`
}

// Run promotes the prepared secret.
func (s *secretPromoteCmd) Run(ctx context.Context, c *console) error {
	return ask(c, &s.remote, func(cl *client.Client) (client.SecretInfo, error) {
		info, err := cl.PromoteSecret(ctx, s.ID, s.wire())
		if isConflict(err) {
			err = withHint(err, "%s endpoints secret prepare %s   (then give the receiver that one, then promote it)", programName, s.ID)
		}
		return info, err
	}, func(c *console, info client.SecretInfo) {
		c.say("%s is the current secret now", info.Fingerprint)
		s.note(c)
	})
}

type secretRotateCmd struct {
	remote
	overlap
	ID string `arg:"" help:"The endpoint."`
}

// Run rotates the secret.
func (s *secretRotateCmd) Run(ctx context.Context, c *console) error {
	return ask(c, &s.remote, func(cl *client.Client) (client.NewSecret, error) {
		return cl.RotateSecret(ctx, s.ID, s.wire())
	}, func(c *console, made client.NewSecret) {
		showSecret(c, made)
		s.note(c)
	})
}

func showSecret(c *console, s client.NewSecret) {
	c.details(field{"secret", s.Secret}, field{"fingerprint", s.Fingerprint}, field{"role", s.Role})
	c.note("The secret is shown here and never again.")
}

type secretCheckCmd struct {
	remote
	ID        string `arg:"" help:"The endpoint."`
	Secret    string `setting:"" help:"The secret to look for, best set in the environment; without it and without --signature it is the first line of standard input." placeholder:"WHSEC"`
	Signature string `help:"A signature that came with a request; the body of the request is then standard input."`
	WebhookID string `name:"id" help:"The webhook-id of the request, for a webhook-signature."`
	Timestamp string `help:"The webhook-timestamp of the request, for a webhook-signature."`
}

// Help says how to use it.
func (s *secretCheckCmd) Help() string {
	return `Is this the secret?

    compliancelayer endpoints secret check ep_123 < secret.txt

Why does this signature not match?

    compliancelayer endpoints secret check ep_123 --signature 5257a8... < body.json`
}

// Run asks the server, which knows the secrets; the answer holds none.
func (s *secretCheckCmd) Run(ctx context.Context, c *console) error {
	question, err := s.question(c)
	if err != nil {
		return err
	}
	cl, err := s.dial(c)
	if err != nil {
		return err
	}
	answer, err := cl.CheckSecret(ctx, s.ID, question)
	if err != nil {
		return err
	}
	if err := printOne(c, s.JSON, answer, func() { c.say("%s %s", c.mark(answer.Match), answer.Message) }); err != nil {
		return err
	}
	if !answer.Match {
		return withHint(errors.New("no match"), "%s endpoints get %s   (lists the fingerprints)", programName, s.ID)
	}
	return nil
}

func (s *secretCheckCmd) question(c *console) (client.CheckSecret, error) {
	if s.Signature != "" {
		body, err := c.readAll("-")
		return client.CheckSecret{
			BodyBase64: base64.StdEncoding.EncodeToString(body), Signature: s.Signature, ID: s.WebhookID, Timestamp: s.Timestamp,
		}, err
	}
	text := s.Secret
	if text == "" {
		text = "-"
	}
	secret, err := c.secret(text)
	if err == nil && secret == "" {
		err = misuse("there is no secret: set COMPLIANCELAYER_SECRET, or write it to standard input")
	}
	return client.CheckSecret{Secret: secret}, err
}
