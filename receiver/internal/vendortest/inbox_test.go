package vendortest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/datadog"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendortest"
	"github.com/compliancelayer/compliancelayer/receiver/jira"
	"github.com/compliancelayer/compliancelayer/receiver/memstore"
	"github.com/compliancelayer/compliancelayer/webhook"
)

// TestLostAnswersThroughAnInbox lets the inbox repeat what had no answer: everything is
// in Jira and Datadog once, in the order in which it came.
func TestLostAnswersThroughAnInbox(t *testing.T) {
	t.Parallel()
	const events, domains = 40, 7
	j, d := vendortest.NewJira(t), vendortest.NewDatadog(t)
	issues, err := jira.New(jira.Config{BaseURL: j.URL, Email: j.Email, Token: j.Token, Project: j.Project, HTTP: &http.Client{}, Settle: -1})
	if err != nil {
		t.Fatal(err)
	}
	posts, err := datadog.New(datadog.Config{BaseURL: d.URL, APIKey: d.APIKey, ApplicationKey: d.ApplicationKey, HTTP: &http.Client{}, Settle: -1})
	if err != nil {
		t.Fatal(err)
	}
	lost, late, none := vendortest.Trouble{Done: true, Reset: true}, vendortest.Trouble{Done: true, Status: 500}, vendortest.Trouble{Status: 503}
	j.Next("/rest/api/3/issue", lost, late, none, lost, none, late)
	j.Next("/rest/api/3/issue/10001/comment", lost, late, none)
	d.Next("/api/v1/events", lost, late, none, lost, none, lost)

	store := memstore.New(time.Now)
	r, err := receiver.New(receiver.Config{Secrets: []webhook.Secret{webhook.NewSecret()}, Store: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	well := make(chan struct{}, 2*events)
	lane := func(name string, handle func(context.Context, receiver.Event[json.RawMessage]) error) receiver.Lane {
		return receiver.Lane{Name: name, Ordered: true, Backoff: time.Millisecond, Handle: func(ctx context.Context, e receiver.Event[json.RawMessage]) error {
			err := handle(ctx, e)
			if err == nil {
				well <- struct{}{}
			}
			return err
		}}
	}
	if err := r.SetLanes(lane("jira", issues.Handle), lane("datadog", posts.Handle)); err != nil {
		t.Fatal(err)
	}
	var items []receiver.Item
	for i := range events {
		id := fmt.Sprint("e", i)
		body := fmt.Sprintf(`{"id": %q, "type": "scan.completed", "created_at": %q, "data": {"domain": "d%d.example", "score": 10}}`, id, time.Now().UTC().Format(time.RFC3339), i%domains)
		for _, name := range []string{"jira", "datadog"} {
			items = append(items, receiver.Item{Lane: name, ID: id, Type: "scan.completed", Body: []byte(body)})
		}
	}
	if _, err := store.Put(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	for range 2 * events {
		<-well
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	for i, post := range d.Posts() {
		id := fmt.Sprint("e", i)
		if post.EventID() != id || d.Count(id) != 1 || j.Count(id) != 1 {
			t.Errorf("post %d in Datadog is of %s; %s is there %d times, and %d in Jira", i, post.EventID(), id, d.Count(id), j.Count(id))
		}
	}
	if len(d.Posts()) != events || len(j.Issues()) != domains {
		t.Errorf("%d posts and %d issues, want %d and one a domain", len(d.Posts()), len(j.Issues()), events)
	}
}
