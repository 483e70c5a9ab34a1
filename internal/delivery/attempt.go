package delivery

import (
	"strings"
	"time"
)

// MaxResponseBody is how much of a receiver's answer is read and kept, in bytes
// (contract section 2).
const MaxResponseBody = 64 << 10

// Attempt is the whole record of one attempt: what was sent, what came back,
// how long each part took and, in plain words, what to do about it.
type Attempt struct {
	DeliveryID ID
	Number     int // 1, 2, 3 ...
	Cycle      Cycle
	PlannedAt  time.Time // as its lease has it
	Node       string    // the process that made it
	Outcome
	Hint      string // plain words and the next step; "" on success
	Timing    Timing
	Request   Request
	Response  Response
	Effect    Effect
	LocalInfo string // detail for operators, never shown to an account; "" mostly
}

// Timing splits the time of an attempt. A part that did not happen is 0:
// a kept-alive connection has no DNS, Connect or TLS.
type Timing struct {
	DNS       time.Duration
	Connect   time.Duration
	TLS       time.Duration
	FirstByte time.Duration // from the request written to the first byte of the answer
	Total     time.Duration
}

// Header is one header line. A list of them keeps order and repetition.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Hidden reports whether the value is to be shown to nobody. It goes by the name:
// whoever stores a password under a name that hides it is shown it.
func (h Header) Hidden() bool {
	lower := strings.ToLower(h.Name)
	for _, part := range []string{"auth", "cookie", "token", "key", "secret", "password"} {
		if strings.Contains(lower, part) {
			return true
		}
	}
	return false
}

// Request is what was sent, but for the body, which is the event's.
type Request struct {
	URL    string
	Header []Header
}

// Response is what came back, as far as it came.
type Response struct {
	Proto     string // HTTP/1.1 or HTTP/2.0; "" when no answer came
	Header    []Header
	Body      []byte // at most MaxResponseBody, as bytes: receivers send anything
	Truncated bool   // there was more, or it did not end well
}
