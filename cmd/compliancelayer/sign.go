package main

import (
	"strconv"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// signingSecret is the secret of commands whose standard input is a body.
type signingSecret struct {
	Secret string `setting:"" help:"The signing secret, whsec_ and more. Set it in the environment: a command line can be seen by others on this machine." placeholder:"WHSEC"`
}

// parse reads the secret, for one that must be there.
func (s signingSecret) parse() (webhook.Secret, error) {
	if s.Secret == "" {
		return webhook.Secret{}, withHint(misuse("there is no secret"), "export COMPLIANCELAYER_SECRET=whsec_...")
	}
	secret, err := webhook.ParseSecret(s.Secret)
	if err != nil {
		return secret, withHint(asUsage(err), "export COMPLIANCELAYER_SECRET=whsec_...   (the whole text, as it was shown when it was made)")
	}
	return secret, nil
}

// signCmd signs standard input.
type signCmd struct {
	signingSecret
	WebhookID string `name:"id" help:"Make a webhook-signature (Standard Webhooks) for this webhook-id; left out, the value of X-ComplianceLayer-Signature."`
	Timestamp string `help:"Its webhook-timestamp, in unix seconds; left out, now."`
	output
}

// Help shows how it is used.
func (s *signCmd) Help() string {
	return `For example:

    compliancelayer sign < body.json
    compliancelayer sign --id 550e8400-e29b-41d4-a716-446655440000 --timestamp 1772973296 < body.json

The body is signed byte for byte: a line break at its end counts.`
}

// signature is what sign made.
type signature struct {
	Scheme    webhook.Scheme `json:"scheme"`
	Signature string         `json:"signature"`
	ID        string         `json:"webhook_id,omitempty"`
	Timestamp string         `json:"webhook_timestamp,omitempty"`
}

// Run prints the signature.
func (s *signCmd) Run(c *console) error {
	secret, err := s.parse()
	if err != nil {
		return err
	}
	at, err := s.at(time.Now())
	if err != nil {
		return err
	}
	body, err := c.readAll("-")
	if err != nil {
		return err
	}
	made := s.sign(secret, body, at)
	return printOne(c, s.JSON, made, func() {
		c.say("%s", made.Signature)
		if made.Timestamp != "" && s.Timestamp == "" {
			c.note("webhook-timestamp: %s", made.Timestamp)
		}
	})
}

// at gives the time to sign for.
func (s *signCmd) at(now time.Time) (time.Time, error) {
	if s.Timestamp == "" {
		return now, nil
	}
	seconds, err := strconv.ParseInt(s.Timestamp, 10, 64)
	if err != nil || seconds < 0 {
		return now, misuse("--timestamp: %q is not whole unix seconds", s.Timestamp)
	}
	return time.Unix(seconds, 0), nil
}

func (s *signCmd) sign(secret webhook.Secret, body []byte, at time.Time) signature {
	if s.WebhookID == "" {
		return signature{Scheme: webhook.SchemeSimple, Signature: webhook.Sign(secret, body)}
	}
	return signature{
		Scheme: webhook.SchemeStandard, Signature: webhook.SignStandard(secret, s.WebhookID, at, body),
		ID: s.WebhookID, Timestamp: strconv.FormatInt(at.Unix(), 10),
	}
}
