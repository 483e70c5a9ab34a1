package api

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	verrors "github.com/pb33f/libopenapi-validator/errors"
)

// documented is the validator of our own OpenAPI document. It is made once: compiling
// all schemas takes a while.
var documented = sync.OnceValues(func() (validator.Validator, []error) {
	s, err := New(Config{Metrics: http.NotFoundHandler(), Version: "1.2.3"})
	if err != nil {
		return nil, []error{err}
	}
	doc, err := libopenapi.NewDocument(s.openapi)
	if err != nil {
		return nil, []error{err}
	}
	return validator.NewValidator(doc, config.WithFormatAssertions())
})

// theValidator gives documented or ends the test.
func theValidator(t *testing.T) validator.Validator {
	t.Helper()
	v, errs := documented()
	for _, err := range errs {
		t.Fatal(err)
	}
	return v
}

// checked is a transport that holds every exchange against the document: every answer
// must be one that it promises, and a request that was answered with success must be one that it
// allows.
type checked struct {
	t    *testing.T
	next http.RoundTripper
}

func (c *checked) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := take(c.t, &r.Body)
	res, err := c.next.RoundTrip(r)
	if err != nil || !called(r) || endless(res) {
		return res, err
	}
	got := take(c.t, &res.Body)
	v := theValidator(c.t)
	r.Body = io.NopCloser(bytes.NewReader(sent))
	if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusMethodNotAllowed || strings.Contains(string(got), "with this id") {
		if ok, wrong := v.ValidateHttpResponse(r, res); !ok {
			c.report("answer", r, res, got, wrong)
		}
	}
	if res.StatusCode < 300 {
		r.Body = io.NopCloser(bytes.NewReader(sent))
		if ok, wrong := v.ValidateHttpRequestSync(r); !ok {
			c.report("request", r, res, sent, wrong)
		}
	}
	res.Body = io.NopCloser(bytes.NewReader(got))
	return res, nil
}

func (c *checked) report(what string, r *http.Request, res *http.Response, body []byte, wrong []*verrors.ValidationError) {
	for _, w := range wrong {
		c.t.Errorf("%s %s, %d: the %s is not what the OpenAPI document says: %s: %s", r.Method, r.URL.Path, res.StatusCode, what, w.Message, w.Reason)
		for _, s := range w.SchemaValidationErrors {
			c.t.Errorf("  at %s: %s", s.FieldPath, s.Reason)
		}
	}
	c.t.Errorf("  body: %s", body)
}

// take reads a body whole and puts it back.
func take(t *testing.T, body *io.ReadCloser) []byte {
	if *body == nil {
		return nil
	}
	all, err := io.ReadAll(*body)
	if err != nil {
		t.Errorf("read body: %v", err)
	}
	_ = (*body).Close()
	*body = io.NopCloser(bytes.NewReader(all))
	return all
}

// called reports whether a request is a call, which pages are not.
func called(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/v1/") || strings.HasSuffix(r.URL.Path, "z") || r.URL.Path == "/metrics"
}

// endless reports answers that are not one value.
func endless(res *http.Response) bool {
	kind := res.Header.Get("Content-Type")
	return kind == ndjson || kind == "text/event-stream"
}

func readerOf(text string) io.Reader { return strings.NewReader(text) }
