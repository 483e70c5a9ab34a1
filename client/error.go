package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The codes of an error, as the field "error" holds them.
const (
	CodeInvalidRequest   = "invalid_request"        // 400: the request cannot be read
	CodeUnauthorized     = "unauthorized"           // 401: no key, or not a valid one
	CodeForbidden        = "forbidden"              // 403: the key may not do this
	CodeNotFound         = "not_found"              // 404: no such thing in this account
	CodeMethodNotAllowed = "method_not_allowed"     // 405: see the Allow header
	CodeConflict         = "conflict"               // 409: the state of things forbids it
	CodeTooLarge         = "payload_too_large"      // 413: the body is over its limit
	CodeMediaType        = "unsupported_media_type" // 415: the body is not application/json
	CodeValidation       = "validation_failed"      // 422: fields says which values
	CodeRateLimit        = "rate_limit_exceeded"    // 429: see Retry-After
	CodeInternal         = "internal_server_error"  // 500: the server's fault; quote the request id
	CodeUnavailable      = "unavailable"            // 503: try again later
	CodeStorageFull      = "storage_full"           // 503: the server's disk is full

	// CodeUnexpected is made by this package for an answer that is not the API's, such
	// as a proxy's page.
	CodeUnexpected = "unexpected_answer"
)

// Error is an answer other than 2xx.
type Error struct {
	Code      string  `json:"error" doc:"One word that programs can rely on." enum:"invalid_request,unauthorized,forbidden,not_found,method_not_allowed,conflict,payload_too_large,unsupported_media_type,validation_failed,rate_limit_exceeded,internal_server_error,unavailable,storage_full"`
	Message   string  `json:"message" doc:"A plain sentence for people: what is wrong and what to do about it."`
	Status    int     `json:"status" doc:"The HTTP status code again."`
	RequestID string  `json:"request_id" doc:"The id of this request, the same as in X-Request-Id; the server's log has it too."`
	Fields    []Field `json:"fields,omitempty" doc:"Which parts of the request are wrong."`

	// RetryAfter is what the server asked to wait; 0 = it did not say.
	RetryAfter time.Duration `json:"-"`
}

// Field is one part of a request that is wrong.
type Field struct {
	Name    string `json:"field" doc:"Where: a path such as events[3].data.score, a query parameter, or a header."`
	Message string `json:"message" doc:"What is wrong with it and what to write instead."`
}

// Error gives the message, the fields, and what to quote when asking for help.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "\n  %s: %s", f.Name, f.Message)
	}
	fmt.Fprintf(&b, " (%s, status %d", e.Code, e.Status)
	if e.RequestID != "" {
		fmt.Fprintf(&b, ", request %s", e.RequestID)
	}
	b.WriteString(")")
	return b.String()
}

// errorOf reads an answer that is not a 2xx.
func errorOf(res *http.Response, body []byte) *Error {
	e := &Error{}
	if err := json.Unmarshal(body, e); err != nil || e.Code == "" {
		e = &Error{
			Code:    CodeUnexpected,
			Message: fmt.Sprintf("The answer, %q, is not one of a ComplianceLayer server; check the server's address.", http.StatusText(res.StatusCode)),
		}
	}
	e.Status = res.StatusCode
	if e.RequestID == "" {
		e.RequestID = res.Header.Get("X-Request-Id")
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}
