package egress

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Plain gives a client of net/http that sends through c, for libraries that take no other. Every URL must pass
// [Policy.ParseTarget], a redirect is an answer like any other, and an exchange takes at most the given time, its answer's body at most
// so many bytes: what is more is an error.
func (c *Client) Plain(timeout time.Duration, most int64) *http.Client {
	return &http.Client{
		Transport:     plain{c, timeout, most},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// plain is a round trip under the bounds of [Client.Plain].
type plain struct {
	client  *Client
	timeout time.Duration
	most    int64
}

// RoundTrip sends a request and reads the whole answer, so that nothing is left of the exchange when it returns.
func (p plain) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, err := p.client.policy.ParseTarget(req.URL.String()); err != nil {
		closeBody(req)
		return nil, err
	}
	ctx, cancel := context.WithTimeout(req.Context(), p.timeout)
	defer cancel()
	resp, err := p.client.Do(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, p.most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > p.most {
		return nil, fmt.Errorf("the answer is longer than %d bytes", p.most)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// closeBody does what a round trip owes its caller that sends nothing.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
