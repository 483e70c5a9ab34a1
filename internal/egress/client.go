package egress

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	defaultIdlePerHost    = 64               // twice the default concurrency of an endpoint (contract section 5)
	defaultMaxIdle        = 1024             // sixteen hosts that are as busy
	defaultConnectTimeout = 30 * time.Second // the whole clock of an attempt (contract section 2)
	idleTimeout           = 60 * time.Second // shorter than the keep-alive of common servers, to close before they do
	maxResponseHeaders    = 32 << 10         // bytes
	// An HTTP/2 connection that died silently is found by a ping; without one
	// every attempt of an endpoint would join it and time out.
	defaultPingAfter   = 15 * time.Second
	defaultPingTimeout = 10 * time.Second
)

// ClientConfig configures a [Client]. Only Policy is required.
type ClientConfig struct {
	Policy *Policy
	// Resolver finds addresses; nil is Go's own resolver with the DNS servers of the machine.
	Resolver Resolver
	// IdlePerHost is the number of idle connections kept per host. Below the
	// concurrency of an endpoint it makes busy endpoints reconnect all the time.
	// 0 means 64.
	IdlePerHost int
	// MaxIdle is the number of idle connections kept over all hosts: one that is put
	// beside them ends the one that has been idle longest. All end after 60 s. 0 means 1024.
	MaxIdle int
	// ConnectTimeout limits DNS and connecting together, and the TLS handshake
	// after it. 0 means 30 s. It matters when the context of a request is shorter:
	// the attempt ends with the context, its dial goes on in the background up to this limit.
	ConnectTimeout time.Duration
	// pingAfter and pingTimeout are those of HTTP/2: how long nothing may come before a
	// ping is sent, and how long its answer may take. 0 means the constants; they are
	// only here for tests, which cannot wait.
	pingAfter, pingTimeout time.Duration
	// ExtraRootCAs are trusted beside those of the system.
	ExtraRootCAs []*x509.Certificate
}

// Client sends requests under a policy. It is safe for concurrent use.
type Client struct {
	policy    *Policy
	transport *http.Transport
	lean      *lean
	fresh     func() *Client // another one like it, without connections
}

// NewClient makes a client. It fails without a policy, and when extra
// certificates are given and those of the system cannot be read.
func NewClient(c ClientConfig) (*Client, error) {
	if c.Policy == nil {
		return nil, errors.New("egress client needs a policy")
	}
	roots, err := rootCAs(c.ExtraRootCAs)
	if err != nil {
		return nil, err
	}
	if c.Resolver == nil {
		c.Resolver = &net.Resolver{PreferGo: true}
	}
	if c.IdlePerHost <= 0 {
		c.IdlePerHost = defaultIdlePerHost
	}
	if c.MaxIdle <= 0 {
		c.MaxIdle = defaultMaxIdle
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = defaultConnectTimeout
	}
	c.pingAfter = cmp.Or(c.pingAfter, defaultPingAfter)
	c.pingTimeout = cmp.Or(c.pingTimeout, defaultPingTimeout)
	d := &dialer{policy: c.Policy, resolver: c.Resolver, timeout: c.ConnectTimeout, routed: routed}
	over := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	spoken := &spoken{}
	var fresh func() *Client
	fresh = func() *Client {
		return &Client{policy: c.Policy, transport: newTransport(c, d, over), lean: newLean(c, d, over, spoken), fresh: fresh}
	}
	return fresh(), nil
}

// Fresh gives a client like this one that has no connections yet, for a request that
// must not meet another connection that has died. Close it after use.
func (c *Client) Fresh() *Client { return c.fresh() }

func newTransport(c ClientConfig, d *dialer, over *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // behind a proxy the dial-time check would only see the proxy
		DialContext:            d.dialContext,
		TLSClientConfig:        over.Clone(),
		TLSHandshakeTimeout:    c.ConnectTimeout,
		DisableCompression:     true, // the byte limits of callers count bytes on the wire
		MaxIdleConns:           c.MaxIdle,
		MaxIdleConnsPerHost:    c.IdlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxResponseHeaders,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: c.pingAfter, PingTimeout: c.pingTimeout},
	}
}

func rootCAs(extra []*x509.Certificate) (*x509.CertPool, error) {
	if len(extra) == 0 {
		return nil, nil // the system's
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read system certificates: %w", err)
	}
	for _, cert := range extra {
		pool.AddCert(cert)
	}
	return pool, nil
}

// NewRequest makes the POST of a delivery, ready for headers. The body is not
// copied and must not change until the request has ended.
func NewRequest(ctx context.Context, t Target, body []byte) (*http.Request, error) {
	if t.url == "" {
		return nil, errors.New("make request: the target was not parsed")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("make request: the target is not a URL") // the cause would repeat the URL
	}
	req.GetBody = nil // see Do
	return req, nil
}

// Do sends one request and returns the answer, whatever its status; redirects
// are answers like any other. The caller closes the body and limits how much
// of it is read. The context of the request must have a deadline: it is the
// only clock over the whole exchange.
//
// A request with any method but GET, HEAD, OPTIONS and TRACE is written at most
// once. net/http repeats a request by itself when a kept-alive connection dies
// under it, if it carries an Idempotency-Key header, if nothing of it was
// written yet, or if an HTTP/2 server refused the stream; each of these needs a
// body that can be rewound, and Do takes that ability away. So a request that
// meets a dying connection fails, and whether to repeat it is the caller's decision.
//
// Errors never contain the URL. A refusal by the policy is an [*Error], a failed
// lookup holds a [*net.DNSError], a failed connect a [*net.OpError]. Hooks of an
// [net/http/httptrace.ClientTrace] in the context see DNS, connect and TLS; they
// may be called after Do has returned, while a dial goes on in the background.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	if c.lean.takes(req) {
		return c.lean.do(req)
	}
	resp, err := c.transport.RoundTrip(writtenOnce(req))
	if err == nil && resp.TLS != nil && resp.ProtoMajor == 1 {
		c.lean.spoken.add(req.URL.Host)
	}
	return resp, err
}

// Close closes the connections that are idle now. Running requests go on.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	c.lean.kept.close()
}

// writtenOnce returns the request in a form that the transport cannot repeat.
func writtenOnce(req *http.Request) *http.Request {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return req
	}
	empty := req.Body == nil || req.Body == http.NoBody
	if req.GetBody == nil && !empty {
		return req
	}
	once := *req
	once.GetBody = nil
	if empty {
		once.Body = emptyBody{Reader: bytes.NewReader(nil)}
	}
	return &once
}

// emptyBody is a body without bytes that the transport, unlike [http.NoBody],
// does not take for one it may send again.
type emptyBody struct{ *bytes.Reader }

func (emptyBody) Close() error { return nil }
