package dispatch

import (
	"encoding/base64"
	"fmt"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/seal"
)

// What is sealed in an endpoint's rows. Whoever writes them seals for the same
// purpose that is opened here.
const (
	SecretPurpose = "endpoint-secret" // row: the secret's id
	headerPurpose = "endpoint-header" // row: the endpoint's id
)

// SealHeaders gives an endpoint's own headers as they are kept: people put
// tokens into their values.
func SealHeaders(box *seal.Box, accountID, endpointID string, headers []delivery.Header) []delivery.Header {
	kept := make([]delivery.Header, len(headers))
	for i, h := range headers {
		sealed := box.Seal(headerPurpose, accountID, endpointID, []byte(h.Value))
		kept[i] = delivery.Header{Name: h.Name, Value: base64.StdEncoding.EncodeToString(sealed)}
	}
	return kept
}

// OpenHeaders gives an endpoint's own headers as they are sent.
func OpenHeaders(box *seal.Box, e delivery.Endpoint) ([]delivery.Header, error) {
	headers := make([]delivery.Header, len(e.Headers))
	for i, h := range e.Headers {
		sealed, err := base64.StdEncoding.DecodeString(h.Value)
		if err != nil {
			return nil, fmt.Errorf("read header %s: %w", h.Name, err)
		}
		value, err := box.Open(headerPurpose, e.AccountID, e.ID, sealed)
		if err != nil {
			return nil, fmt.Errorf("open header %s: %w", h.Name, err)
		}
		headers[i] = delivery.Header{Name: h.Name, Value: string(value)}
	}
	return headers, nil
}
