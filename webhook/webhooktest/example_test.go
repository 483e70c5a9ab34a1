package webhooktest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// receive is the receiver under test: it verifies and skips duplicates.
func receive(secret webhook.Secret) http.Handler {
	var known sync.Map
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "unreadable", http.StatusBadRequest)
			return
		}
		if _, err := webhook.Verify(r.Header, body, time.Now(), 0, secret); err != nil {
			http.Error(w, "invalid signature", http.StatusUnauthorized)
			return
		}
		event, err := webhook.ParseEvent(body)
		if err != nil {
			http.Error(w, "not an event", http.StatusBadRequest)
			return
		}
		if _, seen := known.LoadOrStore(event.ID, true); seen {
			fmt.Fprint(w, "duplicate")
			return
		}
		fmt.Fprint(w, "handled")
	})
}

// The same event comes twice, as after an answer that got lost, and once with a time
// long past.
func ExampleSender() {
	secret := webhook.NewSecret()
	server := httptest.NewServer(receive(secret))
	defer server.Close()

	sender := webhooktest.Sender{URL: server.URL, Secret: secret, Client: server.Client()}
	ctx := context.Background()
	first, err := sender.Send(ctx, webhooktest.NewEvent("scan.completed", `{"domain":"example.com"}`))
	fmt.Println(first.DeliveryID, first.Attempt, first.Status, string(first.Answer), err)

	again, err := sender.Retry(ctx, first)
	fmt.Println(again.DeliveryID, again.Attempt, again.Status, string(again.Answer), err)

	late := webhooktest.Sender{URL: server.URL, Secret: secret, Client: server.Client(), Now: func() time.Time { return time.Now().Add(-time.Hour) }}
	refused, err := late.Send(ctx, webhooktest.NewEvent("scan.completed", `{"domain":"example.com"}`))
	fmt.Println(refused.Status, err)
	// Output:
	// 1 1 200 handled <nil>
	// 1 2 200 duplicate <nil>
	// 401 <nil>
}
