package manage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/dispatch"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// CheckSecret asks either whether a text is one of the endpoint's secrets or what
// is the matter with a signature.
type CheckSecret struct {
	EndpointID string
	Secret     string // the text to look for, or
	Body       []byte // the body that was received and
	Signature  string // the signature that came with it
	WebhookID  string // the webhook-id and the
	Timestamp  string // webhook-timestamp that came with it; only for a value of webhook-signature
}

// freeBody is how long a body is looked into at once: 3 ms a secret. The longest take 50 ms.
const freeBody = 16 << 10

// CheckedSecret says what was found.
type CheckedSecret struct {
	Match       bool
	Role        store.Role // of the secret that matches; "" when none does
	Fingerprint string     // of it
	Message     string     // plain words: what matches, or which mistake it looks like and what to do
}

// CheckSecret says which of an endpoint's live secrets a text is, or with which one
// a signature was made, or which mistake it looks like. The answer holds no secret
// and no right signature.
func (m *Manager) CheckSecret(ctx context.Context, caller auth.Caller, in CheckSecret) (CheckedSecret, error) {
	return look(ctx, caller, auth.Read, func(ctx context.Context) (CheckedSecret, error) {
		if err := in.check(); err != nil {
			return CheckedSecret{}, err
		}
		live, err := m.open(ctx, caller.AccountID, in.EndpointID)
		if err != nil {
			return CheckedSecret{}, err
		}
		if in.Secret != "" {
			return checkText(live, in.Secret), nil
		}
		if len(in.Body) > freeBody {
			if err := m.turns.Take(ctx); err != nil {
				return CheckedSecret{}, err
			}
			defer m.turns.Give()
		}
		return in.checkSignature(live), nil
	})
}

// check refuses a question that is none, or two.
func (in CheckSecret) check() error {
	var wrong mistakes
	switch signature := in.Signature != "" || len(in.Body) > 0; {
	case in.Secret != "" && signature:
		wrong.add("secret", "send either secret, or body and signature")
	case in.Secret == "" && !signature:
		wrong.add("secret", "send secret, or body and signature")
	case in.Secret == "" && in.Signature == "":
		wrong.add("signature", "is missing: send the value of X-ComplianceLayer-Signature")
	}
	return wrong.err()
}

// opened is a live secret, unsealed.
type opened struct {
	row    store.Secret
	secret webhook.Secret
}

// open unseals an endpoint's live secrets, the one in use first.
func (m *Manager) open(ctx context.Context, accountID, endpointID string) ([]opened, error) {
	rows, err := m.live(ctx, accountID, endpointID)
	if err != nil {
		return nil, err
	}
	live := make([]opened, len(rows))
	for i, row := range rows {
		text, err := m.box.Open(dispatch.SecretPurpose, accountID, row.ID, row.Sealed)
		if err != nil {
			return nil, fmt.Errorf("open secret %s: %w", row.ID, err)
		}
		secret, err := webhook.ParseSecret(string(text))
		if err != nil {
			return nil, fmt.Errorf("read secret %s: %w", row.ID, err)
		}
		live[i] = opened{row: row, secret: secret}
	}
	return live, nil
}

// checkText looks for a text among the secrets, also for one that was copied with
// something around it.
func checkText(live []opened, text string) CheckedSecret {
	secret, err := webhook.ParseSecret(text)
	if err == nil {
		for _, o := range live {
			if o.secret.Equal(secret) {
				return o.matches("This is " + o.described() + ".")
			}
		}
		return CheckedSecret{Message: fmt.Sprintf("This is none of the endpoint's secrets: its fingerprint is %s, theirs are %s. It may belong to another endpoint, or have been replaced.", secret.Fingerprint(), fingerprints(live))}
	}
	cleaned := strings.Trim(text, " \t\r\n\"'`")
	if secret, cleanedErr := webhook.ParseSecret(cleaned); cleanedErr == nil {
		for _, o := range live {
			if o.secret.Equal(secret) {
				return CheckedSecret{Message: "This is " + o.described() + ", but with white space or quotation marks around it: remove them."}
			}
		}
	}
	problem := strings.TrimPrefix(err.Error(), webhook.ErrBadSecret.Error()+": ")
	return CheckedSecret{Message: fmt.Sprintf("This is not a signing secret: %s. Copy it whole, from whsec_ to its end.", problem)}
}

// checkSignature looks for the secret that a signature was made with.
func (in CheckSecret) checkSignature(live []opened) CheckedSecret {
	answer := ""
	for _, o := range live {
		message, ok := in.diagnose(o.secret)
		if ok {
			return o.matches("The signature matches: it was made with " + o.described() + ".")
		}
		if answer == "" || nearMiss(message) && !nearMiss(answer) {
			answer = message
		}
	}
	return CheckedSecret{Message: answer}
}

// diagnose says how a signature relates to one secret.
func (in CheckSecret) diagnose(secret webhook.Secret) (message string, ok bool) {
	const matches = "The signature matches."
	if in.WebhookID != "" || in.Timestamp != "" {
		message = webhook.DiagnoseStandard(secret, in.WebhookID, in.Timestamp, in.Body, in.Signature)
	} else {
		message = webhook.Diagnose(secret, in.Body, in.Signature)
	}
	return message, message == matches
}

// nearMiss reports whether a diagnosis recognised the secret, which says more
// than one that did not.
func nearMiss(message string) bool {
	return strings.HasPrefix(message, "The signature was made with this secret")
}

// matches is the answer that this secret is the one.
func (o opened) matches(message string) CheckedSecret {
	return CheckedSecret{Match: true, Role: o.row.Role, Fingerprint: o.row.Fingerprint, Message: message}
}

// described names a secret by what it is used for.
func (o opened) described() string {
	switch o.row.Role {
	case store.Next:
		return "the next secret, which is prepared: webhook-signature lists it already, X-ComplianceLayer-Signature is made with it after promote"
	case store.Old:
		return "an old secret: webhook-signature lists it until " + o.row.ExpiresAt.UTC().Format(time.RFC3339) + ", X-ComplianceLayer-Signature is no longer made with it"
	}
	return "the current secret"
}

// fingerprints lists the fingerprints of secrets.
func fingerprints(live []opened) string {
	texts := make([]string, len(live))
	for i, o := range live {
		texts[i] = fmt.Sprintf("%s (%s)", o.row.Fingerprint, o.row.Role)
	}
	return strings.Join(texts, ", ")
}
