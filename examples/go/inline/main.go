// Command inline handles events within the request: the sender is answered when the
// handler has ended, and sends again what failed. It fits short work that is safe to do
// again. The store only remembers which events are done.
//
//	COMPLIANCELAYER_SECRET=whsec_... go run ./inline
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/sqlstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	secrets, err := receiver.ParseSecrets(os.Getenv("COMPLIANCELAYER_SECRET"))
	if err != nil {
		return err
	}
	store, err := sqlstore.OpenSQLite(ctx, "done.db")
	if err != nil {
		return err
	}
	defer store.Close()
	events, err := receiver.New(receiver.Config{Secrets: secrets, Store: store, Inline: true})
	if err != nil {
		return err
	}
	events.OnOther(func(_ context.Context, e receiver.Event[json.RawMessage]) error {
		// An error here is answered with 500, and the event comes again.
		return os.WriteFile("last.json", e.Body, 0o600)
	})
	address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8090")
	slog.Info("receiving", "url", "http://"+address+"/webhooks/compliancelayer")
	return events.ListenAndServe(ctx, address, nil)
}
