package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// bareClient is what the program is measured against: net/http as a plain sender
// would use it, with the signatures and nothing else.
type bareClient struct {
	http   *http.Client
	signer *webhook.Signer
}

func newBareClient() (*bareClient, error) {
	signer, err := webhook.NewSigner(webhook.NewSecret())
	if err != nil {
		return nil, fmt.Errorf("make the bare client: %w", err)
	}
	// Without this many idle connections it would connect anew all the time.
	transport := &http.Transport{MaxIdleConnsPerHost: ceilingConnections, DisableCompression: true}
	return &bareClient{http: &http.Client{Transport: transport, Timeout: exchangeLimit}, signer: signer}, nil
}

// poster posts single events, each signed anew.
func (c *bareClient) poster(ctx context.Context, address string, compose composer) post {
	url := "http://" + address + "/"
	return func(first, _ int, sent time.Time) error {
		// A body of its own: the transport may still read it when the answer is there.
		body := compose.append(make([]byte, 0, eventBytes), first, 1, sent)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		attempt := webhook.Attempt{EventID: someID, EventType: singleType, DeliveryID: int64(first) + 1, Number: 1, At: sent}
		webhook.SetHeaders(req.Header, attempt.Headers(body, c.signer))
		resp, err := c.http.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		if resp.StatusCode < 200 || resp.StatusCode > 299 {
			return refusal(resp.StatusCode, answer)
		}
		return nil
	}
}
