package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a request, spelled as in the public documentation (contract section
// 1). Names of headers are compared without regard to case (RFC 9110 section 5.1).
const (
	// SignatureHeader holds exactly one simple signature: 64 lower-case
	// hexadecimal characters, see [Sign].
	SignatureHeader = "X-ComplianceLayer-Signature"
	// EventHeader holds the type of the event, such as scan.completed.
	EventHeader = "X-ComplianceLayer-Event"
	// DeliveryHeader holds the delivery's number in decimal: one per event and
	// endpoint, the same on every attempt and manual resend.
	DeliveryHeader = "X-ComplianceLayer-Delivery"
	// AttemptHeader counts the attempts of the delivery: 1, 2, 3 ...
	AttemptHeader = "X-ComplianceLayer-Attempt"
	// IDHeader holds the event's id, the same as in the body (Standard Webhooks).
	IDHeader = "webhook-id"
	// TimestampHeader holds the time of this attempt in whole unix seconds
	// (Standard Webhooks).
	TimestampHeader = "webhook-timestamp"
	// StandardSignatureHeader lists one signature per live secret, separated by
	// spaces, see [SignStandard] (Standard Webhooks).
	StandardSignatureHeader = "webhook-signature"
)

// Values that are the same on every request (contract section 1).
const (
	// ContentType is the value of Content-Type.
	ContentType = "application/json"
	// UserAgent is the value of User-Agent.
	UserAgent = "ComplianceLayer-Webhooks/1.0"
)

// Header is one header of a request, its name spelled as documented.
type Header struct {
	Name  string
	Value string
}

// Attempt is what one request says about itself beside its body.
type Attempt struct {
	// EventID is the id in the body.
	EventID string
	// EventType is the type in the body.
	EventType string
	// DeliveryID numbers the event's delivery to this endpoint.
	DeliveryID int64
	// Number counts the attempts of the delivery, from 1.
	Number int
	// At is when this attempt is made; only its whole seconds are sent.
	At time.Time
}

// Headers gives all headers of the attempt, signed for exactly these bytes of body:
// those of the seed first, those of Standard Webhooks after. The simple signature is
// made with current alone, as its header may hold only one; webhook-signature lists
// current first and then the others, which is how a rotation overlaps (contract
// section 1).
//
// The caller decides how they reach the wire: [http.Header.Set] changes the spelling
// of the names to net/http's own, an assignment to the map keeps it.
func (a Attempt) Headers(body []byte, current *Signer, others ...*Signer) []Header {
	return []Header{
		{"Content-Type", ContentType},
		{"User-Agent", UserAgent},
		{SignatureHeader, current.Sign(body)},
		{EventHeader, a.EventType},
		{DeliveryHeader, strconv.FormatInt(a.DeliveryID, 10)},
		{AttemptHeader, strconv.Itoa(a.Number)},
		{IDHeader, a.EventID},
		{TimestampHeader, strconv.FormatInt(a.At.Unix(), 10)},
		{StandardSignatureHeader, a.standardList(body, current, others)},
	}
}

// standardList makes the value of webhook-signature. Outside a rotation there is one
// secret, and then its signature is the whole value.
func (a Attempt) standardList(body []byte, current *Signer, others []*Signer) string {
	first := current.SignStandard(a.EventID, a.At, body)
	if len(others) == 0 {
		return first
	}
	list := []string{first}
	for _, s := range others {
		list = append(list, s.SignStandard(a.EventID, a.At, body))
	}
	return strings.Join(list, " ")
}

// SetHeaders writes the headers into h with net/http's spelling, replacing what is
// there under the same names.
func SetHeaders(h http.Header, headers []Header) {
	for _, header := range headers {
		h.Set(header.Name, header.Value)
	}
}
