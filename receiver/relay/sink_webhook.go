package relay

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// webhookSink passes events on to another receiver: the same body, with the same ids,
// signed with a secret that the two share.
type webhookSink struct {
	url     Secret
	headers map[string]Secret
	signer  *webhook.Signer
	client  *vendor.Client
}

func newWebhookSink(w *Webhook, http *http.Client, timeout time.Duration) (sink, error) {
	signer, err := webhook.NewSigner(w.Secret)
	if err != nil {
		return nil, err
	}
	secrets := []string{w.URL.Reveal()}
	for _, value := range w.Headers {
		secrets = append(secrets, value.Reveal())
	}
	client, err := vendor.New(vendor.Config{
		Name: "the webhook", HTTP: http, Timeout: timeout, Secrets: secrets,
		Denied: "it refuses the signature or the route's headers: look at its secret",
	})
	if err != nil {
		return nil, err
	}
	return &webhookSink{url: w.URL, headers: w.Headers, signer: signer, client: client}, nil
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
	_, err := w.client.Send(ctx, vendor.Request{URL: w.url.Reveal(), Header: header, Body: event.Body, Repeats: true})
	if failure, ok := errors.AsType[*receiver.Failure](err); ok && failure.Permanent {
		// Another receiver's 404 may be gone after its next release: it has the same
		// attempts as any error.
		return errors.New(failure.Error())
	}
	return err
}
