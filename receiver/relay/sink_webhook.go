package relay

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// webhookSink passes events on to another receiver: the same body, with the same ids,
// signed with a secret that the two share if the route has one.
type webhookSink struct {
	url     Secret
	headers map[string]Secret
	signer  *webhook.Signer
	signed  bool
	client  *vendor.Client
}

func newWebhookSink(w *Webhook, http *http.Client, timeout time.Duration) (sink, error) {
	secret := w.Secret
	if secret.IsZero() {
		secret = webhook.NewSecret() // for the form of the headers; what it signs is left out
	}
	signer, err := webhook.NewSigner(secret)
	if err != nil {
		return nil, err
	}
	secrets := partsOf(w.URL.Reveal())
	for _, value := range w.Headers {
		secrets = append(secrets, value.Reveal())
		secrets = append(secrets, longParts(strings.Fields(value.Reveal()))...)
		secrets = append(secrets, longParts(strings.FieldsFunc(value.Reveal(), between))...)
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	client, err := vendor.New(vendor.Config{
		Name: "the webhook", HTTP: http, Timeout: timeout, Secrets: secrets,
		Denied: "it refuses the signature or the route's headers: look at its secret",
	})
	if err != nil {
		return nil, err
	}
	return &webhookSink{url: w.URL, headers: w.Headers, signer: signer, signed: !w.Secret.IsZero(), client: client}, nil
}

// secretLength is from which length on a part of an address or of a header is taken for a
// secret by itself. Shorter ones are words, such as "hooks" and "Bearer".
const secretLength = 8

// between reports whether a character of a header may stand between a token and what is around it, as in
// key="token" or user:token. Tokens are mostly of the other characters (token68 of RFC 9110, section 11.2).
func between(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._~+/", r)
}

// longParts are the parts that may be secrets.
func longParts(parts []string) []string {
	return slices.DeleteFunc(parts, func(part string) bool { return len(part) < secretLength })
}

// partsOf gives an address and what an answer may repeat of it, such as "cannot POST
// /hooks/TOKEN" or the token alone.
func partsOf(address string) []string {
	parts := []string{address}
	u, err := url.Parse(address)
	if err != nil {
		return parts
	}
	for _, part := range []string{u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery} {
		if len(part) > 1 {
			parts = append(parts, part)
		}
	}
	parts = append(parts, longParts(strings.Split(u.Path, "/"))...)
	for _, values := range u.Query() {
		parts = append(parts, longParts(values)...)
	}
	return parts
}

// Handle posts the event once. A copy is known there by its id, so that to post it again
// does no harm.
func (w *webhookSink) Handle(ctx context.Context, event receiver.Event[json.RawMessage]) error {
	header := http.Header{}
	for name, value := range w.headers {
		header.Set(name, value.Reveal())
	}
	attempt := webhook.Attempt{EventID: event.ID, EventType: event.Type, DeliveryID: event.DeliveryID, Number: event.Try, At: time.Now()}
	webhook.SetHeaders(header, attempt.Headers(event.Body, w.signer))
	if !w.signed {
		header.Del(webhook.SignatureHeader)
		header.Del(webhook.StandardSignatureHeader)
	}
	_, err := w.client.Send(ctx, vendor.Request{URL: w.url.Reveal(), Header: header, Body: event.Body, Repeats: true})
	if failure, ok := errors.AsType[*receiver.Failure](err); ok && failure.Permanent {
		// Another receiver's 404 may be gone after its next release: it has the same
		// attempts as any error.
		return errors.New(failure.Error())
	}
	return err
}
