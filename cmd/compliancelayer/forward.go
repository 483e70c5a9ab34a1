package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// forwardTimeout is that of the real thing (contract section 2).
const forwardTimeout = 30 * time.Second

// forwarder posts events to one URL as a server does: the same body, headers and
// signatures. Its connections can go to that URL's host and port only, whatever
// the answers say.
type forwarder struct {
	url        string
	signer     *webhook.Signer
	http       *http.Client
	deliveries atomic.Int64
}

// newForwarder checks the URL; one without a scheme is http.
func newForwarder(target string, secret webhook.Secret) (*forwarder, error) {
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, misuse("--forward-to %q: write it as http://localhost:3000/hooks", target)
	}
	signer, err := webhook.NewSigner(secret)
	if err != nil {
		return nil, err
	}
	return &forwarder{url: u.String(), signer: signer, http: clientFor(u)}, nil
}

// clientFor makes a client that can reach the host and port of u, and no other.
func clientFor(u *url.URL) *http.Client {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	only := net.JoinHostPort(u.Hostname(), port)
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Client{
		Timeout:       forwardTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{ // without a proxy: the request stays here
			MaxIdleConnsPerHost: forwarders,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if address != only {
					return nil, fmt.Errorf("%s is not %s", address, only)
				}
				return dialer.DialContext(ctx, network, address)
			},
		},
	}
}

// forwarded is what came of one event.
type forwarded struct {
	ID     string  `json:"id"`
	URL    string  `json:"url"`
	Status int     `json:"status"` // 0 = no answer
	Error  string  `json:"error,omitempty"`
	Took   float64 `json:"took_ms"`
}

// send posts an event's body.
func (f *forwarder) send(ctx context.Context, event webhook.Event, body []byte) forwarded {
	began := time.Now()
	status, err := f.post(ctx, event, body)
	done := forwarded{ID: event.ID, URL: f.url, Status: status, Took: float64(time.Since(began).Microseconds()) / 1000}
	if err != nil {
		done.Error = err.Error()
	}
	return done
}

func (f *forwarder) post(ctx context.Context, event webhook.Event, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	attempt := webhook.Attempt{EventID: event.ID, EventType: event.Type, DeliveryID: f.deliveries.Add(1), Number: 1, At: time.Now()}
	webhook.SetHeaders(req.Header, attempt.Headers(body, f.signer))
	res, err := f.http.Do(req)
	if err != nil {
		return 0, withoutURL(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // only so that the connection can be used again
	return res.StatusCode, nil
}

// withoutURL takes the cause out of an error that repeats method and URL.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
