package vendor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/egress"
	"github.com/compliancelayer/compliancelayer/receiver"
)

const (
	// DefaultTimeout is how long a try takes at most when nothing else is set.
	DefaultTimeout = 10 * time.Second
	// MaxAnswer is how much of an answer is read, in bytes; a longer one is an error.
	MaxAnswer = 1 << 20
)

// Config is what a Client is made of.
type Config struct {
	// Name is what the vendor is called in errors.
	Name string
	// HTTP sends the requests; what it does with redirects does not count. Nil sends
	// through this project's egress, to public addresses over https.
	HTTP *http.Client
	// Timeout is over one exchange, to the last byte of the answer. 0 means 10 s.
	Timeout time.Duration
	// Secrets are cut out of what the vendor says before it becomes an error: tokens,
	// keys, and a URL that is one.
	Secrets []string
	// Denied says what to set when the vendor answers 401 or 403.
	Denied string
}

// Client sends requests to one vendor. It is safe for concurrent use.
type Client struct {
	cfg  Config
	http doer
}

// doer is an [http.Client] or [strict].
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

// New makes a Client.
func New(cfg Config) (*Client, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.HTTP != nil {
		own := *cfg.HTTP
		own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		return &Client{cfg, &own}, nil
	}
	policy, err := egress.NewPolicy(egress.Config{})
	if err != nil {
		return nil, err
	}
	client, err := egress.NewClient(egress.ClientConfig{Policy: policy, ConnectTimeout: cfg.Timeout})
	if err != nil {
		return nil, err
	}
	return &Client{cfg, strict{policy, client}}, nil
}

// strict sends through egress what its policy lets pass.
type strict struct {
	policy *egress.Policy
	client *egress.Client
}

// Do sends a request whose context has a deadline.
func (s strict) Do(req *http.Request) (*http.Response, error) {
	if _, err := s.policy.ParseTarget(req.URL.String()); err != nil {
		return nil, err
	}
	return s.client.Do(req)
}

// Request is one request to the vendor.
type Request struct {
	Method string // "" means POST
	URL    string
	Header http.Header
	// Body is sent as JSON; bytes as they are, nil not at all.
	Body any
	// Repeats: to do it twice is the same as to do it once, as with a GET, so that
	// nobody need look whether it was done.
	Repeats bool
	// Said reads the vendor's own words out of the answer to a request that it
	// refused. Nil takes the answer as it is.
	Said func(body []byte) string
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Send makes one try. The error is nil for a status of 2xx, and else a
// [*receiver.Failure]; the answer is what there was of it, with an error too.
func (c *Client) Send(ctx context.Context, r Request) (Answer, error) {
	within, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout, fmt.Errorf("no whole answer within %v: %w", c.cfg.Timeout, context.DeadlineExceeded))
	defer cancel()
	var seen trail
	req, err := c.request(seen.watch(within), r)
	if err != nil {
		return Answer{}, receiver.Permanent(c.errorf("%w", err))
	}
	repeats := r.Repeats || req.Method == http.MethodGet
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, c.broken(within, err, seen.read(), repeats)
	}
	defer resp.Body.Close()
	answer := Answer{Status: resp.StatusCode, Header: resp.Header}
	answer.Body, err = readAll(resp.Body)
	if err != nil {
		return answer, c.broken(within, err, progress{written: true, answered: true}, repeats)
	}
	return answer, c.judge(answer, r.Said, repeats)
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	var body io.Reader
	switch b := r.Body.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, r.URL, body)
	if err != nil {
		return nil, errors.New("the address is not a URL") // the cause would repeat it
	}
	req.GetBody = nil // to send it again by itself is not the transport's to decide
	for name, values := range r.Header {
		req.Header[name] = values
	}
	if r.Body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "ComplianceLayer-Receiver/1.0")
	}
	return req, nil
}

var errLong = fmt.Errorf("the answer is longer than %d bytes", MaxAnswer)

func readAll(body io.Reader) ([]byte, error) {
	read, err := io.ReadAll(io.LimitReader(body, MaxAnswer+1))
	if err == nil && len(read) > MaxAnswer {
		return nil, errLong
	}
	return read, err
}

// errorf makes an error that begins with the vendor's name.
func (c *Client) errorf(format string, args ...any) error {
	return fmt.Errorf(c.cfg.Name+": "+format, args...)
}

// CheckURL finds a setting that is no URL, and does not repeat it; "" passes.
func CheckURL(field, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return fmt.Errorf("%s: it is not a URL that begins with https://", field)
	}
	return nil
}
