package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
	"github.com/compliancelayer/compliancelayer/internal/store"
	"github.com/compliancelayer/compliancelayer/internal/store/sqlstore"
)

func TestExportOfTheDeadLetterQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.user()
	e := w.endpoint(c)
	n := 2*manage.MaxLimit + 7 // three pages
	w.deliveries(w.other, e.ID, n, delivery.ServerError)
	seen, lines := map[string]bool{}, 0
	for d, err := range c.ExportDeadLetters(t.Context(), client.DeadLetterQuery{EndpointID: e.ID}) {
		check(t, err)
		seen[d.ID] = true
		lines++
	}
	if len(seen) != n || lines != n {
		t.Errorf("the export has %d different deliveries on %d lines, want %d", len(seen), lines, n)
	}
	res, body := w.do(http.MethodGet, "/v1/dead-letters?class=reset", w.key(w.other, auth.Read), "", "Accept", "text/html, application/x-ndjson;q=0.9")
	if res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a bad class before the first line: got %d %s, want 422", res.StatusCode, body)
	}
	res, body = w.do(http.MethodGet, "/v1/dead-letters?class=connection_reset", w.key(w.other, auth.Read), "", "Accept", ndjson)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != ndjson || body != "" {
		t.Errorf("an empty export: got %d %s %q, want 200 and no line", res.StatusCode, res.Header.Get("Content-Type"), body)
	}
}

// breaking is a store that gives a first page of deliveries and then is gone.
type breaking struct {
	*sqlstore.Store
	pages atomic.Int32
}

func (b *breaking) ListDeliveries(ctx context.Context, accountID string, f store.DeliveryFilter, p store.Page) ([]delivery.Delivery, string, error) {
	if b.pages.Add(1) > 1 {
		return nil, "", store.ErrUnavailable
	}
	return b.Store.ListDeliveries(ctx, accountID, f, p)
}

func TestExportThatBreaksOffIsSeen(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := newWorld(t, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c.Manager = newManager(t, &breaking{Store: c.Accounts.(*sqlstore.Store)}, delivery.DefaultPolicy())
	})
	c := w.user()
	e := w.endpoint(c)
	w.deliveries(w.other, e.ID, manage.MaxLimit+1, delivery.ServerError)
	var last error
	lines := 0
	for _, err := range c.ExportDeadLetters(t.Context(), client.DeadLetterQuery{}) {
		if last = err; err == nil {
			lines++
		}
	}
	if !errors.Is(last, io.ErrUnexpectedEOF) || lines != manage.MaxLimit {
		t.Errorf("got %d lines and %v, want %d and an unexpected end", lines, last, manage.MaxLimit)
	}
	if log.Len() > 0 {
		t.Errorf("an export that breaks off is no panic of ours, but the log says %s", log.String())
	}
	res, body := w.do(http.MethodGet, "/v1/dead-letters", w.key(w.other, auth.Read), "", "Accept", ndjson)
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a store that is gone from the start: got %d %s, want 503", res.StatusCode, body)
	}
}

func TestCountsOfTheDeadLetterQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.user()
	one, two := w.endpoint(c), w.endpoint(c)
	w.deliveries(w.other, one.ID, 1, delivery.ServerError)
	w.deliveries(w.other, two.ID, 2, delivery.ServerError)
	w.deliveries(w.other, two.ID, 2, delivery.Reset)
	byEndpoint := must(c.CountDeadLetters(t.Context(), "endpoint"))(t)
	if diff := cmp.Diff([]client.DeadLetterGroup{{EndpointID: two.ID, Count: 4}, {EndpointID: one.ID, Count: 1}}, byEndpoint); diff != "" {
		t.Errorf("by endpoint (-want +got):\n%s", diff)
	}
	byCause := must(c.CountDeadLetters(t.Context(), "cause"))(t)
	if diff := cmp.Diff([]client.DeadLetterGroup{{Cause: "server_error", Count: 3}, {Cause: "connection_reset", Count: 2}}, byCause); diff != "" {
		t.Errorf("by cause (-want +got):\n%s", diff)
	}
	if _, body := w.do(http.MethodGet, "/v1/dead-letters?group=cause", w.key(w.other, auth.Read), ""); !strings.Contains(body, `"data":[]`) {
		t.Errorf("counts: got %s, want an empty list beside them", body)
	}
}
