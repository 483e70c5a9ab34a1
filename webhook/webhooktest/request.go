package webhooktest

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// NewRequest makes the first attempt of an event's delivery, signed now. The request
// fits both a handler's ServeHTTP and an [http.Client]; its context is that of tb.
// Whatever keeps it from being made, such as data that is not JSON, fails the test.
//
//	req := webhooktest.NewRequest(t, "/hooks", secret, webhooktest.NewEvent("scan.completed", `{"score":85}`))
//	answer := httptest.NewRecorder()
//	handler.ServeHTTP(answer, req)
func NewRequest(tb testing.TB, url string, secret webhook.Secret, event webhook.Event) *http.Request {
	tb.Helper()
	s := Sender{URL: url, Secret: secret}
	sent, err := s.prepare(event)
	if err != nil {
		tb.Fatalf("webhooktest: make a request: %v", err)
	}
	req, err := sent.request(tb.Context())
	if err != nil {
		tb.Fatalf("webhooktest: make a request: %v", err)
	}
	return req
}

// request makes the request of an attempt from its stored bytes and headers.
func (s Sent) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(s.body))
	if err != nil {
		return nil, err
	}
	webhook.SetHeaders(req.Header, s.headers)
	return req, nil
}

// sign makes the headers of the attempt at a time.
func (s *Sent) sign(at time.Time, secret webhook.Secret, others []webhook.Secret) error {
	current, err := webhook.NewSigner(secret)
	if err != nil {
		return err
	}
	var listed []*webhook.Signer
	for _, other := range others {
		signer, err := webhook.NewSigner(other)
		if err != nil {
			return err
		}
		listed = append(listed, signer)
	}
	attempt := webhook.Attempt{
		EventID:    s.event.ID,
		EventType:  s.event.Type,
		DeliveryID: s.DeliveryID,
		Number:     s.Attempt,
		At:         at,
	}
	s.headers = attempt.Headers(s.body, current, listed...)
	return nil
}
