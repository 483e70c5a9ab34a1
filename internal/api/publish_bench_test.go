package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/publish"
	"github.com/compliancelayer/compliancelayer/internal/store"
)

// benchBody is an event of about 500 bytes, the size of the measurements.
const benchBody = `{"type":"scan.completed","data":{"scan_id":12345,"job_id":67890,"domain":"example.com","score":85,"grade":"B",` +
	`"issues_count":8,"critical_issues":0,"high_issues":2,"medium_issues":3,"low_issues":3,` +
	`"scanned_at":"2026-03-08T12:34:56.789Z","scan_duration_ms":2847,"summary":"` +
	`The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog. The quick brown fox jumps over"}}`

type benchPublisher struct{ out []store.Published }

func (p benchPublisher) Publish(context.Context, string, []publish.Input) ([]store.Published, error) {
	return p.out, nil
}

type benchAuth struct{}

func (benchAuth) Authenticate(context.Context, string, string) (auth.Caller, error) {
	return auth.Caller{AccountID: "acc_1", KeyID: "key_1", Scopes: auth.Scopes{auth.Publish}}, nil
}

type benchWriter struct{ header http.Header }

func (w *benchWriter) Header() http.Header         { return w.header }
func (w *benchWriter) WriteHeader(int)             {}
func (w *benchWriter) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkPublish measures what the API adds to publishing an event: all of the
// way from net/http's handler to the publisher and back.
func BenchmarkPublish(b *testing.B) {
	s, err := New(Config{Auth: benchAuth{}, Publisher: benchPublished()})
	if err != nil {
		b.Fatal(err)
	}
	benchHandler(b, s)
}

func benchPublished() benchPublisher {
	return benchPublisher{[]store.Published{{
		EventID: "018f3c1e-7a5b-7c3d-9e2f-0123456789ab", Type: "scan.completed", CreatedAt: time.Now(),
		Deliveries: []store.DeliveryRef{{ID: 12345, EndpointID: "ep_0123456789abcdef"}},
	}}}
}

func benchHandler(b *testing.B, h http.Handler) {
	r, err := http.NewRequest(http.MethodPost, "/v1/events", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer cl_key")
	r.ContentLength = int64(len(benchBody))
	body := bytes.NewReader([]byte(benchBody))
	w := &benchWriter{header: make(http.Header)}
	b.ReportAllocs()
	b.SetBytes(int64(len(benchBody)))
	for b.Loop() {
		body.Reset([]byte(benchBody))
		r.Body = io.NopCloser(body)
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}
