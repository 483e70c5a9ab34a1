package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// verifyCmd verifies the signature of standard input.
type verifyCmd struct {
	signingSecret
	Signature string `help:"The value of X-ComplianceLayer-Signature; or with --id and --timestamp that of webhook-signature." required:""`
	WebhookID string `name:"id" help:"The webhook-id of the request."`
	Timestamp string `help:"The webhook-timestamp of the request."`
	output
}

// Help shows how it is used.
func (v *verifyCmd) Help() string {
	return `For example:

    compliancelayer verify --signature 5257a8... < body.json
    compliancelayer verify --signature 'v1,K5oZ...' --id 550e8400-... --timestamp 1772973296 < body.json

The body must be what arrived, byte for byte. A wrong signature is looked at for the usual mistakes.`
}

// verdict is what verify found.
type verdict struct {
	Match    bool   `json:"match"`    // the signature is right
	Accepted bool   `json:"accepted"` // and its time is one that a receiver accepts now
	Message  string `json:"message"`
}

// Run verifies; the exit status says whether a receiver would accept the request now.
func (v *verifyCmd) Run(c *console) error {
	if (v.WebhookID == "") != (v.Timestamp == "") {
		return misuse("--id and --timestamp belong together: a webhook-signature covers both")
	}
	secret, err := v.parse()
	if err != nil {
		return err
	}
	body, err := c.readAll("-")
	if err != nil {
		return err
	}
	found := v.look(secret, body, time.Now())
	if err := printOne(c, v.JSON, found, func() { c.say("%s %s", c.mark(found.Accepted), found.Message) }); err != nil {
		return err
	}
	if !found.Match {
		return withHint(errors.New("the signature does not match"), "%s endpoints secret check ENDPOINT --signature ...   (asks the server, which knows all of its secrets)", programName)
	}
	if !found.Accepted {
		return withHint(errors.New("a receiver would refuse this request because of its time"), "%s deliveries list --event %s   (every attempt of \"deliveries retry\" is signed with its own time)", programName, v.WebhookID)
	}
	return nil
}

func (v *verifyCmd) look(secret webhook.Secret, body []byte, now time.Time) verdict {
	if v.Timestamp == "" {
		_, err := webhook.VerifySimple(body, v.Signature, secret)
		return verdict{err == nil, err == nil, webhook.Diagnose(secret, body, v.Signature)}
	}
	seconds, err := strconv.ParseInt(v.Timestamp, 10, 64)
	if err != nil {
		return verdict{Message: "The timestamp is not whole unix seconds."}
	}
	headers := http.Header{}
	headers.Set(webhook.StandardSignatureHeader, v.Signature)
	headers.Set(webhook.IDHeader, v.WebhookID)
	headers.Set(webhook.TimestampHeader, v.Timestamp)
	at := time.Unix(seconds, 0)
	// Judged at its own time: whoever looks at a request by hand does so later.
	if _, err := webhook.Verify(headers, body, at, 0, secret); err != nil {
		return verdict{Message: whyNot(err, webhook.DiagnoseStandard(secret, v.WebhookID, v.Timestamp, body, v.Signature))}
	}
	if age := now.Sub(at); age.Abs() > webhook.DefaultTolerance {
		return verdict{Match: true, Message: fmt.Sprintf("The signature matches, but it was made %s: a receiver refuses what is more than %s away.", relative(age), webhook.DefaultTolerance)}
	}
	return verdict{Match: true, Accepted: true, Message: "The signature matches."}
}

// relative writes how long ago something was, in days when that is long.
func relative(age time.Duration) string {
	const day = 24 * time.Hour
	length := age.Abs().Round(time.Second).String()
	if age.Abs() >= 2*day {
		length = fmt.Sprintf("%d days", age.Abs()/day)
	}
	if age < 0 {
		return length + " in the future"
	}
	return length + " ago"
}

// whyNot chooses between an error and the diagnosis: where the mathematics are
// right, it is something else in the request that is wrong.
func whyNot(err error, diagnosis string) string {
	if errors.Is(err, webhook.ErrMismatch) {
		return diagnosis
	}
	return err.Error()
}
