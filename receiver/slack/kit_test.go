package slack_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendortest"
	"github.com/compliancelayer/compliancelayer/receiver/memstore"
	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// With an inbox before it, everything is posted and nothing twice, whatever Slack does
// in between.
func TestAnInboxPostsEachEventOnce(t *testing.T) {
	t.Parallel()
	const events = 60
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	server := vendortest.NewSlack(t)
	server.Page(7)
	for range events {
		server.Next("/api/chat.postMessage", troubles[random.IntN(len(troubles))])
		server.Next("/api/conversations.history", troubles[random.IntN(len(troubles))])
	}
	sink := bot(t, server, nil)
	secret := webhook.NewSecret()
	r, err := receiver.New(receiver.Config{
		Secrets: []webhook.Secret{secret}, Store: memstore.New(time.Now), Backoff: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 2*events)
	r.OnOther(func(ctx context.Context, e receiver.Event[json.RawMessage]) error {
		err := sink.Handle(ctx, e)
		if err == nil {
			done <- e.ID
		}
		return err
	})
	var ids []string
	for range events {
		event := webhooktest.NewEvent("scan.completed", scan)
		ids = append(ids, event.ID)
		for range 2 { // a copy of each
			answer := httptest.NewRecorder()
			r.ServeHTTP(answer, webhooktest.NewRequest(t, "https://example.com/", secret, event))
			if answer.Code != http.StatusOK {
				t.Fatalf("the receiver answers %d", answer.Code)
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	var handled []string
	for range events {
		handled = append(handled, <-done)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	slices.Sort(ids)
	slices.Sort(handled)
	if !slices.Equal(ids, handled) {
		t.Errorf("not each event was handled once: %q, want %q", handled, ids)
	}
	for _, id := range ids {
		if n := server.Count(id); n != 1 {
			t.Errorf("%s was posted %d times, want once", id, n)
		}
	}
}

// troubles are those of which a bot can find out what they left.
var troubles = []vendortest.Trouble{
	{Done: true, Status: 500}, {Status: 500}, {Status: 503}, {Done: true, Status: 504}, {Done: true, Reset: true}, {Reset: true, Body: `{"ok":`},
	{Status: 429}, {Body: `{"ok":false,"error":"internal_error"}`}, {Done: true, Body: `{"ok":false,"error":"fatal_error"}`}, {Done: true, Body: "<html>"},
}
