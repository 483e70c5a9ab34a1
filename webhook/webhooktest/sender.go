package webhooktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// maxAnswer is how much of an answer is kept, as the server does (contract section 2).
const maxAnswer = 64 << 10

// Sender posts events to one endpoint as the server does: the same headers and
// signatures, a new delivery number for every event, an attempt number for every try,
// and no redirect followed. Fill in URL, Secret and Client; it may then be used by
// many goroutines, but not changed.
type Sender struct {
	// URL is the endpoint.
	URL string
	// Secret signs both signature headers.
	Secret webhook.Secret
	// Others are listed in webhook-signature too, as the old or the next secret is
	// during a rotation.
	Others []webhook.Secret
	// Client makes the connections; of an [net/http/httptest.Server] it is Client().
	Client *http.Client
	// Now gives the time that attempts are signed at; nil means time.Now. Set it to
	// send requests that are too old or too new.
	Now func() time.Time

	deliveries atomic.Int64
}

// Sent is one attempt and what the endpoint answered.
type Sent struct {
	// DeliveryID is the value of X-ComplianceLayer-Delivery.
	DeliveryID int64
	// Attempt is the value of X-ComplianceLayer-Attempt.
	Attempt int
	// Status is the status code of the answer, or 0 if none came.
	Status int
	// Header is the header of the answer.
	Header http.Header
	// Answer is the body of the answer, up to 64 KiB of it.
	Answer []byte

	url     string
	event   webhook.Event
	body    []byte
	headers []webhook.Header
}

// Send makes the first attempt of a new delivery of the event. Any answer is a
// success, whatever its status; if none came, the error says why, and the attempt may
// still be given to Retry and Repeat.
func (s *Sender) Send(ctx context.Context, event webhook.Event) (Sent, error) {
	sent, err := s.prepare(event)
	if err != nil {
		return Sent{}, err
	}
	return s.post(ctx, sent)
}

// Retry makes the next attempt of a delivery: the same body and numbers, with the
// attempt number one higher and signed at the time of now. After an attempt that
// arrived but was not answered in time this is what a duplicate looks like.
func (s *Sender) Retry(ctx context.Context, last Sent) (Sent, error) {
	next := Sent{DeliveryID: last.DeliveryID, Attempt: last.Attempt + 1, url: last.url, event: last.event, body: last.body}
	if err := next.sign(s.now(), s.Secret, s.Others); err != nil {
		return Sent{}, fmt.Errorf("sign attempt %d: %w", next.Attempt, err)
	}
	return s.post(ctx, next)
}

// Repeat sends the very same request again, header for header and byte for byte: a
// duplicate made by the network, or by someone who recorded the request.
func (s *Sender) Repeat(ctx context.Context, last Sent) (Sent, error) {
	again := Sent{DeliveryID: last.DeliveryID, Attempt: last.Attempt, url: last.url, event: last.event, body: last.body, headers: last.headers}
	return s.post(ctx, again)
}

// prepare makes and signs the first attempt of a new delivery.
func (s *Sender) prepare(event webhook.Event) (Sent, error) {
	body, err := event.MarshalBody()
	if err != nil {
		return Sent{}, fmt.Errorf("make the body: %w", err)
	}
	sent := Sent{DeliveryID: s.deliveries.Add(1), Attempt: 1, url: s.URL, event: event, body: body}
	if err := sent.sign(s.now(), s.Secret, s.Others); err != nil {
		return Sent{}, fmt.Errorf("sign: %w", err)
	}
	return sent, nil
}

func (s *Sender) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// post sends the attempt and keeps the answer. On an error the attempt is returned
// without an answer.
func (s *Sender) post(ctx context.Context, sent Sent) (Sent, error) {
	if s.Client == nil {
		return sent, errors.New("webhooktest: the Sender has no Client")
	}
	req, err := sent.request(ctx)
	if err != nil {
		return sent, fmt.Errorf("make the request: %w", err)
	}
	client := *s.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return sent, fmt.Errorf("send the request: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return sent, fmt.Errorf("read the answer: %w", err)
	}
	sent.Status, sent.Header, sent.Answer = resp.StatusCode, resp.Header, answer
	return sent, nil
}
