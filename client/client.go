package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// userAgent names this package to servers and their logs.
	userAgent = "compliancelayer-client/1"

	// maxAnswer bounds what is read of an answer that is read whole: a batch of a
	// thousand events with some hundred deliveries each stays below it.
	maxAnswer = 64 << 20

	// headerTimeout is how long an answer may take to begin. The longest calls send a
	// test, which lasts up to the delivery timeout (at most 5 minutes, 30 s unless set).
	headerTimeout = 5*time.Minute + 15*time.Second
)

// Config says which server to talk to.
type Config struct {
	// Server is the server's address, such as https://hooks.example.com. A path is kept
	// as a prefix. It is required.
	Server string
	// APIKey is sent as "Authorization: Bearer". Empty sends none, which only setup and
	// the health checks accept.
	APIKey string
	// HTTPClient makes the requests. Nil means one of our own that follows no redirect.
	// One that has a Timeout also ends streams and exports with it.
	HTTPClient *http.Client
}

// Client calls one server with one key. It may be used by many goroutines.
type Client struct {
	server string // without a slash at its end
	key    string
	http   *http.Client
}

// New makes a client. It only looks at the configuration; nothing is sent.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.Server)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("the server must be an address such as https://hooks.example.com")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the server's address must not have a user, a query or a fragment")
	}
	hc := c.HTTPClient
	if hc == nil {
		hc = defaultHTTP()
	}
	return &Client{server: strings.TrimRight(u.String(), "/"), key: c.APIKey, http: hc}, nil
}

func defaultHTTP() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			ForceAttemptHTTP2:     true,
			TLSHandshakeTimeout:   10 * time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   64, // the default of 2 reconnects all the time under load
			ResponseHeaderTimeout: headerTimeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call is one request: how it is made and what its answer must be.
type call struct {
	method string
	path   string     // from the server's root, its parts escaped
	query  url.Values // may be nil
	body   any        // JSON; nil = none
	accept string     // "" = application/json
	header http.Header
}

// do makes a call and decodes its JSON answer into out; nil drops it.
func (c *Client) do(ctx context.Context, in call, out any) (http.Header, error) {
	res, err := c.open(ctx, in)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := readAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: read answer: %w", in.method, in.path, err)
	}
	if out == nil {
		return res.Header, nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return nil, fmt.Errorf("%s %s: the answer is not what the API promises: %w", in.method, in.path, err)
	}
	return res.Header, nil
}

// open makes a call and hands over its answer when that is a 2xx; the caller
// closes the body. Every other status is an *Error.
func (c *Client) open(ctx context.Context, in call) (*http.Response, error) {
	req, err := c.request(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", in.method, in.path, err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", in.method, in.path, plainCause(err))
	}
	if res.StatusCode >= 200 && res.StatusCode <= 299 {
		return res, nil
	}
	defer res.Body.Close()
	body, _ := readAll(res.Body) // what cannot be read is reported as a bare status
	return nil, errorOf(res, body)
}

func (c *Client) request(ctx context.Context, in call) (*http.Request, error) {
	var body io.Reader
	if in.body != nil {
		text, err := encode(in.body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	target := c.server + in.path
	if len(in.query) > 0 {
		target += "?" + in.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, in.method, target, body)
	if err != nil {
		return nil, err
	}
	for name, values := range in.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "application/json")
	if in.accept != "" {
		req.Header.Set("Accept", in.accept)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	return req, nil
}

// plainCause takes the cause out of a *url.Error, whose text repeats the method and
// the whole address, and that may hold what a user does not want printed.
func plainCause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func readAll(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("it is longer than %d MiB", maxAnswer>>20)
	}
	return body, nil
}

// path joins a fixed path with parts that are escaped: path("/v1/endpoints", id, "test").
func path(base string, parts ...string) string {
	for _, p := range parts {
		base += "/" + url.PathEscape(p)
	}
	return base
}

// encode leaves <, > and & as they are: what is published is delivered byte for
// byte, and a client must not respell it on the way.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
