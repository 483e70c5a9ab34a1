package manage

import (
	"fmt"
	"strings"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// Limits of the headers that an endpoint adds: receivers accept 8 KiB and more of headers,
// and some of it is ours.
const (
	maxHeaders     = 20
	maxHeaderName  = 100
	maxHeaderValue = 4096
)

// headers checks the headers that an endpoint wants sent with every request.
func (m *mistakes) headers(headers []delivery.Header) {
	if len(headers) > maxHeaders {
		m.add("headers", "has %d headers; the most is %d", len(headers), maxHeaders)
		return
	}
	seen := make(map[string]bool, len(headers))
	for i, h := range headers {
		field := fmt.Sprintf("headers[%d]", i)
		lower := strings.ToLower(h.Name)
		switch {
		case !token(h.Name):
			m.add(field+".name", "is not the name of a header: use letters, digits and hyphens, at most %d", maxHeaderName)
		case reserved(lower):
			m.add(field+".name", "%s is set by the sender and cannot be replaced", h.Name)
		case seen[lower]:
			m.add(field+".name", "%s is there twice; join the values with a comma", h.Name)
		}
		seen[lower] = true
		m.headerValue(field+".value", h.Value)
	}
}

// headerValue checks a value. It is never quoted in the answer: it may be a password.
func (m *mistakes) headerValue(field, value string) {
	switch {
	case len(value) > maxHeaderValue:
		m.add(field, "has %d bytes; the most is %d", len(value), maxHeaderValue)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		m.add(field, "contains a control character or a line break; remove it")
	case strings.TrimSpace(value) != value:
		m.add(field, "has white space at its start or end, which would not arrive; remove it")
	}
}

// token reports whether name is a token, which the name of a header must be (RFC 9110 section 5.6.2).
func token(name string) bool {
	if name == "" || len(name) > maxHeaderName {
		return false
	}
	for _, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) {
			return false
		}
	}
	return true
}

// reserved reports whether a header, in lower case, belongs to us or to the
// transport: replacing it would break the signature, the framing or the connection.
func reserved(lower string) bool {
	switch lower {
	case "host", "content-type", "content-length", "content-encoding", "transfer-encoding",
		"connection", "keep-alive", "te", "trailer", "upgrade", "expect",
		"user-agent", "accept-encoding", "idempotency-key", "x-idempotency-key":
		return true
	}
	for _, prefix := range []string{"proxy-", "webhook-", "x-compliancelayer-"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return false
}
