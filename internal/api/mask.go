package api

import (
	"fmt"
	"strings"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

// maskedHeaders renders headers that we send, hiding what looks secret.
func maskedHeaders(headers []delivery.Header) []client.Header {
	out := each(headers, headerTo)
	for i := range out {
		if headers[i].Hidden() {
			out[i].Value = client.Mask
		}
	}
	return out
}

func headerTo(h delivery.Header) client.Header { return client.Header{Name: h.Name, Value: h.Value} }

// headersOf reads headers; a masked value stands for the one in stored of the same
// name, and is a mistake when there is none.
func headersOf(headers []client.Header, stored []delivery.Header) ([]delivery.Header, error) {
	out := make([]delivery.Header, len(headers))
	var wrong []client.Field
	for i, h := range headers {
		out[i] = delivery.Header{Name: h.Name, Value: h.Value}
		if h.Value != client.Mask {
			continue
		}
		value, found := storedValue(stored, h.Name)
		if !found {
			wrong = append(wrong, client.Field{
				Name:    fmt.Sprintf("headers[%d].value", i),
				Message: "is the mask of a hidden value, but no value is stored under this name; send the value itself",
			})
		}
		out[i].Value = value
	}
	if len(wrong) > 0 {
		return nil, validation(wrong...)
	}
	return out, nil
}

func storedValue(stored []delivery.Header, name string) (string, bool) {
	for _, h := range stored {
		if strings.EqualFold(h.Name, name) {
			return h.Value, true
		}
	}
	return "", false
}
